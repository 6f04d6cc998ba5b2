// SPDX-License-Identifier: GPL-2.0-only
/*
 * A put of what another user has takes the steps of a put of what nobody has,
 * and so does a search by hash for what another hides: calls, bytes, answers
 * and charges are compared, no times.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)

enum kind { READ, WRITE, SYNC, START, CUT, LINK, RENAME, UNLINK, STEP, KINDS };

/* Calls of the whole process, and the bytes that they were for. */
static atomic_ulong calls[KINDS], bytes[KINDS];

static void count(enum kind kind, unsigned long n)
{
	atomic_fetch_add(&calls[kind], 1);
	atomic_fetch_add(&bytes[kind], n);
}

static size_t length(const struct iovec *iov, int n)
{
	size_t sum = 0;

	while (n--)
		sum += iov[n].iov_len;
	return sum;
}

/* In the place of the C library's, for the store and for SQLite. */
ssize_t pread64(int fd, void *buf, size_t len, off_t at)
{
	count(READ, len);
	return syscall(SYS_pread64, fd, buf, len, at);
}

ssize_t preadv64(int fd, const struct iovec *iov, int n, off_t at)
{
	count(READ, length(iov, n));
	return syscall(SYS_preadv, fd, iov, n, at, 0L);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at)
{
	count(WRITE, len);
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
	count(WRITE, length(iov, n));
	return syscall(SYS_pwritev, fd, iov, n, at, 0L);
}

int fsync(int fd)
{
	count(SYNC, 0);
	return syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	count(SYNC, 0);
	return syscall(SYS_fdatasync, fd);
}

int sync_file_range(int fd, off_t from, off_t len, unsigned int flags)
{
	count(START, len);
	return syscall(SYS_sync_file_range, fd, from, len, flags);
}

int ftruncate64(int fd, off_t len)
{
	count(CUT, 0);
	return syscall(SYS_ftruncate, fd, len);
}

/* By the other of the two names that each of these has. */
ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	return pread64(fd, buf, len, at);
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t at)
{
	return preadv64(fd, iov, n, at);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return pwrite64(fd, buf, len, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	return pwritev64(fd, iov, n, at);
}

int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

int linkat(int from_fd, const char *from, int fd, const char *name, int flags)
{
	count(LINK, 0);
	return syscall(SYS_linkat, from_fd, from, fd, name, flags);
}

int renameat2(int from_fd, const char *from, int fd, const char *name,
	      unsigned int flags)
{
	count(RENAME, 0);
	return syscall(SYS_renameat2, from_fd, from, fd, name, flags);
}

int unlinkat(int fd, const char *name, int flags)
{
	count(UNLINK, 0);
	return syscall(SYS_unlinkat, fd, name, flags);
}

int sqlite3_step(sqlite3_stmt *st)
{
	static int (*step)(sqlite3_stmt *);

	if (!step)
		step = (int (*)(sqlite3_stmt *))dlsym(RTLD_NEXT,
						      "sqlite3_step");
	count(STEP, 0);
	return step(st);
}

/**
 * struct steps - what a put did and left
 * @err: Its answer.
 * @calls: By kind.
 * @bytes: By kind.
 * @used: Bytes that its user is charged for afterwards.
 * @objects: Objects more.
 * @disk: Bytes of the disk more.
 */
struct steps {
	int err;
	unsigned long calls[KINDS];
	unsigned long bytes[KINDS];
	uint64_t used;
	uint64_t objects;
	uint64_t disk;
};

FIXTURE(apart)
{
	uint8_t *mine;
	uint8_t *other;
};

FIXTURE_VARIANT(apart)
{
	size_t len;
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(apart, small) { 4000, 0 };
FIXTURE_VARIANT_ADD(apart, list) { 3 * MIB / 2, 0 };
FIXTURE_VARIANT_ADD(apart, whole) { 3 * MIB / 2, VDFS_PUT_WHOLE };
/* clang-format on */

static unsigned int pieces(const uint8_t *data, size_t len)
{
	unsigned int n = 0;
	size_t at;

	for (at = 0; at < len; at += vdfs_chunk_cut(data + at, len - at))
		n++;
	return n;
}

/* Bytes that nobody else has, and others that make as many rows. */
FIXTURE_SETUP(apart)
{
	uint64_t seed = 2;

	self->mine = random_bytes(variant->len, 1);
	self->other = random_bytes(variant->len, seed);
	while (pieces(self->other, variant->len) !=
	       pieces(self->mine, variant->len)) {
		free(self->other);
		self->other = random_bytes(variant->len, ++seed);
	}
}

FIXTURE_TEARDOWN(apart)
{
	free(self->mine);
	free(self->other);
}

static void begin(void)
{
	int i;

	for (i = 0; i < KINDS; i++) {
		calls[i] = 0;
		bytes[i] = 0;
	}
}

static void end(struct steps *out)
{
	int i;

	for (i = 0; i < KINDS; i++) {
		out->calls[i] = calls[i];
		out->bytes[i] = bytes[i];
	}
}

static int trace(struct tree *t, const uint8_t *data, size_t len,
		 uint32_t flags, struct steps *out)
{
	struct vdfs_store_stats before, after;
	struct vdfs_hash hash;
	uint64_t quota;
	int err;

	err = vdfs_store_stats(t->store, &before);
	begin();
	out->err = put_bytes(t->store, &bob, data, len, flags, "b", &hash);
	end(out);
	if (!err)
		err = vdfs_store_stats(t->store, &after);
	if (!err)
		err = vdfs_quota_get(t->store, bob.uid, &quota, &out->used);
	out->objects = after.objects - before.objects;
	out->disk = after.disk_bytes - before.disk_bytes;
	return err;
}

/* A put of @data by bob, in a new store where alice has @hers. */
static int put_beside(const struct vdfs_store_options *options,
		      const uint8_t *hers, const uint8_t *data, size_t len,
		      uint32_t flags, struct steps *out)
{
	struct vdfs_hash hash;
	struct tree t;
	int err;

	memset(out, 0, sizeof(*out));
	err = tree_make(&t, options);
	if (!err)
		err = put_bytes(t.store, &bob, "x", 1, 0, "x", &hash);
	if (!err)
		err = put_bytes(t.store, &alice, hers, len, flags, "a", &hash);
	if (!err)
		err = trace(&t, data, len, flags, out);
	tree_remove(&t);
	return err;
}

TEST_F(apart, what_another_has_is_put_like_what_nobody_has)
{
	struct steps known, new;
	int i;

	ASSERT_EQ(0, put_beside(NULL, self->mine, self->mine, variant->len,
				variant->flags, &known));
	ASSERT_EQ(0, put_beside(NULL, self->other, self->mine, variant->len,
				variant->flags, &new));
	EXPECT_EQ(0, known.err);
	EXPECT_LE(2, known.calls[SYNC]);
	EXPECT_LE(variant->len, known.bytes[WRITE]);
	EXPECT_LE(variant->len, known.disk);
	EXPECT_LT(0, known.calls[STEP]);
	for (i = 0; i < KINDS; i++) {
		EXPECT_EQ(new.calls[i], known.calls[i])
		{
			TH_LOG("calls of kind %d", i);
		}
		EXPECT_EQ(new.bytes[i], known.bytes[i])
		{
			TH_LOG("bytes of kind %d", i);
		}
	}
	EXPECT_EQ(0, memcmp(&new, &known, sizeof(new)));
}

TEST_F(apart, a_quota_refuses_both_alike)
{
	struct vdfs_store_options options = { .quota = variant->len };
	struct steps known, new;

	ASSERT_EQ(0, put_beside(&options, self->mine, self->mine, variant->len,
				variant->flags, &known));
	ASSERT_EQ(0, put_beside(&options, self->other, self->mine, variant->len,
				variant->flags, &new));
	EXPECT_EQ(-EDQUOT, known.err);
	EXPECT_EQ(1, known.used);
	EXPECT_EQ(0, memcmp(&new, &known, sizeof(new)));
}

/* The option's gain, and its price: the two can be told apart. */
TEST_F(apart, users_share_contents_when_they_are_told_to)
{
	struct vdfs_store_options options = { .share = true };
	struct steps known, new;

	ASSERT_EQ(0, put_beside(&options, self->mine, self->mine, variant->len,
				variant->flags, &known));
	ASSERT_EQ(0, put_beside(&options, self->other, self->mine, variant->len,
				variant->flags, &new));
	EXPECT_EQ(0, known.err);
	EXPECT_EQ(0, known.objects);
	EXPECT_EQ(0, known.disk);
	EXPECT_LE(variant->len, new.disk);
	EXPECT_EQ(new.used, known.used);
}

static int same(struct tree *t, const struct vdfs_who *who,
		FIXTURE_DATA(apart) * self, size_t len)
{
	struct vdfs_hash hash;

	return vdfs_hash_bytes(self->mine, len, &hash) ?:
		       get_same(t->store, who, &hash, self->mine, len);
}

static int count_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	(void)hash;
	(void)size;
	++*(int *)arg;
	return 0;
}

TEST_F(apart, each_has_a_blob_of_its_own)
{
	struct vdfs_fsck_result result;
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;
	struct tree t;
	int n = 0;

	ASSERT_EQ(0, tree_make(&t, NULL));
	ASSERT_EQ(0, put_bytes(t.store, &alice, self->mine, variant->len,
			       variant->flags, NULL, &hash));
	EXPECT_EQ(-ENOENT, same(&t, &bob, self, variant->len));
	EXPECT_EQ(-ENOENT, vdfs_blob_drop(t.store, &bob, &hash));
	ASSERT_EQ(0, put_bytes(t.store, &bob, self->mine, variant->len,
			       variant->flags, NULL, &hash));
	ASSERT_EQ(0, vdfs_store_stats(t.store, &stats));
	EXPECT_EQ(2, stats.blobs);
	ASSERT_EQ(0, tree_reopen(&t, NULL));
	ASSERT_EQ(0, vdfs_fsck(t.store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	EXPECT_EQ(2, result.blobs);
	EXPECT_EQ(0, vdfs_blob_list(t.store, &admin, NULL, count_blob, &n));
	EXPECT_EQ(1, n);
	ASSERT_EQ(0, vdfs_blob_drop(t.store, &alice, &hash));
	ASSERT_EQ(0, vdfs_gc(t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(t.store, &stats));
	EXPECT_EQ(1, stats.blobs);
	EXPECT_EQ(-ENOENT, same(&t, &alice, self, variant->len));
	EXPECT_EQ(0, same(&t, &bob, self, variant->len));
	ASSERT_EQ(0, vdfs_fsck(t.store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&t);
}

FIXTURE(refused)
{
	struct tree t;
};

/* How alice hides it. */
FIXTURE_VARIANT(refused)
{
	const char *name;
	uint32_t mode;
	uint32_t dir_mode;
	int names;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(refused, kept) { NULL, 0, 0, 0 };
FIXTURE_VARIANT_ADD(refused, file) { "d/f%d", 0600, 0755, 1 };
FIXTURE_VARIANT_ADD(refused, directory) { "d/e/f%d", 0644, 0700, 1 };
FIXTURE_VARIANT_ADD(refused, many) { "d/e/f%d", 0644, 0700, 12 };
/* clang-format on */

FIXTURE_SETUP(refused)
{
	struct vdfs_hash hash;
	char name[16];
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, put_bytes(self->t.store, &bob, "x", 1, 0, "x", &hash));
	ASSERT_EQ(0, put_bytes(self->t.store, &carol, "y", 1, 0, "p/y", &hash));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "mine", 4, 0, NULL, &hash));
	for (i = 0; i < variant->names; i++) {
		snprintf(name, sizeof(name), variant->name, i);
		ASSERT_EQ(0,
			  vdfs_name_link(self->t.store, &alice, name, &hash));
		ASSERT_EQ(0, vdfs_name_change(self->t.store, &alice, name,
					      variant->mode, INT64_MIN));
	}
	if (variant->names)
		ASSERT_EQ(0, vdfs_name_change(self->t.store, &alice, "d",
					      variant->dir_mode, INT64_MIN));
}

FIXTURE_TEARDOWN(refused)
{
	tree_remove(&self->t);
}

static int open_it(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_blob *blob;

	return vdfs_blob_open(store, &bob, hash, &blob);
}

static int keep_it(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	return vdfs_blob_keep(store, &bob, hash);
}

static int link_it(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	return vdfs_name_link(store, &bob, "n", hash);
}

static int (*const by_hash[])(struct vdfs_store *store,
			      const struct vdfs_hash *hash) = { open_it,
								keep_it,
								link_it, NULL };

static int look_for(struct vdfs_store *store, int way, const char *text,
		    struct steps *out)
{
	struct vdfs_hash hash;
	int err = vdfs_hash_bytes(text, strlen(text), &hash);

	memset(out, 0, sizeof(*out));
	begin();
	out->err = by_hash[way](store, &hash);
	end(out);
	return err;
}

TEST_F(refused, what_another_hides_is_looked_for_like_what_nobody_has)
{
	struct steps first, known, new;
	int way, i;

	for (way = 0; by_hash[way]; way++) {
		/* Reads pages and prepares statements. */
		ASSERT_EQ(0, look_for(self->t.store, way, "none", &first));
		ASSERT_EQ(0, look_for(self->t.store, way, "mine", &first));
		ASSERT_EQ(0, look_for(self->t.store, way, "mine", &known));
		ASSERT_EQ(0, look_for(self->t.store, way, "none", &new));
		EXPECT_EQ(-ENOENT, known.err);
		EXPECT_EQ(-ENOENT, new.err);
		EXPECT_LT(0, known.calls[STEP]);
		for (i = 0; i < KINDS; i++) {
			EXPECT_EQ(new.calls[i], known.calls[i])
			{
				TH_LOG("way %d, calls of kind %d", way, i);
			}
			EXPECT_EQ(new.bytes[i], known.bytes[i]);
		}
	}
}

/* The first search after a change reads the pages that others changed. */
TEST_F(refused, both_searches_read_as_many_pages)
{
	struct steps known, new;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->t.store, &carol, "1", 1, 0, "p/1", &hash));
	ASSERT_EQ(0, look_for(self->t.store, 0, "mine", &known));
	ASSERT_EQ(0, put_bytes(self->t.store, &carol, "2", 1, 0, "p/1", &hash));
	ASSERT_EQ(0, look_for(self->t.store, 0, "none", &new));
	EXPECT_EQ(new.calls[READ], known.calls[READ]);
	EXPECT_EQ(new.bytes[READ], known.bytes[READ]);
}

/* What is found is not hidden, and costs what it takes. */
TEST_F(refused, what_a_name_shows_is_found)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_hash_bytes("y", 1, &hash));
	EXPECT_EQ(0, get_same(self->t.store, &bob, &hash, "y", 1));
	EXPECT_EQ(0, vdfs_blob_keep(self->t.store, &bob, &hash));
	ASSERT_EQ(0, vdfs_hash_bytes("mine", 4, &hash));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "mine", 4));
	EXPECT_EQ(0, get_same(self->t.store, &admin, &hash, "mine", 4));
}

TEST_HARNESS_MAIN
