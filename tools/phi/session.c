// SPDX-License-Identifier: GPL-2.0-only
/* A session: a cspace that the commands of a shell share. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

/*
 * Below 10 are the numbers that scripts reopen, from 10 on those that shells
 * take for themselves, and where few files are allowed 100 may not be.
 */
static const int lowest[] = { 100, 30, 10 };

/* Move the file to a number that no script reopens. */
static int move_up(int phi)
{
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lowest); i++) {
		fd = fcntl(phi, F_DUPFD, lowest[i]);
		if (fd < 0)
			continue;
		phi_close(phi);
		return fd;
	}
	return phi;
}

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
	quota_asks(-1);
	args->phi = phi_open(PHI_OPEN_SHARED);
	if (args->phi < 0)
		return fail(args->phi, "open a shared cspace");
	args->phi = move_up(args->phi);

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
