/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KUNIT_H
#define _PHI_KUNIT_H

#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "hook.h"
#include "object.h"

struct phi_user;

/**
 * DOC: Execution units
 *
 * The table holds each unit under its id until the last reference to the
 * unit is gone. Nothing else refers to a unit by pointer: tickets keep its id
 * and its serial, so a unit may die while inferences are in flight on it.
 *
 * One spinlock guards what changes in units and in models. Policies may run
 * anywhere, so their kfuncs do not take it: they read under RCU.
 *
 * Of what a user has in flight on a unit, other users see no more than the
 * unit's capacity. The account of each user has its batches in flight by unit,
 * and each unit the sum of what the others may see of them, so that neither
 * depends on how many users there are.
 */
extern spinlock_t phi_units_lock;

/**
 * struct phi_share - what a user has in flight on a unit
 * @serial: The unit's; for another one @in_flight is void.
 * @in_flight: Batches begun and not ended.
 *
 * Guarded by phi_units_lock.
 */
struct phi_share {
	u64 serial;
	u32 in_flight;
};

/**
 * struct phi_unit - something that runs inferences
 * @obj: Object of DEVICE capabilities.
 * @serial: Never used twice, unlike @id. Like all down to @uid set once.
 * @id: Index in the table; PHI_UNITS_MAX while it is not there.
 * @kind: PHI_UNIT_*.
 * @node: NUMA node, or PHI_UNIT_UNKNOWN.
 * @capacity: Batches it runs at once.
 * @flags: PHI_UNIT_SHARED.
 * @uid: Owner.
 * @name: For people.
 * @load: As reported; this and all below is guarded by phi_units_lock.
 * @temperature: As reported.
 * @power: As reported.
 * @healthy: As reported; 1 at first.
 * @in_flight: Batches begun and not ended.
 * @crowd: The same, of each user @capacity at most.
 * @batches: Batches ended well.
 * @items: Inputs in them.
 * @run_ns: Time in them.
 * @rcu: Frees it.
 */
struct phi_unit {
	struct phi_object obj;
	u64 serial;
	u32 id;
	u32 kind;
	u32 node;
	u32 capacity;
	u32 flags;
	kuid_t uid;
	u8 name[PHI_NAME_MAX];
	u32 load;
	u32 temperature;
	u32 power;
	u32 healthy;
	u32 in_flight;
	u32 crowd;
	u64 batches;
	u64 items;
	u64 run_ns;
	struct rcu_head rcu;
};

struct phi_unit *phi_unit_get_locked(u32 id);
bool phi_unit_open(const struct phi_unit *unit, kuid_t uid);
int phi_shares_make(struct phi_user *user);
u32 phi_unit_seen(const struct phi_unit *unit, const struct phi_share *shares);
void phi_unit_begin(struct phi_unit *unit, struct phi_share *shares);
void phi_unit_end(struct phi_unit *unit, struct phi_share *shares);
int phi_unit_stat(u32 id, const struct phi_share *shares,
		  struct phi_unit_stat *stat);
u64 phi_unit_serial(u32 id);
int phi_unit_id(const struct phi_cap *cap);

#endif /* _PHI_KUNIT_H */
