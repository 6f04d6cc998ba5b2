// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large blobs as lists of pieces, each an object: cut where the content says
 * so, looked up, and written when new, some side by side.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "hole.h"
#include "put_impl.h"

#define TOGETHER ((size_t)512 << 10) /* looked up and written at once */
#define TOGETHER_MAX 64 /* none but the last is shorter than 16 KiB */

static int hash_piece(struct vdfs_job *job)
{
	struct vdfs_hashing *h = (struct vdfs_hashing *)job;

	if (!vdfs_hole_is(h->data, h->len))
		return vdfs_hash_job(job);
	*h->out = vdfs_hole()->hash;
	return 0;
}

static int hash_hole(struct vdfs_job *job)
{
	*((struct vdfs_hashing *)job)->out = vdfs_hole()->hash;
	return 0;
}

/* Whether the next piece is one of zeros: nobody has to look. */
static bool is_hole(const struct vdfs_window *w)
{
	const struct vdfs_hole *hole = vdfs_hole();

	return hole && w->start >= w->hole &&
	       w->start + hole->len <= w->hole_end;
}

/**
 * vdfs_list_cut() - cut what has come, and begin to hash its pieces
 * @put: The put, with room in its group.
 * @w: Its window.
 * @last: Nothing more will come.
 *
 * Context: The put's thread.
 */
void vdfs_list_cut(struct vdfs_put *put, struct vdfs_window *w, bool last)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_group *g = &s->group[s->filling];
	struct vdfs_part *part;
	size_t left;
	bool hole;

	w->part = g->n_parts;
	while ((left = w->end - w->start) >= VDFS_CHUNK_MAX || (last && left)) {
		part = &g->parts[g->n_parts++];
		memset(part, 0, sizeof(*part));
		part->data = w->mem + w->start;
		hole = is_hole(w);
		part->len = hole ? vdfs_hole()->len :
				   vdfs_chunk_cut(part->data, left);
		part->start = s->cut;
		part->hashing.data = part->data;
		part->hashing.len = part->len;
		part->hashing.out = &part->hash;
		part->hashing.job.fn = hole ? hash_hole : hash_piece;
		vdfs_job_start(&put->store->helpers, &s->queue,
			       &part->hashing.job);
		w->start += part->len;
		s->cut += part->len;
	}
	w->parts = g->n_parts - w->part;
}

static uint16_t *slot_of(struct vdfs_group *g, const struct vdfs_hash *hash)
{
	uint32_t i;
	uint16_t *slot;

	memcpy(&i, hash->bytes, sizeof(i));
	for (;; i++) {
		slot = &g->slot[i % VDFS_PART_SLOTS];
		if (!*slot || vdfs_hash_equal(&g->parts[*slot - 1].hash, hash))
			return slot;
	}
}

/**
 * struct batch - parts that are looked up and written at once
 * @put: The put.
 * @group: Theirs.
 * @first: The first of them,
 * @end: and behind the last.
 */
struct batch {
	struct vdfs_put *put;
	struct vdfs_group *group;
	unsigned int first;
	unsigned int end;
};

/* Pin as many as make a batch, as soon as they are hashed. */
static int pin_parts(struct batch *b, unsigned int end)
{
	struct vdfs_store *store = b->put->store;
	size_t bytes = 0;
	int err = 0;

	for (b->end = b->first; b->end < end && bytes < TOGETHER; b->end++) {
		struct vdfs_part *part = &b->group->parts[b->end];

		err = vdfs_job_wait(&store->helpers, &b->put->stream->queue,
				    &part->hashing.job);
		if (!err)
			err = vdfs_pin(store, &part->hash);
		if (err)
			return err;
		part->pinned = true;
		bytes += part->len;
	}
	return 0;
}

/* Which of the parts are there already? */
static int find_parts(struct sqlite3 *db, void *arg)
{
	struct batch *b = arg;
	unsigned int i;
	int err;

	for (i = b->first; i < b->end; i++) {
		struct vdfs_part *part = &b->group->parts[i];

		err = vdfs_object_find(db, b->put->user, &part->hash,
				       &part->there);
		if (err && err != -ENOENT)
			return err;
		if (err || part->there.kind == VDFS_AWAY)
			part->there.id = 0;
	}
	return 0;
}

/* Is the object of a part such that the list may rely on it? */
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

static int write_parts(struct batch *b)
{
	struct vdfs_writing w[TOGETHER_MAX];
	unsigned int i, n = 0;
	int err;

	for (i = b->first; i < b->end; i++) {
		struct vdfs_part *part = &b->group->parts[i];
		uint16_t *slot = slot_of(b->group, &part->hash);

		if (*slot) {
			if (b->group->parts[*slot - 1].damaged)
				part->there.id = 0;
			continue;
		}
		*slot = i + 1;
		err = check_part(b->put->store, part);
		if (err)
			return err;
		if (part->there.id)
			continue;
		w[n].hash = &part->hash;
		w[n].data = part->data;
		w[n].len = part->len;
		w[n++].out = &part->record;
	}
	return vdfs_records_write(b->put->store, w, n);
}

static void start_writing(const struct vdfs_segment *seg, uint64_t start,
			  uint64_t end)
{
	if (seg)
		sync_file_range(seg->fd, start, end - start,
				SYNC_FILE_RANGE_WRITE);
}

/* The disk may begin with what the sync of the group will wait for. */
static void written(const struct vdfs_part *part, unsigned int n)
{
	const struct vdfs_segment *seg = NULL;
	uint64_t start = 0, end = 0;

	for (; n--; part++) {
		const struct vdfs_record *r = &part->record;

		if (r->segment && r->segment != seg) {
			start_writing(seg, start, end);
			seg = r->segment;
			start = r->place;
		}
		if (r->segment)
			end = r->place + r->stored;
	}
	start_writing(seg, start, end);
}

/**
 * vdfs_list_write() - write those pieces that are new
 * @put: The put.
 * @w: Its window, cut.
 * @last: They are synced next.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_list_write(struct vdfs_put *put, struct vdfs_window *w, bool last)
{
	unsigned int end = w->part + w->parts;
	struct batch b = {
		.put = put,
		.group = &put->stream->group[put->stream->filling],
		.first = w->part,
	};
	int err = 0;

	for (; !err && b.first < end; b.first = b.end) {
		err = pin_parts(&b, end);
		if (!err)
			err = vdfs_meta_read(put->store->meta, find_parts, &b);
		if (!err)
			err = write_parts(&b);
	}
	if (!err && !last)
		written(b.group->parts + w->part, w->parts);
	return err;
}
