// SPDX-License-Identifier: GPL-2.0-only
/* Models: what inferences run. */
#include <errno.h>

#include "cli.h"
#include "out.h"

static int model_register(struct args *args)
{
	uint32_t max_batch = 32;
	uint64_t badge = 0;
	uint64_t endpoint;
	uint64_t cap;
	uint64_t id;
	int ret;

	if (args_handle(args, 1, &endpoint) ||
	    option_u64(args, "badge", UINT64_MAX, &badge) ||
	    option_u32(args, "max-batch", UINT32_MAX, &max_batch))
		return EXIT_USAGE;
	ret = phi_model_register(args->phi, endpoint, badge, args->operand[0],
				 max_batch, &id, &cap);
	if (ret)
		return fail(ret, "register the model %s", args->operand[0]);
	out_u64("id", id);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

void model_fields(const struct phi_model_query *model)
{
	out_u64("id", model->id);
	out_name("name", model->name);
	out_u64("uid", model->uid);
	out_u64("max_batch", model->max_batch);
	out_u64("in_flight", model->in_flight);
	out_u64("batches", model->batches);
	out_u64("items", model->items);
	out_u64("failed", model->failed);
	out_ns("run_ns", model->run_ns);
}

int model_table(int phi)
{
	struct phi_model_query model;
	uint64_t id;
	int ret = 0;

	out_table("models", "none; batchd registers what it loads");
	for (id = 0;; id = model.id + 1) {
		ret = phi_model_query(phi, id, &model);
		if (ret)
			break;
		out_row();
		model_fields(&model);
		out_close();
	}
	out_close();
	return ret == -ENOENT ? 0 : ret;
}

static int model_query(struct args *args)
{
	struct phi_model_query model;
	uint64_t id;
	int ret;

	if (args_u64(args, "id", args->operand[0], UINT64_MAX, &id))
		return EXIT_USAGE;
	ret = phi_model_query(args->phi, id, &model);
	if (!ret && model.id != id)
		ret = -ENOENT;
	if (ret)
		return fail(ret, "look at model %s", args->operand[0]);
	model_fields(&model);
	return out_end();
}

static int model_list(struct args *args)
{
	int ret = model_table(args->phi);

	return ret ? fail(ret, "list the models") : out_end();
}

static const struct verb verbs[] = {
	{ "register", model_register,
	  "NAME ENDPOINT [--badge BITS] [--max-batch N]",
	  "make a model capability whose requests reach the endpoint",
	  HANDLES },
	{ "query", model_query, "ID", "show one model", VERB_PHI },
	{ "list", model_list, "", "show all models", VERB_PHI },
	{ 0 },
};

const struct noun model_noun = {
	.name = "model",
	.help = "what inferences run",
	.verbs = verbs,
};
