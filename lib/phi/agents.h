/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_AGENTS_H
#define PHI_AGENTS_H

#include <phi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * phi_agent_kill() - end an agent, all agents below it, and their processes
 * @phi: Cspace.
 * @agent: AGENT handle with ADMIN.
 * @cgroup: File of its cgroup v2 directory; -1 leaves the processes alone, no
 *          call of which succeeds any more.
 * @deadline_ns: CLOCK_MONOTONIC, for the last process to be gone; 0 = none.
 * @receipt: Out, what ended, also with -ETIMEDOUT; may be NULL.
 *
 * Context: Any thread.
 * Return: 0; -ETIMEDOUT; -EACCES when the caller may not kill the processes; or
 * another negative errno. With each of these the agent has ended all the same,
 * if not said otherwise: -EBADF, -EPERM, -EINVAL, -EKEYREVOKED, -EKEYEXPIRED.
 */
int phi_agent_kill(int phi, uint64_t agent, int cgroup, uint64_t deadline_ns,
		   struct phi_agent_kill *receipt);

/**
 * phi_agent_query() - look at an agent
 * @phi: Cspace.
 * @id: Its number.
 * @flags: 0, or PHI_AGENT_NEXT for the first agent of that number or a higher
 *         one.
 * @path: Out, its cgroup, from the root of the caller's cgroup namespace; may be
 *        NULL.
 * @room: Bytes at @path.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT when there is none, -EMSGSIZE when @room is too small, or
 * another negative errno.
 */
int phi_agent_query(int phi, uint64_t id, unsigned int flags, char *path,
		    size_t room, struct phi_agent_query *out);

/**
 * phi_agent_watch() - hear of the end of an agent's last process
 * @phi: Cspace.
 * @agent: AGENT handle with READ.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Bits to signal there, once.
 * @runs: Times that its last process has ended before, see phi_agent_query().
 *
 * Context: Any thread.
 * Return: 0; -ENOSPC when PHI_WATCHES_MAX watches are on @agent; or another
 * negative errno.
 */
int phi_agent_watch(int phi, uint64_t agent, uint64_t notify, uint64_t bits,
		    uint32_t runs);

/**
 * phi_agent_open() - get a handle to the agent that a cgroup is
 * @phi: Cspace.
 * @cgroup: File of a cgroup v2 directory that the caller may write to.
 * @id: Out, the agent's number; may be NULL.
 * @cap: Out, AGENT handle.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT when the cgroup is no agent, -EPERM when the caller may not
 * write to it or is in an agent that is not above, or another negative errno.
 */
int phi_agent_open(int phi, int cgroup, uint64_t *id, uint64_t *cap);

/**
 * phi_agent_charge() - charge what an agent does to a budget
 * @phi: Cspace.
 * @agent: AGENT handle with ADMIN.
 * @budget: BUDGET handle with WRITE and GRANT, or 0 for none any more.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_agent_charge(int phi, uint64_t agent, uint64_t budget);

/**
 * phi_agent_evict() - take the inbox from an agent
 * @phi: Cspace.
 * @agent: AGENT handle with ADMIN.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT when it has none, or another negative errno.
 */
int phi_agent_evict(int phi, uint64_t agent);

#ifdef __cplusplus
}
#endif

#endif /* PHI_AGENTS_H */
