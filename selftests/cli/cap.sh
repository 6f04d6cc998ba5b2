#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi cap and phi cspace, each verb for real.
. ./lib.bash
in_session "$@"

handle='^0x[0-9a-f]{16}$'

test_derive()
{
	local r d
	r=$(phi region create 4096)
	d=$(phi cap derive "$r" --rights read,map)
	has "$d" "$handle"
	eq "$(json '.rights | join(",")' phi cap query "$d")" read,map
	eq "$(json .depth phi cap query "$d")" 2
	fails 1 "EPERM" phi cap derive "$d" --rights read,write
}

test_derive_keeps_the_rights()
{
	local r d
	r=$(phi region create 4096)
	d=$(phi cap derive "$r")
	eq "$(json .rights phi cap query "$d")" "$(json .rights phi cap query "$r")"
}

test_derive_with_a_badge()
{
	local e d
	e=$(phi endpoint create)
	d=$(phi cap derive "$e" --badge 0x2a)
	eq "$(json .badge phi cap query "$d")" 0x000000000000002a
}

test_expiry()
{
	local r d
	r=$(phi region create 4096)
	d=$(phi cap derive "$r" --expires 1h)
	has "$(phi cap query "$d")" '^expires +in (59|60|1)'
	d=$(phi cap derive "$r" --expires 1ms)
	sleep 0.01
	fails 1 "EKEYEXPIRED" phi region info "$d"
	has "$(phi cap list)" "$d .*expired"
}

test_revoke()
{
	local r d
	r=$(phi region create 4096)
	d=$(phi cap derive "$r")
	phi cap revoke "$r"
	fails 1 "EKEYREVOKED" phi region info "$d"
	phi region info "$r" >/dev/null
	eq "$(json .revoked phi cap query "$r")" 1
	eq "$(json .revoked phi cap revoke "$r")" "$r"
}

test_revoke_only()
{
	local r a b
	r=$(phi region create 4096)
	a=$(phi cap derive "$r" --rights read)
	b=$(phi cap derive "$r" --rights read)
	fails 1 "not derived from" phi cap revoke "$r" --only "$(phi notify create)"
	fails 2 "does not wait" phi cap revoke "$r" --only "$a" --wait
	eq "$(json .revoked phi cap revoke "$r" --only "$a")" "$a"
	fails 1 "EKEYREVOKED" phi region info "$a"
	phi region info "$b" >/dev/null
	phi cap revoke "$r" --only "$r"
	fails 1 "EKEYREVOKED" phi region info "$b"
	fails 1 "EKEYREVOKED" phi region info "$r"
}

test_drop()
{
	local a b
	a=$(phi region create 4096)
	b=$(phi region create 4096)
	phi cap drop "$a" "$b"
	fails 1 "EBADF" phi cap query "$a"
	fails 1 "EBADF" phi cap query "$b"
	eq "$(json .dropped phi cap drop "$(phi notify create)")" 1
}

test_list()
{
	local r dead
	r=$(phi region create 4096)
	dead=$(phi cap derive "$r")
	phi cap revoke "$r"
	has "$(phi cap list)" "^CAP +TYPE +RIGHTS"
	has "$(phi cap list)" "^$r  memory +read,write"
	eq "$(json ".caps[] | select(.cap == \"$r\") | .state" phi cap list)" live
	eq "$(json ".caps[] | select(.cap == \"$dead\") | .state" phi cap list)" \
		revoked
}

test_list_shows_the_way()
{
	local r d l
	r=$(phi region create 4096)
	d=$(phi cap derive "$r")
	l=$(phi cap derive "$d")
	eq "$(json ".caps[] | select(.cap == \"$r\") | .from | length" \
		phi cap list)" 0
	eq "$(json ".caps[] | select(.cap == \"$l\") | .from | join(\" \")" \
		phi cap list)" "$d $r"
	has "$(phi cap list)" "^$l .*$d,$r"
	phi cap drop "$d"
	has "$(phi cap list)" "^$l .*elsewhere,$r"
	eq "$(json ".caps[] | select(.cap == \"$l\") | .from[0]" phi cap list)" \
		null
}

test_same()
{
	local r d other
	r=$(phi region create 4096)
	d=$(phi cap derive "$r")
	other=$(phi region create 4096)
	eq "$(phi cap same "$r" "$d")" yes
	eq "$(phi cap same "$r" "$other")" no
	phi cap same "$r" "$other" >/dev/null && die "exits with 0"
	eq "$(json .same phi cap same "$r" "$d")" true
}

test_seal_to_another_cspace()
{
	local r
	r=$(phi region create 4096)
	phi region write "$r" --text sealed
	phi cap seal "$r" --rights read,map >"$tmp/token"
	eq "$(stat -c %s "$tmp/token")" 64
	# shellcheck disable=SC2016
	eq "$(phi session sh -c \
		'phi region read $(phi cap unseal "$0") --length 6' "$tmp/token")" \
		sealed
	phi cap revoke "$r"
	fails 1 "EKEYREVOKED" phi session phi cap unseal "$tmp/token"
}

test_seal_for_aios()
{
	local r d
	r=$(phi region create 4096)
	phi cap seal "$r" --aios >"$tmp/token"
	eq "$(stat -c %s "$tmp/token")" 96
	d=$(phi cap unseal "$tmp/token")
	eq "$(phi cap same "$r" "$d")" yes
	phi cap seal "$r" --aios --hex >"$tmp/hex"
	has "$(cat "$tmp/hex")" '^[0-9a-f]{192}$'
	d=$(phi cap unseal <"$tmp/hex")
	eq "$(phi cap same "$r" "$d")" yes
	head -c 64 "$tmp/token" >"$tmp/half"
	fails 1 "EKEYREJECTED" phi cap unseal "$tmp/half"
}

test_seal_as_digits()
{
	local r d
	r=$(phi region create 4096)
	phi cap seal "$r" --hex >"$tmp/hex"
	has "$(cat "$tmp/hex")" '^[0-9a-f]{128}$'
	d=$(phi cap unseal <"$tmp/hex")
	eq "$(phi cap same "$r" "$d")" yes
	has "$(json .token phi cap seal "$r")" '^[0-9a-f]{128}$'
}

test_seal_for_a_user()
{
	local r
	r=$(phi region create 4096)
	phi cap seal "$r" --audience nobody >"$tmp/token"
	fails 1 "EKEYREJECTED" phi cap unseal "$tmp/token"
	fails 2 "no user 'no-such-user'" \
		phi cap seal "$r" --audience no-such-user
}

test_forged_token()
{
	local r
	r=$(phi region create 4096)
	phi cap seal "$r" >"$tmp/token"
	printf '\377' | dd of="$tmp/token" bs=1 seek=13 conv=notrunc status=none
	fails 1 "EKEYREJECTED.*forged|forged.*EKEYREJECTED" \
		phi cap unseal "$tmp/token"
	echo short >"$tmp/token"
	fails 1 "a token is 64 or 96 bytes" phi cap unseal "$tmp/token"
	fails 1 "No such file" phi cap unseal "$tmp/no-token"
}

test_rekey()
{
	local r one two
	r=$(phi region create 4096)
	phi cap seal "$r" >"$tmp/token"
	one=$(json .key phi cap rekey)
	phi cap unseal "$tmp/token" >/dev/null
	two=$(json .key phi cap rekey)
	[[ $one != "$two" ]] || die "the key stays $one"
	fails 1 "EKEYREJECTED" phi cap unseal "$tmp/token"
}

test_rekey_is_for_root()
{
	chmod 755 "$tmp"
	env -u PHI_FD setpriv --reuid 65534 --clear-groups \
		--bounding-set -all phi cap rekey >"$tmp/out" 2>&1 &&
		die "anybody may"
	has "$(cat "$tmp/out")" "CAP_SYS_ADMIN|may not use it"
}

test_mint()
{
	local e f in
	e=$(phi endpoint create)
	f=$(phi cap mint "$e" --type file --rights read,send --badge 7)
	eq "$(json .type phi cap query "$f")" file
	phi endpoint send "$f" hello
	in=$(phi endpoint recv "$e" --json)
	eq "$(jq -r .badge <<<"$in")" 0x0000000000000007
	eq "$(jq -r .through <<<"$in")" file
	f=$(phi cap mint "$e" --type file --expires 1ms)
	sleep 0.01
	fails 1 "EKEYEXPIRED" phi endpoint send "$f" hello
	f=$(phi endpoint mint "$e" --type network --port tcp/80)
	eq "$(json .badge phi cap query "$f")" 0x0000000000060050
}

test_invoke()
{
	local r n e
	r=$(phi region create 4096)
	n=$(phi notify create)
	e=$(phi endpoint create)
	phi cap invoke "$r" write hello --offset 16
	eq "$(phi cap invoke "$r" read --offset 17 --length 3 --raw)" ell
	eq "$(json .length phi cap invoke "$r" read --length 5)" 5
	eq "$(json .bytes phi cap invoke "$r" query)" 4096
	phi cap invoke "$n" signal --bits 0x6
	eq "$(phi cap invoke "$n" poll --bits 0x3)" 0x0000000000000002
	fails 1 "EAGAIN" phi cap invoke "$n" poll --bits 0x3
	phi cap invoke "$e" send hello
	eq "$(phi endpoint recv "$e" --raw)" hello
	fails 1 "EINVAL" phi cap invoke "$r" signal --bits 1
	fails 2 "is no operation" phi cap invoke "$r" fly
	fails 2 "takes no such data" phi cap invoke "$n" poll data --bits 1
}

test_watch()
{
	local r d n e s
	r=$(phi region create 4096)
	n=$(phi notify create)
	d=$(phi cap derive "$r" --rights read)
	phi cap watch "$d" "$n" --revoked 0x10 --expired 0x20
	fails 1 "EAGAIN" phi notify wait "$n" --nonblock
	phi cap revoke "$r"
	eq "$(phi notify wait "$n" --timeout 5s)" 0x0000000000000010
	d=$(phi cap derive "$r" --rights read --expires 5s)
	eq "$(json .expired phi cap watch "$d" "$n" --expired 0x20)" \
		0x0000000000000020
	eq "$(phi notify wait "$n" --timeout 50s)" 0x0000000000000020
	e=$(phi endpoint create)
	s=$(phi cap derive "$e" --rights send)
	phi cap watch "$s" "$n" --gone 0x40
	phi cap drop "$e"
	eq "$(phi notify wait "$n" --timeout 5s)" 0x0000000000000040
	fails 2 "--revoked, --expired or --gone" phi cap watch "$r" "$n"
	fails 1 "EINVAL" phi cap watch "$r" "$n" --gone 1
}

test_grant()
{
	local a e r in group=/sys/fs/cgroup/phi-cli-grant
	r=$(phi region create 4096)
	e=$(phi endpoint create)
	fails 1 "no inbox" phi cap grant "$r" --pid $$
	fails 1 "the session's own process" phi cspace inbox "$e"
	mkdir "$group"
	a=$(json .cap phi agent register grantee --cgroup "$group")
	fails 1 "no inbox" phi cap grant "$r" --agent "$a"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		phi cspace inbox "$e" --agent
	)
	eq "$(json .granted phi cap grant "$r" hello --agent "$a" \
		--rights read)" "$r"
	in=$(phi endpoint recv "$e" --json)
	has "$in" hello
	has "$in" memory
	fails 2 "either --pid or --agent" phi cap grant "$r"
	phi cspace inbox --agent
	fails 1 "no inbox" phi cap grant "$r" --agent "$a"
	phi cap drop "$a"
	rmdir "$group"
	fails 1 "no agent" phi cspace inbox "$e" --agent
}

test_cspace_share()
{
	fails 1 "another process's" phi cspace share off
	eq "$(phi session phi cspace share off)" "shared  no"
	eq "$(json .shared phi session phi cspace share on)" true
	# shellcheck disable=SC2016
	phi session sh -c 'exec phi session sh -c "phi cap list"' >/dev/null
}

run_tests
