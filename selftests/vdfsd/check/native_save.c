// SPDX-License-Identifier: GPL-2.0-only
/* A repair while the index of the collection is being saved. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/collection/collection_impl.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define ITEMS 20

/**
 * struct race - a repair between two steps of a save
 * @t: The store.
 * @db: Its collections.
 * @before: The collection, opened before the repair.
 * @thread: Opens the collection after the repair, and saves it too.
 * @ret: Of that.
 * @ended: The thread has done so.
 */
static struct race {
	struct tree t;
	struct vdfs_db *db;
	struct vdfs_collection *before;
	pthread_t thread;
	int ret;
	atomic_bool ended;
} race;

/* What the next rename is followed by. */
static void (*then)(void);

/* Takes the place of that of the C library. */
int rename(const char *from, const char *to)
{
	int ret = renameat(AT_FDCWD, from, AT_FDCWD, to);
	void (*fn)(void) = then;

	then = NULL;
	if (fn)
		fn();
	return ret;
}

static int damage(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "UPDATE item SET vector = x'00000041'\n"
				"WHERE key = 'k3'");
}

static void *open_and_save(void *arg)
{
	struct vdfs_collection *c;

	(void)arg;
	race.ret = vdfs_collection_open(race.db, &alice, "c", NULL, NULL, &c);
	if (!race.ret) {
		race.ret = vdfs_collection_save(c);
		vdfs_collection_put(c);
	}
	atomic_store(&race.ended, true);
	return NULL;
}

/* Until the successor is saved, or waits for the save that is under way. */
static void repair(void)
{
	struct vdfs_fsck_result r = {};

	race.ret = vdfs_meta_write(race.db->meta, damage, NULL);
	if (!race.ret)
		race.ret = vdfs_fsck(race.t.store, VDFS_FSCK_REPAIR, NULL, NULL,
				     NULL, &r);
	if (race.ret || !r.repaired ||
	    pthread_create(&race.thread, NULL, open_and_save, NULL))
		return;
	while (!atomic_load(&race.ended) &&
	       !atomic_load(&race.before->core->stale))
		sched_yield();
}

TEST(an_index_of_before_a_repair_replaces_none)
{
	struct vdfs_collection_params p = { .dim = 1, .mode = 0600 };
	struct vdfs_collection *c;
	char path[80], key[8];
	int i;

	ASSERT_EQ(0, tree_make(&race.t, NULL));
	ASSERT_EQ(0, items_in_tree(&race.t, &race.db));
	ASSERT_EQ(0, vdfs_collection_create(race.db, &alice, "c", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(race.db, &alice, "c", NULL, NULL, &c));
	race.before = c;
	for (i = 0; i < ITEMS; i++) {
		float x = (float)i;
		struct vdfs_item item = { .key = key, .vector = &x, .dim = 1 };

		snprintf(key, sizeof(key), "k%d", i);
		ASSERT_EQ(0, vdfs_collection_insert(c, &item, 1, 0, NULL));
	}
	then = repair;
	EXPECT_EQ(-ENOENT, vdfs_collection_save(c));
	EXPECT_TRUE(!then);
	ASSERT_NE(0, race.thread);
	ASSERT_EQ(0, pthread_join(race.thread, NULL));
	EXPECT_EQ(0, race.ret);
	/* What the successor has saved is still there. */
	snprintf(path, sizeof(path), "%s/graph/1.graph", race.t.dir);
	EXPECT_EQ(0, access(path, F_OK));
	EXPECT_EQ(-ENOENT, vdfs_collection_save(c));
	EXPECT_EQ(0, access(path, F_OK));
	vdfs_collection_put(c);
	vdfs_db_close(race.db);
	EXPECT_EQ(0, access(path, F_OK));
	tree_remove(&race.t);
}

TEST_HARNESS_MAIN
