/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_QUOTA_H
#define _PHI_QUOTA_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <phi/system.h>

struct phi_share;

/**
 * DOC: Quotas
 *
 * Whoever asks pays, in advance: each kuid has one account, and an object,
 * capability or message carries a reference to the account it was charged
 * to until it is gone, wherever it has travelled. The limits are module
 * parameters.
 */

/**
 * struct phi_user - the account of one kuid
 * @node: In the table of accounts.
 * @ref: cspaces, objects, capabilities and messages charged to it.
 * @uid: Whose it is.
 * @used: What is charged, by PHI_QUOTA_*.
 * @shares: What it has in flight, by unit; NULL until its first inference.
 *          See unit.h.
 */
struct phi_user {
	struct hlist_node node;
	refcount_t ref;
	kuid_t uid;
	atomic64_t used[PHI_QUOTAS];
	struct phi_share *shares;
};

struct phi_user *phi_user_get(kuid_t uid);
void phi_user_hold(struct phi_user *user);
void phi_user_put(struct phi_user *user);
int phi_quota_charge(struct phi_user *user, u32 what, u64 n);
void phi_quota_recharge(struct phi_user *user, u32 what, u64 n);
void phi_quota_uncharge(struct phi_user *user, u32 what, u64 n);
u64 phi_quota_limit(u32 what);

#endif /* _PHI_QUOTA_H */
