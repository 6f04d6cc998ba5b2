/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_ENDPOINT_H
#define _PHI_ENDPOINT_H

#include <phi/base.h>

/**
 * DOC: Endpoints and messages
 *
 * An endpoint is a mailbox. A message is up to PHI_MSG_MAX bytes and
 * PHI_MSG_CAPS_MAX capabilities; longer data travels in a region whose
 * capability the message carries. Messages of one sender arrive in order.
 *
 * The sender pays: message bytes and capabilities in flight are charged to
 * its user, and each cspace has a credit at each endpoint, so that nobody
 * can fill another's queue. Without credit a send waits, or is EAGAIN.
 *
 * An endpoint dies with the last handle in any cspace that has RECV;
 * capabilities in queues do not count. All that wait get EPIPE then.
 */

/*
 * struct phi_xfer flags. Copy makes a child of the sender's capability. Move
 * gives that itself, or with fewer rights a sibling in its stead: it dies with
 * what the sender's would have died with, as far as that was above it. A
 * revoke of the sender's alone, before it has moved, kills the sibling too.
 */
#define PHI_XFER_MOVE (1U << 0)

/**
 * struct phi_xfer - a capability given with a message
 * @cap: Handle with GRANT.
 * @flags: 0 to copy, PHI_XFER_MOVE to move.
 * @rights: Mask on the rights that arrive; PHI_RIGHT_ALL = all.
 *
 * All capabilities of a message cross, or none does and nothing is sent.
 */
struct phi_xfer {
	__aligned_u64 cap;
	__u32 flags;
	__u32 rights;
};

/**
 * struct phi_xferred - a capability that came with a message
 * @cap: New handle in the receiver's cspace.
 * @type: PHI_TYPE_*.
 * @rights: PHI_RIGHT_*.
 */
struct phi_xferred {
	__aligned_u64 cap;
	__u32 type;
	__u32 rights;
};

/**
 * struct phi_endpoint_create - ioctl(PHI_IOC_ENDPOINT_CREATE)
 * @size: sizeof(struct phi_endpoint_create).
 * @flags: Must be 0.
 * @cap: Out, handle with SEND, RECV, ADMIN and GRANT, and badge 0.
 */
struct phi_endpoint_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
};

#define PHI_IOC_ENDPOINT_CREATE _IO(PHI_IOC_MAGIC, 0x0a)

/**
 * struct phi_send - ioctl(PHI_IOC_SEND)
 * @size: sizeof(struct phi_send).
 * @flags: 0 or PHI_NONBLOCK.
 * @endpoint: ENDPOINT, MODEL, FILE or NETWORK handle with SEND.
 * @data: Pointer to @len bytes.
 * @len: 0 to PHI_MSG_MAX.
 * @ncaps: 0 to PHI_MSG_CAPS_MAX.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 * @caps: The first @ncaps are given; the others must be 0.
 */
struct phi_send {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 data;
	__u32 len;
	__u32 ncaps;
	__aligned_u64 deadline_ns;
	struct phi_xfer caps[PHI_MSG_CAPS_MAX];
};

#define PHI_IOC_SEND _IO(PHI_IOC_MAGIC, 0x01)

/* struct phi_recv flag: a message with capabilities comes without them. */
#define PHI_RECV_NOCAPS (1U << 1)

/**
 * struct phi_recv - ioctl(PHI_IOC_RECV)
 * @size: sizeof(struct phi_recv).
 * @flags: PHI_NONBLOCK, PHI_RECV_NOCAPS.
 * @endpoint: ENDPOINT handle with RECV.
 * @data: Pointer to @len bytes.
 * @len: In, room at @data; Out, length of the message. With EMSGSIZE
 *       the message stays first in the queue.
 * @ncaps: Out, capabilities that came.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 * @badge: Out, badge of the capability the sender used.
 * @type: Out, its type.
 * @rights: Out, its rights.
 * @pid: Out, the sender's process in the receiver's pid namespace, 0 when
 *       it has none there.
 * @uid: Out, the sender's uid in the receiver's user namespace.
 * @reply: Out, REPLY handle when the sender waits for an answer, else 0.
 * @caps: Out, the first @ncaps are set, the others are 0.
 */
struct phi_recv {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 data;
	__u32 len;
	__u32 ncaps;
	__aligned_u64 deadline_ns;
	__aligned_u64 badge;
	__u32 type;
	__u32 rights;
	__u32 pid;
	__u32 uid;
	__aligned_u64 reply;
	struct phi_xferred caps[PHI_MSG_CAPS_MAX];
};

#define PHI_IOC_RECV _IO(PHI_IOC_MAGIC, 0x02)

/**
 * struct phi_call - ioctl(PHI_IOC_CALL)
 * @size: sizeof(struct phi_call).
 * @flags: 0 or PHI_NONBLOCK (for the queue; the answer is always waited
 *         for).
 * @endpoint: ENDPOINT, MODEL, FILE or NETWORK handle with SEND.
 * @data: Pointer to @len bytes.
 * @len: 0 to PHI_MSG_MAX.
 * @ncaps: 0 to PHI_MSG_CAPS_MAX.
 * @deadline_ns: CLOCK_MONOTONIC, for both ways; 0 = wait for ever.
 * @caps: The first @ncaps are given; the others must be 0.
 * @reply_data: Pointer to @reply_len bytes.
 * @reply_len: In, room at @reply_data; Out, length of the answer.
 * @reply_ncaps: Out, capabilities that came with it.
 * @reply_caps: Out.
 *
 * Send, wait for the answer and take it. An answer longer than the room is
 * EMSGSIZE and lost. EPIPE when the receiver drops the REPLY capability
 * or dies. EINTR when a signal handler runs after the receiver has taken the
 * message, which is not sent twice: the answer is lost. A thread that is
 * stopped, frozen or traced meanwhile still gets its answer.
 */
struct phi_call {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 data;
	__u32 len;
	__u32 ncaps;
	__aligned_u64 deadline_ns;
	struct phi_xfer caps[PHI_MSG_CAPS_MAX];
	__aligned_u64 reply_data;
	__u32 reply_len;
	__u32 reply_ncaps;
	struct phi_xferred reply_caps[PHI_MSG_CAPS_MAX];
};

#define PHI_IOC_CALL _IO(PHI_IOC_MAGIC, 0x03)

/**
 * struct phi_reply - ioctl(PHI_IOC_REPLY)
 * @size: sizeof(struct phi_reply).
 * @flags: Must be 0.
 * @reply: REPLY handle; gone when the call succeeds.
 * @data: Pointer to @len bytes.
 * @len: 0 to PHI_MSG_MAX.
 * @ncaps: 0 to PHI_MSG_CAPS_MAX.
 * @caps: The first @ncaps are given; the others must be 0.
 *
 * Never waits. EPIPE when the caller gave up: the handle is gone too.
 */
struct phi_reply {
	__u32 size;
	__u32 flags;
	__aligned_u64 reply;
	__aligned_u64 data;
	__u32 len;
	__u32 ncaps;
	struct phi_xfer caps[PHI_MSG_CAPS_MAX];
};

#define PHI_IOC_REPLY _IO(PHI_IOC_MAGIC, 0x04)

/**
 * struct phi_reply_recv - ioctl(PHI_IOC_REPLY_RECV)
 * @size: sizeof(struct phi_reply_recv).
 * @flags: Must be 0.
 * @reply: As for PHI_IOC_REPLY; its size must be set too. With the handle 0
 *         nobody is answered. Out, the handle 0 once the one given is used
 *         up, also when the call fails.
 * @recv: As for PHI_IOC_RECV; its size must be set too.
 * @reply_error: Out whenever the handle becomes 0: 0 when the answer went out,
 *               -EPIPE when the caller gave up. The receive goes on in both
 *               cases.
 * @pad: Must be 0.
 *
 * Answer one call and take the next message in one entry. A call that fails
 * with the handle still set did nothing; one that fails with the handle 0
 * answered, and received nothing. The same call again does what is left.
 */
struct phi_reply_recv {
	__u32 size;
	__u32 flags;
	struct phi_reply reply;
	struct phi_recv recv;
	__s32 reply_error;
	__u32 pad;
};

#define PHI_IOC_REPLY_RECV _IO(PHI_IOC_MAGIC, 0x05)

/**
 * struct phi_endpoint_fd - ioctl(PHI_IOC_ENDPOINT_FD)
 * @size: sizeof(struct phi_endpoint_fd).
 * @flags: Must be 0.
 * @endpoint: ENDPOINT handle with RECV, or SEND, or both.
 * @fd: Out, a new O_CLOEXEC file to poll. It names no file before the caller
 *      knows it.
 * @pad: Must be 0.
 *
 * POLLIN: a message waits (needs RECV). POLLOUT: the caller has credit to
 * send (needs SEND). POLLHUP: the endpoint is dead; POLLERR: the
 * capability was revoked or expired. The file counts as a capability of the
 * cspace's user until it is closed: EDQUOT.
 */
struct phi_endpoint_fd {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__s32 fd;
	__u32 pad;
};

#define PHI_IOC_ENDPOINT_FD _IO(PHI_IOC_MAGIC, 0x0b)

/**
 * struct phi_endpoint_watch - ioctl(PHI_IOC_ENDPOINT_WATCH)
 * @size: sizeof(struct phi_endpoint_watch).
 * @flags: Must be 0.
 * @endpoint: ENDPOINT handle.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Bits to signal when the endpoint dies, after its last message;
 *        at once when it is dead already. Not 0.
 *
 * A watch counts as a capability of the cspace's user until it has signalled
 * or @endpoint is dropped, moved to another cspace, revoked or expires: EDQUOT.
 */
struct phi_endpoint_watch {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 notify;
	__aligned_u64 bits;
};

#define PHI_IOC_ENDPOINT_WATCH _IO(PHI_IOC_MAGIC, 0x0c)

#endif /* _PHI_ENDPOINT_H */
