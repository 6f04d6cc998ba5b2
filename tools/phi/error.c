// SPDX-License-Identifier: GPL-2.0-only
/* Error messages: the action that failed, the reason, and advice. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "out_tree.h"

/*
 * The meanings of uapi/phi/base.h. An errno that is not here comes from
 * outside /dev/phi, or from a policy, and has the C library's words.
 */
static const struct reason {
	int err;
	const char *why;
	const char *hint;
} reasons[] = {
	{ ENOTTY, "this module does not know the call",
	  "the phi command is newer than the module: load the module that came with it" },
	{ EINVAL, "a value is out of range, or the handle is of another type",
	  "phi cap query HANDLE shows its type" },
	{ EOPNOTSUPP,
	  "this module does not know a flag, or the region is of another class",
	  "the phi command is newer than the module: load the module that came with it" },
	{ EBADF, "there is no capability behind the handle",
	  "phi cap list shows the handles of this session" },
	{ EKEYREVOKED, "the capability was revoked",
	  "ask whoever gave it for a new one; phi cap drop forgets it" },
	{ EKEYEXPIRED, "the capability has expired",
	  "ask whoever gave it for a new one; phi cap drop forgets it" },
	{ EKEYREJECTED,
	  "the token is forged, damaged, of an old key or for another user",
	  "ask whoever sealed it for a new one" },
	{ EPERM,
	  "a right is missing, the cspace is another process's, or a policy said no",
	  "phi cap query HANDLE shows its rights, phi policy list the policies" },
	{ EACCES, "permission is missing", "run it as a user who has it" },
	{ ELOOP, "the chain of derivations is at its limit of 8",
	  "derive from a capability nearer to the root" },
	{ EDQUOT, "a quota of this user is spent",
	  "phi system stats shows the quotas; drop what is not needed" },
	{ EAGAIN, "it would have to wait",
	  "leave out --nonblock, or try again later" },
	{ ETIMEDOUT, "the time given with --timeout is over",
	  "give more time, or see that somebody answers" },
	{ EPIPE, "the other side is gone",
	  "its process ended or dropped the capability" },
	{ EMSGSIZE, "it is longer than there is room",
	  "a message has 256 bytes; send longer data in a region" },
	{ ENOSPC, "a table of the module or a disk is full",
	  "phi status shows what exists" },
	{ ENOENT, "nothing is registered there",
	  "phi status shows what exists" },
	{ EEXIST, "something is registered there already",
	  "phi status shows what exists" },
	{ ESRCH, "the process has ended", NULL },
	{ ENOMEM, "the kernel is out of memory", NULL },
	{ EINTR, "a signal came first", NULL },
	{ EFAULT, "the memory is gone", NULL },
};

bool errors_json;

static void report_json(const char *what, const char *err, const char *why,
			const char *hint)
{
	json_t *json;

	json = must(json_pack("{s:{s:s,s:s?,s:s,s:s?}}", "error", "what", what,
			      "errno", err, "why", why, "hint", hint));
	json_dumpf(json, stderr, JSON_INDENT(2));
	fputc('\n', stderr);
	json_decref(json);
}

int bad_usage(const char *command, const char *why, const char *hint)
{
	if (errors_json || out_json)
		report_json(command, NULL, why, hint);
	else
		fprintf(stderr, "%s: %s\n%s\n", command, why, hint);
	return EXIT_USAGE;
}

static int report(const char *what, const char *err, const char *why,
		  const char *hint)
{
	if (!errors_json && !out_json) {
		fprintf(stderr, "phi: cannot %s: %s%s%s%s\n", what, why,
			err ? " (" : "", err ? err : "", err ? ")" : "");
		if (hint)
			fprintf(stderr, "  %s\n", hint);
		return EXIT_FAILED;
	}
	report_json(what, err, why, hint);
	return EXIT_FAILED;
}

static char *format(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	out_clean(must(text));
	return text;
}

int fail(int err, const char *fmt, ...)
{
	const char *why = strerror(-err);
	const char *hint = NULL;
	va_list ap;
	char *what;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (reasons[i].err == -err) {
			why = reasons[i].why;
			hint = reasons[i].hint;
		}
	}
	if (err == -EDQUOT && quota_hint())
		hint = quota_hint();
	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	report(what, strerrorname_np(-err), why, hint);
	free(what);
	return EXIT_FAILED;
}

int fail_because(const char *hint, const char *why, const char *fmt, ...)
{
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	report(what, NULL, why, hint);
	free(what);
	return EXIT_FAILED;
}
