// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0306: programs, run to their end. Each has a session and a process group of
 * its own; what is in that group when it ends is killed. A program that begins
 * another group leaves it, and lives on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls/calls.h"
#include "core/path.h"
#include "program.h"

#define OUT_BYTES (1U << 20) /* unless max_out says otherwise */
#define ENV_MAX 1000
#define STEP 65536

/* A stream of the program. */
struct out {
	int fd; /* -1: it has ended */
	char *data; /* of the call, with room for one byte more than @max */
	size_t n;
};

struct run {
	struct md_call *c;
	char path[PATH_MAX]; /* of the program */
	char **argv;
	char **env;
	int input; /* its standard input */
	int folder;
	size_t max;
	struct out out[2];
	int epoll;
	pid_t pid; /* 0: none */
	int pidfd;
};

static const struct mathis_item *option(const struct md_call *c,
					const char *key)
{
	const struct mathis_item *v =
		md_given(c, 1) ? mathis_item_get(&c->args[1], key) : NULL;

	return v && v->kind != MATHIS_NONE ? v : NULL;
}

/* A copy with a zero behind it; NULL: reported. */
static char *string(struct md_call *c, const char *text, size_t n)
{
	char *copy;

	if (memchr(text, 0, n)) {
		md_fail(c, MATHIS_ARG_RANGE, "a text has a zero byte");
		return NULL;
	}
	copy = md_alloc(c, n + 1);
	if (copy) {
		memcpy(copy, text, n);
		copy[n] = 0;
	}
	return copy;
}

static int set_argv(struct run *r)
{
	const struct mathis_item *list = &r->c->args[0];

	r->argv = md_alloc(r->c, (list->n + 1) * sizeof(*r->argv));
	if (!r->argv)
		return MD_FAILED;
	for (uint32_t i = 0; i < list->n; i++) {
		r->argv[i] =
			string(r->c, list->items[i].text, list->items[i].n);
		if (!r->argv[i])
			return MD_FAILED;
	}
	r->argv[list->n] = NULL;
	return program_find(r->c, r->argv[0], r->path);
}

/* "NAME=VALUE" */
static char *pair(struct md_call *c, const struct mathis_item *pair)
{
	size_t n = pair[0].n + 1UL + pair[1].n;
	char *text;

	if (pair[0].kind != MATHIS_STR || pair[1].kind != MATHIS_STR) {
		md_fail(c, MATHIS_ARG_TYPE, "the environment is texts by name");
		return NULL;
	}
	if (!pair[0].n || memchr(pair[0].text, '=', pair[0].n)) {
		md_fail(c, MATHIS_ARG_RANGE, "no name of a variable");
		return NULL;
	}
	text = md_alloc(c, n);
	if (!text)
		return NULL;
	memcpy(text, pair[0].text, pair[0].n);
	text[pair[0].n] = '=';
	memcpy(text + pair[0].n + 1, pair[1].text, pair[1].n);
	return string(c, text, n);
}

static int set_env(struct run *r)
{
	const struct mathis_item *map = option(r->c, "env");
	uint32_t n = map ? map->n : 0;

	if (n > ENV_MAX)
		return md_fail(r->c, MATHIS_ARG_RANGE, "more than %d variables",
			       ENV_MAX);
	r->env = md_alloc(r->c, (n + 1) * sizeof(*r->env));
	if (!r->env)
		return MD_FAILED;
	for (uint32_t i = 0; i < n; i++) {
		r->env[i] = pair(r->c, &map->items[2UL * i]);
		if (!r->env[i])
			return MD_FAILED;
	}
	r->env[n] = NULL;
	return MD_DONE;
}

/* The input as a file, so that no one has to write it. */
static int set_input(struct run *r)
{
	const struct mathis_item *data = option(r->c, "input");
	size_t done = 0;

	r->input = memfd_create("input", MFD_CLOEXEC);
	if (r->input < 0)
		return md_fail_errno(r->c, errno, "the input");
	while (data && done < data->n) {
		ssize_t n = pwrite(r->input, data->text + done, data->n - done,
				   (off_t)done);

		if (n < 0 && errno != EINTR)
			return md_fail_errno(r->c, errno, "the input");
		done += n > 0 ? (size_t)n : 0;
	}
	return MD_DONE;
}

static int set_folder(struct run *r)
{
	const struct mathis_item *cwd = option(r->c, "cwd");
	const char *path;

	if (!cwd) {
		r->folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return r->folder < 0 ? md_fail_errno(r->c, errno, "/") :
				       MD_DONE;
	}
	path = string(r->c, cwd->text, cwd->n);
	if (path)
		r->folder = md_path_find(r->c, "fs.read", path, O_DIRECTORY);
	return r->folder < 0 ? MD_FAILED : MD_DONE;
}

static int set_outputs(struct run *r, int ends[2])
{
	const struct mathis_item *max = option(r->c, "max_out");

	r->max = max ? (size_t)max->i : OUT_BYTES;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		return md_fail_errno(r->c, errno, "the outputs");
	for (int i = 0; i < 2; i++) {
		struct epoll_event event = { .events = EPOLLIN };
		int fds[2];

		r->out[i].data = md_alloc(r->c, r->max + 1);
		if (!r->out[i].data)
			return MD_FAILED;
		if (pipe2(fds, O_CLOEXEC))
			return md_fail_errno(r->c, errno, "the outputs");
		r->out[i].fd = fds[0];
		ends[i] = fds[1];
		if (fcntl(fds[0], F_SETFL, O_NONBLOCK) ||
		    epoll_ctl(r->epoll, EPOLL_CTL_ADD, fds[0], &event))
			return md_fail_errno(r->c, errno, "the outputs");
	}
	return MD_DONE;
}

/* Where the program finds itself, and what it has open: 0 or an errno. */
static int set_files(const struct run *r, const int ends[2],
		     posix_spawn_file_actions_t *files)
{
	int ret = posix_spawn_file_actions_addfchdir_np(files, r->folder);

	if (!ret)
		ret = posix_spawn_file_actions_adddup2(files, r->input, 0);
	for (int i = 0; i < 2 && !ret; i++)
		ret = posix_spawn_file_actions_adddup2(files, ends[i], i + 1);
	return ret ?: posix_spawn_file_actions_addclosefrom_np(files, 3);
}

/* A session of its own, and signals as in the beginning: 0 or an errno. */
static int set_attr(posix_spawnattr_t *attr)
{
	short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
		      POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	ret = posix_spawnattr_setsigmask(attr, &none);
	if (!ret)
		ret = posix_spawnattr_setsigdefault(attr, &all);
	return ret ?: posix_spawnattr_setflags(attr, flags);
}

/* Start the program: 0 or an errno. */
static int spawn(struct run *r, const int ends[2])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int ret;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	ret = set_files(r, ends, &files);
	if (!ret)
		ret = set_attr(&attr);
	if (!ret)
		ret = posix_spawn(&r->pid, r->path, &files, &attr, r->argv,
				  r->env);
	if (ret)
		r->pid = 0;
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}

static int start(struct run *r)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ends[2] = { -1, -1 };
	int ret = set_outputs(r, ends);
	int err = ret ? 0 : spawn(r, ends);

	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
	}
	if (err)
		return md_fail_errno(r->c, err, "the program");
	if (ret)
		return ret;
	r->pidfd = pidfd_open(r->pid, 0);
	if (r->pidfd < 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->pidfd, &event))
		return md_fail_errno(r->c, errno, "the program");
	return MD_DONE;
}

/* Read what there is of a stream. */
static int drain(struct run *r, struct out *o)
{
	while (o->fd >= 0) {
		ssize_t n = read(o->fd, o->data + o->n, r->max + 1 - o->n);

		if (n < 0 && errno == EAGAIN)
			return MD_DONE;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(o->fd);
			o->fd = -1;
			return MD_DONE;
		}
		o->n += (size_t)n;
		if (o->n > r->max)
			return md_fail(r->c, MATHIS_LIMIT,
				       "the program wrote more than %zu bytes",
				       r->max);
	}
	return MD_DONE;
}

/* Whether the program has ended. */
static bool has_ended(const struct run *r)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_PIDFD, (id_t)r->pidfd, &info,
		       WEXITED | WNOHANG | WNOWAIT) &&
	       info.si_pid;
}

/* Wait for the end, and read meanwhile. */
static int watch_run(struct run *r)
{
	const struct mathis_item *ms = option(r->c, "timeout_ms");
	uint64_t until = md_now() + (ms ? (uint64_t)ms->i : 0) * 1000000;
	bool ended;
	int ret;

	do {
		uint64_t now = md_now();
		int left = !ms	       ? -1 :
			   now < until ? (int)((until - now) / 1000000 + 1) :
					 0;

		ret = md_wait(r->c, r->epoll, POLLIN, left);
		if (ret == MD_LATER)
			return md_fail(r->c, MATHIS_TIMEOUT,
				       "the program took too long");
		ended = !ret && has_ended(r);
		for (int i = 0; i < 2 && !ret; i++)
			ret = drain(r, &r->out[i]);
	} while (!ret && !ended);
	return ret;
}

static int result(struct run *r, const siginfo_t *info)
{
	static const char *const names[] = { "stdout", "stderr" };
	struct mathis_item map = mathis_item_seq(&r->c->pool, MATHIS_MAP, 3);

	mathis_item_put(&r->c->pool, &map,
			info->si_code == CLD_EXITED ? "code" : "signal",
			mathis_item_int(info->si_status));
	for (int i = 0; i < 2; i++)
		mathis_item_put(
			&r->c->pool, &map, names[i],
			(struct mathis_item){ .kind = MATHIS_BYTES,
					      .n = (uint32_t)r->out[i].n,
					      .text = r->out[i].data });
	return md_return(r->c, map);
}

/* Kill all that is left of its group, and take the status. */
static void end(struct run *r, siginfo_t *info)
{
	if (!r->pid)
		return;
	/* Until it is waited for, its number is that of its group alone. */
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
	while (waitid(P_PID, (id_t)r->pid, info, WEXITED) && errno == EINTR)
		;
}

static void close_all(const struct run *r)
{
	const int fds[] = { r->input,	  r->folder, r->out[0].fd,
			    r->out[1].fd, r->epoll,  r->pidfd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int md_proc_exec(struct md_call *c)
{
	struct run r = { .c = c,
			 .input = -1,
			 .folder = -1,
			 .out = { { .fd = -1 }, { .fd = -1 } },
			 .epoll = -1,
			 .pidfd = -1 };
	siginfo_t info = { .si_pid = 0 };
	int ret;

	if (c->session->core->confined)
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "this dispatcher runs no programs");
	ret = set_argv(&r)	     ?:
		      set_env(&r)    ?:
		      set_input(&r)  ?:
		      set_folder(&r) ?:
		      start(&r)	     ?:
				       watch_run(&r);

	end(&r, &info);
	close_all(&r);
	return ret ?: result(&r, &info);
}
