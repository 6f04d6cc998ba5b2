// SPDX-License-Identifier: GPL-2.0-only
/* Programs behind the shim, and checks that may crash, each in a process. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

#define RUN_SECONDS 60

/**
 * run_deep() - whether to leave nothing out
 *
 * Return: True in make check-crash, false in make check.
 */
bool run_deep(void)
{
	return getenv("CHECK_CRASH");
}

/**
 * run_init() - make the directories of a run
 * @run: Zeroed, or as it is wanted.
 *
 * Return: 0 or -errno.
 */
int run_init(struct run *run)
{
	const char *tmp = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(run->top, sizeof(run->top), "%s/crash-XXXXXX", tmp);
	if (!mkdtemp(run->top))
		return -errno;
	snprintf(run->root, sizeof(run->root), "%s/root", run->top);
	snprintf(run->notes, sizeof(run->notes), "%s/notes", run->top);
	snprintf(run->log, sizeof(run->log), "%s/log", run->top);
	snprintf(run->state, sizeof(run->state), "%s/state", run->top);
	if (mkdir(run->root, 0700) || mkdir(run->state, 0700))
		return -errno;
	return 0;
}

static int take_away(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	(void)st;
	(void)type;
	if (ftw->level)
		remove(path);
	return 0;
}

/**
 * run_clear() - empty a directory
 * @dir: Directory; it stays.
 */
void run_clear(const char *dir)
{
	nftw(dir, take_away, 16, FTW_DEPTH | FTW_PHYS);
}

/**
 * run_fini() - remove what run_init() made
 * @run: Run.
 */
void run_fini(struct run *run)
{
	run_clear(run->top);
	rmdir(run->top);
}

/* build/selftests[-san]/crash/X -> build/selftests/crash/NAME */
static void beside(char path[PATH_MAX], const char *name)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 64);
	char *at;

	path[n < 0 ? 0 : n] = 0;
	at = strstr(path, "/selftests");
	if (!at)
		at = path;
	sprintf(at, "/selftests/crash/%s", name);
}

static void give(const char *name, const char *value)
{
	if (value[0])
		setenv(name, value, 1);
}

/*
 * Let this process die after so many seconds of a processor, or when it has
 * waited for ten times as long: on a busy machine it is given few of them.
 */
static void limit(unsigned int seconds)
{
	struct rlimit r = { .rlim_cur = seconds, .rlim_max = seconds };

	setrlimit(RLIMIT_CPU, &r);
	alarm(10 * seconds);
}

static void start(struct run *run, const char *count, const char *prog,
		  const char *how)
{
	char path[PATH_MAX], shim[PATH_MAX], kinds[16] = "";

	beside(path, prog);
	beside(shim, "shim.so");
	if (run->kinds)
		snprintf(kinds, sizeof(kinds), "%#x", run->kinds);
	clearenv();
	give("LD_PRELOAD", run->bare ? "" : shim);
	give("CRASH_ROOT", run->root);
	give("CRASH_NOTES", run->notes);
	give("CRASH_LOG", run->record ? run->log : "");
	give("CRASH_COUNT", count);
	give("CRASH_KILL", run->kill);
	give("CRASH_FAIL", run->fail);
	give("CRASH_KINDS", kinds);
	limit(RUN_SECONDS);
	execl(path, path, run->root, run->notes, how, NULL);
	dprintf(STDERR_FILENO, "%s: %m\n", path);
	_exit(127);
}

/**
 * run_start() - start a program
 * @run: Run; its root, notes and log start empty if it does not say keep.
 * @prog: Name of a program beside this one.
 * @how: Its third argument, after the root and the notes.
 *
 * Return: Its process, or -errno.
 */
pid_t run_start(struct run *run, const char *prog, const char *how)
{
	char count[96];
	pid_t pid;

	if (!run->keep) {
		run_clear(run->root);
		unlink(run->notes);
		unlink(run->log);
	}
	snprintf(count, sizeof(count), "%s/count", run->top);
	unlink(count);
	pid = fork();
	if (!pid)
		start(run, count, prog, how);
	return pid < 0 ? -errno : pid;
}

/**
 * run_prog() - run a program behind the shim
 * @run: See run_start().
 * @prog: See there.
 * @how: See there.
 *
 * Return: Its exit status, 128 + the number of the signal that ended it, or
 * -errno.
 */
int run_prog(struct run *run, const char *prog, const char *how)
{
	char count[96];
	int status, fd;
	pid_t pid = run_start(run, prog, how);

	if (pid < 0)
		return pid;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	snprintf(count, sizeof(count), "%s/count", run->top);
	fd = open(count, O_RDONLY);
	if (fd < 0)
		return -errno;
	if (read(fd, &run->count, sizeof(run->count)) != sizeof(run->count))
		memset(&run->count, 0, sizeof(run->count));
	close(fd);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/**
 * run_forked() - run a check in a process of its own
 * @fn: Returns 0 when all is well; says on stdout why not.
 * @arg: Its argument.
 * @seconds: Until it is killed.
 * @why: Out, what it said.
 * @len: Room at @why.
 *
 * Return: 0 when @fn returned 0, -EIO when it did not, or crashed, or hung.
 */
int run_forked(int (*fn)(void *arg), void *arg, unsigned int seconds, char *why,
	       size_t len)
{
	size_t got = 0;
	int status, pipefd[2];
	ssize_t n;
	pid_t pid;

	if (pipe(pipefd))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		dup2(pipefd[1], STDOUT_FILENO);
		dup2(pipefd[1], STDERR_FILENO);
		close(pipefd[0]);
		close(pipefd[1]);
		signal(SIGALRM, SIG_DFL);
		limit(seconds);
		status = fn(arg);
		fflush(NULL);
		_exit(status ? 1 : 0);
	}
	close(pipefd[1]);
	while ((n = read(pipefd[0], why + got, len - 1 - got)) > 0)
		got += (size_t)n;
	why[got] = 0;
	close(pipefd[0]);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (WIFSIGNALED(status))
		snprintf(why + got, len - got, "killed by signal %d",
			 WTERMSIG(status));
	return status ? -EIO : 0;
}

/**
 * run_same_tree() - compare two directories
 * @a: One.
 * @b: The other.
 *
 * SQLite's shared memory does not count.
 *
 * Return: Whether they hold the same names with the same bytes.
 */
bool run_same_tree(const char *a, const char *b)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "diff -r --exclude='*-shm' %s %s >&2", a, b);
	return !system(cmd);
}
