#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A store is refused on NFS, and so is one that a host has put there: nothing is
# written. The server is the kernel's, on this machine; its caches are told what
# mountd would tell them, for that is not installed.
. ../../cli/lib.bash

dir=$(mktemp -d /run/vdfs-nfs-XXXXXX)
build=${PHI_BUILD:-$PWD/../../../build}
nfsd=/proc/fs/nfsd
rpc=/proc/net/rpc

stop()
{
	umount -l "$dir/mnt" 2>/dev/null
	[[ -e $nfsd/threads ]] && echo 0 >"$nfsd/threads"
	umount "$dir/disk" 2>/dev/null
	rm -rf "$dir" "$tmp"
}
trap stop EXIT

# Whom the server answers, and what: the directory is the root of its tree.
allow()
{
	local far=4000000000 flags=$((0x2000 | 0x400 | 2))

	echo "nfsd 127.0.0.1 $far here" >"$rpc/auth.unix.ip/channel"
	printf 'here 1 \\x00000000 %s %s\n' "$far" "$dir/disk" \
		>"$rpc/nfsd.fh/channel"
	echo "here $dir/disk $far $flags 65534 65534 0" \
		>"$rpc/nfsd.export/channel"
}

serve()
{
	modprobe nfsd
	modprobe nfsv4
	mountpoint -q "$nfsd" || mount -t nfsd nfsd "$nfsd"
	echo 10 >"$nfsd/nfsv4leasetime"
	echo 10 >"$nfsd/nfsv4gracetime"
	# The versions before would have to be registered with rpcbind.
	echo "-3 +4 +4.1 +4.2" >"$nfsd/versions"
	allow
	echo "tcp 2049" >"$nfsd/portlist"
	echo 2 >"$nfsd/threads"
	echo Y >"$nfsd/v4_end_grace"
}

mkdir "$dir/disk" "$dir/mnt" "$dir/view"
chmod 755 "$dir"
ip link set lo up
mount -t tmpfs -o size=64m,mode=777 disk "$dir/disk"
serve
mount -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,sec=sys \
	127.0.0.1:/ "$dir/mnt"

run=("$build/daemons/vdfsd" --user nobody --no-phi --mount "$dir/view")

test_01_the_mount_works()
{
	eq "$(stat -f -c %T "$dir/mnt")" nfs
	echo text >"$dir/mnt/file"
	eq "$(cat "$dir/disk/file")" text
	rm "$dir/mnt/file"
}

refused="other hosts can have this file system .NFS. mounted"

test_02_a_new_store_is_refused()
{
	fails 1 "$refused" "${run[@]}" --store "$dir/mnt/store"
	[[ ! -e $dir/disk/store/meta.db ]]
}

sums()
{
	(cd "$dir/disk/there" && find . -type f -exec sha256sum {} + | sort)
}

test_03_a_store_that_is_there_is_refused()
{
	local before vdfsd

	modprobe fuse
	"${run[@]}" --store "$dir/disk/there" 2>"$tmp/log" &
	vdfsd=$!
	until_true grep -q ready "$tmp/log"
	echo text >"$dir/view/names/file"
	kill "$vdfsd"
	wait "$vdfsd"
	before=$(sums)
	has "$before" "meta.db"
	fails 1 "$refused" "${run[@]}" --store "$dir/mnt/there"
	fails 1 "$refused" "$build/daemons/vdfsd" --store "$dir/mnt/there" \
		--user nobody --check
	eq "$(sums)" "$before"
}

run_tests
