#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The units of the daemons, under a systemd of their own: namespaces with the
# root filesystem that is here, where what is written stays in memory.
. ./lib.bash

build=${PHI_BUILD:-$PWD/../../build}
data=$PWD/../data/mnist
box=$tmp/box
root=$box/root
group=/sys/fs/cgroup/phi-units
unshared=
init=

stop()
{
	[[ $unshared ]] && kill -9 "$unshared" && wait "$unshared" 2>/dev/null
	until_true find "$group" -depth -type d -exec rmdir {} +
	umount -R "$box"
	rm -rf "$tmp"
}
trap stop EXIT

# What make install does, for what is needed.
lay_out()
{
	local d unit

	mkdir "$box"
	mount -t tmpfs -o mode=755 none "$box"
	mkdir "$box"/{upper,work,root}
	mount -t overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" \
		none "$root"
	for d in vdfsd batchd; do
		install -D "$build/daemons/$d" "$root/usr/local/sbin/$d"
		sed 's|@SBINDIR@|/usr/local/sbin|' \
			"../../daemons/$d/$d.service.in" \
			>"$root/etc/systemd/system/$d.service"
	done
	install -D "$build/tools/phi" "$root/usr/local/bin/phi"
	install -m 644 "$data/mnist_mlp.onnx" "$root/srv/"
	# The machine is somebody else's.
	for unit in systemd-udevd.service systemd-udev-trigger.service \
		systemd-udevd-{control,kernel}.socket systemd-sysctl.service \
		systemd-modules-load.service systemd-journal-flush.service \
		systemd-random-seed.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
}

# begin ROOT: become the first process in there.
begin()
{
	set -e
	cd "$1"
	mount --make-rprivate /
	mount --rbind /dev dev
	mount -t proc none proc
	mount --rbind /sys sys
	mount -t cgroup2 none sys/fs/cgroup
	mount -t tmpfs -o mode=755 none run
	mount -t tmpfs none tmp
	exec chroot . /usr/bin/env -i container=phi PATH="$PATH" \
		/usr/lib/systemd/systemd --unit=basic.target \
		--log-target=console
}

boot()
{
	mkdir "$group"
	(
		echo "$BASHPID" >"$group/cgroup.procs"
		exec unshare -m -p -C -i -u -n --fork --kill-child \
			bash -c "$(declare -f begin); begin $root"
	) >"$tmp/console" 2>&1 </dev/null &
	unshared=$!
	until_true pgrep -P "$unshared"
	init=$(pgrep -P "$unshared")
}

# on CMD...: as root in there; as_user CMD...: as somebody else.
on()
{
	nsenter -t "$init" -m -p -C -i -u -n --root --wd=/ \
		env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin "$@"
}

as_user()
{
	on setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
}

# shown UNIT PROPERTY: what systemd says of it.
shown()
{
	on systemctl show --value -p "$2" "$1"
}

# said UNIT: and what it said itself, when something is wrong.
said()
{
	on systemctl --no-pager -l status "$1"
	die "$1 does not start: $(tail -n 20 "$tmp/console")"
}

is_ready()
{
	local i

	for ((i = 0; i < 120; i++)); do
		[[ $(on systemctl is-active basic.target 2>/dev/null) == active ]] &&
			return
		sleep 1
	done
	die "systemd does not come up: $(tail -n 20 "$tmp/console")"
}

lay_out
boot

test_1_the_store_starts()
{
	local pid status

	is_ready
	on systemctl start vdfsd || said vdfsd
	eq "$(shown vdfsd ActiveState)" active
	pid=$(shown vdfsd MainPID)
	status=$(on cat "/proc/$pid/status")
	has "$status" "^Uid:.[1-9]"
	has "$status" "^CapEff:.0*$"
	has "$status" "^NoNewPrivs:.1$"
	has "$status" "^Seccomp:.2$"
	has "$(on cat "/proc/$pid/mountinfo")" " / / ro[, ]"
	[[ $(on readlink "/proc/$pid/ns/net") != \
		$(on readlink /proc/1/ns/net) ]] || die "it has a network"
}

test_2_it_serves_every_user()
{
	as_user phi vdfs put /bin/ls tools/ls
	as_user phi vdfs get tools/ls /tmp/ls
	on cmp /bin/ls /tmp/ls
	on rm /tmp/ls
	has "$(as_user phi vdfs ls)" "tools"
	fails 2 "ermission denied" as_user ls /var/lib/vdfs/
}

test_3_it_is_started_again()
{
	local pid

	pid=$(shown vdfsd MainPID)
	on systemctl kill -s KILL vdfsd
	until_true again "$pid"
	as_user phi vdfs get tools/ls /tmp/ls
	on cmp /bin/ls /tmp/ls
}

again()
{
	[[ $(shown vdfsd ActiveState) == active &&
		$(shown vdfsd MainPID) != "$1" ]]
}

test_4_the_batcher_takes_its_model_from_it()
{
	as_user phi vdfs put /srv/mnist_mlp.onnx models/digits
	cat >"$root/etc/default/batchd" <<-'END'
	BATCHD_OPTIONS=--vdfs /run/phi/vdfs/vdfs-read.token --model digits=vdfs:models/digits:64
	END
	on systemctl start batchd || said batchd
	gzip -dc "$data/t3k-images-idx3-ubyte.gz" | tail -c +17 |
		head -c $((4 * 784)) >"$root/srv/images"
	eq "$(json '[.outputs[].greatest] | join(" ")' \
		as_user phi infer run /run/batchd/digits.token /srv/images)" \
		"7 2 1 0"
}

test_5_they_end_in_peace()
{
	local d

	on systemctl stop batchd vdfsd
	for d in batchd vdfsd; do
		eq "$(shown $d Result)" success
		eq "$(shown $d ExecMainStatus)" 0
	done
	on systemctl start vdfsd || said vdfsd
	has "$(as_user phi vdfs ls models)" "digits"
}

# As the manual page says.
test_6_with_rights_to_mount_it_shows_files()
{
	local drop=$root/etc/systemd/system/vdfsd.service.d

	on useradd --system _phi
	on install -d -o _phi /mnt/vdfs
	mkdir "$drop"
	sed -n '/^\[Service]/,/--mount/{ s/\\e$/\\/; p }' ../../daemons/vdfsd/vdfsd.8 \
		>"$drop/mount.conf"
	has "$(cat "$drop/mount.conf")" "DeviceAllow=/dev/fuse rw"
	on systemctl stop vdfsd
	on systemctl daemon-reload
	on systemctl start vdfsd || said vdfsd
	as_user phi vdfs put /bin/ls tools/ls
	as_user cmp /bin/ls /mnt/vdfs/names/tools/ls
	on systemctl stop vdfsd
	fails 32 "" on mountpoint -q /mnt/vdfs
	rm -r "$drop"
	on systemctl daemon-reload
}

test_7_a_wrong_option_is_not_tried_again()
{
	local d

	on systemctl stop vdfsd
	for d in vdfsd batchd; do
		echo "${d^^}_OPTIONS=--no-such-option" >"$root/etc/default/$d"
		fails 1 "ailed" on systemctl start "$d"
		eq "$(shown "$d" ActiveState)" failed
		eq "$(shown "$d" ExecMainStatus)" 2
		eq "$(shown "$d" NRestarts)" 0
	done
}

run_tests
