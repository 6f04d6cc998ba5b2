// SPDX-License-Identifier: GPL-2.0-only
/*
 * vdfsd serves: what is stored comes back, to whom it may; it gives up what
 * it does not need, and a kill loses nothing that was acknowledged.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/daemon.h"

#define BIG (3 << 20)

FIXTURE(serve)
{
	struct daemon d;
	struct phi_vdfs *v;
	int phi;
	char *bytes;
};

FIXTURE_SETUP(serve)
{
	size_t i;

	self->bytes = malloc(BIG);
	for (i = 0; i < BIG; i++)
		self->bytes[i] = (char)(i * 2654435761U >> 13);
	ASSERT_EQ(0, daemon_new(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, "--quota 64M"));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
}

FIXTURE_TEARDOWN(serve)
{
	session_end(self->phi, self->v);
	daemon_free(&self->d);
	free(self->bytes);
}

/* Does a blob hold these bytes? */
static bool holds(struct phi_vdfs *v, const char *blob, const void *bytes,
		  size_t len)
{
	char *got = malloc(len + 1);
	struct phi_vdfs_blob b;
	bool same;

	same = !phi_vdfs_blob_open(v, blob, &b) && b.bytes == len &&
	       phi_vdfs_blob_read(v, &b, got, len + 1, 0) == (ssize_t)len &&
	       !memcmp(got, bytes, len) && !phi_vdfs_blob_close(v, &b);
	free(got);
	return same;
}

SLOW_TEST(serve, gives_back_what_was_stored)
{
	static const size_t sizes[] = { 0, 1, 4096, 1 << 20, BIG };
	char name[32], text[8 + PHI_VDFS_HASH_TEXT] = "sha256:";
	struct phi_vdfs_hash hash, again;
	struct phi_vdfs_stat st;
	size_t i;

	EXPECT_EQ(PHI_VDFS_VERSION, phi_vdfs_info(self->v)->version);
	EXPECT_EQ(1, phi_vdfs_info(self->v)->admin);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(name, sizeof(name), "dir/blob%zu", i);
		ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, sizes[i], name,
					  &hash));
		EXPECT_TRUE(holds(self->v, name, self->bytes, sizes[i]));
		phi_vdfs_hash_print(&hash, text + 7);
		EXPECT_TRUE(holds(self->v, text, self->bytes, sizes[i]));
		ASSERT_EQ(0, phi_vdfs_hash_parse(text, &again));
		EXPECT_EQ(0, memcmp(&hash, &again, sizeof(hash)));
		ASSERT_EQ(0, phi_vdfs_stat(self->v, name, &st));
		EXPECT_EQ(sizes[i], st.bytes);
		EXPECT_EQ(0, memcmp(&hash, &st.hash, sizeof(hash)));
		EXPECT_EQ(0, st.owner);
	}
	/* The SHA-256 of nothing. */
	EXPECT_TRUE(holds(
		self->v,
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"", 0));
}

SLOW_TEST(serve, stores_piece_by_piece_and_from_files)
{
	struct phi_vdfs_hash hash, other;
	struct phi_vdfs_blob b;
	int fd = memfd_create("blob", 0);
	uint64_t id;
	char c;

	ASSERT_EQ(0, phi_vdfs_put_begin(self->v, 0, &id));
	ASSERT_EQ(0, phi_vdfs_put_data(self->v, id, self->bytes, 1000));
	ASSERT_EQ(0, phi_vdfs_put_data(self->v, id, self->bytes + 1000,
				       BIG - 1000));
	ASSERT_EQ(0, phi_vdfs_put_end(self->v, id, "pieces", NULL, &hash));
	EXPECT_TRUE(holds(self->v, "pieces", self->bytes, BIG));
	EXPECT_EQ(-EBADF, phi_vdfs_put_end(self->v, id, NULL, NULL, NULL));

	ASSERT_EQ(BIG, write(fd, self->bytes, BIG));
	lseek(fd, 0, SEEK_SET);
	ASSERT_EQ(0, phi_vdfs_put_fd(self->v, fd, "file", PHI_VDFS_WHOLE, &hash,
				     NULL, NULL, &other));
	EXPECT_EQ(0, memcmp(&hash, &other, sizeof(hash)));
	/* Another content than was expected is not stored. */
	lseek(fd, 1, SEEK_SET);
	EXPECT_EQ(-EBADMSG, phi_vdfs_put_fd(self->v, fd, "wrong", 0, &hash,
					    NULL, NULL, NULL));
	EXPECT_EQ(-ENOENT, phi_vdfs_blob_open(self->v, "wrong", &b));

	ASSERT_EQ(0, ftruncate(fd, 0));
	lseek(fd, 0, SEEK_SET);
	ASSERT_EQ(0, phi_vdfs_get_fd(self->v, "file", fd, NULL, NULL, &other));
	EXPECT_EQ(0, memcmp(&hash, &other, sizeof(hash)));
	EXPECT_EQ(BIG, lseek(fd, 0, SEEK_CUR));
	ASSERT_EQ(1, pread(fd, &c, 1, BIG - 1));
	EXPECT_EQ(self->bytes[BIG - 1], c);
	close(fd);

	/* One that is given up leaves nothing; more than there may be. */
	ASSERT_EQ(0, phi_vdfs_put_begin(self->v, 0, &id));
	ASSERT_EQ(0, phi_vdfs_put_data(self->v, id, "gone", 4));
	ASSERT_EQ(0, phi_vdfs_put_abort(self->v, id));
	EXPECT_EQ(-EBADF, phi_vdfs_put_data(self->v, id, "gone", 4));
	for (c = 0; c < PHI_VDFS_PUTS; c++)
		ASSERT_EQ(0, phi_vdfs_put_begin(self->v, 0, &id));
	EXPECT_EQ(-ENOSPC, phi_vdfs_put_begin(self->v, 0, &id));
}

static int count_entry(void *arg, const char *name,
		       const struct phi_vdfs_stat *st)
{
	int *n = arg;

	(void)name;
	*n += (st->mode & S_IFMT) == S_IFREG;
	return 0;
}

SLOW_TEST(serve, names_what_is_stored)
{
	struct phi_vdfs *v = self->v;
	struct phi_vdfs_hash hash;
	struct phi_vdfs_stat st;
	char name[80], value[16];
	int i, n = 0;

	ASSERT_EQ(0, phi_vdfs_put(v, "x", 1, "a/one", &hash));
	ASSERT_EQ(0, phi_vdfs_link(v, "a/two", &hash));
	ASSERT_EQ(0, phi_vdfs_mkdir(v, "b", 0755));
	EXPECT_EQ(-EEXIST, phi_vdfs_mkdir(v, "b", 0755));
	ASSERT_EQ(0, phi_vdfs_rename(v, "a", "b/c", 0));
	EXPECT_EQ(-EEXIST,
		  phi_vdfs_rename(v, "b/c/one", "b/c/two", PHI_VDFS_NOREPLACE));
	EXPECT_TRUE(holds(v, "b/c/two", "x", 1));
	EXPECT_EQ(-ENOTEMPTY, phi_vdfs_rmdir(v, "b"));
	EXPECT_EQ(-EISDIR, phi_vdfs_unlink(v, "b/c"));
	ASSERT_EQ(0, phi_vdfs_change(v, "b/c/one", 0600, 5 * SECOND));
	ASSERT_EQ(0, phi_vdfs_stat(v, "b/c/one", &st));
	EXPECT_EQ(0600, st.mode & 0777);
	EXPECT_EQ(5 * SECOND, st.mtime_ns);
	ASSERT_EQ(0, phi_vdfs_chown(v, "b/c/one", 1234, 77));
	ASSERT_EQ(0, phi_vdfs_stat(v, "b/c/one", &st));
	EXPECT_EQ(1234, st.owner);
	EXPECT_EQ(77, st.group);
	ASSERT_EQ(0, phi_vdfs_chown(v, "b/c/one", 0, ~0U));
	ASSERT_EQ(0, phi_vdfs_stat(v, "b/c/one", &st));
	EXPECT_EQ(0, st.owner);
	EXPECT_EQ(77, st.group);
	EXPECT_EQ(-ENOENT, phi_vdfs_chown(v, "b/none", 0, 0));
	ASSERT_EQ(0, phi_vdfs_attr_set(v, "b/c/one", "user.k", "value", 5));
	ASSERT_EQ(5, phi_vdfs_attr_get(v, "b/c/one", "user.k", value, 16));
	EXPECT_EQ(0, memcmp("value", value, 5));
	EXPECT_EQ(-ERANGE, phi_vdfs_attr_get(v, "b/c/one", "user.k", value, 2));
	ASSERT_EQ(7, phi_vdfs_attr_list(v, "b/c/one", value, 16));
	EXPECT_STREQ("user.k", value);
	ASSERT_EQ(0, phi_vdfs_attr_set(v, "b/c/one", "user.k", NULL, 0));
	EXPECT_EQ(-ENODATA,
		  phi_vdfs_attr_get(v, "b/c/one", "user.k", value, 16));
	ASSERT_EQ(0, phi_vdfs_unlink(v, "b/c/one"));
	EXPECT_EQ(-ENOENT, phi_vdfs_stat(v, "b/c/one", &st));
	EXPECT_EQ(-EINVAL, phi_vdfs_put(v, "x", 1, "../up", NULL));
	EXPECT_EQ(-EINVAL, phi_vdfs_mkdir(v, "/b//c", 0755));

	/* More than fits one page. */
	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "many/%060d", i);
		ASSERT_EQ(0, phi_vdfs_link(v, name, &hash));
	}
	ASSERT_EQ(0, phi_vdfs_list(v, "many", count_entry, &n));
	EXPECT_EQ(600, n);
	ASSERT_EQ(0, phi_vdfs_stat(v, "", &st));
	EXPECT_EQ((unsigned int)S_IFDIR, st.mode & S_IFMT);
}

static int count_blob(void *arg, const struct phi_vdfs_hash *hash,
		      uint64_t bytes)
{
	(void)hash;
	*(uint64_t *)arg += bytes;
	return 0;
}

static void no_line(void *arg, const char *line)
{
	(void)line;
	++*(int *)arg;
}

SLOW_TEST(serve, counts_checks_and_collects)
{
	struct phi_vdfs *v = self->v;
	struct phi_vdfs_hash hash;
	struct phi_vdfs_stats st;
	struct phi_vdfs_usage usage;
	struct phi_vdfs_fsck fsck;
	struct phi_vdfs_blob b;
	struct phi_vdfs_gc gc;
	uint64_t quota, used, bytes = 0;
	int lines = 0;

	ASSERT_EQ(0, phi_vdfs_put(v, self->bytes, BIG, "big", &hash));
	ASSERT_EQ(0, phi_vdfs_put(v, "kept", 4, NULL, &hash));
	ASSERT_EQ(0, phi_vdfs_stats(v, &st));
	EXPECT_EQ(2, st.blobs);
	EXPECT_EQ(BIG + 4, st.blob_bytes);
	EXPECT_EQ(1, st.names);
	EXPECT_EQ(1, st.sessions);
	ASSERT_EQ(0, phi_vdfs_blobs(v, count_blob, &bytes));
	EXPECT_EQ(BIG + 4, bytes);
	ASSERT_EQ(0, phi_vdfs_quota_get(v, 0, &quota, &used));
	EXPECT_EQ(64 << 20, quota);
	EXPECT_EQ(BIG + 4, used);
	ASSERT_EQ(0, phi_vdfs_quota_set(v, 1234, 4096));
	ASSERT_EQ(0, phi_vdfs_quota_get(v, 1234, &quota, &used));
	EXPECT_EQ(4096, quota);
	EXPECT_EQ(0, used);
	ASSERT_EQ(0, phi_vdfs_usage(v, 0, &usage));
	EXPECT_EQ(BIG + 4, usage.used);
	EXPECT_EQ(1, usage.names);
	EXPECT_EQ(1, usage.sessions);
	EXPECT_LE(1, usage.calls);
	ASSERT_EQ(0, phi_vdfs_quota_set(v, 0, BIG + 10));
	EXPECT_EQ(-EDQUOT, phi_vdfs_put(v, "eleven more", 11, "more", NULL));

	ASSERT_EQ(0, phi_vdfs_fsck(v, 0, no_line, NULL, &lines, &fsck));
	EXPECT_EQ(2, fsck.blobs);
	EXPECT_EQ(0, fsck.faults);
	EXPECT_EQ(0, lines);
	ASSERT_EQ(0, phi_vdfs_drop(v, &hash));
	EXPECT_EQ(-ENOENT, phi_vdfs_keep(v, &hash));
	ASSERT_EQ(0, phi_vdfs_gc(v, NULL, NULL, &gc));
	EXPECT_EQ(1, gc.blobs);
	ASSERT_EQ(0, phi_vdfs_stats(v, &st));
	EXPECT_EQ(1, st.blobs);
	EXPECT_EQ(0, phi_vdfs_blob_open(v, "big", &b));
}

/* What user 1234 may not do; the number of the first thing it did. */
static int be_other(const struct daemon *d, const struct phi_vdfs_hash *secret)
{
	struct phi_vdfs_fsck fsck;
	struct phi_vdfs *v;
	struct phi_vdfs_usage usage;
	struct phi_vdfs_stats st;
	uint64_t quota, used;
	int phi, n = 0;

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234) ||
	    session_new(d, "vdfs", &phi, &v))
		return 1;
	if (phi_vdfs_info(v)->admin)
		return 2;
	if (!holds(v, "open/to-all", "y", 1))
		return 3;
	if (phi_vdfs_unlink(v, "open/to-all") != -EACCES)
		return 4;
	if (phi_vdfs_keep(v, secret) != -ENOENT ||
	    phi_vdfs_link(v, "mine", secret) != -ENOENT)
		return 5;
	if (phi_vdfs_gc(v, NULL, NULL, NULL) != -EACCES ||
	    phi_vdfs_fsck(v, 0, no_line, NULL, &n, &fsck) != -EACCES)
		return 6;
	if (phi_vdfs_quota_set(v, 1234, 0) != -EACCES ||
	    phi_vdfs_quota_get(v, 0, &quota, &used) != -EACCES ||
	    phi_vdfs_usage(v, 0, &usage) != -EACCES ||
	    phi_vdfs_stats(v, &st) != -EACCES ||
	    phi_vdfs_quota_get(v, 1234, &quota, &used))
		return 7;
	if (phi_vdfs_put(v, "mine", 4, "mine", NULL))
		return 8;
	return 0;
}

SLOW_TEST(serve, keeps_users_apart)
{
	struct phi_vdfs_hash hash;
	struct phi_vdfs_stat st;
	int status;

	chmod(self->d.dir, 0755);
	ASSERT_EQ(0, phi_vdfs_put(self->v, "y", 1, "open/to-all", NULL));
	ASSERT_EQ(0, phi_vdfs_put(self->v, "secret", 6, "closed/s", &hash));
	ASSERT_EQ(0, phi_vdfs_change(self->v, "closed", 0700, INT64_MIN));
	if (!fork())
		_exit(be_other(&self->d, &hash));
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, phi_vdfs_stat(self->v, "mine", &st));
	EXPECT_EQ(1234, st.owner);
}

SLOW_TEST(serve, lets_readers_only_read)
{
	struct phi_vdfs_hash hash;
	struct phi_vdfs *v, *w;
	uint64_t cap, id;
	int phi;

	ASSERT_EQ(0, phi_vdfs_put(self->v, "r", 1, "r", &hash));
	ASSERT_EQ(0, session_new(&self->d, "vdfs-read", &phi, &v));
	EXPECT_EQ(1, phi_vdfs_info(v)->read_only);
	EXPECT_TRUE(holds(v, "r", "r", 1));
	EXPECT_EQ(-EROFS, phi_vdfs_put(v, "w", 1, "w", NULL));
	EXPECT_EQ(-EROFS, phi_vdfs_put_begin(v, 0, &id));
	EXPECT_EQ(-EROFS, phi_vdfs_unlink(v, "r"));
	EXPECT_EQ(-EROFS, phi_vdfs_collection_drop(v, "c"));
	EXPECT_EQ(-EROFS, phi_vdfs_gc(v, NULL, NULL, NULL));
	session_end(phi, v);
	/* Who may write can ask not to. */
	ASSERT_EQ(0, session_cap(&self->d, "vdfs", &phi, &cap));
	ASSERT_EQ(0, phi_vdfs_open(phi, cap, PHI_VDFS_OPEN_READ, 0, &w));
	EXPECT_EQ(-EROFS, phi_vdfs_put(w, "w", 1, "w", NULL));
	session_end(phi, w);
}

SLOW_TEST(serve, runs_without_privilege)
{
	char text[128];

	ASSERT_TRUE(daemon_status(&self->d, "Uid", text, sizeof(text)));
	EXPECT_EQ(0, strncmp(text, "65534\t65534\t65534\t65534", 23));
	ASSERT_TRUE(daemon_status(&self->d, "CapEff", text, sizeof(text)));
	EXPECT_EQ(0, strtoull(text, NULL, 16));
	ASSERT_TRUE(daemon_status(&self->d, "NoNewPrivs", text, sizeof(text)));
	EXPECT_EQ('1', text[0]);
	ASSERT_TRUE(daemon_status(&self->d, "Seccomp", text, sizeof(text)));
	EXPECT_EQ('2', text[0]);
}

SLOW_TEST(serve, refuses_a_second_daemon)
{
	struct daemon other = self->d;

	EXPECT_EQ(-ECHILD, daemon_start(&other, ""));
	EXPECT_EQ(0, phi_vdfs_put(self->v, "z", 1, "z", NULL));
}

/* Store one small blob after the other and report each that is stored. */
static void put_until_killed(const struct daemon *d, int told)
{
	struct phi_vdfs *v;
	char name[32];
	int phi, i;

	if (session_new(d, "vdfs", &phi, &v))
		_exit(1);
	for (i = 0;; i++) {
		snprintf(name, sizeof(name), "kill/%d", i);
		if (phi_vdfs_put(v, name, strlen(name), name, NULL) == -EPIPE)
			_exit(0);
		if (write(told, &i, sizeof(i)) != sizeof(i))
			_exit(2);
	}
}

SLOW_TEST(serve, loses_nothing_that_was_acknowledged)
{
	int told[2], i, last = -1, status;
	char name[32];
	pid_t pid;

	ASSERT_EQ(0, pipe(told));
	pid = fork();
	if (!pid)
		put_until_killed(&self->d, told[1]);
	close(told[1]);
	for (i = 0; i < 40; i++)
		ASSERT_EQ(sizeof(last), read(told[0], &last, sizeof(last)));
	daemon_stop(&self->d, SIGKILL);
	while (read(told[0], &i, sizeof(i)) == sizeof(i))
		last = i;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EPIPE, phi_vdfs_put(self->v, "x", 1, "x", NULL));

	EXPECT_EQ(0, daemon_check(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, ""));
	session_end(self->phi, self->v);
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
	ASSERT_LE(39, last);
	for (i = 0; i <= last; i++) {
		snprintf(name, sizeof(name), "kill/%d", i);
		EXPECT_TRUE(holds(self->v, name, name, strlen(name)));
	}
}

SLOW_TEST(serve, ends_on_sigterm_and_takes_its_tokens_along)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vdfs.token", self->d.dir);
	EXPECT_EQ(0, access(path, R_OK));
	EXPECT_EQ(0, daemon_stop(&self->d, SIGTERM));
	EXPECT_EQ(-1, access(path, R_OK));
	EXPECT_EQ(-EPIPE, phi_vdfs_put(self->v, "x", 1, "x", NULL));
	EXPECT_EQ(0, daemon_check(&self->d));
}

TEST_HARNESS_MAIN
