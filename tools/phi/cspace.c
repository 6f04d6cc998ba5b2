// SPDX-License-Identifier: GPL-2.0-only
/* Where handles live: the cspace of a session, or one's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static int cannot_open(int err)
{
	switch (-err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return fail_because(
			"load it with modprobe phi, or insmod phi.ko; to see it work in a virtual machine: make demo",
			"the phi module is not loaded", "open /dev/phi");
	case EACCES:
		return fail_because(
			"run it as root, or let root set the mode of /dev/phi",
			"this user may not use it", "open /dev/phi");
	default:
		return fail(err, "open /dev/phi");
	}
}

/* Is it a cspace that a parent made, see PROCESS_ENDOW? */
static bool is_endowed(int fd)
{
	static const char name[] = "anon_inode:[phi]";
	char path[32];
	char link[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link));
	return len == (ssize_t)strlen(name) &&
	       !memcmp(link, name, strlen(name));
}

/* Is the file that PHI_FD names a /dev/phi? */
static bool is_phi(int fd)
{
	struct stat device;
	struct stat file;

	if (is_endowed(fd))
		return true;
	return !stat("/dev/phi", &device) && !fstat(fd, &file) &&
	       S_ISCHR(file.st_mode) && file.st_rdev == device.st_rdev;
}

int cspace_open(struct args *args)
{
	const char *text = getenv("PHI_FD");
	char *end;
	long fd;

	if (text) {
		fd = strtol(text, &end, 10);
		if (end == text || *end || fd < 0 || fd > 1 << 20 ||
		    !is_phi((int)fd))
			return fail_because(
				"unset PHI_FD, or run it below phi session",
				"PHI_FD names no open /dev/phi",
				"use the session");
		args->phi = (int)fd;
		quota_asks(args->phi);
		return EXIT_OK;
	}

	args->phi = phi_open(0);
	if (args->phi < 0)
		return cannot_open(args->phi);
	quota_asks(args->phi);
	if (args->verb->flags & VERB_SESSION)
		return fail_because(
			"start a shell with phi session, then repeat it there",
			"handles end with the command that made them, unless it runs in a session",
			"%s", args_name(args) + strlen("phi "));
	return EXIT_OK;
}

static int cspace_share(struct args *args)
{
	const char *text = args->n ? args->operand[0] : "on";
	bool shared = !strcmp(text, "on");
	int ret;

	if (!shared && strcmp(text, "off"))
		return usage_error(args, "'%s' is neither on nor off", text);
	ret = phi_cspace_share(args->phi, shared);
	if (ret == -EPERM)
		return fail_because(
			"only the process that phi session became may: exec phi cspace share ...",
			"the cspace is another process's",
			"change who shares it");
	if (ret)
		return fail(ret, "share the cspace");
	out_bool("shared", shared);
	return out_end();
}

static int cspace_inbox(struct args *args)
{
	unsigned int flags = args_option(args, "agent") ? PHI_INBOX_AGENT : 0;
	uint64_t endpoint = 0;
	int ret;

	if (args->n && args_handle(args, 0, &endpoint))
		return EXIT_USAGE;
	ret = phi_cspace_inbox(args->phi, endpoint, flags);
	if (ret == -ENOENT)
		return fail_because("phi agent register makes one",
				    "this process belongs to no agent",
				    "name its inbox");
	if (ret == -EPERM && !flags)
		return fail_because("--agent names that of the caller's agent",
				    "only the session's own process may",
				    "name its inbox");
	if (ret)
		return fail(ret, "name the inbox");
	if (!out_json)
		return EXIT_OK;
	out_handle("inbox", endpoint);
	return out_end();
}

static const struct verb verbs[] = {
	{ "share", cspace_share, "[on|off]",
	  "let other processes that have the file use the session, or not",
	  VERB_PHI },
	{ "inbox", cspace_inbox, "[ENDPOINT] [--agent]",
	  "name the endpoint that takes what others grant to the session's process, or to the caller's agent; none without ENDPOINT",
	  HANDLES },
	{ 0 },
};

const struct noun cspace_noun = {
	.name = "cspace",
	.help = "the table of capabilities of a session",
	.verbs = verbs,
};
