/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_PHI_H
#define PHI_PHI_H

#include <phi.h>
#include <phi/caps.h>
#include <phi/inference.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: libphi, the calls
 *
 * One function a call of /dev/phi; its struct in uapi/phi/ says what the call
 * means, which rights it needs and how it fails. Caveats first:
 *
 *  - Every function returns 0 or more, or a negative errno; errno is not set.
 *  - Out pointers are written on success. NULL where the comment allows it.
 *  - A call that waits returns -EINTR when a signal handler ran that was
 *    installed without SA_RESTART. The others repeat the call.
 *  - Deadlines (CLOCK_MONOTONIC) and expiries (CLOCK_BOOTTIME): ns, 0 = none.
 *  - A cspace ends with its opener, whoever has the file: children open theirs.
 *  - Touching a mapped region whose capability was revoked is SIGBUS.
 */

/* phi_open() flag: children and other processes may use the cspace. */
#define PHI_OPEN_SHARED 0x1U

/**
 * phi_open() - open a cspace of one's own
 * @flags: 0 or PHI_OPEN_SHARED: the file stays open over execve() and whoever
 *         has it may use the cspace.
 *
 * Context: Any thread.
 * Return: The file, to be closed with phi_close(), or -ENOENT when the module
 * is not loaded, -EACCES without permission on /dev/phi, -EOPNOTSUPP for an
 * unknown flag, or what open() fails with.
 */
int phi_open(unsigned int flags);

/**
 * phi_close() - close a cspace; all its capabilities are dropped
 * @phi: From phi_open().
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_close(int phi);

/**
 * phi_cspace_share() - let others use this cspace, or not
 * @phi: Cspace of this process.
 * @shared: Whether whoever has the file may use it.
 *
 * Context: Any thread.
 * Return: 0, -EPERM when another process owns it, or another negative errno.
 */
int phi_cspace_share(int phi, bool shared);

/**
 * phi_region_create() - make a zeroed region
 * @phi: Cspace.
 * @bytes: Length; a non-zero multiple of the page size.
 * @flags: 0 or PHI_REGION_DMA, whose pages can be pinned.
 * @cap: Out, handle with READ, WRITE, EXEC, MAP, ADMIN, GRANT; PIN for DMA.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_create(int phi, uint64_t bytes, unsigned int flags,
		      uint64_t *cap);

/**
 * phi_region_info() - say how long a region is and where to map it
 * @phi: Cspace.
 * @cap: MEMORY handle.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_info(int phi, uint64_t cap, struct phi_region_info *out);

/**
 * phi_region_map() - map a whole region
 * @phi: Cspace.
 * @cap: MEMORY handle with MAP and the rights that @prot asks for.
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC.
 * @addr: Out.
 * @len: Out, its length; may be NULL.
 *
 * The mapping goes when @cap is dropped, moved away, revoked or expires;
 * the address range stays reserved, and touching it is SIGBUS, until
 * phi_region_unmap().
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_map(int phi, uint64_t cap, int prot, void **addr, size_t *len);

/**
 * phi_region_slice() - derive a capability to some pages of a region
 * @phi: Cspace.
 * @cap: MEMORY handle.
 * @offset: First byte, counted from the first one that @cap gives access to;
 *          a multiple of the page size.
 * @bytes: Length; a non-zero multiple of the page size.
 * @rights: PHI_RIGHT_*, a subset of those of @cap.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @cap.
 * @out: Out, the new handle, which is used as that of a region of @bytes.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_slice(int phi, uint64_t cap, uint64_t offset, uint64_t bytes,
		     uint32_t rights, uint64_t expires_ns, uint64_t *out);

/**
 * phi_region_snapshot() - make a region that holds what another holds now
 * @phi: Cspace.
 * @cap: MEMORY handle with READ and ADMIN, to a region or a slice that is not
 *       of the DMA class.
 * @out: Out, handle of the new region with READ, WRITE, EXEC, MAP, ADMIN and
 *       GRANT.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_snapshot(int phi, uint64_t cap, uint64_t *out);

/**
 * phi_region_adopt() - make a region of pages of a sealed memfd
 * @phi: Cspace.
 * @memfd: With F_SEAL_SHRINK; open for reading, and for writing when the region
 *         is to be written.
 * @offset: First byte; a multiple of the page size.
 * @bytes: Length, inside of the memfd; a non-zero multiple of the page size.
 * @out: Out, the handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_adopt(int phi, int memfd, uint64_t offset, uint64_t bytes,
		     uint64_t *out);

/**
 * phi_region_adopt_private() - make a region of memory of the process
 * @phi: Cspace.
 * @addr: Writable anonymous memory, aligned to the page size.
 * @len: A non-zero multiple of the page size.
 * @out: Out, the handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_adopt_private(int phi, void *addr, size_t len, uint64_t *out);

/**
 * phi_region_wait() - wait until a word of a region is woken
 * @phi: Cspace.
 * @cap: MEMORY handle with READ.
 * @offset: Of a word of 32 bits, in bytes, counted from the first one that @cap
 *          gives access to; a multiple of 4.
 * @value: Waits only if the word holds this.
 * @flags: 0 or PHI_NONBLOCK.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 *
 * A return of 0 says that the word was woken or holds another value: look at
 * it again.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_wait(int phi, uint64_t cap, uint64_t offset, uint32_t value,
		    unsigned int flags, uint64_t deadline_ns);

/**
 * phi_region_wake() - wake threads that wait for a word of a region
 * @phi: Cspace.
 * @cap: MEMORY handle with WRITE.
 * @offset: Of the word, as for phi_region_wait().
 * @count: Threads to wake at most, those first that wait longest; not 0.
 * @woken: Out, how many were woken; may be NULL.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_wake(int phi, uint64_t cap, uint64_t offset, uint32_t count,
		    uint32_t *woken);

/**
 * phi_region_unmap() - undo phi_region_map()
 * @addr: As it gave it.
 * @len: As it gave it.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_region_unmap(void *addr, size_t len);

/**
 * struct phi_msg - a message to send
 * @data: @len bytes; may be NULL when @len is 0.
 * @len: 0 to PHI_MSG_MAX.
 * @ncaps: 0 to PHI_MSG_CAPS_MAX.
 * @caps: The first @ncaps are given.
 */
struct phi_msg {
	const void *data;
	uint32_t len;
	uint32_t ncaps;
	struct phi_xfer caps[PHI_MSG_CAPS_MAX];
};

/**
 * struct phi_msg_in - a message received, or an answer
 * @data: Its bytes, aligned for any struct.
 * @len: How many.
 * @ncaps: Capabilities that came.
 * @caps: The first @ncaps are set; they are the receiver's to drop.
 * @reply: REPLY handle when the sender waits for an answer, else 0.
 * @badge: Badge of the capability the sender used.
 * @type: Its type.
 * @rights: Its rights.
 * @pid: The sender's process, 0 when it has no number here.
 * @uid: The sender's user.
 * @reply_error: Set by phi_reply_recv() only, whatever it returns: 0 when the
 *               answer went out, -EPIPE when the caller of the request before
 *               had given up; any other error when nothing was answered.
 *
 * Of an answer that phi_call() took, only @data, @len, @ncaps and @caps are
 * set; the others are 0.
 */
struct phi_msg_in {
	alignas(16) uint8_t data[PHI_MSG_MAX];
	uint32_t len;
	uint32_t ncaps;
	struct phi_xferred caps[PHI_MSG_CAPS_MAX];
	uint64_t reply;
	uint64_t badge;
	uint32_t type;
	uint32_t rights;
	uint32_t pid;
	uint32_t uid;
	int reply_error;
};

/**
 * phi_endpoint_create() - make a mailbox
 * @phi: Cspace.
 * @cap: Out, handle with SEND, RECV, ADMIN and GRANT.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_create(int phi, uint64_t *cap);

/**
 * phi_send() - send a message
 * @phi: Cspace.
 * @endpoint: ENDPOINT or service object with SEND.
 * @msg: The message.
 * @flags: 0 or PHI_NONBLOCK.
 * @deadline_ns: For the wait until there is room.
 *
 * Context: Any thread. May wait.
 * Return: 0, -EINTR, or another negative errno; nothing was sent then.
 */
int phi_send(int phi, uint64_t endpoint, const struct phi_msg *msg,
	     unsigned int flags, uint64_t deadline_ns);

/**
 * phi_recv() - take the next message
 * @phi: Cspace.
 * @endpoint: ENDPOINT with RECV.
 * @in: Out.
 * @flags: PHI_NONBLOCK, PHI_RECV_NOCAPS.
 * @deadline_ns: For the wait.
 *
 * Context: Any thread. May wait.
 * Return: 0, -EINTR, or another negative errno; nothing was taken then.
 */
int phi_recv(int phi, uint64_t endpoint, struct phi_msg_in *in,
	     unsigned int flags, uint64_t deadline_ns);

/**
 * phi_call() - send a message and wait for its answer
 * @phi: Cspace.
 * @endpoint: ENDPOINT or service object with SEND.
 * @msg: The request.
 * @answer: Out.
 * @flags: 0 or PHI_NONBLOCK, for the way there.
 * @deadline_ns: For both ways.
 *
 * A thread that is stopped, frozen or traced meanwhile still gets its answer.
 *
 * Context: Any thread. Waits.
 * Return: 0; -EPIPE when the receiver died or dropped the request; -EINTR
 * when a signal handler ran, and the receiver may or may not have acted; or
 * another negative errno.
 */
int phi_call(int phi, uint64_t endpoint, const struct phi_msg *msg,
	     struct phi_msg_in *answer, unsigned int flags,
	     uint64_t deadline_ns);

/**
 * phi_reply() - answer a call
 * @phi: Cspace.
 * @reply: REPLY handle from phi_recv(); gone when this returns 0 or -EPIPE.
 * @msg: The answer.
 *
 * Context: Any thread. Never waits.
 * Return: 0, -EPIPE when the caller gave up, or another negative errno.
 */
int phi_reply(int phi, uint64_t reply, const struct phi_msg *msg);

/**
 * phi_reply_recv() - answer a call and take the next message in one entry
 * @phi: Cspace.
 * @reply: REPLY handle, or 0 to answer nobody; used up when @in says that the
 *         answer went out or that the caller gave up.
 * @msg: The answer.
 * @endpoint: ENDPOINT with RECV.
 * @in: Out.
 * @flags: As for phi_recv().
 * @deadline_ns: As for phi_recv().
 *
 * Context: Any thread. May wait.
 * Return: 0; -EINTR when a signal came during the wait; or another negative
 * errno. When @in says that the answer went out, go on with phi_recv().
 */
int phi_reply_recv(int phi, uint64_t reply, const struct phi_msg *msg,
		   uint64_t endpoint, struct phi_msg_in *in, unsigned int flags,
		   uint64_t deadline_ns);

/**
 * phi_endpoint_fd() - make a file that tells when an endpoint is ready
 * @phi: Cspace.
 * @endpoint: ENDPOINT with RECV, or SEND, or both.
 *
 * Context: Any thread.
 * Return: An O_CLOEXEC file to poll and close, or a negative errno.
 */
int phi_endpoint_fd(int phi, uint64_t endpoint);

/**
 * phi_endpoint_watch() - get notified when an endpoint dies
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Bits to signal, not 0.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_watch(int phi, uint64_t endpoint, uint64_t notify,
		       uint64_t bits);

/**
 * phi_notify_create() - make a word of 64 notification bits
 * @phi: Cspace.
 * @cap: Out, handle with READ, WRITE, ADMIN and GRANT.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_notify_create(int phi, uint64_t *cap);

/**
 * phi_notify_signal() - set bits
 * @phi: Cspace.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Not 0.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_notify_signal(int phi, uint64_t notify, uint64_t bits);

/**
 * phi_notify_wait() - take bits that are set
 * @phi: Cspace.
 * @notify: NOTIFY handle with READ.
 * @mask: Bits to wait for, not 0.
 * @flags: 0 or PHI_NONBLOCK.
 * @deadline_ns: For the wait.
 * @bits: Out, those of @mask that were set and are clear now.
 *
 * Context: Any thread. May wait.
 * Return: 0, -EINTR, or another negative errno; nothing was taken then.
 */
int phi_notify_wait(int phi, uint64_t notify, uint64_t mask, unsigned int flags,
		    uint64_t deadline_ns, uint64_t *bits);

/**
 * phi_notify_bind() - let signals add to an eventfd
 * @phi: Cspace.
 * @notify: NOTIFY handle with ADMIN.
 * @eventfd: An eventfd, or -1 to unbind.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_notify_bind(int phi, uint64_t notify, int eventfd);

/**
 * phi_agent_register() - name the processes of a cgroup as one agent
 * @phi: Cspace.
 * @cgroup: File of a cgroup v2 directory.
 * @name: Shorter than PHI_NAME_MAX, not empty.
 * @parent: AGENT handle with ADMIN of the nearest agent above the cgroup, 0
 *          when none is.
 * @id: Out, the agent's number; may be NULL.
 * @cap: Out, AGENT handle; the agent lasts as long as it.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_agent_register(int phi, int cgroup, const char *name, uint64_t parent,
		       uint64_t *id, uint64_t *cap);

/**
 * phi_system_info() - read the module's version and features
 * @phi: Cspace.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_system_info(int phi, struct phi_system_info *out);

/**
 * phi_system_stats() - read what exists and what the caller's user spent
 * @phi: Cspace.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_system_stats(int phi, struct phi_system_stats *out);

/**
 * phi_budget_create() - make a budget
 * @phi: Cspace.
 * @parent: BUDGET handle with ADMIN that the amounts come out of, or 0.
 * @amount: Amounts by PHI_BUDGET_*, each at most PHI_BUDGET_MAX.
 * @cap: Out, BUDGET handle with READ, WRITE, ADMIN and GRANT.
 *
 * Context: Any thread.
 * Return: 0; -EDQUOT when @parent has less free; or a negative errno.
 */
int phi_budget_create(int phi, uint64_t parent,
		      const uint64_t amount[PHI_BUDGET_KINDS], uint64_t *cap);

/**
 * phi_budget_query() - read the amounts of a budget
 * @phi: Cspace.
 * @budget: BUDGET handle with READ.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_budget_query(int phi, uint64_t budget, struct phi_budget_query *out);

/**
 * phi_budget_reserve() - take amounts out of a budget until they are settled
 * @phi: Cspace, whose end cancels the reservation.
 * @budget: BUDGET handle with WRITE.
 * @amount: Amounts by PHI_BUDGET_*: all are taken, or none.
 * @reservation: Out, a number for phi_budget_settle().
 *
 * Context: Any thread.
 * Return: 0; -EDQUOT when less is free of a kind; or a negative errno.
 */
int phi_budget_reserve(int phi, uint64_t budget,
		       const uint64_t amount[PHI_BUDGET_KINDS],
		       uint64_t *reservation);

/**
 * phi_budget_settle() - spend what was used of a reservation
 * @phi: Cspace that made the reservation.
 * @reservation: Number of the reservation, which ends.
 * @amount: Amounts used, by PHI_BUDGET_*; more than was reserved comes out of
 *          what is free.
 *
 * Context: Any thread.
 * Return: 0; -EDQUOT when less is free than was used beyond the reservation,
 * which stays, or -EKEYREVOKED or -EKEYEXPIRED when the capability is gone;
 * -ENOENT when there is none; or a negative errno.
 */
int phi_budget_settle(int phi, uint64_t reservation,
		      const uint64_t amount[PHI_BUDGET_KINDS]);

/**
 * phi_budget_cancel() - give a reservation back
 * @phi: Cspace that made the reservation.
 * @reservation: Number of the reservation, which ends.
 *
 * Context: Any thread.
 * Return: 0; -ENOENT when there is none; or a negative errno.
 */
int phi_budget_cancel(int phi, uint64_t reservation);

/**
 * phi_budget_grant() - add amounts to a budget
 * @phi: Cspace.
 * @budget: BUDGET handle with READ.
 * @parent: BUDGET handle with ADMIN to the budget above, whose amounts they
 *          were; for a budget of one's own without a parent: @budget.
 * @amount: Amounts to add, by PHI_BUDGET_*.
 *
 * Context: Any thread.
 * Return: 0; -EDQUOT when @parent has less free; or a negative errno.
 */
int phi_budget_grant(int phi, uint64_t budget, uint64_t parent,
		     const uint64_t amount[PHI_BUDGET_KINDS]);

/**
 * phi_budget_watch() - signal bits when a budget runs low
 * @phi: Cspace.
 * @budget: BUDGET handle with ADMIN.
 * @notify: NOTIFY handle with WRITE, or 0 to end the watch.
 * @low: Bits to signal when 80 % of an amount are in use.
 * @spent: Bits to signal when all of an amount is in use.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_budget_watch(int phi, uint64_t budget, uint64_t notify, uint64_t low,
		     uint64_t spent);

/**
 * phi_session_create() - let a dispatcher ask for this process
 * @phi: Cspace.
 * @cap: Out, SESSION handle with EXEC, ADMIN and GRANT.
 *
 * Context: Any thread; decisions on the checks name the calling one.
 * Return: 0 or a negative errno.
 */
int phi_session_create(int phi, uint64_t *cap);

/**
 * phi_call_check() - ask whether a client may make calls of another interface
 * @phi: Cspace.
 * @session: SESSION handle with EXEC of the client; 0 asks for this process.
 * @checks: The calls, whose results are written.
 * @n: Number of @checks, 1 to PHI_CHECKS_MAX.
 *
 * Context: Any thread.
 * Return: How many checks were refused; -ESRCH when the client has ended; or a
 * negative errno.
 */
int phi_call_check(int phi, uint64_t session, struct phi_check *checks,
		   uint32_t n);

/**
 * phi_decision_query() - read why a call was refused
 * @phi: Cspace.
 * @id: Number of a decision, or where the search begins; see @flags.
 * @flags: 0 for the decision @id; PHI_DECISION_AFTER or PHI_DECISION_BEFORE for
 *         the next one in that direction, with @id 0 from the beginning or the
 *         end; PHI_DECISION_THREAD, PHI_DECISION_ALL.
 * @agent: AGENT handle with ADMIN, whose decisions are read, or 0.
 * @out: Out.
 * @lost: Out, decisions on the same user that newer ones replaced, 0 where those
 *        of one agent are read; may be NULL.
 *
 * Context: Any thread.
 * Return: 0; -ENOENT when there is none, or it was replaced; or a negative
 * errno.
 */
int phi_decision_query(int phi, uint64_t id, unsigned int flags, uint64_t agent,
		       struct phi_decision *out, uint64_t *lost);

/**
 * phi_why() - read why the last call of this thread was refused
 * @phi: Cspace of the user that made the call.
 * @out: Out.
 *
 * Calls that failed for other reasons than a refusal leave no decision, and the
 * one before is read.
 *
 * Context: Any thread.
 * Return: 0; -ENOENT when no call of this thread was refused, or newer
 * decisions replaced it; or a negative errno.
 */
int phi_why(int phi, struct phi_decision *out);

#ifdef __cplusplus
}
#endif

#endif /* PHI_PHI_H */
