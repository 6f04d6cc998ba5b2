#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi budget, each verb for real.
. ./lib.bash
in_session "$@"

# figures BUDGET KIND: amount, spent, reserved, given, free
figures()
{
	json ".budget[] | select(.of == \"$2\") |
		\"\(.amount) \(.spent) \(.reserved) \(.given) \(.free)\"" \
		phi budget show "$1"
}

test_spend()
{
	local b r
	b=$(phi budget create calls=10 tokens=2K)
	eq "$(json .type phi cap query "$b")" budget
	eq "$(figures "$b" tokens)" "2048 0 0 0 2048"
	r=$(phi budget reserve "$b" calls=4 tokens=100)
	eq "$(figures "$b" calls)" "10 0 4 0 6"
	phi budget settle "$r" calls=3
	eq "$(figures "$b" calls)" "10 3 0 0 7"
	eq "$(figures "$b" tokens)" "2048 0 0 0 2048"
	r=$(phi budget reserve "$b" calls=7)
	phi budget settle "$r"
	eq "$(figures "$b" calls)" "10 3 0 0 7"
	fails 1 ENOENT phi budget settle "$r"
}

test_tells_why()
{
	local b
	b=$(phi budget create money=5)
	fails 1 EDQUOT phi budget reserve "$b" money=7
	has "$(phi why)" "7 more money than the 0 in use are above the budget that uid 0 made, 5; it takes a grant of money=2$"
	phi budget grant "$b" money=2
	phi budget reserve "$b" money=7
}

test_below()
{
	local top below
	top=$(phi budget create spawns=5)
	below=$(phi budget create spawns=3 --parent "$top")
	eq "$(figures "$top" spawns)" "5 0 0 3 2"
	phi budget grant "$below" spawns=1 --parent "$top"
	fails 1 EDQUOT phi budget grant "$below" spawns=2 --parent "$top"
	eq "$(figures "$below" spawns)" "4 0 0 0 4"
	phi cap drop "$below"
	eq "$(figures "$top" spawns)" "5 0 0 0 5"
}

test_watch()
{
	local b n
	b=$(phi budget create unit=100)
	n=$(phi notify create)
	phi budget watch "$b" "$n" --low 1 --spent 2
	phi budget reserve "$b" unit=85
	has "$(phi notify wait "$n" --nonblock)" 1
	fails 1 EINVAL phi budget watch "$b" "$n"
}

test_usage()
{
	fails 2 "kinds are" phi budget create apples=1
	fails 2 "kinds are" phi budget create calls
	fails 1 EINVAL phi budget show "$(phi endpoint create)"
}

run_tests
