// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storing a blob. A small one is collected, hashed, and written as a record
 * unless it is there already; a large one is written as it comes. Bytes are
 * synced, then one commit makes the blob, its name and its charge visible.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "put_impl.h"

#define ROOM_FIRST ((size_t)8 << 10)

/**
 * vdfs_put_begin() - begin to store a blob
 * @store: The store.
 * @who: For whom.
 * @flags: VDFS_PUT_WHOLE or 0.
 * @out: The put; ended by vdfs_put_commit_fn() or vdfs_put_abort().
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_put_begin(struct vdfs_store *store, const struct vdfs_who *who,
		   uint32_t flags, struct vdfs_put **out)
{
	struct vdfs_put *put;
	int err = vdfs_store_writable(store) ?: vdfs_meta_room(store->meta);

	if (err)
		return err;
	if (flags & ~VDFS_PUT_WHOLE)
		return -EINVAL;
	put = calloc(1, sizeof(*put));
	if (!put)
		return -ENOMEM;
	put->store = store;
	put->who = *who;
	put->payer = who->uid;
	put->user = vdfs_object_user(store, who->uid);
	put->flags = flags;
	err = vdfs_put_charge_begin(put);
	if (err) {
		free(put);
		return err;
	}
	pthread_mutex_lock(&store->lock);
	put->next = store->puts;
	store->puts = put;
	pthread_mutex_unlock(&store->lock);
	*out = put;
	return 0;
}

/**
 * vdfs_put_makes() - whether a list belongs to a put in progress
 * @store: The store.
 * @list: Row of the list.
 *
 * Context: Any thread.
 * Return: Whether it does.
 */
bool vdfs_put_makes(struct vdfs_store *store, int64_t list)
{
	struct vdfs_put *put;

	pthread_mutex_lock(&store->lock);
	for (put = store->puts; put && put->list != list; put = put->next)
		;
	pthread_mutex_unlock(&store->lock);
	return put;
}

/**
 * vdfs_put_store() - the store of a put
 * @put: The put.
 *
 * Context: The put's thread.
 * Return: It.
 */
struct vdfs_store *vdfs_put_store(const struct vdfs_put *put)
{
	return put->store;
}

/**
 * vdfs_put_error() - why a put cannot succeed
 * @put: The put.
 *
 * Context: The put's thread.
 * Return: The negative errno of the write that failed, or 0.
 */
int vdfs_put_error(const struct vdfs_put *put)
{
	return put->err;
}

/**
 * vdfs_put_free_buf() - be done with the bytes of a small put
 * @put: The put.
 *
 * Context: The put's thread.
 */
void vdfs_put_free_buf(struct vdfs_put *put)
{
	if (put->room)
		free(put->buf);
	put->buf = NULL;
	put->room = 0;
}

/* Everything the put has is given up, but not what was committed. */
static void put_free(struct vdfs_put *put)
{
	struct vdfs_put **link;

	vdfs_stream_free(put);
	pthread_mutex_lock(&put->store->lock);
	for (link = &put->store->puts; *link != put;)
		link = &(*link)->next;
	*link = put->next;
	pthread_mutex_unlock(&put->store->lock);
	vdfs_put_free_buf(put);
	vdfs_put_charge_end(put);
	free(put);
}

/**
 * vdfs_put_abort() - give up a put
 * @put: The put; NULL is nothing to do.
 *
 * Context: The put's thread.
 */
void vdfs_put_abort(struct vdfs_put *put)
{
	struct vdfs_store *store;
	bool listed;

	if (!put)
		return;
	store = put->store;
	if (put->stream)
		vdfs_group_wait(put);
	listed = vdfs_put_leave(put);
	put_free(put);
	/* Its pieces are garbage now, and may be what fills the disk. */
	if (listed)
		vdfs_gc_objects(store);
}

static int grow(struct vdfs_put *put, size_t len)
{
	size_t room = put->room ?: ROOM_FIRST;
	bool lent = put->buf && !put->room;
	uint8_t *buf;
	int err;

	while (room < put->size + len)
		room *= 2;
	if (room == put->room)
		return 0;
	err = vdfs_put_charge_memory(put, room);
	if (err)
		return err;
	buf = realloc(lent ? NULL : put->buf, room);
	if (!buf)
		return -ENOMEM;
	if (lent)
		memcpy(buf, put->buf, put->size);
	put->buf = buf;
	put->room = room;
	return 0;
}

static int write_small(struct vdfs_put *put, const void *data, size_t len)
{
	int err = len ? grow(put, len) : 0;

	if (err || !len)
		return err;
	memcpy(put->buf + put->size, data, len);
	put->size += len;
	return 0;
}

/**
 * vdfs_put_write() - give a put its next bytes
 * @put: The put.
 * @data: Bytes.
 * @len: How many.
 *
 * Context: One thread at a time.
 * Return: 0 or a negative errno, after which the put can only be aborted.
 */
int vdfs_put_write(struct vdfs_put *put, const void *data, size_t len)
{
	if (!put->err && len > (uint64_t)INT64_MAX - put->size)
		put->err = -EFBIG;
	if (put->err)
		return put->err;
	if (!vdfs_put_is_large(put, len)) {
		put->err = write_small(put, data, len);
		return put->err;
	}
	if (!put->stream)
		put->err = vdfs_stream_new(put, false);
	if (!put->err)
		put->err = vdfs_stream_write(put, data, len);
	return put->err;
}

/**
 * vdfs_put_is_large() - whether a put with so many more bytes is a large one
 * @put: The put.
 * @len: How many more.
 *
 * Context: The put's thread.
 * Return: Whether vdfs_put_space() is for them.
 */
bool vdfs_put_is_large(const struct vdfs_put *put, size_t len)
{
	return put->stream || put->size + len >= VDFS_LARGE;
}

/**
 * vdfs_put_lend() - give a put all its bytes, and do not copy a small one's
 * @put: The put, without bytes.
 * @data: Bytes, which stay as they are until the put ends.
 * @len: How many.
 *
 * Context: The put's thread.
 * Return: As vdfs_put_write().
 */
int vdfs_put_lend(struct vdfs_put *put, const void *data, size_t len)
{
	if (put->err || put->size || !len || vdfs_put_is_large(put, len))
		return vdfs_put_write(put, data, len);
	/* Read, and copied before anything is added. */
	put->buf = (uint8_t *)data;
	put->size = len;
	return 0;
}

/**
 * struct commit - what the commit of a put has to do
 * @put: The put.
 * @fn: Refers to the blob; NULL = the user keeps it.
 * @arg: Its argument.
 * @hash: Of the blob.
 * @parts: Of a list, those that are not committed.
 * @list: Row of the list before, or 0.
 * @added: These were added to the put's list.
 * @record: Where a small one was written, if it was.
 * @damaged: The object that was there is; this one takes its place.
 * @linked: A whole one has its file.
 * @replaced: It took the place of a damaged one: the file stays in any case.
 * @kept: Out: the record, file or list is now the object's.
 * @generation: Out: at most that of the database then.
 * @pinned: The hash is, for a list, ...
 * @claimed: ... or it is claimed.
 */
struct commit {
	struct vdfs_put *put;
	vdfs_put_fn *fn;
	void *arg;
	struct vdfs_hash hash;
	struct vdfs_group *parts;
	int64_t list;
	bool added;
	struct vdfs_record record;
	bool damaged;
	bool linked;
	bool replaced;
	bool kept;
	int64_t generation;
	bool pinned;
	bool claimed;
};

/* The list of parts becomes the blob. */
static int name_list(struct sqlite3 *db, struct commit *c,
		     struct vdfs_object *object)
{
	int err = c->added ? 0 : vdfs_group_add(db, c->parts);

	if (err)
		return err;
	object->id = c->put->list;
	object->kind = VDFS_LIST;
	err = vdfs_identity_raise(db, &c->generation);
	return err ?: vdfs_object_complete(db, object);
}

static int make_object(struct sqlite3 *db, struct commit *c,
		       struct vdfs_object *object)
{
	struct vdfs_put *put = c->put;
	int err;

	memset(object, 0, sizeof(*object));
	object->hash = c->hash;
	object->user = put->user;
	object->size = put->size;
	object->users = 1;
	object->fresh = true;
	c->kept = true;
	if (c->parts)
		return name_list(db, c, object);
	if (c->linked) {
		object->kind = VDFS_FILE;
	} else if (c->record.segment) {
		object->kind = VDFS_RECORD;
		object->segment = c->record.segment->number;
		object->place = c->record.place;
		object->stored = c->record.stored;
	} else {
		/* It was there, pinned, and cannot have gone. */
		return -EBADMSG;
	}
	err = vdfs_object_insert(db, object, &object->id);
	c->generation = object->id;
	if (!err && c->linked)
		err = vdfs_put_file_sums(db, put, object->id);
	return err;
}

/* One that was away, or is damaged: it is replaced by one that is neither. */
static int replace_object(struct sqlite3 *db, struct commit *c,
			  struct vdfs_object *object)
{
	struct vdfs_object away = *object;
	int err;

	err = vdfs_object_vacate(db, &away);
	if (!err)
		err = make_object(db, c, object);
	return err ?: vdfs_object_adopt(db, &away, object);
}

/* Whether a list that is there is of the parts of the put, or a negative errno. */
static int same_parts(struct sqlite3 *db, struct commit *c, int64_t list)
{
	int ret = 0;

	if (!c->list)
		ret = vdfs_group_same(db, c->parts, list);
	if (ret)
		return ret;
	ret = vdfs_group_add(db, c->parts);
	c->added = true;
	return ret ?: vdfs_put_same_parts(db, list, c->put->list);
}

/*
 * The object that was there when this one was written is damaged. Another put
 * may have replaced it meanwhile.
 */
static int mend_object(struct sqlite3 *db, struct commit *c,
		       struct vdfs_object *object)
{
	struct vdfs_put *put = c->put;
	int same;

	if (c->record.segment && object->kind == VDFS_RECORD) {
		c->kept = true;
		return vdfs_object_mend(db, put->store, object, put->size,
					&c->record);
	}
	if (!c->damaged && object->kind != VDFS_LIST)
		return 0;
	if (!c->damaged && object->size == put->size) {
		same = same_parts(db, c, object->id);
		if (same)
			return same < 0 ? same : 0;
	}
	atomic_fetch_add(&put->store->mended, 1);
	return replace_object(db, c, object);
}

/* The bytes staged for the put and those charged now are the same ones. */
static int refer(struct sqlite3 *db, struct commit *c,
		 const struct vdfs_object *object)
{
	struct vdfs_put *put = c->put;
	struct vdfs_store *store = put->store;
	int err;

	store->own_uid = put->payer;
	store->own_staged = put->staged + put->covered;
	if (c->fn)
		err = c->fn(db, store, &put->who, object, c->arg);
	else
		err = vdfs_ref_keep(db, store, put->who.uid, object);
	store->own_staged = 0;
	return err;
}

static int commit(struct sqlite3 *db, void *arg)
{
	struct commit *c = arg;
	struct vdfs_put *put = c->put;
	struct vdfs_object object;
	int err;

	c->kept = false;
	c->added = false;
	c->generation = 0;
	if (c->parts)
		vdfs_group_reset(c->parts, c->list, false);
	err = vdfs_object_find(db, put->user, &c->hash, &object);
	if (!err && object.kind == VDFS_AWAY)
		err = replace_object(db, c, &object);
	else if (!err && (c->damaged || c->parts))
		err = mend_object(db, c, &object);
	else if (err == -ENOENT && !put->fills)
		err = make_object(db, c, &object);
	return err || put->fills ? err : refer(db, c, &object);
}

/*
 * Whether the bytes stay. When the disk failed, nobody knows what a crash
 * would leave of the commit: they may be referred to. Nor does anyone after
 * that, of an earlier one with the same bytes.
 */
static bool stays(const struct commit *c, int err)
{
	return err ? err == -EIO || err == -EROFS : c->kept;
}

static int commit_small(struct commit *c)
{
	struct vdfs_put *put = c->put;
	struct vdfs_store *store = put->store;
	struct vdfs_object there;
	int err;

	err = vdfs_pin(store, &c->hash);
	if (err)
		return err;
	err = vdfs_put_relies(put, &c->hash, &there);
	c->damaged = err == -EBADMSG;
	if (err == -ENOENT || c->damaged) {
		err = vdfs_record_write(store, &c->hash, put->buf, put->size,
					&c->record);
		if (!err)
			err = vdfs_segment_sync(store, c->record.segment);
	}
	if (!err)
		err = vdfs_meta_write(store->meta, commit, c);
	vdfs_record_end(store, &c->record, stays(c, err));
	vdfs_unpin(store, &c->hash);
	return err;
}

/*
 * Look at the object of that hash, and keep it. A file could be taking the
 * place of a damaged one just now, so that takes a claim.
 */
static int hold(struct commit *c, struct vdfs_object *there)
{
	struct vdfs_store *store = c->put->store;
	int64_t user = c->put->user;
	int err;

	err = vdfs_pin(store, &c->hash);
	if (err)
		return err;
	err = vdfs_object_lookup(store, user, &c->hash, there);
	if (err || there->kind != VDFS_FILE) {
		c->pinned = true;
		return err;
	}
	vdfs_unpin(store, &c->hash);
	err = vdfs_claim(store, &c->hash);
	if (err)
		return err;
	c->claimed = true;
	return vdfs_object_lookup(store, user, &c->hash, there);
}

static void let_go(struct commit *c)
{
	if (c->pinned)
		vdfs_unpin(c->put->store, &c->hash);
	if (c->claimed)
		vdfs_unclaim(c->put->store, &c->hash);
}

/* The last of its parts become durable and visible with it. */
static int commit_list(struct commit *c)
{
	struct vdfs_store *store = c->put->store;
	struct vdfs_stream *s = c->put->stream;
	struct vdfs_object there;
	int err;

	c->parts = &s->group[s->filling];
	c->list = c->put->list;
	err = hold(c, &there);
	/* The parts of a list that is there were looked at one by one. */
	if (!err && there.kind != VDFS_LIST)
		err = vdfs_put_check(store, c->put->size, &there);
	c->damaged = err == -EBADMSG;
	if (!err || err == -ENOENT || c->damaged)
		err = vdfs_group_sync(c->parts);
	if (!err)
		err = vdfs_meta_write(store->meta, commit, c);
	if (err)
		vdfs_group_reset(c->parts, c->list, stays(c, err));
	let_go(c);
	return err;
}

/* Under a claim: of two who link a file, one would undo the other's. */
static int commit_file(struct commit *c)
{
	struct vdfs_store *store = c->put->store;
	struct vdfs_object there,
		own = { .hash = c->hash, .user = c->put->user };
	int err;

	err = vdfs_claim(store, &c->hash);
	if (err)
		return err;
	err = vdfs_put_relies(c->put, &c->hash, &there);
	c->damaged = err == -EBADMSG;
	if (err == -ENOENT || c->damaged) {
		c->replaced = c->damaged && there.kind == VDFS_FILE;
		err = vdfs_file_link(store, c->put->stream->fd, &own);
		c->linked = !err;
	}
	if (!err)
		err = vdfs_meta_write(store->meta, commit, c);
	if (c->linked && !c->replaced && !stays(c, err))
		vdfs_file_unlink(store, &own);
	vdfs_unclaim(store, &c->hash);
	return err;
}

static int finish(struct commit *c, const struct vdfs_hash *expect)
{
	struct vdfs_put *put = c->put;
	int err = put->err;

	if (!err)
		err = vdfs_store_writable(put->store);
	if (!err && put->stream)
		err = vdfs_stream_end(put, &c->hash);
	else if (!err)
		err = vdfs_hash_bytes(put->buf, put->size, &c->hash);
	if (!err && expect && !vdfs_hash_equal(expect, &c->hash))
		err = -EBADMSG;
	if (err)
		return err;
	if (!put->stream)
		return commit_small(c);
	return put->flags & VDFS_PUT_WHOLE ? commit_file(c) : commit_list(c);
}

static int end(struct commit *c, const struct vdfs_hash *expect)
{
	int err = finish(c, expect);

	if (!err && c->generation)
		vdfs_identity_note(c->put->store, c->generation);
	if (!err && c->kept)
		put_free(c->put);
	else
		vdfs_put_abort(c->put);
	return err;
}

/**
 * vdfs_put_commit_fn() - store the blob, durably
 * @put: The put, which ends, whatever happens.
 * @expect: The hash it must have; NULL = any.
 * @fn: Refers to the blob; NULL = the user keeps it.
 * @arg: Argument of @fn.
 * @out: Its hash; NULL when nobody asks.
 *
 * Context: The put's thread. Waits for the disk.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_put_commit_fn(struct vdfs_put *put, const struct vdfs_hash *expect,
		       vdfs_put_fn *fn, void *arg, struct vdfs_hash *out)
{
	struct commit c = { .put = put, .fn = fn, .arg = arg };
	int err = end(&c, expect);

	if (!err && out)
		*out = c.hash;
	return err;
}
