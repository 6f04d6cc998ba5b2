/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_CSPACE_H
#define _PHI_CSPACE_H

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "cap.h"

/* Slots of a cspace at most; an index fits 16 bits. */
#define PHI_SLOTS_MAX 65536U

struct phi_agent;
struct phi_inbox;
struct phi_slot_page;

/**
 * struct phi_cspace - the table of capabilities behind one open of /dev/phi
 * @ref: The file, and calls and objects that outlive an entry.
 * @lock: Guards @free, and the writers of the slots, @used and @top. Readers
 *        of slots use RCU, those of @used and @top nothing.
 * @pages: Slots, allocated as they are needed, freed with the cspace.
 * @free: First free slot, or PHI_SLOTS_MAX.
 * @used: Slots in use.
 * @top: Slots ever used.
 * @id: Never used twice; names the sender where a pointer must not be kept.
 * @tgid: The process that opened it, or for which its parent did.
 * @cred: Its credentials then; every check uses these.
 * @user: The account of that process, referenced.
 * @shared: Others that have the file may use it.
 * @closed: Set at release, under @lock; nothing is installed after.
 * @end_wait: In the queue of those who wait for the end of @tgid.
 * @end_work: Sees whether it has ended; with a reference while queued.
 * @parked: Calls that wait for their thread, by its number; for park.c alone.
 * @tickets: Inferences begun, by ticket; for infer.c alone.
 * @reservations: In budgets, by number; for budget.c alone.
 * @inbox: Takes what others grant, or NULL; for inbox.c alone.
 * @agent: The agent in whose crew it is, or NULL; for crew.c alone, as is @crew.
 * @crew: In the cspaces of @agent.
 * @waiting: Threads that wait in a call.
 */
struct phi_cspace {
	struct kref ref;
	spinlock_t lock; /* leaf; see main.h */
	struct phi_slot_page __rcu *pages[PHI_SLOTS_MAX / 256];
	u32 free;
	u32 used;
	u32 top;
	u64 id;
	struct pid *tgid;
	const struct cred *cred;
	struct phi_user *user;
	bool shared;
	bool closed;
	struct wait_queue_entry end_wait;
	struct work_struct end_work;
	struct xarray parked;
	struct xarray tickets;
	struct xarray reservations;
	struct phi_inbox *inbox;
	struct phi_agent *agent;
	struct list_head crew;
	atomic_t waiting;
};

struct phi_cspace *phi_cspace_new(struct pid *tgid, const struct cred *cred);
void phi_cspace_get(struct phi_cspace *cs);
void phi_cspace_put(struct phi_cspace *cs);
void phi_cspace_close(struct phi_cspace *cs);
int phi_cspace_allowed(struct phi_cspace *cs);
bool phi_cspace_owned(const struct phi_cspace *cs);
bool phi_cspace_capable(const struct phi_cspace *cs, int capability);
u64 phi_cspace_count(void);

/* Bits of a set of types, for phi_cspace_lookup(). */
#define PHI_TYPES(_type) BIT(PHI_TYPE_##_type)
#define PHI_TYPES_ANY (~0U)
#define PHI_TYPES_SERVICE \
	(BIT(PHI_TYPE_MODEL) | BIT(PHI_TYPE_FILE) | BIT(PHI_TYPE_NETWORK))

/**
 * phi_cspace_uid() - whose cspace it is
 * @cs: The cspace.
 *
 * Context: Any.
 * Return: The effective uid of the opener at the time. Quotas, audiences of
 * tokens, units and policies all go by this one.
 */
static inline kuid_t phi_cspace_uid(const struct phi_cspace *cs)
{
	return cs->cred->euid;
}

struct phi_cap *phi_cspace_lookup(struct phi_cspace *cs, u64 handle, u32 types,
				  u32 rights);
int phi_cspace_glance(struct phi_cspace *cs, u64 handle,
		      struct phi_cap **found);
bool phi_cspace_holds(struct phi_cspace *cs, u64 handle,
		      const struct phi_cap *cap);
int phi_cspace_install(struct phi_cspace *cs, struct phi_cap *cap, u64 *handle);
int phi_cspace_give(struct phi_cspace *cs, struct phi_cap *cap, u64 *handle);
struct phi_cap *phi_cspace_remove(struct phi_cspace *cs, u64 handle);
int phi_cspace_drop(struct phi_cspace *cs, u64 handle);
int phi_cspace_install_new(struct phi_cspace *cs, struct phi_object *obj,
			   u32 rights, u64 badge, u64 *handle);

DEFINE_FREE(phi_cspace_put, struct phi_cspace *, phi_cspace_put(_T))

#endif /* _PHI_CSPACE_H */
