// SPDX-License-Identifier: GPL-2.0-only
/*
 * A database that was lost, or is an older copy, is rebuilt: every whole record
 * and file is kept, and what the database knows stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define SMALL 300 /* blobs, more than one commit of a rebuild */
#define LEN 3000 /* of each */
#define KEEPER 1234

static const struct vdfs_store_options again = { .rebuild = true };

FIXTURE(rebuild)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash list;
	struct vdfs_hash whole;
	struct vdfs_hash small[SMALL];
};

static int put_small(FIXTURE_DATA(rebuild) * self, int i)
{
	return put_bytes(self->t.store, &alice, self->data + i, LEN, 0, NULL,
			 &self->small[i]);
}

static int put_some(FIXTURE_DATA(rebuild) * self, int from, int to)
{
	int err = 0;

	while (!err && from < to)
		err = put_small(self, from++);
	return err;
}

FIXTURE_SETUP(rebuild)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->data = random_bytes(2 * MIB, 7);
	ASSERT_EQ(0, put_some(self, 0, SMALL / 2));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, 2 * MIB, 0,
			       "d/list", &self->list));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, MIB + 7,
			       VDFS_PUT_WHOLE, "d/whole", &self->whole));
}

FIXTURE_TEARDOWN(rebuild)
{
	tree_remove(&self->t);
	free(self->data);
}

static void shut(FIXTURE_DATA(rebuild) * self)
{
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
}

static bool stop(void *arg, uint64_t done, uint64_t total)
{
	int *left = arg;

	return done && total && --*left > 0;
}

/* Rebuild it, and open it to be used. */
static int rebuild(FIXTURE_DATA(rebuild) * self,
		   struct vdfs_rebuild_result *result)
{
	int err = tree_reopen(&self->t, &again);

	if (!err)
		err = vdfs_rebuild(self->t.store, KEEPER, NULL, NULL, result);
	return err ?: tree_reopen(&self->t, NULL);
}

/* How many of the small blobs are there. */
static int count(FIXTURE_DATA(rebuild) * self)
{
	int i, n = 0;

	for (i = 0; i < SMALL; i++)
		n += !get_same(self->t.store, &admin, &self->small[i],
			       self->data + i, LEN);
	return n;
}

static int faults(FIXTURE_DATA(rebuild) * self)
{
	struct vdfs_fsck_result r;
	int err;

	err = vdfs_gc(self->t.store, NULL, NULL, NULL);
	if (!err)
		err = vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r);
	return err ?: (int)r.faults;
}

TEST_F(rebuild, keeps_all_without_a_database)
{
	const struct vdfs_who keeper = { .uid = KEEPER };
	struct vdfs_store_stats before, after;
	struct vdfs_rebuild_result r;
	uint64_t quota, used;

	ASSERT_EQ(0, put_some(self, SMALL / 2, SMALL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &before));
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "rm meta.db"));
	ASSERT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(before.objects - 1, r.records);
	EXPECT_EQ(1, r.files);
	EXPECT_EQ(0, r.damaged);
	EXPECT_EQ(SMALL, count(self));
	EXPECT_EQ(0, get_same(self->t.store, &keeper, &self->whole, self->data,
			      MIB + 7));
	EXPECT_EQ(0, faults(self));
	EXPECT_EQ(SMALL, count(self));
	ASSERT_EQ(0, vdfs_quota_get(self->t.store, KEEPER, &quota, &used));
	EXPECT_EQ(before.object_bytes, used);
	/* The keeper has its pieces: nothing has to be written but the list. */
	ASSERT_EQ(0, put_bytes(self->t.store, &keeper, self->data, 2 * MIB, 0,
			       NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &after));
	EXPECT_EQ(before.object_bytes, after.object_bytes);
	EXPECT_EQ(0, faults(self));
}

TEST_F(rebuild, keeps_what_an_older_database_does_not_know)
{
	struct vdfs_rebuild_result r;
	struct vdfs_stat st;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, put_some(self, SMALL / 2, SMALL));
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv old meta.db"));
	ASSERT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(SMALL / 2, r.records);
	EXPECT_EQ(0, r.files);
	EXPECT_EQ(SMALL, count(self));
	EXPECT_EQ(0, vdfs_name_stat(self->t.store, &alice, "d/list", &st));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
	EXPECT_EQ(0, faults(self));
	EXPECT_EQ(SMALL, count(self));
}

/* What gc has moved since is found where it is now. */
TEST_F(rebuild, finds_what_has_moved)
{
	struct vdfs_rebuild_result r;
	int i;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &alice, "d/list"));
	for (i = SMALL / 4; i < SMALL / 2; i++) {
		ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice,
					    &self->small[i]));
	}
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, tree_shell(&self->t, "test ! -e pack/00000001"));
	EXPECT_EQ(SMALL / 4, count(self));
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv old meta.db"));
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(SMALL / 4, r.moved);
	EXPECT_EQ(0, r.records);
	EXPECT_EQ(SMALL / 4, count(self));
}

/* Until it has ended, the store is refused, whatever it was rebuilt from. */
TEST_F(rebuild, may_be_stopped)
{
	int i, left;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, put_some(self, SMALL / 2, SMALL));
	for (i = 0; i < 2; i++) {
		shut(self);
		ASSERT_EQ(0, tree_shell(&self->t,
					i ? "mv old meta.db" : "rm meta.db"));
		/* Behind the first commit of 256 records. */
		left = i ? 10 : 290;
		ASSERT_EQ(0, tree_reopen(&self->t, &again));
		EXPECT_EQ(-ECANCELED, vdfs_rebuild(self->t.store, KEEPER, stop,
						   &left, NULL));
		ASSERT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
		ASSERT_EQ(0, rebuild(self, NULL));
		EXPECT_EQ(SMALL, count(self));
		EXPECT_EQ(0, faults(self));
	}
	EXPECT_EQ(SMALL, count(self));
}

/* Around what is damaged, the whole ones are found; nothing is cut off. */
TEST_F(rebuild, passes_over_damage)
{
	struct vdfs_rebuild_result r;
	struct vdfs_object head, body;

	ASSERT_EQ(0, object_of(self->t.store, &self->small[3], &head));
	ASSERT_EQ(0, object_of(self->t.store, &self->small[9], &body));
	shut(self);
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", (off_t)head.place));
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001",
			       (off_t)body.place + 1000));
	ASSERT_EQ(0, tree_shell(&self->t, "rm meta.db;"
					  "head -c 999 reserve >>pack/00000001;"
					  "cp pack/00000001 before"));
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(1, r.damaged);
	EXPECT_EQ(SMALL / 2 - 2, count(self));
	EXPECT_EQ(0, tree_shell(&self->t, "cmp before pack/00000001"));
}

/* Nor is a database taken for that of another store, or a part for another. */
TEST_F(rebuild, refuses_another_store)
{
	struct tree other;
	char line[256];

	shut(self);
	ASSERT_EQ(0, tree_make(&other, NULL));
	ASSERT_EQ(0, put_bytes(other.store, &bob, "x", 1, 0, NULL, NULL));
	vdfs_store_close(other.store);
	other.store = NULL;
	snprintf(line, sizeof(line), "mv meta.db saved; cp %s/meta.db .",
		 other.dir);
	ASSERT_EQ(0, tree_shell(&self->t, line));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &again));
	/* Without any, it is that of the packs, which must be of one store. */
	snprintf(line, sizeof(line),
		 "rm meta.db; mv object saved-object; cp -r %s/object .",
		 other.dir);
	ASSERT_EQ(0, tree_shell(&self->t, line));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &again));
	ASSERT_EQ(0,
		  tree_shell(&self->t, "rm -r object; mv saved-object object;"
				       "mv saved meta.db; rm -f meta.db-*"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(SMALL / 2, count(self));
	tree_remove(&other);
}

TEST_F(rebuild, goes_without_an_identity)
{
	struct vdfs_rebuild_result r;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "rm meta.db */identity"));
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(SMALL / 2, count(self));
	EXPECT_EQ(0, faults(self));
}

static bool count_calls(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	++*(int *)arg;
	return true;
}

static bool stop_at_last(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return --*(int *)arg > 0;
}

/* Wherever it was ended, the store is not used until another one ends. */
TEST_F(rebuild, is_refused_until_one_has_ended)
{
	struct vdfs_rebuild_result r;
	int calls = 0, left;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "rm meta.db; mkdir copy;"
					  "cp -r pack object copy"));
	ASSERT_EQ(0, tree_reopen(&self->t, &again));
	ASSERT_EQ(0,
		  vdfs_rebuild(self->t.store, KEEPER, count_calls, &calls, &r));
	ASSERT_LT(2, calls);
	for (left = 1; left <= calls; left++) {
		int most = left;

		shut(self);
		ASSERT_EQ(0, tree_shell(&self->t,
					"rm -rf meta.db* pack object;"
					"cp -r copy/pack copy/object ."));
		ASSERT_EQ(0, tree_reopen(&self->t, &again));
		ASSERT_NE(0, vdfs_rebuild(self->t.store, KEEPER, stop_at_last,
					  &most, &r));
		EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	}
	ASSERT_EQ(0, rebuild(self, &r));
	EXPECT_EQ(SMALL / 2, count(self));
	EXPECT_EQ(0, faults(self));
}

TEST_HARNESS_MAIN
