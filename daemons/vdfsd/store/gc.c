// SPDX-License-Identifier: GPL-2.0-only
/* Collecting garbage: objects, then the files and segments they were in. */
#include <errno.h>
#include <string.h>

#include "gc_impl.h"

/**
 * vdfs_gc_step() - tell how far a collection is
 * @gc: The collection.
 * @steps: Steps done since the last call.
 *
 * Context: The collection's thread.
 * Return: 0, or -ECANCELED when it shall stop.
 */
int vdfs_gc_step(struct vdfs_gc *gc, uint64_t steps)
{
	gc->done += steps;
	if (gc->total < gc->done)
		gc->total = gc->done;
	if (gc->progress && !gc->progress(gc->arg, gc->done, gc->total))
		return -ECANCELED;
	return 0;
}

static int count_dead(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT count(*) FROM object\n"
		       "WHERE users = 0 AND parts = 0");
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0)
		*(uint64_t *)arg = sqlite3_column_int64(st, 0);
	return err < 0 ? err : 0;
}

/**
 * vdfs_gc_stop() - keep garbage from being collected
 * @store: The store. Waits for a collection or a check that runs.
 *
 * Context: Any thread; vdfs_gc_allow() in the same one ends it.
 */
void vdfs_gc_stop(struct vdfs_store *store)
{
	pthread_mutex_lock(&store->gc);
}

/**
 * vdfs_gc_allow() - end a vdfs_gc_stop()
 * @store: The store.
 *
 * Context: The thread that called vdfs_gc_stop().
 */
void vdfs_gc_allow(struct vdfs_store *store)
{
	pthread_mutex_unlock(&store->gc);
}

/**
 * vdfs_gc_hold() - keep garbage from being collected for long
 * @store: The store. Waits for a collection or a check that runs.
 *
 * A put that would wait until what its user deleted is off the disk goes on
 * without, and so does one that waits already.
 *
 * Context: Any thread; vdfs_gc_release() in the same one ends it.
 */
void vdfs_gc_hold(struct vdfs_store *store)
{
	vdfs_sweep_hold(&store->sweep, 1);
	vdfs_gc_stop(store);
}

/**
 * vdfs_gc_release() - end a vdfs_gc_hold()
 * @store: The store.
 *
 * Context: The thread that called vdfs_gc_hold().
 */
void vdfs_gc_release(struct vdfs_store *store)
{
	vdfs_gc_allow(store);
	vdfs_sweep_hold(&store->sweep, -1);
}

/**
 * vdfs_store_mended() - count the mends of a store
 * @store: The store.
 *
 * Context: Any thread.
 * Return: How often a put took the place of what was damaged.
 */
unsigned long vdfs_store_mended(struct vdfs_store *store)
{
	return atomic_load(&store->mended);
}

/**
 * vdfs_gc() - collect garbage
 * @store: The store.
 * @progress: To tell how far it is, and to stop it; NULL = nobody.
 * @arg: Its argument.
 * @out: Counts of objects and bytes that went; NULL when nobody asks.
 *
 * Context: Any thread, beside everything else; a second one waits.
 * Return: 0, -ECANCELED, or another negative errno. The objects that went by
 * then stay gone.
 */
int vdfs_gc(struct vdfs_store *store, vdfs_store_progress *progress, void *arg,
	    struct vdfs_gc_result *out)
{
	struct vdfs_gc gc = { .store = store,
			      .progress = progress,
			      .arg = arg };
	int err = vdfs_store_writable(store);

	if (err)
		return err;
	pthread_mutex_lock(&store->gc);
	vdfs_litter_sweep(&store->charges);
	err = vdfs_meta_read(store->meta, count_dead, &gc.total);
	if (!err)
		err = vdfs_gc_run_objects(&gc);
	/* These are off the disk. A segment that fails is nobody's charge. */
	if (!err)
		vdfs_litter_swept(&store->charges);
	if (!err)
		err = vdfs_gc_run_packs(&gc);
	if (!err || err == -ENOSPC)
		err = vdfs_gc_run_files(&gc) ?: err;
	vdfs_meta_reserve(store->meta);
	pthread_mutex_unlock(&store->gc);
	if (out)
		*out = gc.result;
	return err;
}
