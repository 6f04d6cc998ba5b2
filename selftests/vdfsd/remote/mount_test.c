// SPDX-License-Identifier: GPL-2.0-only
/* Two hosts that share a bucket, as programs see them: two mounts. */
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

#include <kselftest_harness.h>

#include "vdfsd/s3.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define PATIENCE 600 /* tenths of a second until the other has seen it */

/* vdfsd with its mount, and no phi. */
struct host {
	pid_t pid;
	char store[96];
	char mount[96];
};

FIXTURE(mount)
{
	struct bucket b;
	char dir[64];
	struct host here;
	struct host there;
};

static void become_host(struct host *h, struct bucket *b, int ready)
{
	const char *build = getenv("PHI_BUILD");
	char path[256], fd[16];

	snprintf(path, sizeof(path), "%s/daemons/vdfsd", build ?: "build");
	snprintf(fd, sizeof(fd), "%d", ready);
	execl(path, "vdfsd", "--user", "nobody", "--store", h->store, "--mount",
	      h->mount, "--no-phi", "--ready-fd", fd, "--remote", b->url,
	      "--remote-credentials", b->credentials, "--remote-ca", b->ca,
	      NULL);
	perror(path);
	_exit(127);
}

static int host_start(struct host *h, struct bucket *b)
{
	int ready[2];
	char c;

	if (pipe(ready))
		return -errno;
	h->pid = fork();
	if (!h->pid) {
		close(ready[0]);
		become_host(h, b, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(h->pid, NULL, 0);
		h->pid = 0;
	}
	close(ready[0]);
	return h->pid > 0 ? 0 : -ECHILD;
}

static int host_stop(struct host *h)
{
	int status = 0;

	if (h->pid > 0) {
		kill(h->pid, SIGTERM);
		waitpid(h->pid, &status, 0);
	}
	h->pid = 0;
	return status;
}

static int host_make(struct host *h, const char *dir, const char *name)
{
	snprintf(h->store, sizeof(h->store), "%s/%s.store", dir, name);
	snprintf(h->mount, sizeof(h->mount), "%s/%s", dir, name);
	return mkdir(h->mount, 0755) || mkdir(h->store, 0700) ||
			       chown(h->store, 65534, 65534) ?
		       -errno :
		       0;
}

FIXTURE_SETUP(mount)
{
	char line[512];

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, system("ip link set lo up; [ -c /dev/fuse ] ||\n"
			    "modprobe fuse"));
	ASSERT_EQ(0, bucket_make_tls(&self->b));
	snprintf(self->dir, sizeof(self->dir), "/tmp/vdfs-s3m-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	/* The daemons become nobody, who has to be able to read these. */
	snprintf(line, sizeof(line),
		 "chmod 711 %s %s && chmod 644 %s && chown nobody %s",
		 self->dir, self->b.dir, self->b.ca, self->b.credentials);
	ASSERT_EQ(0, system(line));
	ASSERT_EQ(0, host_make(&self->here, self->dir, "here"));
	ASSERT_EQ(0, host_make(&self->there, self->dir, "there"));
	ASSERT_EQ(0, host_start(&self->here, &self->b));
	ASSERT_EQ(0, host_start(&self->there, &self->b));
}

FIXTURE_TEARDOWN(mount)
{
	char line[128];

	EXPECT_EQ(0, host_stop(&self->here));
	EXPECT_EQ(0, host_stop(&self->there));
	bucket_remove(&self->b);
	snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));
}

static int open_at(struct host *h, const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/names/%s", h->mount, name);
	return open(path, flags | O_CLOEXEC, 0644);
}

/* As programs write: what fails is told at the latest by close(2). */
static int write_file(struct host *h, const char *name, int flags,
		      const void *data, size_t len)
{
	int fd = open_at(h, name, O_WRONLY | flags), err = 0;
	const char *p = data;

	if (fd < 0)
		return -errno;
	while (!err && len) {
		ssize_t n = write(fd, p, len);

		err = n < 0 ? -errno : 0;
		p += n;
		len -= n;
	}
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int file_is(struct host *h, const char *name, const void *data,
		   size_t len)
{
	int fd = open_at(h, name, O_RDONLY), err = 0;
	char *got = malloc(len + 1);
	size_t fill = 0;
	ssize_t n;

	if (fd < 0)
		err = -errno;
	while (!err && (n = read(fd, got + fill, len + 1 - fill))) {
		err = n < 0 ? -errno : 0;
		fill += n;
	}
	if (!err && (fill != len || memcmp(got, data, len)))
		err = -EILSEQ;
	if (fd >= 0)
		close(fd);
	free(got);
	return err;
}

/* Another host sees it within seconds. */
static int comes_to_be(struct host *h, const char *name, const void *data,
		       size_t len)
{
	struct timespec tenth = { .tv_nsec = 100000000 };
	int i, err = -ETIMEDOUT;

	for (i = 0; err && i < PATIENCE; i++) {
		err = file_is(h, name, data, len);
		if (err)
			nanosleep(&tenth, NULL);
	}
	return err;
}

static void write_and_read(struct __test_metadata *_metadata,
			   FIXTURE_DATA(mount) * self)
{
	uint8_t *data = random_bytes(5 * MIB, 1);
	struct host *here = &self->here, *there = &self->there;
	char from[256], to[256];
	int fd, i;

	ASSERT_EQ(0, write_file(here, "a", O_CREAT | O_EXCL, "one", 3));
	EXPECT_EQ(0, comes_to_be(there, "a", "one", 3));
	EXPECT_EQ(-EEXIST, write_file(there, "a", O_CREAT | O_EXCL, "x", 1));
	ASSERT_EQ(0, write_file(there, "a", O_APPEND, " two", 4));
	EXPECT_EQ(0, comes_to_be(here, "a", "one two", 7));
	snprintf(to, sizeof(to), "%s/names/dir", here->mount);
	ASSERT_EQ(0, mkdir(to, 0755));
	ASSERT_EQ(0, write_file(here, "dir/large", O_CREAT, data, 5 * MIB));
	EXPECT_EQ(0, comes_to_be(there, "dir/large", data, 5 * MIB));
	/* fsync(2) is enough, and a rename brings it over another. */
	fd = open_at(here, "dir/new", O_RDWR | O_CREAT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, pwrite(fd, "three", 5, 0));
	ASSERT_EQ(0, fsync(fd));
	EXPECT_EQ(0, comes_to_be(there, "dir/new", "three", 5));
	snprintf(from, sizeof(from), "%s/names/dir/new", here->mount);
	snprintf(to, sizeof(to), "%s/names/a", here->mount);
	ASSERT_EQ(0, rename(from, to));
	EXPECT_EQ(0, comes_to_be(there, "a", "three", 5));
	/* What is written then goes where the file is by now. */
	ASSERT_EQ(4, pwrite(fd, "four", 4, 5));
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, comes_to_be(there, "a", "threefour", 9));
	/* Another host takes it away while it is open. */
	fd = open_at(here, "a", O_RDWR);
	ASSERT_LE(0, fd);
	snprintf(from, sizeof(from), "%s/names/a", there->mount);
	ASSERT_EQ(0, unlink(from));
	for (i = 0; !file_is(here, "a", "threefour", 9) && i < PATIENCE; i++)
		usleep(100000);
	ASSERT_EQ(1, pwrite(fd, "x", 1, 0));
	EXPECT_EQ(-1, fsync(fd));
	EXPECT_EQ(ESTALE, errno);
	close(fd);
	EXPECT_EQ(-ENOENT, file_is(here, "a", "", 0));
	EXPECT_EQ(-ENOENT, file_is(there, "a", "", 0));
	free(data);
}

static void lose_the_server(struct __test_metadata *_metadata,
			    FIXTURE_DATA(mount) * self)
{
	struct host *here = &self->here, *there = &self->there;
	int fd, i;

	ASSERT_EQ(0, write_file(here, "a", O_CREAT, "one", 3));
	EXPECT_EQ(0, comes_to_be(there, "a", "one", 3));
	fd = open_at(here, "a", O_RDWR);
	ASSERT_LE(0, fd);
	bucket_stop(&self->b);
	ASSERT_EQ(3, pwrite(fd, "two", 3, 0));
	EXPECT_EQ(-1, fsync(fd));
	EXPECT_EQ(EHOSTUNREACH, errno);
	/* What is here is served, and what was refused is not there. */
	EXPECT_EQ(0, file_is(there, "a", "one", 3));
	EXPECT_EQ(-EHOSTUNREACH, write_file(there, "a", O_TRUNC, "three", 5));
	EXPECT_EQ(0, file_is(there, "a", "one", 3));
	EXPECT_EQ(-EHOSTUNREACH, write_file(here, "b", O_CREAT, "x", 1));
	ASSERT_EQ(0, bucket_start(&self->b));
	/* It is still in the open file; soon the server is asked again. */
	for (i = 0; fsync(fd) && i < PATIENCE; i++)
		usleep(100000);
	EXPECT_LT(i, PATIENCE);
	EXPECT_EQ(0, close(fd));
	EXPECT_EQ(0, comes_to_be(there, "a", "two", 3));
	EXPECT_EQ(-ENOENT, file_is(there, "b", "", 0));
	/* After a restart too. */
	ASSERT_EQ(0, host_stop(here));
	ASSERT_EQ(0, host_start(here, &self->b));
	EXPECT_EQ(0, file_is(here, "a", "two", 3));
}

/* One test, for in a virtual machine the server takes its time to start. */
TEST_F_TIMEOUT(mount, shared, 850)
{
	write_and_read(_metadata, self);
	lose_the_server(_metadata, self);
}

TEST_HARNESS_MAIN
