// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that a put finds in the store. It looks among those of its user alone,
 * unless users share contents: so it stores a content that another user has by
 * the same steps as a content that nobody has.
 *
 * A commit promises that the bytes are on the disk, so the put reads and checks
 * an object before it relies on it. In place of a damaged object the put writes
 * its own bytes, and all that refers to the object gets these.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "blob_impl.h"
#include "put_impl.h"

#define MOVES 16 /* of a record while it is being read */

/* Read a blob as whoever opens it would, pinned or not. */
static int read_blob(struct vdfs_blob *blob)
{
	char *buf = malloc(VDFS_LARGE);
	uint64_t at = 0;
	ssize_t n = 1;

	if (!buf)
		return -ENOMEM;
	while (n > 0 && at < blob->object.size) {
		n = vdfs_blob_read(blob, buf, VDFS_LARGE, at);
		at += n > 0 ? n : 0;
	}
	free(buf);
	if (n < 0)
		return n;
	return at == blob->object.size ? 0 : -EBADMSG;
}

/* A blob in a file, or in pieces. */
static int check_large(struct vdfs_store *store,
		       const struct vdfs_object *object)
{
	struct vdfs_blob blob = { .store = store, .object = *object, .fd = -1 };
	int err = 0;

	if (object->kind == VDFS_FILE) {
		err = vdfs_file_settle(store, object);
		if (err)
			return err;
		blob.fd = vdfs_file_open(store, object);
		err = blob.fd < 0 ? blob.fd : 0;
	}
	if (err)
		return err;
	pthread_mutex_init(&blob.lock, NULL);
	err = read_blob(&blob);
	pthread_mutex_destroy(&blob.lock);
	if (blob.fd >= 0)
		close(blob.fd);
	free(blob.sums);
	free(blob.buf);
	return err;
}

/**
 * vdfs_put_check() - read what a put would rely on
 * @store: The store.
 * @size: Length of what is being put.
 * @there: The object, as its row describes it; it is pinned, or claimed where
 *         it is a file. Out, its row after a move.
 *
 * Context: Any thread, outside of transactions.
 * Return: 0; -EBADMSG when it is damaged, or cannot be read; -ENOENT, or
 * another negative errno.
 */
int vdfs_put_check(struct vdfs_store *store, uint64_t size,
		   struct vdfs_object *there)
{
	struct vdfs_hash hash = there->hash;
	int64_t user = there->user;
	int moves, err = -ESTALE;

	for (moves = 0; err == -ESTALE && moves < MOVES; moves++) {
		if (moves)
			err = vdfs_object_lookup(store, user, &hash, there);
		else
			err = 0;
		if (err)
			break;
		if (there->size != size)
			err = -EBADMSG;
		else if (there->kind == VDFS_RECORD)
			err = vdfs_record_check(store, there);
		else
			err = check_large(store, there);
	}
	return err == -ESTALE || err == -EIO ? -EBADMSG : err;
}

/**
 * vdfs_put_relies() - find what a put would rely on, and read it
 * @put: The put.
 * @hash: Of it, pinned, or claimed where it may be a file.
 * @there: Out, what the database says of it.
 *
 * Context: Any thread, outside of transactions.
 * Return: 0; -ENOENT; -EBADMSG when it is damaged; or another negative errno.
 */
int vdfs_put_relies(struct vdfs_put *put, const struct vdfs_hash *hash,
		    struct vdfs_object *there)
{
	int err = vdfs_object_lookup(put->store, put->user, hash, there);

	return err ?: vdfs_put_check(put->store, put->size, there);
}

/**
 * vdfs_put_same_parts() - whether two lists are of the same parts
 * @db: A connection inside a transaction.
 * @a: Row of one list.
 * @b: Row of the other.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 1, 0, or a negative errno.
 */
int vdfs_put_same_parts(struct sqlite3 *db, int64_t a, int64_t b)
{
	struct sqlite3_stmt *st;
	int err, same;

	err = vdfs_sql(db, &st,
		       "SELECT NOT EXISTS(\n"
		       "SELECT start, object FROM part WHERE list = ?1 EXCEPT\n"
		       "SELECT start, object FROM part WHERE list = ?2)\n"
		       "AND NOT EXISTS(\n"
		       "SELECT start, object FROM part WHERE list = ?2 EXCEPT\n"
		       "SELECT start, object FROM part WHERE list = ?1)",
		       VDFS_INT(a), VDFS_INT(b));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	same = sqlite3_column_int(st, 0);
	err = vdfs_sql_next(st);
	return err < 0 ? err : same;
}
