// SPDX-License-Identifier: GPL-2.0-only
/* Run a command as an agent, with what is named. */
#include <errno.h>
#include <fcntl.h>
#include <phi/agents.h>
#include <phi/spawn.h>
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

/* Ctrl-C is for the command; the agent is cleaned up after it. */
static void leave_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
}

/* Start the command with all that this process has. */
static int start_open(int dir, uint64_t id, char **argv, pid_t *child)
{
	*child = fork();
	if (*child < 0)
		return -errno;
	if (!*child)
		become(dir, id, argv);
	return 0;
}

/* NAME=CAP[:RIGHTS] */
static int cap_parse(struct args *args, const char *text, char **name,
		     struct phi_endowment *cap)
{
	struct phi_cap_query query;
	uint64_t value;
	char *handle;
	char *rights;
	int ret;

	*name = strdup(text);
	if (!*name)
		return fail(-ENOMEM, "read %s", text);
	handle = strchr(*name, '=');
	if (!handle)
		return usage_error(args, "'%s' is not NAME=CAP[:RIGHTS]", text);
	*handle++ = '\0';
	rights = strchr(handle, ':');
	if (rights)
		*rights++ = '\0';
	memset(cap, 0, sizeof(*cap));
	if (args_u64(args, "capability", handle, UINT64_MAX, &value))
		return EXIT_USAGE;
	cap->cap = value;
	if (rights && !rights_parse(rights, &cap->rights))
		return usage_error(args, "'%s' are no rights", rights);
	if (rights)
		return EXIT_OK;
	ret = phi_cap_query(args->phi, value, &query);
	if (ret)
		return fail(ret, "look at %s", handle);
	cap->rights = query.rights;
	return EXIT_OK;
}

/* All that a command starts with, and nothing else. */
struct endowment {
	struct phi_endowment caps[PHI_ENDOW_MAX];
	char *names[PHI_ENDOW_MAX];
	uint32_t ncaps;
	char *env[GIVEN_MAX + 3];
	int nenv;
};

static int endowment_parse(struct args *args, struct endowment *with)
{
	int ret;
	int i;

	for (i = 0; i < args->ngiven; i++) {
		const char *value = args->given[i].value;

		if (!strcmp(args->given[i].name, "env")) {
			if (!strchr(value, '='))
				return usage_error(
					args, "'%s' is not NAME=VALUE", value);
			with->env[with->nenv++] = (char *)(uintptr_t)value;
		} else if (!strcmp(args->given[i].name, "cap")) {
			ret = cap_parse(args, value, &with->names[with->ncaps],
					&with->caps[with->ncaps]);
			with->ncaps++;
			if (ret)
				return ret;
		}
	}
	return EXIT_OK;
}

static void endowment_end(struct endowment *with)
{
	while (with->ncaps)
		free(with->names[--with->ncaps]);
}

/* Where a command is, as the shell finds it. */
static int find_command(const char *name, char *path, size_t room)
{
	const char *at = getenv("PATH");

	if (strchr(name, '/'))
		at = "";
	for (;;) {
		size_t len = at ? strcspn(at, ":") : 0;
		int n = snprintf(path, room, "%.*s%s%s", (int)len, at ? at : "",
				 len ? "/" : "", name);

		if (n > 0 && (size_t)n < room && !access(path, X_OK))
			return 0;
		if (!at || !at[len])
			return -ENOENT;
		at += len + 1;
	}
}

/* Start the command with what is named, and with PATH and PHI_AGENT. */
static int start_closed(struct args *args, int dir, uint64_t id,
			struct endowment *with, pid_t *child)
{
	struct phi_spawn how = PHI_SPAWN_INIT;
	struct phi_spawned out;
	char path[PATH_LEN];
	char number[64];
	char search[PATH_LEN];
	int ret;
	int i;

	ret = find_command(args->operand[1], path, sizeof(path));
	if (ret)
		return ret;
	snprintf(number, sizeof(number), "PHI_AGENT=%llu",
		 (unsigned long long)id);
	snprintf(search, sizeof(search), "PATH=%s",
		 getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	with->env[with->nenv++] = search;
	with->env[with->nenv++] = number;
	how.path = path;
	how.argv = args->operand + 1;
	how.envp = with->env;
	how.caps = with->caps;
	how.names = (const char *const *)with->names;
	how.ncaps = with->ncaps;
	how.cgroup = dir;
	how.flags = PHI_SPAWN_SHARED;
	for (i = 0; i < 3; i++)
		how.stdio[i] = i;
	ret = phi_spawn(args->phi, &how, &out);
	if (ret)
		return ret;
	close(out.pidfd);
	*child = out.pid;
	return 0;
}

/* Run the command and end whatever it left behind. */
static int run_in(struct args *args, int dir, uint64_t id, uint64_t agent,
		  int *status)
{
	struct endowment with = { .ncaps = 0 };
	pid_t child = -1;
	int ret;

	ret = endowment_parse(args, &with);
	if (ret) {
		*status = ret << 8;
		endowment_end(&with);
		return 0;
	}
	ret = with.ncaps || with.nenv ?
		      start_closed(args, dir, id, &with, &child) :
		      start_open(dir, id, args->operand + 1, &child);
	endowment_end(&with);
	if (ret)
		return ret;
	leave_signals();
	while (waitpid(child, status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	phi_agent_kill(args->phi, agent, dir,
		       now_ns(CLOCK_MONOTONIC) + 2000000000, NULL);
	return 0;
}

static int run_agent(struct args *args, const char *path)
{
	const char *name = args->operand[0];
	uint64_t parent = 0, budget = 0;
	uint64_t cap;
	uint64_t id;
	int status = 0;
	int dir;
	int ret;

	if (option_u64(args, "parent", UINT64_MAX, &parent) ||
	    option_u64(args, "budget", UINT64_MAX, &budget))
		return EXIT_USAGE;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(-errno, "open the cgroup %s", path);
	ret = phi_agent_register(args->phi, dir, name, parent, &id, &cap);
	if (ret) {
		close(dir);
		return fail(ret, "make %s the agent %s", path, name);
	}
	if (budget) {
		ret = phi_agent_charge(args->phi, cap, budget);
		if (ret) {
			phi_cap_drop(args->phi, cap);
			close(dir);
			return fail(ret, "charge %s to that budget", name);
		}
	}
	ret = run_in(args, dir, id, cap, &status);
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

int agent_run(struct args *args)
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
