// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "quota.h"
#include "seal.h"
#include "slot.h"

/* The slot with an index, or NULL when its page was never needed. */
static struct phi_slot *phi_slot_at(struct phi_cspace *cs, u32 index)
{
	struct phi_slot_page *page;

	if (index >= PHI_SLOTS_MAX)
		return NULL;
	index = array_index_nospec(index, PHI_SLOTS_MAX);
	/* Pages outlive every user of the cspace, whoever asks. */
	page = rcu_dereference_check(cs->pages[index / PHI_SLOTS_PER_PAGE],
				     true);
	return page ? &page->slots[index % PHI_SLOTS_PER_PAGE] : NULL;
}

/**
 * phi_slot_find() - the slot that a handle names
 * @cs: The cspace.
 * @handle: The handle.
 *
 * Context: Any. The slot may change hands at once unless the cspace is locked.
 * Return: The slot, or NULL when the handle is not one of its generation.
 */
struct phi_slot *phi_slot_find(struct phi_cspace *cs, u64 handle)
{
	struct phi_slot *slot = phi_slot_at(cs, PHI_HANDLE_INDEX(handle));
	u32 gen = PHI_HANDLE_GEN(handle);

	if (!slot || !gen || READ_ONCE(slot->gen) != gen)
		return NULL;
	return slot;
}

/**
 * phi_slot_handle() - the handle of what is in a slot
 * @cs: The cspace.
 * @index: Number of the slot.
 *
 * Context: Any. It may be stale at once unless the cspace is locked.
 * Return: The handle, or 0 when the slot is free.
 */
u64 phi_slot_handle(struct phi_cspace *cs, u32 index)
{
	struct phi_slot *slot = phi_slot_at(cs, index);

	if (!slot || !rcu_access_pointer(slot->cap))
		return 0;
	return PHI_HANDLE(READ_ONCE(slot->gen), index);
}

/**
 * phi_cap_id() - the number of a node in its slot
 * @cap: The node, referenced, pinned or found under RCU.
 *
 * It is drawn when somebody asks: a number that was counted would tell who
 * asks how many capabilities others make.
 *
 * Context: Any.
 * Return: The number, never 0. It is another one in the next slot.
 */
u64 phi_cap_id(struct phi_cap *cap)
{
	u64 id = READ_ONCE(cap->id);
	u64 drawn;

	if (likely(id))
		return id;
	drawn = get_random_u64() ?: 1;
	return cmpxchg64(&cap->id, 0, drawn) ?: drawn;
}

/**
 * phi_slot_fill() - put a capability into a free slot
 * @cs: The cspace, locked.
 * @cap: The node, in no slot. The slot owns it when this succeeds.
 * @pinned: The caller has pinned it, and its type has ops->installed, which
 *          is called.
 * @handle: Out, its name.
 * @page: Out with -EAGAIN, the page that is missing.
 *
 * Context: Under the cspace's lock.
 * Return: 0, -EBADF when the cspace is closed, -EINVAL when the node is in a
 * slot already, -ENOSPC when every slot is taken, -EAGAIN when
 * phi_slots_grow() must be called first.
 */
int phi_slot_fill(struct phi_cspace *cs, struct phi_cap *cap, bool pinned,
		  u64 *handle, u32 *page)
{
	u32 index = cs->free < PHI_SLOTS_MAX ? cs->free : cs->top;
	struct phi_slot *slot;

	lockdep_assert_held(&cs->lock);
	if (cs->closed)
		return -EBADF;
	if (WARN_ON_ONCE(cap->held))
		return -EINVAL;
	if (index >= PHI_SLOTS_MAX)
		return -ENOSPC;
	slot = phi_slot_at(cs, index);
	if (!slot) {
		*page = index / PHI_SLOTS_PER_PAGE;
		return -EAGAIN;
	}
	if (index == cs->free)
		cs->free = slot->next;
	else
		WRITE_ONCE(cs->top, cs->top + 1);
	WRITE_ONCE(cs->used, cs->used + 1);
	WRITE_ONCE(cap->id, 0);
	WRITE_ONCE(cap->held, true);
	if (pinned)
		cap->ops->installed(cap->obj, cap);
	*handle = PHI_HANDLE(slot->gen, index);
	/*
	 * Release: a reader that sees the node sees this generation, or a later
	 * one. Pairs with the smp_rmb() in phi_cspace_glance().
	 */
	rcu_assign_pointer(slot->cap, cap);
	return 0;
}

/**
 * phi_slot_empty() - take a capability out of its slot
 * @cs: The cspace, locked.
 * @handle: Its name, which is never used again.
 *
 * Context: Under the cspace's lock.
 * Return: The node, which the caller owns now, or NULL when the handle is
 * stale.
 */
struct phi_cap *phi_slot_empty(struct phi_cspace *cs, u64 handle)
{
	struct phi_slot *slot = phi_slot_find(cs, handle);
	struct phi_cap *cap;

	lockdep_assert_held(&cs->lock);
	if (!slot)
		return NULL;
	cap = rcu_dereference_protected(slot->cap, true);
	if (!cap)
		return NULL;
	if (cap->sealed)
		phi_seal_forget(cap);
	RCU_INIT_POINTER(slot->cap, NULL);
	WRITE_ONCE(cap->held, false);
	WRITE_ONCE(cs->used, cs->used - 1);
	WRITE_ONCE(slot->gen, slot->gen + 1);
	/* A slot whose generation wrapped to 0 is not used again. */
	if (slot->gen) {
		slot->next = cs->free;
		cs->free = PHI_HANDLE_INDEX(handle);
	}
	return cap;
}

/* The first page is charged with the cspace. */
static int phi_slots_charge(struct phi_cspace *cs, u32 page)
{
	return page ? phi_quota_charge(cs->user, PHI_QUOTA_OBJECTS, 1) : 0;
}

static void phi_slots_uncharge(struct phi_cspace *cs, u32 page)
{
	if (page)
		phi_quota_uncharge(cs->user, PHI_QUOTA_OBJECTS, 1);
}

/**
 * phi_slots_grow() - make a page of slots
 * @cs: The cspace; its user pays.
 * @page: Number of the page. Nothing happens when there is one already.
 *
 * Context: Process context. May sleep.
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int phi_slots_grow(struct phi_cspace *cs, u32 page)
{
	struct phi_slot_page *fresh;
	int ret = phi_slots_charge(cs, page);

	if (ret)
		return ret;
	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh) {
		phi_slots_uncharge(cs, page);
		return -ENOMEM;
	}
	for (u32 i = 0; i < PHI_SLOTS_PER_PAGE; i++)
		fresh->slots[i].gen = 1;

	scoped_guard(spinlock, &cs->lock) {
		if (!rcu_access_pointer(cs->pages[page])) {
			rcu_assign_pointer(cs->pages[page], fresh);
			fresh = NULL;
		}
	}
	if (fresh) {
		phi_slots_uncharge(cs, page);
		kfree(fresh);
	}
	return 0;
}

/**
 * phi_slots_free() - free the slots of a cspace
 * @cs: The cspace; all its slots are empty, and nobody else uses it.
 *
 * Context: Any.
 */
void phi_slots_free(struct phi_cspace *cs)
{
	for (u32 page = 0; page < ARRAY_SIZE(cs->pages); page++) {
		if (!rcu_access_pointer(cs->pages[page]))
			continue;
		phi_slots_uncharge(cs, page);
		kfree(rcu_access_pointer(cs->pages[page]));
	}
}
