/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_AGENT_H
#define _PHI_AGENT_H

#include <phi/base.h>

/**
 * DOC: Agents
 *
 * An agent is a set of processes that policies know by one number: those of
 * a cgroup and its children. A process cannot leave its cgroup on its own,
 * so it cannot shed the number by fork() or by another open of /dev/phi.
 *
 * Nor by an agent of its own: below the cgroup of an agent, only a holder of
 * that agent's capability with ADMIN makes another. Of nested agents the
 * innermost counts whose makers had such a capability, each of the next agent
 * above it. One that was made before the agent above it, or whose next above is
 * gone while a further one is there, counts as the one above.
 */

/**
 * struct phi_agent_register - ioctl(PHI_IOC_AGENT_REGISTER)
 * @size: sizeof(struct phi_agent_register).
 * @flags: Must be 0.
 * @cgroup: File of a cgroup v2 directory that the caller may write to, else
 *          EPERM.
 * @pad: Must be 0.
 * @id: Out, the agent's number, never 0, never used again until the module
 *      is loaded again.
 * @name: For people; NUL-terminated, not empty, the rest zero.
 * @cap: Out, AGENT handle with READ, ADMIN and GRANT.
 * @parent: AGENT handle with ADMIN of the nearest agent above the cgroup; 0
 *          when none is. Anything else is EPERM.
 *
 * The registration lasts until the last live handle is dropped or revoked.
 * Fails with EEXIST when the cgroup is an agent already.
 */
struct phi_agent_register {
	__u32 size;
	__u32 flags;
	__s32 cgroup;
	__u32 pad;
	__aligned_u64 id;
	__u8 name[PHI_NAME_MAX];
	__aligned_u64 cap;
	__aligned_u64 parent;
};

#define PHI_IOC_AGENT_REGISTER _IO(PHI_IOC_MAGIC, 0x60)

#endif /* _PHI_AGENT_H */
