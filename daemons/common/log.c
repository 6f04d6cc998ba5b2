// SPDX-License-Identifier: GPL-2.0-only
/* Daemons log to standard error, a line at a time. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

/**
 * say() - write one line to the log, standard error
 * @format: As for printf(), without a newline; the program's name is put
 *          before it.
 *
 * Context: Any thread.
 */
void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	/* In one piece, whoever else writes. */
	fprintf(stderr, "%s: %.*s\n", program_invocation_short_name, len, line);
}
