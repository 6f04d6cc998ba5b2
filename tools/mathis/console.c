// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console of a program that runs alone: print, println, eprint, input.
 * Every other call is refused by its name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"

#define LINE_MAX 65536

enum { PRINT = 0x0010, PRINTLN, EPRINT, INPUT, INPUT_PROMPT };

static int print(struct mathis_call *call, FILE *f, const char *end)
{
	const char *text;
	size_t n;

	text = mathis_text(call->args[0], &n);
	if (call->args[0].kind != MATHIS_STR)
		return mathis_call_fail(call, MATHIS_ARG_TYPE, "no str");
	if (fwrite(text, 1, n, f) != n || fputs(end, f) < 0)
		return mathis_call_fail(call, MATHIS_CLOSED, "%s",
					strerror(errno));
	return 0;
}

/* Read a line; @n: its bytes without its end. 0, or -errno after a failure. */
static int read_line(struct mathis_call *call, char *line, size_t *n)
{
	int c = 0;

	for (*n = 0; *n < LINE_MAX; line[(*n)++] = c) {
		c = getchar();
		if (c == '\n' || (c == EOF && *n))
			return 0;
		if (c == EOF)
			return mathis_call_fail(call, MATHIS_CLOSED,
						"the input has ended");
	}
	return mathis_call_fail(call, MATHIS_LIMIT,
				"a line of more than %d bytes", LINE_MAX);
}

static int input(struct mathis_call *call)
{
	char *line = malloc(LINE_MAX);
	size_t n;
	int ret;

	if (!line)
		return mathis_call_fail(call, MATHIS_OUT_OF_MEMORY,
					"no memory");
	fflush(stdout);
	ret = read_line(call, line, &n);
	if (!ret)
		ret = mathis_new_str(call->machine, line, n, &call->result);
	free(line);
	if (ret == -EILSEQ)
		return mathis_call_fail(call, MATHIS_ENCODING,
					"the line is no UTF-8");
	if (ret == -ENOMEM)
		return mathis_call_fail(call, MATHIS_OUT_OF_MEMORY,
					"no memory");
	return ret;
}

int console_call(void *arg, struct mathis_call *call)
{
	const struct console *console = arg;
	unsigned int want = call->id != INPUT;
	int ret;

	if (!console->allowed || call->id < PRINT || call->id > INPUT_PROMPT)
		return mathis_call_fail(call, MATHIS_DENIED,
					"this program may not call it");
	if (call->argc != want)
		return mathis_call_fail(call, MATHIS_ARITY,
					"takes %u values, not %u", want,
					call->argc);
	switch (call->id) {
	case PRINT:
		return print(call, stdout, "");
	case PRINTLN:
		return print(call, stdout, "\n");
	case EPRINT:
		fflush(stdout);
		return print(call, stderr, "");
	case INPUT:
		return input(call);
	default:
		ret = print(call, stdout, "");
		return ret ?: input(call);
	}
}

void console_event(void *arg, enum mathis_event event, const char *text)
{
	static const char *const names[] = {
		[MATHIS_EVENT_CALL] = "call",
		[MATHIS_EVENT_RETURN] = "return",
		[MATHIS_EVENT_TRACE] = "trace",
		[MATHIS_EVENT_BREAKPOINT] = "breakpoint",
		[MATHIS_EVENT_EXPLAIN] = "explain",
		[MATHIS_EVENT_PROFILE] = "profile",
		[MATHIS_EVENT_HINT] = "hint",
		[MATHIS_EVENT_LOST] = "a task failed",
	};
	const struct console *console = arg;

	/* TRACE prints, as far as the program may; lost errors are seen. */
	if (!console->trace && event != MATHIS_EVENT_LOST &&
	    !(event == MATHIS_EVENT_TRACE && console->allowed))
		return;
	fflush(stdout);
	fprintf(stderr, "mathis: %s: ", names[event]);
	print_text(stderr, text);
	fputc('\n', stderr);
}
