// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading blobs. One that is open is pinned, and so are the parts of a list,
 * by the list: nothing that is read here can be collected. It can be moved:
 * then what the database says is read once more.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blob_impl.h"
#include "hole.h"

#define PARTS 64 /* of a list, looked up at once */
#define HALF ((size_t)256 << 10) /* so long that two threads read it */
#define MOVES 16 /* of an object while it is being read */

/**
 * struct find - a search for a blob
 * @store: The store.
 * @who: For whom.
 * @hash: Its hash.
 * @object: Out; in, its row if @who is NULL.
 */
struct find {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const struct vdfs_hash *hash;
	struct vdfs_object object;
};

static int find_visible(struct sqlite3 *db, void *arg)
{
	struct find *f = arg;
	int err;

	if (f->who)
		return vdfs_blob_find(db, f->store, f->who, f->hash,
				      &f->object);
	err = vdfs_object_load(db, f->object.id, &f->object);
	if (!err &&
	    (!f->object.users || !vdfs_hash_equal(&f->object.hash, f->hash)))
		err = -ENOENT;
	return err;
}

/* Open what is found. */
static int open_found(struct find *f, struct vdfs_blob **out,
		      struct vdfs_object *away)
{
	struct vdfs_blob *blob = calloc(1, sizeof(*blob));
	const struct vdfs_hash *hash = f->hash;
	struct vdfs_store *store = f->store;
	int ret;

	if (!blob)
		return -ENOMEM;
	blob->fd = -1;
	blob->store = store;
	ret = vdfs_pin(store, hash);
	if (ret)
		goto free_blob;
	ret = vdfs_meta_read(store->meta, find_visible, f);
	if (!ret && f->object.kind == VDFS_AWAY) {
		*away = f->object;
		ret = VDFS_BLOB_AWAY;
	}
	if (ret)
		goto unpin;
	blob->object = f->object;
	if (blob->object.kind == VDFS_FILE) {
		blob->fd = vdfs_file_open(store, &blob->object);
		ret = blob->fd < 0 ? blob->fd : 0;
	}
	if (ret)
		goto unpin;
	pthread_mutex_init(&blob->lock, NULL);
	*out = blob;
	return 0;
unpin:
	vdfs_unpin(store, hash);
free_blob:
	free(blob);
	return ret;
}

/**
 * vdfs_blob_open_here() - open a blob whose bytes are here
 * @store: The store.
 * @who: The user.
 * @hash: Of the blob.
 * @out: The blob; vdfs_blob_close() it.
 * @away: Out, the object that the remote has, for VDFS_BLOB_AWAY.
 *
 * Context: Any thread.
 * Return: 0, VDFS_BLOB_AWAY, -ENOENT, or another negative errno.
 */
int vdfs_blob_open_here(struct vdfs_store *store, const struct vdfs_who *who,
			const struct vdfs_hash *hash, struct vdfs_blob **out,
			struct vdfs_object *away)
{
	struct find f = { .store = store, .who = who, .hash = hash };

	return open_found(&f, out, away);
}

/**
 * vdfs_blob_open_row() - open the blob of a row
 * @store: The store.
 * @object: Its row and hash.
 * @out: The blob; vdfs_blob_close() it.
 *
 * Context: Any thread.
 * Return: 0, VDFS_BLOB_AWAY, -ENOENT, or another negative errno.
 */
int vdfs_blob_open_row(struct vdfs_store *store,
		       const struct vdfs_object *object, struct vdfs_blob **out)
{
	struct find f = { .store = store,
			  .hash = &object->hash,
			  .object = *object };
	struct vdfs_object away;

	return open_found(&f, out, &away);
}

/**
 * vdfs_blob_close() - close a blob
 * @blob: NULL is nothing to do.
 *
 * Context: After its last user.
 */
void vdfs_blob_close(struct vdfs_blob *blob)
{
	if (!blob)
		return;
	if (blob->fd >= 0)
		close(blob->fd);
	vdfs_unpin(blob->store, &blob->object.hash);
	pthread_mutex_destroy(&blob->lock);
	free(blob->sums);
	free(blob->buf);
	free(blob);
}

/**
 * vdfs_blob_size() - length of a blob
 * @blob: The blob.
 *
 * Context: Any thread.
 * Return: Bytes.
 */
uint64_t vdfs_blob_size(const struct vdfs_blob *blob)
{
	return blob->object.size;
}

/**
 * vdfs_blob_user() - whose content a blob is
 * @blob: The blob.
 *
 * Context: Any thread.
 * Return: A user, or VDFS_COMMON.
 */
int64_t vdfs_blob_user(const struct vdfs_blob *blob)
{
	return blob->object.user;
}

/**
 * vdfs_blob_hash() - name of a blob
 * @blob: The blob.
 *
 * Context: Any thread.
 * Return: Its hash, as long as the blob is open.
 */
const struct vdfs_hash *vdfs_blob_hash(const struct vdfs_blob *blob)
{
	return &blob->object.hash;
}

static int reload(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;

	return vdfs_object_load(db, object->id, object);
}

/* Read a record wherever it is by now, be it moved or mended. */
static int read_object(struct vdfs_store *store, struct vdfs_object *object,
		       void *buf)
{
	struct vdfs_object was = { .place = 0 };
	int moves, err;

	for (moves = 0; moves < MOVES; moves++) {
		if (object->kind != VDFS_RECORD)
			return -EBADMSG;
		err = vdfs_record_read(store, object, buf);
		if (err != -ESTALE && err != -EBADMSG)
			return err;
		was = *object;
		err = vdfs_meta_read(store->meta, reload, object);
		if (err || object->size != was.size)
			return err ?: -EBADMSG;
		/* Not moved: it is damaged, or its segment is lost. */
		if (object->segment == was.segment &&
		    object->place == was.place)
			break;
	}
	return -EBADMSG;
}

/* Copy part of an object that is kept in the blob from the last time. */
static int read_piece(struct vdfs_blob *blob, struct vdfs_object *object,
		      void *buf, size_t len, uint64_t offset)
{
	int err = 0;

	if (vdfs_hole_named(&object->hash, object->size)) {
		memset(buf, 0, len);
		return 0;
	}
	if (!offset && len == object->size)
		return read_object(blob->store, object, buf);
	pthread_mutex_lock(&blob->lock);
	if (!blob->buf)
		blob->buf = malloc(VDFS_LARGE);
	if (!blob->buf || object->size > VDFS_LARGE) {
		err = blob->buf ? -EBADMSG : -ENOMEM;
	} else if (blob->in_buf != object->id) {
		blob->in_buf = 0;
		err = read_object(blob->store, object, blob->buf);
		if (!err)
			blob->in_buf = object->id;
	}
	if (!err)
		memcpy(buf, blob->buf + offset, len);
	pthread_mutex_unlock(&blob->lock);
	return err;
}

/**
 * struct range - the parts of a list that a range is in
 * @list: Row of the list.
 * @start: Where the range begins.
 * @end: Where it ends.
 * @stop: Out, up to where it has these parts.
 * @n: Out, how many parts.
 * @at: Out, where each begins.
 * @from: Out, where what is wanted of each does.
 * @object: Out, what each is.
 */
struct range {
	int64_t list;
	uint64_t start;
	uint64_t end;
	uint64_t stop;
	unsigned int n;
	uint64_t at[PARTS];
	uint64_t from[PARTS];
	struct vdfs_object object[PARTS];
};

static int find_range(struct sqlite3 *db, void *arg)
{
	struct range *r = arg;
	struct sqlite3_stmt *st;
	int err;

	r->n = 0;
	err = vdfs_sql(db, &st,
		       "SELECT " VDFS_OBJECT_COLUMNS ", part.start\n"
		       "FROM part LEFT JOIN object ON object.id = part.object\n"
		       "WHERE list = ?1 AND start >= coalesce((\n"
		       "SELECT max(start) FROM part\n"
		       "WHERE list = ?1 AND start <= ?2), 0) AND start < ?3\n"
		       "ORDER BY start LIMIT ?4",
		       VDFS_INT(r->list), VDFS_INT(r->start), VDFS_INT(r->end),
		       VDFS_INT(PARTS));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		r->at[r->n] = sqlite3_column_int64(st, 9);
		/* Of one that is not there all is 0, and its size the least. */
		err = vdfs_object_row(st, &r->object[r->n]);
		if (++r->n == PARTS)
			break;
	}
	return err;
}

/* Where what is wanted of each part is; they have to meet. */
static int lay_out(struct range *r)
{
	uint64_t at = r->start, left;
	unsigned int i;

	for (i = 0; i < r->n && at < r->end; i++) {
		if (r->at[i] > at || at - r->at[i] >= r->object[i].size)
			return -EBADMSG;
		r->from[i] = at;
		left = r->object[i].size - (at - r->at[i]);
		at += left < r->end - at ? left : r->end - at;
	}
	r->n = i;
	r->stop = at;
	return i ? 0 : -EBADMSG;
}

/**
 * struct reading - parts that are read one after the other
 * @job: That it is.
 * @blob: The blob.
 * @range: The parts of the list that it reads.
 * @first: The first,
 * @end: and behind the last.
 * @buf: Out, where the range goes.
 */
struct reading {
	struct vdfs_job job;
	struct vdfs_blob *blob;
	struct range *range;
	unsigned int first;
	unsigned int end;
	char *buf;
};

static int read_some(struct vdfs_job *job)
{
	struct reading *read = (struct reading *)job;
	struct range *r = read->range;
	unsigned int i;
	int err = 0;

	for (i = read->first; !err && i < read->end; i++) {
		uint64_t end = i + 1 < r->n ? r->from[i + 1] : r->stop;

		err = read_piece(read->blob, &r->object[i],
				 read->buf + (r->from[i] - r->start),
				 end - r->from[i], r->from[i] - r->at[i]);
	}
	return err;
}

/* A thread reads and checks one half of what is long. */
static int read_halves(struct vdfs_blob *blob, struct range *r, char *buf)
{
	struct vdfs_helpers *helpers = &blob->store->helpers;
	struct reading a = { .blob = blob, .range = r, .buf = buf };
	struct reading b = a;
	struct vdfs_jobs jobs;
	int err, b_err;

	while (a.end < r->n && r->from[a.end] < r->start + HALF)
		a.end++;
	while (a.end < r->n &&
	       r->from[a.end] - r->start < r->stop - r->from[a.end])
		a.end++;
	if (a.end == r->n)
		return read_some(&a.job);
	b.first = a.end;
	b.end = r->n;
	b.job.fn = read_some;
	vdfs_jobs_init(&jobs);
	vdfs_job_start(helpers, &jobs, &b.job);
	err = read_some(&a.job);
	b_err = vdfs_job_wait(helpers, &jobs, &b.job);
	vdfs_jobs_fini(helpers, &jobs);
	return err ?: b_err;
}

/* Returns how much of the range it has read, at least one part of it. */
static ssize_t read_parts(struct vdfs_blob *blob, struct range *r, char *buf)
{
	int err;

	err = vdfs_meta_read(blob->store->meta, find_range, r);
	if (!err)
		err = lay_out(r);
	if (!err)
		err = read_halves(blob, r, buf);
	if (err)
		return err == -ENOENT ? -EBADMSG : err;
	return r->stop - r->start;
}

static int read_list(struct vdfs_blob *blob, char *buf, size_t len,
		     uint64_t offset)
{
	struct range *r = malloc(sizeof(*r));
	ssize_t n = 0;
	size_t done;

	if (!r)
		return -ENOMEM;
	r->list = blob->object.id;
	r->end = offset + len;
	for (done = 0; n >= 0 && done < len; done += n) {
		r->start = offset + done;
		n = read_parts(blob, r, buf + done);
		if (n < 0)
			break;
	}
	free(r);
	return n < 0 ? n : 0;
}

/**
 * vdfs_blob_read() - read a part of a blob
 * @blob: The blob.
 * @buf: Out.
 * @len: Bytes wanted.
 * @offset: From here on.
 *
 * Context: Any thread.
 * Return: Bytes read, less than @len only at the end of the blob; -EBADMSG
 * when they are not those that were stored, or another negative errno.
 */
ssize_t vdfs_blob_read(struct vdfs_blob *blob, void *buf, size_t len,
		       uint64_t offset)
{
	struct vdfs_object object = blob->object;
	int err;

	if (offset >= object.size || !len)
		return 0;
	if (len > object.size - offset)
		len = object.size - offset;
	if (len > SSIZE_MAX)
		len = SSIZE_MAX;
	if (object.kind == VDFS_RECORD)
		err = read_piece(blob, &object, buf, len, offset);
	else if (object.kind == VDFS_LIST)
		err = read_list(blob, buf, len, offset);
	else if (object.kind == VDFS_FILE)
		err = vdfs_blob_read_file(blob, buf, len, offset);
	else
		err = -EBADMSG; /* a row that was damaged */
	return err ?: (ssize_t)len;
}

/**
 * vdfs_blob_fd() - the file a blob is in
 * @blob: The blob, put with VDFS_PUT_WHOLE.
 *
 * To be mapped or handed on; whoever reads it checks nothing.
 *
 * Context: Any thread.
 * Return: A file descriptor that the blob keeps, or -EOPNOTSUPP when it is
 * in no file of its own.
 */
int vdfs_blob_fd(const struct vdfs_blob *blob)
{
	return blob->fd >= 0 ? blob->fd : -EOPNOTSUPP;
}
