// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"

#define ROWS_MAX 64

static struct {
	char what[64];
	char seen[96];
	bool held;
} rows[ROWS_MAX];
static int nrows;

/* A terminal code, where colours are wanted: not in a pipe or a file. */
static const char *colour(const char *code)
{
	static int wanted = -1;

	if (wanted < 0)
		wanted = getenv("PHI_DEMO_COLOUR") || isatty(STDOUT_FILENO);
	return wanted ? code : "";
}

#define BOLD colour("\033[1m")
#define DIM colour("\033[2m")
#define RED colour("\033[31m")
#define GREEN colour("\033[32m")
#define PLAIN colour("\033[0m")

/* A new chapter. */
void heading(const char *format, ...)
{
	va_list args;

	printf("\n%s", BOLD);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("%s\n", PLAIN);
	fflush(stdout);
}

/* A line of text below it. */
void line(const char *format, ...)
{
	va_list args;

	printf("  ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* Something that must hold; @format says what was seen. */
void expect(const char *what, bool held, const char *format, ...)
{
	va_list args;

	if (nrows == ROWS_MAX) {
		fprintf(stderr, "demo: more than %d expectations\n", ROWS_MAX);
		exit(1);
	}
	snprintf(rows[nrows].what, sizeof(rows[0].what), "%s", what);
	va_start(args, format);
	vsnprintf(rows[nrows].seen, sizeof(rows[0].seen), format, args);
	va_end(args);
	rows[nrows].held = held;
	printf("  %s%s%s %s: %s\n", held ? GREEN : RED, held ? "ok " : "NOT",
	       PLAIN, what, rows[nrows].seen);
	fflush(stdout);
	nrows++;
}

/* The table at the end; returns how many expectations did not hold. */
int summary(void)
{
	int i, failed = 0;

	heading("Summary");
	for (i = 0; i < nrows; i++) {
		printf("  %s%-4s%s %-50s %s\n", rows[i].held ? GREEN : RED,
		       rows[i].held ? "ok" : "NOT", PLAIN, rows[i].what,
		       rows[i].seen);
		failed += !rows[i].held;
	}
	printf("\n%s%d of %d expectations held%s\n", failed ? RED : GREEN,
	       nrows - failed, nrows, PLAIN);
	fflush(stdout);
	return failed;
}

/* "EPERM" for -1; "0" for 0. */
const char *err_name(int err)
{
	return err ? strerrorname_np(-err) ?: "?" : "0";
}

/* Show a shell command and run it; its exit status. */
int command(const char *format, ...)
{
	char text[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("  %s$ %s%s\n", DIM, text, PLAIN);
	fflush(stdout);
	status = system(text);
	if (status == -1 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
