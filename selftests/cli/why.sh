#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi why: what was refused, why, and which grant lets it through.
. ./lib.bash
in_session "$@"

test_one_sentence()
{
	local ep weak

	ep=$(phi endpoint create)
	weak=$(phi cap derive "$ep" --rights send)
	fails 1 EPERM phi cap revoke "$weak"
	eq "$(phi why | wc -l)" 1
	has "$(phi why)" \
		"^cap_revoke by process [0-9]+ of uid 0 was refused .* ago with EPERM: the capability $weak \(endpoint\) lacks admin; it takes a live capability of endpoint with admin$"
}

test_by_number()
{
	local ep id other

	ep=$(phi endpoint create)
	fails 1 EINVAL phi notify signal "$ep" 1
	id=$(json .id phi why)
	phi cap drop "$ep"
	fails 1 EBADF phi cap query "$ep"
	other=$(json .id phi why)
	[[ $id != "$other" ]] || die "both are $id"
	has "$(phi why "$id")" "is of another type; .* of notify with write$"
	eq "$(json '.where + .error + .call' phi why "$other")" \
		handleEBADFcap_query
	eq "$(json .cap phi why "$other")" "$ep"
	fails 1 "none of that number" phi why 0xffffffffffff
	fails 2 "excludes" phi why "$id" --last 1m
}

test_of_a_time()
{
	fails 1 EBADF phi cap query 0x77
	phi why --last 10m --json |
		jq -se 'any(.call == "cap_query" and .pid > 0)' >/dev/null
	eq "$(phi why --last 0)" ""
	phi why --last 1m --all | grep -q "uid 0 was refused"
}

# A user's own, without root; root reads them too.
test_of_a_user()
{
	local text
	text=$(env -u PHI_FD setpriv --reuid 60103 --clear-groups phi session \
		sh -c 'phi cap query 0x5 2>/dev/null; phi why')
	has "$text" "^cap_query .* of uid 60103 .* EBADF: no capability"
	fails 1 EPERM env -u PHI_FD setpriv --reuid 60103 --clear-groups \
		phi why --all
	has "$(phi why --last 10m --all)" "of uid 60103"
}

test_quota()
{
	# shellcheck disable=SC2016
	limit quota_pages 1 env -u PHI_FD setpriv --reuid 60104 --clear-groups \
		phi session sh -c 'phi region create 1M; phi why' 2>/dev/null |
		grep "256 more pages than the 0 in use .* uid 60104, 1; .* quota_pages"
}

test_agent()
{
	local group=/sys/fs/cgroup/phi-cli-why agent
	mkdir "$group"
	agent=$(phi agent register tester --cgroup "$group")
	sh -c "echo 0 >$group/cgroup.procs; phi cap query 0x9" 2>/dev/null || :
	has "$(phi why --agent "$agent")" "agent [0-9]+, was refused .* 0x0*9;"
	phi cap drop "$agent"
	rmdir "$group"
}

# A call of MATHIS by its name and number, asked about without a dispatcher.
test_of_a_foreign_call()
{
	local bell

	bell=$(phi notify create)
	eq "$(json '.checks[0].result' phi check call io_open)" ok
	phi check call io_write --cap "$bell" --type memory &&
		die "a notify is no memory"
	has "$(phi why)" "^io_write \(MATHIS 0x0003\) by process [0-9]+ of uid 0 was refused .* EINVAL: the capability of the dispatcher \(notify\) is of another type; .* of memory$"
	phi check call 0xfffe --cap 0x7b && die "there is no 0x7b"
	has "$(phi why)" "^a call \(MATHIS 0xfffe\) by .* EBADF: no capability is behind"
	fails 2 "call" phi check call io_opem
	fails 1 EBADF phi check call io_open --session 0x7c
}

run_tests
