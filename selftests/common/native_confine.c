// SPDX-License-Identifier: GPL-2.0-only
/*
 * confine() cannot be undone, so each test calls it in a process of its own. As
 * root that process becomes another user; otherwise it keeps its user.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "confine.h"

FIXTURE(confine)
{
	char dir[32];
	struct passwd nobody;
};

FIXTURE_SETUP(confine)
{
	ASSERT_NE(NULL, getpwnam("nobody"));
	self->nobody = *getpwnam("nobody");
	snprintf(self->dir, sizeof(self->dir), "/tmp/confine-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0777));
}

FIXTURE_TEARDOWN(confine)
{
	char line[64];

	snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));
}

/* The first line of this process that found something wrong. */
static int wrong;

#define CHECK(what) note(what, __LINE__)

static void note(bool right, int line)
{
	if (!right && !wrong)
		wrong = line;
}

/* Run in a process: 0, 1 when something was wrong, or -1. */
static int apart(void (*fn)(FIXTURE_DATA(confine) * self),
		 FIXTURE_DATA(confine) * self)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		fn(self);
		if (wrong)
			dprintf(STDERR_FILENO, "# wrong in line %d\n", wrong);
		_exit(wrong != 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Become nobody without help, where that is possible. */
static void become_nobody(FIXTURE_DATA(confine) * self)
{
	if (geteuid())
		return;
	if (setgroups(0, NULL) || setgid(self->nobody.pw_gid) ||
	    setuid(self->nobody.pw_uid))
		_exit(2);
}

static void refuses(FIXTURE_DATA(confine) * self)
{
	CHECK(confine_user("nobody-of-this-name", NULL, 0) == -ENOENT);
	if (!geteuid())
		CHECK(confine_user(NULL, NULL, 0) == -EPERM);
	CHECK(confine_user("root", NULL, 0) == -EPERM);
	become_nobody(self);
	/* Only root can become another. */
	CHECK(confine_user("daemon", NULL, 0) == -EPERM);
	CHECK(confine_user("root", NULL, 0) == -EPERM);
}

TEST_F(confine, refuses_root_and_strangers)
{
	EXPECT_EQ(0, apart(refuses, self));
}

static void becomes_another(FIXTURE_DATA(confine) * self)
{
	uid_t uid[3];
	gid_t gid[3], groups[64];
	int i, n;

	/* Groups that it must not keep. */
	groups[0] = 0;
	groups[1] = 42;
	if (!geteuid())
		CHECK(!setgroups(2, groups));
	CHECK(!confine_user(geteuid() ? NULL : "nobody", NULL, 0));
	CHECK(!getresuid(&uid[0], &uid[1], &uid[2]));
	CHECK(!getresgid(&gid[0], &gid[1], &gid[2]));
	for (i = 0; i < 3; i++) {
		CHECK(uid[i] && uid[i] == uid[0]);
		CHECK(gid[i] && gid[i] == gid[0]);
	}
	n = getgroups(64, groups);
	for (i = 0; i < n; i++)
		CHECK(groups[i] && groups[i] != 42);
	/* There is no way back. */
	CHECK(setuid(0) && setgid(0) && seteuid(0));
	/* Once more is no mistake. */
	CHECK(!confine_user(NULL, NULL, 0));
	(void)self;
}

TEST_F(confine, becomes_another_user_for_good)
{
	EXPECT_EQ(0, apart(becomes_another, self));
}

static void makes_directories(FIXTURE_DATA(confine) * self)
{
	char deep[64], flat[64], inner[80], below[96], *longest = malloc(5000);
	const char *dirs[4] = { NULL };
	bool root = !geteuid();
	struct stat st;

	snprintf(deep, sizeof(deep), "%s/a/b/c", self->dir);
	snprintf(flat, sizeof(flat), "%s/d", self->dir);
	snprintf(inner, sizeof(inner), "%s/e", flat);
	dirs[1] = deep;
	dirs[2] = inner;
	dirs[3] = flat;
	CHECK(!confine_user(root ? "nobody" : NULL, dirs, 4));
	CHECK(!stat(deep, &st) && S_ISDIR(st.st_mode));
	CHECK(st.st_uid == geteuid() && st.st_gid == getegid());
	CHECK((st.st_mode & 0777) == 0755);
	/* Also one that another is made in. */
	CHECK(!stat(flat, &st) && st.st_uid == geteuid());
	CHECK(!stat(inner, &st) && st.st_uid == geteuid());
	/* Those on the way are not given away. */
	snprintf(below, sizeof(below), "%s/a", self->dir);
	CHECK(!stat(below, &st) && st.st_uid == (root ? 0 : geteuid()));
	/* They may be there already; what is no directory may not. */
	CHECK(!confine_user(NULL, dirs, 4));
	snprintf(below, sizeof(below), "%s/file", flat);
	CHECK(close(open(below, O_WRONLY | O_CREAT, 0600)) == 0);
	strcat(below, "/x");
	dirs[0] = below;
	CHECK(confine_user(NULL, dirs, 1) == -ENOTDIR);
	memset(longest, 'x', 4999);
	longest[4999] = '\0';
	dirs[0] = longest;
	CHECK(confine_user(NULL, dirs, 1) == -ENAMETOOLONG);
	free(longest);
}

TEST_F(confine, makes_directories_for_that_user)
{
	umask(022);
	EXPECT_EQ(0, apart(makes_directories, self));
}

/* Root starts it: what another user keeps there stays that user's. */
static void leaves_directories(FIXTURE_DATA(confine) * self)
{
	char dir[64], file[80], link[64];
	const char *const dirs[] = { dir }, *const links[] = { link };
	struct stat st;
	int fd;

	snprintf(dir, sizeof(dir), "%s/theirs", self->dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	CHECK(!mkdir(dir, 0755) && !chown(dir, 1, 1));
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && !close(fd));
	CHECK(confine_user("nobody", dirs, 1) == -ENOTEMPTY);
	CHECK(!geteuid() && !stat(dir, &st) && st.st_uid == 1);
	/* Nor is root's, be it /etc. */
	CHECK(!chown(dir, 0, 0));
	CHECK(confine_user("nobody", dirs, 1) == -ENOTEMPTY);
	CHECK(!geteuid() && !stat(dir, &st) && !st.st_uid);
	/* One that is empty may be taken, and its own one is. */
	CHECK(!unlink(file) && !chown(dir, 1, 1));
	/* Unless somebody has put a link in its place. */
	snprintf(link, sizeof(link), "%s/link", self->dir);
	CHECK(!symlink("theirs", link));
	CHECK(confine_user("nobody", links, 1) == -ELOOP);
	CHECK(!geteuid() && !stat(dir, &st) && st.st_uid == 1);
	CHECK(!unlink(link));
	CHECK(!confine_user("nobody", dirs, 1));
	CHECK(!stat(dir, &st) && st.st_uid == self->nobody.pw_uid);
}

TEST_F(confine, leaves_the_directories_of_others)
{
	if (geteuid())
		SKIP(return, "needs root, to become another user");
	EXPECT_EQ(0, apart(leaves_directories, self));
}

static void gives_up_privileges(FIXTURE_DATA(confine) * self)
{
	(void)self;
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	CHECK(!confine_privileges());
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	CHECK(!confine_privileges());
}

TEST_F(confine, gives_up_privileges)
{
	EXPECT_EQ(0, apart(gives_up_privileges, self));
}

/* A thread that was there before, and what it may do after. */
struct other {
	int go[2];
	int said[2];
};

static void *try_in_thread(void *arg)
{
	struct other *o = arg;
	char c = 0;

	if (read(o->go[0], &c, 1) == 1)
		c = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM;
	return write(o->said[1], &c, 1) == 1 ? NULL : o;
}

static void gives_up_calls(FIXTURE_DATA(confine) * self)
{
	static const int also[] = { SCMP_SYS(getppid), SCMP_SYS(umask) };
	struct timespec now;
	struct rusage usage;
	struct other o;
	pthread_t thread;
	char c;
	int fd;

	CHECK(!pipe(o.go) && !pipe(o.said));
	CHECK(!pthread_create(&thread, NULL, try_in_thread, &o));
	fd = open(self->dir, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK(!confine_calls(also, 2));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EPERM);
	CHECK(open("/dev/null", O_RDONLY) == -1 && errno == EPERM);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) == -1 && errno == EPERM);
	CHECK(fork() == -1 && errno == EPERM);
	/* A program that runs after all, and so in place of this, fails. */
	CHECK(execl("/bin/false", "false", NULL) == -1 && errno == EPERM);
	CHECK(mkdirat(fd, "x", 0700) == -1 && errno == EPERM);
	/* What was asked for, and what serving always takes. */
	CHECK(getppid() > 0);
	CHECK(umask(077) == 022);
	/* Among these is what paces users. */
	CHECK(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now));
	CHECK(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
	CHECK(!getrusage(RUSAGE_THREAD, &usage));
	now = (struct timespec){ .tv_nsec = 1 };
	CHECK(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
	CHECK(write(o.go[1], "x", 1) == 1);
	CHECK(read(o.said[0], &c, 1) == 1);
	/* The other thread gave up the same. */
	CHECK(c == 1);
	CHECK(!close(fd));
}

TEST_F(confine, gives_up_calls_in_every_thread)
{
	umask(022);
	EXPECT_EQ(0, apart(gives_up_calls, self));
}

TEST_HARNESS_MAIN
