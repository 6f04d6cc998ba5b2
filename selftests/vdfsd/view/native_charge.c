// SPDX-License-Identifier: GPL-2.0-only
/* Charges for files of the view, and that nobody else is refused for them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/charge.h"
#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define KIB 1024U
#define QUOTA (200 * KIB)

FIXTURE(charge)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker bob;
	struct asker alice;
};

/**
 * struct opened - an open file
 * @a: Who has it.
 * @node: Its inode.
 * @fh: Its number.
 */
struct opened {
	struct asker a;
	uint64_t node;
	uint64_t fh;
};

FIXTURE_SETUP(charge)
{
	struct asker kernel;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, vdfs_quota_set(self->t.store, &admin, bob.uid, QUOTA));
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &kernel));
	kernel.node = node_at(kernel, "names");
	ASSERT_NE(0, kernel.node);
	self->bob = as(&kernel, 1);
	self->bob.uid = bob.uid;
	self->alice = as(&kernel, 2);
	self->alice.uid = alice.uid;
}

FIXTURE_TEARDOWN(charge)
{
	vdfs_fuse_stop(self->fuse);
	close(self->bob.fd);
	/* Nothing is left of what ended with its file. */
	EXPECT_EQ(0, vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_STAGED));
	EXPECT_EQ(0, vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_FILES));
	EXPECT_EQ(0, vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_DIRS));
	tree_remove(&self->t);
}

static int create(struct asker a, const char *name, struct opened *f)
{
	struct fuse_made made = {};
	int err = create_at(a, a.node, name, S_IFREG | 0666, &made);

	a.node = made.entry.nodeid;
	*f = (struct opened){ a, a.node, made.open.fh };
	return err;
}

static int open_it(struct asker a, uint64_t node, int flags, struct opened *f)
{
	a.node = node;
	*f = (struct opened){ a, node, 0 };
	return open_at(a, node, flags, &f->fh);
}

static int write_len(struct opened *f, uint64_t offset, uint32_t len)
{
	static char bytes[64 * KIB];
	struct {
		struct fuse_write_in in;
		char bytes[64 * KIB];
	} w = { .in = { .fh = f->fh, .size = len, .offset = offset } };
	struct fuse_write_out out;
	int n;

	memcpy(w.bytes, bytes, len);
	/* So that no two pieces are the same. */
	memcpy(w.bytes, &offset, sizeof(offset));
	n = ask(f->a, FUSE_WRITE, &w, sizeof(w.in) + len, NULL, &out,
		sizeof(out));
	return n < 0 ? n : 0;
}

static int allocate(struct opened *f, uint64_t len)
{
	struct fuse_fallocate_in in = { .fh = f->fh, .length = len };

	return ask(f->a, FUSE_FALLOCATE, &in, sizeof(in), NULL, NULL, 0);
}

static int truncate_to(struct opened *f, uint64_t size)
{
	struct fuse_setattr_in in = { .fh = f->fh,
				      .size = size,
				      .valid = FATTR_SIZE | FATTR_FH };
	struct fuse_attr_out out;
	int n = ask(f->a, FUSE_SETATTR, &in, sizeof(in), NULL, &out,
		    sizeof(out));

	return n < 0 ? n : 0;
}

static int sync_it(struct opened *f)
{
	struct fuse_fsync_in in = { .fh = f->fh };

	return ask(f->a, FUSE_FSYNC, &in, sizeof(in), NULL, NULL, 0);
}

static int close_it(struct opened *f, bool wrote)
{
	return close_at(f->a, f->node, f->fh, wrote);
}

static uint64_t staged(FIXTURE_DATA(charge) * self, const struct vdfs_who *who)
{
	return vdfs_charged(self->t.store, who->uid, VDFS_CHARGE_STAGED);
}

static uint64_t used(FIXTURE_DATA(charge) * self, const struct vdfs_who *who)
{
	uint64_t quota, bytes = ~0ULL;

	vdfs_quota_get(self->t.store, who->uid, &quota, &bytes);
	return bytes;
}

TEST_F(charge, an_open_file_is_within_the_quota)
{
	struct opened f, g;

	ASSERT_EQ(0, create(self->bob, "f", &f));
	EXPECT_EQ(0, write_len(&f, 0, 64 * KIB));
	EXPECT_EQ(64 * KIB, staged(self, &bob));
	EXPECT_EQ(-EDQUOT, allocate(&f, QUOTA + 1));
	EXPECT_EQ(-EDQUOT, truncate_to(&f, QUOTA + 1));
	EXPECT_EQ(-EDQUOT, write_len(&f, QUOTA, 1));
	EXPECT_EQ(0, write_len(&f, 64 * KIB, 64 * KIB));
	/* What is written again is charged once. */
	EXPECT_EQ(0, write_len(&f, 0, 64 * KIB));
	EXPECT_EQ(128 * KIB, staged(self, &bob));
	/* A second file has what the first one left. */
	ASSERT_EQ(0, create(self->bob, "g", &g));
	EXPECT_EQ(-EDQUOT, allocate(&g, 73 * KIB));
	EXPECT_EQ(0, allocate(&g, 72 * KIB));
	EXPECT_EQ(QUOTA, staged(self, &bob));
	EXPECT_EQ(0, truncate_to(&g, 0));
	EXPECT_EQ(128 * KIB, staged(self, &bob));
	/* Nobody else pays for it. */
	EXPECT_EQ(0, staged(self, &alice));

	EXPECT_EQ(0, close_it(&f, true));
	EXPECT_EQ(0, staged(self, &bob));
	EXPECT_EQ(128 * KIB, used(self, &bob));
	EXPECT_EQ(-EDQUOT, allocate(&g, 73 * KIB));
	EXPECT_EQ(0, close_it(&g, true));
}

/* The bytes of a file that is open are there, whatever became of its name. */
TEST_F(charge, a_synced_file_is_charged_while_it_is_open)
{
	struct opened f, g;

	ASSERT_EQ(0, create(self->bob, "f", &f));
	EXPECT_EQ(0, write_len(&f, 0, 64 * KIB));
	EXPECT_EQ(0, write_len(&f, 64 * KIB, 64 * KIB));
	EXPECT_EQ(0, sync_it(&f));
	EXPECT_EQ(128 * KIB, used(self, &bob));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &bob, "f"));
	EXPECT_EQ(0, used(self, &bob));
	EXPECT_EQ(128 * KIB, staged(self, &bob));
	ASSERT_EQ(0, create(self->bob, "g", &g));
	EXPECT_EQ(-EDQUOT, allocate(&g, 73 * KIB));
	EXPECT_EQ(0, close_it(&f, true));
	EXPECT_EQ(0, allocate(&g, QUOTA));
	EXPECT_EQ(0, close_it(&g, true));
}

/* A quota that is staged is spent for puts, too. */
TEST_F(charge, open_files_and_puts_share_the_quota)
{
	static char bytes[16 * KIB];
	struct vdfs_hash hash;
	struct opened f;

	ASSERT_EQ(0, create(self->bob, "f", &f));
	EXPECT_EQ(0, allocate(&f, QUOTA - 10 * KIB));
	EXPECT_EQ(-EDQUOT, put_bytes(self->t.store, &bob, bytes, 11 * KIB, 0,
				     NULL, &hash));
	EXPECT_EQ(0, put_bytes(self->t.store, &bob, bytes, 10 * KIB, 0, NULL,
			       &hash));
	EXPECT_EQ(-EDQUOT, allocate(&f, QUOTA));
	EXPECT_EQ(0, close_it(&f, true));
	EXPECT_EQ(QUOTA, used(self, &bob));
}

TEST_F(charge, who_makes_a_file_longer_pays)
{
	struct opened f, g;

	ASSERT_EQ(0, create(self->alice, "f", &f));
	EXPECT_EQ(0, write_len(&f, 0, 10));
	ASSERT_EQ(0, open_it(self->bob, f.node, O_RDWR, &g));
	EXPECT_EQ(0, write_len(&g, 0, 64 * KIB));
	EXPECT_EQ(10, staged(self, &alice));
	EXPECT_EQ(64 * KIB - 10, staged(self, &bob));
	EXPECT_EQ(-EDQUOT, allocate(&g, QUOTA + 11));
	EXPECT_EQ(0, allocate(&g, QUOTA + 10));
	EXPECT_EQ(0, truncate_to(&g, 0));
	EXPECT_EQ(0, close_it(&g, true));
	EXPECT_EQ(0, close_it(&f, true));
}

/* One who has all the files that it may have open is refused, and no other. */
TEST_F(charge, open_files_are_limited_by_user)
{
	uint64_t limit = vdfs_charge_limit(self->t.store, VDFS_CHARGE_FILES);
	struct opened *f = calloc(limit + 1, sizeof(*f)), g;
	struct vdfs_stat st;
	uint64_t i;

	ASSERT_NE(NULL, f);
	ASSERT_EQ(0, create(self->bob, "f", &f[0]));
	for (i = 1; i < limit; i++)
		ASSERT_EQ(0, open_it(self->bob, f[0].node, O_RDWR, &f[i]));
	EXPECT_EQ(-EMFILE, open_it(self->bob, f[0].node, O_RDONLY, &g));
	/* Nothing was made for what cannot be opened. */
	EXPECT_EQ(-EMFILE, create(self->bob, "g", &g));
	EXPECT_EQ(-ENOENT, vdfs_name_stat(self->t.store, &bob, "g", &st));
	ASSERT_EQ(0, create(self->alice, "h", &g));
	EXPECT_EQ(0, close_it(&g, true));
	EXPECT_EQ(0, close_it(&f[--i], true));
	ASSERT_EQ(0, create(self->bob, "g", &g));
	EXPECT_EQ(0, close_it(&g, true));
	while (i--)
		EXPECT_EQ(0, close_it(&f[i], true));
	free(f);
}

static int open_dir(struct asker a, uint64_t *fh)
{
	struct fuse_open_in in = {};
	struct fuse_open_out out = {};
	int n = ask(a, FUSE_OPENDIR, &in, sizeof(in), NULL, &out, sizeof(out));

	*fh = out.fh;
	return n < 0 ? n : 0;
}

static int close_dir(struct asker a, uint64_t fh)
{
	struct fuse_release_in in = { .fh = fh };

	return ask(a, FUSE_RELEASEDIR, &in, sizeof(in), NULL, NULL, 0);
}

TEST_F(charge, open_directories_are_limited_by_user)
{
	uint64_t limit = vdfs_charge_limit(self->t.store, VDFS_CHARGE_DIRS);
	uint64_t *fh = calloc(limit, sizeof(*fh)), i, other;

	ASSERT_NE(NULL, fh);
	for (i = 0; i < limit; i++)
		ASSERT_EQ(0, open_dir(self->bob, &fh[i]));
	EXPECT_EQ(-EMFILE, open_dir(self->bob, &other));
	ASSERT_EQ(0, open_dir(self->alice, &other));
	EXPECT_EQ(0, close_dir(self->alice, other));
	while (i--)
		EXPECT_EQ(0, close_dir(self->bob, fh[i]));
	free(fh);
}

TEST_HARNESS_MAIN
