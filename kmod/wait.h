/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_WAIT_H
#define _PHI_WAIT_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "cspace.h"

/**
 * DOC: Waiters
 *
 * A waiter is in a list of the object that it waits on, with the handle it
 * waits through. So a revoke, a drop or a death finds it, tells it why it must
 * give up, and wakes nobody else.
 *
 * It is tied to the capability as well: what ends the capability cuts its
 * ties, and looks at no others.
 *
 * The object's lock guards the lists and the fields below. A waiter checks its
 * handle once more when it is in the list: a thread that made the handle
 * useless before that did not find it there.
 */

/* Steps that are done at once under the lock of an object. */
#define PHI_STEP 16

/* Wakes the waiters that one call does not wake. */
extern struct workqueue_struct *phi_wait_wq;

/**
 * struct phi_tie - what ends with a capability
 * @node: In the ties of the capability, or in no list.
 * @cut: The capability has left its slot or died, for the reason @error. Under
 *       the lock of its object; what must be freed without goes to @loose.
 */
struct phi_tie {
	struct hlist_node node;
	void (*cut)(struct phi_tie *tie, int error, struct list_head *loose);
};

/**
 * struct phi_waiter - a thread, or a file, that waits through a handle
 * @node: In a list of the object, or empty.
 * @tie: To @cap, while it waits.
 * @wq: Queue that the thread sleeps on, or that the poll table points to.
 * @cs: Cspace of the handle; outlives the waiter.
 * @handle: The handle.
 * @cap: Capability of @handle; referenced by the owner of the waiter.
 * @types: Types the call accepts, see phi_cspace_lookup().
 * @rights: Rights the call needs.
 * @error: 0, or why to give up; the first reason stays.
 * @woken: There may be something to take.
 */
struct phi_waiter {
	struct list_head node;
	struct phi_tie tie;
	wait_queue_head_t wq;
	struct phi_cspace *cs;
	u64 handle;
	struct phi_cap *cap;
	u32 types;
	u32 rights;
	int error;
	bool woken;
};

void phi_waiter_init(struct phi_waiter *w, struct phi_cspace *cs, u64 handle,
		     struct phi_cap *cap, u32 types, u32 rights);
int phi_waiter_check(const struct phi_waiter *w);
int phi_waiter_block(struct phi_waiter *w, struct list_head *list,
		     spinlock_t *lock, u64 deadline_ns);
void phi_waiter_wake(struct phi_waiter *w);
void phi_waiter_fail(struct phi_waiter *w, int error);
bool phi_waiters_fail(struct list_head *list, int error);
void phi_tie_add(struct phi_tie *tie, struct phi_cap *cap);
bool phi_ties_none(const struct phi_cap *cap);
bool phi_ties_cut(struct phi_cap *cap, int error, struct list_head *loose);

/**
 * phi_waiter_unlink() - take a waiter out of the lists
 * @w: The waiter.
 *
 * Context: Any but interrupts; the object's lock is held.
 */
static inline void phi_waiter_unlink(struct phi_waiter *w)
{
	if (!list_empty(&w->node))
		list_del_init(&w->node);
	hlist_del_init(&w->tie.node);
}

#endif /* _PHI_WAIT_H */
