/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_INFER_IOCTL_H
#define _SELFTESTS_INFER_IOCTL_H

/*
 * Units, models and inferences as the tests make them.
 */

#include "phi_ioctl.h"

#define UNIT_RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define MODEL_RIGHTS \
	(PHI_RIGHT_EXEC | PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* A healthy CPU unit for everybody, with room for two batches. */
#define UNIT_DEFAULTS                                   \
	.flags = PHI_UNIT_SHARED, .kind = PHI_UNIT_CPU, \
	.node = PHI_UNIT_UNKNOWN, .capacity = 2, .name = "unit"

static inline int do_unit(int phi, uint32_t kind, uint32_t capacity,
			  uint32_t *id, uint64_t *cap)
{
	struct phi_unit_register arg = { UNIT_DEFAULTS };
	int ret;

	arg.kind = kind;
	arg.capacity = capacity;
	ret = PHI_DO(phi, UNIT_REGISTER, &arg);
	*id = arg.id;
	*cap = arg.cap;
	return ret;
}

static inline int do_unit_update(int phi, uint64_t cap, uint32_t load,
				 uint32_t temperature, uint32_t healthy)
{
	struct phi_unit_update arg = {
		.cap = cap,
		.load = load,
		.temperature = temperature,
		.power = PHI_UNIT_UNKNOWN,
		.healthy = healthy,
	};

	return PHI_DO(phi, UNIT_UPDATE, &arg);
}

/* The unit with exactly this number. */
static inline int do_unit_query(int phi, uint32_t id,
				struct phi_unit_query *arg)
{
	int ret;

	*arg = (struct phi_unit_query){ .id = id };
	ret = PHI_DO(phi, UNIT_QUERY, arg);
	return ret ?: (arg->id == id ? 0 : -ENOENT);
}

static inline int do_model(int phi, uint32_t max_batch, uint64_t badge,
			   uint64_t *id, uint64_t *cap)
{
	struct phi_model_register arg = {
		.badge = badge,
		.max_batch = max_batch,
		.name = "model",
	};
	int ret = do_endpoint(phi, (uint64_t *)&arg.endpoint);

	ret = ret ?: PHI_DO(phi, MODEL_REGISTER, &arg);
	*id = arg.id;
	*cap = arg.cap;
	return ret;
}

/* The model with exactly this number. */
static inline int do_model_query(int phi, uint64_t id,
				 struct phi_model_query *arg)
{
	int ret;

	*arg = (struct phi_model_query){ .id = id };
	ret = PHI_DO(phi, MODEL_QUERY, arg);
	return ret ?: (arg->id == id ? 0 : -ENOENT);
}

static inline int do_begin(int phi, uint64_t model, uint32_t batch,
			   struct phi_infer_begin *arg)
{
	*arg = (struct phi_infer_begin){ .model = model, .batch = batch };
	return PHI_DO(phi, INFER_BEGIN, arg);
}

static inline int do_end(int phi, uint64_t ticket, int32_t result)
{
	struct phi_infer_end arg = { .ticket = ticket, .result = result };

	return PHI_DO(phi, INFER_END, &arg);
}

static inline int do_select(int phi, uint64_t model, uint32_t batch,
			    struct phi_infer_select *arg)
{
	*arg = (struct phi_infer_select){ .model = model, .batch = batch };
	return PHI_DO(phi, INFER_SELECT, arg);
}

#endif /* _SELFTESTS_INFER_IOCTL_H */
