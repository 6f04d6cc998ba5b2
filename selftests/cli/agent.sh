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
