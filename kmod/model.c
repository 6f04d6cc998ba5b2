// SPDX-License-Identifier: GPL-2.0-only
/*
 * Models: service objects with a name, a limit and averages.
 */

#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <phi.h>

#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "model.h"
#include "name.h"
#include "service.h"

#define PHI_BATCH_MAX 65536

/* Of the capability that MODEL_REGISTER makes. */
#define PHI_MODEL_RIGHTS \
	(PHI_RIGHT_EXEC | PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* By id, until its endpoint dies or the last capability ends. */
static DEFINE_XARRAY(phi_models);
static atomic64_t phi_model_ids;

static void phi_model_free(struct phi_object *obj)
{
	struct phi_model *model =
		container_of(obj, struct phi_model, service.obj);

	if (model->id)
		xa_erase(&phi_models, model->id);
	phi_service_fini(&model->service);
	kfree_rcu(model, rcu);
}

/* Nobody serves it any more: clients that keep a handle do not list it. */
static void phi_model_shut(struct phi_service *service)
{
	xa_erase(&phi_models,
		 container_of(service, struct phi_model, service)->id);
}

static const struct phi_object_ops phi_model_ops = {
	.type = PHI_TYPE_MODEL,
	.free = phi_model_free,
	.removed = phi_service_removed,
	.dead = phi_service_dead,
};

/**
 * phi_model_of() - the model that a capability names
 * @cap: A MODEL capability.
 *
 * Context: Any.
 * Return: The model; it lives as long as @cap is referenced.
 */
struct phi_model *phi_model_of(struct phi_cap *cap)
{
	return container_of(cap->obj, struct phi_model, service.obj);
}

/**
 * phi_model_find() - the model with a number
 * @id: Its number, any value.
 *
 * Context: Under rcu_read_lock(), which must be held for as long as the model
 * is used.
 * Return: The model, which may be about to go, or NULL.
 */
struct phi_model *phi_model_find(u64 id)
{
	return xa_load(&phi_models, id);
}

/**
 * phi_model_average() - how long a model runs on a unit, for policies
 * @id: Number of the model, any value.
 * @unit: Number of the unit, any value.
 *
 * Context: Any.
 * Return: Nanoseconds per input, 0 when it never ran there.
 */
u64 phi_model_average(u64 id, u32 unit)
{
	const struct phi_average *average;
	const struct phi_model *model;
	u64 serial = phi_unit_serial(unit);

	if (!serial)
		return 0;
	guard(rcu)();
	model = phi_model_find(id);
	if (!model)
		return 0;
	average = &model->average[array_index_nospec(unit, PHI_UNITS_MAX)];
	return READ_ONCE(average->serial) == serial ? READ_ONCE(average->ns) :
						      0;
}

/* Give a model a number that was never used, and list it. */
static int phi_model_publish(struct phi_model *model)
{
	int ret;

	static_assert(sizeof(unsigned long) == sizeof(model->id));
	model->id = atomic64_inc_return(&phi_model_ids);
	ret = xa_insert(&phi_models, model->id, model, GFP_KERNEL_ACCOUNT);
	if (ret)
		model->id = 0;
	return ret;
}

/**
 * phi_model_register() - PHI_IOC_MODEL_REGISTER
 * @cs: The caller.
 * @arg: struct phi_model_register.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_model_register(struct phi_cspace *cs, void *arg)
{
	struct phi_model_register *cmd = arg;
	struct phi_model *model;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || !cmd->max_batch || cmd->max_batch > PHI_BATCH_MAX)
		return -EINVAL;
	if (!phi_name_valid(cmd->name))
		return -EINVAL;

	struct phi_cap *endpoint __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES(ENDPOINT), PHI_RIGHT_ADMIN);
	if (IS_ERR(endpoint)) {
		phi_refuse_more(PHI_MODEL_RIGHTS & PHI_RIGHTS_SERVICE);
		return PTR_ERR(endpoint);
	}
	ret = phi_service_check(endpoint, PHI_MODEL_RIGHTS, cmd->badge);
	if (ret)
		return ret;

	model = kzalloc(sizeof(*model), GFP_KERNEL_ACCOUNT);
	if (!model)
		return -ENOMEM;
	ret = phi_service_init(&model->service, &phi_model_ops, endpoint,
			       cs->user);
	if (ret) {
		kfree(model);
		return ret;
	}
	model->max_batch = cmd->max_batch;
	model->uid = phi_cspace_uid(cs);
	memcpy(model->name, cmd->name, sizeof(model->name));

	ret = phi_model_publish(model);
	if (!ret) {
		phi_service_join(&model->service, phi_model_shut);
		cmd->id = model->id;
		ret = phi_service_install(cs, &model->service, endpoint,
					  PHI_MODEL_RIGHTS, cmd->badge, 0,
					  &cmd->cap);
	}
	phi_object_put(&model->service.obj);
	return ret;
}

/**
 * phi_model_query() - PHI_IOC_MODEL_QUERY
 * @cs: The caller.
 * @arg: struct phi_model_query.
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int phi_model_query(struct phi_cspace *cs, void *arg)
{
	struct phi_model_query *cmd = arg;
	const struct phi_model *model;
	unsigned long id = cmd->id;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	guard(rcu)();
	model = xa_find(&phi_models, &id, ULONG_MAX, XA_PRESENT);
	if (!model)
		return -ENOENT;
	guard(spinlock)(&phi_units_lock);
	cmd->id = id;
	cmd->max_batch = model->max_batch;
	cmd->in_flight = model->in_flight;
	cmd->uid = from_kuid_munged(cs->cred->user_ns, model->uid);
	cmd->batches = model->batches;
	cmd->items = model->items;
	cmd->failed = model->failed;
	cmd->run_ns = model->run_ns;
	memcpy(cmd->name, model->name, sizeof(cmd->name));
	return 0;
}
