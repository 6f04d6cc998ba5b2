// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collections in use: who opens one first loads it, and others wait. A
 * repair that changes a collection, or drops items of it, gives it another seed.
 * So what was loaded before belongs to no row any more, see vdfs_core_state(),
 * and whoever opens the collection next loads it again.
 */
#include <errno.h>

#include "collection_impl.h"

/**
 * vdfs_core_forget() - take a collection out of the list of those in use
 * @core: It loses the list's reference; another one is left.
 *
 * Context: The caller holds the lock of the db.
 */
void vdfs_core_forget(struct vdfs_core *core)
{
	struct vdfs_core **at = &core->db->cores;

	while (*at && *at != core)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = core->next;
	core->refs--;
}

static struct vdfs_core *find(struct vdfs_db *db, int64_t id)
{
	struct vdfs_core *core = db->cores;

	while (core && core->id != id)
		core = core->next;
	return core;
}

/**
 * vdfs_core_drop() - let nobody use a collection any more
 * @db: Where.
 * @id: Number of its row, which was dropped.
 *
 * Context: Takes the lock of the db.
 */
void vdfs_core_drop(struct vdfs_db *db, int64_t id)
{
	struct vdfs_core *core;

	pthread_mutex_lock(&db->lock);
	core = find(db, id);
	if (core) {
		atomic_store(&core->dropped, true);
		core->refs++;
		vdfs_core_forget(core);
	}
	pthread_mutex_unlock(&db->lock);
	if (core)
		vdfs_core_put(core);
}

static int is_current(struct sqlite3 *db, void *arg)
{
	struct vdfs_core_state state;

	return vdfs_core_state(arg, db, &state);
}

/*
 * The collection in use and the row that was read have different seeds. The
 * database says which of them is of before a repair. If it is the collection,
 * nobody uses it any more; a save of it that has begun ends before the next one
 * is loaded, for both have the same file. The caller's lock of the db is given
 * up.
 */
static int forget_old(struct vdfs_core *core, bool *again)
{
	struct vdfs_db *db = core->db;
	int ret;

	core->refs++;
	pthread_mutex_unlock(&db->lock);
	ret = vdfs_meta_read(db->meta, is_current, core);
	*again = ret == -ENOENT;
	if (*again) {
		atomic_store(&core->stale, true);
		pthread_mutex_lock(&core->care);
		pthread_mutex_unlock(&core->care);
		pthread_mutex_lock(&db->lock);
		vdfs_core_forget(core);
		pthread_mutex_unlock(&db->lock);
	}
	vdfs_core_put(core);
	return ret ? ret : -ESTALE;
}

static void load(struct vdfs_core *core, vdfs_progress_fn *progress, void *arg)
{
	struct vdfs_db *db = core->db;
	int ret = vdfs_graph_load(core, progress, arg);

	/* Dropped or repaired since its row was read. */
	if (ret == -ENOENT)
		ret = -ESTALE;
	pthread_mutex_lock(&db->lock);
	core->state = ret;
	if (ret)
		vdfs_core_forget(core);
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
}

/* Add a collection to those in use; the caller holds the lock of the db. */
static int add(struct vdfs_db *db, const struct vdfs_core_row *row,
	       struct vdfs_core **out)
{
	int ret = vdfs_core_new(db, row->id, out);

	if (ret)
		return ret;
	(*out)->params = row->params;
	(*out)->seed = (uint32_t)row->seed;
	(*out)->base = row->base;
	(*out)->next = db->cores;
	db->cores = *out;
	return 0;
}

/*
 * Wait while another loads it, or load it. @again: when that was of no use, for
 * the other one gave up, or what was loaded is of before a repair.
 */
static int try(struct vdfs_db *db, const struct vdfs_core_row *row,
	       vdfs_progress_fn *progress, void *arg, bool *again,
	       struct vdfs_core **out)
{
	struct vdfs_core *core;
	bool waited;
	int ret = 0;

	pthread_mutex_lock(&db->lock);
	core = find(db, row->id);
	waited = core;
	if (core && (core->seed != row->seed || core->base != row->base))
		return forget_old(core, again);
	*again = false;
	if (core) {
		core->refs++;
		while (core->state > 0)
			pthread_cond_wait(&db->changed, &db->lock);
	} else {
		ret = add(db, row, &core);
		if (ret) {
			pthread_mutex_unlock(&db->lock);
			return ret;
		}
		core->refs++;
		pthread_mutex_unlock(&db->lock);
		load(core, progress, arg);
		pthread_mutex_lock(&db->lock);
	}
	ret = core->state;
	*again = ret == -ECANCELED && waited;
	core->used = ++db->clock;
	pthread_mutex_unlock(&db->lock);
	if (ret)
		vdfs_core_put(core);
	else
		*out = core;
	return ret;
}

/**
 * vdfs_core_get() - get hold of the collection of a row
 * @db: Where.
 * @row: As it was read a moment ago.
 * @progress: NULL, or told how far loading or building its index is.
 * @arg: For @progress.
 * @out: Out: with a reference.
 *
 * The first one loads it. If that one gives up, the next one loads it: the
 * others still want it.
 *
 * Context: Takes the lock of the db.
 * Return: 0; -ESTALE when @row has to be read again, for the collection was
 * dropped or repaired since; -ECANCELED when @progress said so, or another
 * negative errno.
 */
int vdfs_core_get(struct vdfs_db *db, const struct vdfs_core_row *row,
		  vdfs_progress_fn *progress, void *arg, struct vdfs_core **out)
{
	bool again;
	int ret;

	do {
		ret = try(db, row, progress, arg, &again, out);
	} while (again);
	return ret;
}
