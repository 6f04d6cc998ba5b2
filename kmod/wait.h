/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_WAIT_H
#define _PHI_WAIT_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "cspace.h"

/**
 * DOC: Waiters
 *
 * Whoever waits on an object is in a list of it, with the handle it waits
 * through. So a revoke, a drop or a death finds it, tells it why it must give
 * up, and wakes nobody else.
 *
 * The object's lock guards the list and the fields below. A waiter checks
 * its handle once more when it is in the list: whoever made the handle
 * useless before that did not find it there.
 */

/**
 * struct phi_waiter - a thread, or a file, that waits through a handle
 * @node: In a list of the object, or empty.
 * @wq: What the thread sleeps on, or the poll table points to.
 * @cs: Whose handle; outlives the waiter.
 * @handle: The handle.
 * @cap: What it led to; referenced by the owner of the waiter.
 * @types: Types the call accepts, see phi_cspace_lookup().
 * @rights: Rights the call needs.
 * @error: 0, or why to give up; the first reason stays.
 * @woken: There may be something to take.
 */
struct phi_waiter {
	struct list_head node;
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
void phi_waiters_revoked(struct list_head *list);
void phi_waiters_removed(struct list_head *list, const struct phi_cap *cap);
void phi_waiters_fail(struct list_head *list, int error);

#endif /* _PHI_WAIT_H */
