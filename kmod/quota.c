// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/hashtable.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "cap.h"
#include "decision.h"
#include "main.h"
#include "quota.h"

/* The share of each total that only root may use: one in so many. */
#define PHI_ROOT_SHARE 8

/* By PHI_QUOTA_*: what one user may have. 0 for pages: their total. */
static unsigned long phi_quotas[PHI_QUOTAS] = {
	[PHI_QUOTA_CAPS] = 65536,
	[PHI_QUOTA_BYTES] = 16UL << 20,
	[PHI_QUOTA_OBJECTS] = 16384,
	[PHI_QUOTA_TICKETS] = 4096,
};

/* By PHI_QUOTA_*: what all users may have together. 0: by size of memory. */
static unsigned long phi_totals[PHI_QUOTAS];
static unsigned long phi_totals_default[PHI_QUOTAS] __ro_after_init;

#define PHI_QUOTA_PARAM(_name, _what, _text)                               \
	module_param_named(quota_##_name, phi_quotas[_what], ulong, 0644); \
	MODULE_PARM_DESC(quota_##_name, _text " of one user")

#define PHI_TOTAL_PARAM(_name, _what, _text)                               \
	module_param_named(total_##_name, phi_totals[_what], ulong, 0644); \
	MODULE_PARM_DESC(total_##_name,                                    \
			 _text " of all users (0: by size of memory)")

PHI_QUOTA_PARAM(caps, PHI_QUOTA_CAPS, "Capabilities");
PHI_TOTAL_PARAM(caps, PHI_QUOTA_CAPS, "Capabilities");
PHI_QUOTA_PARAM(pages, PHI_QUOTA_PAGES, "Pages in regions");
PHI_TOTAL_PARAM(pages, PHI_QUOTA_PAGES, "Pages in regions");
PHI_QUOTA_PARAM(bytes, PHI_QUOTA_BYTES, "Message bytes in flight");
PHI_TOTAL_PARAM(bytes, PHI_QUOTA_BYTES, "Message bytes in flight");
PHI_QUOTA_PARAM(objects, PHI_QUOTA_OBJECTS, "Objects");
PHI_TOTAL_PARAM(objects, PHI_QUOTA_OBJECTS, "Objects");
PHI_QUOTA_PARAM(tickets, PHI_QUOTA_TICKETS, "Inferences in flight");
PHI_TOTAL_PARAM(tickets, PHI_QUOTA_TICKETS, "Inferences in flight");

/* 65 536 subordinate uids are 16 in each. */
static DEFINE_HASHTABLE(phi_users, 12);
static DEFINE_SPINLOCK(phi_users_lock); /* leaf; the table of accounts */

/* By PHI_QUOTA_*: the sum of all accounts' granted. */
static u64 phi_granted[PHI_QUOTAS];
static DEFINE_SPINLOCK(phi_pool_lock); /* leaf, any context; every granted */

/**
 * phi_quota_of_user() - the parameter that bounds each user
 * @what: PHI_QUOTA_*.
 *
 * Context: Any.
 * Return: How much of @what one user may have if the others leave as much.
 */
u64 phi_quota_of_user(u32 what)
{
	u64 limit = READ_ONCE(phi_quotas[what]);

	return !limit && what == PHI_QUOTA_PAGES ? phi_quota_total(what) :
						   limit;
}

/**
 * phi_quota_total() - the parameter that bounds all users together
 * @what: PHI_QUOTA_*.
 *
 * Context: Any.
 * Return: How much of @what they may have.
 */
u64 phi_quota_total(u32 what)
{
	return READ_ONCE(phi_totals[what]) ?: phi_totals_default[what];
}

/**
 * phi_quota_granted() - count what all users have together
 * @what: PHI_QUOTA_*.
 *
 * Context: Any.
 * Return: How much, rounded up to steps for each user.
 */
u64 phi_quota_granted(u32 what)
{
	return READ_ONCE(phi_granted[what]);
}

static u64 phi_quota_less(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

/*
 * An account takes from the pool, and gives back, in steps of this: as much as
 * it uses and a 65536th of the pool, but not more than a 4096th. So thousands
 * of users with one object each do not take a pool that they do not use.
 */
static u64 phi_quota_step(u32 what, u64 used)
{
	u64 total = phi_quota_total(what);

	return min(total >> 12, used + (total >> 16)) + 1;
}

/* Limit of an account on its part of the pool while the others have @others. */
static u64 phi_quota_share(const struct phi_user *user, u32 what, u64 others)
{
	u64 total = phi_quota_total(what);

	if (uid_eq(user->uid, GLOBAL_ROOT_UID))
		return phi_quota_less(total, others);
	/* As much as it leaves to the next user. */
	return phi_quota_less(total - total / PHI_ROOT_SHARE, others) / 2;
}

/**
 * phi_quota_limit() - the limit in force
 * @user: The account.
 * @what: PHI_QUOTA_*.
 *
 * Context: Any.
 * Return: How much of @what the user may have while others have what they do.
 */
u64 phi_quota_limit(const struct phi_user *user, u32 what)
{
	u64 others = phi_quota_less(READ_ONCE(phi_granted[what]),
				    READ_ONCE(user->granted[what]));

	return min(phi_quota_of_user(what),
		   phi_quota_share(user, what, others));
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
 * @uid: Uid of the user.
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
	INIT_WORK(&fresh->sweep, phi_expiry_sweep);
	INIT_WORK(&fresh->tell, phi_watches_tell);

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
 * phi_user_exists() - has a user an account?
 * @uid: Uid of the user.
 *
 * Context: Any but interrupts.
 * Return: True when there is one, which may be gone at once.
 */
bool phi_user_exists(kuid_t uid)
{
	struct phi_user *user;

	guard(spinlock)(&phi_users_lock);
	hash_for_each_possible(phi_users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid))
			return true;
	}
	return false;
}

/* Set what an account has of the pool. Called with the pool locked. */
static void phi_quota_grant(struct phi_user *user, u32 what, u64 granted)
{
	WRITE_ONCE(phi_granted[what],
		   phi_granted[what] + granted - user->granted[what]);
	WRITE_ONCE(user->granted[what], granted);
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

	scoped_guard(spinlock_irqsave, &phi_pool_lock) {
		for (u32 what = 0; what < PHI_QUOTAS; what++) {
			WARN_ON_ONCE(atomic64_read(&user->used[what]));
			phi_quota_grant(user, what, 0);
		}
	}
	kfree(user->shares);
	kfree(user);
}

/*
 * Let an account have what it uses and not more than a step above it. Return:
 * false when the pool does not have that much for it.
 */
static noinline bool phi_quota_claim(struct phi_user *user, u32 what)
{
	u64 granted;
	u64 others;
	u64 share;
	u64 used;

	guard(spinlock_irqsave)(&phi_pool_lock);
	granted = user->granted[what];
	used = atomic64_read(&user->used[what]);
	others = phi_granted[what] - granted;
	share = phi_quota_share(user, what, others);
	if (used > share)
		return false;
	phi_quota_grant(user, what,
			min(used + phi_quota_step(what, used), share));
	return true;
}

/* Refuse a charge. */
static noinline int phi_quota_refuse(struct phi_user *user, u32 what, u64 n)
{
	return phi_refuse(-EDQUOT,
			  &(struct phi_refusal){
				  .where = PHI_DECIDED_QUOTA,
				  .kind = what,
				  .owner = user->uid,
				  .asked = n,
				  .used = atomic64_read(&user->used[what]),
				  .limit = phi_quota_limit(user, what),
			  });
}

/**
 * phi_quota_charge() - charge a user
 * @user: The account. The caller keeps a reference until it uncharges.
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * Context: Any.
 * Return: 0, or -EDQUOT when @n more are above the limit; nothing is charged
 * then.
 */
int phi_quota_charge(struct phi_user *user, u32 what, u64 n)
{
	u64 limit = phi_quota_of_user(what);
	s64 used = atomic64_read(&user->used[what]);

	do {
		/* The limit may have been lowered below what is used. */
		if ((u64)used > limit || n > limit - (u64)used)
			return phi_quota_refuse(user, what, n);
	} while (!atomic64_try_cmpxchg(&user->used[what], &used, used + n));
	/* The cmpxchg orders this with phi_quota_return(). */
	if (likely(used + n <= READ_ONCE(user->granted[what]) &&
		   phi_quota_granted(what) <= phi_quota_total(what)))
		return 0;
	if (phi_quota_claim(user, what))
		return 0;
	phi_quota_uncharge(user, what, n);
	return phi_quota_refuse(user, what, n);
}

/**
 * phi_quota_force() - charge a user beyond every limit
 * @user: The account.
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * For charges that must not fail. Until it is uncharged, other charges do.
 *
 * Context: Any.
 */
void phi_quota_force(struct phi_user *user, u32 what, u64 n)
{
	u64 used = atomic64_add_return(n, &user->used[what]);

	guard(spinlock_irqsave)(&phi_pool_lock);
	if (used > user->granted[what])
		phi_quota_grant(user, what, used);
}

/* Give what an account does not use back to the pool, but for a step. */
static noinline void phi_quota_return(struct phi_user *user, u32 what)
{
	u64 keep;
	u64 used;

	guard(spinlock_irqsave)(&phi_pool_lock);
	used = atomic64_read(&user->used[what]);
	keep = used + phi_quota_step(what, used);
	if (user->granted[what] <= keep)
		return;
	phi_quota_grant(user, what, keep);
	/* A charge that saw more granted is seen here, or sees less there. */
	smp_mb();
	used = atomic64_read(&user->used[what]);
	if (used > keep)
		phi_quota_grant(user, what, used);
}

/**
 * phi_quota_uncharge() - give back what was charged
 * @user: The account.
 * @what: PHI_QUOTA_*.
 * @n: How much.
 *
 * Context: Any.
 */
void phi_quota_uncharge(struct phi_user *user, u32 what, u64 n)
{
	s64 used = atomic64_sub_return(n, &user->used[what]);

	WARN_ON_ONCE(used < 0);
	if (unlikely(READ_ONCE(user->granted[what]) >
		     used + 2 * phi_quota_step(what, used)))
		phi_quota_return(user, what);
}

/**
 * phi_quota_init() - load the accounts
 *
 * By default all regions together take at most half of the memory, and each
 * other kind a 32nd of it, by the bytes that one of the kind takes.
 *
 * Context: Module init.
 * Return: 0.
 */
int __init phi_quota_init(void)
{
	u64 share = ((u64)totalram_pages() << PAGE_SHIFT) / 32;

	phi_totals_default[PHI_QUOTA_CAPS] = share / 256;
	phi_totals_default[PHI_QUOTA_PAGES] = totalram_pages() / 2;
	phi_totals_default[PHI_QUOTA_BYTES] = share;
	phi_totals_default[PHI_QUOTA_OBJECTS] = share / 1024;
	phi_totals_default[PHI_QUOTA_TICKETS] = share / 512;
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
