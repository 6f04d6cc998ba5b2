/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_QUOTA_H
#define _PHI_QUOTA_H

#include <linux/atomic.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <phi/system.h>

struct phi_share;

/**
 * DOC: Quotas
 *
 * The user that asks pays, in advance: each kuid has one account, and an
 * object, capability or message carries a reference to the account it was
 * charged to until it is gone, wherever it has travelled. The limits are module
 * parameters.
 *
 * Two limits hold for each kind: quota_* for each account, and total_* for the
 * sum of all accounts, so that any number of uids together cannot exceed it, but
 * for what phi_quota_force() charges: copies of pinned pages, as many as holders
 * keep pinned, and capabilities in messages that were received and put back.
 * An account other than root's may have at most as much of the total as it
 * leaves to the others, and an eighth of it is root's alone. So one user has
 * 7/16 of the total at most, two have 7/24 each, and there is always room for
 * one more.
 *
 * To charge is one atomic operation on the account. The account draws on the
 * total in steps, under a lock, and keeps at most two steps that it does not
 * use. A step is a 4096th of the total at most, and less for an account that
 * uses little.
 */

/**
 * struct phi_user - the account of one kuid
 * @node: In the table of accounts.
 * @ref: cspaces, objects, capabilities and messages charged to it.
 * @uid: Uid of the user.
 * @used: Amounts charged, by PHI_QUOTA_*.
 * @granted: Its parts of the total, by PHI_QUOTA_*; at least @used, but for a
 *           charge in progress. Written under the pool's lock.
 * @shares: Its batches in flight, by unit; NULL until its first inference. See
 *          unit.h.
 * @expired: Nodes charged to it that have expired, until @sweep takes them.
 * @sweep: Ends them; has a reference while it is queued or runs.
 * @told: Watches charged to it whose event has come, until @tell takes them.
 * @tell: Signals for them; has a reference as @sweep has.
 */
struct phi_user {
	struct hlist_node node;
	refcount_t ref;
	kuid_t uid;
	atomic64_t used[PHI_QUOTAS];
	u64 granted[PHI_QUOTAS];
	struct phi_share *shares;
	struct llist_head expired;
	struct work_struct sweep;
	struct llist_head told;
	struct work_struct tell;
};

struct phi_user *phi_user_get(kuid_t uid);
void phi_user_hold(struct phi_user *user);
bool phi_user_exists(kuid_t uid);
void phi_user_put(struct phi_user *user);
int phi_quota_charge(struct phi_user *user, u32 what, u64 n);
void phi_quota_uncharge(struct phi_user *user, u32 what, u64 n);
void phi_quota_force(struct phi_user *user, u32 what, u64 n);
u64 phi_quota_limit(const struct phi_user *user, u32 what);
u64 phi_quota_of_user(u32 what);
u64 phi_quota_total(u32 what);
u64 phi_quota_granted(u32 what);

#endif /* _PHI_QUOTA_H */
