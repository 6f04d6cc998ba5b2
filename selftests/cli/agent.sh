#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi agent, each verb for real.
. ./lib.bash
in_session "$@"

test_run()
{
	local status=0
	eq "$(phi agent run tester echo hello)" hello
	phi agent run tester sh -c 'exit 5' || status=$?
	eq "$status" 5
	fails 127 "no such program" phi agent run tester /no/such/program
	phi agent run tester true
}

test_run_passes_options_on()
{
	eq "$(phi agent run tester printf '%s %s' --json -x)" "--json -x"
}

test_run_tells_its_number()
{
	local text
	# shellcheck disable=SC2016
	text=$(phi agent run tester --json sh -c 'echo "{\"env\": $PHI_AGENT}"')
	eq "$(jq -s '.[0].env == .[1].agent and .[1].status == 0' <<<"$text")" \
		true
}

test_run_in_a_cgroup()
{
	has "$(phi agent run tester cat /proc/self/cgroup)" \
		'^0::.*/tester\.[0-9]+$'
	find /sys/fs/cgroup -name 'tester.*' | grep . && die "cgroups stay"
	return 0
}

test_run_ends_what_is_left()
{
	phi agent run tester sh -c 'sleep 1000 & echo $!' >"$tmp/pid"
	kill -0 "$(cat "$tmp/pid")" 2>/dev/null && die "it goes on"
	return 0
}

# A query of the agent's is paid for, until nothing is left.
test_run_with_a_budget()
{
	local budget
	budget=$(phi budget create calls=2)
	# shellcheck disable=SC2016
	phi agent run tester --budget "$budget" sh -c '
		phi notify create && phi notify create && ! phi notify create' \
		>/dev/null 2>"$tmp/refused"
	has "$(cat "$tmp/refused")" EDQUOT
	has "$(phi why)" "1 more calls than the 2 in use are above the budget that uid 0 made, 2; it takes a grant of calls=1$"
	eq "$(json '.budget[] | select(.of == "calls") | .spent' \
		phi budget show "$budget")" 2
	fails 1 EBADF phi agent run tester --budget 0x7d true
}

# The agent sees the two capabilities and nothing else; its end is told.
test_run_with_capabilities()
{
	local region notify text
	region=$(phi region create 4096)
	notify=$(phi notify create)
	text=$(INHERITED=1 phi agent run tester \
		--cap "input=$region:read,map" --cap "done=$notify:write" \
		--env A=b sh -c 'env; phi cap list --json')
	has "$text" '^A=b$'
	has "$text" '^PHI_CAPS=input:done$'
	has "$text" '^PHI_AGENT=[1-9]'
	grep -q INHERITED <<<"$text" && die "it inherits"
	eq "$(sed -n '/^{/,$p' <<<"$text" |
		jq -c '[.caps[] | [.type, .rights]]')" \
		'[["memory",["read","map"]],["notify",["write"]]]'
	fails 2 "is not NAME=CAP" phi agent run tester --cap "$region" true
	fails 1 "E" phi agent run tester --cap "x=1" true
	fails 2 "are no rights" phi agent run tester --cap "x=$region:fly" true
	fails 2 "is not NAME=VALUE" phi agent run tester --env A true
	phi cap drop "$region"
	phi cap drop "$notify"
}

# It waits until the agent is there: with its number.
agent_number()
{
	local number
	until number=$(phi agent list --json | jq -e \
		".agents[] | select(.name == \"$1\") | .agent"); do
		sleep 0.1
	done
	echo "$number"
}

test_kill_tells_what_ended()
{
	local region number receipt status=0
	region=$(phi region create 4096)
	phi agent run victim --cap "input=$region:read,map" sleep 1000 &
	number=$(agent_number victim)
	until [[ $(json .cspaces phi agent show "$number") == 1 ]]; do
		sleep 0.1
	done
	has "$(phi agent tree)" "^ *$number +victim"
	eq "$(json .state phi agent show "$number")" runs
	receipt=$(phi agent kill "$number" --json)
	eq "$(jq -c '[.name, .agents, .cspaces, .handles, .given]' \
		<<<"$receipt")" '["victim",1,1,1,1]'
	wait "$!" || status=$?
	eq "$status" 137
	fails 1 "ENOENT" phi agent kill "$number"
	fails 1 "ENOENT" phi agent show "$number"
	phi cap drop "$region"
}

test_open_watch_evict()
{
	local group=/sys/fs/cgroup/phi-cli-test agent again notify
	mkdir "$group"
	agent=$(phi agent register tester --cgroup "$group")
	again=$(phi agent open --cgroup "$group")
	eq "$(json .same phi cap same "$agent" "$again")" true
	notify=$(phi notify create)
	phi agent watch "$agent" "$notify" --bits 4
	(
		echo "$BASHPID" >"$group/cgroup.procs"
	)
	eq "$(json .bits phi notify wait "$notify")" 0x0000000000000004
	fails 1 "ENOENT" phi agent evict "$agent"
	phi cap drop "$agent"
	phi cap drop "$again"
	phi cap drop "$notify"
	fails 1 "ENOENT" phi agent open --cgroup "$group"
	rmdir "$group"
}

test_register()
{
	local group=/sys/fs/cgroup/phi-cli-test agent inner
	mkdir "$group"
	agent=$(phi agent register tester --cgroup "$group" --json) || {
		rmdir "$group"
		return 1
	}
	eq "$(json .type phi cap query "$(jq -r .cap <<<"$agent")")" agent
	has "$(jq -r .agent <<<"$agent")" '^[1-9]'
	fails 1 "EEXIST" phi agent register again --cgroup "$group"
	mkdir "$group/inner"
	fails 1 "EPERM" phi agent register inner --cgroup "$group/inner"
	inner=$(phi agent register inner --cgroup "$group/inner" \
		--parent "$(jq -r .cap <<<"$agent")" --json)
	phi cap drop "$(jq -r .cap <<<"$inner")"
	phi cap drop "$(jq -r .cap <<<"$agent")"
	rmdir "$group/inner" "$group"
}

test_register_refusals()
{
	fails 1 "No such file" phi agent register a --cgroup /sys/fs/cgroup/nope
	fails 1 "E" phi agent register a --cgroup /tmp
	fails 2 "has a slash" phi agent run a/b true
}

run_tests
