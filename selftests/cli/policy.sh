#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phi policy, each verb for real; what the policies do is tested elsewhere.
. ./lib.bash

mountpoint -q /sys/fs/bpf || mount -t bpf none /sys/fs/bpf

# Whatever a failed test left.
clean()
{
	rm -rf /sys/fs/bpf/phi
}

test_load_and_unload()
{
	clean
	phi policy load call_filter
	has "$(phi policy list)" \
		"^call_filter +call_filter +[0-9]+ +fmod_ret +phi_hook_syscall_enter"
	eq "$(json '[.policies[] | select(.policy == "call_filter")] | length' \
		phi policy list)" 1
	fails 1 "of that name is loaded" phi policy load call_filter
	phi policy unload call_filter
	phi policy list | grep call_filter && die "it stays"
	fails 1 "no policy of that name" phi policy unload call_filter
}

test_config_before_it_is_attached()
{
	clean
	phi policy load call_filter \
		--config rules=0x20,any,any:13 --config rules=0x0a,any,any:1
	fails 1 "EACCES" phi session phi region create 4096
	fails 1 "EPERM" phi session phi endpoint create
	phi session phi notify create >/dev/null
	phi policy unload call_filter
	phi session phi region create 4096 >/dev/null
}

test_set_and_show()
{
	clean
	phi policy load call_filter
	phi session phi region create 4096 >/dev/null
	phi policy set call_filter rules=agent=any,uid=any,nr=0x20:1
	fails 1 "EPERM" phi session phi region create 4096
	has "$(phi policy show call_filter rules)" \
		"^rules +nr=32 uid=4294967295 agent=18446744073709551615 +1"
	eq "$(json '.entries[] | select(.map == "refused") | .key == 32 and .value >= 1' \
		phi policy show call_filter)" true
	phi policy set call_filter rules=0x20,any,any:0
	phi session phi region create 4096 >/dev/null
	phi policy unload call_filter
}

test_struct_values()
{
	clean
	phi policy load call_rate --config limits=1,77:burst=20,per_second=10
	has "$(phi policy show call_rate limits)" \
		"kind=1 id=77 +per_second=10 burst=20"
	phi policy unload call_rate
}

test_bad_entries()
{
	clean
	fails 1 "no such map" phi policy load call_filter --config nope=1:1
	fails 1 "give nr,uid,agent" phi policy load call_filter --config rules=1:1
	fails 1 "no colon" phi policy load call_filter --config rules=1
	fails 1 "does not fit" phi policy load call_filter \
		--config rules=0x100000000,any,any:1
	fails 1 "more values than fields" phi policy load call_filter \
		--config rules=1,2,3,4:1
	fails 1 "no such field" phi policy load call_filter \
		--config rules=foo=1,2,3:1
	fails 2 "is not MAP=KEY:VALUE" phi policy load call_filter --config rules
	[[ ! -e /sys/fs/bpf/phi/call_filter ]] || die "it is half loaded"
	phi policy load call_filter
	fails 1 "no map of that name" phi policy set call_filter nope=1:1
	fails 1 "no map of that name" phi policy show call_filter nope
	fails 1 "no policy of that name" phi policy show nope
	phi policy unload call_filter
}

test_a_file_and_a_name()
{
	clean
	phi policy load "../../build/bpf/call_filter.bpf.o" --name two
	has "$(phi policy list)" "^two +call_filter"
	phi policy unload two
}

# One of the objects for another hook: the names are in its types.
misspelt()
{
	LC_ALL=C sed "s/$1/$2/g" ../../build/bpf/call_filter.bpf.o >"$tmp/misspelt.bpf.o"
}

test_a_misspelt_hook()
{
	local hook
	clean
	misspelt phi_hook_syscall_enter phi_hook_syscall_entre
	fails 1 "phi_hook_syscall_entre.*there is no such hook" \
		phi policy load "$tmp/misspelt.bpf.o"
	[[ ! -e /sys/fs/bpf/phi/misspelt ]] || die "it is half loaded"
	phi policy load "$tmp/misspelt.bpf.o" 2>"$tmp/said" && die "it loads"
	for hook in $(sed -n 's/^__weak noinline .*\(phi_hook_[a-z_]*\)(.*/\1/p' \
		../../kmod/hook.c) $(sed -n 's/^TRACE_EVENT(\(.*\),/\1/p' \
		../../kmod/trace.h); do
		has "$(cat "$tmp/said")" "$hook"
	done
	has "$(json .error.hint phi policy load "$tmp/misspelt.bpf.o" 2>&1 || true)" \
		"fmod_ret/phi_hook_infer_pre"
}

# Each kernel of a check loads the objects that were compiled against the
# types of the oldest one.
test_every_policy_loads_on_every_kernel()
{
	local f name
	clean
	for f in ../../build/bpf/*.bpf.o; do
		name=${f##*/}
		name=${name%.bpf.o}
		[[ $name == phi_ai ]] && continue
		phi policy load "$name" --dev lo
		phi policy unload "$name"
	done
}

test_unknown_policy()
{
	fails 1 "or one of: call_filter, call_rate" phi policy load nope
	fails 1 "no such policy" phi policy load nope
	fails 1 "No such file" phi policy load ./nope.bpf.o
	echo garbage >"$tmp/garbage.bpf.o"
	fails 1 "cannot load" phi policy load "$tmp/garbage.bpf.o"
}

test_tracing()
{
	clean
	phi policy load sched_trace
	has "$(phi policy list)" "^sched_trace +[a-z_]+ +[0-9]+ +tp_btf +sched_switch"
	sleep 0.1
	has "$(phi policy show sched_trace threads)" "run_ns=[0-9]+ .*comm="
	phi policy unload sched_trace
}

test_xdp()
{
	clean
	fails 2 "works on a network device" phi policy load net_gate
	fails 1 "no such network device" phi policy load net_gate --dev nope0
	phi policy load net_gate --dev lo
	has "$(phi policy list)" "^net_gate +net_gate +[0-9]+ +xdp +lo"
	has "$(ip link show lo)" "xdp"
	phi policy unload net_gate
	ip link show lo | grep xdp && die "it stays attached"
	return 0
}

test_what_bpftool_loaded()
{
	clean
	mkdir -p /sys/fs/bpf/phi
	bpftool prog loadall "../../build/bpf/call_filter.bpf.o" \
		/sys/fs/bpf/phi/call_filter autoattach \
		pinmaps /sys/fs/bpf/phi/call_filter
	has "$(phi policy list)" "^call_filter +call_filter .*phi_hook_syscall_enter"
	phi policy set call_filter rules=0x20,any,any:1
	fails 1 "EPERM" phi session phi region create 4096
	phi policy unload call_filter
	phi session phi region create 4096 >/dev/null
}

test_scheduler()
{
	clean
	if [[ -e /sys/kernel/sched_ext ]]; then
		phi policy load phi_ai
		eq "$(cat /sys/kernel/sched_ext/state)" enabled
		has "$(phi policy list)" "^phi_ai +.*struct_ops"
		phi policy unload phi_ai
		until_true grep -q disabled /sys/kernel/sched_ext/state
	else
		fails 1 "has no sched_ext" phi policy load phi_ai
		fails 1 "has no sched_ext" \
			phi policy load ../../build/bpf/phi_ai.bpf.o
	fi
}

test_only_root_may()
{
	chmod 755 "$tmp"
	fails 1 "run it as root" setpriv --reuid 65534 --clear-groups \
		--bounding-set -all phi policy load call_rate
	has "$(setpriv --reuid 65534 --clear-groups --bounding-set -all \
		phi policy list)" "only root"
}

run_tests
