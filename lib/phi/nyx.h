/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_NYX_H
#define PHI_NYX_H

#include <phi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: libphi, the basic calls of PhiOS and libnyx
 *
 * Thin functions over the rest of libphi, for programs that have one cspace and
 * want no more than threads, memory, messages and processes. No function takes
 * a cspace: phi_nyx_cspace() is the one.
 *
 * With PHI_NYX_NAMES defined before this header, and after those of the C
 * library, the short names stand for them: create_thread(), exit(), yield(),
 * map_memory(), unmap_memory(), send_message(), receive_message() and
 * cap_invoke().
 */

/**
 * phi_nyx_cspace() - the cspace of this process
 *
 * The first call opens it: the one that phi_spawn() gave to the program, or a
 * new one. A child of fork() has another one. It stays open.
 *
 * Context: Any thread.
 * Return: The cspace, or the negative errno of phi_open().
 */
int phi_nyx_cspace(void);

/**
 * phi_nyx_create_thread() - start a thread that can be joined by its capability
 * @run: Runs in the thread; its result is the exit status.
 * @arg: Argument of @run.
 * @cap: Out, THREAD handle.
 *
 * Context: Any thread.
 * Return: 0, -EAGAIN at the limit of threads, or another negative errno; no
 * thread runs then.
 */
int phi_nyx_create_thread(int64_t (*run)(void *arg), void *arg, uint64_t *cap);

/**
 * phi_nyx_thread_join() - wait for the end of a thread, and drop its handle
 * @cap: THREAD handle with READ, of another thread; gone when this returns 0.
 * @status: Out, exit status, or 128 + the number of the signal that ended it;
 *          may be NULL.
 *
 * Context: Any thread.
 * Return: 0, -EINTR, or another negative errno.
 */
int phi_nyx_thread_join(uint64_t cap, int64_t *status);

/**
 * phi_nyx_exit() - end the calling thread
 * @status: Exit status.
 *
 * In a thread that phi_nyx_create_thread() did not start: end the process, with
 * the low 8 bits of @status.
 *
 * Context: Any thread.
 */
void phi_nyx_exit(int64_t status) __attribute__((noreturn));

/**
 * phi_nyx_yield() - let other threads run
 *
 * Context: Any thread.
 * Return: 0.
 */
int phi_nyx_yield(void);

/**
 * phi_nyx_sleep() - sleep
 * @ns: How long, in nanoseconds; signals do not shorten it.
 *
 * Context: Any thread.
 * Return: 0.
 */
int phi_nyx_sleep(uint64_t ns);

/**
 * phi_nyx_map_memory() - map a whole region
 * @cap: MEMORY handle with MAP and the rights that @prot asks for.
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC.
 * @addr: Out.
 * @len: Out, its length in bytes; may be NULL.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno, see phi_region_map().
 */
int phi_nyx_map_memory(uint64_t cap, int prot, void **addr, size_t *len);

/**
 * phi_nyx_unmap_memory() - undo phi_nyx_map_memory()
 * @addr: As it gave it.
 * @len: As it gave it.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_nyx_unmap_memory(void *addr, size_t len);

/**
 * phi_nyx_send() - send bytes
 * @cap: ENDPOINT or service object with SEND.
 * @data: The bytes; may be NULL when @len is 0.
 * @len: 0 to PHI_MSG_MAX.
 *
 * Context: Any thread. Waits until there is room.
 * Return: 0, -EINTR, or another negative errno.
 */
int phi_nyx_send(uint64_t cap, const void *data, size_t len);

/**
 * phi_nyx_receive() - receive bytes
 * @cap: ENDPOINT with RECV.
 * @data: Out.
 * @room: Bytes at @data; PHI_MSG_MAX are always enough.
 * @reply: Out, REPLY handle of a sender that waits for an answer, else 0. NULL
 *         drops it, and that sender gets -EPIPE.
 *
 * Capabilities that come with a message are dropped.
 *
 * Context: Any thread. Waits for a message.
 * Return: Bytes received; -EMSGSIZE when @room is too small, and the message is
 * lost; -EINTR, or another negative errno.
 */
int phi_nyx_receive(uint64_t cap, void *data, size_t room, uint64_t *reply);

/**
 * phi_nyx_cap_invoke() - do what a capability is for, whatever it names
 * @cap: Handle.
 * @op: PHI_OP_*, which its type must have.
 * @in: Input; NULL when @inlen is 0.
 * @inlen: Its length in bytes.
 * @out: Room for what comes out; NULL when nothing does.
 * @outlen: That room in bytes.
 *
 * Context: Any thread.
 * Return: Bytes that came out, -EMSGSIZE when there is too little room, or
 * another negative errno.
 */
int phi_nyx_cap_invoke(uint64_t cap, uint32_t op, const void *in, size_t inlen,
		       void *out, size_t outlen);

/**
 * phi_nyx_process_spawn() - start a program with some capabilities
 * @path: File of the program.
 * @argv: Arguments, @argv[0] the name, then NULL.
 * @caps: Capabilities that it starts with, @ncaps.
 * @ncaps: 0 to PHI_ENDOW_MAX.
 * @pidfd: Out, for phi_nyx_process_wait().
 *
 * It has the caller's standard input and outputs, and an empty environment.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno, see phi_spawn().
 */
int phi_nyx_process_spawn(const char *path, char *const argv[],
			  const struct phi_endowment *caps, uint32_t ncaps,
			  int *pidfd);

/**
 * phi_nyx_process_wait() - wait until a program ends
 * @pidfd: From phi_nyx_process_spawn(); closed when this returns 0.
 * @status: Out, exit status, or 128 + the number of the signal that ended it;
 *          may be NULL.
 *
 * Context: Any thread.
 * Return: 0, -EINTR, or another negative errno.
 */
int phi_nyx_process_wait(int pidfd, int *status);

/**
 * phi_nyx_process_exit() - end the process
 * @status: Exit status, 0 to 255.
 *
 * Context: Any thread.
 */
void phi_nyx_process_exit(int status) __attribute__((noreturn));

#ifdef PHI_NYX_NAMES
#define create_thread(_run, _arg, _cap) phi_nyx_create_thread(_run, _arg, _cap)
#define exit(_status) phi_nyx_exit(_status)
#define yield phi_nyx_yield
#define map_memory(_cap, _prot, _addr, _len) \
	phi_nyx_map_memory(_cap, _prot, _addr, _len)
#define unmap_memory(_addr, _len) phi_nyx_unmap_memory(_addr, _len)
#define send_message(_cap, _data, _len) phi_nyx_send(_cap, _data, _len)
#define receive_message(_cap, _data, _room, _reply) \
	phi_nyx_receive(_cap, _data, _room, _reply)
#define cap_invoke(_cap, _op, _in, _inlen, _out, _outlen) \
	phi_nyx_cap_invoke(_cap, _op, _in, _inlen, _out, _outlen)
#endif

#ifdef __cplusplus
}
#endif

#endif /* PHI_NYX_H */
