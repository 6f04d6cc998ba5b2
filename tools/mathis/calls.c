// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis calls - what calls.def says of the calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mathis/calls.h>

#include "cli.h"

static void list(const struct mathis_call_info *call)
{
	if (call->args)
		printf("0x%04x %s(%s): %s\n", call->id, call->name, call->args,
		       call->result);
}

static const char *mode_text(uint8_t mode)
{
	switch (mode) {
	case MATHIS_MODE_WORKER:
		return "other tasks run meanwhile";
	case MATHIS_MODE_MACHINE:
		return "the machine makes it itself";
	default:
		return "it returns at once";
	}
}

static void describe(const struct mathis_call_info *call)
{
	printf("%s (0x%04x)\n", call->name, call->id);
	if (!call->args) {
		printf("  Nothing serves it yet; it takes %d values.\n",
		       call->arity);
		return;
	}
	printf("  %s(%s): %s\n  %s\n", call->name, call->args, call->result,
	       call->doc);
	printf("  Right:  %s\n", *call->right ? call->right : "none is needed");
	printf("  Errors: %s%sArgType ArgRange Arity\n", call->errors,
	       *call->errors ? " " : "");
	printf("  Runs:   %s\n", mode_text(call->mode));
}

static const struct mathis_call_info *find(const char *text)
{
	int id = mathis_call_number(text, strlen(text));
	unsigned long number;
	char *end;

	if (id < 0) {
		number = strtoul(text, &end, 0);
		if (*end || end == text || number > 0x3fff)
			return NULL;
		id = (int)number;
	}
	return mathis_call_find((uint16_t)id);
}

int cmd_calls(int argc, char **argv)
{
	const struct mathis_call_info *calls;
	int status = 0;
	size_t n;

	calls = mathis_calls(&n);
	for (size_t i = 0; argc == 1 && i < n; i++)
		list(&calls[i]);
	for (int i = 1; i < argc; i++) {
		const struct mathis_call_info *call = find(argv[i]);

		if (call) {
			describe(call);
			continue;
		}
		fprintf(stderr, "mathis: no such call: %s\n", argv[i]);
		status = EXIT_BAD;
	}
	if (fflush(stdout))
		status = EXIT_BAD;
	return status;
}
