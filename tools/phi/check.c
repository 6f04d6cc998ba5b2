// SPDX-License-Identifier: GPL-2.0-only
/* Checks of calls that the module does not know: those of MATHIS. */
#include <mathis/calls.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

const char *foreign_name(uint32_t call)
{
	const struct mathis_call_info *info =
		call <= UINT16_MAX ? mathis_call_find((uint16_t)call) : NULL;

	return info ? info->name : NULL;
}

/* A call by its name, as io_open, or by its number. */
static int call_parse(const struct args *args, const char *text, uint32_t *call)
{
	uint64_t number;
	int ret = mathis_call_number(text, strlen(text));

	if (ret >= 0) {
		*call = (uint32_t)ret;
		return EXIT_OK;
	}
	if (args_u64(args, "call", text, PHI_CALL_FOREIGN - 1, &number))
		return EXIT_USAGE;
	*call = (uint32_t)number;
	return EXIT_OK;
}

/* The options, which hold for all calls of the command line. */
static int common(struct args *args, struct phi_check *check)
{
	const char *type = args_option(args, "type");
	uint64_t cap = 0, bytes = 0, arg = 0;
	uint32_t rights = 0;

	if (option_u64(args, "cap", UINT64_MAX, &cap) ||
	    option_u64(args, "bytes", UINT64_MAX, &bytes) ||
	    option_u64(args, "arg", UINT64_MAX, &arg) ||
	    option_rights(args, &rights))
		return EXIT_USAGE;
	*check = (struct phi_check){
		.cap = cap,
		.rights = rights,
		.bytes = bytes,
		.arg = arg,
	};
	if (!type)
		return EXIT_OK;
	check->type = type_parse(type);
	return check->type ? EXIT_OK :
			     usage_error(args, "'%s' is no type", type);
}

static void show(const struct phi_check *check)
{
	const char *name = foreign_name(check->call);

	out_row();
	out_handle("call", check->call);
	out_str("name", name ? name : "");
	out_str("result", check->result ? error_name(check->result) : "ok");
	out_close();
}

static int call(struct args *args)
{
	struct phi_check checks[PHI_CHECKS_MAX], all;
	uint64_t session = 0, own = 0;
	int i, ret;

	if (args->n > PHI_CHECKS_MAX)
		return usage_error(args, "at most %d calls at once",
				   PHI_CHECKS_MAX);
	if (option_u64(args, "session", UINT64_MAX, &session) ||
	    common(args, &all))
		return EXIT_USAGE;
	for (i = 0; i < args->n; i++) {
		checks[i] = all;
		if (call_parse(args, args->operand[i], &checks[i].call))
			return EXIT_USAGE;
	}
	ret = session ? 0 : phi_session_create(args->phi, &own);
	if (ret)
		return fail(ret, "make a session");
	ret = phi_call_check(args->phi, session ? session : own, checks,
			     (uint32_t)args->n);
	if (own)
		phi_cap_drop(args->phi, own);
	if (ret < 0)
		return fail(ret, "ask about the calls");
	out_table("checks", "none");
	for (i = 0; i < args->n; i++)
		show(&checks[i]);
	out_close();
	out_end();
	return ret ? EXIT_FAILED : EXIT_OK;
}

static const struct verb verbs[] = {
	{ "call", call,
	  "CALL... [--session SESSION] [--cap CAP] [--type TYPE] [--rights LIST] [--bytes SIZE] [--arg BITS]",
	  "ask whether calls of MATHIS pass, and make none", HANDLES },
	{ 0 },
};

const struct noun check_noun = {
	.name = "check",
	.help = "calls of MATHIS before the policies",
	.verbs = verbs,
};
