/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_THREAD_H
#define _PHI_THREAD_H

#include <phi/base.h>

/**
 * DOC: Threads
 *
 * A thread registers itself, and hands to others what they may do with it: READ
 * to query and join it, WRITE to place it and set its class, EXEC to yield to
 * it, SEND to send it a message.
 *
 * The registration ends when the thread exits, or executes a program. Its
 * capabilities stay until they are dropped: with READ they say how it ended. A
 * child that the thread forks is another thread.
 */

/* How a thread is or ended. */
#define PHI_THREAD_RUNS 0
#define PHI_THREAD_EXITED 1 /* by itself, or its process exited */
#define PHI_THREAD_KILLED 2 /* a signal ended its process */
#define PHI_THREAD_EXECED 3 /* it executed a program */

/* Classes, for policies that schedule. */
#define PHI_THREAD_NORMAL 0 /* runs first while it has an inference in flight */
#define PHI_THREAD_INFER 1 /* always runs first */
#define PHI_THREAD_BACKGROUND 2 /* never runs first */

/* Bytes of the longest mask of CPUs. */
#define PHI_THREAD_CPUS_MAX 1024

/**
 * struct phi_thread_register - ioctl(PHI_IOC_THREAD_REGISTER)
 * @size: sizeof(struct phi_thread_register).
 * @flags: Must be 0.
 * @endpoint: ENDPOINT handle with ADMIN, SEND and GRANT that takes the messages
 *            of THREAD_SIGNAL; 0 = the new handle lacks SEND.
 * @badge: Badge of those messages. When @endpoint has a badge it must be that
 *         one, and 0 without @endpoint.
 * @signo: Signal that the thread gets after each message, which interrupts what
 *         it waits in: 1 to 31, neither SIGKILL nor SIGSTOP; 0 = none. Needs
 *         @endpoint.
 * @pad: Must be 0.
 * @cap: Out, THREAD handle with READ, WRITE, EXEC, ADMIN and GRANT, and SEND
 *       with @endpoint. It is derived from @endpoint, and dies with that.
 *
 * Register the calling thread. Fails with EEXIST when it is registered, until
 * the last capability is gone; with EINVAL in a worker of io_uring.
 */
struct phi_thread_register {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 badge;
	__u32 signo;
	__u32 pad;
	__aligned_u64 cap;
};

#define PHI_IOC_THREAD_REGISTER _IO(PHI_IOC_MAGIC, 0x40)

/**
 * struct phi_thread_place - ioctl(PHI_IOC_THREAD_PLACE)
 * @size: sizeof(struct phi_thread_place).
 * @flags: Must be 0.
 * @thread: THREAD handle with WRITE.
 * @unit: DEVICE handle with READ: the CPUs of the unit's NUMA node, all when
 *        that is PHI_UNIT_UNKNOWN. 0 = @cpus says which.
 * @cpus: Pointer to @len bytes, a bit for each CPU, CPU 0 the lowest of the
 *        first 8 bytes, which are a number of the host. Bits beyond the last
 *        CPU of the host are ignored.
 * @len: A multiple of 8, 8 to PHI_THREAD_CPUS_MAX. With @unit @cpus and @len
 *       must be 0.
 * @pad: Must be 0.
 *
 * Let the thread run on some of the CPUs alone that it may use now. The others
 * are gone for later placements too: sched_setaffinity(2) gives them back, and
 * a change of its cpuset undoes the placement. Fails with EINVAL when the thread
 * may use none of those asked for, or the unit's node does not exist; with ESRCH
 * when the thread has ended, or executes a program meanwhile.
 */
struct phi_thread_place {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__aligned_u64 unit;
	__aligned_u64 cpus;
	__u32 len;
	__u32 pad;
};

#define PHI_IOC_THREAD_PLACE _IO(PHI_IOC_MAGIC, 0x41)

/**
 * struct phi_thread_yield - ioctl(PHI_IOC_THREAD_YIELD)
 * @size: sizeof(struct phi_thread_yield).
 * @flags: Must be 0.
 * @thread: THREAD handle with EXEC.
 * @yielded: Out, 1 when the scheduler let go of the caller in favour of the
 *           thread; 0 when that runs already, sleeps, or is of another
 *           scheduling class.
 * @pad: Must be 0.
 *
 * Yield the CPU to a thread that is ready to run. Fails with ESRCH when it has
 * ended.
 */
struct phi_thread_yield {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__u32 yielded;
	__u32 pad;
};

#define PHI_IOC_THREAD_YIELD _IO(PHI_IOC_MAGIC, 0x42)

/**
 * struct phi_thread_signal - ioctl(PHI_IOC_THREAD_SIGNAL)
 * @size: sizeof(struct phi_thread_signal).
 * @flags: Must be 0.
 * @thread: THREAD handle with SEND.
 * @data: Pointer to @len bytes.
 * @len: 0 to PHI_MSG_MAX.
 * @pad: Must be 0.
 *
 * Send a message to the endpoint of a thread, as SEND does, with the badge of
 * the handle and the type PHI_TYPE_THREAD, and wake the thread as it asked for
 * when it registered. Never waits: EAGAIN when the endpoint takes no more
 * messages of the caller now. ESRCH when the thread has ended, EPIPE when the
 * endpoint is dead.
 */
struct phi_thread_signal {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__aligned_u64 data;
	__u32 len;
	__u32 pad;
};

#define PHI_IOC_THREAD_SIGNAL _IO(PHI_IOC_MAGIC, 0x43)

/**
 * struct phi_thread_join - ioctl(PHI_IOC_THREAD_JOIN)
 * @size: sizeof(struct phi_thread_join).
 * @flags: 0 or PHI_NONBLOCK.
 * @thread: THREAD handle with READ, of another thread than the caller, else
 *          EINVAL.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 * @how: Out, PHI_THREAD_EXITED, PHI_THREAD_KILLED or PHI_THREAD_EXECED.
 * @pad: Must be 0.
 * @status: Out. Exited: what THREAD_EXIT left, else the exit status of the
 *          thread or its process, 0 to 255. Killed: the signal. Else 0.
 *
 * Wait for the end of a thread, which runs no code of its program any more
 * then. The memory that a thread library keeps for it is that library's to
 * free. Any number of threads may join one, and each as often as it likes.
 */
struct phi_thread_join {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__aligned_u64 deadline_ns;
	__u32 how;
	__u32 pad;
	__s64 status;
};

#define PHI_IOC_THREAD_JOIN _IO(PHI_IOC_MAGIC, 0x44)

/**
 * struct phi_thread_exit - ioctl(PHI_IOC_THREAD_EXIT)
 * @size: sizeof(struct phi_thread_exit).
 * @flags: Must be 0.
 * @status: The status that THREAD_JOIN reads once the thread has exited.
 *
 * Leave the exit status of the calling thread, which goes on and exits by
 * itself. The last one counts. Fails with ENOENT when the thread is not
 * registered.
 */
struct phi_thread_exit {
	__u32 size;
	__u32 flags;
	__s64 status;
};

#define PHI_IOC_THREAD_EXIT _IO(PHI_IOC_MAGIC, 0x45)

/**
 * struct phi_thread_query - ioctl(PHI_IOC_THREAD_QUERY)
 * @size: sizeof(struct phi_thread_query).
 * @flags: Must be 0.
 * @thread: THREAD handle with READ.
 * @tid: Out, number of the thread in the pid namespace of the caller's cspace;
 *       0 when it has none there, or has ended.
 * @pid: Out, of its process.
 * @how: Out, PHI_THREAD_RUNS, or how it ended.
 * @class: Out, PHI_THREAD_NORMAL, PHI_THREAD_INFER or PHI_THREAD_BACKGROUND.
 * @status: Out, as from THREAD_JOIN; 0 while it runs.
 * @deadline_ns: Out, CLOCK_MONOTONIC; 0 = none.
 * @cpus: Out, number of CPUs it may run on; 0 when it has ended.
 * @signo: Out, as registered.
 */
struct phi_thread_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__u32 tid;
	__u32 pid;
	__u32 how;
	__u32 class;
	__s64 status;
	__aligned_u64 deadline_ns;
	__u32 cpus;
	__u32 signo;
};

#define PHI_IOC_THREAD_QUERY _IO(PHI_IOC_MAGIC, 0x46)

/**
 * struct phi_thread_class - ioctl(PHI_IOC_THREAD_CLASS)
 * @size: sizeof(struct phi_thread_class).
 * @flags: Must be 0.
 * @thread: THREAD handle with WRITE; 0 = the calling thread, ENOENT when that
 *          is not registered.
 * @class: PHI_THREAD_NORMAL, PHI_THREAD_INFER or PHI_THREAD_BACKGROUND.
 * @pad: Must be 0.
 * @deadline_ns: CLOCK_MONOTONIC; when its work has to be done, 0 = no matter.
 *
 * Say how urgent a thread is, for schedulers that ask: those that run first do
 * so in the order of their deadlines. PHI_THREAD_INFER needs CAP_SYS_NICE in
 * the first user namespace, else EPERM. Fails with ESRCH when the thread has
 * ended.
 */
struct phi_thread_class {
	__u32 size;
	__u32 flags;
	__aligned_u64 thread;
	__u32 class;
	__u32 pad;
	__aligned_u64 deadline_ns;
};

#define PHI_IOC_THREAD_CLASS _IO(PHI_IOC_MAGIC, 0x47)

#endif /* _PHI_THREAD_H */
