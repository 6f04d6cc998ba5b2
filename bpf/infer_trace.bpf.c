// SPDX-License-Identifier: GPL-2.0-only
/*
 * infer_trace: log2 histograms of queue and run time, by model and unit.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall infer_trace.bpf.o /sys/fs/bpf/phi/infer_trace \
 *	autoattach pinmaps /sys/fs/bpf/phi/infer_trace
 *
 * To look at them:
 *
 *  bpftool map dump pinned /sys/fs/bpf/phi/infer_trace/hist
 *
 * Slot n of a histogram counts times of 2^n to 2^(n+1) - 1 ns; slot 0 has 0
 * too, and the last one all that is longer.
 */
#include "phi.bpf.h"

#define SLOTS 40

struct model_unit {
	__u64 model;
	__u32 unit;
	__u32 pad;
};

struct hist {
	__u64 batches;
	__u64 items;
	__u64 failed;
	__u64 queue_sum_ns;
	__u64 run_sum_ns;
	__u64 queue[SLOTS];
	__u64 run[SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct model_unit);
	__type(value, struct hist);
} hist SEC(".maps");

/* A histogram of zeros to start from: too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hist);
} empty SEC(".maps");

static struct hist *hist_of(const struct model_unit *key)
{
	struct hist *found = bpf_map_lookup_elem(&hist, key);
	__u32 zero = 0;
	struct hist *new;

	if (found)
		return found;
	new = bpf_map_lookup_elem(&empty, &zero);
	if (!new)
		return NULL;
	bpf_map_update_elem(&hist, key, new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&hist, key);
}

static __always_inline void note(__u64 *slots, __u64 ns)
{
	__u32 slot = phi_log2(ns);

	if (slot >= SLOTS)
		slot = SLOTS - 1;
	__sync_fetch_and_add(&slots[slot], 1);
}

SEC("fentry/phi_hook_infer_post")
int BPF_PROG(infer_trace, struct phi_hook_infer___phi *infer)
{
	struct model_unit key = { .model = infer->model, .unit = infer->unit };
	struct hist *h = hist_of(&key);

	if (!h)
		return 0;
	__sync_fetch_and_add(&h->batches, 1);
	__sync_fetch_and_add(&h->items, infer->batch);
	__sync_fetch_and_add(&h->queue_sum_ns, infer->queued_ns);
	__sync_fetch_and_add(&h->run_sum_ns, infer->run_ns);
	if (infer->result)
		__sync_fetch_and_add(&h->failed, 1);
	note(h->queue, infer->queued_ns);
	note(h->run, infer->run_ns);
	return 0;
}

char _license[] SEC("license") = "GPL";
