#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi infer run against batchd, with the digit classifier and real images.
. ./lib.bash

data=../data/mnist
digits="7 2 1 0 4 1 4 9"
token=$tmp/tokens/digits.token
batchd=

stop()
{
	[[ $batchd ]] && kill "$batchd" 2>/dev/null && wait "$batchd"
	rm -rf "$tmp"
}
trap stop EXIT

chmod 755 "$tmp"
mkfifo "$tmp/ready"
"${PHI_BUILD:-../../build}/daemons/batchd" --user nobody \
	--publish "$tmp/tokens" --model "digits=$data/mnist_mlp.onnx:64" \
	--ready-fd 9 9>"$tmp/ready" 2>"$tmp/batchd.log" &
batchd=$!
read -r ready <"$tmp/ready"
gzip -dc "$data/t3k-images-idx3-ubyte.gz" | tail -c +17 |
	head -c $((8 * 784)) >"$tmp/images"

test_a_batcher_runs()
{
	[[ $ready == READY=1 ]] || die "$(cat "$tmp/batchd.log")"
	has "$(phi model list)" "digits"
	has "$(phi unit list)" "cpu"
	has "$(phi top --once)" "digits"
}

test_a_batcher_refuses()
{
	local other=(setpriv --reuid 1234 --regid 1234 --clear-groups)
	local run=("${PHI_BUILD:-../../build}/daemons/batchd" --model
		"digits=$data/mnist_mlp.onnx:64" --publish "$tmp/no")
	fails 2 "no --model" "${run[0]}"
	fails 2 "cannot be .nobody-else" "${run[@]}" --audience nobody-else
	fails 2 "cannot be .1777" "${run[@]}" --mode 1777
	fails 1 "no user nobody-else" "${run[@]}" --user nobody-else
	fails 1 "not run as root; give --user" "${run[@]}"
	fails 1 "only root can become nobody" "${other[@]}" "${run[@]}" \
		--user nobody
	[[ ! -e $tmp/no ]]
}

test_prints_the_digits()
{
	eq "$(json '[.outputs[].greatest] | join(" ")' \
		phi infer run "$token" "$tmp/images")" "$digits"
}

test_prints_a_table()
{
	local text
	text=$(phi infer run "$token" "$tmp/images" --deadline 60s)
	has "$text" "^inputs +8$"
	has "$text" "^chosen by +built in$"
	has "$text" "^ +0 +7 +-?[0-9]"
}

test_writes_a_file()
{
	phi infer run "$token" "$tmp/images" --output "$tmp/out" --priority 2
	eq "$(stat -c %s "$tmp/out")" $((8 * 10 * 4))
}

test_reads_stdin()
{
	eq "$(head -c 784 "$tmp/images" |
		json '.outputs[0].greatest' phi infer run "$token" -)" 7
}

test_more_inputs_than_a_batch()
{
	local i
	for ((i = 0; i < 9; i++)); do
		cat "$tmp/images"
	done >"$tmp/many"
	eq "$(json '.outputs | length' phi infer run "$token" "$tmp/many")" 72
}

test_with_a_handle()
{
	# shellcheck disable=SC2016
	eq "$(phi session sh -c 'phi infer run $(phi cap unseal $0) $1 --json' \
		"$token" "$tmp/images" | jq .outputs[1].greatest)" 2
}

test_wrong_inputs()
{
	head -c 785 "$tmp/images" >"$tmp/odd"
	fails 2 "785 bytes, which is no multiple of an input's 784" \
		phi infer run "$token" "$tmp/odd"
	: >"$tmp/empty"
	fails 2 "0 bytes" phi infer run "$token" "$tmp/empty"
	fails 1 "No such file" phi infer run "$token" "$tmp/nope"
	fails 1 "No such file" phi infer run "$tmp/nope" "$tmp/images"
	fails 2 "3 is too big" phi infer run "$token" "$tmp/images" --priority 3
}

test_a_deadline_too_near()
{
	fails 1 "deadline" phi infer run "$token" "$tmp/images" --deadline 1us
}

test_z_no_batcher()
{
	cp "$token" "$tmp/token"
	kill "$batchd"
	until_true test ! -e "$token"
	until_true eval "! phi model list | grep -q digits"
	fails 1 "EKEYREVOKED|EPIPE" phi infer run "$tmp/token" "$tmp/images"
}

run_tests
