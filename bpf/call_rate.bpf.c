// SPDX-License-Identifier: GPL-2.0-only
/*
 * call_rate: limit how many calls a second an agent or a user makes.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall call_rate.bpf.o /sys/fs/bpf/phi/call_rate \
 *	autoattach pinmaps /sys/fs/bpf/phi/call_rate
 *
 * A limit has a kind (0 = agent, 1 = uid), 64 bits, and the agent's number or
 * the uid, 64 bits, as key; calls per second and burst, 64 bits each, as
 * value. All ones as the second half of a key is the limit of whoever has
 * none of its own. To allow uid 1000 ten calls a second, twenty at once:
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/call_rate/limits \
 *	key hex 01 00 00 00 00 00 00 00 e8 03 00 00 00 00 00 00 \
 *	value hex 0a 00 00 00 00 00 00 00 14 00 00 00 00 00 00 00
 *
 * A call beyond the limit fails with EBUSY and costs no token. An agent with
 * a limit answers to that one alone, whatever user it runs as. A decision names
 * rule 1 for the limit of an agent, 2 for that of a user.
 */
#include "phi.bpf.h"

#define KIND_AGENT 0
#define KIND_UID 1
#define ANY ~0ULL

struct who {
	__u64 kind;
	__u64 id;
};

struct limit {
	__u64 per_second;
	__u64 burst;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct who);
	__type(value, struct limit);
} limits SEC(".maps");

/* A bucket whose owner was quiet longest is forgotten first: it is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct who);
	__type(value, __u64);
} buckets SEC(".maps");

/* Calls refused, in all. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} refused SEC(".maps");

static struct limit *limit_of(const struct who *who)
{
	struct who any = { .kind = who->kind, .id = ANY };
	struct limit *limit = bpf_map_lookup_elem(&limits, who);

	return limit ?: bpf_map_lookup_elem(&limits, &any);
}

static __u64 *bucket_of(const struct who *who)
{
	__u64 *bucket = bpf_map_lookup_elem(&buckets, who);
	__u64 full = 0;

	if (bucket)
		return bucket;
	bpf_map_update_elem(&buckets, who, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&buckets, who);
}

SEC("fmod_ret/phi_hook_syscall_enter")
int BPF_PROG(call_rate, struct phi_hook_call___phi *call, int verdict)
{
	struct who who = { .kind = KIND_AGENT, .id = call->agent };
	struct limit *limit = NULL;
	__u64 *bucket, *count;
	__u32 zero = 0;

	if (verdict)
		return verdict;
	if (who.id)
		limit = limit_of(&who);
	if (!limit) {
		who.kind = KIND_UID;
		who.id = call->uid;
		limit = limit_of(&who);
	}
	if (!limit)
		return 0;
	bucket = bucket_of(&who);
	if (bucket &&
	    !bpf_phi_rate_take(bucket, limit->per_second, limit->burst))
		return 0;
	count = bpf_map_lookup_elem(&refused, &zero);
	if (count)
		__sync_fetch_and_add(count, 1);
	bpf_phi_rule(who.kind + 1);
	return -EBUSY;
}

char _license[] SEC("license") = "GPL";
