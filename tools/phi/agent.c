// SPDX-License-Identifier: GPL-2.0-only
/* Agents: processes that policies know by one number. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

#define PATH_LEN 4096
#define CGROUPS "/sys/fs/cgroup"

static int agent_register(struct args *args)
{
	const char *path = args_option(args, "cgroup");
	uint64_t parent = 0;
	uint64_t cap;
	uint64_t id;
	int dir;
	int ret;

	if (option_u64(args, "parent", UINT64_MAX, &parent))
		return EXIT_USAGE;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_because("give a directory below " CGROUPS,
				    strerror(errno), "open the cgroup %s",
				    path);
	ret = phi_agent_register(args->phi, dir, args->operand[0], parent, &id,
				 &cap);
	close(dir);
	if (ret)
		return fail(ret, "make %s the agent %s", path,
			    args->operand[0]);
	out_u64("agent", id);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

/* The cgroup of this process, in the unified hierarchy. */
static int own_cgroup(char *path, size_t room)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_LEN];
	int ret = -ENOENT;
	int len;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3))
			continue;
		len = snprintf(path, room, CGROUPS "%s", line + 3);
		ret = len < 0 || (size_t)len >= room ? -ENAMETOOLONG : 0;
	}
	fclose(file);
	return ret;
}

static int write_to(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, text, strlen(text));
	close(fd);
	return ret;
}

/* In the child: join the cgroup, then become the command. */
static void become(int dir, uint64_t id, char **argv)
{
	char number[24];
	int ret = write_to(dir, "cgroup.procs", "0");

	if (ret) {
		fail(ret, "join the agent's cgroup");
		_exit(126);
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	setenv("PHI_AGENT", number, 1);
	execvp(argv[0], argv);
	ret = errno;
	fail_because(NULL,
		     ret == ENOENT ? "there is no such program" : strerror(ret),
		     "start %s", argv[0]);
	_exit(ret == ENOENT ? 127 : 126);
}

/* Run the command and end whatever it left behind. */
static int run_in(int dir, uint64_t id, char **argv, int *status)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	pid_t child = fork();
	int tries;
	char procs[2];
	int fd;

	if (child < 0)
		return -errno;
	if (!child)
		become(dir, id, argv);

	/* Ctrl-C is for the command; the agent is cleaned up after it. */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	while (waitpid(child, status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	write_to(dir, "cgroup.kill", "1");
	for (tries = 0; tries < 200; tries++) {
		fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, procs, sizeof(procs)) <= 0)
			tries = 200;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int run_agent(struct args *args, const char *path)
{
	const char *name = args->operand[0];
	uint64_t parent = 0;
	uint64_t cap;
	uint64_t id;
	int status = 0;
	int dir;
	int ret;

	if (option_u64(args, "parent", UINT64_MAX, &parent))
		return EXIT_USAGE;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(-errno, "open the cgroup %s", path);
	ret = phi_agent_register(args->phi, dir, name, parent, &id, &cap);
	if (ret) {
		close(dir);
		return fail(ret, "make %s the agent %s", path, name);
	}
	ret = run_in(dir, id, args->operand + 1, &status);
	phi_cap_drop(args->phi, cap);
	close(dir);
	if (ret)
		return fail(ret, "run %s", args->operand[1]);

	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				       WEXITSTATUS(status);
	if (out_json) {
		out_u64("agent", id);
		out_i64("status", status);
		out_end();
	}
	return status;
}

static int agent_run(struct args *args)
{
	const char *parent = args_option(args, "cgroup");
	char own[PATH_LEN];
	char path[PATH_LEN + 64];
	int ret;

	if (strchr(args->operand[0], '/'))
		return usage_error(args, "the name '%s' has a slash",
				   args->operand[0]);
	if (!parent) {
		ret = own_cgroup(own, sizeof(own));
		if (ret)
			return fail_because(
				"mount it: mount -t cgroup2 none " CGROUPS,
				"there is no cgroup v2 hierarchy",
				"find the cgroup of this process");
		parent = own;
	}
	ret = snprintf(path, sizeof(path), "%s/%.31s.%d", parent,
		       args->operand[0], (int)getpid());
	if (ret < 0 || (size_t)ret >= sizeof(path))
		return fail(-ENAMETOOLONG, "make a cgroup in %s", parent);
	if (mkdir(path, 0755))
		return fail_because(
			"run it as root, or give a cgroup that is yours with --cgroup",
			strerror(errno), "make the cgroup %s", path);
	ret = run_agent(args, path);
	if (rmdir(path))
		fprintf(stderr, "phi agent run: %s stays: %s\n", path,
			strerror(errno));
	return ret;
}

static const struct verb verbs[] = {
	{ "register", agent_register, "NAME --cgroup DIR [--parent AGENT]",
	  "make the processes of a cgroup one agent, as long as the handle lasts",
	  HANDLES },
	{ "run", agent_run, "NAME [--cgroup DIR] [--parent AGENT] CMD [ARG]...",
	  "run a command as an agent in a cgroup of its own; its number is in PHI_AGENT",
	  VERB_PHI },
	{ 0 },
};

const struct noun agent_noun = {
	.name = "agent",
	.help = "processes that policies know by one number",
	.verbs = verbs,
};
