/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_BPF_H
#define _PHI_BPF_H

/*
 * Shared by policies: the hooks' arguments and the functions of phi.ko.
 *
 * vmlinux.h knows nothing of a module. The ___phi flavours below carry only
 * the fields that policies read; libbpf finds where the module that is loaded
 * keeps them, so a policy survives when kmod/hook.h grows.
 *
 * A verdict of syscall_enter is 0 or a negative errno; any other value, a
 * positive one too, refuses the call with EPERM. infer_pre may return the most
 * inputs of a batch, select_unit the number of a unit plus 1.
 */

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The foreign call n, as one of MATHIS, is PHI_CALL_FOREIGN + n. */
#define PHI_CALL_FOREIGN 0x10000U

#define EPERM 1
#define EAGAIN 11
#define EBUSY 16

#define PHI_UNITS_MAX 64
#define PHI_UNIT_UNKNOWN 0xffffffffU

/*
 * One call on its way; see struct phi_hook_call. @uid opened /dev/phi, @task_*
 * make the call.
 */
struct phi_hook_call___phi {
	__u32 nr;
	__u32 uid;
	__u32 tgid;
	__u32 task_uid;
	__u32 task_euid;
	__u32 to_uid;
	__u32 to_tgid;
	__u32 via;
	__u64 to_agent;
	__u64 agent;
	__u64 handle;
	__u64 start_ns;
	__u64 bytes;
	__u64 arg;
} __attribute__((preserve_access_index));

/* One batch on its way; see struct phi_hook_infer. */
struct phi_hook_infer___phi {
	__u64 model;
	__u32 batch;
	__u32 wanted;
	__u32 unit;
	__u32 uid;
	__u64 agent;
	__u64 deadline_ns;
	__u64 queued_ns;
	__u64 run_ns;
	__s32 result;
	__u64 units;
	char name[32];
} __attribute__((preserve_access_index));

#define PHI_THREAD_NORMAL 0
#define PHI_THREAD_INFER 1
#define PHI_THREAD_BACKGROUND 2

/* These three are filled by the module, so their layout is fixed. */
struct phi_cap_info {
	__u32 type;
	__u32 rights;
	__u64 badge;
	__u64 expires_ns;
	__u32 depth;
	__u32 pad;
};

struct phi_unit_stat {
	__u32 kind;
	__u32 node;
	__u32 capacity;
	__u32 in_flight;
	__u32 load;
	__u32 temperature;
	__u32 power;
	__u32 healthy;
	__u64 batches;
	__u64 items;
	__u64 run_ns;
};

struct phi_thread_stat {
	__u64 deadline_ns;
	__u32 class;
	__u32 pad;
};

/* Functions of phi.ko; see kmod/hook.c. */
extern void bpf_phi_rule(__u32 rule) __ksym;
extern int bpf_phi_call_cap(struct phi_cap_info *info) __ksym;
extern int bpf_phi_unit_stat(__u32 id, struct phi_unit_stat *stat) __ksym;
extern __u64 bpf_phi_unit_average(__u64 model, __u32 unit) __ksym;
extern __u64 bpf_phi_rate_take(__u64 *bucket, __u64 per_second,
			       __u64 burst) __ksym;
extern __u32 bpf_phi_thread_infers(__u32 pid) __ksym;
extern int bpf_phi_thread_stat(__u32 pid, struct phi_thread_stat *stat) __ksym;
extern bool bpf_phi_port_open(__u8 proto, __u16 port) __ksym;

/* Position of the highest bit: the log2 histograms' slot of @n, 0 for 0. */
static __always_inline __u32 phi_log2(__u64 n)
{
	__u32 slot = 0;

	if (n >> 32) {
		n >>= 32;
		slot += 32;
	}
	if (n >> 16) {
		n >>= 16;
		slot += 16;
	}
	if (n >> 8) {
		n >>= 8;
		slot += 8;
	}
	if (n >> 4) {
		n >>= 4;
		slot += 4;
	}
	if (n >> 2) {
		n >>= 2;
		slot += 2;
	}
	return slot + (n >> 1);
}

#endif /* _PHI_BPF_H */
