// SPDX-License-Identifier: GPL-2.0-only
/*
 * select_least_loaded: the unit with the least to do for its size.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall select_least_loaded.bpf.o \
 *	/sys/fs/bpf/phi/select_least_loaded autoattach \
 *	pinmaps /sys/fs/bpf/phi/select_least_loaded
 *
 * Counts batches in flight per place, then the reported load; of equals the
 * lower number wins. It looks at no run time, so a slow idle unit is better
 * than a fast busy one: right for units of one kind. How often it overruled
 * the built-in choice:
 *
 *  bpftool map dump pinned /sys/fs/bpf/phi/select_least_loaded/chosen
 */
#include "phi.bpf.h"

/* Choices that agreed with the built-in one [0], and that differed [1]. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} chosen SEC(".maps");

/* In flight per place in the upper half, in 1/1000; load in the lower. */
static __always_inline __u64 busy(const struct phi_unit_stat *stat)
{
	__u64 flight = stat->in_flight * 1000ULL / (stat->capacity ?: 1);
	__u32 load = stat->load == PHI_UNIT_UNKNOWN ? 0 : stat->load;

	return flight << 32 | load;
}

SEC("fmod_ret/phi_hook_select_unit")
int BPF_PROG(select_least_loaded, struct phi_hook_infer___phi *infer,
	     int verdict)
{
	__u64 least = ~0ULL, units = infer->units, *n;
	__u32 id, best = PHI_UNITS_MAX, differs;

	if (verdict)
		return verdict;
	bpf_for(id, 0, PHI_UNITS_MAX) {
		struct phi_unit_stat stat = {};

		if (!(units & 1ULL << (id & 63)))
			continue;
		if (bpf_phi_unit_stat(id, &stat) || busy(&stat) >= least)
			continue;
		least = busy(&stat);
		best = id;
	}
	if (best == PHI_UNITS_MAX)
		return 0;
	differs = best != infer->unit;
	n = bpf_map_lookup_elem(&chosen, &differs);
	if (n)
		__sync_fetch_and_add(n, 1);
	return best + 1;
}

char _license[] SEC("license") = "GPL";
