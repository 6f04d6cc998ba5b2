#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi vdfs and phi collection against a vdfsd that also shows its store as a
# filesystem.
#
# shellcheck disable=SC2016 # the dollars of filters are theirs
. ../../cli/lib.bash

dir=$(mktemp -d /run/vdfs-cli-XXXXXX)
build=${PHI_BUILD:-$PWD/../../../build}
export PHI_VDFS=$dir/tokens/vdfs.token
vdfsd=

stop()
{
	[[ $vdfsd ]] && kill "$vdfsd" 2>/dev/null && wait "$vdfsd"
	umount -l "$dir/mnt" 2>/dev/null
	rm -rf "$dir" "$tmp"
}
trap stop EXIT

start()
{
	"$build/daemons/vdfsd" --user nobody --store "$dir/store" \
		--ready-fd 9 "$@" 9>"$dir/ready" \
		2>>"$dir/log" &
	vdfsd=$!
	read -r ready <"$dir/ready"
	[[ $ready == READY=1 ]]
}

chmod 755 "$dir"
mkdir "$dir/mnt"
mkfifo "$dir/ready"
modprobe fuse
start --publish "$dir/tokens" --mount "$dir/mnt" || cat "$dir/log"
head -c 3000000 /dev/urandom >"$tmp/blob"

test_05_what_a_daemon_refuses()
{
	local other=(setpriv --reuid 1234 --regid 1234 --clear-groups)
	local run=("$build/daemons/vdfsd" --store "$tmp/no")
	fails 2 "no --store" "$build/daemons/vdfsd"
	fails 2 "too many words" "${run[@]}" more
	fails 2 "cannot be .nobody-else" "${run[@]}" --audience nobody-else
	fails 2 "cannot be .1777" "${run[@]}" --mode 1777
	fails 2 "cannot be .rw" "${run[@]}" --mode rw
	fails 2 "serves nothing" "${run[@]}" --no-phi
	fails 2 "without --remote" "${run[@]}" --remote-http
	fails 1 "no user nobody-else" "${run[@]}" --user nobody-else
	fails 1 "not run as root; give --user" "${run[@]}"
	fails 1 "not run as root" "${run[@]}" --user root
	fails 1 "only root can become nobody" "${other[@]}" "${run[@]}" \
		--user nobody
	fails 1 "cannot make .*/no:" "${other[@]}" "${run[@]}"
	[[ ! -e $tmp/no ]]
	fails 1 "in use|another" "$build/daemons/vdfsd" --user nobody \
		--store "$dir/store"
}

test_10_store_and_fetch()
{
	local hash
	hash=$(phi vdfs put "$tmp/blob" dir/blob)
	eq "$hash" "sha256:$(sha256sum "$tmp/blob" | cut -d' ' -f1)"
	phi vdfs get dir/blob "$tmp/copy"
	cmp "$tmp/blob" "$tmp/copy"
	phi vdfs get "$hash" | cmp - "$tmp/blob"
	eq "$(echo text | phi vdfs put -)" "$(phi vdfs put <(echo text) text)"
	fails 1 "no such thing" phi vdfs get none "$tmp/copy"
	cmp "$tmp/blob" "$tmp/copy"
	fails 1 "not those" phi vdfs put /etc/passwd wrong --expect "$hash"
	fails 2 "64 digits" phi vdfs put /etc/passwd wrong --expect abc
	fails 1 "read the token" phi vdfs ls --token "$tmp/none"
}

test_20_names()
{
	phi vdfs mkdir d
	phi vdfs ln dir/blob d/again
	eq "$(json '.entries[].name' phi vdfs ls d)" again
	phi vdfs mv d/again d/other
	fails 1 "there already" phi vdfs mv d/other dir/blob --no-replace
	phi vdfs chmod 600 d/other
	has "$(phi vdfs stat d/other)" "rw-------"
	phi vdfs chmod 1777 d
	has "$(phi vdfs stat d)" "drwxrwxrwt"
	fails 2 "0 to 3777" phi vdfs chmod 4755 d/other
	phi vdfs attr d/other user.k v
	eq "$(phi vdfs attr d/other user.k)" v
	has "$(phi vdfs attr d/other)" user.k
	phi vdfs attr d/other user.k --remove
	fails 1 "there is none" phi vdfs attr d/other user.k
	fails 1 "not empty" phi vdfs rm d
	phi vdfs rm d --recursive
	fails 1 "no such thing" phi vdfs stat d
}

test_30_map()
{
	eq "$(json .bytes phi vdfs map dir/blob)" 3000000
	eq "$(json .mapped phi vdfs stats)" 1
}

test_40_care()
{
	eq "$(json .blobs phi vdfs fsck)" "$(json .blobs phi vdfs stats)"
	phi vdfs drop "$(phi vdfs put /etc/hosts)"
	has "$(phi vdfs gc)" "blobs +1"
	eq "$(json .limit phi vdfs quota 1234 --set 1M)" 1048576
	eq "$(json .used phi vdfs quota)" 3000005
	eq "$(json .used phi vdfs stats --user 0)" 3000005
	eq "$(json .staged phi vdfs stats --user 1234)" 0
}

test_45_mends()
{
	local hash file
	head -c 2000000 /dev/urandom >"$tmp/whole"
	hash=$(phi vdfs put "$tmp/whole" whole --whole)
	hash=${hash#sha256:}
	file=$dir/store/object/00/$hash.0
	dd if=/dev/zero of="$file" bs=1k seek=900 count=1 conv=notrunc \
		2>/dev/null
	fails 1 "not those that were stored" phi vdfs get whole "$tmp/copy"
	phi vdfs put "$tmp/whole" --whole
	phi vdfs get whole | cmp - "$tmp/whole"
	phi vdfs drop "sha256:$hash"
	phi vdfs rm whole
	eq "$(json '.faults | length' phi vdfs fsck)" 0
}

test_50_collections()
{
	local i writer
	phi collection create c --dim 2 --metric l2
	fails 1 "other parameters" phi collection create c --dim 3
	phi collection insert c a 1,0 --metadata '{"n":1}'
	phi collection insert c b "[0, 1]" --metadata '{"n":2}'
	fails 1 "taken" phi collection insert c a 1,1
	phi collection insert c a 2,0 --metadata '{"n":1}' --replace
	eq "$(json '.items[].key' phi vdfs search c 3,0 | xargs)" "a b"
	eq "$(json '.items[].key' phi collection search c --key b --k 1)" b
	eq "$(json '.items[].key' phi vdfs search c 3,0 \
		--filter '{"n":{"$gt":1}}')" b
	fails 1 "line 1, column" phi vdfs search c 3,0 --filter '{'
	fails 1 "there is no operator" \
		phi vdfs search c 3,0 --filter '{"n":{"$no":1}}'
	fails 1 "a field is a path" phi collection index-field c '$n'
	fails 1 "metadata is a JSON object" \
		phi collection insert c m 1,1 --metadata '[1]'
	fails 1 "name of a collection" phi collection stats 'c/d'
	fails 2 "--k 0" phi vdfs search c 3,0 --k 0
	# The hint of what vdfsd finds out of range is about names.
	[[ $(phi vdfs search c 3,0 --k 0 2>&1) != *slash* ]] ||
		die "the hint of --k 0 speaks of names"
	fails 1 "another length" phi vdfs search c 3,0,0
	phi collection update c a --metadata '{"n":7}'
	eq "$(json .metadata.n phi vdfs collection get c a)" 7
	phi collection index-field c n
	phi collection rebuild c
	phi collection save c
	phi collection delete c a
	eq "$(json .items phi collection stats c)" 1
	for ((i = 0; i < 100; i++)); do
		echo "{\"id\":\"k$i\",\"vector\":[$i,1],\"metadata\":{\"i\":$i}}"
	done >"$tmp/items.jsonl"
	eq "$(json .items phi vdfs import c "$tmp/items.jsonl")" 100
	phi vdfs export c "$tmp/out.jsonl"
	eq "$(wc -l <"$tmp/out.jsonl")" 101
	phi collection create d --dim 2
	phi vdfs import d - --format jsonl <"$tmp/out.jsonl"
	eq "$(json '.items[].key' phi collection search d 42,1 --k 1)" k42
	phi vdfs export d "$tmp/out.npy"
	phi collection create e --dim 2
	phi vdfs import e "$tmp/out.npy"
	eq "$(json .items phi collection stats e)" 101
	for i in 8 4 3 2 1; do
		phi collection create "codes$i" --dim 2 --codes "$i"
		phi vdfs import "codes$i" "$tmp/out.npy"
		eq "$(json .codes phi collection stats "codes$i")" "$i"
		eq "$(json '.items | length' phi vdfs search "codes$i" 42,1)" 10
		phi collection drop "codes$i"
	done
	fails 2 "5" phi collection create codes5 --dim 2 --codes 5
	echo '{"id":"x","vector":[1]}' >"$tmp/bad.jsonl"
	fails 1 "import" phi vdfs import c "$tmp/bad.jsonl"
	# What is wrong at the end of a file leaves nothing of its beginning.
	phi collection create f --dim 2
	{
		cat "$tmp/items.jsonl"
		echo '{"id":"k100","vector":[1,"one"]}'
	} >"$tmp/half.jsonl"
	fails 1 "line 101" phi vdfs import f "$tmp/half.jsonl"
	eq "$(json .items phi collection stats f)" 0
	# A pipe cannot be read twice: what came before is stored, and the mended
	# file passes over it.
	mkfifo "$tmp/pipe"
	cat "$tmp/half.jsonl" >"$tmp/pipe" &
	writer=$!
	fails 1 "line 101" phi vdfs import f "$tmp/pipe" --format jsonl
	wait "$writer"
	sed -i '$d' "$tmp/half.jsonl"
	echo '{"id":"k100","vector":[1,2]}' >>"$tmp/half.jsonl"
	eq "$(json .items phi vdfs import f "$tmp/half.jsonl")" 1
	eq "$(json .unchanged phi vdfs import f "$tmp/half.jsonl")" 101
	eq "$(json .items phi collection stats f)" 101
	# Another item of the key is no such thing.
	echo '{"id":"k7","vector":[7,2]}' >"$tmp/other.jsonl"
	fails 1 "line 1, key k7" phi vdfs import f "$tmp/other.jsonl"
	phi collection drop f
	phi collection drop d
	eq "$(json '.collections[].name' phi collection list | xargs)" "c e"
}

# rows FORMAT FILE: 5000 rows of two elements, more than are stored at once;
# the last of them has BAD as its second, if that is given.
rows()
{
	python3 - "$@" <<-'END'
		import json, math, struct, sys
		kind, path = sys.argv[1:3]
		bad = float(sys.argv[3]) if len(sys.argv) > 3 else None
		rows = [[i // 100 % 100, i % 100] for i in range(5000)]
		if bad is not None:
		    rows[-1][1] = bad if math.isnan(bad) else int(bad)
		with open(path, "wb") as out:
		    if kind == "idx":
		        out.write(struct.pack(">4B2I", 0, 0, 8, 2, 5000, 2))
		    if kind == "npy":
		        head = "{'descr': '<f4', 'fortran_order': False, 'shape': (5000, 2), }\n"
		        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)))
		        out.write(head.encode())
		    for i, row in enumerate(rows):
		        if kind == "jsonl":
		            item = {"id": f"k{i}", "vector": row, "metadata": {"i": i}}
		            out.write(json.dumps(item).encode() + b"\n\n")
		        elif kind == "npy":
		            out.write(struct.pack("<2f", *row))
		        elif kind == "idx":
		            out.write(struct.pack("2B", *row))
		        else:
		            code = {"fvecs": "<i2f", "bvecs": "<i2B", "ivecs": "<3i"}[kind]
		            out.write(struct.pack(code, 2, *row))
	END
}

count()
{
	[[ $(json .items phi collection stats "$1") == "$2" ]]
}

test_52_a_fault_at_the_end_of_a_file_leaves_nothing()
{
	local kind
	phi collection create g --dim 2 --type i8
	for kind in fvecs bvecs ivecs npy idx jsonl; do
		# Nothing is wrong with the file: the collection has no 200.
		rows "$kind" "$tmp/g.$kind" 200
		fails 1 "(row 5000|line 9999), key .*nothing was stored" \
			phi vdfs import g "$tmp/g.$kind"
		count g 0
	done
	rows fvecs "$tmp/g.fvecs" nan
	fails 1 "row 5000, element 2 is no finite" phi vdfs import g "$tmp/g.fvecs"
	rows jsonl "$tmp/g.jsonl"
	sed 's/"k4999"/"k3"/' "$tmp/g.jsonl" >"$tmp/twice.jsonl"
	fails 1 "line 9999: the key is that of line 7" \
		phi vdfs import g "$tmp/twice.jsonl"
	count g 0
	echo '{"id":"k4999","vector":[1,1]}' >"$tmp/one.jsonl"
	phi vdfs import g "$tmp/one.jsonl"
	fails 1 "line 9999, key k4999.*taken.*" phi vdfs import g "$tmp/g.jsonl"
	fails 1 "nothing was stored; --replace" phi vdfs import g "$tmp/g.jsonl"
	count g 1
	eq "$(json .items phi vdfs import g "$tmp/g.jsonl" --replace)" 5000
	count g 5000
	phi collection drop g
}

# interrupted KIND OPTION...: an import that is killed after its first rows
interrupted()
{
	local kind=$1 file=$tmp/h.$1 size writer
	shift
	phi collection create h --dim 2 "$@"
	rows "$kind" "$file"
	size=$(stat -c %s "$file")
	rm -f "$tmp/halt"
	mkfifo "$tmp/halt"
	{
		head -c $((size - 1)) "$file"
		exec sleep 600
	} >"$tmp/halt" &
	writer=$!
	phi vdfs import h "$tmp/halt" --format "$kind" &
	until_true count h 4096
	kill -9 $!
	kill "$writer"
	eq "$(phi vdfs import h "$file" --json | jq -c '[.items,.unchanged]')" \
		"[904,4096]"
	count h 5000
	phi collection drop h
}

test_53_an_import_that_is_killed_goes_on()
{
	# Formats differ in how a row is read only. The import that goes on asks
	# for each key that is stored, so this takes long in an emulated machine.
	interrupted fvecs --type f16
	# The first vector is 0, which has no direction.
	phi collection create z --dim 2 --metric cosine
	fails 1 "row 1, key 0000000000: nothing was stored.*no direction" \
		phi vdfs import z "$tmp/h.fvecs"
	phi collection drop z
}

test_55_other_users()
{
	local other=(setpriv --reuid 1234 --regid 1234 --clear-groups)
	"${other[@]}" phi vdfs get dir/blob | cmp - "$tmp/blob"
	fails 1 "another user" "${other[@]}" phi vdfs rm dir/blob
	fails 1 "administrator" "${other[@]}" phi vdfs gc
	fails 2 "Permission denied" "${other[@]}" ls "$dir/store"
	echo mine | "${other[@]}" phi vdfs put - mine
	eq "$(json '[.owner, .group] | @csv' phi vdfs stat mine)" 1234,1234
}

test_56_groups()
{
	local member=(setpriv --reuid 1234 --regid 1234 --groups 77)
	local other=(setpriv --reuid 1235 --regid 1235 --groups 78)
	echo team | setpriv --reuid 1236 --regid 77 --clear-groups \
		phi vdfs put - team/file
	setpriv --reuid 1236 --regid 77 --clear-groups phi vdfs chmod 640 \
		team/file
	setpriv --reuid 1236 --regid 77 --clear-groups phi vdfs chmod 2770 team
	has "$(phi vdfs ls)" "drwxrws---.* 1236.* 77 "
	eq "$("${member[@]}" phi vdfs get team/file)" team
	fails 1 "Permission denied|another user|mode" \
		"${other[@]}" phi vdfs get team/file
	echo new | "${member[@]}" phi vdfs put - team/new
	eq "$(json '[.owner, .group] | @csv' phi vdfs stat team/new)" 1234,77
	fails 1 "another user" "${member[@]}" phi vdfs chown 1234 team/file
	fails 1 "another user" "${other[@]}" phi vdfs chown :78 team/new
	phi vdfs chown 1234:78 team/file
	eq "$(json '[.owner, .group] | @csv' phi vdfs stat team/file)" 1234,78
	"${member[@]}" phi vdfs chown :77 team/file
	eq "$(json '[.owner, .group] | @csv' phi vdfs stat team/file)" 1234,77
	phi vdfs chown root team/file
	eq "$(json '[.owner, .group] | @csv' phi vdfs stat team/file)" 0,77
	fails 2 "nobody-at-all" phi vdfs chown nobody-at-all team/file
	phi vdfs rm --recursive team
}

test_60_seen_as_a_filesystem()
{
	cmp "$tmp/blob" "$dir/mnt/names/dir/blob"
	cp /etc/passwd "$dir/mnt/names/passwd"
	phi vdfs get passwd | cmp - /etc/passwd
}

test_70_completion()
{
	has "$(phi help --words vdfs | xargs)" "put get map .*collection"
	has "$(phi help --words vdfs collection | xargs)" "create drop"
	has "$(phi help --words collection search | xargs)" "--filter="
	has "$(phi vdfs collection --help)" "collection create NAME"
}

# Last, for the daemon goes; one that needs no module comes after it.
test_90_unmounts_when_killed_and_serves_the_view_alone()
{
	kill -9 "$vdfsd"
	until_true eval "! mountpoint -q '$dir/mnt'"
	fails 1 "revoked" phi vdfs ls
	start --mount "$dir/mnt" --no-phi
	cmp "$tmp/blob" "$dir/mnt/names/dir/blob"
	kill "$vdfsd"
	until_true eval "! mountpoint -q '$dir/mnt'"
}

run_tests
