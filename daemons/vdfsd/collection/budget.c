// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indexes in memory, within a budget. One that nobody has open is saved if that
 * is worth it, and freed; the next who opens its collection loads it.
 */
#include <errno.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "collection_impl.h"

/* Beside its index a collection has locks, statements and room to walk in. */
#define BESIDE (32U << 10)
/* Each takes a dozen maps of address space, of 65530 that a process may have. */
#define LOADED_MAX 2048

/**
 * vdfs_budget_default() - memory for indexes unless it is set
 *
 * Return: A quarter of the machine's, in bytes.
 */
uint64_t vdfs_budget_default(void)
{
	uint64_t pages = (uint64_t)get_phys_pages();

	return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
}

static uint64_t bytes_of(struct vdfs_core *core)
{
	struct vdfs_graph *graph = vdfs_graph_get(core);
	struct vdfs_index_stats stats;

	vdfs_index_stats(graph->ix, &stats);
	vdfs_graph_put(graph);
	return stats.bytes + BESIDE;
}

/* The caller holds the lock of the db. */
static size_t count(struct vdfs_db *db, uint64_t *bytes)
{
	struct vdfs_core *core;
	size_t n = 0;

	*bytes = 0;
	for (core = db->cores; core; core = core->next) {
		if (core->state)
			continue;
		*bytes += bytes_of(core);
		n++;
	}
	return n;
}

/*
 * The one that nobody has open and that was opened least lately; never the very
 * last, however large it is: it would be loaded for every search.
 */
static struct vdfs_core *choose(struct vdfs_db *db)
{
	struct vdfs_core *best = NULL;
	struct vdfs_core *core;

	for (core = db->cores; core; core = core->next)
		if (!core->state && core->refs == 1 && !core->work &&
		    core->used != db->clock &&
		    (!best || core->used < best->used))
			best = core;
	return best;
}

/* It stays when someone opens it while it is saved. */
static void let_go(struct vdfs_core *core)
{
	struct vdfs_db *db = core->db;

	core->refs++;
	pthread_mutex_unlock(&db->lock);
	if (vdfs_graph_worth_saving(core))
		vdfs_graph_save(core);
	pthread_mutex_lock(&db->lock);
	if (core->refs == 2)
		vdfs_core_forget(core);
	pthread_mutex_unlock(&db->lock);
	vdfs_core_put(core);
	pthread_mutex_lock(&db->lock);
}

/*
 * Of collections that nobody has open, but for the one that was opened last: the
 * next search is most likely there. The caller holds the lock of the db.
 */
static void rest_idle(struct vdfs_db *db)
{
	struct vdfs_graph *graph;
	struct vdfs_core *core;

	for (core = db->cores; core; core = core->next) {
		if (core->state || core->refs > 1 || core->used == db->clock)
			continue;
		graph = vdfs_graph_get(core);
		vdfs_index_rest(graph->ix);
		vdfs_graph_put(graph);
	}
}

/**
 * vdfs_db_trim() - let indexes go until the rest is within the budget
 * @db: Collections whose indexes go.
 *
 * An open collection stays, and so does the collection that was opened last.
 */
void vdfs_db_trim(struct vdfs_db *db)
{
	struct vdfs_core *core;
	uint64_t bytes;
	size_t n;

	/* One at a time: two that count the same would let go of too much. */
	pthread_mutex_lock(&db->trimming);
	pthread_mutex_lock(&db->lock);
	rest_idle(db);
	for (;;) {
		n = count(db, &bytes);
		if (bytes <= db->budget && n <= LOADED_MAX)
			break;
		core = choose(db);
		if (!core || atomic_load(&db->stop))
			break;
		let_go(core);
	}
	pthread_mutex_unlock(&db->lock);
	pthread_mutex_unlock(&db->trimming);
}

/**
 * vdfs_db_set_budget() - say how much memory indexes may take
 * @db: Collections whose indexes the budget is for.
 * @bytes: The budget; open collections may take more.
 */
void vdfs_db_set_budget(struct vdfs_db *db, uint64_t bytes)
{
	pthread_mutex_lock(&db->lock);
	db->budget = bytes;
	pthread_mutex_unlock(&db->lock);
	vdfs_care_trim(db);
}

/**
 * vdfs_db_set_store() - charge the owners of collections
 * @db: Collections that nobody has open yet.
 * @store: Store whose quotas hold for their items.
 */
void vdfs_db_set_store(struct vdfs_db *db, struct vdfs_store *store)
{
	db->store = store;
}

/**
 * vdfs_db_loaded() - what indexes take
 * @db: Collections whose indexes are counted.
 * @bytes: Out: memory of all that are loaded.
 *
 * Return: How many are loaded.
 */
size_t vdfs_db_loaded(struct vdfs_db *db, uint64_t *bytes)
{
	size_t n;

	pthread_mutex_lock(&db->lock);
	n = count(db, bytes);
	pthread_mutex_unlock(&db->lock);
	return n;
}
