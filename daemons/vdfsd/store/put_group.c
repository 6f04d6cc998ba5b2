// SPDX-License-Identifier: GPL-2.0-only
/* Pieces of a large blob, synced and committed some hundred at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "put_impl.h"

/* Parts of a window: none but the last is shorter than this. */
#define WINDOW_PARTS ((VDFS_WINDOW + VDFS_CHUNK_MAX) / (16 << 10) + 1)

/**
 * vdfs_group_prepare() - have room for parts
 * @put: The put, large.
 *
 * Context: The put's thread.
 * Return: 0 or -ENOMEM.
 */
int vdfs_group_prepare(struct vdfs_put *put)
{
	struct vdfs_group *g = &put->stream->group[put->stream->filling];

	if (!g->parts)
		g->parts = malloc(VDFS_PARTS * sizeof(*g->parts));
	if (!g->slot)
		g->slot = calloc(VDFS_PART_SLOTS, sizeof(*g->slot));
	return g->parts && g->slot ? 0 : -ENOMEM;
}

/**
 * vdfs_group_full() - whether another window's parts may not fit
 * @put: The put, large.
 *
 * Context: The put's thread.
 * Return: Whether that is so.
 */
bool vdfs_group_full(const struct vdfs_put *put)
{
	const struct vdfs_stream *s = put->stream;

	return s->group[s->filling].n_parts + WINDOW_PARTS > VDFS_PARTS;
}

/**
 * vdfs_group_sync() - make the parts of a group durable
 * @group: The group, written.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_group_sync(struct vdfs_group *group)
{
	struct vdfs_segment *synced = NULL;
	unsigned int i;
	int err = 0;

	for (i = group->n_parts; !err && i--;) {
		struct vdfs_segment *seg = group->parts[i].record.segment;

		if (!seg || seg == synced)
			continue;
		err = vdfs_segment_sync(group->put->store, seg);
		synced = seg;
	}
	return err;
}

static void set_list(struct vdfs_put *put, int64_t list)
{
	pthread_mutex_lock(&put->store->lock);
	put->list = list;
	pthread_mutex_unlock(&put->store->lock);
}

static int make_list(struct sqlite3 *db, struct vdfs_put *put)
{
	struct vdfs_object list = { .kind = VDFS_LIST, .user = put->user };
	int64_t id;
	int err;

	err = vdfs_object_insert(db, &list, &id);
	/* Before anyone can see it: gc asks whether it is in use. */
	if (!err)
		set_list(put, id);
	return err;
}

static int add_part(struct sqlite3 *db, struct vdfs_put *put,
		    struct vdfs_part *part)
{
	struct vdfs_object object = { .hash = part->hash,
				      .user = put->user,
				      .size = part->len,
				      .kind = VDFS_RECORD,
				      .parts = 1 };
	struct vdfs_object there = { 0 }, away = { 0 };
	int64_t id = part->there.id;
	int err = 0;

	if (!id) {
		err = vdfs_object_find(db, put->user, &part->hash, &there);
		id = err ? 0 : there.id;
		if (!err && (there.kind == VDFS_AWAY ||
			     (part->damaged && there.kind != VDFS_RECORD))) {
			away = there;
			err = vdfs_object_vacate(db, &away) ?: -ENOENT;
		} else if (!err && part->damaged) {
			part->kept = true;
			err = vdfs_object_mend(db, put->store, &there,
					       part->len, &part->record);
		}
	}
	if (err == -ENOENT && part->record.segment) {
		object.segment = part->record.segment->number;
		object.place = part->record.place;
		object.stored = part->record.stored;
		part->kept = true;
		err = vdfs_object_insert(db, &object, &id);
		object.id = id;
		if (!err && away.id)
			err = vdfs_object_adopt(db, &away, &object);
	} else if (!err) {
		err = vdfs_sql_run(db,
				   "UPDATE object SET parts = parts + 1\n"
				   "WHERE id = ?",
				   VDFS_INT(id));
	}
	if (err)
		return err;
	return vdfs_sql_run(db, "INSERT INTO part VALUES(?, ?, ?)",
			    VDFS_INT(put->list), VDFS_INT(part->start),
			    VDFS_INT(id));
}

/**
 * vdfs_group_add() - add parts to the list of their put
 * @db: A connection inside a transaction.
 * @group: The parts, durable.
 *
 * Context: Inside a vdfs_meta_fn that writes, behind vdfs_group_reset().
 * Return: 0 or a negative errno.
 */
int vdfs_group_add(struct sqlite3 *db, struct vdfs_group *group)
{
	struct vdfs_put *put = group->put;
	unsigned int i;
	int err = 0;

	if (!put->list)
		err = make_list(db, put);
	for (i = 0; !err && i < group->n_parts; i++)
		err = add_part(db, put, &group->parts[i]);
	return err;
}

/**
 * vdfs_group_same() - whether a list is of the parts of a group
 * @db: A connection inside a transaction.
 * @group: All parts of a put.
 * @list: Row of the list.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 1; 0 when it is not, or that is not known; or a negative errno.
 */
int vdfs_group_same(struct sqlite3 *db, const struct vdfs_group *group,
		    int64_t list)
{
	const struct vdfs_part *part = group->parts;
	unsigned int i;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT start, object FROM part WHERE list = ?\n"
		       "ORDER BY start",
		       VDFS_INT(list));
	for (i = 0; !err && i < group->n_parts; i++, part++) {
		err = vdfs_sql_next(st);
		if (err <= 0)
			break;
		err = 0;
		/* Of one that is damaged or new this is 0. */
		if ((uint64_t)sqlite3_column_int64(st, 0) != part->start ||
		    sqlite3_column_int64(st, 1) != part->there.id)
			break;
	}
	if (!err && i == group->n_parts) {
		err = vdfs_sql_next(st);
		if (!err)
			return 1;
	}
	sqlite3_reset(st);
	return err < 0 ? err : 0;
}

/**
 * vdfs_group_reset() - go back to before a transaction
 * @group: Group that vdfs_group_add() was called for, or may have been.
 * @list: Row of the list of its put before, or 0.
 * @kept: Whether its records are to be left alone.
 *
 * Context: The thread that commits the group.
 */
void vdfs_group_reset(struct vdfs_group *group, int64_t list, bool kept)
{
	unsigned int i;

	set_list(group->put, list);
	for (i = 0; i < group->n_parts; i++)
		group->parts[i].kept = kept;
}

/**
 * vdfs_group_forget() - be done with the parts of a group
 * @group: The group; records that are not kept are given back.
 *
 * Context: The thread that has the group.
 */
void vdfs_group_forget(struct vdfs_group *group)
{
	struct vdfs_store *store = group->put->store;
	unsigned int i;

	for (i = group->n_parts; i--;) {
		vdfs_record_end(store, &group->parts[i].record,
				group->parts[i].kept);
		if (group->parts[i].pinned)
			vdfs_unpin(store, &group->parts[i].hash);
	}
	group->n_parts = 0;
	if (group->slot)
		memset(group->slot, 0, VDFS_PART_SLOTS * sizeof(*group->slot));
}

/**
 * struct flush - a group that is committed before its put ends
 * @group: The group.
 * @list: Row of the list before.
 */
struct flush {
	struct vdfs_group *group;
	int64_t list;
};

static int flush(struct sqlite3 *db, void *arg)
{
	struct flush *f = arg;

	vdfs_group_reset(f->group, f->list, false);
	return vdfs_group_add(db, f->group);
}

static void commit_group(struct vdfs_group *group)
{
	struct flush f = { .group = group, .list = group->put->list };
	int err;

	err = vdfs_group_sync(group);
	if (!err)
		err = vdfs_meta_write(group->put->store->meta, flush, &f);
	if (err)
		vdfs_group_reset(group, f.list, err == -EIO);
	vdfs_group_forget(group);
	group->err = err;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		; /* a signal */
}

static void *committer(void *arg)
{
	struct vdfs_committer *c = arg;

	for (;;) {
		wait_for(&c->go);
		if (!c->group)
			return NULL;
		commit_group(c->group);
		sem_post(&c->done);
	}
}

static bool start_committer(struct vdfs_committer *c)
{
	if (c->started)
		return true;
	sem_init(&c->go, 0, 0);
	sem_init(&c->done, 0, 0);
	c->started = !pthread_create(&c->thread, NULL, committer, c);
	if (!c->started) {
		sem_destroy(&c->done);
		sem_destroy(&c->go);
	}
	return c->started;
}

/**
 * vdfs_group_start() - begin to commit a group, and go on with the other
 * @put: The put, all of whose parts are written.
 *
 * Context: The put's thread. Waits for the group before.
 * Return: 0 or a negative errno.
 */
int vdfs_group_start(struct vdfs_put *put)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_group *g = &s->group[s->filling];
	int err;

	err = vdfs_group_wait(put);
	if (err)
		return err;
	s->filling ^= 1;
	if (!start_committer(&s->committer)) {
		commit_group(g);
		return g->err;
	}
	s->committer.group = g;
	s->committer.busy = true;
	sem_post(&s->committer.go);
	return 0;
}

/**
 * vdfs_group_wait() - wait until no group is being committed
 * @put: The put, large.
 *
 * Context: The put's thread. Waits for the disk.
 * Return: 0, or a negative errno when one could not be committed.
 */
int vdfs_group_wait(struct vdfs_put *put)
{
	struct vdfs_committer *c = &put->stream->committer;

	if (c->busy)
		wait_for(&c->done);
	c->busy = false;
	return put->stream->group[!put->stream->filling].err;
}

/**
 * vdfs_group_stop() - end the thread that commits
 * @put: The put, large.
 *
 * Context: The put's thread. Waits for the disk.
 */
void vdfs_group_stop(struct vdfs_put *put)
{
	struct vdfs_committer *c = &put->stream->committer;

	vdfs_group_wait(put);
	if (!c->started)
		return;
	c->group = NULL;
	sem_post(&c->go);
	pthread_join(c->thread, NULL);
	sem_destroy(&c->done);
	sem_destroy(&c->go);
	c->started = false;
}
