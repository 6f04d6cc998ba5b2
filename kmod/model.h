/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_MODEL_H
#define _PHI_MODEL_H

#include <linux/uidgid.h>

#include "select.h"
#include "service.h"
#include "unit.h"

/**
 * struct phi_average - run time of a model on a unit
 * @serial: The unit's; for another one all this is void.
 * @ns: Per input; 0 = it never ran there.
 * @pace: The means that give @ns.
 * @passed: Batches given to other units since the last one given to this.
 */
struct phi_average {
	u64 serial;
	u64 ns;
	struct phi_pace pace;
	u32 passed;
};

/**
 * struct phi_model - a model that a daemon serves
 * @service: Object of MODEL capabilities, and the endpoint of its messages.
 * @id: Its number, never used twice.
 * @max_batch: Most inputs in one batch.
 * @uid: Owner.
 * @name: For people and policies.
 * @in_flight: Batches begun and not ended; this and all below but @rcu is
 *             guarded by phi_units_lock.
 * @batches: Batches ended well.
 * @items: Inputs in them.
 * @failed: Batches that ended with an error.
 * @run_ns: Time in batches that ended well.
 * @average: Run times, by unit.
 * @rcu: Frees it.
 */
struct phi_model {
	struct phi_service service;
	u64 id;
	u32 max_batch;
	kuid_t uid;
	u8 name[PHI_NAME_MAX];
	u32 in_flight;
	u64 batches;
	u64 items;
	u64 failed;
	u64 run_ns;
	struct phi_average average[PHI_UNITS_MAX];
	struct rcu_head rcu;
};

struct phi_model *phi_model_of(struct phi_cap *cap);
struct phi_model *phi_model_find(u64 id);
u64 phi_model_average(u64 id, u32 unit);

#endif /* _PHI_MODEL_H */
