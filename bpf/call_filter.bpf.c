// SPDX-License-Identifier: GPL-2.0-only
/*
 * call_filter: refuse calls by number, user or agent.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall call_filter.bpf.o /sys/fs/bpf/phi/call_filter \
 *	autoattach pinmaps /sys/fs/bpf/phi/call_filter
 *
 * A rule is a number, a uid and an agent, 32, 32 and 64 bits little-endian,
 * each all ones for "any", and the errno to refuse with, 32 bits. To refuse
 * region_create (0x20) to everybody with EPERM (1):
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/call_filter/rules \
 *	key hex 20 00 00 00 ff ff ff ff ff ff ff ff ff ff ff ff \
 *	value hex 01 00 00 00
 *
 * and 0 as the errno lets a call through that a wider rule would refuse. Of
 * the rules that fit a call the narrowest counts: agent before uid before
 * number, so { nr, uid, agent } first and { any, any, any } last.
 *
 * A uid is that of the process when it opened /dev/phi. Where the thread that
 * calls has another effective one now, the call must pass for both. A check on
 * behalf of a client must pass for the client alone.
 *
 * mmap() of a region is the number 21 (hex); the call n of MATHIS is 10000 (hex)
 * and n, which the map of counts has no room for.
 *
 * A decision names the rule by what is "any" in its key: the sum of 1 for the
 * number, 2 for the uid and 4 for the agent, plus 1.
 */
#include "phi.bpf.h"

#define ANY 0xffffffffU
#define ANY_AGENT ~0ULL

struct rule {
	__u32 nr;
	__u32 uid;
	__u64 agent;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct rule);
	__type(value, __u32);
} rules SEC(".maps");

/* Calls refused, by number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} refused SEC(".maps");

/*
 * Every way to widen a rule, narrowest first. Tells which, from 1 on, by what is
 * "any" in it: 1 for the number, 2 for the uid, 4 for the agent, and 1.
 */
static __always_inline __u32 *find(const struct rule *call, __u32 *which)
{
	__u32 wide;

	for (wide = 0; wide < 8; wide++) {
		struct rule rule = {
			.nr = wide & 1 ? ANY : call->nr,
			.uid = wide & 2 ? ANY : call->uid,
			.agent = wide & 4 ? ANY_AGENT : call->agent,
		};
		__u32 *error = bpf_map_lookup_elem(&rules, &rule);

		*which = wide + 1;
		if (error)
			return error;
	}
	return NULL;
}

SEC("fmod_ret/phi_hook_syscall_enter")
int BPF_PROG(call_filter, struct phi_hook_call___phi *call, int verdict)
{
	struct rule rule = {
		.nr = call->nr,
		.uid = call->uid,
		.agent = call->agent,
	};
	__u32 which;
	__u32 *error = find(&rule, &which);
	__u64 *count;

	if ((!error || !*error) && !call->via && call->task_euid != rule.uid) {
		rule.uid = call->task_euid;
		error = find(&rule, &which);
	}
	/* Another policy's refusal stands. */
	if (verdict || !error || !*error)
		return verdict;
	count = bpf_map_lookup_elem(&refused, &rule.nr);
	if (count)
		__sync_fetch_and_add(count, 1);
	bpf_phi_rule(which);
	return *error < 512 ? -(int)*error : -EPERM;
}

char _license[] SEC("license") = "GPL";
