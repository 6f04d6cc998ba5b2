// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rights come first, whatever is kept in memory, and what is kept is found by
 * what never comes again. The test is the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/kernel.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

/* The kernel's __FMODE_EXEC. */
#define EXEC 0x20

#define SEARCH "collections/docs/search/vector=1;0;0"
#define ANSWER SEARCH "/0001-"

FIXTURE(rights)
{
	struct tree t;
	struct vdfs_db *db;
	struct vdfs_fuse *fuse;
	struct asker kernel;
	struct asker alice;
	struct asker bob;
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0, kernel_start(self->t.store, self->db, self->t.dir,
				  &self->fuse, &self->kernel));
	self->alice = by(&self->kernel, alice.uid);
	self->bob = by(&self->kernel, bob.uid);
}

FIXTURE_TEARDOWN(rights)
{
	vdfs_fuse_stop(self->fuse);
	vdfs_db_close(self->db);
	close(self->kernel.fd);
	tree_remove(&self->t);
}

/* A collection "docs" with one item. */
static int make_docs(struct vdfs_db *db, const struct vdfs_who *who,
		     uint32_t mode, const char *key)
{
	static const float vector[] = { 1, 0, 0 };
	const struct vdfs_collection_params params = {
		.dim = 3,
		.metric = VDFS_L2,
		.mode = mode,
	};
	const struct vdfs_item item = { .key = key,
					.vector = vector,
					.dim = 3 };
	struct vdfs_collection *c;
	int err = vdfs_collection_create(db, who, "docs", &params);

	if (!err)
		err = vdfs_collection_open(db, who, "docs", NULL, NULL, &c);
	if (err)
		return err;
	err = vdfs_collection_insert(c, &item, 1, 0, NULL);
	vdfs_collection_put(c);
	return err;
}

static int walk(struct asker a, const char *path)
{
	struct fuse_entry_out entry;

	return walk_to(a, path, &entry);
}

static int read_link(struct asker a, uint64_t node)
{
	char target[256];

	a.node = node;
	return ask(a, FUSE_READLINK, NULL, 0, NULL, target, sizeof(target));
}

static int get_distances(struct asker a, uint64_t node)
{
	char value[1000];

	return get_xattr(a, node, "user.vdfs.distances", value, sizeof(value));
}

static int read_text(struct asker a, uint64_t node)
{
	uint64_t fh;
	int err = open_at(a, node, O_RDONLY, &fh);

	return err ?: close_at(a, node, fh, false);
}

/*
 * Who may only write learns nothing of what others searched, by a path or by
 * an inode that others found.
 */
TEST_F(rights, no_answer_is_kept_for_a_stranger)
{
	uint64_t search, link, why, items, info;
	char names[256];
	int i;

	ASSERT_EQ(0, make_docs(self->db, &alice, 0602, "one"));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EACCES, walk(self->bob, SEARCH));
		search = node_at(self->alice, SEARCH);
		link = node_at(self->alice, ANSWER "one");
		why = node_at(self->alice, "collections/docs/why/key=one");
		items = node_at(self->alice, "collections/docs/items");
		info = node_at(self->alice, "collections/docs/info");
		ASSERT_TRUE(search && link && why && items && info);
		EXPECT_EQ(0,
			  list_at(self->alice, search, names, sizeof(names)));
		EXPECT_STREQ("0001-one ", names);
		EXPECT_LT(0, read_link(self->alice, link));
		EXPECT_LT(0, get_distances(self->alice, search));

		EXPECT_EQ(-EACCES,
			  list_at(self->bob, search, names, sizeof(names)));
		EXPECT_EQ(-EACCES,
			  list_at(self->bob, items, names, sizeof(names)));
		EXPECT_EQ(-EACCES, read_link(self->bob, link));
		EXPECT_EQ(-EACCES, get_distances(self->bob, search));
		EXPECT_EQ(-EACCES, read_text(self->bob, why));
		EXPECT_EQ(-EACCES,
			  walk(self->bob, "collections/docs/items/one"));
	}
}

/* The second is in the generation that the first was in. */
TEST_F(rights, a_collection_of_the_same_name)
{
	struct fuse_entry_out first, second;
	uint64_t search, link, items;
	struct fuse_attr attr;
	char names[256];

	ASSERT_EQ(0, make_docs(self->db, &alice, 0644, "hers"));
	search = node_at(self->bob, SEARCH);
	link = node_at(self->bob, ANSWER "hers");
	items = node_at(self->alice, "collections/docs/items");
	ASSERT_TRUE(search && link && items);
	ASSERT_EQ(0, walk_to(self->bob, "collections/docs", &first));

	ASSERT_EQ(0, vdfs_collection_drop(self->db, &alice, "docs"));
	ASSERT_EQ(0, make_docs(self->db, &bob, 0600, "his"));
	EXPECT_EQ(-ENOENT, walk(self->alice, SEARCH));
	ASSERT_NE(0, node_at(self->bob, SEARCH));
	EXPECT_EQ(0, list_at(self->bob, node_at(self->bob, SEARCH), names,
			     sizeof(names)));
	EXPECT_STREQ("0001-his ", names);
	ASSERT_EQ(0, walk_to(self->bob, "collections/docs", &second));
	EXPECT_NE(first.nodeid, second.nodeid);
	EXPECT_NE(first.generation, second.generation);
	EXPECT_NE(first.attr.ino, second.attr.ino);

	/* What was found in the first is not in the second. */
	EXPECT_EQ(-ESTALE, list_at(self->bob, search, names, sizeof(names)));
	EXPECT_EQ(-ESTALE, read_link(self->bob, link));
	EXPECT_EQ(-ESTALE, attr_of(self->bob, first.nodeid, &attr));
	EXPECT_EQ(-ESTALE, attr_of(self->bob, items, &attr));
	EXPECT_EQ(-ENOENT, attr_of(self->alice, items, &attr));
}

/* What a listing says of an entry is what a look-up says. */
TEST_F(rights, numbers_of_entries)
{
	struct fuse_read_in in = { .size = 4096 };
	char buf[4096] __attribute__((aligned(8)));
	const struct fuse_dirent *d;
	struct fuse_entry_out entry;
	struct asker a = self->alice;
	uint64_t dir;
	int n, at;

	ASSERT_EQ(0, make_docs(self->db, &alice, 0644, "one"));
	dir = node_at(a, "collections");
	ASSERT_EQ(0, open_at(a, dir, O_RDONLY | O_DIRECTORY, &in.fh));
	a.node = dir;
	n = ask(a, FUSE_READDIR, &in, sizeof(in), NULL, buf, sizeof(buf));
	ASSERT_LT(0, n);
	ASSERT_EQ(0, walk_to(self->alice, "collections/docs", &entry));
	for (at = 0; at < n; at += (int)FUSE_DIRENT_SIZE(d)) {
		d = (const void *)(buf + at);
		if (d->namelen == 4)
			EXPECT_EQ(entry.attr.ino, d->ino);
	}
}

static uint32_t mode_at(FIXTURE_DATA(rights) * self, const char *path)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->t.store, &admin, path, &st) ? 0 : st.mode;
}

static int chmod_behind(FIXTURE_DATA(rights) * self, const char *path,
			uint32_t mode)
{
	return vdfs_name_change(self->t.store, &admin, path, mode, INT64_MIN);
}

static int chmod_at(struct asker a, uint64_t node, uint32_t mode)
{
	return set_attr(a, node,
			(struct fuse_setattr_in){ .valid = FATTR_MODE,
						  .mode = mode });
}

static int may(struct asker a, uint64_t node, uint32_t mask)
{
	struct fuse_access_in in = { .mask = mask };

	a.node = node;
	return ask(a, FUSE_ACCESS, &in, sizeof(in), NULL, NULL, 0);
}

/* By inodes that were found when the modes were others. */
TEST_F(rights, directories_by_their_modes)
{
	struct vdfs_hash hash;
	struct fuse_made made;
	char names[100];
	uint64_t dir, fh;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "one", 3, 0, "d/f", &hash));
	dir = node_at(self->bob, "names/d");
	self->bob.node = dir;
	ASSERT_EQ(0, chmod_behind(self, "d", 0744));
	EXPECT_EQ(0, list_at(self->bob, dir, names, sizeof(names)));
	EXPECT_STREQ("f ", names);
	EXPECT_EQ(-EACCES, walk(self->bob, "f"));
	EXPECT_EQ(-EACCES, may(self->bob, dir, X_OK));
	EXPECT_EQ(0, may(self->bob, dir, R_OK));
	ASSERT_EQ(0, chmod_behind(self, "d", 0711));
	EXPECT_EQ(-EACCES, open_at(self->bob, dir, O_DIRECTORY, &fh));
	EXPECT_EQ(0, walk(self->bob, "f"));
	EXPECT_EQ(0, may(self->bob, dir, X_OK));
	EXPECT_EQ(-EACCES, may(self->bob, dir, R_OK));
	EXPECT_EQ(-EACCES, create_at(self->bob, dir, "new", 0644, &made));
	ASSERT_EQ(0, chmod_behind(self, "d", 0773));
	EXPECT_EQ(0, create_at(self->bob, dir, "new", 0644, &made));
	/* A private file in there is seen. */
	ASSERT_EQ(0, chmod_behind(self, "d/new", 0600));
	EXPECT_EQ(0, list_at(self->alice, dir, names, sizeof(names)));
	EXPECT_STREQ("f new ", names);
}

TEST_F(rights, modes_that_can_be_set)
{
	struct fuse_mkdir_in sticky = { .mode = 01777 };
	struct fuse_setattr_in group = { .valid = FATTR_GID, .gid = 4 };
	struct fuse_entry_out entry;
	struct asker a = self->alice;
	struct vdfs_hash hash;
	uint64_t node;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "one", 3, 0, "d/f", &hash));
	node = node_at(a, "names/d");
	EXPECT_EQ(0, chmod_at(a, node, S_IFDIR | 01777));
	EXPECT_EQ(S_IFDIR | 01777, mode_at(self, "d"));
	EXPECT_EQ(-EPERM, chmod_at(a, node, S_IFDIR | 05777));
	EXPECT_EQ(-EPERM, chmod_at(self->bob, node, S_IFDIR | 0777));
	EXPECT_EQ(-EPERM, set_attr(a, node, group));
	EXPECT_EQ(S_IFDIR | 01777, mode_at(self, "d"));
	a.node = node;
	ASSERT_LT(0, ask(a, FUSE_MKDIR, &sticky, sizeof(sticky), "s", &entry,
			 sizeof(entry)));
	EXPECT_EQ(S_IFDIR | 01777, entry.attr.mode);
	node = node_at(a, "names/d/f");
	EXPECT_EQ(-EPERM, chmod_at(a, node, S_IFREG | 04755));
	a.node = node_at(self->bob, "names/d");
	a.uid = bob.uid;
	EXPECT_EQ(-EACCES, ask(a, FUSE_UNLINK, NULL, 0, "f", NULL, 0));
	ASSERT_EQ(0, walk_to(self->alice, "names", &entry));
	EXPECT_EQ(S_IFDIR | 01777, entry.attr.mode);
}

/* What was opened stays open, and nothing is opened that may not be now. */
TEST_F(rights, a_mode_that_changes_meanwhile)
{
	struct vdfs_stat st;
	struct vdfs_hash hash;
	uint64_t node, rfh, wfh, fh;
	char value[100];

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "one", 3, 0, "f", &hash));
	ASSERT_EQ(0, chmod_behind(self, "f", 0666));
	node = node_at(self->bob, "names/f");
	ASSERT_EQ(0, open_at(self->bob, node, O_RDWR, &wfh));
	ASSERT_EQ(0, open_at(self->bob, node, O_RDONLY, &rfh) == -ESTALE ?
			     open_at(self->bob, node_at(self->bob, "names/f"),
				     O_RDONLY, &rfh) :
			     0);
	EXPECT_EQ(VDFS_HASH_TEXT - 1,
		  get_xattr(self->bob, node, "user.vdfs.hash", value,
			    sizeof(value)));
	ASSERT_EQ(0, chmod_behind(self, "f", 0600));
	EXPECT_EQ(-EACCES, open_at(self->bob, node, O_RDONLY, &fh));
	EXPECT_EQ(-EACCES, open_at(self->bob, node, O_WRONLY, &fh));
	EXPECT_EQ(-EACCES, get_xattr(self->bob, node, "user.vdfs.hash", value,
				     sizeof(value)));
	EXPECT_EQ(0, write_at(self->bob, node, wfh, "his"));
	EXPECT_EQ(0, close_at(self->bob, node, wfh, true));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "f", &st));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &st.hash, "his", 3));
}

static int truncate_to(struct asker a, uint64_t node, uint64_t size)
{
	return set_attr(a, node,
			(struct fuse_setattr_in){ .valid = FATTR_SIZE,
						  .size = size });
}

/*
 * To write a part of a file takes the rest, which is paid for, and so seen, by
 * the user who wrote.
 */
TEST_F(rights, a_file_that_may_only_be_written)
{
	struct vdfs_stat st;
	struct vdfs_hash hash;
	uint64_t node, fh;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "one", 3, 0, "f", &hash));
	ASSERT_EQ(0, chmod_behind(self, "f", 0622));
	node = node_at(self->bob, "names/f");
	EXPECT_EQ(-EACCES, open_at(self->bob, node, O_WRONLY, &fh));
	EXPECT_EQ(-EACCES, open_at(self->bob, node, O_WRONLY | O_APPEND, &fh));
	EXPECT_EQ(-EACCES, truncate_to(self->bob, node, 2));
	ASSERT_EQ(0, open_at(self->bob, node, O_WRONLY | O_TRUNC, &fh));
	EXPECT_EQ(0, write_at(self->bob, node, fh, "his"));
	EXPECT_EQ(0, close_at(self->bob, node, fh, true));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "f", &st));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &st.hash, "his", 3));
	/* What it gave it may see. */
	node = node_at(self->bob, "names/f");
	ASSERT_EQ(0, open_at(self->bob, node, O_WRONLY, &fh));
	EXPECT_EQ(0, close_at(self->bob, node, fh, true));
	EXPECT_EQ(0, truncate_to(self->bob, node, 0));
}

/* A time that is set is not the one at which it was. */
TEST_F(rights, times_of_changes)
{
	struct fuse_setattr_in then = { .valid = FATTR_MTIME, .mtime = 5 };
	struct fuse_attr attr;
	struct fuse_made made;
	uint64_t dir = node_at(self->alice, "names"), node;
	int i;

	ASSERT_EQ(0, create_at(self->alice, dir, "f", 0644, &made));
	node = made.entry.nodeid;
	EXPECT_EQ(0, write_at(self->alice, node, made.open.fh, "x"));
	EXPECT_EQ(0, set_attr(self->alice, node, then));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, attr_of(self->alice, node, &attr));
		EXPECT_EQ(5, attr.mtime);
		EXPECT_LT(5, attr.ctime);
		if (!i)
			EXPECT_EQ(0, close_at(self->alice, node, made.open.fh,
					      true));
	}
	node = node_at(self->alice, "names/f");
	then.mtime = 6;
	EXPECT_EQ(0, set_attr(self->alice, node, then));
	ASSERT_EQ(0, attr_of(self->alice, node, &attr));
	EXPECT_EQ(6, attr.mtime);
	EXPECT_LT(6, attr.ctime);
}

/* Also while content waits, and the time with it. */
TEST_F(rights, times_of_another)
{
	struct fuse_setattr_in then = { .valid = FATTR_MTIME, .mtime = 5 };
	struct fuse_setattr_in now = { .valid = FATTR_MTIME | FATTR_MTIME_NOW };
	struct fuse_made made;
	struct fuse_attr attr;
	uint64_t dir = node_at(self->alice, "names");
	int i;

	ASSERT_EQ(0, create_at(self->alice, dir, "f", 0644, &made));
	EXPECT_EQ(0,
		  write_at(self->alice, made.entry.nodeid, made.open.fh, "x"));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EPERM, set_attr(self->bob, made.entry.nodeid, then));
		EXPECT_EQ(-EACCES, set_attr(self->bob, made.entry.nodeid, now));
		ASSERT_EQ(0, attr_of(self->bob, made.entry.nodeid, &attr));
		EXPECT_NE(5, attr.mtime);
		if (!i)
			EXPECT_EQ(0, close_at(self->alice, made.entry.nodeid,
					      made.open.fh, true));
	}
	ASSERT_EQ(0, chmod_behind(self, "f", 0666));
	EXPECT_EQ(-EPERM, set_attr(self->bob, made.entry.nodeid, then));
	EXPECT_EQ(0, set_attr(self->alice, made.entry.nodeid, then));
	EXPECT_EQ(0, set_attr(self->bob, made.entry.nodeid, now));
	ASSERT_EQ(0, attr_of(self->bob, made.entry.nodeid, &attr));
	EXPECT_NE(5, attr.mtime);
}

TEST_F(rights, times_of_access)
{
	struct fuse_setattr_in then = { .valid = FATTR_ATIME, .atime = 5 };
	struct fuse_setattr_in now = { .valid = FATTR_ATIME | FATTR_ATIME_NOW };
	struct vdfs_hash hash;
	uint64_t node;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "x", 1, 0, "f", &hash));
	node = node_at(self->bob, "names/f");
	EXPECT_EQ(-EPERM, set_attr(self->bob, node, then));
	EXPECT_EQ(-EACCES, set_attr(self->bob, node, now));
	EXPECT_EQ(0, set_attr(self->alice, node, then));
	EXPECT_EQ(0, set_attr(self->alice, node, now));
}

/* To read a program is not to run it. */
TEST_F(rights, programs)
{
	struct vdfs_hash hash;
	uint64_t node, fh;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "x", 1, 0, "f", &hash));
	ASSERT_EQ(0, chmod_behind(self, "f", 0744));
	node = node_at(self->bob, "names/f");
	EXPECT_EQ(-EACCES, open_at(self->bob, node, O_RDONLY | EXEC, &fh));
	EXPECT_EQ(0, open_at(self->bob, node, O_RDONLY, &fh));
	EXPECT_EQ(0, open_at(self->alice, node, O_RDONLY | EXEC, &fh));
	EXPECT_EQ(0, open_at(self->kernel, node, O_RDONLY | EXEC, &fh));
	ASSERT_EQ(0, chmod_behind(self, "f", 0644));
	EXPECT_EQ(-EACCES, open_at(self->kernel, node, O_RDONLY | EXEC, &fh));
}

/* Whoever may not change a collection hears so before anything is written. */
TEST_F(rights, new_items)
{
	struct fuse_made made;
	uint64_t items;

	ASSERT_EQ(0, make_docs(self->db, &alice, 0644, "one"));
	items = node_at(self->bob, "collections/docs/items");
	EXPECT_EQ(-EACCES, create_at(self->bob, items, "new", 0644, &made));
	EXPECT_EQ(0, create_at(self->alice, items, "new", 0644, &made));
}

static int set_xattr(struct asker a, uint64_t node, uint32_t flags)
{
	struct {
		uint32_t size;
		uint32_t flags;
		char text[8];
	} in = { .size = 1, .flags = flags };

	memcpy(in.text, "user.x\0v", 8);
	a.node = node;
	return ask(a, FUSE_SETXATTR, &in, sizeof(in), NULL, NULL, 0);
}

/* Whether an attribute is there is found by the change that depends on it. */
TEST_F(rights, attributes_of_a_user_who_may_only_write)
{
	struct vdfs_hash hash;
	char value[8];
	uint64_t node;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "x", 1, 0, "f", &hash));
	ASSERT_EQ(0, chmod_behind(self, "f", 0622));
	node = node_at(self->bob, "names/f");
	EXPECT_EQ(-ENODATA, set_xattr(self->bob, node, XATTR_REPLACE));
	EXPECT_EQ(0, set_xattr(self->bob, node, XATTR_CREATE));
	EXPECT_EQ(-EEXIST, set_xattr(self->bob, node, XATTR_CREATE));
	EXPECT_EQ(0, set_xattr(self->bob, node, XATTR_REPLACE));
	EXPECT_EQ(0, set_xattr(self->bob, node, 0));
	EXPECT_EQ(-EACCES,
		  get_xattr(self->bob, node, "user.x", value, sizeof(value)));
	EXPECT_EQ(1,
		  get_xattr(self->alice, node, "user.x", value, sizeof(value)));
	self->bob.node = node;
	EXPECT_EQ(0,
		  ask(self->bob, FUSE_REMOVEXATTR, NULL, 0, "user.x", NULL, 0));
	EXPECT_EQ(-ENODATA,
		  ask(self->bob, FUSE_REMOVEXATTR, NULL, 0, "user.x", NULL, 0));
	ASSERT_EQ(0, chmod_behind(self, "f", 0644));
	EXPECT_EQ(-EACCES, set_xattr(self->bob, node, 0));
	EXPECT_EQ(-EACCES,
		  ask(self->bob, FUSE_REMOVEXATTR, NULL, 0, "user.x", NULL, 0));
}

/* A search near what is in a file tells what is in it. */
TEST_F(rights, a_vector_from_a_file)
{
	static const float vector[] = { 1, 0, 0 };
	struct vdfs_hash hash;

	ASSERT_EQ(0, make_docs(self->db, &alice, 0644, "one"));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, vector, sizeof(vector), 0,
			       "v", &hash));
	ASSERT_EQ(0, put_bytes(self->t.store, &bob, vector, sizeof(vector), 0,
			       "same", &hash));
	EXPECT_EQ(0, walk(self->bob, "collections/docs/search/from=v"));
	ASSERT_EQ(0, chmod_behind(self, "v", 0600));
	EXPECT_EQ(-EACCES, walk(self->bob, "collections/docs/search/from=v"));
	EXPECT_EQ(0, walk(self->bob, "collections/docs/search/from=same"));
}

/* What another user writes is not there before that one says so. */
TEST_F(rights, a_reader_who_syncs)
{
	struct fuse_fsync_in sync = {};
	struct fuse_made made = {};
	struct asker a = self->bob;
	struct vdfs_stat st;
	uint64_t node;

	ASSERT_EQ(0, create_at(self->alice, node_at(self->alice, "names"), "f",
			       0644, &made));
	ASSERT_EQ(0, write_at(self->alice, made.entry.nodeid, made.open.fh,
			      "half"));
	node = node_at(self->bob, "names/f");
	ASSERT_EQ(0, open_at(self->bob, node, O_RDONLY, &sync.fh));
	a.node = node;
	EXPECT_EQ(0, ask(a, FUSE_FSYNC, &sync, sizeof(sync), NULL, NULL, 0));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &admin, "f", &st));
	EXPECT_EQ(0, st.size);
	EXPECT_EQ(0, close_at(self->bob, node, sync.fh, false));
	EXPECT_EQ(0,
		  close_at(self->alice, made.entry.nodeid, made.open.fh, true));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &admin, "f", &st));
	EXPECT_EQ(4, st.size);
}

TEST_HARNESS_MAIN
