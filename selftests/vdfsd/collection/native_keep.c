// SPDX-License-Identifier: GPL-2.0-only
/* Collections over restarts, damage, full disks and their own end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/collection_impl.h>
#include <daemons/common/sql/meta_impl.h>

#include "phi_message.h"
#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 16
#define N 2000

FIXTURE(keep)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
	float *rows;
};

static int open_it(struct items_db *db, struct vdfs_collection **c)
{
	return vdfs_collection_open(db->db, &items_me, "c", NULL, NULL, c);
}

FIXTURE_SETUP(keep)
{
	struct vdfs_collection_params p = {
		.dim = DIM, .codes = VDFS_CODES_8, .m = 8, .ef_build = 40
	};

	self->a = items_answers();
	self->rows = vectors_clustered(2 * N, DIM, 40, 5);
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, open_it(&self->db, &self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, 0, N));
}

FIXTURE_TEARDOWN(keep)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
	free(self->rows);
}

/* What is found of items @from to @to - 1, each looked for on its own. */
static size_t found(struct vdfs_collection *c, const float *rows, size_t from,
		    size_t to, uint32_t ef, struct items_answers *a)
{
	struct vdfs_search search = {
		.dim = DIM,
		.k = 1,
		.ef = ef,
		.recall = ef ? 0 : 1,
	};
	size_t hit = 0;
	char key[24];
	size_t i;

	for (i = from; i < to; i++) {
		search.vector = rows + i * DIM;
		a->n = 0;
		if (vdfs_collection_search(c, &search, items_collect, a))
			return 0;
		snprintf(key, sizeof(key), "%06zu", i);
		hit += a->n && !strcmp(key, a->key[0]);
	}
	return hit;
}

static uint64_t items(struct vdfs_collection *c)
{
	struct vdfs_collection_stats stats;

	return vdfs_collection_stats(c, &stats) ? ~0ULL : stats.items;
}

static uint64_t saved(struct vdfs_collection *c)
{
	struct vdfs_collection_stats stats;

	return vdfs_collection_stats(c, &stats) ? ~0ULL : stats.saved;
}

/* How often a build said how far it is: a load asks alone. */
static bool count_calls(void *arg, uint64_t done, uint64_t total)
{
	int *calls = arg;

	(void)done;
	*calls += total > 0;
	return true;
}

static int reopen(struct items_db *db, struct vdfs_collection **c, int *builds)
{
	int ret;

	vdfs_collection_put(*c);
	*c = NULL;
	ret = items_reopen(db);
	*builds = 0;
	if (!ret)
		ret = vdfs_collection_open(db->db, &items_me, "c", count_calls,
					   builds, c);
	return ret;
}

TEST_F(keep, a_restart_loads_the_index)
{
	int builds;

	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(1, saved(self->c));
	EXPECT_EQ(N, items(self->c));
	EXPECT_EQ(200, found(self->c, self->rows, 0, 200, 0, self->a));
	EXPECT_LE(195, found(self->c, self->rows, 0, 200, 64, self->a));
}

/* Whatever its vectors are made of. */
TEST_F(keep, every_type_is_loaded)
{
	static const struct vdfs_collection_params kinds[] = {
		{ .dim = 4, .type = VDFS_F32 },
		{ .dim = 4, .type = VDFS_I8 },
		{ .dim = 4, .type = VDFS_I8, .codes = VDFS_CODES_8 },
		{ .dim = 4, .type = VDFS_F16 },
		{ .dim = 4, .type = VDFS_F16, .codes = VDFS_CODES_4 },
		{ .dim = 4, .metric = VDFS_COSINE, .codes = VDFS_CODES_1 },
		{ .dim = 4, .metric = VDFS_IP, .codes = VDFS_CODES_2 },
		{ .dim = 4, .type = VDFS_F16, .codes = VDFS_CODES_3 },
	};
	float *rows = vectors_small_ints(1200, 4, 3);
	struct vdfs_collection *d;
	int calls = 0;
	char name[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(name, sizeof(name), "k%zu", i);
		ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me,
						    name, &kinds[i]));
		ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, name,
						  NULL, NULL, &d));
		ASSERT_EQ(0, items_fill(d, rows, 4, 0, 1200));
		ASSERT_EQ(0, vdfs_collection_save(d));
		vdfs_collection_put(d);
	}
	vdfs_collection_put(self->c);
	self->c = NULL;
	ASSERT_EQ(0, items_reopen(&self->db));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(name, sizeof(name), "k%zu", i);
		ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, name,
						  count_calls, &calls, &d));
		EXPECT_EQ(0, calls)
		{
			TH_LOG("%s was built again", name);
		}
		EXPECT_EQ(1, saved(d));
		ASSERT_EQ(0, items_search(d, rows + 44, 4, 1, NULL, self->a));
		vdfs_collection_put(d);
	}
	free(rows);
}

/* Marked as the right one, and of another kind. */
TEST_F(keep, an_index_of_another_kind_is_not_taken)
{
	struct vdfs_params p = {
		.dim = DIM / 2, .m = 8, .ef_build = 40, .capacity = 10
	};
	struct vdfs_index *ix;
	uint64_t stamp;
	int builds;

	ASSERT_EQ(0, vdfs_collection_save(self->c));
	stamp = atomic_load(&self->c->core->stamp);
	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	ASSERT_EQ(0,
		  vdfs_index_save(ix, items_path(&self->db, "1.graph"), stamp));
	vdfs_index_free(ix);
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_LT(0, builds);
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
}

/* The saved index has neither what came nor what went since. */
TEST_F(keep, a_restart_catches_up)
{
	struct vdfs_item item = { .key = "000003", .dim = DIM };
	int builds;

	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, N, N + 50));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "000001"));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "002001"));
	item.vector = self->rows + (N + 100) * DIM;
	ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	atomic_store(&self->c->core->changes, 0);
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(1, saved(self->c));
	EXPECT_EQ(N + 48, items(self->c));
	EXPECT_EQ(49, found(self->c, self->rows, N, N + 50, 0, self->a));
	EXPECT_EQ(0, found(self->c, self->rows, 1, 2, 0, self->a));
	EXPECT_EQ(0, found(self->c, self->rows, 3, 4, 0, self->a));
	EXPECT_EQ(1, found(self->c, self->rows, 4, 5, 0, self->a));
	ASSERT_EQ(0, items_search(self->c, item.vector, DIM, 1, NULL, self->a));
	EXPECT_STREQ("000003", self->a->key[0]);
	EXPECT_EQ(0.0f, self->a->dist[0]);
}

static void break_file(const char *path, off_t at)
{
	unsigned char byte = 0;
	int fd = open(path, O_RDWR);

	if (fd < 0 || pread(fd, &byte, 1, at) != 1)
		abort();
	byte ^= 0x40;
	if (pwrite(fd, &byte, 1, at) != 1)
		abort();
	close(fd);
}

static void damage(const char *path, size_t how)
{
	static const off_t places[] = { 0, 8, 40, 2 << 20, (4 << 20) + 100 };

	if (how < 5)
		break_file(path, places[how]);
	else if (how == 5 ? truncate(path, 4 << 20) : unlink(path))
		abort();
}

TEST_F(keep, a_damaged_index_is_only_a_slower_start)
{
	int builds;
	size_t i;

	for (i = 0; i < 7; i++) {
		ASSERT_EQ(0, vdfs_collection_save(self->c));
		damage(items_path(&self->db, "1.graph"), i);
		ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
		EXPECT_LT(0, builds)
		{
			TH_LOG("damage %zu was not seen", i);
		}
		EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
	}
}

/* Another collection's, and its own from before: well formed and wrong. */
TEST_F(keep, a_foreign_index_is_not_taken)
{
	struct vdfs_collection_params p = {
		.dim = DIM, .codes = VDFS_CODES_8, .m = 8, .ef_build = 40
	};
	struct vdfs_collection *d;
	char path[400];
	int builds;

	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "d", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "d", NULL,
					  NULL, &d));
	ASSERT_EQ(0, items_fill(d, self->rows + N * DIM, DIM, 0, N));
	ASSERT_EQ(0, vdfs_collection_save(d));
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	vdfs_collection_put(d);
	snprintf(path, sizeof(path), "%s", items_path(&self->db, "2.graph"));
	ASSERT_EQ(0, rename(path, items_path(&self->db, "1.graph")));
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_LT(0, builds);
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
	/* An old one of its own: the log of deletions begins later. */
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	snprintf(path, sizeof(path), "%s", items_path(&self->db, "old"));
	ASSERT_EQ(0, link(items_path(&self->db, "1.graph"), path));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "000005"));
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, rename(path, items_path(&self->db, "1.graph")));
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_LT(0, builds);
	EXPECT_EQ(0, found(self->c, self->rows, 5, 6, 0, self->a));
}

/* A crash between the two commits and the rename of a save. */
TEST_F(keep, either_file_is_known_after_a_crash)
{
	char old[400], path[400];
	int builds;

	snprintf(path, sizeof(path), "%s", items_path(&self->db, "1.graph"));
	snprintf(old, sizeof(old), "%s", items_path(&self->db, "old"));
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, link(path, old));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, N, N + 10));
	/* The new file cannot be written where a folder stands. */
	strcat(path, ".new");
	ASSERT_EQ(0, mkdir(path, 0700));
	EXPECT_GT(0, vdfs_collection_save(self->c));
	rmdir(path);
	atomic_store(&self->c->core->changes, 0);
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(10, found(self->c, self->rows, N, N + 10, 0, self->a));
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(2, saved(self->c));
	unlink(old);
}

TEST_F(keep, the_log_is_trimmed_by_a_save)
{
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "000001"));
	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "000002"));
	EXPECT_EQ(1, items_count(&self->db, "SELECT count(*) FROM gone"));
}

static bool stop_now(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return false;
}

TEST_F(keep, a_build_can_be_stopped)
{
	int builds;

	EXPECT_EQ(-ECANCELED, vdfs_collection_rebuild(self->c, stop_now, NULL));
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
	vdfs_collection_put(self->c);
	self->c = NULL;
	ASSERT_EQ(0, items_reopen(&self->db));
	unlink(items_path(&self->db, "1.graph"));
	EXPECT_EQ(-ECANCELED, vdfs_collection_open(self->db.db, &items_me, "c",
						   stop_now, NULL, &self->c));
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
	ASSERT_EQ(0, vdfs_collection_rebuild(self->c, NULL, NULL));
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
}

TEST_F(keep, a_load_can_be_stopped)
{
	int builds;

	ASSERT_EQ(0, vdfs_collection_save(self->c));
	vdfs_collection_put(self->c);
	self->c = NULL;
	ASSERT_EQ(0, items_reopen(&self->db));
	EXPECT_EQ(-ECANCELED, vdfs_collection_open(self->db.db, &items_me, "c",
						   stop_now, NULL, &self->c));
	/* Nothing was lost: the next one loads it. */
	ASSERT_EQ(0, reopen(&self->db, &self->c, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
}

/* One who waits while another builds the index. */
struct waiter {
	pthread_t thread;
	atomic_int tid;
	struct vdfs_db *db;
	struct vdfs_collection *c;
	int err;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;

	atomic_store(&w->tid, gettid());
	w->err = vdfs_collection_open(w->db, &items_me, "c", NULL, NULL, &w->c);
	return NULL;
}

static bool stop_when_another_waits(void *arg, uint64_t done, uint64_t total)
{
	struct waiter *w = arg;

	(void)done;
	(void)total;
	if (pthread_create(&w->thread, NULL, wait_for_it, w))
		return false;
	while (!atomic_load(&w->tid))
		;
	thread_sleeps(atomic_load(&w->tid));
	return false;
}

TEST_F(keep, others_go_on_when_the_builder_stops)
{
	struct waiter w = {};

	vdfs_collection_put(self->c);
	self->c = NULL;
	ASSERT_EQ(0, items_reopen(&self->db));
	unlink(items_path(&self->db, "1.graph"));
	w.db = self->db.db;
	EXPECT_EQ(-ECANCELED,
		  vdfs_collection_open(self->db.db, &items_me, "c",
				       stop_when_another_waits, &w, &self->c));
	ASSERT_NE(0, atomic_load(&w.tid));
	ASSERT_EQ(0, pthread_join(w.thread, NULL));
	ASSERT_EQ(0, w.err);
	self->c = w.c;
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
}

TEST_F(keep, it_grows_beyond_its_capacity)
{
	struct vdfs_collection_params p = {
		.dim = DIM, .codes = VDFS_CODES_8, .m = 8, .ef_build = 40
	};
	struct vdfs_collection *d;
	size_t i;

	self->db.db->room = 100;
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "d", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "d", NULL,
					  NULL, &d));
	/* One by one, then many; what is acknowledged is found. */
	for (i = 0; i < 150; i++) {
		ASSERT_EQ(0, items_fill(d, self->rows, DIM, i, i + 1));
		ASSERT_EQ(1, found(d, self->rows, i, i + 1, 0, self->a));
	}
	ASSERT_EQ(0, items_fill(d, self->rows, DIM, 150, N));
	EXPECT_EQ(N, items(d));
	EXPECT_EQ(N, found(d, self->rows, 0, N, 0, self->a));
	EXPECT_LE(N * 97 / 100, found(d, self->rows, 0, N, 64, self->a));
	EXPECT_NE(0, access(items_path(&self->db, "2.graph.larger"), F_OK));
	vdfs_collection_put(d);
}

/* Until what was deleted has been repaired away, nearly. */
static bool repaired(struct vdfs_collection *c)
{
	struct vdfs_collection_stats stats = { .deleted = ~0ULL };
	int i;

	for (i = 0; i < 20000 && stats.deleted > N / 10; i++) {
		if (vdfs_collection_stats(c, &stats))
			return false;
		usleep(5000);
	}
	return stats.deleted <= N / 10;
}

/* All is exchanged, several times over, and found as well as before. */
TEST_F_TIMEOUT(keep, turnovers_cost_no_recall, 200)
{
	char key[24];
	size_t turn, i;

	for (turn = 0; turn < 3; turn++) {
		size_t to = turn % 2 ? 0 : N;

		for (i = 0; i < N; i++) {
			snprintf(key, sizeof(key), "%06zu", N - to + i);
			ASSERT_EQ(0, vdfs_collection_delete(self->c, key));
			if (i % 100 < 99)
				continue;
			ASSERT_EQ(0, items_fill(self->c, self->rows, DIM,
						to + i - 99, to + i + 1));
			ASSERT_TRUE(repaired(self->c));
		}
		EXPECT_EQ(N, items(self->c));
		EXPECT_EQ(N,
			  found(self->c, self->rows, to, to + N, 0, self->a));
		EXPECT_LE(N * 98 / 100,
			  found(self->c, self->rows, to, to + N, 64, self->a));
	}
}

/* Faster than anything is repaired. */
TEST_F_TIMEOUT(keep, bursts_of_deletions_cost_no_recall, 200)
{
	char key[24];
	size_t i;

	for (i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "%06zu", i);
		ASSERT_EQ(0, vdfs_collection_delete(self->c, key));
		if (i % 1000 < 999)
			continue;
		ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, N + i - 999,
					N + i + 1));
	}
	ASSERT_TRUE(repaired(self->c));
	EXPECT_EQ(N, found(self->c, self->rows, N, 2 * N, 0, self->a));
	EXPECT_LE(N * 97 / 100,
		  found(self->c, self->rows, N, 2 * N, 64, self->a));
}

TEST_F(keep, a_full_disk_changes_nothing)
{
	/* The limit is of a connection: the writer's own. */
	sqlite3 *sql = self->db.meta->writer;
	uint64_t before = 0;
	int ret = 0;
	size_t i;

	ASSERT_EQ(0, sqlite3_exec(sql, "PRAGMA max_page_count = 1", NULL, NULL,
				  NULL));
	for (i = N; i < 2 * N && !ret; i += 50) {
		before = items(self->c);
		ret = items_fill(self->c, self->rows, DIM, i, i + 50);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(before, items(self->c));
	EXPECT_EQ(0, found(self->c, self->rows, i - 50, i, 0, self->a));
	EXPECT_EQ(20, found(self->c, self->rows, 0, 20, 0, self->a));
	ASSERT_EQ(0, sqlite3_exec(sql, "PRAGMA max_page_count = 1000000", NULL,
				  NULL, NULL));
	EXPECT_EQ(0, items_fill(self->c, self->rows, DIM, i - 50, i));
	EXPECT_EQ(50, found(self->c, self->rows, i - 50, i, 0, self->a));
}

/* Rows of the dropped collection. */
static int left(const struct items_db *db)
{
	return items_count(
		db, "SELECT (SELECT count(*) FROM item\n"
		    "  WHERE collection = 1) +\n"
		    " (SELECT count(*) FROM gone WHERE id < 549755813888)\n"
		    " + (SELECT count(*) FROM field WHERE collection = 1)\n"
		    " + (SELECT count(*) FROM field_value) +\n"
		    " (SELECT count(*) FROM collection WHERE id = 1)");
}

TEST_F(keep, who_holds_a_dropped_one_gets_enoent)
{
	struct vdfs_collection_params p = { .dim = DIM, .metric = VDFS_IP };
	struct vdfs_item item = { .key = "000001", .metadata = "{}" };
	struct vdfs_collection_stats stats;
	struct vdfs_collection *again;
	int i;

	ASSERT_EQ(0, vdfs_collection_save(self->c));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "000009"));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", NULL, NULL));
	ASSERT_EQ(0, items_put(self->c, "f", self->rows, DIM, "{\"f\":1}"));
	EXPECT_EQ(N + 4, left(&self->db));
	ASSERT_EQ(0, vdfs_collection_drop(self->db.db, &items_me, "c"));
	EXPECT_EQ(-ENOENT, vdfs_collection_drop(self->db.db, &items_me, "c"));
	EXPECT_EQ(-ENOENT,
		  items_search(self->c, self->rows, DIM, 1, NULL, self->a));
	EXPECT_EQ(-ENOENT, items_search(self->c, self->rows, DIM, 1,
					"{\"a\":1}", self->a));
	EXPECT_EQ(-ENOENT, items_put(self->c, "x", self->rows, DIM, NULL));
	EXPECT_EQ(-ENOENT, vdfs_collection_update(self->c, &item));
	EXPECT_EQ(-ENOENT, vdfs_collection_delete(self->c, "000001"));
	EXPECT_EQ(-ENOENT, vdfs_collection_get(self->c, "000001", items_collect,
					       self->a));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_walk(self->c, NULL, items_collect, self->a));
	EXPECT_EQ(-ENOENT, vdfs_collection_stats(self->c, &stats));
	EXPECT_EQ(-ENOENT, vdfs_collection_save(self->c));
	EXPECT_EQ(-ENOENT, vdfs_collection_rebuild(self->c, NULL, NULL));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_index_field(self->c, "a", NULL, NULL));
	EXPECT_EQ(-ENOENT, open_it(&self->db, &again));
	/* The name is free at once, for something else. */
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, open_it(&self->db, &again));
	EXPECT_EQ(0, items(again));
	vdfs_collection_put(again);
	/* Its items go soon, its file too. */
	for (i = 0; i < 2000 && left(&self->db); i++)
		usleep(50000);
	EXPECT_EQ(0, left(&self->db));
	EXPECT_NE(0, access(items_path(&self->db, "1.graph"), F_OK));
}

TEST_HARNESS_MAIN
