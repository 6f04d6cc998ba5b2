#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi thread, each verb for real.
. ./lib.bash
in_session "$@"

# A command that is a thread until its input, descriptor 9, ends.
begin()
{
	rm -f "$tmp/in" "$tmp/out"
	mkfifo "$tmp/in"
	phi thread register "$@" <"$tmp/in" >"$tmp/out" &
	exec 9>"$tmp/in"
	until_true test -s "$tmp/out"
	thread=$(<"$tmp/out")
}

end()
{
	exec 9>&-
	wait "$!"
}

test_join()
{
	begin --status 42
	eq "$(json .type phi cap query "$thread")" thread
	eq "$(json .state phi thread query "$thread")" runs
	eq "$(json .pid phi thread query "$thread")" "$!"
	eq "$(json '.threads[] | select(.state == "runs") | .pid' phi thread list)" "$!"
	has "$(phi thread list)" runs
	fails 1 EAGAIN phi thread join "$thread" --nonblock
	fails 1 ETIMEDOUT phi thread join "$thread" --timeout 1ms
	end
	eq "$(json '"\(.how) \(.status)"' phi thread join "$thread")" "exited 42"
	eq "$(json .state phi thread query "$thread")" exited
	fails 1 ESRCH phi thread place "$thread" --cpus 0
	fails 1 ESRCH phi thread yield "$thread"
	phi cap drop "$thread"
}

test_signal()
{
	local mail
	mail=$(phi endpoint create)
	begin --endpoint "$mail" --badge 5
	phi thread signal "$thread" hello
	eq "$(json '"\(.badge) \(.data)"' phi endpoint recv "$mail" --nonblock)" "0x0000000000000005 hello"
	end
	fails 1 ESRCH phi thread signal "$thread" hello
	phi cap drop "$thread"
	phi cap drop "$mail"
}

test_signal_interrupts()
{
	local mail
	mail=$(phi endpoint create)
	begin --endpoint "$mail" --signal 15
	phi thread signal "$thread"
	eq "$(json '"\(.how) \(.status)"' phi thread join "$thread")" "killed 15"
	exec 9>&-
	wait "$!" || true
}

test_place()
{
	local unit
	begin
	phi thread place "$thread" --cpus 0
	eq "$(json .cpus phi thread query "$thread")" 1
	fails 2 "is missing" phi thread place "$thread"
	unit=$(json .cap phi unit register near --kind cpu --node 0)
	phi thread place "$thread" --near "$unit"
	fails 2 "exclude each other" phi thread place "$thread" --near "$unit" --cpus 0
	for list in 0- 1-0 x 0,,1 99999; do
		fails 2 "no list" phi thread place "$thread" --cpus "$list"
	done
	eq "$(json .yielded phi thread yield "$thread")" false
	end
}

test_class()
{
	begin
	phi thread class "$thread" background --deadline 1h
	eq "$(json .class phi thread query "$thread")" background
	phi thread class "$thread" infer
	eq "$(json .deadline_ns phi thread query "$thread")" 0
	fails 2 "not normal" phi thread class "$thread" urgent
	fails 1 EINVAL phi thread register --signal 9
	end
}

run_tests
