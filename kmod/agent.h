/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KAGENT_H
#define _PHI_KAGENT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "cspace.h"

struct cgroup;
struct phi_purse;
struct phi_agent_kill;
struct task_struct;

/**
 * DOC: Crews
 *
 * The crew of an agent is what its processes have: the cspaces that they opened
 * or started with, and gifts, the capabilities that they started with. A gift
 * is a node between the capability of the giver and that of the process. Its
 * owner released it at once, so it keeps no object; whatever the process makes
 * of its capability, a move with fewer rights too, stays below the gift, and a
 * kill of the gift ends all of it.
 *
 * The kernel's tracepoint cgroup_notify_populated says when the last process of
 * a cgroup, and of those below it, has ended. Each such event ends a run of the
 * agent: a worker kills the gifts that were made during the run and signals who
 * watches. AGENT_KILL ends the crew for good, with those of all agents below.
 */

/**
 * struct phi_agent - a registered cgroup
 * @obj: Object of AGENT capabilities.
 * @id: Its number.
 * @parent: Number of the agent above whose holder allowed this one, 0 = none.
 * @cgroup: Referenced, so that its id cannot pass to another one.
 * @name: For people.
 * @killed: No call of its processes succeeds any more. Written under the
 *          agents lock, and never cleared.
 * @runs: Times that its last process has ended.
 * @empties: Ends of runs that @empty has not handled yet.
 * @empty: Handles them; with a reference while there are any.
 * @cspaces: Cspaces of its crew. Under the agents lock, as are the next ones.
 * @gifts: Gifts to its crew, struct phi_gift.
 * @watches: Signalled at the end of the run.
 * @nr_cspaces: Of @cspaces.
 * @nr_gifts: Of @gifts.
 * @nr_watches: Of @watches.
 * @purse: Its budget, referenced, or NULL; for charge.c alone.
 * @rcu: Frees it.
 */
struct phi_agent {
	struct phi_object obj;
	u64 id;
	u64 parent;
	struct cgroup *cgroup;
	u8 name[PHI_NAME_MAX];
	bool killed;
	atomic_t runs;
	atomic_t empties;
	struct work_struct empty;
	struct list_head cspaces;
	struct list_head gifts;
	struct list_head watches;
	u32 nr_cspaces;
	u32 nr_gifts;
	u32 nr_watches;
	struct phi_purse *purse;
	struct rcu_head rcu;
};

#define to_agent(_obj) container_of(_obj, struct phi_agent, obj)

/* agent.c */
struct phi_agent *phi_agent_get(struct task_struct *task);
struct phi_agent *phi_agent_at(struct cgroup *cgroup);

/* crew.c */
int phi_crew_init(void);
void phi_crew_exit(void);
void phi_crew_start(struct phi_agent *agent);
void phi_crew_free(struct phi_agent *agent);
int phi_crew_join(struct phi_cspace *cs, struct task_struct *task);
void phi_crew_leave(struct phi_cspace *cs);
struct phi_cap *phi_gift_new(struct phi_cap *cap, u32 rights, u64 badge,
			     u64 expires_ns, struct phi_user *giver,
			     struct phi_user *user, struct list_head *gifts);
void phi_gifts_free(struct list_head *gifts);
int phi_crew_accept(struct phi_agent *agent, struct list_head *gifts, u32 run);
void phi_crew_kill(struct phi_agent *agent, struct phi_agent_kill *receipt);

#endif /* _PHI_KAGENT_H */
