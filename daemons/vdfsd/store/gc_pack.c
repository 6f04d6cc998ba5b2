// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: those with nothing alive go; the live records of those that are
 * mostly dead are written once more elsewhere and committed there, and then
 * these segments go as well. A reader of a record that moves finds its segment
 * gone, or still has it open: both are correct.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gc_impl.h"

#define BATCH 256 /* records moved in one commit */
#define SMALL ((uint64_t)64 << 10) /* a segment in use is left alone below */

/**
 * struct live - what the database knows in a segment
 * @number: Of the segment.
 * @n: Records.
 * @bytes: Their length.
 */
struct live {
	uint32_t number;
	uint64_t n;
	uint64_t bytes;
};

static int count_live(struct sqlite3 *db, void *arg)
{
	struct live *live = arg;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT count(*), total(stored) FROM object\n"
		       "WHERE segment = ?",
		       VDFS_INT(live->number));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	live->n = sqlite3_column_int64(st, 0);
	live->bytes = sqlite3_column_int64(st, 1);
	return 0;
}

/**
 * struct move - records that leave a segment
 * @number: Of the segment.
 * @after: From behind this place on.
 * @n: How many.
 * @from: Their rows before, shape [n].
 * @to: Where they are now.
 * @moved: A commit says so.
 * @generation: Of the database then.
 */
struct move {
	uint32_t number;
	int64_t after;
	unsigned int n;
	struct vdfs_object from[BATCH];
	struct vdfs_record to[BATCH];
	bool moved[BATCH];
	int64_t generation;
};

static int find_records(struct sqlite3 *db, void *arg)
{
	struct move *m = arg;
	struct sqlite3_stmt *st;
	int64_t id[BATCH];
	unsigned int i, n = 0;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT id FROM object WHERE segment = ? AND place > ?\n"
		       "ORDER BY place LIMIT ?",
		       VDFS_INT(m->number), VDFS_INT(m->after),
		       VDFS_INT(BATCH));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		id[n++] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	for (i = 0; !err && i < n; i++)
		err = vdfs_object_load(db, id[i], &m->from[i]);
	m->n = n;
	return err;
}

static int commit_move(struct sqlite3 *db, void *arg)
{
	struct move *m = arg;
	unsigned int i;
	int err;

	err = vdfs_identity_raise(db, &m->generation);
	for (i = 0; !err && i < m->n; i++) {
		const struct vdfs_object *from = &m->from[i];

		m->moved[i] = false;
		if (!m->to[i].segment)
			continue;
		/* Unless it was dropped meanwhile. */
		err = vdfs_sql_run(
			db,
			"UPDATE object SET segment = ?2, place = ?3\n"
			"WHERE id = ?1 AND segment = ?4\n"
			"AND place = ?5",
			VDFS_INT(from->id), VDFS_INT(m->to[i].segment->number),
			VDFS_INT(m->to[i].place), VDFS_INT(from->segment),
			VDFS_INT(from->place));
		m->moved[i] = !err && sqlite3_changes(db) > 0;
	}
	return err;
}

static int sync_moved(struct vdfs_store *store, const struct move *m)
{
	struct vdfs_segment *synced = NULL;
	unsigned int i;
	int err = 0;

	for (i = m->n; !err && i--;) {
		struct vdfs_segment *seg = m->to[i].segment;

		if (!seg || seg == synced)
			continue;
		err = vdfs_segment_sync(store, seg);
		synced = seg;
	}
	return err;
}

/* Damaged ones stay where they are, for fsck to report. */
static int move_batch(struct vdfs_store *store, struct move *m)
{
	unsigned int i;
	int err = 0;

	memset(m->to, 0, sizeof(m->to));
	memset(m->moved, 0, sizeof(m->moved));
	for (i = 0; !err && i < m->n; i++) {
		err = vdfs_record_copy(store, &m->from[i], &m->to[i]);
		if (err == -EBADMSG)
			err = 0;
	}
	if (!err)
		err = sync_moved(store, m);
	if (!err)
		err = vdfs_meta_write(store->meta, commit_move, m);
	if (!err)
		vdfs_identity_note(store, m->generation);
	for (i = m->n; i--;)
		vdfs_record_end(store, &m->to[i],
				err ? err == -EIO : m->moved[i]);
	return err;
}

static int move_records(struct vdfs_gc *gc, uint32_t number)
{
	struct move *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->number = number;
	do {
		err = vdfs_meta_read(gc->store->meta, find_records, m);
		if (!err && m->n) {
			m->after = m->from[m->n - 1].place;
			err = move_batch(gc->store, m);
		}
		if (!err)
			err = vdfs_gc_step(gc, m->n);
	} while (!err && m->n == BATCH);
	free(m);
	return err;
}

/* Nobody is writing to it any more, and nobody will. */
static bool retire(struct vdfs_store *store, struct vdfs_segment *seg,
		   const struct live *live, uint64_t length)
{
	struct vdfs_packs *packs = &store->packs;
	bool settled;

	pthread_mutex_lock(&packs->lock);
	if (!seg->writing && packs->active == seg &&
	    (length > SMALL || !live->n)) {
		seg->sealed = true;
		packs->active = NULL;
	}
	settled = seg->sealed && !seg->writing;
	pthread_mutex_unlock(&packs->lock);
	return settled;
}

static int check_segment(struct vdfs_gc *gc, struct vdfs_segment *seg)
{
	struct vdfs_store *store = gc->store;
	struct live live = { .number = seg->number };
	uint64_t taken = 0;
	struct stat st;
	int err;

	err = vdfs_meta_read(store->meta, count_live, &live);
	if (!err && !fstat(seg->fd, &st))
		taken = st.st_size;
	if (err || live.bytes >= taken / 2 || !retire(store, seg, &live, taken))
		return err;
	taken -= live.bytes;
	err = move_records(gc, seg->number);
	/* Now that it takes nothing more, this is final. */
	if (!err)
		err = vdfs_meta_read(store->meta, count_live, &live);
	if (err || live.n)
		return err;
	err = vdfs_segment_remove(store, seg);
	if (!err)
		gc->result.bytes += taken;
	return err;
}

/**
 * vdfs_gc_run_packs() - give back segments, and what is dead in them
 * @gc: The collection.
 *
 * Context: With the store's gc lock.
 * Return: 0; -ENOSPC when there was no room to move something; or another
 * negative errno.
 */
int vdfs_gc_run_packs(struct vdfs_gc *gc)
{
	struct vdfs_packs *packs = &gc->store->packs;
	uint32_t last, number = 0;
	struct vdfs_segment *seg;
	int full = 0, err = 0;

	pthread_mutex_lock(&packs->lock);
	last = packs->last;
	pthread_mutex_unlock(&packs->lock);
	while (!err) {
		number = vdfs_packs_next(gc->store, number + 1);
		if (!number || number > last)
			break;
		seg = vdfs_segment_get(gc->store, number);
		if (seg)
			err = check_segment(gc, seg);
		vdfs_segment_put(gc->store, seg);
		/* Those behind it may take no room, and give some. */
		if (err == -ENOSPC) {
			full = err;
			err = 0;
		}
	}
	return err ?: full;
}
