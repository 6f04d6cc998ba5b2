// SPDX-License-Identifier: GPL-2.0-only
/* The background thread: it serves collections while nobody waits for it. */
#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "collection_impl.h"

/* Items that go in one transaction, and bytes of them, but at least one. */
#define PURGE_STEP 2000
#define PURGE_BYTES ((int64_t)4 << 20)
/* Seconds before what failed is tried again. */
#define AGAIN_S 1
/* So few vectors that a rebuild takes seconds. */
#define SMALL 100000

/**
 * struct purge - a dropped collection on its way out
 * @id: Its number; 0 = there is none.
 * @base: Its items have the numbers behind this one. Where that is damaged,
 *        items of others may have numbers there too.
 * @owner: Its owner.
 * @last: The last item of the present step; @base when there is none left.
 * @step: Charges for the items of the step.
 * @more: There are items still.
 */
struct purge {
	int64_t id;
	int64_t base;
	uint32_t owner;
	int64_t last;
	struct vdfs_usage step;
	bool more;
};

/* A row that has lost its name otherwise is not taken for a dropped one. */
static int find_dropped(struct sqlite3 *db, void *arg)
{
	struct purge *purge = arg;
	struct sqlite3_stmt *st;
	int ret;

	purge->id = 0;
	ret = vdfs_sql(db, &st,
		       "SELECT id, ifnull(base, -1), owner FROM collection\n"
		       " WHERE name IS NULL\n"
		       " AND sum = " VDFS_COLLECTION_SUM("NULL") " LIMIT 1");
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0) {
		purge->id = sqlite3_column_int64(st, 0);
		purge->base = sqlite3_column_int64(st, 1);
		purge->owner = (uint32_t)sqlite3_column_int64(st, 2);
	}
	return ret < 0 ? ret : 0;
}

static int find_step(struct sqlite3 *db, struct purge *purge)
{
	struct sqlite3_stmt *st;
	int ret;

	purge->last = purge->base;
	purge->step = (struct vdfs_usage){ 0 };
	ret = vdfs_sql(db, &st,
		       "SELECT id, " VDFS_ITEM_COST " FROM item\n"
		       " WHERE id > ?1 AND id < ?1 + ?2 AND +collection = ?4\n"
		       " ORDER BY id LIMIT ?3",
		       VDFS_INT(purge->base), VDFS_INT(VDFS_SPAN),
		       VDFS_INT(PURGE_STEP), VDFS_INT(purge->id));
	while (!ret && purge->step.bytes < PURGE_BYTES) {
		ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret;
		purge->last = sqlite3_column_int64(st, 0);
		purge->step.bytes += sqlite3_column_int64(st, 1);
		purge->step.n++;
		ret = 0;
	}
	sqlite3_reset(st);
	return ret;
}

static int purge_items(struct sqlite3 *db, const struct purge *purge)
{
	struct vdfs_usage less = { -purge->step.n, -purge->step.bytes };
	struct vdfs_usage values = { 0 };
	int ret;

	ret = vdfs_fields_forget(db, purge->id, purge->base, purge->last,
				 &values);
	if (!ret)
		ret = vdfs_usage_add(db, NULL, purge->owner, VDFS_USAGE_VALUES,
				     values);
	if (!ret)
		ret = vdfs_sql_run(
			db,
			"DELETE FROM item WHERE id > ?1 AND id <= ?2\n"
			" AND +collection = ?3",
			VDFS_INT(purge->base), VDFS_INT(purge->last),
			VDFS_INT(purge->id));
	return ret ? ret :
		     vdfs_usage_add(db, NULL, purge->owner, VDFS_USAGE_ITEMS,
				    less);
}

/* Rows of the log do not say whose they are: no other may have that base. */
static int purge_log(struct sqlite3 *db, struct purge *purge)
{
	int ret;

	purge->more = false;
	if (purge->base < 0 || purge->base % VDFS_SPAN)
		return 0;
	ret = vdfs_sql_run(db, vdfs_item_sql[SQL_GONE_TRIM],
			   VDFS_INT(purge->base),
			   VDFS_INT(purge->base + (VDFS_SPAN - 1)),
			   VDFS_INT(INT64_MAX));
	purge->more = sqlite3_changes(db) > 0;
	return ret;
}

static int purge_row(struct sqlite3 *db, const struct purge *purge)
{
	int ret;

	ret = vdfs_sql_run(db,
			   "DELETE FROM field_making WHERE field IN\n"
			   " (SELECT id FROM field WHERE collection = ?1)",
			   VDFS_INT(purge->id));
	if (!ret)
		ret = vdfs_sql_run(db,
				   "DELETE FROM field WHERE collection = ?1",
				   VDFS_INT(purge->id));
	return ret ? ret :
		     vdfs_sql_run(db, "DELETE FROM collection WHERE id = ?1",
				  VDFS_INT(purge->id));
}

static int purge_step(struct sqlite3 *db, void *arg)
{
	struct purge *purge = arg;
	int ret;

	purge->more = true;
	ret = find_step(db, purge);
	if (ret)
		return ret;
	if (purge->step.n)
		return purge_items(db, purge);
	ret = purge_log(db, purge);
	return ret || purge->more ? ret : purge_row(db, purge);
}

/* Returns whether there is a rest, which a full disk, say, is in the way of. */
static bool purge_all(struct vdfs_db *db)
{
	struct purge purge;
	char path[PATH_MAX];
	int ret = 0;

	while (!ret && !atomic_load(&db->stop)) {
		struct vdfs_core core = { .db = db };

		ret = vdfs_meta_read(db->meta, find_dropped, &purge);
		if (ret || !purge.id)
			return ret;
		core.id = purge.id;
		vdfs_graph_path(&core, "", path, sizeof(path));
		unlink(path);
		do {
			ret = vdfs_meta_free(db->meta, purge_step, &purge);
		} while (!ret && purge.more && !atomic_load(&db->stop));
	}
	return ret;
}

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
	struct vdfs_core *core = arg;

	(void)done;
	(void)total;
	return !atomic_load(&core->db->stop) && !atomic_load(&core->dropped) &&
	       !atomic_load(&core->stale);
}

/*
 * Where very many of a graph were deleted, what is left has lost its way
 * among itself, and repairing does not bring all of it back.
 */
static bool is_worn_out(const struct vdfs_index_stats *stats)
{
	uint64_t all = stats->live + stats->deleted;

	if (all <= SMALL)
		return stats->deleted >= all / 8;
	return stats->deleted >= all / 4;
}

static int repair(struct vdfs_core *core)
{
	struct vdfs_index_stats stats;
	struct vdfs_graph *graph;
	int ret;

	graph = vdfs_graph_get(core);
	vdfs_index_stats(graph->ix, &stats);
	if (is_worn_out(&stats)) {
		ret = vdfs_graph_rebuild(core, go_on, core);
	} else {
		pthread_mutex_lock(&core->care);
		ret = vdfs_index_repair(graph->ix, go_on, core);
		pthread_mutex_unlock(&core->care);
	}
	vdfs_graph_put(graph);
	/* Else a start would have to do all these changes again. */
	if (!ret && vdfs_graph_worth_saving(core))
		vdfs_graph_save(core);
	return ret;
}

/*
 * Return: work to be done again. Nobody else would ask for a repair that failed
 * until more is deleted.
 */
static unsigned int care_for(struct vdfs_core *core, unsigned int work)
{
	unsigned int failed = 0;
	unsigned int i;

	if (work & WORK_REPAIR && repair(core) && go_on(core, 0, 0))
		failed |= WORK_REPAIR;
	for (i = 0; i < CURVES; i++)
		if (work & WORK_TUNE << i)
			vdfs_tune(core, i);
	return failed;
}

static struct vdfs_core *find_work(struct vdfs_db *db)
{
	struct vdfs_core *core = db->cores;

	while (core && (!core->work || core->state))
		core = core->next;
	return core;
}

static bool is_late(const struct vdfs_db *db)
{
	const struct vdfs_core *core = db->cores;

	while (core && !core->late)
		core = core->next;
	return core;
}

/* Do again what failed. */
static void ask_again(struct vdfs_db *db, bool *purge)
{
	struct vdfs_core *core;

	db->purge |= *purge;
	*purge = false;
	for (core = db->cores; core; core = core->next) {
		core->work |= core->late;
		core->late = 0;
	}
}

/* Until there is something to do; what failed, @purge too, is tried again. */
static void wait_for_work(struct vdfs_db *db, bool *purge)
{
	struct timespec until;

	if (!*purge && !is_late(db)) {
		pthread_cond_wait(&db->changed, &db->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += AGAIN_S;
	if (pthread_cond_timedwait(&db->changed, &db->lock, &until) ==
	    ETIMEDOUT)
		ask_again(db, purge);
}

/* Do the work on a collection. The db's lock is held, but not meanwhile. */
static void serve(struct vdfs_db *db, struct vdfs_core *core)
{
	unsigned int work = core->work;

	core->work = 0;
	core->refs++;
	pthread_mutex_unlock(&db->lock);
	work = care_for(core, work);
	pthread_mutex_lock(&db->lock);
	core->late |= work;
	pthread_mutex_unlock(&db->lock);
	vdfs_core_put(core);
	pthread_mutex_lock(&db->lock);
}

static void *worker(void *arg)
{
	struct vdfs_db *db = arg;
	struct vdfs_core *core;
	bool purge, trim, again = false;

	pthread_mutex_lock(&db->lock);
	while (!atomic_load(&db->stop)) {
		core = find_work(db);
		purge = db->purge;
		trim = db->trim;
		if (!core && !purge && !trim) {
			wait_for_work(db, &again);
			continue;
		}
		db->purge = false;
		db->trim = false;
		if (core)
			serve(db, core);
		pthread_mutex_unlock(&db->lock);
		if (purge)
			again = purge_all(db);
		if (trim)
			vdfs_db_trim(db);
		pthread_mutex_lock(&db->lock);
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

/**
 * vdfs_care_start() - start the background thread
 * @db: Collections that it serves.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_care_start(struct vdfs_db *db)
{
	return -pthread_create(&db->worker, NULL, worker, db);
}

/**
 * vdfs_care_stop() - end the background thread
 * @db: Collections that it serves. The thread abandons the work at hand.
 */
void vdfs_care_stop(struct vdfs_db *db)
{
	pthread_mutex_lock(&db->lock);
	atomic_store(&db->stop, true);
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
	pthread_join(db->worker, NULL);
}

/**
 * vdfs_care_ask() - have something done soon
 * @core: For which collection.
 * @work: WORK_*.
 */
void vdfs_care_ask(struct vdfs_core *core, unsigned int work)
{
	struct vdfs_db *db = core->db;

	pthread_mutex_lock(&db->lock);
	core->work |= work;
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
}

/**
 * vdfs_care_purge() - have what is left of dropped collections taken away
 * @db: Where.
 */
void vdfs_care_purge(struct vdfs_db *db)
{
	pthread_mutex_lock(&db->lock);
	db->purge = true;
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
}

/**
 * vdfs_care_trim() - have the budget looked at soon
 * @db: Collections whose indexes the budget is for.
 */
void vdfs_care_trim(struct vdfs_db *db)
{
	pthread_mutex_lock(&db->lock);
	db->trim = true;
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
}
