/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_THREADS_H
#define PHI_THREADS_H

#include <phi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * phi_thread_register() - let others join, signal and place the calling thread
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle with ADMIN, SEND and GRANT that takes messages to
 *            the thread, or 0.
 * @badge: Badge of the messages, 0 without @endpoint.
 * @signo: Signal that the thread gets after each message, 1 to 31 but SIGKILL
 *         and SIGSTOP; 0 = none.
 * @cap: Out, THREAD handle with READ, WRITE, EXEC, ADMIN, GRANT, and SEND with
 *       @endpoint.
 *
 * Context: The thread itself.
 * Return: 0; -EEXIST when it is registered; or another negative errno.
 */
int phi_thread_register(int phi, uint64_t endpoint, uint64_t badge,
			unsigned int signo, uint64_t *cap);

/**
 * phi_thread_place() - let a thread run on some CPUs alone
 * @phi: Cspace.
 * @thread: THREAD handle with WRITE.
 * @cpus: A bit for each CPU, such as a cpu_set_t.
 * @len: Bytes at @cpus, a multiple of 8, 8 to PHI_THREAD_CPUS_MAX.
 *
 * Context: Any thread.
 * Return: 0; -EINVAL when it may use none of @cpus; -ESRCH when it has ended; or
 * another negative errno.
 */
int phi_thread_place(int phi, uint64_t thread, const void *cpus, size_t len);

/**
 * phi_thread_place_near() - let a thread run on the CPUs near a unit alone
 * @phi: Cspace.
 * @thread: THREAD handle with WRITE.
 * @unit: DEVICE handle with READ.
 *
 * Context: Any thread.
 * Return: 0; -EINVAL when it may use none of them; -ESRCH when it has ended; or
 * another negative errno.
 */
int phi_thread_place_near(int phi, uint64_t thread, uint64_t unit);

/**
 * phi_thread_yield() - yield the CPU to a thread
 * @phi: Cspace.
 * @thread: THREAD handle with EXEC.
 *
 * Context: Any thread.
 * Return: 1; 0 when that thread runs already or does not want to; -ESRCH when
 * it has ended; or another negative errno.
 */
int phi_thread_yield(int phi, uint64_t thread);

/**
 * phi_thread_signal() - send a message to a thread, and wake it
 * @phi: Cspace.
 * @thread: THREAD handle with SEND.
 * @data: The message; may be NULL when @len is 0.
 * @len: 0 to PHI_MSG_MAX.
 *
 * Context: Any thread.
 * Return: 0; -EAGAIN when its endpoint takes no more of the caller's now; -ESRCH
 * when it has ended; or another negative errno.
 */
int phi_thread_signal(int phi, uint64_t thread, const void *data, size_t len);

/**
 * phi_thread_join() - wait for the end of a thread
 * @phi: Cspace.
 * @thread: THREAD handle with READ, of another thread.
 * @flags: 0 or PHI_NONBLOCK.
 * @deadline_ns: CLOCK_MONOTONIC, 0 = none.
 * @how: Out, PHI_THREAD_EXITED, PHI_THREAD_KILLED or PHI_THREAD_EXECED; may be
 *       NULL.
 * @status: Out, its exit status, or the signal; may be NULL.
 *
 * Context: Any thread.
 * Return: 0; -EAGAIN when it runs and @flags is PHI_NONBLOCK; -ETIMEDOUT; or
 * another negative errno.
 */
int phi_thread_join(int phi, uint64_t thread, unsigned int flags,
		    uint64_t deadline_ns, uint32_t *how, int64_t *status);

/**
 * phi_thread_exit() - leave the exit status of the calling thread
 * @phi: Any cspace.
 * @status: The status that phi_thread_join() reads once the thread has exited.
 *
 * The thread goes on, and exits by itself.
 *
 * Context: The thread itself.
 * Return: 0; -ENOENT when it is not registered; or another negative errno.
 */
int phi_thread_exit(int phi, int64_t status);

/**
 * phi_thread_query() - look at a thread
 * @phi: Cspace.
 * @thread: THREAD handle with READ.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_thread_query(int phi, uint64_t thread, struct phi_thread_query *out);

/**
 * phi_thread_class() - say how urgent a thread is
 * @phi: Cspace.
 * @thread: THREAD handle with WRITE; 0 = the calling thread.
 * @class_: PHI_THREAD_NORMAL, PHI_THREAD_INFER or PHI_THREAD_BACKGROUND.
 * @deadline_ns: CLOCK_MONOTONIC, when its work has to be done; 0 = no matter.
 *
 * Context: Any thread.
 * Return: 0; -EPERM for PHI_THREAD_INFER without CAP_SYS_NICE; -ESRCH when it
 * has ended; or another negative errno.
 */
int phi_thread_class(int phi, uint64_t thread, uint32_t class_,
		     uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif /* PHI_THREADS_H */
