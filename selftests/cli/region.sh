#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi region, each verb for real.
. ./lib.bash
in_session "$@"

test_create()
{
	local r
	r=$(phi region create 64K)
	eq "$(json .bytes phi region info "$r")" 65536
	eq "$(json .class phi region info "$r")" revocable
	r=$(phi region create 4096 --dma)
	eq "$(json .class phi region info "$r")" dma
	has "$(json .cap phi region create 4096)" '^0x'
}

test_slice()
{
	local r s
	r=$(phi region create 64K)
	phi region write "$r" --text beyond
	phi region write "$r" --text inside --offset 8K
	s=$(phi region slice "$r" 8K 4K --rights read,map)
	eq "$(json .bytes phi region info "$s")" 4096
	eq "$(phi region read "$s" --length 6)" inside
	fails 1 EPERM phi region write "$s" --text no
	fails 1 EINVAL phi region slice "$r" 60K 8K
	fails 1 EINVAL phi region slice "$r" 1 4K
	fails 1 EPERM phi region slice "$s" 0 4K --rights write
	phi cap revoke "$r"
	fails 1 EKEYREVOKED phi region read "$s"
}

test_snapshot()
{
	local r s
	r=$(phi region create 64K)
	phi region write "$r" --text before
	s=$(phi region snapshot "$r")
	phi region write "$r" --text "after!"
	eq "$(phi region read "$s" --length 6)" before
	eq "$(phi region read "$r" --length 6)" "after!"
	phi cap drop "$r"
	eq "$(phi region read "$s" --length 6)" before
	r=$(phi region create 4K --dma)
	fails 1 EOPNOTSUPP phi region snapshot "$r"
}

# A memfd of another process, which is sealed, and one that is not.
test_adopt()
{
	local pid r
	coproc memfds {
		exec python3 -c '
import fcntl, os, sys
for seals in (0, fcntl.F_SEAL_SHRINK):
    fd = os.memfd_create("cli", os.MFD_ALLOW_SEALING)
    os.write(fd, b"adopted".ljust(8192, b"."))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    print(fd, flush=True)
sys.stdin.read()'
	}
	local loose sealed
	read -r loose <&"${memfds[0]}"
	read -r sealed <&"${memfds[0]}"
	# shellcheck disable=SC2154 # coproc sets it
	pid=/proc/$memfds_PID/fd
	fails 1 EINVAL phi region adopt "$pid/$loose" 4K
	fails 1 EINVAL phi region adopt "$pid/$sealed" 12K
	r=$(phi region adopt "$pid/$sealed" 8K)
	eq "$(phi region read "$r" --length 7)" adopted
	eq "$(json .adopted phi region info "$r")" true
	phi region write "$r" --text ADOPTED
	eq "$(head -c 7 "$pid/$sealed")" ADOPTED
	fails 1 EOPNOTSUPP phi region snapshot "$r"
	r=$(phi region adopt "$pid/$sealed" 4K --offset 4K)
	eq "$(phi region read "$r" --length 3)" ...
	kill "$memfds_PID"
}

test_wait()
{
	local r
	r=$(phi region create 4K)
	phi region wait "$r" 8 1
	fails 1 EAGAIN phi region wait "$r" 8 0 --nonblock
	fails 1 ETIMEDOUT phi region wait "$r" 8 0 --timeout 1ms
	eq "$(phi region wake "$r" 8)" 0
	eq "$(json .woken phi region wake "$r" 8 --count 1)" 0
	fails 1 EINVAL phi region wake "$r" 4K
}

test_quota()
{
	fails 1 "EDQUOT|ENOMEM" phi region create 1024G
}

quota()
{
	phi status --json | jq ".quotas[] | select(.of == \"$1\") | .$2"
}

# The hint names the parameter that is in the way, whichever it is.
test_quota_names_the_parameter()
{
	fails 1 "pages: .*total_pages.*phi_quota" phi region create 1024G
	limit quota_pages 10 \
		fails 1 "pages: .*quota_pages" phi region create 44K
	limit total_pages 10 \
		fails 1 "pages: .*total_pages" phi region create 44K
	limit quota_objects "$(quota objects used)" \
		fails 1 "objects: .*quota_objects" phi region create 4K
	limit quota_objects "$(quota objects used)" \
		fails 1 "objects: .*quota_objects" phi notify create
	limit quota_caps "$(quota capabilities used)" \
		fails 1 "capabilities: .*quota_caps" phi notify create
	limit total_caps "$(quota capabilities used)" \
		fails 1 "capabilities: .*total_caps" phi notify create
	eq "$(limit quota_caps 7 quota capabilities limit)" 7
}

# Where no cspace can be opened nobody can be asked what is used.
test_quota_of_opening()
{
	limit quota_objects "$(quota objects used)" \
		fails 1 "objects: .*quota_objects.*phi_quota" phi session true
	limit quota_objects 0 \
		fails 1 "objects: .*quota_objects.*phi_quota" \
		env -u PHI_FD phi system info
}

# Rights of a DMA region, and a revoke that finds nothing pinned.
test_pin()
{
	local r d
	r=$(phi region create 8192 --dma)
	has "$(phi region info "$r")" "pinned +0"
	d=$(phi cap derive "$r" --rights read,map,admin,pin)
	fails 1 EPERM phi cap derive \
		"$(phi cap derive "$r" --rights read,map)" --rights pin
	phi cap revoke "$r" --wait
	fails 1 EKEYREVOKED phi region info "$d"
	eq "$(json .pinned phi region info "$r")" 0
	fails 1 EPERM phi cap derive "$(phi region create 4096)" --rights pin
	has "$(phi region create --help)" "a revoke does not end a pin"
}

test_write_and_read()
{
	local r
	r=$(phi region create 4096)
	phi region write "$r" --text hello --offset 100
	eq "$(phi region read "$r" --offset 100 --length 5)" hello
	has "$(phi region read "$r" --offset 96 --length 16 --hex)" \
		'^00000060  00 00 00 00 68 65 6c 6c 6f .*\.\.\.\.hello'
	eq "$(json .data phi region read "$r" --offset 100 --length 5)" hello
	eq "$(json .bytes phi region write "$r" --text abc)" 3
}

test_write_a_file()
{
	local r
	r=$(phi region create 8192)
	head -c 8192 /dev/urandom >"$tmp/data"
	phi region write "$r" "$tmp/data"
	phi region read "$r" | cmp - "$tmp/data"
	head -c 4096 /dev/zero | phi region write "$r"
	phi region read "$r" --length 4096 | cmp -n 4096 - /dev/zero
	phi region read "$r" --offset 4096 | cmp - <(tail -c 4096 "$tmp/data")
}

test_limits()
{
	local r
	r=$(phi region create 4096)
	fails 2 "do not fit a region of 4096" phi region read "$r" --offset 4097
	fails 2 "do not fit" phi region read "$r" --offset 1 --length 4096
	fails 2 "do not fit" phi region write "$r" --text ab --offset 4095
	fails 2 "exclude each other" phi region write "$r" /dev/null --text a
	fails 1 "No such file" phi region write "$r" /no/such/file
}

test_rights()
{
	local r ro
	r=$(phi region create 4096)
	ro=$(phi cap derive "$r" --rights read,map)
	phi region read "$ro" --length 1 >/dev/null
	fails 1 "EPERM" phi region write "$ro" --text a
	fails 1 "EPERM" phi region read "$(phi cap derive "$r" --rights read)"
}

test_not_a_region()
{
	fails 1 "EINVAL" phi region info "$(phi notify create)"
}

test_map_keeps_its_pages()
{
	local r text
	r=$(phi region create 4096)
	text=$(phi region map "$r" --for 100ms 2>/dev/null)
	has "$text" "pages +still there"
	eq "$(json .bytes phi region map "$r" --for 1ms)" 4096
}

mapped()
{
	[[ $(phi region info "$1" --json | jq .mappings) == 1 ]]
}

test_map_loses_its_pages()
{
	local r d status=0
	r=$(phi region create 4096)
	d=$(phi cap derive "$r" --rights read,map)
	phi region map "$d" --for 20s >"$tmp/map" 2>&1 &
	until_true mapped "$r"
	phi cap revoke "$r"
	wait $! || status=$?
	eq "$status" 1
	has "$(cat "$tmp/map")" "pages +gone"
	eq "$(json .mappings phi region info "$r")" 0
}

run_tests
