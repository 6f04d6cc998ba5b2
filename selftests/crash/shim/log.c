// SPDX-License-Identifier: GPL-2.0-only
/* What the shim was told, where the faults are, and the log. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#define NEVER UINT64_MAX

static pthread_mutex_t shim_lock = PTHREAD_MUTEX_INITIALIZER; /* all below */
static char root[PATH_MAX];
static size_t root_len;
static char notes[PATH_MAX];
static int log_fd = -1;
static struct crash_count own;
static struct crash_count *count = &own;
static uint64_t kill_at = NEVER;
static bool kill_torn;
static bool kill_sync;
static uint64_t fail_at = NEVER;
static uint64_t fail_end;
static int fail_errno;
static uint64_t fail_kinds = ~0ULL;
static uint64_t fail_seen;

static void complain(const char *what)
{
	dprintf(STDERR_FILENO, "crash shim: %s: %m\n", what);
	_exit(99);
}

static void die(void)
{
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

static void read_faults(void)
{
	const char *text = getenv("CRASH_KILL");
	unsigned long times = 1;
	char *end;

	if (text) {
		kill_at = strtoull(text, &end, 10);
		kill_torn = *end == 't';
		kill_sync = *end == 's';
	}
	text = getenv("CRASH_FAIL");
	if (text) {
		fail_at = strtoull(text, &end, 10);
		if (*end == ':')
			fail_errno = (int)strtoul(end + 1, &end, 10);
		if (*end == ':')
			times = strtoul(end + 1, &end, 10);
		fail_end = fail_at + times;
	}
	text = getenv("CRASH_KINDS");
	if (text)
		fail_kinds = strtoull(text, NULL, 0);
}

__attribute__((constructor)) static void start(void)
{
	const char *dir = getenv("CRASH_ROOT");
	const char *text;
	int fd;

	if (!dir || !realpath(dir, root))
		return;
	text = getenv("CRASH_NOTES");
	if (text)
		snprintf(notes, sizeof(notes), "%s", text);
	text = getenv("CRASH_LOG");
	if (text) {
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, text,
				      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				      0600);
		if (log_fd < 0)
			complain(text);
	}
	text = getenv("CRASH_COUNT");
	if (text) {
		fd = (int)syscall(SYS_openat, AT_FDCWD, text,
				  O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(*count)))
			complain(text);
		count = (void *)syscall(SYS_mmap, NULL, sizeof(*count),
					PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					0L);
		if (count == MAP_FAILED)
			complain(text);
		close(fd);
	}
	read_faults();
	root_len = strlen(root);
}

/* No more faults: the disk has been seen to. For the program under test. */
SHIM_EXPORT void crash_heal(void);
SHIM_EXPORT void crash_heal(void)
{
	pthread_mutex_lock(&shim_lock);
	fail_at = NEVER;
	fail_end = 0;
	pthread_mutex_unlock(&shim_lock);
}

/**
 * shim_on() - whether there is anything to do
 *
 * Return: False before the shim is set up and where it is given no root.
 */
bool shim_on(void)
{
	return root_len;
}

static bool below(const char *abs, const char **path)
{
	if (strncmp(abs, root, root_len))
		return false;
	if (abs[root_len] && abs[root_len] != '/')
		return false;
	*path = abs + root_len + (abs[root_len] == '/');
	return true;
}

static bool fd_path(int fd, char abs[PATH_MAX])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, abs, PATH_MAX - 1);
	if (n < 0)
		return false;
	abs[n] = 0;
	return true;
}

/**
 * shim_is_notes() - whether a descriptor is that of the notes
 * @fd: Descriptor.
 *
 * Return: True if so.
 */
bool shim_is_notes(int fd)
{
	char abs[PATH_MAX];

	return notes[0] && fd_path(fd, abs) && !strcmp(abs, notes);
}

/**
 * shim_fd() - name the file of a call by its descriptor
 * @call: Its path is set.
 * @fd: Descriptor.
 *
 * Return: Whether the file is below the root.
 */
bool shim_fd(struct shim_call *call, int fd)
{
	return shim_on() && fd_path(fd, call->abs) &&
	       below(call->abs, &call->path);
}

/**
 * shim_at() - resolve all of a path but its last component
 * @abs: Out, the absolute path.
 * @path: Out, the part of it below the root.
 * @dirfd: Directory it is relative to, or AT_FDCWD.
 * @name: Path.
 *
 * Return: Whether it is below the root.
 */
bool shim_at(char abs[PATH_MAX], const char **path, int dirfd, const char *name)
{
	char whole[PATH_MAX], base[PATH_MAX];
	char *slash;
	size_t len;

	if (!shim_on() || !name)
		return false;
	if (name[0] == '/')
		base[0] = 0;
	else if (dirfd == AT_FDCWD ? !getcwd(base, sizeof(base)) :
				     !fd_path(dirfd, base))
		return false;
	len = (size_t)snprintf(whole, sizeof(whole), "%s/%s", base, name);
	if (len >= sizeof(whole))
		return false;
	while (len > 1 && whole[len - 1] == '/')
		whole[--len] = 0;
	slash = strrchr(whole, '/');
	*slash = 0;
	if (!realpath(slash == whole ? "/" : whole, base))
		return false;
	len = strlen(base);
	if (len + strlen(slash + 1) + 2 > PATH_MAX)
		return false;
	memcpy(abs, base, len);
	abs[len] = '/';
	memcpy(abs + len + 1, slash + 1, strlen(slash + 1) + 1);
	return below(abs, path);
}

/**
 * shim_begin() - count an operation, and decide what becomes of it
 * @call: The operation; when shim_begin() returns, its lock is held.
 *
 * Return: What to do. Does not return where the process is to die.
 */
enum shim_act shim_begin(struct shim_call *call)
{
	enum shim_act act = SHIM_GO;
	uint64_t n, fails;

	pthread_mutex_lock(&shim_lock);
	n = count->ops++;
	if (kill_sync)
		n = call->op.kind == CRASH_SYNC ? count->kinds[CRASH_SYNC] :
						  NEVER - 1;
	count->kinds[call->op.kind]++;
	if (n == kill_at && kill_torn && call->op.kind == CRASH_WRITE)
		return SHIM_HALF;
	if (n == kill_at)
		die();
	if (!(fail_kinds >> call->op.kind & 1))
		return act;
	fails = fail_seen++;
	if (fail_at == NEVER || fails < fail_at || fails >= fail_end)
		return act;
	if (!fail_errno) {
		act = call->op.kind == CRASH_WRITE ? SHIM_HALF : SHIM_GO;
		count->faults += act == SHIM_HALF;
		return act;
	}
	count->faults++;
	call->op.error = fail_errno;
	errno = fail_errno;
	return SHIM_FAIL;
}

/* The process ends here when it is to die in the middle of a write. */
void shim_torn(void)
{
	if (kill_torn && count->ops - 1 == kill_at)
		die();
}

static void put(const void *data, size_t len)
{
	const char *from = data;
	long n;

	while (len) {
		n = syscall(SYS_write, log_fd, from, len);
		if (n <= 0)
			complain("the log cannot be written");
		from += n;
		len -= (size_t)n;
	}
}

static void put_op(struct shim_call *call)
{
	struct crash_op *op = &call->op;

	if (log_fd < 0)
		return;
	op->path = call->path ? (uint32_t)strlen(call->path) : 0;
	op->path2 = call->path2 ? (uint32_t)strlen(call->path2) : 0;
	op->data = op->kind == CRASH_WRITE || op->kind == CRASH_NOTE ?
			   (uint32_t)op->len :
			   0;
	put(op, sizeof(*op));
	put(call->path, op->path);
	put(call->path2, op->path2);
	put(call->data, op->data);
}

/**
 * shim_end() - log an operation and let the next begin
 * @call: As shim_begin() had it, with what was really done.
 * @ret: Result of the call; one that failed by itself is not logged.
 *
 * Return: @ret; errno is as it was.
 */
long shim_end(struct shim_call *call, long ret)
{
	int err = errno;

	if (ret >= 0 || call->op.error)
		put_op(call);
	pthread_mutex_unlock(&shim_lock);
	errno = err;
	return ret;
}

/**
 * shim_note() - log a note
 * @data: What was written.
 * @len: Bytes.
 */
void shim_note(const void *data, size_t len)
{
	struct shim_call call = { .op = { .kind = CRASH_NOTE, .len = len },
				  .data = data };

	pthread_mutex_lock(&shim_lock);
	put_op(&call);
	pthread_mutex_unlock(&shim_lock);
}
