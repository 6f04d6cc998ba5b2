// SPDX-License-Identifier: GPL-2.0-only

#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "main.h"
#include "quota.h"

/* 0 as the limit on pages: half of the memory there was at loading. */
static unsigned long phi_pages_default;

static unsigned long quota_caps = 65536;
module_param(quota_caps, ulong, 0644);
MODULE_PARM_DESC(quota_caps, "Capabilities a user may hold or have in flight");

static unsigned long quota_pages;
module_param(quota_pages, ulong, 0644);
MODULE_PARM_DESC(quota_pages,
		 "Pages a user may have in regions (0: half of the memory)");

static unsigned long quota_bytes = 16UL << 20;
module_param(quota_bytes, ulong, 0644);
MODULE_PARM_DESC(quota_bytes, "Message bytes a user may have in flight");

static unsigned long quota_objects = 16384;
module_param(quota_objects, ulong, 0644);
MODULE_PARM_DESC(quota_objects, "Objects a user may have");

static unsigned long quota_tickets = 4096;
module_param(quota_tickets, ulong, 0644);
MODULE_PARM_DESC(quota_tickets, "Inferences a user may have in flight");

static DEFINE_HASHTABLE(phi_users, 6);
static DEFINE_SPINLOCK(phi_users_lock); /* leaf; the table of accounts */

/**
 * phi_quota_limit() - the limit in force
 * @what: PHI_QUOTA_*.
 *
 * Context: Any.
 * Return: How much of @what one user may have.
 */
u64 phi_quota_limit(u32 what)
{
	switch (what) {
	case PHI_QUOTA_CAPS:
		return READ_ONCE(quota_caps);
	case PHI_QUOTA_PAGES:
		return READ_ONCE(quota_pages) ?: phi_pages_default;
	case PHI_QUOTA_BYTES:
		return READ_ONCE(quota_bytes);
	case PHI_QUOTA_OBJECTS:
		return READ_ONCE(quota_objects);
	case PHI_QUOTA_TICKETS:
		return READ_ONCE(quota_tickets);
	default:
		return 0;
	}
}

static struct phi_user *phi_user_find(kuid_t uid)
{
	struct phi_user *user;

	lockdep_assert_held(&phi_users_lock);
	hash_for_each_possible(phi_users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid)) {
			refcount_inc(&user->ref);
			return user;
		}
	}
	return NULL;
}

/**
 * phi_user_get() - the account of a user
 * @uid: Whose.
 *
 * Makes the account when there is none.
 *
 * Context: Process context. May sleep.
 * Return: The account with a reference for the caller, or ERR_PTR(-ENOMEM).
 */
struct phi_user *phi_user_get(kuid_t uid)
{
	struct phi_user *fresh __free(kfree) =
		kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	struct phi_user *user;

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	refcount_set(&fresh->ref, 1);
	fresh->uid = uid;

	spin_lock(&phi_users_lock);
	user = phi_user_find(uid);
	if (!user) {
		user = no_free_ptr(fresh);
		hash_add(phi_users, &user->node, __kuid_val(uid));
	}
	spin_unlock(&phi_users_lock);
	return user;
}

/**
 * phi_user_hold() - take one more reference to an account
 * @user: The account; the caller has a reference.
 *
 * Context: Any.
 */
void phi_user_hold(struct phi_user *user)
{
	refcount_inc(&user->ref);
}

/**
 * phi_user_put() - give back a reference to an account
 * @user: The account. It is freed with its last reference.
 *
 * Context: Any but interrupts.
 */
void phi_user_put(struct phi_user *user)
{
	bool last;

	if (refcount_dec_not_one(&user->ref))
		return;
	/* Under the lock, so that phi_user_find() sees it alive or not at all. */
	spin_lock(&phi_users_lock);
	last = refcount_dec_and_test(&user->ref);
	if (last)
		hash_del(&user->node);
	spin_unlock(&phi_users_lock);
	if (!last)
		return;

	for (u32 what = 0; what < PHI_QUOTAS; what++)
		WARN_ON_ONCE(atomic64_read(&user->used[what]));
	kfree(user->shares);
	kfree(user);
}

/**
 * phi_quota_charge() - charge a user
 * @user: Whom. The caller keeps a reference until it uncharges.
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * Context: Any.
 * Return: 0, or -EDQUOT when @n more are above the limit; nothing is charged
 * then.
 */
int phi_quota_charge(struct phi_user *user, u32 what, u64 n)
{
	u64 limit = phi_quota_limit(what);
	s64 used = atomic64_read(&user->used[what]);

	do {
		/* The limit may have been lowered below what is used. */
		if ((u64)used > limit || n > limit - (u64)used)
			return -EDQUOT;
	} while (!atomic64_try_cmpxchg(&user->used[what], &used, used + n));
	return 0;
}

/**
 * phi_quota_recharge() - charge again what was given back too early
 * @user: Whom, as for phi_quota_charge().
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * Context: Any.
 */
void phi_quota_recharge(struct phi_user *user, u32 what, u64 n)
{
	atomic64_add(n, &user->used[what]);
}

/**
 * phi_quota_uncharge() - give back what was charged
 * @user: Whom it was charged to.
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * Context: Any.
 */
void phi_quota_uncharge(struct phi_user *user, u32 what, u64 n)
{
	WARN_ON_ONCE(atomic64_sub_return(n, &user->used[what]) < 0);
}

/**
 * phi_quota_init() - load the accounts
 *
 * Context: Module init.
 * Return: 0.
 */
int __init phi_quota_init(void)
{
	phi_pages_default = totalram_pages() / 2;
	return 0;
}

/**
 * phi_quota_exit() - unload the accounts
 *
 * Context: Module exit; every reference is gone.
 */
void phi_quota_exit(void)
{
	WARN_ON(!hash_empty(phi_users));
}
