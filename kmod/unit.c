// SPDX-License-Identifier: GPL-2.0-only
/*
 * Execution units: the table, and the calls that register, update and list
 * them.
 */

#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/numa.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <phi.h>

#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "main.h"
#include "name.h"
#include "quota.h"
#include "unit.h"

#define PHI_CAPACITY_MAX 4096

static unsigned int quota_units = 16;
module_param(quota_units, uint, 0644);
MODULE_PARM_DESC(quota_units,
		 "Units a user without CAP_SYS_ADMIN may have registered");

DEFINE_SPINLOCK(phi_units_lock);

static struct phi_unit __rcu *phi_units[PHI_UNITS_MAX];
static u64 phi_unit_serials; /* guarded by phi_units_lock */

static void phi_unit_free(struct phi_object *obj)
{
	struct phi_unit *unit = container_of(obj, struct phi_unit, obj);

	if (unit->id < PHI_UNITS_MAX) {
		guard(spinlock)(&phi_units_lock);
		RCU_INIT_POINTER(phi_units[unit->id], NULL);
	}
	phi_object_fini(obj);
	kfree_rcu(unit, rcu);
}

static const struct phi_object_ops phi_unit_ops = {
	.type = PHI_TYPE_DEVICE,
	.free = phi_unit_free,
};

/**
 * phi_unit_get_locked() - the unit with a number
 * @id: Its number, any value.
 *
 * Context: phi_units_lock is held, and must be for as long as it is used.
 * Return: The unit, or NULL when there is none.
 */
struct phi_unit *phi_unit_get_locked(u32 id)
{
	if (id >= PHI_UNITS_MAX)
		return NULL;
	id = array_index_nospec(id, PHI_UNITS_MAX);
	return rcu_dereference_protected(phi_units[id],
					 lockdep_is_held(&phi_units_lock));
}

/**
 * phi_unit_open() - may a user's batch run here
 * @unit: The unit.
 * @uid: The user.
 *
 * Context: phi_units_lock is held.
 * Return: True when it is healthy, and shared or the user's own.
 */
bool phi_unit_open(const struct phi_unit *unit, kuid_t uid)
{
	lockdep_assert_held(&phi_units_lock);
	return unit->healthy &&
	       (unit->flags & PHI_UNIT_SHARED || uid_eq(unit->uid, uid));
}

/**
 * phi_shares_make() - make room to count what a user has in flight
 * @user: The user. Nothing happens when it has it already.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int phi_shares_make(struct phi_user *user)
{
	struct phi_share *shares;

	if (READ_ONCE(user->shares))
		return 0;
	shares = kcalloc(PHI_UNITS_MAX, sizeof(*shares), GFP_KERNEL_ACCOUNT);
	if (!shares)
		return -ENOMEM;
	if (cmpxchg(&user->shares, NULL, shares))
		kfree(shares);
	return 0;
}

/* A user's batches in flight on a unit; its id was another one's before. */
static u32 phi_share_in_flight(const struct phi_unit *unit,
			       const struct phi_share *shares)
{
	const struct phi_share *share;

	if (!shares)
		return 0;
	share = &shares[array_index_nospec(unit->id, PHI_UNITS_MAX)];
	return READ_ONCE(share->serial) == unit->serial ?
		       READ_ONCE(share->in_flight) :
		       0;
}

/**
 * phi_unit_seen() - how many batches in flight a user sees on a unit
 * @unit: The unit.
 * @shares: The user's, NULL when it never had any.
 *
 * Context: Under RCU, or phi_units_lock is held.
 * Return: All of the user's own, and of each other one's as many as the unit
 * runs at once.
 */
u32 phi_unit_seen(const struct phi_unit *unit, const struct phi_share *shares)
{
	u32 own = phi_share_in_flight(unit, shares);
	u32 crowd = READ_ONCE(unit->crowd);

	return crowd - min3(own, unit->capacity, crowd) + own;
}

/**
 * phi_unit_begin() - count a batch on a unit
 * @unit: The unit.
 * @shares: The user's, from phi_shares_make().
 *
 * Context: phi_units_lock is held.
 */
void phi_unit_begin(struct phi_unit *unit, struct phi_share *shares)
{
	struct phi_share *share =
		&shares[array_index_nospec(unit->id, PHI_UNITS_MAX)];

	lockdep_assert_held(&phi_units_lock);
	if (share->serial != unit->serial) {
		WRITE_ONCE(share->in_flight, 0);
		WRITE_ONCE(share->serial, unit->serial);
	}
	if (share->in_flight < unit->capacity)
		WRITE_ONCE(unit->crowd, unit->crowd + 1);
	WRITE_ONCE(share->in_flight, share->in_flight + 1);
	WRITE_ONCE(unit->in_flight, unit->in_flight + 1);
}

/**
 * phi_unit_end() - count a batch off a unit
 * @unit: The unit that phi_unit_begin() counted it on.
 * @shares: The user's.
 *
 * Context: phi_units_lock is held.
 */
void phi_unit_end(struct phi_unit *unit, struct phi_share *shares)
{
	struct phi_share *share =
		&shares[array_index_nospec(unit->id, PHI_UNITS_MAX)];

	lockdep_assert_held(&phi_units_lock);
	if (share->in_flight <= unit->capacity)
		WRITE_ONCE(unit->crowd, unit->crowd - 1);
	WRITE_ONCE(share->in_flight, share->in_flight - 1);
	WRITE_ONCE(unit->in_flight, unit->in_flight - 1);
}

/**
 * phi_unit_stat() - the figures of a unit, for policies
 * @id: Its number, any value.
 * @shares: Of the user that asks for a unit, NULL when nobody does.
 * @stat: Out; each figure is whole, but they may be of different moments.
 *
 * Context: Any.
 * Return: 0, or -ENOENT when there is no such unit.
 */
int phi_unit_stat(u32 id, const struct phi_share *shares,
		  struct phi_unit_stat *stat)
{
	const struct phi_unit *unit;

	if (id >= PHI_UNITS_MAX)
		return -ENOENT;
	guard(rcu)();
	unit = rcu_dereference(
		phi_units[array_index_nospec(id, PHI_UNITS_MAX)]);
	if (!unit)
		return -ENOENT;
	*stat = (struct phi_unit_stat){
		.kind = unit->kind,
		.node = unit->node,
		.capacity = unit->capacity,
		.in_flight = shares ? phi_unit_seen(unit, shares) :
				      READ_ONCE(unit->in_flight),
		.load = READ_ONCE(unit->load),
		.temperature = READ_ONCE(unit->temperature),
		.power = READ_ONCE(unit->power),
		.healthy = READ_ONCE(unit->healthy),
		.batches = READ_ONCE(unit->batches),
		.items = READ_ONCE(unit->items),
		.run_ns = READ_ONCE(unit->run_ns),
	};
	return 0;
}

/**
 * phi_unit_serial() - which unit has a number now
 * @id: The number, any value.
 *
 * Context: Any.
 * Return: The serial of the unit, or 0 when there is none.
 */
u64 phi_unit_serial(u32 id)
{
	const struct phi_unit *unit;

	if (id >= PHI_UNITS_MAX)
		return 0;
	guard(rcu)();
	unit = rcu_dereference(
		phi_units[array_index_nospec(id, PHI_UNITS_MAX)]);
	return unit ? unit->serial : 0;
}

/* How many units a user has in the table. */
static u32 phi_unit_count(kuid_t uid)
{
	u32 id, n = 0;

	for (id = 0; id < PHI_UNITS_MAX; id++) {
		const struct phi_unit *unit = phi_unit_get_locked(id);

		n += unit && uid_eq(unit->uid, uid);
	}
	return n;
}

/* Note that a user has all the units it may have. */
static int phi_unit_refuse(struct phi_user *user)
{
	u64 limit = READ_ONCE(quota_units);

	return phi_refuse(-EDQUOT, &(struct phi_refusal){
					   .where = PHI_DECIDED_QUOTA,
					   .kind = PHI_DECISION_UNITS,
					   .owner = user->uid,
					   .asked = 1,
					   .used = phi_unit_count(user->uid),
					   .limit = limit,
				   });
}

/*
 * Put a unit into the table under the lowest free number. Ordinary users have
 * a limit each, and all of them together leave room for the privileged.
 */
static int phi_unit_publish(struct phi_unit *unit, bool privileged)
{
	u32 end = PHI_UNITS_MAX - (privileged ? 0 : PHI_UNITS_RESERVED);
	u32 id;

	guard(spinlock)(&phi_units_lock);
	if (!privileged && phi_unit_count(unit->uid) >= READ_ONCE(quota_units))
		return phi_unit_refuse(unit->obj.user);
	for (id = 0; id < end; id++) {
		if (rcu_access_pointer(phi_units[id]))
			continue;
		unit->id = id;
		unit->serial = ++phi_unit_serials;
		rcu_assign_pointer(phi_units[id], unit);
		return 0;
	}
	return -ENOSPC;
}

/**
 * phi_unit_register() - PHI_IOC_UNIT_REGISTER
 * @cs: The caller.
 * @arg: struct phi_unit_register.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_unit_register(struct phi_cspace *cs, void *arg)
{
	struct phi_unit_register *cmd = arg;
	struct phi_unit *unit;
	bool privileged;
	int ret;

	if (cmd->flags & ~PHI_UNIT_SHARED)
		return -EOPNOTSUPP;
	if (cmd->kind < PHI_UNIT_CPU || cmd->kind > PHI_UNIT_TPU)
		return -EINVAL;
	if (cmd->node != PHI_UNIT_UNKNOWN && cmd->node >= MAX_NUMNODES)
		return -EINVAL;
	if (!cmd->capacity || cmd->capacity > PHI_CAPACITY_MAX)
		return -EINVAL;
	if (!phi_name_valid(cmd->name))
		return -EINVAL;
	privileged = phi_cspace_capable(cs, CAP_SYS_ADMIN);
	if (cmd->flags && !privileged)
		return phi_refuse_as(PHI_DECIDED_PRIVILEGE, CAP_SYS_ADMIN);

	unit = kzalloc(sizeof(*unit), GFP_KERNEL_ACCOUNT);
	if (!unit)
		return -ENOMEM;
	ret = phi_object_init(&unit->obj, &phi_unit_ops, cs->user);
	if (ret) {
		kfree(unit);
		return ret;
	}
	unit->id = PHI_UNITS_MAX;
	unit->kind = cmd->kind;
	unit->node = cmd->node;
	unit->capacity = cmd->capacity;
	unit->flags = cmd->flags;
	unit->uid = phi_cspace_uid(cs);
	memcpy(unit->name, cmd->name, sizeof(unit->name));
	unit->load = PHI_UNIT_UNKNOWN;
	unit->temperature = PHI_UNIT_UNKNOWN;
	unit->power = PHI_UNIT_UNKNOWN;
	unit->healthy = 1;

	ret = phi_unit_publish(unit, privileged);
	if (!ret) {
		cmd->id = unit->id;
		ret = phi_cspace_install_new(cs, &unit->obj,
					     PHI_RIGHT_READ | PHI_RIGHT_WRITE |
						     PHI_RIGHT_ADMIN |
						     PHI_RIGHT_GRANT,
					     0, &cmd->cap);
	}
	phi_object_put(&unit->obj);
	return ret;
}

/**
 * phi_unit_update() - PHI_IOC_UNIT_UPDATE
 * @cs: The caller.
 * @arg: struct phi_unit_update.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_unit_update(struct phi_cspace *cs, void *arg)
{
	struct phi_unit_update *cmd = arg;
	struct phi_unit *unit;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->healthy > 1)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->cap, PHI_TYPES(DEVICE), PHI_RIGHT_WRITE);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (cap->obj->ops != &phi_unit_ops)
		return -EINVAL;
	unit = container_of(cap->obj, struct phi_unit, obj);

	guard(spinlock)(&phi_units_lock);
	WRITE_ONCE(unit->load, cmd->load);
	WRITE_ONCE(unit->temperature, cmd->temperature);
	WRITE_ONCE(unit->power, cmd->power);
	WRITE_ONCE(unit->healthy, cmd->healthy);
	return 0;
}

/**
 * phi_unit_id() - which unit a capability names
 * @cap: A DEVICE capability, pinned.
 *
 * Context: Any.
 * Return: Its number, or -EINVAL when it is no unit.
 */
int phi_unit_id(const struct phi_cap *cap)
{
	if (cap->ops != &phi_unit_ops)
		return -EINVAL;
	return container_of(cap->obj, struct phi_unit, obj)->id;
}

/**
 * phi_unit_query() - PHI_IOC_UNIT_QUERY
 * @cs: The caller.
 * @arg: struct phi_unit_query.
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int phi_unit_query(struct phi_cspace *cs, void *arg)
{
	struct phi_unit_query *cmd = arg;
	const struct phi_unit *unit = NULL;
	u32 id;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	guard(spinlock)(&phi_units_lock);
	for (id = cmd->id; id < PHI_UNITS_MAX && !unit; id++)
		unit = phi_unit_get_locked(id);
	if (!unit)
		return -ENOENT;
	cmd->id = unit->id;
	cmd->kind = unit->kind;
	cmd->node = unit->node;
	cmd->capacity = unit->capacity;
	cmd->in_flight = unit->in_flight;
	cmd->load = unit->load;
	cmd->temperature = unit->temperature;
	cmd->power = unit->power;
	cmd->healthy = unit->healthy;
	cmd->unit_flags = unit->flags;
	cmd->uid = from_kuid_munged(cs->cred->user_ns, unit->uid);
	cmd->batches = unit->batches;
	cmd->items = unit->items;
	cmd->run_ns = unit->run_ns;
	memcpy(cmd->name, unit->name, sizeof(cmd->name));
	return 0;
}

/**
 * phi_unit_init() - make ready for units, models and inferences
 *
 * Context: Module load.
 * Return: 0.
 */
int phi_unit_init(void)
{
	return 0;
}

/**
 * phi_unit_exit() - nothing is open any more: let the last units be freed
 *
 * Context: Module unload.
 */
void phi_unit_exit(void)
{
	rcu_barrier();
}
