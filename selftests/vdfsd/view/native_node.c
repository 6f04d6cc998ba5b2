// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was opened, or is where a process works, stays what it is when names
 * change behind the view, and others have its path. The test is the kernel.
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

FIXTURE(node)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_fuse *fuse;
	struct asker root;
	struct vdfs_hash hash;
};

FIXTURE_SETUP(node)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, put_bytes(self->store, &admin, "one", 3, 0, "d/f",
			       &self->hash));
	ASSERT_EQ(0, kernel_start(self->store, NULL, self->t.dir, &self->fuse,
				  &self->root));
}

FIXTURE_TEARDOWN(node)
{
	vdfs_fuse_stop(self->fuse);
	close(self->root.fd);
	tree_remove(&self->t);
}

static int fchmod_at(struct asker a, uint64_t node, uint64_t fh, uint32_t mode)
{
	return set_attr(a, node,
			(struct fuse_setattr_in){ .valid = FATTR_MODE |
							   FATTR_FH,
						  .fh = fh,
						  .mode = mode });
}

/* Set "user.NAME" to one letter. */
static int set_xattr(struct asker a, uint64_t node, char name, char value)
{
	struct {
		uint32_t size;
		uint32_t flags;
		char text[9];
	} in = { .size = 1 };

	memcpy(in.text, "user.n\0v", 9);
	in.text[5] = name;
	in.text[7] = value;
	a.node = node;
	return ask(a, FUSE_SETXATTR, &in, 16, NULL, NULL, 0);
}

static int attr_at(struct vdfs_store *store, const char *path, const char *name)
{
	char value = 0;
	ssize_t n = vdfs_attr_get(store, &admin, path, name, &value, 1);

	return n < 0 ? (int)n : value;
}

static uint32_t mode_at(struct vdfs_store *store, const char *path)
{
	struct vdfs_stat st;

	return vdfs_name_stat(store, &admin, path, &st) ? 0 : st.mode;
}

static int there(struct vdfs_store *store, const char *path)
{
	struct vdfs_stat st;

	return vdfs_name_stat(store, &admin, path, &st);
}

/* "d/f" goes to "d/g", and there is another "d/f". */
static int move_file(FIXTURE_DATA(node) * self)
{
	return vdfs_name_rename(self->store, &admin, "d/f", "d/g", false) ?:
		       put_bytes(self->store, &admin, "two", 3, 0, "d/f",
				 &self->hash);
}

/* "d" goes to "e", and there is another "d". */
static int move_directory(FIXTURE_DATA(node) * self)
{
	return vdfs_name_rename(self->store, &admin, "d", "e", false) ?:
		       put_bytes(self->store, &admin, "two", 3, 0, "d/f",
				 &self->hash);
}

static void change_attributes(struct __test_metadata *_metadata,
			      FIXTURE_DATA(node) * self, int flags)
{
	struct asker a = self->root;
	struct fuse_setattr_in times = { .valid = FATTR_MTIME,
					 .mtime = 1000000 };
	uint64_t node = node_at(a, "names/d/f"), fh;
	struct fuse_attr attr;
	struct vdfs_stat st;
	char value[8];

	ASSERT_EQ(0, open_at(a, node, flags, &fh));
	ASSERT_EQ(0, move_file(self));
	EXPECT_EQ(0, fchmod_at(a, node, fh, 0600));
	EXPECT_EQ(0, set_xattr(a, node, 'x', '1'));
	EXPECT_EQ(0, set_attr(a, node, times));
	EXPECT_EQ(S_IFREG | 0600, mode_at(self->store, "d/g"));
	EXPECT_EQ('1', attr_at(self->store, "d/g", "x"));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &admin, "d/g", &st));
	EXPECT_EQ(1000000 * 1000000000LL, st.mtime_ns);
	EXPECT_EQ(S_IFREG | 0644, mode_at(self->store, "d/f"));
	EXPECT_EQ(-ENODATA, attr_at(self->store, "d/f", "x"));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &admin, "d/f", &st));
	EXPECT_NE(1000000 * 1000000000LL, st.mtime_ns);

	ASSERT_EQ(0, vdfs_attr_set(self->store, &admin, "d/f", "y", "2", 1));
	ASSERT_EQ(0, vdfs_attr_set(self->store, &admin, "d/g", "y", "3", 1));
	EXPECT_EQ(1, get_xattr(a, node, "user.y", value, sizeof(value)));
	EXPECT_EQ('3', value[0]);
	ASSERT_EQ(0, vdfs_name_change(self->store, &admin, "d/g", 0640,
				      INT64_MIN));
	ASSERT_EQ(0, attr_of(a, node, &attr));
	EXPECT_EQ(S_IFREG | 0640, attr.mode);
	EXPECT_EQ(0, close_at(a, node, fh, flags != O_RDONLY));
}

TEST_F(node, attributes_of_a_file_that_is_read)
{
	change_attributes(_metadata, self, O_RDONLY);
}

TEST_F(node, attributes_of_a_file_that_is_written)
{
	change_attributes(_metadata, self, O_RDWR);
}

/* What has the path by then is another file, and is left alone. */
TEST_F(node, attributes_of_a_file_that_is_gone)
{
	struct asker a = self->root;
	uint64_t node = node_at(a, "names/d/f"), fh;

	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	ASSERT_EQ(0, vdfs_name_unlink(self->store, &admin, "d/f"));
	ASSERT_EQ(0, put_bytes(self->store, &admin, "two", 3, 0, "d/f",
			       &self->hash));
	EXPECT_EQ(-ESTALE, fchmod_at(a, node, fh, 0600));
	EXPECT_EQ(-ESTALE, set_xattr(a, node, 'x', '1'));
	EXPECT_EQ(-ESTALE, get_xattr(a, node, "user.x", NULL, 0));
	EXPECT_EQ(S_IFREG | 0644, mode_at(self->store, "d/f"));
	EXPECT_TRUE(reads(a, node, fh, "one"));
	EXPECT_EQ(0, close_at(a, node, fh, false));
}

TEST_F(node, a_directory_that_moved)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct asker a = self->root;
	uint64_t dir = node_at(a, "names/d"), fh;
	struct fuse_entry_out entry;
	struct fuse_made made;
	char names[100];

	ASSERT_EQ(0, open_at(a, dir, O_RDONLY | O_DIRECTORY, &fh));
	ASSERT_EQ(0, move_directory(self));
	a.node = dir;
	ASSERT_EQ(0, walk_to(a, "f", &entry));
	EXPECT_EQ(3, entry.attr.size);
	ASSERT_EQ(0, create_at(a, dir, "new", 0644, &made));
	EXPECT_EQ(0, close_at(a, made.entry.nodeid, made.open.fh, true));
	ASSERT_LT(0, ask(a, FUSE_MKDIR, &mkdir, sizeof(mkdir), "sub", &entry,
			 sizeof(entry)));
	EXPECT_EQ(0, fchmod_at(a, dir, fh, 0700));
	EXPECT_EQ(0, set_xattr(a, dir, 'x', '1'));
	EXPECT_EQ(0, list_at(a, dir, names, sizeof(names)));
	EXPECT_STREQ("f new sub ", names);
	EXPECT_EQ(0, there(self->store, "e/new"));
	EXPECT_EQ(0, there(self->store, "e/sub"));
	EXPECT_EQ(S_IFDIR | 0700, mode_at(self->store, "e"));
	EXPECT_EQ('1', attr_at(self->store, "e", "x"));
	EXPECT_EQ(-ENOENT, there(self->store, "d/new"));
	EXPECT_EQ(-ENOENT, there(self->store, "d/sub"));
	EXPECT_EQ(S_IFDIR | 0755, mode_at(self->store, "d"));
	EXPECT_EQ(-ENODATA, attr_at(self->store, "d", "x"));
}

TEST_F(node, what_goes_from_a_directory_that_moved)
{
	struct asker a = self->root;
	struct {
		struct fuse_rename2_in in;
		char names[6];
	} arg = { .names = "g\0far" };
	uint64_t dir = node_at(a, "names/d");
	int i;

	ASSERT_EQ(0, move_directory(self));
	for (i = 0; i < 2; i++) {
		const char *in = i ? "d" : "e";
		char path[10];

		snprintf(path, sizeof(path), "%s/sub", in);
		ASSERT_EQ(0, vdfs_name_mkdir(self->store, &admin, path, 0755));
		snprintf(path, sizeof(path), "%s/g", in);
		ASSERT_EQ(0, vdfs_name_link(self->store, &admin, path,
					    &self->hash));
	}
	a.node = dir;
	EXPECT_EQ(0, ask(a, FUSE_UNLINK, NULL, 0, "f", NULL, 0));
	EXPECT_EQ(0, ask(a, FUSE_RMDIR, NULL, 0, "sub", NULL, 0));
	arg.in.newdir = node_at(a, "names");
	EXPECT_EQ(0, ask(a, FUSE_RENAME2, &arg, sizeof(arg.in) + 6, NULL, NULL,
			 0));
	EXPECT_EQ(-ENOENT, there(self->store, "e/f"));
	EXPECT_EQ(-ENOENT, there(self->store, "e/sub"));
	EXPECT_EQ(-ENOENT, there(self->store, "e/g"));
	EXPECT_EQ(0, there(self->store, "far"));
	EXPECT_EQ(0, there(self->store, "d/f"));
	EXPECT_EQ(0, there(self->store, "d/sub"));
	EXPECT_EQ(0, there(self->store, "d/g"));
	/* And back, into the one that moved. */
	a.node = arg.in.newdir;
	arg.in.newdir = dir;
	memcpy(arg.names, "far\0g", 6);
	EXPECT_EQ(0, ask(a, FUSE_RENAME2, &arg, sizeof(arg.in) + 6, NULL, NULL,
			 0));
	EXPECT_EQ(0, there(self->store, "e/g"));
}

/* Writers of a file share what they write, wherever it is by then. */
TEST_F(node, writers_of_a_file_that_moved)
{
	struct asker a = as(&self->root, 5), b = as(&self->root, 6);
	uint64_t first = node_at(a, "names/d/f"), second, fh[2];
	struct vdfs_stat st;

	ASSERT_EQ(0, open_at(a, first, O_RDWR, &fh[0]));
	ASSERT_EQ(0, write_at(a, first, fh[0], "ONE"));
	ASSERT_EQ(0, move_file(self));
	second = node_at(b, "names/d/g");
	ASSERT_EQ(-ESTALE, open_at(b, second, O_RDWR, &fh[1]));
	second = node_at(b, "names/d/g");
	ASSERT_EQ(first, second);
	ASSERT_EQ(0, open_at(b, second, O_RDWR, &fh[1]));
	EXPECT_TRUE(reads(b, second, fh[1], "ONE"));
	EXPECT_EQ(0, write_at(b, second, fh[1], "2"));
	EXPECT_EQ(0, close_at(b, second, fh[1], true));
	EXPECT_EQ(0, close_at(a, first, fh[0], true));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &admin, "d/g", &st));
	EXPECT_EQ(0, get_same(self->store, &admin, &st.hash, "2NE", 3));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &admin, "d/f", &st));
	EXPECT_EQ(0, get_same(self->store, &admin, &st.hash, "two", 3));
}

/* No way to it by a path: what is in there could not be reached. */
TEST_F(node, no_path_is_longer_than_it_may_be)
{
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct asker a = self->root;
	struct fuse_made made;
	struct fuse_entry_out entry;
	char name[251];
	int n = 0, i;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	a.node = node_at(a, "names");
	for (i = 0; i < 10 && n >= 0; i++) {
		n = ask(a, FUSE_MKDIR, &mkdir, sizeof(mkdir), name, &entry,
			sizeof(entry));
		if (n >= 0)
			a.node = entry.nodeid;
	}
	EXPECT_EQ(-ENAMETOOLONG, n);
	EXPECT_EQ(5, i);
	EXPECT_EQ(-ENAMETOOLONG, create_at(a, a.node, name, 0644, &made));
	EXPECT_EQ(0, create_at(a, a.node, "short", 0644, &made));
}

TEST_HARNESS_MAIN
