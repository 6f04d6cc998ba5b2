#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line of phi: help, what is wrong with it, exit statuses, and
# what it says when the device cannot be used.
. ./lib.bash

# without_dev [MODE] CMD...: run where /dev has no phi, or one of that mode.
without_dev()
{
	local device
	device=$(stat -c '%Hr %Lr' /dev/phi)

	# shellcheck disable=SC2016
	unshare -m bash -c '
		mount -t tmpfs -o mode=755 none /dev
		mknod -m 666 /dev/null c 1 3
		if [[ $2 ]]; then
			mknod -m "$2" /dev/phi c $1
		fi
		shift 2
		exec "$@"' - "$device" "$@"
}

test_help_lists_every_noun()
{
	local noun text
	text=$(phi help)

	for noun in $(phi help --words); do
		has "$text" "^  $noun +[^ ]"
	done
	eq "$(phi --help)" "$text"
}

test_every_verb_explains_itself()
{
	local noun verb
	for noun in $(phi help --words); do
		phi help "$noun" >/dev/null
		phi "$noun" --help >/dev/null
		for verb in $(phi help --words "$noun" | grep '^[a-z]'); do
			has "$(phi "$noun" "$verb" --help)" \
				"^usage: phi $noun $verb"
		done
	done
}

test_man_page_has_every_usage()
{
	local page noun line
	page=$(mandoc -T ascii -O width=500 ../../tools/phi/phi.1 |
		sed 's/.\x08//g')

	for noun in $(phi help --words); do
		while read -r line; do
			line=$(sed 's/^phi //; s/[][|.]/\\&/g' <<<"$line")
			grep -qE -- "^     $line(  |$)" <<<"$page" ||
				die "phi(1) lacks: $line"
		done < <(phi help "$noun" | sed -n 's/^  phi/phi/p')
	done
}

test_no_noun()
{
	fails 2 "usage: phi NOUN VERB" phi
}

test_unknown_noun()
{
	fails 2 "no noun 'nope'" phi nope
	fails 2 "no noun 'nope'" phi help nope
}

test_unknown_verb()
{
	fails 2 "no verb 'nope'" phi cap nope
	fails 2 "phi cap derive CAP" phi cap
}

test_unknown_option()
{
	fails 2 "no option '--nope'" phi --nope status
	fails 2 "no option --nope" phi status --nope
	fails 2 "no option -x" phi status -x
}

test_option_without_value()
{
	fails 2 "--badge needs a value" phi cap derive 1 --badge
	fails 2 "--dma has no value" phi region create 4096 --dma=1
}

test_option_twice()
{
	fails 2 "--badge was given twice" phi cap derive 1 --badge 1 --badge 2
}

test_option_missing()
{
	fails 2 "--kind is missing" phi unit register a
}

test_operands()
{
	fails 2 "1 operand is missing" phi cap derive
	fails 2 "2 operands are missing" phi cap same
	fails 2 "'3' is one operand too many" phi cap same 1 2 3
}

test_values()
{
	fails 2 "is not a number" phi session phi cap derive x
	fails 2 "too big" phi session phi cap derive 99999999999999999999
	fails 2 "words out of read" phi session phi cap derive 1 --rights foo
	fails 2 "no time span" phi session phi cap derive 1 --expires soon
	fails 2 "not cpu, gpu or tpu" phi session phi unit register a --kind fpga
	fails 2 "no multiple of 4096" phi session phi region create 5
	fails 2 "file or network" phi session phi cap mint 1 --type memory
	fails 2 "not like tcp/80" \
		phi session phi cap mint 1 --type network --port sctp/1
}

test_handles_need_a_session()
{
	fails 1 "phi session" phi region create 4096
	fails 1 "phi session" phi cap list
}

test_a_wrong_session()
{
	PHI_FD=99 fails 1 "PHI_FD names no open /dev/phi" phi status
	PHI_FD=x fails 1 "PHI_FD names no open /dev/phi" phi status
	PHI_FD=0 fails 1 "PHI_FD names no open /dev/phi" phi status
}

test_no_module()
{
	fails 1 "module is not loaded" without_dev "" phi status
	fails 1 "modprobe phi" without_dev "" phi session true
	fails 1 "module is not loaded" without_dev "" phi cap list
}

test_no_permission()
{
	fails 1 "this user may not use it" without_dev 600 \
		setpriv --reuid 65534 --clear-groups phi status
}

test_errors_in_json()
{
	local text
	text=$(phi session phi --json cap query 0x7700000001 2>&1) &&
		die "it succeeds"
	eq "$(jq -r .error.errno <<<"$text")" EBADF
	has "$(jq -r .error.why <<<"$text")" "no capability"
	has "$(jq -r .error.hint <<<"$text")" "phi cap list"
}

# json_fault WHY CMD...: one JSON object on stderr says why; exit status 2.
json_fault()
{
	local why=$1 text status=0
	shift
	text=$("$@" 2>&1 >/dev/null </dev/null) || status=$?
	eq "$status" 2
	has "$(jq -rs 'if length == 1 then .[0].error.why else length end' \
		<<<"$text")" "$why"
	has "$(jq -r '.error | .what, .hint' <<<"$text")" phi
}

test_faults_of_usage_in_json()
{
	json_fault "the noun is missing" phi --json
	json_fault "no noun 'nope'" phi nope --json
	json_fault "no option '--nope'" phi --nope --json
	json_fault "no verb 'nope'" phi --json cap nope
	json_fault "the verb is missing" phi --json cap
	json_fault "no option --nope" phi cap derive --nope --json
	json_fault "needs a value" phi --json cap derive 1 --badge
	json_fault "operand is missing" phi cap derive --json
	json_fault "one operand too many" phi cap list 1 --json
	json_fault "is not a number" phi session phi cap derive x --json
	json_fault "no time span" \
		phi session phi --json cap derive 1 --expires soon
	json_fault "is missing" phi --json unit register a
	json_fault "10ms at least" phi top --interval 1ms --json
	# What belongs to a command is not for phi.
	fails 2 "no option --nope" phi session --nope echo --json
}

test_full_stdout()
{
	local status=0
	phi --version >/dev/full 2>"$tmp/err" || status=$?
	eq "$status" 1
	has "$(cat "$tmp/err")" "cannot write"
}

test_session_runs_a_command()
{
	local status=0
	# shellcheck disable=SC2016
	eq "$(phi session sh -c 'echo $PHI_FD; exit 0')" \
		"$(phi session sh -c 'readlink /proc/self/fd/* | grep -c . >/dev/null; echo $PHI_FD')"
	phi session sh -c 'exit 7' || status=$?
	eq "$status" 7
	fails 1 "no such program" phi session /no/such/program
}

# The file has a number that no script reopens, in shells too.
test_session_keeps_low_numbers_free()
{
	local shell
	# shellcheck disable=SC2016
	for shell in sh bash; do
		phi session "$shell" -c '
			exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1
			exec 3>&- 9>/dev/null
			[ "$PHI_FD" -ge 100 ] && phi region create 4096' \
			>"$tmp/out"
		has "$(cat "$tmp/out")" "^0x"
	done
	# shellcheck disable=SC2016
	eq "$(phi session bash -c 'exec {fd}>/dev/null; echo $((fd < PHI_FD))')" 1
	# shellcheck disable=SC2016
	has "$(ulimit -n 64 && phi session sh -c 'echo $PHI_FD; phi notify create')" \
		"^30"
}

test_daemons_have_a_version()
{
	local d
	for d in batchd vdfsd; do
		eq "$("${PHI_BUILD:-../../build}/daemons/$d" --version)" \
			"$d $(json .version phi --version)"
	done
}

test_version()
{
	has "$(phi --version)" "^abi +[0-9]"
	has "$(json .abi phi --version)" '^[0-9]+$'
}

run_tests
