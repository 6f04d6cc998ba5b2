// SPDX-License-Identifier: GPL-2.0-only
/* Execution units: what runs inferences. */
#include <errno.h>

#include "cli.h"
#include "out.h"

static int unit_register(struct args *args)
{
	unsigned int flags = args_option(args, "shared") ? PHI_UNIT_SHARED : 0;
	uint32_t node = PHI_UNIT_UNKNOWN;
	uint32_t capacity = 1;
	uint32_t kind = 0;
	uint64_t cap;
	uint32_t id;
	int ret;

	if (option_kind(args, "kind", &kind) ||
	    option_u32(args, "node", UINT32_MAX - 1, &node) ||
	    option_u32(args, "capacity", UINT32_MAX, &capacity))
		return EXIT_USAGE;
	quota_hides(
		"units: this user has as many as it may; drop one, or raise the module parameter quota_units, see phi_quota(7)");
	ret = phi_unit_register(args->phi, args->operand[0], kind, node,
				capacity, flags, &id, &cap);
	if (ret)
		return fail(ret, "register the unit %s", args->operand[0]);
	out_u64("id", id);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int unit_update(struct args *args)
{
	uint32_t temperature = PHI_UNIT_UNKNOWN;
	uint32_t power = PHI_UNIT_UNKNOWN;
	uint32_t load = PHI_UNIT_UNKNOWN;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_u32(args, "load", UINT32_MAX - 1, &load) ||
	    option_u32(args, "temperature", UINT32_MAX - 1, &temperature) ||
	    option_u32(args, "power", UINT32_MAX - 1, &power))
		return EXIT_USAGE;
	ret = phi_unit_update(args->phi, cap, load, temperature, power,
			      !args_option(args, "unhealthy"));
	if (ret)
		return fail(ret, "report for %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("cap", cap);
	return out_end();
}

static void known(const char *key, uint32_t value, double scale,
		  const char *unit)
{
	if (value == PHI_UNIT_UNKNOWN) {
		out_unknown(key);
		return;
	}
	out_u64(key, value);
	if (unit)
		out_text("%.1f %s", value / scale, unit);
}

void unit_fields(const struct phi_unit_query *unit)
{
	out_u64("id", unit->id);
	out_name("name", unit->name);
	out_str("kind", kind_name(unit->kind));
	known("node", unit->node, 1, NULL);
	out_bool("shared", unit->unit_flags & PHI_UNIT_SHARED);
	out_u64("uid", unit->uid);
	out_bool("healthy", unit->healthy);
	out_u64("in_flight", unit->in_flight);
	out_u64("capacity", unit->capacity);
	known("load", unit->load, 10, "%");
	known("temp", unit->temperature, 1000, "C");
	known("power", unit->power, 1000, "W");
	out_u64("batches", unit->batches);
	out_u64("items", unit->items);
	out_ns("run_ns", unit->run_ns);
}

int unit_table(int phi)
{
	struct phi_unit_query unit;
	uint64_t id;
	int ret = 0;

	out_table("units", "none; batchd registers some");
	for (id = 0; id < PHI_UNITS_MAX; id = (uint64_t)unit.id + 1) {
		ret = phi_unit_query(phi, (uint32_t)id, &unit);
		if (ret)
			break;
		out_row();
		unit_fields(&unit);
		out_close();
	}
	out_close();
	return ret == -ENOENT ? 0 : ret;
}

static int unit_query(struct args *args)
{
	struct phi_unit_query unit;
	uint64_t id;
	int ret;

	if (args_u64(args, "id", args->operand[0], PHI_UNITS_MAX - 1, &id))
		return EXIT_USAGE;
	ret = phi_unit_query(args->phi, (uint32_t)id, &unit);
	if (!ret && unit.id != id)
		ret = -ENOENT;
	if (ret)
		return fail(ret, "look at unit %s", args->operand[0]);
	unit_fields(&unit);
	return out_end();
}

static int unit_list(struct args *args)
{
	int ret = unit_table(args->phi);

	return ret ? fail(ret, "list the units") : out_end();
}

static const struct verb verbs[] = {
	{ "register", unit_register,
	  "NAME --kind KIND [--node N] [--capacity N] [--shared]",
	  "offer a unit; it lasts as long as its handle", HANDLES },
	{ "update", unit_update,
	  "CAP [--load PERMILLE] [--temperature MILLIDEGREES] [--power MILLIWATTS] [--unhealthy]",
	  "report its figures; what is left out is unknown", HANDLES },
	{ "query", unit_query, "ID", "show one unit", VERB_PHI },
	{ "list", unit_list, "", "show all units", VERB_PHI },
	{ 0 },
};

const struct noun unit_noun = {
	.name = "unit",
	.help = "what runs inferences: CPUs, GPUs, TPUs",
	.verbs = verbs,
};
