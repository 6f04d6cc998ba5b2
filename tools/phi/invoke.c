// SPDX-License-Identifier: GPL-2.0-only
/* `phi cap invoke`: what capabilities are for, whatever they name. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

/* Input of an operation: a number, some text, or both. */
struct in {
	uint64_t number;
	char text[PHI_INVOKE_MAX];
};

static const struct {
	const char *name;
	uint32_t op;
	const char *number; /* option that it begins with */
	bool text; /* takes DATA */
	bool bytes; /* gives bytes */
} ops[] = {
	{ "read", PHI_OP_READ, "offset", false, true },
	{ "write", PHI_OP_WRITE, "offset", true, false },
	{ "signal", PHI_OP_SIGNAL, "bits", false, false },
	{ "poll", PHI_OP_POLL, "bits", false, false },
	{ "query", PHI_OP_QUERY, NULL, false, false },
	{ "send", PHI_OP_SEND, NULL, true, false },
	{ "call", PHI_OP_CALL, NULL, true, true },
	{ "answer", PHI_OP_ANSWER, NULL, true, false },
};

static void agent_fields(const struct phi_agent_figures *agent)
{
	out_u64("id", agent->id);
	out_u64("parent", agent->parent);
	out_name("name", agent->name);
}

/* Print what a query gave, which depends on the type. */
static int print_figures(struct args *args, uint64_t cap, const void *out)
{
	struct phi_cap_query query;
	int ret = phi_cap_query(args->phi, cap, &query);

	if (ret)
		return fail(ret, "look at %s", args->operand[0]);
	out_str("type", type_name(query.type));
	switch (query.type) {
	case PHI_TYPE_MEMORY:
		region_fields(out);
		break;
	case PHI_TYPE_DEVICE:
		unit_fields(out);
		break;
	case PHI_TYPE_MODEL:
		model_fields(out);
		break;
	case PHI_TYPE_AGENT:
		agent_fields(out);
		break;
	}
	return out_end();
}

static int print_bytes(struct args *args, const void *out, size_t len)
{
	int ret;

	if (args_option(args, "raw")) {
		ret = write_all(STDOUT_FILENO, out, len);
		return ret ? fail(ret, "write to stdout") : EXIT_OK;
	}
	out_u64("length", len);
	out_bytes("data", out, len);
	return out_end();
}

static int print_bits(uint64_t bits)
{
	out_handle("bits", bits);
	out_only();
	return out_end();
}

/* Room that an operation needs. */
static size_t room(uint32_t op, size_t length)
{
	switch (op) {
	case PHI_OP_READ:
		return length;
	case PHI_OP_POLL:
		return sizeof(uint64_t);
	case PHI_OP_QUERY:
	case PHI_OP_CALL:
		return PHI_MSG_MAX;
	default:
		return 0;
	}
}

int cap_invoke(struct args *args)
{
	static union {
		uint8_t bytes[PHI_INVOKE_MAX];
		uint64_t bits;
	} out;
	const char *name = args->operand[1];
	const char *data = args->n > 2 ? args->operand[2] : "";
	uint32_t length = PHI_INVOKE_MAX;
	size_t len = strlen(data);
	static struct in in;
	const void *from;
	uint64_t cap;
	size_t n = 0;
	size_t got;
	int ret;

	while (n < ARRAY_SIZE(ops) && strcmp(ops[n].name, name) != 0)
		n++;
	if (n == ARRAY_SIZE(ops))
		return usage_error(args, "%s is no operation", name);
	if (len > sizeof(in.text) || (len && !ops[n].text))
		return usage_error(args, "%s takes no such data", name);
	if (args_handle(args, 0, &cap) ||
	    option_u32(args, "length", PHI_INVOKE_MAX, &length) ||
	    (ops[n].number &&
	     option_u64(args, ops[n].number, UINT64_MAX, &in.number)))
		return EXIT_USAGE;
	memcpy(in.text, data, len);
	from = ops[n].number ? (const void *)&in : in.text;
	if (ops[n].number)
		len += sizeof(in.number);
	got = room(ops[n].op, length);
	wait_begin(name);
	ret = phi_cap_invoke(args->phi, cap, ops[n].op, from, len, &out, &got);
	wait_end();
	if (ret)
		return fail(ret, "%s %s", name, args->operand[0]);
	if (ops[n].bytes)
		return print_bytes(args, &out, got);
	if (ops[n].op == PHI_OP_QUERY)
		return print_figures(args, cap, &out);
	if (ops[n].op == PHI_OP_POLL)
		return print_bits(out.bits);
	if (!out_json)
		return EXIT_OK;
	out_str("done", name);
	return out_end();
}
