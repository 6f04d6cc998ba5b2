// SPDX-License-Identifier: GPL-2.0-only
/*
 * phi_ai: a CPU scheduler that runs inferences first.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool struct_ops register phi_ai.bpf.o /sys/fs/bpf/phi
 *
 * and "rm /sys/fs/bpf/phi/phi_ai" gives the CPUs back to the kernel's own.
 *
 * Needs: struct sched_ext_ops
 *
 * Two queues for all CPUs: threads that run first, in the order of their
 * deadlines, and all others, in the order of arrival. First run those with an
 * inference in flight and those registered with the class PHI_THREAD_INFER; one
 * of class PHI_THREAD_BACKGROUND never does. A deadline counts from now to
 * LATEST_NS from now, which is also that of a thread without: so no thread that
 * runs first waits longer than that for others' deadlines. A CPU takes from the
 * first queue while there
 * is something in it, but when the second has not been served for STARVE_NS
 * it takes from that once: so the others keep at least one slice of it in
 * that time on every CPU, however much there is to infer. Their slice is
 * short, so an inference that arrives does not wait for long. Threads that
 * may use one CPU alone, as most of the kernel's, go straight to it.
 */
#include "phi.bpf.h"

#define INFER_DSQ 0
#define OTHER_DSQ 1

#define INFER_SLICE_NS 10000000ULL
#define OTHER_SLICE_NS 3000000ULL
#define STARVE_NS 30000000ULL
#define LATEST_NS 100000000ULL

/* When each CPU last served the others. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} served SEC(".maps");

/* Threads queued as inference [0], as others [1], sent straight on [2]. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} queued SEC(".maps");

struct exit_record {
	__s64 kind;
	__s64 code;
	char reason[64];
};

/* Why it ended, kept while the map is pinned or looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exit_record);
} ended SEC(".maps");

static void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&queued, &what);

	if (n)
		(*n)++;
}

/* Does a thread run first? Its deadline, on the clock of the queue. */
static bool first(struct task_struct *p, __u64 *due)
{
	__u64 now = bpf_ktime_get_ns();
	struct phi_thread_stat stat = {};

	/* One that is not registered leaves it zero: no class, no deadline. */
	bpf_phi_thread_stat(p->pid, &stat);
	*due = now + LATEST_NS;
	if (stat.deadline_ns && stat.deadline_ns < *due)
		*due = stat.deadline_ns > now ? stat.deadline_ns : now;
	if (stat.class == PHI_THREAD_BACKGROUND)
		return false;
	return stat.class == PHI_THREAD_INFER || bpf_phi_thread_infers(p->pid);
}

SEC("struct_ops/phi_ai_select_cpu")
s32 BPF_PROG(phi_ai_select_cpu, struct task_struct *p, s32 prev_cpu,
	     u64 wake_flags)
{
	bool idle = false;
	s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	if (idle) {
		count(2);
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, OTHER_SLICE_NS, 0);
	}
	return cpu;
}

SEC("struct_ops/phi_ai_enqueue")
void BPF_PROG(phi_ai_enqueue, struct task_struct *p, u64 enq_flags)
{
	__u64 due;

	if (p->nr_cpus_allowed == 1) {
		count(2);
		scx_bpf_dsq_insert(p, SCX_DSQ_LOCAL, OTHER_SLICE_NS, enq_flags);
	} else if (first(p, &due)) {
		count(0);
		scx_bpf_dsq_insert_vtime(p, INFER_DSQ, INFER_SLICE_NS, due,
					 enq_flags);
	} else {
		count(1);
		scx_bpf_dsq_insert(p, OTHER_DSQ, OTHER_SLICE_NS, enq_flags);
	}
}

SEC("struct_ops/phi_ai_dispatch")
void BPF_PROG(phi_ai_dispatch, s32 cpu, struct task_struct *prev)
{
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&served, &zero);
	__u64 now = bpf_ktime_get_ns();
	__u64 due;

	if (!last)
		return;
	if (now - *last < STARVE_NS) {
		if (scx_bpf_dsq_move_to_local(INFER_DSQ))
			return;
		/* The task that ran until now is in no queue yet. */
		if (prev && prev->scx.flags & SCX_TASK_QUEUED &&
		    first(prev, &due)) {
			prev->scx.slice = INFER_SLICE_NS;
			return;
		}
	}
	/* Also when there are none: they have nothing to complain of then. */
	*last = now;
	if (!scx_bpf_dsq_move_to_local(OTHER_DSQ))
		scx_bpf_dsq_move_to_local(INFER_DSQ);
}

SEC("struct_ops.s/phi_ai_init")
s32 BPF_PROG(phi_ai_init)
{
	s32 ret = scx_bpf_create_dsq(INFER_DSQ, -1);

	return ret ?: scx_bpf_create_dsq(OTHER_DSQ, -1);
}

SEC("struct_ops/phi_ai_exit")
void BPF_PROG(phi_ai_exit, struct scx_exit_info *info)
{
	struct exit_record record = {
		.kind = info->kind,
		.code = info->exit_code,
	};
	__u32 zero = 0;

	bpf_probe_read_kernel_str(record.reason, sizeof(record.reason),
				  info->reason);
	bpf_map_update_elem(&ended, &zero, &record, BPF_ANY);
}

SEC(".struct_ops.link")
struct sched_ext_ops phi_ai = {
	.select_cpu = (void *)phi_ai_select_cpu,
	.enqueue = (void *)phi_ai_enqueue,
	.dispatch = (void *)phi_ai_dispatch,
	.init = (void *)phi_ai_init,
	.exit = (void *)phi_ai_exit,
	.timeout_ms = 5000,
	.name = "phi_ai",
};

char _license[] SEC("license") = "GPL";
