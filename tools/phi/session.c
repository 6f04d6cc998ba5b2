// SPDX-License-Identifier: GPL-2.0-only
/* A session: a cspace that the commands of a shell share. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

/* The shell inherits the file and its number; all below use it. */
static int run_session(struct args *args)
{
	char *shell = getenv("SHELL");
	char **argv = args->operand;
	char *plain[2];
	char number[16];
	int err;

	if (!args->n) {
		plain[0] = shell && *shell ? shell : "/bin/sh";
		plain[1] = NULL;
		argv = plain;
	}
	unsetenv("PHI_FD");
	if (cspace_open(args))
		return EXIT_FAILED;
	phi_close(args->phi);
	args->phi = phi_open(PHI_OPEN_SHARED);
	if (args->phi < 0)
		return fail(args->phi, "open a shared cspace");

	snprintf(number, sizeof(number), "%d", args->phi);
	if (setenv("PHI_FD", number, 1))
		return fail(-errno, "set PHI_FD");
	if (!args->n && isatty(STDERR_FILENO))
		fprintf(stderr,
			"phi session: capabilities last until this shell ends\n");
	execvp(argv[0], argv);
	err = -errno;
	return fail_because(NULL,
			    err == -ENOENT ? "there is no such program" :
					     "it cannot be run",
			    "start %s", argv[0]);
}

static const struct verb verbs[] = {
	{ "", run_session, "[CMD [ARG]...]",
	  "run a command, else a shell, whose phi commands share one cspace",
	  0 },
	{ 0 },
};

const struct noun session_noun = {
	.name = "session",
	.help = "a shell whose phi commands share one table of capabilities",
	.verbs = verbs,
};
