// SPDX-License-Identifier: GPL-2.0-only
/*
 * select_deadline: the thriftiest unit that still makes the deadline.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall select_deadline.bpf.o \
 *	/sys/fs/bpf/phi/select_deadline autoattach \
 *	pinmaps /sys/fs/bpf/phi/select_deadline
 *
 * Among the units whose known run time lets the batch end in time it takes
 * the one that draws the least power as reported, of equals the slowest, so
 * that fast units stay free for those in a hurry. A batch without a deadline,
 * or that no unit can end in time, keeps the built-in choice. The margin that
 * it plans for, in 1/1000 of the run time, 200 at first, is set so:
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/select_deadline/margin \
 *	key hex 00 00 00 00 value hex c8 00 00 00 00 00 00 00
 */
#include "phi.bpf.h"

#define MARGIN_DEFAULT 200

/* 0 counts as MARGIN_DEFAULT. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} margin SEC(".maps");

/* Batches it placed [0], and left to the built-in choice [1]. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} placed SEC(".maps");

static void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&placed, &what);

	if (n)
		__sync_fetch_and_add(n, 1);
}

/* When a batch given to the unit now would end, after now; 0 = unknown. */
static __always_inline __u64 ends_in(const struct phi_unit_stat *stat,
				     __u64 average, __u32 batch)
{
	__u64 run = average * batch;

	if (stat->in_flight < stat->capacity || !stat->capacity)
		return run;
	return run +
	       run * (stat->in_flight + 1 - stat->capacity) / stat->capacity;
}

SEC("fmod_ret/phi_hook_select_unit")
int BPF_PROG(select_deadline, struct phi_hook_infer___phi *infer, int verdict)
{
	__u64 deadline = infer->deadline_ns, now = bpf_ktime_get_ns();
	__u64 units = infer->units, longest = 0, *set;
	__u32 id, zero = 0, best = PHI_UNITS_MAX, least = ~0U;
	__u64 slack = MARGIN_DEFAULT;

	if (verdict || !deadline)
		return verdict;
	set = bpf_map_lookup_elem(&margin, &zero);
	if (set && *set)
		slack = *set;
	bpf_for(id, 0, PHI_UNITS_MAX) {
		struct phi_unit_stat stat = {};
		__u64 average, ends;

		if (!(units & 1ULL << (id & 63)) ||
		    bpf_phi_unit_stat(id, &stat))
			continue;
		average = bpf_phi_unit_average(infer->model, id);
		ends = ends_in(&stat, average, infer->batch);
		if (!ends || now + ends + ends * slack / 1000 > deadline)
			continue;
		if (stat.power > least ||
		    (stat.power == least && ends <= longest))
			continue;
		least = stat.power;
		longest = ends;
		best = id;
	}
	count(best == PHI_UNITS_MAX);
	return best == PHI_UNITS_MAX ? 0 : best + 1;
}

char _license[] SEC("license") = "GPL";
