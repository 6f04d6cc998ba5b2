/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_BASE_H
#define _PHI_BASE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: The contract of /dev/phi
 *
 * Every call is an ioctl on /dev/phi whose number is the call number. The
 * argument is a struct that begins with its own size, so it may grow at the
 * end; 0 in a new field means "as before". Fields marked Out are written
 * only when the call succeeds. A struct without such fields is only read: it
 * may lie in constant memory.
 *
 * The same calls go through io_uring: IORING_OP_URING_CMD on /dev/phi with the
 * number of the ioctl in cmd_op and the pointer to the struct in the first 8
 * bytes of cmd. A call that may wait takes a worker of the ring until it is
 * done or cancelled. One with PHI_NONBLOCK runs once, at submission, also when
 * it ends with EAGAIN: a loop polls ENDPOINT_FD and takes what is queued.
 *
 * Errors have one meaning each in the whole interface:
 *
 *  ENOTTY        no such call
 *  EFAULT        a pointer is bad; nothing was done. The struct and the room
 *                for an answer are proven writable first, and should they
 *                cease to be while the call runs, what it did is undone. The
 *                work of a server for a CALL cannot be: its answer is lost then
 *  EINVAL        a value is out of range, padding is not zero, the struct is
 *                too short, or the capability is of the wrong type
 *  E2BIG         the struct is longer than known and its tail is not zero, or
 *                longer than a page
 *  EOPNOTSUPP    a flag is not known, or a region is of a class that cannot do
 *                that
 *  EBADF         no capability behind the handle
 *  EKEYREVOKED   the capability was revoked
 *  EKEYEXPIRED   the capability expired
 *  EKEYREJECTED  the sealed token is forged, damaged or of an old key
 *  EPERM         a right is missing, the cspace belongs to another process,
 *                or a policy said no
 *  ELOOP         the chain of derivations, or of snapshots, is at its limit
 *  EDQUOT        the caller's quota, or a budget, is spent
 *  EAGAIN        the call would wait and PHI_NONBLOCK was given
 *  ETIMEDOUT     the deadline passed
 *  EPIPE         the peer is gone
 *  EMSGSIZE      the buffer is too small; the message stays queued
 *  ENOSPC        a table is full, whoever asks
 *  ENOENT        nothing is registered under that id
 *  EEXIST        something is registered under that id already
 *  ESRCH         the process or thread has ended, or the agent was killed
 *  ENOMEM        the kernel is out of memory
 *  EINTR         a signal handler ran. The call is restarted when it can be,
 *                and after a stop, a freeze or a debugger it goes on
 *
 * A BPF program on a hook may return any other errno up to 511; it is passed
 * on. Any other value beside 0 becomes EPERM.
 */

#define PHI_IOC_MAGIC 'P'

/* Version of this interface: raised when a call or a field is added. */
#define PHI_ABI_VERSION 3

/* Types of capabilities. */
#define PHI_TYPE_MEMORY 1
#define PHI_TYPE_ENDPOINT 2
#define PHI_TYPE_DEVICE 3
#define PHI_TYPE_THREAD 4
#define PHI_TYPE_MODEL 5
#define PHI_TYPE_FILE 6
#define PHI_TYPE_NETWORK 7
#define PHI_TYPE_NOTIFY 8
#define PHI_TYPE_REPLY 9
#define PHI_TYPE_AGENT 10
#define PHI_TYPE_BUDGET 11
#define PHI_TYPE_SESSION 12

/* Rights. They only ever shrink; asking for more is EPERM. */
#define PHI_RIGHT_READ 0x01 /* read a region, wait on a notify */
#define PHI_RIGHT_WRITE 0x02 /* write a region, signal a notify */
#define PHI_RIGHT_EXEC 0x04 /* run a model, map executable, ask for a client */
#define PHI_RIGHT_MAP 0x08 /* map a region */
#define PHI_RIGHT_SEND 0x10 /* send to and call an endpoint */
#define PHI_RIGHT_RECV 0x20 /* receive from an endpoint */
#define PHI_RIGHT_ADMIN 0x40 /* revoke, mint, configure */
#define PHI_RIGHT_GRANT 0x80 /* may cross into another cspace */
#define PHI_RIGHT_ALL 0xff

/* Flag of every call that may wait. */
#define PHI_NONBLOCK (1U << 0)

/* Longest way from a capability to its root, both counted. */
#define PHI_DEPTH_MAX 8

/* Most bytes and capabilities in one message. */
#define PHI_MSG_MAX 256
#define PHI_MSG_CAPS_MAX 4

/* Length of a name, final NUL included. */
#define PHI_NAME_MAX 32

#endif /* _PHI_BASE_H */
