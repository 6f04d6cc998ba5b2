// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is told to look again, and what they find: the test is the kernel, so
 * that it decides which thread asks what, and when.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define READER 1
#define WRITER 2
#define OTHER 3
#define SEVERAL 100

FIXTURE(hint)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker kernel;
};

/*
 * Look up "names/d", from the start as the kernel does, and @name in it.
 *
 * Return: the inode, 0 without one.
 */
static uint64_t look(struct asker a, const char *name, struct fuse_attr *attr)
{
	struct fuse_entry_out entry = {};
	char path[64] = "names/d";

	if (name)
		snprintf(path, sizeof(path), "names/d/%s", name);
	a.node = FUSE_ROOT_ID;
	if (walk_to(a, path, &entry))
		return 0;
	if (attr)
		*attr = entry.attr;
	return entry.nodeid;
}

/* Somebody else's file takes the place of "d/f". */
static int replace(FIXTURE_DATA(hint) * self, const char *text)
{
	struct vdfs_hash hash;

	return put_bytes(self->t.store, &admin, text, strlen(text), 0, "d/g", &hash) ?:
		       vdfs_name_rename(self->t.store, &admin, "d/g", "d/f",
					false);
}

static int contains(FIXTURE_DATA(hint) * self, const char *text)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->t.store, &admin, "d/f", &st) ?:
		       get_same(self->t.store, &admin, &st.hash, text,
				strlen(text));
}

FIXTURE_SETUP(hint)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "one", 3, 0, "d/f", &hash));
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &self->kernel));
	self->kernel.node = look(self->kernel, NULL, NULL);
	ASSERT_NE(0, self->kernel.node);
}

FIXTURE_TEARDOWN(hint)
{
	vdfs_fuse_stop(self->fuse);
	close(self->kernel.fd);
	tree_remove(&self->t);
}

TEST_F(hint, a_writer_looks_again)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node = look(reader, "f", NULL), again, rfh, wfh;

	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	ASSERT_EQ(node, look(writer, "f", NULL));
	ASSERT_EQ(-ESTALE, open_at(writer, node, O_WRONLY | O_TRUNC, &wfh));
	again = look(writer, "f", NULL);
	ASSERT_NE(node, again);
	ASSERT_EQ(0, open_at(writer, again, O_WRONLY | O_TRUNC, &wfh));
	EXPECT_EQ(0, write_at(writer, again, wfh, "two"));
	EXPECT_TRUE(reads(reader, node, rfh, "one"));
	EXPECT_EQ(0, close_at(writer, again, wfh, true));
	EXPECT_TRUE(reads(reader, node, rfh, "one"));
	EXPECT_EQ(0, contains(self, "two"));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

/* The kernel looked a second time by itself: there is no third. */
TEST_F(hint, a_writer_that_looked_again_already)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node, own, rfh, wfh;

	ASSERT_NE(0, look(writer, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(reader, "f", NULL);
	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	own = look(writer, "f", NULL);
	ASSERT_NE(node, own);
	/* Once to see that what it knew is gone, and once to know. */
	ASSERT_EQ(own, look(writer, "f", NULL));
	ASSERT_EQ(node, look(as(&self->kernel, OTHER), "f", NULL));
	ASSERT_EQ(0, open_at(writer, own, O_RDWR, &wfh));
	EXPECT_TRUE(reads(writer, own, wfh, "two"));
	EXPECT_EQ(0, write_at(writer, own, wfh, "2"));
	EXPECT_EQ(0, close_at(writer, own, wfh, true));
	EXPECT_EQ(0, contains(self, "2wo"));
	EXPECT_TRUE(reads(reader, node, rfh, "two"));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

/* What it will open it has, whatever becomes of the name meanwhile. */
TEST_F(hint, what_was_found_is_held)
{
	struct asker a = as(&self->kernel, READER),
		     b = as(&self->kernel, WRITER);
	struct vdfs_gc_result result;
	uint64_t mine, other, fh;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_NE(0, look(b, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	mine = look(a, "f", NULL);
	other = look(b, "f", NULL);
	ASSERT_NE(mine, other);
	ASSERT_EQ(0, replace(self, "three"));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
	ASSERT_EQ(0, open_at(a, mine, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, mine, fh, "two"));
	EXPECT_EQ(0, close_at(a, mine, fh, false));
	ASSERT_EQ(0, open_at(b, other, O_RDWR, &fh));
	EXPECT_TRUE(reads(b, other, fh, "two"));
	EXPECT_EQ(0, close_at(b, other, fh, true));
	EXPECT_EQ(0, contains(self, "three"));
}

/* Who looks and opens nothing sees all that happens to the name. */
TEST_F(hint, who_only_looks)
{
	struct asker a = as(&self->kernel, OTHER);
	struct fuse_attr attr;
	uint64_t node, fh;

	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(3, attr.size);
	ASSERT_EQ(0, replace(self, "second"));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(6, attr.size);
	ASSERT_EQ(0, vdfs_name_change(self->t.store, &admin, "d/f", 0600,
				      INT64_MIN));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(S_IFREG | 0600, attr.mode);
	ASSERT_EQ(0, replace(self, "third"));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(5, attr.size);
	node = look(a, "f", NULL);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, node, fh, "third"));
	EXPECT_EQ(0, close_at(a, node, fh, false));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &admin, "d/f"));
	EXPECT_EQ(0, look(a, "f", NULL));
	ASSERT_EQ(0, vdfs_name_mkdir(self->t.store, &admin, "d/f", 0755));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(S_IFDIR | 0755, attr.mode);
}

TEST_F(hint, a_file_that_is_being_made_grows)
{
	struct fuse_create_in in = { .flags = O_WRONLY,
				     .mode = S_IFREG | 0644 };
	struct asker a = as(&self->kernel, OTHER);
	struct asker writer = as(&self->kernel, WRITER);
	struct fuse_made out;
	struct fuse_attr attr;

	EXPECT_EQ(0, look(a, "new", NULL));
	EXPECT_EQ(0, look(writer, "new", NULL));
	ASSERT_LT(0, ask(writer, FUSE_CREATE, &in, sizeof(in), "new", &out,
			 sizeof(out)));
	ASSERT_EQ(0, write_at(writer, out.entry.nodeid, out.open.fh, "grows"));
	EXPECT_EQ(out.entry.nodeid, look(a, "new", &attr));
	EXPECT_EQ(5, attr.size);
	EXPECT_EQ(0, close_at(writer, out.entry.nodeid, out.open.fh, true));
	EXPECT_EQ(out.entry.nodeid, look(writer, "new", NULL));
}

/* Whoever did something with a file shares what is in memory of it. */
TEST_F(hint, what_a_thread_did_itself)
{
	struct asker a = as(&self->kernel, WRITER);
	struct {
		struct fuse_rename2_in in;
		char names[4];
	} arg = { { .newdir = self->kernel.node }, "g\0f" };
	struct asker b = as(&self->kernel, OTHER);
	struct vdfs_hash hash;
	uint64_t node, fh;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "two", 3, 0, "d/g", &hash));
	node = look(a, "g", NULL);
	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, ask(a, FUSE_RENAME2, &arg, sizeof(arg.in) + 4, NULL, NULL,
			 0));
	EXPECT_EQ(node, look(a, "f", NULL));
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_EQ(0, close_at(a, node, fh, false));
	ASSERT_EQ(0, replace(self, "three"));
	node = look(b, "f", NULL);
	EXPECT_EQ(node, look(a, "f", NULL));
	ASSERT_EQ(0, ask(a, FUSE_UNLINK, NULL, 0, "f", NULL, 0));
	ASSERT_EQ(0, replace(self, "four"));
	node = look(a, "f", NULL);
	EXPECT_EQ(node, look(as(&self->kernel, READER), "f", NULL));
}

/* Of threads of other namespaces the kernel does not say which they are. */
TEST_F(hint, threads_without_a_number)
{
	struct asker a = as(&self->kernel, 0);
	uint64_t node;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(as(&self->kernel, READER), "f", NULL);
	EXPECT_EQ(node, look(a, "f", NULL));
}

/* An inode of one's own is no reason to be shown what is half written. */
TEST_F(hint, half_written)
{
	struct asker a = as(&self->kernel, OTHER);
	struct asker writer = as(&self->kernel, WRITER);
	struct vdfs_hash hash;
	uint64_t node, fh, wfh;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "old", 3, 0, "d/h", &hash));
	node = look(writer, "h", NULL);
	ASSERT_EQ(0, open_at(writer, node, O_WRONLY, &wfh));
	ASSERT_EQ(0, write_at(writer, node, wfh, "ha"));
	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	ASSERT_NE(0, look(a, "f", NULL));
	EXPECT_EQ(-ESTALE, open_at(a, node, O_RDONLY, &fh));
	node = look(a, "h", NULL);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, node, fh, "old"));
	EXPECT_EQ(0, close_at(a, node, fh, false));
}

/* Numbers of threads are used again, by other users too. */
TEST_F(hint, another_users_thread)
{
	struct asker a = as(&self->kernel, OTHER), b = a;
	uint64_t node, other, fh;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(a, "f", NULL);
	b.uid = 1000;
	other = look(b, "f", NULL);
	EXPECT_NE(0, other);
	EXPECT_NE(node, other);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_EQ(0, close_at(a, node, fh, false));
}

/* One that never comes back does not cost others what is held for them. */
TEST_F(hint, a_thread_has_one_place)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node = look(reader, "f", NULL), again, rfh, fh;
	int i;

	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	ASSERT_EQ(-ESTALE, open_at(writer, node, O_WRONLY, &fh));
	for (i = 0; i < SEVERAL; i++)
		ASSERT_EQ(-ESTALE, open_at(as(&self->kernel, OTHER), node,
					   O_WRONLY, &fh));
	again = look(writer, "f", NULL);
	ASSERT_NE(node, again);
	ASSERT_EQ(0, open_at(writer, again, O_WRONLY, &fh));
	EXPECT_EQ(0, close_at(writer, again, fh, true));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

TEST_HARNESS_MAIN
