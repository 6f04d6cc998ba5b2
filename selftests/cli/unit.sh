#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi unit, model, infer begin|end|select, status, system and top.
. ./lib.bash
in_session "$@"

unit=$(phi unit register cli-unit --kind cpu --capacity 2 --json)
unit_cap=$(jq -r .cap <<<"$unit")
unit_id=$(jq -r .id <<<"$unit")
box=$(phi endpoint create)
model=$(phi model register cli-model "$box" --max-batch 8 --badge 5 --json)
model_cap=$(jq -r .cap <<<"$model")
model_id=$(jq -r .id <<<"$model")

test_unit_query()
{
	local text
	text=$(phi unit query "$unit_id")
	has "$text" "^name +cli-unit$"
	has "$text" "^kind +cpu$"
	has "$text" "^load +-$"
	eq "$(json .capacity phi unit query "$unit_id")" 2
	fails 1 "ENOENT" phi unit query 63
}

test_unit_update()
{
	phi unit update "$unit_cap" --load 250 --temperature 45500 --power 12000
	has "$(phi unit query "$unit_id")" "^temp +45.5 C"
	has "$(phi unit query "$unit_id")" "^load +25.0 %"
	eq "$(json .power phi unit query "$unit_id")" 12000
	phi unit update "$unit_cap" --unhealthy
	eq "$(json .healthy phi unit query "$unit_id")" false
	fails 1 "no healthy unit" phi infer begin "$model_cap" --batch 1
	phi unit update "$unit_cap"
	eq "$(json .power phi unit query "$unit_id")" null
}

test_unit_goes_with_its_handle()
{
	local cap
	cap=$(phi unit register short-lived --kind gpu --node 0)
	has "$(phi unit list)" "short-lived +gpu"
	phi cap drop "$cap"
	phi unit list | grep short-lived && die "it stays"
	return 0
}

test_unit_register_refusals()
{
	fails 1 "EINVAL" phi unit register "" --kind cpu
	fails 1 "EINVAL" phi unit register \
		a-name-that-is-too-long-for-a-unit-here --kind cpu
	fails 1 "EINVAL" phi unit register a --kind cpu --capacity 0
}

# A user's units are counted by none of the five quotas.
test_unit_quota_names_its_parameter()
{
	local other=(env -u PHI_FD setpriv --reuid 65534 --clear-groups
		--bounding-set -all phi session phi unit register theirs
		--kind cpu)
	has "$("${other[@]}")" '^0x'
	limit quota_units 0 \
		fails 1 "units: .*quota_units.*phi_quota" "${other[@]}"
	limit quota_objects 1 \
		fails 1 "objects: .*quota_objects" "${other[@]}"
}

test_model()
{
	eq "$(json .name phi model query "$model_id")" cli-model
	eq "$(json .max_batch phi model query "$model_id")" 8
	has "$(phi model list)" "^ *$model_id +cli-model"
	fails 1 "ENOENT" phi model query 4000000000
	fails 1 "EINVAL" phi model register x "$box" --max-batch 0
}

test_infer()
{
	local begun ticket before
	before=$(json .batches phi model query "$model_id")
	begun=$(phi infer begin "$model_cap" --batch 4 --deadline 10s \
		--queued 1ms --wanted cpu --json)
	eq "$(jq -r .unit <<<"$begun")" "$unit_id"
	eq "$(jq -r .batch <<<"$begun")" 4
	ticket=$(jq -r .ticket <<<"$begun")
	eq "$(json .in_flight phi unit query "$unit_id")" 1
	has "$(phi infer end "$ticket")" "^run +[0-9.]+ "
	eq "$(json .in_flight phi unit query "$unit_id")" 0
	eq "$(json .batches phi model query "$model_id")" $((before + 1))
	fails 1 "ENOENT" phi infer end "$ticket"
}

test_infer_that_failed()
{
	local ticket before
	before=$(json .failed phi model query "$model_id")
	ticket=$(json .ticket phi infer begin "$model_cap")
	phi infer end "$ticket" --error 5 >/dev/null
	eq "$(json .failed phi model query "$model_id")" $((before + 1))
}

test_infer_select()
{
	eq "$(json .unit phi infer select "$model_cap" --batch 2)" "$unit_id"
	has "$(phi infer select "$model_cap")" "^chosen by +built in"
	fails 1 "EINVAL" phi infer select "$model_cap" --batch 9
	fails 1 "EPERM" phi infer select \
		"$(phi cap derive "$model_cap" --rights send)"
}

test_status()
{
	local text
	text=$(phi status)
	has "$text" "^module +loaded"
	has "$text" "^kernel +$(uname -r | sed 's/[+.]/\\&/g')$"
	has "$text" "cli-unit"
	has "$text" "cli-model"
	has "$text" "  pages +[0-9]+ +[0-9]+  [#.]{20}$"
	eq "$(json '.units[] | select(.name == "cli-unit") | .kind' phi status)" cpu
	eq "$(json '.quotas | length' phi status)" 5
	eq "$(json '.policies | type' phi status)" array
}

test_system()
{
	local before after
	has "$(json .abi phi system info)" '^[0-9]+$'
	eq "$(json .features.kfunc phi system info)" true
	before=$(json .objects.memory phi system stats)
	phi region create 4096 >/dev/null
	after=$(json .objects.memory phi system stats)
	eq "$after" $((before + 1))
}

test_top()
{
	local text line
	text=$(phi top --once)
	has "$text" "UNIT +NAME +KIND"
	has "$text" "cli-unit +cpu"
	has "$text" "cli-model"
	text=$(phi top --count 2 --interval 50ms)
	eq "$(grep -c "^time" <<<"$text")" 2
	has "$text" "0\.0"
	text=$(phi top --count 3 --interval 10ms --json)
	eq "$(wc -l <<<"$text")" 3
	eq "$(jq -s length <<<"$text")" 3
	while read -r line; do
		eq "$(jq '.units | type' <<<"$line")" '"array"'
	done <<<"$text"
	fails 2 "10ms at least" phi top --interval 1ms
	[[ $text != *$'\033'* ]] || die "escapes in a pipe"
}

test_top_on_terminals()
{
	has "$(TERM=xterm script -qec 'phi top --count 1' /dev/null)" $'\033\\[H'
	TERM=dumb script -qec 'phi top --count 2 --interval 50ms' "$tmp/dumb" \
		>/dev/null
	grep -q $'\033' "$tmp/dumb" && die "escapes on a dumb terminal"
	grep -q cli-unit "$tmp/dumb"
}

run_tests
