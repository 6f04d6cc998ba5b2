/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_PROCESS_H
#define _PHI_PROCESS_H

#include <phi/base.h>

/**
 * DOC: Processes
 *
 * A program starts with the capabilities that its parent gives it and no
 * others: the parent forks, fills a cspace that belongs to the child, and hands
 * the child its file before the child executes the program. The file is the
 * only way in, so nothing else of the parent's reaches the program.
 */

/* Most capabilities that a process starts with. */
#define PHI_ENDOW_MAX 64

/* Handle of the capability number _n that a process starts with, from 0 on. */
#define PHI_ENDOWED(_n) (1ULL << 32 | (_n))

/* Flag of PROCESS_ENDOW: whoever has the file may use the new cspace. */
#define PHI_ENDOW_SHARED (1U << 1)

/**
 * struct phi_endowment - one capability that a process starts with
 * @cap: Handle of the caller, with GRANT.
 * @rights: Rights of what the process gets, a subset of those of @cap.
 * @pad: Must be 0.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @cap. The earlier of this
 *              and the expiry of @cap counts.
 * @badge: For an ENDPOINT whose badge is 0: the badge. 0 keeps that of @cap.
 */
struct phi_endowment {
	__aligned_u64 cap;
	__u32 rights;
	__u32 pad;
	__aligned_u64 expires_ns;
	__aligned_u64 badge;
};

/**
 * struct phi_process_endow - ioctl(PHI_IOC_PROCESS_ENDOW)
 * @size: sizeof(struct phi_process_endow).
 * @flags: 0 or PHI_ENDOW_SHARED.
 * @pidfd: Pidfd of a child of the caller that has executed nothing yet.
 * @ncaps: 0 to PHI_ENDOW_MAX.
 * @caps: Pointer to @ncaps struct phi_endowment.
 * @fd: Out, descriptor of the caller, close-on-exec, of a new file of /dev/phi.
 * @pad: Must be 0.
 *
 * Make a cspace that belongs to a child as if the child had opened /dev/phi,
 * and derive a capability into it from each of @caps. Number n of them gets the
 * handle PHI_ENDOWED(n). All of them arrive, or none. The child's user pays for
 * the cspace and what is in it. The caller passes the file on, for instance by
 * a Unix socket, and closes its own descriptor; with that descriptor it cannot
 * use the cspace, unless that is shared.
 *
 * When the child is in an agent the agent has what the child gets: each
 * capability is one derivation deeper, dies with all that was derived from it
 * when the last process of the agent ends, however it ends, or the agent is
 * killed, and counts once more for the caller's user until then, or until
 * nothing of it is left.
 *
 * The cspace has the credentials that the child has now. Fails with EPERM when
 * they allow what those of the caller's cspace do not: the child is in another
 * user namespace, or has a capability of capabilities(7) that the opener
 * lacked, or another real, effective or file system uid, unless the opener had
 * CAP_SETUID. So a daemon of root endows a child that has become another user
 * or has dropped capabilities, and nobody endows the child of a setuid program
 * that it adopts as a subreaper.
 *
 * Also fails with EPERM when the process is not a child of the caller or has
 * executed a program, when a capability lacks GRANT, or when rights are asked
 * for that it lacks; ESRCH when the process has ended, or the run of its agent
 * has, or the agent was killed; EBADF when nothing is
 * open under @pidfd, EINVAL when that is no pidfd of a process, or for a REPLY.
 */
struct phi_process_endow {
	__u32 size;
	__u32 flags;
	__s32 pidfd;
	__u32 ncaps;
	__aligned_u64 caps;
	__s32 fd;
	__u32 pad;
};

#define PHI_IOC_PROCESS_ENDOW _IO(PHI_IOC_MAGIC, 0x50)

#endif /* _PHI_PROCESS_H */
