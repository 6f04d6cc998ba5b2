// SPDX-License-Identifier: GPL-2.0-only
/*
 * infer_guard: cap the batches of a model, or refuse to run it.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall infer_guard.bpf.o /sys/fs/bpf/phi/infer_guard \
 *	autoattach pinmaps /sys/fs/bpf/phi/infer_guard
 *
 * The key is the model's number, 64 bits, or all ones for every model that
 * has no rule of its own; the value is the most inputs a batch may have, 32
 * bits, 0 to refuse the model. To cap model 3 at 8:
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/infer_guard/caps \
 *	key hex 03 00 00 00 00 00 00 00 value hex 08 00 00 00
 *
 * A refused batch fails with EPERM; its decision names rule 1 when the model has
 * one of its own, 2 for that of all others. The last map counts the batches that
 * each badge began, by the capability that bpf_phi_call_cap() reports.
 */
#include "phi.bpf.h"

#define ANY ~0ULL
#define PHI_CALL_INFER_BEGIN 0x74

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} caps SEC(".maps");

/* Batches refused [0], capped [1], let be [2]. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} done SEC(".maps");

/* INFER_BEGIN calls by the badge of the capability they came with. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} badges SEC(".maps");

static void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&done, &what);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("fmod_ret/phi_hook_infer_pre")
int BPF_PROG(infer_guard, struct phi_hook_infer___phi *infer, int verdict)
{
	__u64 model = infer->model, any = ANY;
	__u32 *cap = bpf_map_lookup_elem(&caps, &model), *own;

	if (verdict)
		return verdict;
	own = cap;
	if (!cap)
		cap = bpf_map_lookup_elem(&caps, &any);
	if (cap && !*cap) {
		count(0);
		bpf_phi_rule(own ? 1 : 2);
		return -EPERM;
	}
	if (cap && infer->batch > *cap) {
		count(1);
		return *cap;
	}
	count(2);
	return 0;
}

SEC("fmod_ret/phi_hook_syscall_enter")
int BPF_PROG(infer_badge, struct phi_hook_call___phi *call, int verdict)
{
	struct phi_cap_info info = {};
	__u64 one = 1, *n;

	if (call->nr != PHI_CALL_INFER_BEGIN || bpf_phi_call_cap(&info))
		return verdict;
	n = bpf_map_lookup_elem(&badges, &info.badge);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&badges, &info.badge, &one, BPF_ANY);
	return verdict;
}

char _license[] SEC("license") = "GPL";
