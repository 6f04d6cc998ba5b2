/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_NOTIFY_H
#define _PHI_NOTIFY_H

#include <phi/base.h>

/**
 * DOC: Notifications
 *
 * A notify is a word of 64 bits. Signalling sets bits, waiting takes them.
 * It carries no data and never fills up, so it can be signalled from
 * anywhere; bound to an eventfd it wakes an event loop.
 */

/**
 * struct phi_notify_create - ioctl(PHI_IOC_NOTIFY_CREATE)
 * @size: sizeof(struct phi_notify_create).
 * @flags: Must be 0.
 * @cap: Out, handle with READ, WRITE, ADMIN and GRANT.
 */
struct phi_notify_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
};

#define PHI_IOC_NOTIFY_CREATE _IO(PHI_IOC_MAGIC, 0x06)

/**
 * struct phi_notify_signal - ioctl(PHI_IOC_NOTIFY_SIGNAL)
 * @size: sizeof(struct phi_notify_signal).
 * @flags: Must be 0.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Bits to set, not 0.
 */
struct phi_notify_signal {
	__u32 size;
	__u32 flags;
	__aligned_u64 notify;
	__aligned_u64 bits;
};

#define PHI_IOC_NOTIFY_SIGNAL _IO(PHI_IOC_MAGIC, 0x07)

/**
 * struct phi_notify_wait - ioctl(PHI_IOC_NOTIFY_WAIT)
 * @size: sizeof(struct phi_notify_wait).
 * @flags: 0 or PHI_NONBLOCK.
 * @notify: NOTIFY handle with READ.
 * @mask: Bits to wait for, not 0.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 * @bits: Out, the bits of @mask that were set; they are clear now.
 */
struct phi_notify_wait {
	__u32 size;
	__u32 flags;
	__aligned_u64 notify;
	__aligned_u64 mask;
	__aligned_u64 deadline_ns;
	__aligned_u64 bits;
};

#define PHI_IOC_NOTIFY_WAIT _IO(PHI_IOC_MAGIC, 0x08)

/**
 * struct phi_notify_bind - ioctl(PHI_IOC_NOTIFY_BIND)
 * @size: sizeof(struct phi_notify_bind).
 * @flags: Must be 0.
 * @notify: NOTIFY handle with ADMIN.
 * @eventfd: An eventfd, or -1 to unbind.
 * @pad: Must be 0.
 *
 * From now on each signal also adds 1 to the eventfd, at once if bits are
 * set already. One eventfd at a time; a new one replaces the old.
 */
struct phi_notify_bind {
	__u32 size;
	__u32 flags;
	__aligned_u64 notify;
	__s32 eventfd;
	__u32 pad;
};

#define PHI_IOC_NOTIFY_BIND _IO(PHI_IOC_MAGIC, 0x09)

#endif /* _PHI_NOTIFY_H */
