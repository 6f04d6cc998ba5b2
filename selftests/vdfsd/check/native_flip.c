// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every file of a store, damaged in every page: the store is refused, the check
 * finds it, or all is there as it was stored. No reader ever gets other bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/collection/collection.h"
#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define FILES 64
#define PAGE 4096
#define BLOBS 4
#define ITEMS 12
#define GONE 2 /* of them */
#define EDGE 8 /* bytes at each end of a page, and as many in it */

/* What is in the store. */
static const struct {
	const char *name;
	size_t len;
	uint32_t flags;
} blobs[BLOBS] = {
	{ "d/empty", 0, 0 },
	{ "d/small", 300, 0 },
	{ "d/e/pieces", MIB + MIB / 2, 0 },
	{ "whole", MIB + 5, VDFS_PUT_WHOLE },
};

FIXTURE(flip)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash hash[BLOBS];
	struct vdfs_stat st[BLOBS];
	unsigned long refused;
	unsigned long found;
	unsigned long unhurt;
};

static const struct vdfs_store_options look = { .read_only = true };

/* Paths of the files, which a walk cannot hand over otherwise. */
static char files[FILES][256];
static int n_files;

static int add_file(const char *path, const struct stat *st, int flag,
		    struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (flag == FTW_F && n_files < FILES)
		snprintf(files[n_files++], sizeof(files[0]), "%s", path);
	return 0;
}

static struct vdfs_item item_at(int i, char key[8], float vector[2])
{
	snprintf(key, 8, "k%d", i % ITEMS);
	vector[0] = (float)i;
	vector[1] = 1;
	return (struct vdfs_item){ .key = key,
				   .vector = vector,
				   .dim = 2,
				   .metadata = i % 3 ? "{\"f\":1}" :
						       "{\"f\":\"x\"}" };
}

/* A collection with an indexed field, and deleted items; one was dropped. */
static int make_items(struct tree *t)
{
	struct vdfs_collection_params p = { .dim = 2, .mode = 0600 };
	struct vdfs_collection *c = NULL;
	struct vdfs_db *db = NULL;
	struct vdfs_item item;
	float vector[2];
	char key[8];
	int i, err = items_in_tree(t, &db);

	if (!err)
		err = vdfs_collection_create(db, &alice, "c", &p);
	if (!err)
		err = vdfs_collection_open(db, &alice, "c", NULL, NULL, &c);
	if (!err)
		err = vdfs_collection_index_field(c, "f", NULL, NULL);
	for (i = 0; !err && i < ITEMS; i++) {
		item = item_at(i, key, vector);
		err = vdfs_collection_insert(c, &item, 1, 0, NULL);
		if (!err && i == ITEMS / 2)
			err = vdfs_collection_save(c);
	}
	/* The first ones are at the end of the page. */
	for (i = ITEMS - GONE; !err && i < ITEMS; i++)
		err = vdfs_collection_delete(c, item_at(i, key, vector).key);
	vdfs_collection_put(c);
	vdfs_db_close(db);
	return err;
}

FIXTURE_SETUP(flip)
{
	struct vdfs_store *store;
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	store = self->t.store;
	self->data = random_bytes(2 * MIB, 5);
	for (i = 0; i < BLOBS; i++) {
		ASSERT_EQ(0, put_bytes(store, &alice, self->data, blobs[i].len,
				       blobs[i].flags, blobs[i].name,
				       &self->hash[i]));
		ASSERT_EQ(0, vdfs_attr_set(store, &alice, blobs[i].name, "kind",
					   blobs[i].name, 4));
		ASSERT_EQ(0, vdfs_name_stat(store, &alice, blobs[i].name,
					    &self->st[i]));
	}
	ASSERT_EQ(0, put_bytes(store, &bob, self->data, 77, 0, NULL, NULL));
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, 5 * MIB));
	ASSERT_EQ(0, vdfs_gc(store, NULL, NULL, NULL));
	ASSERT_EQ(0, make_items(&self->t));
	vdfs_store_close(store);
	self->t.store = NULL;
	n_files = 0;
	nftw(self->t.dir, add_file, 16, FTW_PHYS);
	ASSERT_LT(3, n_files);
	ASSERT_GT(FILES, n_files);
}

FIXTURE_TEARDOWN(flip)
{
	tree_remove(&self->t);
	free(self->data);
}

/* Bob's figures, too, are as they were. */
static bool counts(FIXTURE_DATA(flip) * self)
{
	uint64_t quota = 0, used = 0;

	return !vdfs_quota_get(self->t.store, bob.uid, &quota, &used) &&
	       quota == 5 * MIB && used == 77;
}

/* An item as it should be; others are in no list. */
static int is_right(void *arg, const struct vdfs_item *item, float dist)
{
	struct vdfs_item want;
	float vector[2];
	int *n = arg;
	char key[8];
	int i;

	(void)dist;
	for (i = 0; i < ITEMS - GONE; i++) {
		want = item_at(i, key, vector);
		if (strcmp(item->key, key))
			continue;
		++*n;
		return strcmp(item->metadata, want.metadata) ||
				       (item->vector &&
					memcmp(item->vector, vector,
					       sizeof(vector))) ?
			       -EILSEQ :
			       0;
	}
	return -EILSEQ;
}

/* As many as there should be, by a search, with a filter by the field or not. */
static int search_items(struct vdfs_collection *c, const char *filter, int want)
{
	float vector[2] = { 5, 1 };
	struct vdfs_search how = { .vector = vector,
				   .dim = 2,
				   .k = ITEMS,
				   .filter = filter,
				   .vectors = true };
	int n = 0, err = vdfs_collection_search(c, &how, is_right, &n);

	return err ? err : n == want ? 0 : -ENOENT;
}

/* The same of what the collection has. */
static int same_items(struct tree *t)
{
	struct vdfs_collection *c = NULL;
	struct vdfs_db *db = NULL;
	int n = 0, err = items_in_tree(t, &db);

	if (!err)
		err = vdfs_collection_open(db, &alice, "c", NULL, NULL, &c);
	if (!err)
		err = vdfs_collection_walk(c, NULL, is_right, &n);
	if (!err && n != ITEMS - GONE)
		err = -ENOENT;
	if (!err)
		err = search_items(c, NULL, ITEMS - GONE);
	if (!err)
		err = search_items(c, "{\"f\":\"x\"}", ITEMS / 3);
	vdfs_collection_put(c);
	vdfs_db_close(db);
	return err;
}

/* 0: all is there; -EILSEQ: something else is; otherwise something is not. */
static int same(FIXTURE_DATA(flip) * self)
{
	struct vdfs_store *store = self->t.store;
	struct vdfs_stat st;
	int i, err, worst = 0;
	char kind[16];

	for (i = 0; i < BLOBS; i++) {
		err = get_same(store, &alice, &self->hash[i], self->data,
			       blobs[i].len);
		if (err == -EILSEQ)
			return err;
		if (!err)
			err = vdfs_name_stat(store, &alice, blobs[i].name, &st);
		if (!err && memcmp(&st, &self->st[i], sizeof(st)))
			err = -ESTALE;
		if (!err && (vdfs_attr_get(store, &alice, blobs[i].name, "kind",
					   kind, sizeof(kind)) != 4 ||
			     memcmp(kind, blobs[i].name, 4)))
			err = -ENODATA;
		worst = worst ?: err;
	}
	err = same_items(&self->t);
	if (err == -EILSEQ)
		return err;
	return worst ?: err ?: counts(self) ? 0 : -EDQUOT;
}

/* Whether a store with this damage is one that can be trusted. */
static bool holds(FIXTURE_DATA(flip) * self, const char *what, const char *file,
		  off_t at)
{
	struct vdfs_fsck_result r = { 0 };
	int err, is;

	err = vdfs_store_open(self->t.dir, &look, &self->t.store);
	if (err) {
		self->refused++;
		return true;
	}
	err = vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r);
	is = same(self);
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	if (is != -EILSEQ && (err || r.faults)) {
		self->found++;
		return true;
	}
	if (!is) {
		self->unhurt++;
		return true;
	}
	printf("# %s of %s at %lld: check %d, %llu faults, contents %d\n", what,
	       file + strlen(self->t.dir), (long long)at, err,
	       (unsigned long long)r.faults, is);
	return false;
}

static bool flip_byte(FIXTURE_DATA(flip) * self, const char *file, int fd,
		      off_t at)
{
	unsigned char was, is;
	bool ret;

	if (pread(fd, &was, 1, at) != 1)
		return true; /* behind the end */
	is = was ^ (1U << at % 8);
	if (pwrite(fd, &is, 1, at) != 1)
		return false;
	ret = holds(self, "a bit", file, at);
	return pwrite(fd, &was, 1, at) == 1 && ret;
}

/* Bits at both ends of a page, where SQLite has most, and in it. */
static int flip_page(FIXTURE_DATA(flip) * self, const char *file, int fd,
		     off_t page)
{
	int i, bad = 0;

	for (i = 0; i < EDGE; i++) {
		bad += !flip_byte(self, file, fd, page + i);
		bad += !flip_byte(self, file, fd, page + PAGE - 1 - 3 * i);
		bad += !flip_byte(self, file, fd, page + PAGE / EDGE * i + 17);
	}
	return bad;
}

static int cut_page(FIXTURE_DATA(flip) * self, const char *file, int fd,
		    off_t page, off_t size)
{
	char *tail = malloc(size - page);
	int bad = 1;

	if (tail && pread(fd, tail, size - page, page) == size - page &&
	    !ftruncate(fd, page))
		bad = !holds(self, "a cut", file, page);
	if (!tail || pwrite(fd, tail, size - page, page) != size - page)
		bad = 1;
	free(tail);
	return bad;
}

/* Contents are long and all alike: of these, some pages. */
static off_t step_of(off_t size)
{
	return size > (off_t)MIB ? 37 * PAGE : PAGE;
}

static int damage(FIXTURE_DATA(flip) * self, const char *file, bool cut)
{
	struct stat st;
	int fd, bad = 0;
	off_t page;

	chmod(file, 0600);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return 1;
	for (page = 0; page < st.st_size && bad < 20;
	     page += step_of(st.st_size))
		bad += cut ? cut_page(self, file, fd, page, st.st_size) :
			     flip_page(self, file, fd, page);
	close(fd);
	return bad;
}

static int damage_all(FIXTURE_DATA(flip) * self, bool cut)
{
	int i, bad = 0;

	for (i = 0; i < n_files; i++)
		bad += damage(self, files[i], cut);
	printf("# %lu refused, %lu found, %lu unhurt\n", self->refused,
	       self->found, self->unhurt);
	return bad;
}

TEST_F_TIMEOUT(flip, a_bit_anywhere_is_noticed, 900)
{
	EXPECT_EQ(0, damage_all(self, false));
	EXPECT_LT(0, self->found);
	EXPECT_EQ(0, vdfs_store_open(self->t.dir, NULL, &self->t.store));
	EXPECT_EQ(0, same(self));
}

TEST_F_TIMEOUT(flip, a_cut_anywhere_is_noticed, 900)
{
	EXPECT_EQ(0, damage_all(self, true));
	EXPECT_LT(0, self->refused);
	EXPECT_EQ(0, vdfs_store_open(self->t.dir, NULL, &self->t.store));
	EXPECT_EQ(0, same(self));
}

TEST_HARNESS_MAIN
