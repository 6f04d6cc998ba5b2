/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_AGENT_H
#define _PHI_AGENT_H

#include <phi/base.h>

/**
 * DOC: Agents
 *
 * An agent is a set of processes that policies know by one number: those of
 * a cgroup and its children. A process cannot leave its cgroup on its own,
 * so it cannot shed the number by opening /dev/phi anew or by fork().
 */

/**
 * struct phi_agent_register - ioctl(PHI_IOC_AGENT_REGISTER)
 * @size: sizeof(struct phi_agent_register).
 * @flags: Must be 0.
 * @cgroup: File of a cgroup v2 directory that the caller may write to, else
 *          EPERM.
 * @pad: Must be 0.
 * @id: Out, the agent's number, never 0, never used again until the module
 *      is loaded anew.
 * @name: For people; NUL-terminated, not empty, the rest zero.
 * @cap: Out, AGENT handle with READ, ADMIN and GRANT.
 *
 * The registration lasts until the last handle is dropped.
 * Fails with EEXIST when the cgroup is an agent already; of nested ones the
 * innermost counts.
 */
struct phi_agent_register {
	__u32 size;
	__u32 flags;
	__s32 cgroup;
	__u32 pad;
	__aligned_u64 id;
	__u8 name[PHI_NAME_MAX];
	__aligned_u64 cap;
};

#define PHI_IOC_AGENT_REGISTER _IO(PHI_IOC_MAGIC, 0x60)

#endif /* _PHI_AGENT_H */
