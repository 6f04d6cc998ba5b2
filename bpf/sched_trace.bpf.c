// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched_trace: how long each thread ran and waited for a CPU.
 *
 *  mkdir -p /sys/fs/bpf/phi
 *  bpftool prog loadall sched_trace.bpf.o /sys/fs/bpf/phi/sched_trace \
 *	autoattach pinmaps /sys/fs/bpf/phi/sched_trace
 *
 * To look at a thread (here 1234), or at all of them:
 *
 *  bpftool map lookup pinned /sys/fs/bpf/phi/sched_trace/threads \
 *	key hex d2 04 00 00
 *  bpftool map dump pinned /sys/fs/bpf/phi/sched_trace/threads
 *
 * To count only the threads of one process (here 1234), set its number; 0,
 * the default, counts everything:
 *
 *  bpftool map update pinned /sys/fs/bpf/phi/sched_trace/only \
 *	key hex 00 00 00 00 value hex d2 04 00 00
 */
#include "phi.bpf.h"

struct thread {
	__u64 run_ns; /* on a CPU */
	__u64 wait_ns; /* runnable, not on one */
	__u64 switches; /* times it was given one */
	__u64 infer_ns; /* of run_ns, with an inference in flight */
	__u64 since_ns; /* up to when all this is accounted */
	__u32 tgid;
	__u32 runnable; /* it is on a CPU, or left it without going to sleep */
	__u32 infers; /* inferences in flight when last looked at */
	__u32 pad;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} only SEC(".maps");

static struct thread *thread_of(struct task_struct *task, bool make)
{
	__u32 pid = task->pid, zero = 0;
	struct thread *found, new = {};
	__u32 *tgid;

	/* The idle threads of all CPUs share pid 0. */
	if (!pid)
		return NULL;
	tgid = bpf_map_lookup_elem(&only, &zero);
	if (tgid && *tgid && *tgid != task->tgid)
		return NULL;
	found = bpf_map_lookup_elem(&threads, &pid);
	if (found || !make)
		return found;
	new.tgid = task->tgid;
	bpf_probe_read_kernel_str(new.comm, sizeof(new.comm), task->comm);
	bpf_map_update_elem(&threads, &pid, &new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &pid);
}

/* A thread that wakes begins to wait. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(sched_trace_wakeup, struct task_struct *task)
{
	struct thread *t = thread_of(task, true);

	if (t && !t->runnable) {
		t->since_ns = bpf_ktime_get_ns();
		t->runnable = 1;
	}
	return 0;
}

/* Account a thread's time on the CPU until now. */
static void account(struct thread *t, __u64 now)
{
	/* Seen coming on the CPU, so its time here is known. */
	if (t->switches) {
		t->run_ns += now - t->since_ns;
		if (t->infers)
			t->infer_ns += now - t->since_ns;
	}
	t->since_ns = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_trace_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next, unsigned int prev_state)
{
	__u64 now = bpf_ktime_get_ns();
	struct thread *t;

	t = thread_of(prev, false);
	if (t) {
		account(t, now);
		t->runnable = preempt || !prev_state;
	}
	t = thread_of(next, true);
	if (t) {
		if (t->runnable)
			t->wait_ns += now - t->since_ns;
		t->switches++;
		t->since_ns = now;
		t->runnable = 1;
		t->infers = bpf_phi_thread_infers(next->pid);
	}
	return 0;
}

/* An inference began or ended: what follows counts otherwise. */
static int turn(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = thread_of(task, false);

	if (t) {
		account(t, bpf_ktime_get_ns());
		t->infers = bpf_phi_thread_infers(task->pid);
	}
	return 0;
}

SEC("tp_btf/phi_infer_begin")
int BPF_PROG(sched_trace_begin)
{
	return turn();
}

SEC("tp_btf/phi_infer_end")
int BPF_PROG(sched_trace_end)
{
	return turn();
}

char _license[] SEC("license") = "GPL";
