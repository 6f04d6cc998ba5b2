#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi endpoint and phi notify, each verb for real.
. ./lib.bash
in_session "$@"

test_send_and_recv()
{
	local e in
	e=$(phi endpoint create)
	phi endpoint send "$e" "hello there"
	in=$(phi endpoint recv "$e")
	has "$in" "^data +hello there$"
	has "$in" "^length +11$"
	has "$in" "^uid +0$"
	phi endpoint send "$e" again
	eq "$(phi endpoint recv "$e" --raw)" again
	eq "$(json .sent phi endpoint send "$e" abc)" 3
	eq "$(json .data phi endpoint recv "$e")" abc
}

test_send_a_file()
{
	local e
	e=$(phi endpoint create)
	printf '\001\377' >"$tmp/data"
	phi endpoint send "$e" --file "$tmp/data"
	eq "$(json .data_hex phi endpoint recv "$e")" 01ff
	head -c 257 /dev/zero >"$tmp/data"
	fails 1 "EMSGSIZE" phi endpoint send "$e" --file "$tmp/data"
	fails 2 "exclude each other" \
		phi endpoint send "$e" text --file "$tmp/data"
}

test_control_characters()
{
	local e
	e=$(phi endpoint create)
	phi endpoint send "$e" $'\033[31mred'
	has "$(phi endpoint recv "$e")" "^data +hex 1b5b33316d726564"
}

test_capabilities_cross()
{
	local e r in got
	e=$(phi endpoint create)
	r=$(phi region create 4096)
	phi region write "$r" --text gift
	phi endpoint send "$e" take --copy "$r:read,map" --move "$(phi notify create)"
	in=$(phi endpoint recv "$e" --json)
	eq "$(jq -r '.caps | length' <<<"$in")" 2
	eq "$(jq -r '.caps[0].rights | join(",")' <<<"$in")" read,map
	eq "$(jq -r '.caps[1].type' <<<"$in")" notify
	got=$(jq -r '.caps[0].cap' <<<"$in")
	eq "$(phi region read "$got" --length 4)" gift
	fails 2 "4 capabilities at most" phi endpoint send "$e" a --copy "$r" \
		--copy "$r" --copy "$r" --copy "$r" --copy "$r"
	fails 2 "are no rights" phi endpoint send "$e" a --copy "$r:foo"
}

test_no_caps()
{
	local e
	e=$(phi endpoint create)
	phi endpoint send "$e" a --copy "$(phi region create 4096)"
	eq "$(json '.caps | length' phi endpoint recv "$e" --no-caps)" 0
}

test_nonblock_and_timeout()
{
	local e
	e=$(phi endpoint create)
	fails 1 "EAGAIN" phi endpoint recv "$e" --nonblock
	fails 1 "ETIMEDOUT" phi endpoint recv "$e" --timeout 20ms
}

test_call_and_reply()
{
	local e reply
	e=$(phi endpoint create)
	phi endpoint call "$e" ping --raw --timeout 20s >"$tmp/answer" &
	reply=$(json .reply phi endpoint recv "$e" --timeout 10s)
	phi endpoint reply "$reply" pong
	wait $!
	eq "$(cat "$tmp/answer")" pong
	fails 1 "EBADF" phi endpoint reply "$reply" again
}

test_reply_recv()
{
	local e reply in
	e=$(phi endpoint create)
	phi endpoint call "$e" one --timeout 20s >"$tmp/answer" &
	reply=$(json .reply phi endpoint recv "$e" --timeout 10s)
	phi endpoint send "$e" two
	in=$(phi endpoint reply-recv "$reply" "$e" first --json --timeout 10s)
	eq "$(jq -r .data <<<"$in")" two
	wait $!
	has "$(cat "$tmp/answer")" "^data +first"
}

test_call_without_server()
{
	local e
	e=$(phi endpoint create)
	fails 1 "ETIMEDOUT" phi endpoint call "$e" a --timeout 50ms
}

test_fd()
{
	local e
	e=$(phi endpoint create)
	eq "$(json '[.readable, .writable, .dead] | @csv' phi endpoint fd "$e")" \
		false,true,false
	phi endpoint send "$e" a
	eq "$(json .readable phi endpoint fd "$e" --in --timeout 5s)" true
}

test_watch()
{
	local e n s
	e=$(phi endpoint create)
	n=$(phi notify create)
	s=$(phi cap derive "$e" --rights send)
	phi endpoint watch "$s" "$n" 0x10
	fails 1 "EAGAIN" phi notify wait "$n" --nonblock
	phi cap drop "$e"
	eq "$(phi notify wait "$n" --timeout 5s)" 0x0000000000000010
}

test_dead_endpoint()
{
	local e s
	e=$(phi endpoint create)
	s=$(phi cap derive "$e" --rights send)
	phi cap drop "$e"
	fails 1 "EPIPE" phi endpoint send "$s" a
}

test_notify()
{
	local n
	n=$(phi notify create)
	phi notify signal "$n" 0x6
	eq "$(phi notify wait "$n" --mask 2)" 0x0000000000000002
	eq "$(json .bits phi notify wait "$n")" 0x0000000000000004
	fails 1 "EAGAIN" phi notify wait "$n" --nonblock
	fails 1 "ETIMEDOUT" phi notify wait "$n" --timeout 20ms
	eq "$(json .signalled phi notify signal "$n" 1)" 0x0000000000000001
}

test_notify_wakes()
{
	local n
	n=$(phi notify create)
	phi notify wait "$n" --timeout 20s >"$tmp/bits" &
	sleep 0.1
	phi notify signal "$n" 8
	wait $!
	eq "$(cat "$tmp/bits")" 0x0000000000000008
}

test_notify_bind()
{
	local n
	n=$(phi notify create)
	phi notify signal "$n" 1
	eq "$(json .signals phi notify bind "$n" --timeout 5s)" 1
	phi notify wait "$n" >/dev/null
	fails 1 "ETIMEDOUT" phi notify bind "$n" --timeout 20ms
	phi notify bind "$n" --unbind
	fails 1 "E" phi notify bind "$n" --eventfd 0
}

run_tests
