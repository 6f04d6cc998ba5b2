#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The filesystem view, as programs see it: fuse_prog mounts a store of its own
# for this test, which needs /dev/fuse and to be root, and no module.
# shellcheck source=selftests/cli/lib.bash
. ../../cli/lib.bash

[[ -c /dev/fuse ]] || modprobe fuse
prog=${PHI_BUILD:-$PWD/../../../build}/selftests/vdfsd/view/fuse_prog
mnt=$tmp/mnt
names=$mnt/names
mkdir "$mnt"
chmod 755 "$tmp"

# Emulated processors take their time.
patience=300

user=1000
run_as=()

# up [ro]: mount; behind LINE...: change the store behind the view's back.
up()
{
	local line

	# Each test begins with an empty store.
	[[ ${store:-} ]] || store=$(mktemp -d "$tmp/store.XXXX")
	coproc PROG { exec "${run_as[@]}" "$prog" "$store" "$mnt" "$@" 2>&1; }
	# shellcheck disable=SC2153
	prog_pid=$PROG_PID
	exec {to}>&"${PROG[1]}" {from}<&"${PROG[0]}"
	read -r -t "$patience" line <&"$from" || die "fuse_prog does not begin"
	trap 'kill -9 "$prog_pid" && wait "$prog_pid"; umount -l "$mnt"' EXIT
	eq "$line" ready
}

behind()
{
	local line

	echo "$*" >&"$to"
	read -r -t "$patience" line <&"$from" || die "fuse_prog does not answer"
	eq "$line" ok
}

down()
{
	eval "exec ${PROG[1]}>&-" 2>/dev/null
	exec {to}>&- {from}<&-
	wait "$prog_pid" || die "fuse_prog exits with $?"
	trap - EXIT
}

# as_user CMD...: as somebody who is not root.
as_user()
{
	setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

hash_of()
{
	getfattr --only-values --absolute-names -n user.vdfs.hash "$1"
}

test_look_around()
{
	up
	eq "$(ls "$mnt")" "README
by-hash
collections
names"
	has "$(<"$mnt/README")" "by-hash/SHA256"
	fails 1 "denied|not permitted" touch "$mnt/x"
	fails 1 "No such file" cat "$mnt/nothing"
	fails 1 "not permitted" rm -f "$mnt/README"
	down
	[[ ! -e $mnt/README ]] || die "still mounted"
}

test_coreutils()
{
	local d=$tmp/plain

	up
	mkdir -p "$d/sub/empty"
	head -c 3000000 /dev/urandom >"$d/big"
	seq 1000 >"$d/sub/numbers"
	: >"$d/zero"
	cp -r "$d" "$names/tree"
	diff -r "$d" "$names/tree"
	cmp "$d/big" "$names/tree/big"
	eq "$(find "$names/tree" -type f | wc -l)" 3
	eq "$(du -b --apparent-size "$names/tree/big" | cut -f 1)" 3000000
	sort -rn -o "$names/tree/sub/numbers" "$names/tree/sub/numbers"
	eq "$(head -n 1 "$names/tree/sub/numbers")" 1000
	dd if="$d/big" of="$names/tree/dd" bs=70000 conv=fsync status=none
	cmp "$d/big" "$names/tree/dd"
	dd if=/dev/zero of="$names/tree/dd" bs=1 seek=10 count=5 conv=notrunc \
		status=none
	cp "$d/big" "$tmp/dd"
	dd if=/dev/zero of="$tmp/dd" bs=1 seek=10 count=5 conv=notrunc \
		status=none
	cmp "$tmp/dd" "$names/tree/dd"
	echo tee | tee -a "$names/tree/sub/numbers" >/dev/null
	eq "$(tail -n 1 "$names/tree/sub/numbers")" tee
	truncate -s 2 "$names/tree/sub/numbers"
	eq "$(od -An -c "$names/tree/sub/numbers" | tr -d ' ')" '10'
	truncate -s 5 "$names/tree/sub/numbers"
	eq "$(stat -c %s "$names/tree/sub/numbers")" 5
	touch -d 2001-02-03T04:05:06Z "$names/tree/zero"
	eq "$(stat -c %Y "$names/tree/zero")" 981173106
	chmod 600 "$names/tree/zero"
	eq "$(stat -c %a "$names/tree/zero")" 600
	mv "$names/tree/sub" "$names/tree/moved"
	eq "$(stat -c %s "$names/tree/moved/numbers")" 5
	mv -f "$names/tree/dd" "$names/tree/big"
	cmp "$tmp/dd" "$names/tree/big"
	fails 1 "not empty" rmdir "$names/tree"
	rm -r "$names/tree"
	eq "$(ls "$names")" ""
	down
}

test_tar()
{
	local t=$tmp/tar

	up
	mkdir -p "$t/a/b"
	seq 500 >"$t/a/one"
	head -c 100000 /dev/urandom >"$t/a/b/two"
	touch -d 2011-11-11T11:11:11Z "$t/a/one" "$t/a/b/two"
	chmod 640 "$t/a/one"
	tar cf "$tmp/t.tar" -C "$t" a
	tar xf "$tmp/t.tar" -C "$names"
	diff -r "$t/a" "$names/a"
	eq "$(stat -c '%Y %a' "$names/a/one")" "1321009871 640"
	tar cf "$names/t.tar" -C "$names" a
	tar df "$names/t.tar" -C "$t"
	rm -r "$names/a" "$names/t.tar"
	down
}

transferred()
{
	LC_ALL=C rsync -rt --stats "$@" |
		sed -n 's/^Number of regular files transferred: //p'
}

test_rsync()
{
	local r=$tmp/rsync

	up
	mkdir -p "$r/x/y"
	seq 100 >"$r/x/a"
	seq 20000 >"$r/x/y/b"
	: >"$r/x/c"
	eq "$(transferred "$r/" "$names/r")" 3
	diff -r "$r" "$names/r"
	eq "$(transferred "$r/" "$names/r")" 0
	seq 20001 >"$r/x/y/b"
	eq "$(transferred "$r/" "$names/r")" 1
	eq "$(transferred "$names/r/" "$tmp/back")" 3
	eq "$(transferred "$names/r/" "$tmp/back")" 0
	diff -r "$r" "$tmp/back"
	eq "$(transferred --inplace --ignore-times "$r/" "$names/r")" 3
	diff -r "$r" "$names/r"
	rm -r "$names/r"
	down
}

test_fio()
{
	up
	mkdir "$names/fio"
	fio --directory="$names/fio" --aux-path="$tmp" --size=256k \
		--bs=4k --ioengine=psync \
		--verify=crc32c --verify_fatal=1 --minimal \
		--name=seq --rw=write \
		--name=rand --rw=randwrite --fsync=200 --end_fsync=1 \
		--name=mixed --rw=randrw --bs=1k-64k --numjobs=2 >/dev/null
	fio --directory="$names/fio" --aux-path="$tmp" --size=256k \
		--bs=4k --ioengine=mmap \
		--verify=crc32c --verify_fatal=1 --minimal \
		--name=map --rw=randwrite >/dev/null
	rm -r "$names/fio"
	down
}

test_sqlite()
{
	local db=$names/db mode i pids=()

	up
	sqlite3 "$db" 'create table t (x integer primary key, y text)'
	for mode in delete truncate persist; do
		for i in 1 2; do
			sqlite3 -cmd '.timeout 60000' "$db" "
				pragma journal_mode = $mode;
				with recursive n (i) as (
					select 1 union all select i + 1 from n
					where i < 25)
				insert into t (y)
				select 'writer $i ' || i from n" >/dev/null &
			pids+=($!)
		done
		wait "${pids[@]}"
		pids=()
	done
	eq "$(sqlite3 "$db" 'select count(*) from t')" 150
	eq "$(sqlite3 "$db" 'pragma integrity_check')" ok
	eq "$(sqlite3 "$db" 'begin; delete from t; rollback;
		select count(*) from t')" 150
	rm "$db"*
	down
}

test_git()
{
	up
	git init -q "$names/repo"
	seq 100 >"$names/repo/file"
	git -C "$names/repo" add file
	git -C "$names/repo" -c user.name=a -c user.email=a@b commit -qm one
	git clone -q "$names/repo" "$names/clone"
	git -C "$names/clone" fsck --strict 2>&1
	eq "$(git -C "$names/clone" status --short)" ""
	eq "$(<"$names/clone/file")" "$(seq 100)"
	git -C "$names/clone" gc -q
	git -C "$names/clone" fsck --strict 2>&1
	rm -rf "$names/repo" "$names/clone"
	down
}

test_attributes()
{
	up
	echo text >"$names/f"
	setfattr -n user.lang -v de "$names/f"
	eq "$(getfattr --only-values --absolute-names -n user.lang "$names/f")" de
	has "$(getfattr --absolute-names -d "$names/f")" 'user.lang="de"'
	eq "$(hash_of "$names/f")" "$(sha256sum <"$names/f" | cut -d ' ' -f 1)"
	fails 1 "not permitted" setfattr -n user.vdfs.hash -v 0 "$names/f"
	fails 1 "not supported" setfattr -n trusted.x -v 0 "$names/f"
	setfattr -x user.lang "$names/f"
	fails 1 "No such attribute" getfattr -n user.lang "$names/f"
	rm "$names/f"
	down
}

test_old_or_new()
{
	local i pid

	up
	head -c 300000 /dev/zero | tr '\0' a >"$tmp/a"
	head -c 1300000 /dev/zero | tr '\0' b >"$tmp/b"
	cp "$tmp/a" "$names/f"
	(
		for ((i = 0; i < 4; i++)); do
			cp "$tmp/b" "$names/f"
			cp "$tmp/a" "$names/f"
		done
	) &
	pid=$!
	for ((i = 0; i < 4; i++)); do
		has "$(md5sum <"$names/f")" "^($(md5sum <"$tmp/a")|$(
			md5sum <"$tmp/b"))"
	done
	wait "$pid"
	rm "$names/f"
	down
}

test_open_files_stay()
{
	up
	echo old >"$names/f"
	exec {fd}<"$names/f"
	echo new >"$names/f"
	behind put f newer
	eq "$(<"$names/f")" newer
	rm "$names/f"
	behind gc
	eq "$(cat <&"$fd")" old
	exec {fd}<&-
	exec {fd}<>"$names/g"
	echo text >&"$fd"
	rm "$names/g"
	eq "$(cat "/proc/self/fd/$fd")" text
	exec {fd}>&-
	[[ ! -e $names/g ]] || die "a file came back"
	mkdir "$names/d"
	(
		cd "$names/d"
		rmdir "$names/d"
		eq "$(ls .)" ""
		fails 1 "No such file" touch f
	)
	exec {fd}>"$names/h"
	echo new >"$names/i"
	mv "$names/i" "$names/h"
	echo old >&"$fd"
	exec {fd}>&-
	eq "$(<"$names/h")" new
	down
}

# In one process, for children close what they inherit.
test_when_it_is_seen()
{
	up
	python3 - "$names/f" <<-'EOF'
	import os, sys
	name = sys.argv[1]
	read = lambda: open(name, "rb").read()

	# A new file as it grows.
	f = open(name, "wb", 0)
	f.write(b"one ")
	assert read() == b"one ", read()
	assert os.stat(name).st_size == 4
	f.close()

	# One that was there when it is closed, synced, truncated.
	f = open(name, "ab", 0)
	f.write(b"two ")
	assert read() == b"one ", read()
	assert os.stat(name).st_size == 4
	assert os.fstat(f.fileno()).st_size == 8
	os.fsync(f.fileno())
	assert read() == b"one two ", read()
	f.close()
	os.truncate(name, 3)
	assert read() == b"one", read()
	open(name, "wb").close()
	assert read() == b"", read()

	# Also when it is open elsewhere.
	old = open(name, "rb", 0)
	for i in range(3):
	    with open(name, "wb", 0) as f:
	        f.write(b"old")
	    last = open(name, "rb", 0)
	os.truncate(name, 1)
	assert read() == b"o", read()
	assert last.read() == b"old"
	assert old.read() == b""
	EOF
	rm "$names/f"
	down
}

# What a shell redirects, or dd writes, replaces the whole at once.
test_redirected()
{
	local i target

	up
	target=$names/f
	seq 10 >"$target"
	for i in 1 2 3 4 5; do
		{
			eq "$(grep -c . "$names/f")" 10
			seq 10
		} >"$target"
		: >"$names/g"
		[[ -e $names/g && ! -s $names/g ]] || die "g is not empty"
		echo text >"$names/g"
		: >"$names/g"
		mv "$names/g" "$names/h"
		eq "$(cat "$names/h")" ""
		rm "$names/h"
	done
	rm "$names/f"
	down
}

test_two_writers()
{
	local a b

	up
	: >"$names/f"
	exec {a}>>"$names/f" {b}>>"$names/f"
	for i in 1 2 3; do
		echo "a$i" >&"$a"
		echo "b$i" >&"$b"
	done
	exec {a}>&-
	eq "$(sort "$names/f" | tr '\n' ' ')" "a1 a2 a3 b1 b2 b3 "
	echo b4 >&"$b"
	exec {b}>&-
	eq "$(wc -l <"$names/f")" 7
	rm "$names/f"
	down
}

test_behind_the_back()
{
	local i

	up
	for i in 1 2 3 4 5 6 7 8; do
		behind put "d/f" "content $i"
		eq "$(<"$names/d/f")" "content $i"
		eq "$(stat -c %s "$names/d/f")" 9
	done
	behind mv d e
	[[ ! -e $names/d ]] || die "d is still there"
	eq "$(<"$names/e/f")" "content 8"
	behind rm e/f
	[[ ! -e $names/e/f ]] || die "e/f is still there"
	python3 - "$names" >&"$to" <<-'EOF'
	import os, sys, time
	f = open(sys.argv[1] + "/e/g", "wb", 0)
	f.write(b"text")
	print("mv e elsewhere", flush=True)
	while not os.path.exists(sys.argv[1] + "/elsewhere/g"):
	    time.sleep(0.01)
	f.close()
	EOF
	read -r -t "$patience" i <&"$from"
	eq "$i" ok
	[[ ! -e $names/e ]] || die "e came back"
	eq "$(<"$names/elsewhere/g")" text
	rm -r "$names/elsewhere"
	down
}

# What a descriptor stands for, whatever has its path by now.
test_attributes_of_descriptors()
{
	local flags

	up
	for flags in O_RDONLY O_RDWR; do
		behind put f one
		python3 - "$names/f" "$flags" >&"$to" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1], getattr(os, sys.argv[2]))
		print("mv f g\nput f two", flush=True)
		f, g = sys.argv[1], os.path.dirname(sys.argv[1]) + "/g"
		while not (os.path.exists(g) and os.path.exists(f)):
		    pass
		os.fchmod(fd, 0o600)
		os.setxattr(fd, "user.x", b"1")
		os.utime(fd, (1, 1))
		assert os.getxattr(fd, "user.x") == b"1"
		EOF
		read -r -t "$patience" _ <&"$from"
		read -r -t "$patience" _ <&"$from"
		eq "$(stat -c '%a %Y' "$names/g")" "600 1"
		eq "$(getfattr --only-values --absolute-names -n user.x \
			"$names/g")" 1
		eq "$(stat -c %a "$names/f")" 644
		rm "$names/f" "$names/g"
	done
	mkdir "$names/d"
	cd "$names/d"
	behind mv d e
	mkdir "$names/d"
	touch here
	[[ -e $names/e/here && ! -e $names/d/here ]] ||
		die "made in another directory"
	chmod 700 .
	eq "$(stat -c %a "$names/d" "$names/e" | tr '\n' ' ')" "755 700 "
	cd /
	rm -r "$names/d" "$names/e"
	down
}

# One lock a file, whoever opened it how, and whatever it became.
test_locks()
{
	local reader writer late pid

	up
	behind put f one
	exec {reader}<"$names/f"
	exec {writer}<>"$names/f"
	behind put f two
	exec {late}<"$names/f"
	flock -n "$reader"
	fails 1 "" flock -n "$writer"
	fails 1 "" flock -n "$late"
	fails 1 "" flock -n "$names/f" true
	flock -u "$reader"
	flock -n -s "$writer"
	flock -n -s "$late"
	fails 1 "" flock -n "$reader"
	flock -u "$writer"
	flock -u "$late"
	flock -n "$late"
	# One that waits can be killed, and gets it when it is there.
	flock "$names/f" true {reader}<&- {writer}<&- {late}<&- &
	pid=$!
	until [[ $(<"/proc/$pid/syscall") == 73\ * ]]; do :; done
	kill "$pid"
	wait "$pid" || [[ $? == 143 ]]
	flock "$names/f" true {reader}<&- {writer}<&- {late}<&- &
	pid=$!
	exec {late}<&-
	wait "$pid"
	exec {reader}<&- {writer}<&-
	python3 - "$names/f" <<-'EOF'
	import fcntl, os, sys
	r = open(sys.argv[1], "rb")
	w = open(sys.argv[1], "r+b")
	def other(kind, start, length):
	    pid = os.fork()
	    if pid == 0:
	        f = open(sys.argv[1], "rb" if kind == fcntl.LOCK_SH else "r+b")
	        try:
	            fcntl.lockf(f, kind | fcntl.LOCK_NB, length, start)
	        except OSError:
	            os._exit(1)
	        os._exit(0)
	    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
	fcntl.lockf(w, fcntl.LOCK_EX, 10, 5)
	assert not other(fcntl.LOCK_SH, 14, 1)
	assert other(fcntl.LOCK_EX, 15, 0)
	fcntl.lockf(w, fcntl.LOCK_UN, 2, 5)
	assert other(fcntl.LOCK_EX, 0, 7)
	assert not other(fcntl.LOCK_EX, 0, 8)
	# Closing any descriptor of the file lets go of all.
	r.close()
	assert other(fcntl.LOCK_EX, 0, 0)
	EOF
	rm "$names/f"
	down
}

test_refused()
{
	up
	echo one >"$names/a"
	fails 1 "not permitted" ln "$names/a" "$names/b"
	fails 1 "not permitted" ln -s a "$names/c"
	fails 1 "not permitted" mknod "$names/c" c 1 3
	fails 1 "not permitted" as_user chown "$user" "$names/a"
	fails 1 "not permitted" setfattr -n user.vdfs.x -v 1 "$names/a"
	fails 1 "too long" touch "$names/$(printf '%0256d' 1)"
	eq "$(ls "$names")" a
	rm "$names/a"
	down
}

test_by_hash()
{
	local hash

	up
	echo something >"$names/a"
	hash=$(hash_of "$names/a")
	eq "$(ls "$mnt/by-hash")" "$hash"
	eq "$(<"$mnt/by-hash/$hash")" something
	ln "$mnt/by-hash/$hash" "$names/b"
	eq "$(<"$names/b")" something
	fails 1 "File exists" ln "$mnt/by-hash/$hash" "$names/b"
	fails 1 "No such file" cat "$mnt/by-hash/${hash//[0-9]/0}"
	fails 1 "ermi" bash -c "echo x >'$mnt/by-hash/$hash'"
	rm "$names/a" "$names/b"
	behind gc
	eq "$(ls "$mnt/by-hash")" ""
	down
}

test_directories()
{
	up
	mkdir "$names/many"
	# More than are listed at once.
	(cd "$names/many" && seq 300 | split -l 1 -a 3 -)
	eq "$(find "$names/many" -type f | wc -l)" 300
	eq "$(cat "$names/many"/* | sort -n | sha256sum)" \
		"$(seq 300 | sha256sum)"
	rm -r "$names/many"
	eq "$(ls "$names")" ""
	down
}

test_other_users()
{
	up
	echo private >"$names/private"
	chmod 600 "$names/private"
	echo public >"$names/public"
	chmod 666 "$names/public"
	echo read >"$names/read"
	mkdir -m 700 "$names/dir"
	echo inside >"$names/dir/f"
	fails 1 "denied|No such" as_user cat "$names/private"
	fails 1 "denied|No such" as_user cat "$names/dir/f"
	fails 2 "denied|No such" as_user ls "$names/dir"
	eq "$(as_user cat "$names/read")" read
	fails 1 "denied" as_user dd if=/dev/null of="$names/read"
	fails 1 "not permitted|denied" as_user rm -f "$names/read"
	fails 1 "not permitted|denied" as_user chmod 777 "$names/read"
	fails 1 "not permitted|denied" as_user mv "$names/read" "$names/gone"
	echo theirs | as_user tee "$names/public" >/dev/null
	eq "$(<"$names/public")" theirs
	as_user mkdir "$names/own"
	echo x | as_user tee "$names/own/f" >/dev/null
	eq "$(stat -c %u "$names/own/f")" 1000
	has "$(as_user ls -l "$names")" own
	rm -r "${names:?}"/*
	down
}

# Two users in the directory of a third.
test_shared_directories()
{
	local d=$names/shared other=(setpriv --reuid 1001 --regid 1001
		--clear-groups)

	up
	mkdir "$d"
	chmod 1777 "$d"
	eq "$(stat -c %a "$d")" 1777
	eq "$(stat -c %a "$names")" 1777
	echo one | as_user tee "$d/a" >/dev/null
	as_user mkdir "$d/sub"
	echo in | as_user tee "$d/sub/in" >/dev/null
	fails 1 "not permitted|denied" "${other[@]}" rm -f "$d/a"
	fails 1 "not permitted|denied" "${other[@]}" mv "$d/a" "$d/b"
	fails 1 "not permitted|denied" "${other[@]}" rm -rf "$d/sub"
	fails 1 "not permitted" as_user chmod g+s "$d/a"
	fails 1 "not permitted" as_user chmod u+s "$d/a"
	fails 1 "not permitted" as_user chgrp 1001 "$d/a"
	as_user chmod 600 "$d/a"
	chmod 777 "$d"
	has "$("${other[@]}" ls "$d")" a
	# Away with it, and nobody pays for what is out of reach.
	"${other[@]}" mkdir -m 700 "$names/own"
	fails 1 "denied" "${other[@]}" mv "$d/sub" "$names/own/"
	eq "$(as_user cat "$d/sub/in")" in
	as_user chmod 644 "$d/a"
	"${other[@]}" mv "$d/a" "$names/own/"
	eq "$(stat -c %u "$names/own/a")" 1001
	"${other[@]}" rm -r "$names/own"
	as_user rm -r "$d/sub"
	echo two | as_user tee "$d/planted" >/dev/null
	as_user chmod 600 "$d/planted"
	has "$(ls "$d")" planted
	rm "$d/planted"
	# Reading a program and running it are two things.
	printf '#!/bin/sh\necho ran\n' >"$d/run"
	chmod 744 "$d/run"
	fails 126 "denied" as_user sh -c "$d/run"
	chmod 755 "$d/run"
	eq "$(as_user "$d/run")" ran
	# Reading a directory and looking into it are two things.
	echo deep >"$d/f"
	chmod 744 "$d"
	has "$(as_user ls "$d")" f
	fails 1 "denied" as_user cat "$d/f"
	fails 1 "denied" as_user chmod 777 "$d/f"
	chmod 711 "$d"
	fails 2 "denied" as_user ls "$d"
	eq "$(as_user cat "$d/f")" deep
	rm -r "$d"
	down
}

# The kernel says one group of who asks, and the view finds the others.
test_groups()
{
	local d=$names/team
	local member=(setpriv --reuid 1001 --regid 1001 --groups 2001)
	local first=(setpriv --reuid 1000 --regid 2001 --clear-groups)
	local other=(setpriv --reuid 1002 --regid 1002 --clear-groups)

	up
	mkdir "$d"
	chgrp 2001 "$d"
	chmod 2770 "$d"
	eq "$(stat -c '%g %a' "$d")" "2001 2770"
	echo one | "${member[@]}" tee "$d/f" >/dev/null
	"${member[@]}" mkdir "$d/sub"
	eq "$(stat -c '%u:%g %a' "$d/f" "$d/sub")" "1001:2001 644
1001:2001 2755"
	fails 1 "denied" "${other[@]}" cat "$d/f"
	fails 2 "denied" "${other[@]}" ls "$d"
	fails 1 "denied" as_user cat "$d/f"
	eq "$("${first[@]}" cat "$d/f")" one
	fails 1 "denied" "${first[@]}" dd if=/dev/null of="$d/f"
	"${member[@]}" chmod 664 "$d/f"
	echo two | "${first[@]}" tee "$d/f" >/dev/null
	eq "$(<"$d/f")" two
	"${member[@]}" chgrp 1001 "$d/f"
	eq "$(stat -c %g "$d/f")" 1001
	fails 1 "not permitted" "${member[@]}" chgrp 1002 "$d/f"
	fails 1 "not permitted" "${member[@]}" chown 1002 "$d/f"
	fails 1 "not permitted" "${first[@]}" chgrp 2001 "$d/f"
	"${member[@]}" chgrp 2001 "$d/f"
	chown 1002:1002 "$d/f"
	eq "$(stat -c '%u:%g %a' "$d/f")" "1002:1002 664"
	# The new owner pays, and has to be able to.
	behind quota 1003 1000
	head -c 1001 /dev/zero >"$d/long"
	fails 1 "quota" chown 1003 "$d/long"
	eq "$(stat -c %u "$d/long")" 0
	truncate -s 1000 "$d/long"
	chown 1003 "$d/long"
	echo x >"$d/x"
	fails 1 "quota" chown 1003 "$d/x"
	rm -r "$d"
	down
}

# What keeps owners and groups keeps them here.
test_archives()
{
	local a=$tmp/archive i

	up
	mkdir -p "$a/dir"
	seq 100 >"$a/dir/f"
	echo x >"$a/g"
	chown 1000:2001 "$a/dir/f" "$a/dir"
	chmod 2750 "$a/dir"
	chmod 640 "$a/g"
	rsync -a "$a/" "$names/rsync"
	diff -r "$a" "$names/rsync"
	eq "$(rsync -ain "$a/" "$names/rsync")" ""
	cp -a "$a" "$names/cp"
	tar cf "$tmp/archive.tar" -C "$a" .
	mkdir "$names/tar"
	tar xpf "$tmp/archive.tar" -C "$names/tar"
	tar df "$tmp/archive.tar" -C "$names/tar"
	for i in rsync cp tar; do
		eq "$(stat -c '%u:%g %a' "$names/$i/dir" "$names/$i/dir/f" \
			"$names/$i/g")" "1000:2001 2750
1000:2001 644
0:0 640"
	done
	tar cf "$tmp/back.tar" -C "$names/tar" .
	tar df "$tmp/back.tar" -C "$a"
	rm -r "${names:?}"/*
	down
}

# fusermount3 mounts for who may not; nobody else sees it then, not even root.
test_ordinary_user()
{
	# It wants a user with a name.
	user=65534
	run_as=(setpriv --reuid "$user" --regid "$user" --clear-groups)
	store=$(mktemp -d "$tmp/store.XXXX")
	chown "$user" "$store" "$mnt"
	up
	as_user mkdir "$names/d"
	echo text | as_user tee "$names/d/f" >/dev/null
	eq "$(as_user cat "$names/d/f")" text
	eq "$(as_user stat -c '%u %a' "$names/d/f")" "$user 644"
	fails 1 "denied" cat "$names/d/f"
	as_user rm -r "$names/d"
	down
	chown 0 "$mnt"
}

test_full()
{
	up
	behind quota 1000 100000
	as_user mkdir "$names/u"
	head -c 50000 /dev/urandom | as_user tee "$names/u/a" >/dev/null
	fails 1 "quota" as_user dd if=/dev/urandom of="$names/u/b" bs=60000 \
		count=1
	fails 1 "quota" as_user dd if=/dev/urandom of="$names/u/a" bs=200000 \
		count=1 conv=fsync
	eq "$(stat -c %s "$names/u/a")" 50000
	has "$(as_user df --output=size -B 1 "$mnt" | tail -n 1)" "^ *9[0-9]{4}$"
	rm -r "$names/u"
	down
}

test_no_space()
{
	store=$tmp/small
	mkdir "$store"
	mount -t tmpfs -o size=8m small "$store"
	up
	head -c 1000000 /dev/urandom >"$names/a"
	cp "$names/a" "$tmp/a"
	fails 1 "No space" dd if=/dev/urandom of="$names/a" bs=1M count=20 \
		conv=fsync
	cmp "$tmp/a" "$names/a"
	fails 1 "No space" truncate -s 1T "$names/a"
	fails 1 "No space" fallocate -l 100G "$names/a"
	fails 1 "No space" dd if=/dev/zero of="$names/a" bs=1 count=1 seek=1T \
		conv=notrunc
	cmp "$tmp/a" "$names/a"
	rm "$names/a"
	echo works >"$names/b"
	eq "$(<"$names/b")" works
	down
	umount "$store"
}

test_stress()
{
	up
	mkdir "$names/s"
	./fuse_stress.py "$names/s" 8 "$RANDOM"
	rm -r "$names/s"
	down
}

test_killed()
{
	up
	head -c 300000 /dev/urandom >"$tmp/whole"
	cp "$tmp/whole" "$names/closed"
	mkdir "$names/dir"
	python3 - "$names/open" "$prog_pid" <<-'EOF'
	import os, signal, sys
	f = open(sys.argv[1], "wb", 0)
	f.write(b"lost")
	os.kill(int(sys.argv[2]), signal.SIGKILL)
	os._exit(0)
	EOF
	wait "$prog_pid" || true
	trap - EXIT
	fails 1 "not connected|abort" cat "$names/closed"
	exec {to}>&- {from}<&-
	up
	cmp "$tmp/whole" "$names/closed"
	[[ -d $names/dir ]] || die "a directory was lost"
	eq "$(stat -c %s "$names/open")" 0
	rm -r "$names/closed" "$names/open" "$names/dir"
	down
}

test_stop_while_in_use()
{
	up
	echo text >"$names/f"
	exec {fd}<"$names/f"
	cd "$names"
	down
	fails 1 "not connected|abort|denied|No such" cat "/proc/self/fd/$fd"
	exec {fd}<&-
	cd /
	up
	eq "$(<"$names/f")" text
	rm "$names/f"
	umount "$mnt"
	down
}

test_read_only()
{
	up
	echo text >"$names/f"
	down
	up ro
	eq "$(<"$names/f")" text
	fails 1 "Read-only" dd if=/dev/null of="$names/f"
	fails 1 "Read-only" rm -f "$names/f"
	fails 1 "Read-only" mkdir "$names/d"
	down
	up
	rm "$names/f"
	down
}

# bad PATTERN JSON: that is no item, and close() says so.
bad()
{
	echo "$2" >"$tmp/bad"
	fails 1 "$1" cp "$tmp/bad" "$mnt/collections/docs/items/x"
}

test_collections()
{
	local c=$mnt/collections/docs

	up
	behind collection docs 3
	eq "$(ls "$mnt/collections")" docs
	echo '{"vector": [1, 0, 0], "metadata": {"lang": "de"}}' >"$c/items/one"
	echo '{"vector": [0, 1, 0], "metadata": {"lang": "en"}}' >"$c/items/two"
	echo '{"vector": [0, 0.9, 0.1]}' >"$c/items/a%2Fb%25"
	eq "$(ls "$c/items")" "a%2Fb%25
one
two"
	eq "$(jq -c . "$c/items/one")" \
		'{"key":"one","vector":[1,0,0],"metadata":{"lang":"de"}}'
	eq "$(jq -r .key "$c/items/a%2Fb%25")" a/b%
	eq "$(jq .items "$c/info")" 3
	eq "$(stat -c %s "$c/items/two")" "$(wc -c <"$c/items/two")"
	echo '{"metadata": {"lang": "fr"}}' >"$c/items/two"
	eq "$(jq -c '[.vector, .metadata.lang]' "$c/items/two")" \
		'[[0,1,0],"fr"]'
	setfattr -n user.vdfs.vector -v '[0, 2, 0]' "$c/items/two"
	setfattr -n user.vdfs.metadata -v '{"n": 1}' "$c/items/two"
	eq "$(getfattr --only-values --absolute-names -n user.vdfs.vector \
		"$c/items/two")" '[0, 2, 0]'
	eq "$(getfattr --only-values --absolute-names -n user.vdfs.vector.f32 \
		"$c/items/two" | od -An -f | tr -s ' ')" " 0 2 0"
	eq "$(jq -c .metadata "$c/items/two")" '{"n":1}'
	bad "too long" '{"vector": [1, 2]}'
	bad "Invalid" '{"vector": [1, 2, "x"]}'
	bad "Invalid" '{"key": "other", "vector": [1, 2, 3]}'
	bad "Invalid" '{"metadata": {}}'
	bad "Invalid" 'no json'
	[[ ! -e $c/items/x ]] || die "half an item is there"
	rm "$c/items/one"
	eq "$(ls "$c/items")" "a%2Fb%25
two"
	echo '{"vector": [1, 2, 3]}' >"$tmp/good"
	fails 1 "ermi|denied" as_user cp "$tmp/good" "$c/items/y"
	rm "$c/items"/*
	down
}

test_searches()
{
	local c=$mnt/collections/docs s=$mnt/collections/docs/search hash

	up
	behind collection docs 3
	echo "the answer" >"$names/answer"
	hash=$(hash_of "$names/answer")
	echo '{"vector": [1, 0, 0], "metadata": {"path": "answer", "n": 1}}' \
		>"$c/items/a"
	echo '{"vector": [2, 0, 0], "metadata": {"hash": "'"$hash"'", "n": 2}}' \
		>"$c/items/b"
	echo '{"vector": [4, 0, 0], "metadata": {"path": "../x", "n": 3}}' \
		>"$c/items/c,d"
	eq "$(ls "$s")" ""
	eq "$(ls "$s/vector=0;0;0")" "0001-a
0002-b
0003-c,d"
	eq "$(<"$s/vector=0;0;0/0001-a")" "the answer"
	eq "$(<"$s/vector=0;0;0/0002-b")" "the answer"
	eq "$(readlink "$s/vector=0;0;0/0002-b")" "../../../../by-hash/$hash"
	eq "$(readlink "$s/vector=0;0;0/0003-c,d")" "../../items/c,d"
	eq "$(jq -c .vector "$s/vector=0;0;0/0003-c,d")" "[4,0,0]"
	eq "$(ls "$s/k=1,key=a")" 0001-b
	eq "$(ls "$s/key=c%2Cd,k=1")" 0001-b
	eq "$(ls "$s/recall=1,vector=9;0;0,k=2,filter={\"n\":{\"\$lt\":3}}")" \
		"0001-b
0002-a"
	eq "$(ls "$s/k=3,ef=50,vector=1e1;-0.5;0")" "0001-c,d
0002-b
0003-a"
	printf '\0\0\200\77\0\0\0\0\0\0\0\0' >"$names/query"
	eq "$(ls "$s/k=1,from=query")" 0001-a
	has "$(getfattr --only-values --absolute-names -n user.vdfs.distances \
		"$s/vector=0;0;0")" "^4 0002-b"
	rm "$c/items/a"
	eq "$(ls "$s/vector=0;0;0")" "0001-b
0002-c,d"
	[[ ! -e $s/vector=0\;0\;0/0001-a ]] || die "an answer is out of date"
	fails 2 "Invalid" ls "$s/k=0,key=b"
	fails 2 "Invalid" ls "$s/k=5"
	fails 2 "Invalid" ls "$s/vector=1;x;2"
	fails 2 "Invalid" ls "$s/key=b,filter={"
	fails 2 "too long" ls "$s/vector=1;2"
	fails 2 "No such" ls "$s/key=nobody"
	fails 1 "ermi" mkdir "$s/key=b/x"
	# What an error number cannot say is said by a file of the same name.
	eq "$(<"$c/why/key=b,filter={")" \
		"the filter: line 1, column 1: string or '}' expected near end of file"
	has "$(<"$c/why/key=b,filter={\"n\":{\"\$near\":1}}")" "near"
	has "$(<"$c/why/k=0,key=b")" "'k=0': k is a whole number from 1"
	has "$(<"$c/why/vector=1;2")" "another length"
	has "$(<"$c/why/key=nobody")" "no item of that key"
	eq "$(<"$c/why/vector=1;2;3")" "nothing is wrong"
	eq "$(stat -c %s "$c/why/vector=1;2;3")" 0
	eq "$(ls "$c/why")" ""
	fails 1 "ermi" cp "$c/info" "$c/why/x"
	rm "$c/items"/* "$names/answer" "$names/query"
	down
}

# asks PID COMM: wait until a process waits for an answer of the view.
asks()
{
	local i

	for ((i = 0; i < 3000; i++)); do
		# One that has ended was too fast: the caller tries again.
		kill -0 "$1" 2>/dev/null || return 0
		[[ $(<"/proc/$1/comm") == "$2" &&
			$(<"/proc/$1/wchan") == *request_wait* ]] && return
		sleep .01
	done
	die "$2 does not begin to wait"
}

# Whoever is killed waits for no answer, though others go on waiting.
test_killed_search()
{
	local c=$mnt/collections/docs pad i other killed

	up
	behind collection docs 1
	pad=$(seq -s '":0,"k' 5500)
	for ((i = 0; i < 250; i++)); do
		printf '{"vector":[%d],"metadata":{"k%s":0,"n":%d}}' "$i" \
			"$pad" "$i" >"$c/items/$i"
	done
	for ((i = 0; i < 3; i++)); do
		ls "$c/search/vector=0,k=1,filter={\"\$or\":[{\"n\":-$i},$(
			)$(seq -s, -f '{"m":%g}' 6)]}" >"$tmp/all" &
		other=$!
		asks "$other" ls
		ls "$c/search/vector=0,k=1,filter={\"\$or\":[{\"n\":-$i},$(
			)$(seq -s, -f '{"l":%g}' 18)]}" >"$tmp/none" &
		killed=$!
		asks "$killed" ls
		kill -9 "$killed"
		wait "$killed" 2>/dev/null || true
		# This one began before; whole it takes a third of the time.
		kill -0 "$other" 2>/dev/null && break
		wait "$other"
	done
	((i < 3)) || die "a killed search ends no sooner than the other"
	wait "$other" || die "the other search fails"
	down
}

# Nor does it when it stores what it wrote; this is stored when it is gone.
test_killed_fsync()
{
	local mib=16 other killed

	up
	for ((; mib <= 1024; mib *= 2)); do
		stores "$names/other" "$mib" &
		other=$!
		asks "$other" dd
		stores "$names/killed" "$((4 * mib))" &
		killed=$!
		asks "$killed" dd
		kill -9 "$killed" 2>/dev/null || true
		wait "$killed" 2>/dev/null || true
		# This one began before; it is a quarter as long. What was killed
		# before it had its length asked for no more than that.
		kill -0 "$other" 2>/dev/null &&
			[[ $(stat -c %s "$names/killed") == "$((mib << 22))" ]] &&
			break
		wait "$other"
	done
	((mib <= 1024)) || die "a killed fsync ends no sooner than the other"
	wait "$other" || die "the other fsync fails"
	down
	up
	eq "$(stat -c %s "$names/killed")" "$((mib << 22))"
	down
}

# stores FILE MIB: a file of zeros.
stores()
{
	exec dd if=/dev/null "of=$1" bs=1M "seek=$2" conv=fsync status=none
}

# A user who may only write to a collection learns nothing of what others search.
test_write_only()
{
	local c=$mnt/collections/inbox

	up
	behind collection inbox 3 0602
	echo '{"vector": [1, 0, 0]}' >"$c/items/one"
	eq "$(ls "$c/search/vector=1;0;0")" 0001-one
	fails 2 "denied" as_user ls "$c/search/vector=1;0;0"
	fails 1 "denied" as_user readlink -v "$c/search/vector=1;0;0/0001-one"
	fails 1 "denied" as_user getfattr -n user.vdfs.distances \
		"$c/search/vector=1;0;0"
	# A size would tell what the text says.
	eq "$(as_user stat -c %s "$c/why/vector=1;0;0")" 0
	fails 1 "denied" as_user cat "$c/why/vector=1;0;0"
	down
}

run_tests
