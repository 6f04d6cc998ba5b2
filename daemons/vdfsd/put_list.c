// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large blobs as lists of pieces, each an object: cut where the content says
 * so, looked up, written when new, and committed in groups, so that a put
 * needs the same memory however large it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

static uint16_t *slot_of(struct vdfs_put *put, const struct vdfs_hash *hash)
{
	uint32_t i;
	uint16_t *slot;

	memcpy(&i, hash->bytes, sizeof(i));
	for (;; i++) {
		slot = &put->slot[i % VDFS_PART_SLOTS];
		if (!*slot ||
		    vdfs_hash_equal(&put->parts[*slot - 1].hash, hash))
			return slot;
	}
}

/* Cut, hash and pin the pieces that are whole. Returns how much they are. */
static ssize_t cut_parts(struct vdfs_put *put, bool last)
{
	uint64_t start = put->size - put->fill;
	size_t done = 0, len;
	struct vdfs_part *part;
	int err;

	while (put->fill - done >= VDFS_CHUNK_MAX ||
	       (last && put->fill > done)) {
		part = &put->parts[put->n_parts];
		memset(part, 0, sizeof(*part));
		len = vdfs_chunk_cut(put->buf + done, put->fill - done);
		err = vdfs_hash_bytes(put->buf + done, len, &part->hash);
		if (!err)
			err = vdfs_pin(put->store, &part->hash);
		if (err)
			return err;
		part->start = start + done;
		part->len = len;
		put->n_parts++;
		done += len;
	}
	return done;
}

/* Which of the new parts are there already? */
struct lookup {
	struct vdfs_put *put;
	unsigned int first;
};

static int find_parts(struct sqlite3 *db, void *arg)
{
	struct lookup *l = arg;
	unsigned int i;
	int err;

	for (i = l->first; i < l->put->n_parts; i++) {
		struct vdfs_part *part = &l->put->parts[i];

		err = vdfs_object_find(db, &part->hash, &part->there);
		if (err && err != -ENOENT)
			return err;
		if (err || part->there.kind == VDFS_AWAY)
			part->there.id = 0;
	}
	return 0;
}

/* Is what is there of a part such that the list may rely on it? */
static int check_part(struct vdfs_store *store, struct vdfs_part *part)
{
	int err;

	if (!part->there.id)
		return 0;
	err = vdfs_put_check(store, part->len, &part->there);
	part->damaged = err == -EBADMSG;
	if (part->damaged || err == -ENOENT) {
		part->there.id = 0;
		err = 0;
	}
	return err;
}

/* The disk may begin with what the sync of the group will wait for. */
static void start_writing(const struct vdfs_record *record)
{
	sync_file_range(record->segment->fd, record->place, record->stored,
			SYNC_FILE_RANGE_WRITE);
}

static int write_parts(struct vdfs_put *put, unsigned int first)
{
	const uint8_t *data = put->buf;
	unsigned int i;
	int err = 0;

	for (i = first; !err && i < put->n_parts; i++) {
		struct vdfs_part *part = &put->parts[i];
		uint16_t *slot = slot_of(put, &part->hash);

		if (!*slot)
			err = check_part(put->store, part);
		else if (put->parts[*slot - 1].damaged)
			part->there.id = 0;
		if (!err && !part->there.id && !*slot) {
			err = vdfs_record_write(put->store, &part->hash, data,
						part->len, &part->record);
			if (!err)
				start_writing(&part->record);
		}
		if (!*slot)
			*slot = i + 1;
		data += part->len;
	}
	return err;
}

/**
 * vdfs_put_list_write() - cut and write what has come
 * @put: The put.
 * @last: Nothing more will come.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_put_list_write(struct vdfs_put *put, bool last)
{
	struct lookup l = { .put = put, .first = put->n_parts };
	ssize_t done;
	int err;

	if (!put->parts)
		put->parts = malloc(VDFS_PARTS * sizeof(*put->parts));
	if (!put->slot)
		put->slot = calloc(VDFS_PART_SLOTS, sizeof(*put->slot));
	if (!put->parts || !put->slot)
		return -ENOMEM;
	done = cut_parts(put, last);
	if (done < 0)
		return done;
	put->written = done;
	err = vdfs_meta_read(put->store->meta, find_parts, &l);
	return err ?: write_parts(put, l.first);
}

/**
 * vdfs_put_list_drained() - commit parts when there is room for few more
 * @put: The put.
 * @last: Nothing more will come.
 *
 * Context: The put's thread. May wait for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_put_list_drained(struct vdfs_put *put, bool last)
{
	/* None but the last is shorter than this. */
	unsigned int more = put->room / (16 << 10) + 1;

	return last || put->n_parts + more > VDFS_PARTS ?
		       vdfs_put_list_flush(put) :
		       0;
}

static int sync_parts(struct vdfs_put *put)
{
	struct vdfs_segment *synced = NULL;
	unsigned int i;
	int err = 0;

	for (i = put->n_parts; !err && i--;) {
		struct vdfs_segment *seg = put->parts[i].record.segment;

		if (!seg || seg == synced)
			continue;
		err = vdfs_segment_sync(put->store, seg);
		synced = seg;
	}
	return err;
}

static int make_list(struct sqlite3 *db, struct vdfs_put *put)
{
	struct vdfs_object list = { .kind = VDFS_LIST };
	int64_t id;
	int err;

	err = vdfs_object_insert(db, &list, &id);
	if (err)
		return err;
	/* Before anyone can see it: gc asks whether it is in use. */
	pthread_mutex_lock(&put->store->lock);
	put->list = id;
	pthread_mutex_unlock(&put->store->lock);
	return 0;
}

static int add_part(struct sqlite3 *db, struct vdfs_put *put,
		    struct vdfs_part *part)
{
	struct vdfs_object object = { .hash = part->hash,
				      .size = part->len,
				      .kind = VDFS_RECORD,
				      .parts = 1 };
	struct vdfs_object there = { 0 }, away = { 0 };
	int64_t id = part->there.id;
	int err = 0;

	part->kept = false;
	if (!id) {
		err = vdfs_object_find(db, &part->hash, &there);
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
 * struct flush - a group of parts that is committed
 * @put: Whose.
 * @list: Its list before.
 */
struct flush {
	struct vdfs_put *put;
	int64_t list;
};

static int add_parts(struct sqlite3 *db, void *arg)
{
	struct flush *f = arg;
	struct vdfs_put *put = f->put;
	unsigned int i;
	int err = 0;

	if (!f->list)
		err = make_list(db, put);
	for (i = 0; !err && i < put->n_parts; i++)
		err = add_part(db, put, &put->parts[i]);
	return err;
}

/**
 * vdfs_put_list_forget() - be done with the parts that are not committed
 * @put: The put.
 *
 * Context: The put's thread.
 */
void vdfs_put_list_forget(struct vdfs_put *put)
{
	unsigned int i;

	for (i = put->n_parts; i--;) {
		vdfs_record_end(put->store, &put->parts[i].record,
				put->parts[i].kept);
		vdfs_unpin(put->store, &put->parts[i].hash);
	}
	put->n_parts = 0;
	if (put->slot)
		memset(put->slot, 0, VDFS_PART_SLOTS * sizeof(*put->slot));
}

/**
 * vdfs_put_list_flush() - commit the parts that are written
 * @put: The put.
 *
 * Context: The put's thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_put_list_flush(struct vdfs_put *put)
{
	struct flush f = { .put = put, .list = put->list };
	unsigned int i;
	int err;

	err = sync_parts(put);
	if (!err)
		err = vdfs_meta_write(put->store->meta, add_parts, &f);
	if (err) {
		pthread_mutex_lock(&put->store->lock);
		put->list = f.list;
		pthread_mutex_unlock(&put->store->lock);
		for (i = 0; i < put->n_parts; i++)
			put->parts[i].kept = err == -EIO;
	}
	vdfs_put_list_forget(put);
	return err;
}
