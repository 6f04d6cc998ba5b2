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
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

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
	char graphs[80];

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	snprintf(graphs, sizeof(graphs), "%s/graph", self->t.dir);
	ASSERT_EQ(0, vdfs_db_open(vdfs_store_meta(self->t.store), graphs, 1,
				  &self->db));
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

static int get_xattr(struct asker a, uint64_t node, const char *name)
{
	struct fuse_getxattr_in in = { .size = 1000 };
	char value[1000];

	a.node = node;
	return ask(a, FUSE_GETXATTR, &in, sizeof(in), name, value,
		   sizeof(value));
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
		EXPECT_LT(0, get_xattr(self->alice, search,
				       "user.vdfs.distances"));

		EXPECT_EQ(-EACCES,
			  list_at(self->bob, search, names, sizeof(names)));
		EXPECT_EQ(-EACCES,
			  list_at(self->bob, items, names, sizeof(names)));
		EXPECT_EQ(-EACCES, read_link(self->bob, link));
		EXPECT_EQ(-EACCES,
			  get_xattr(self->bob, search, "user.vdfs.distances"));
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

TEST_HARNESS_MAIN
