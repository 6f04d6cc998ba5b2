# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by check and debug, which set top, here and out: which tests run and
# for how long, and how their results are counted.
#
# shellcheck disable=SC2154

passed=0
failed=0
skipped=0
patience=1
booted=()
settings=()

say()
{
	printf '== %4d s  %s\n' "$SECONDS" "$*"
}

# The seconds that NOUN/TEST or NOUN/ROOM/TEST may take: "timeout=N" in
# selftests/NOUN/settings, times "patience".
limit()
{
	local n
	n=$(sed -n 's/^timeout=//p' "selftests/${1%%/*}/settings" 2>/dev/null)
	echo $((${n:-300} * patience))
}

# on SERIES <LIST: keep the tests that run on this kernel.
on()
{
	local line name only

	while read -r line; do
		name=${line%% *}
		only=$(sed -n "s|^only=\([^ ]*\) ${name#*/}\$|\1|p" \
			"selftests/${name%%/*}/settings" 2>/dev/null)
		[[ ${CHECK_KERNELS:-} || ${only:-$1} == "$1" ]] && echo "$line"
	done
}

# The "NAME SECONDS PATH" lines of those tests that were asked for. A program
# whose source is gone is no test.
chosen()
{
	local path name

	while read -r path; do
		name=${path#build/}
		name=${name#selftests*/}
		# shellcheck disable=SC2053
		[[ $name == ${CHECK_TESTS:-*} ]] || continue
		[[ -e selftests/$name || -e selftests/$name.c ]] || continue
		echo "$name $(limit "$name") $path"
	done
}

# why TAP: the lines of a failed test that tell most: its last ones, and where
# the kernel died under it, what the kernel said first.
why()
{
	awk '/kernel BUG|BUG:|Oops|general protection|unable to handle/ { on = 1 }
	on && n++ < 60' "$1"
	grep -v '^ok\|^# *RUN\|^# *OK' "$1" | tail -n 20
}

# judge WHERE DIR NAME...: count what tools/check/one left for these names.
judge()
{
	local where=$1 dir=$2 name report status p f s
	shift 2

	for name in "$@"; do
		status=$(cat "$dir/$name.status" 2>/dev/null)
		if [[ ! $status ]]; then
			echo "$where $name: never finished"
			failed=$((failed + 1))
			continue
		fi
		report=$("$here/ktap" --where "${where%-k?san}" --skips "$here/skips" \
			"$where $name" "$status" <"$dir/$name.tap")
		if [[ -s $dir/$name.klog ]]; then
			echo "$where $name: the kernel complained:"
			cat "$dir/$name.klog"
			failed=$((failed + 1))
		fi
		read -r p _ f _ s _ <<<"${report##*: }"
		passed=$((passed + p))
		failed=$((failed + f))
		skipped=$((skipped + s))
		# The tests that were skipped, and the failures.
		sed '$d' <<<"$report"
		if [[ $f != 0 ]]; then
			echo "   see ${dir#"$top"/}/$name.tap:"
			why "$dir/$name.tap" | sed 's/^/   /'
		fi
	done
}

# Limits count the seconds that this machine gives: where its threads wait for
# a processor, that share of a second does not count. The clock is no child,
# which "wait" would wait for; it ends with this shell.
start_clock()
{
	export PHI_CLOCK=$out/clock/clock

	mkdir -p "$out/clock"
	(tools/vm/guard "$out/clock" 1000000 1000000 \
		tail --pid=$$ -f /dev/null &)
	until [[ -s $PHI_CLOCK ]]; do
		sleep 0.1
	done
}

# Write the kselftests that are built to vm.list, for tools/check/guest.
list_vm_tests()
{
	{
		find build/selftests -name '*_test' -type f
		find selftests -mindepth 2 -name '*.sh'
	} 2>/dev/null | sort | chosen >"$out/vm.list"
}

# vm_boot KERNEL: run its list there, booted with the options in "booted", with
# the "settings" of tests. The guard of tools/vm/run ends it long before. A
# machine that stopped before the module was in it, and said nothing of a bug of
# the kernel, has tested nothing: it starts anew, twice at most.
vm_boot()
{
	local try

	for try in 1 2 3; do
		"$here/one" "$out/$1" boot 360000 "$here/step" \
			tools/vm/run "${booted[@]}" "$1" \
			env "${settings[@]}" tools/check/guest \
			"${out#"$top"/}/$1" "${out#"$top"/}/$1/vm.list"
		[[ -e $out/$1/load.status ]] && return
		grep -q 'BUG\|Oops\|[Pp]anic\|WARNING\|unable to handle' \
			"$out/$1/boot.tap" && return
		say "$1: no module was loaded ($try):" \
			"$(grep '^run: ' "$out/$1/boot.tap" | tail -n 1)"
	done
}

# vm_run KERNEL...: run the lists of these at the same time, and name the tests
# as they start.
vm_run()
{
	local kernel boots=() tails=()

	for kernel in "$@"; do
		mkdir -p "$out/$kernel"
		vm_boot "$kernel" &
		boots+=($!)
	done
	for kernel in "$@"; do
		: >>"$out/$kernel/boot.tap"
		tail -f -n +1 --pid=$$ "$out/$kernel/boot.tap" |
			grep --line-buffered '^   ' &
		tails+=($!)
	done
	wait "${boots[@]}"
	sleep 1
	kill "${tails[@]}"
}

# vm_judge KERNEL NAME...: count the tests of its list, the sessions that they
# ran in, and NAMEs.
vm_judge()
{
	local kernel=$1 names sessions=(load unload left)
	shift

	mapfile -t names < <(cut -d' ' -f1 "$out/$kernel/vm.list")
	grep -q '^fail/' "$out/$kernel/vm.list" &&
		sessions+=(fail/load fail/unload fail/left)
	judge "$kernel" "$out/$kernel" boot cycles "${sessions[@]}" "$@" \
		"${names[@]}"
}

# The tests that took longest, of all places; for the VM, in seconds that this
# machine gave.
slowest()
{
	say "the slowest:"
	find "$out" -name '*.seconds' ! -path '*/boot.seconds' |
		while read -r file; do
			name=${file#"$out"/}
			echo "$(<"$file") ${name%.seconds}"
		done | sort -rn | head -n 20 | sed 's/^/   /'
}

