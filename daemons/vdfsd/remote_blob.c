// SPDX-License-Identifier: GPL-2.0-only
/* Blobs on their way to a bucket, and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "put_impl.h"
#include "remote_impl.h"

static const struct vdfs_who keeper = { .uid = VDFS_REMOTE_UID };

static void blob_key(const struct vdfs_hash *hash, char key[VDFS_REMOTE_KEY])
{
	stpcpy(key, "blob/");
	vdfs_hash_print(hash, key + 5);
}

static int read_blob(void *arg, void *buf, size_t len, uint64_t offset)
{
	ssize_t n = vdfs_blob_read(arg, buf, len, offset);

	if (n < 0)
		return n;
	return (size_t)n == len ? 0 : -EBADMSG;
}

/**
 * vdfs_remote_upload() - see to it that the bucket has a blob
 * @remote: The remote.
 * @hash: Of the blob, which is here.
 *
 * One that is there and old is written again: what collects garbage may
 * have found it without a name already.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_upload(struct vdfs_remote *remote, const struct vdfs_hash *hash)
{
	struct vdfs_s3_source source = { .read = read_blob, .hash = hash };
	struct vdfs_s3_info info;
	char key[VDFS_REMOTE_KEY];
	struct vdfs_blob *blob;
	int err;

	blob_key(hash, key);
	err = vdfs_s3_head(remote->s3, key, &info);
	if (!err && info.now - info.modified < remote->options.grace_s / 2)
		return vdfs_remote_has(remote, hash);
	if (err && err != -ENOENT)
		return err;
	err = vdfs_blob_open(remote->store, &vdfs_remote_admin, hash, &blob);
	if (err)
		return err;
	source.arg = blob;
	source.size = vdfs_blob_size(blob);
	err = vdfs_s3_put(remote->s3, key, &source, NULL);
	vdfs_blob_close(blob);
	return err ?: vdfs_remote_has(remote, hash);
}

static int drop_kept(struct sqlite3 *db, void *arg)
{
	struct vdfs_object object = { 0 };
	struct sqlite3_stmt *st;
	bool *more = arg;
	int err;

	*more = false;
	err = vdfs_sql(db, &st,
		       "SELECT object, size FROM ref\n"
		       "JOIN object ON id = object WHERE uid = ? LIMIT 1",
		       VDFS_INT(VDFS_REMOTE_UID));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err;
	object.id = sqlite3_column_int64(st, 0);
	object.size = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	*more = true;
	return vdfs_ref_drop(db, VDFS_REMOTE_UID, &object);
}

/**
 * vdfs_remote_unkeep() - drop the references of puts that have ended
 * @remote: The remote.
 *
 * Context: While no put is in between.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_unkeep(struct vdfs_remote *remote)
{
	bool more;
	int err;

	do {
		err = vdfs_store_write(remote->store, drop_kept, &more);
	} while (!err && more);
	return err;
}

static void put_begins(struct vdfs_remote *remote)
{
	pthread_mutex_lock(&remote->puts_lock);
	remote->puts++;
	pthread_mutex_unlock(&remote->puts_lock);
}

/* Two may put the same: what is kept is dropped when all are through. */
static void put_ends(struct vdfs_remote *remote)
{
	pthread_mutex_lock(&remote->puts_lock);
	if (!--remote->puts)
		vdfs_remote_unkeep(remote);
	pthread_mutex_unlock(&remote->puts_lock);
}

/**
 * vdfs_remote_commit() - commit a put that has a name, here and there
 * @store: The store.
 * @put: The put, which ends.
 * @expect: What its hash has to be, or NULL.
 * @name: Its name.
 * @out: Its hash, or NULL.
 *
 * First the blob is here, held by the remote's own user; then the bucket has
 * it, then the bucket has its name, and then the name is here. Killed in
 * between, it leaves what both sides collect.
 *
 * Context: The put's thread. Waits for disk and network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_remote_commit(struct vdfs_store *store, struct vdfs_put *put,
		       const struct vdfs_hash *expect, const char *name,
		       struct vdfs_hash *out)
{
	struct vdfs_remote *remote = store->remote;
	struct vdfs_who who = put->who;
	struct vdfs_hash hash;
	int err;

	err = put->err ?: vdfs_name_check(name);
	if (err) {
		vdfs_put_abort(put);
		return err;
	}
	put_begins(remote);
	put->who = keeper;
	err = vdfs_put_commit(put, expect, NULL, &hash);
	if (!err)
		err = vdfs_remote_upload(remote, &hash);
	if (!err)
		err = vdfs_name_link_any(store, &who, name, &hash);
	put_ends(remote);
	if (err)
		vdfs_gc_objects(store);
	else
		vdfs_remote_evict(remote);
	if (!err && out)
		*out = hash;
	return err;
}

/**
 * struct vdfs_remote_fetch - a blob that is being fetched
 * @remote: The remote.
 * @next: In the remote's list.
 * @object: What it shall be.
 * @put: Takes what comes.
 * @size: How much has come.
 */
struct vdfs_remote_fetch {
	struct vdfs_remote *remote;
	struct vdfs_remote_fetch *next;
	const struct vdfs_object *object;
	struct vdfs_put *put;
	uint64_t size;
};

static int begin(void *arg)
{
	struct vdfs_remote_fetch *f = arg;
	int err;

	vdfs_put_abort(f->put);
	f->put = NULL;
	f->size = 0;
	err = vdfs_put_begin(f->remote->store, &keeper, VDFS_PUT_WHOLE,
			     &f->put);
	if (!err)
		f->put->fills = true;
	return err;
}

static int take(void *arg, const void *data, size_t len)
{
	struct vdfs_remote_fetch *f = arg;

	f->size += len;
	if (f->size > f->object->size)
		return -EBADMSG;
	return vdfs_put_write(f->put, data, len);
}

static int fetch(struct vdfs_remote_fetch *f)
{
	struct vdfs_s3_sink sink = { .begin = begin, .write = take, .arg = f };
	const struct vdfs_hash *hash = &f->object->hash;
	struct vdfs_remote *remote = f->remote;
	char key[VDFS_REMOTE_KEY];
	int err;

	blob_key(hash, key);
	err = vdfs_s3_get(remote->s3, key, &sink, NULL);
	if (err == -ENOENT) {
		vdfs_remote_say(remote, "%s is gone, though it has a name",
				key);
		err = -EIO;
	}
	if (!err) {
		err = vdfs_put_commit(f->put, hash, NULL, NULL);
		f->put = NULL;
		/* Nobody refers to it any more. */
		if (err == -ENOENT)
			return 0;
	}
	vdfs_put_abort(f->put);
	if (err == -EBADMSG)
		vdfs_remote_say(remote, "%s is damaged: it is not its hash",
				key);
	return err ?: vdfs_remote_has(remote, hash);
}

/* With the lock held. */
static struct vdfs_remote_fetch *find(struct vdfs_remote *remote,
				      const struct vdfs_hash *hash)
{
	struct vdfs_remote_fetch *f = remote->fetches;

	while (f && !vdfs_hash_equal(&f->object->hash, hash))
		f = f->next;
	return f;
}

/**
 * vdfs_remote_fetch() - get the bytes of a blob that is away
 * @store: The store.
 * @object: The blob, neither pinned nor claimed.
 *
 * Of two who want the same, one fetches it, and the other looks again.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_fetch(struct vdfs_store *store,
		      const struct vdfs_object *object)
{
	struct vdfs_remote *remote = store->remote;
	struct vdfs_remote_fetch f = { .remote = remote, .object = object };
	struct vdfs_remote_fetch **link;
	bool waited = false;
	int err;

	pthread_mutex_lock(&remote->lock);
	while (find(remote, &object->hash)) {
		pthread_cond_wait(&remote->change, &remote->lock);
		waited = true;
	}
	if (!waited) {
		f.next = remote->fetches;
		remote->fetches = &f;
	}
	pthread_mutex_unlock(&remote->lock);
	if (waited)
		return 0;
	err = fetch(&f);
	pthread_mutex_lock(&remote->lock);
	for (link = &remote->fetches; *link != &f;)
		link = &(*link)->next;
	*link = f.next;
	pthread_cond_broadcast(&remote->change);
	pthread_mutex_unlock(&remote->lock);
	if (!err) {
		vdfs_remote_used(store, &object->hash);
		vdfs_remote_evict(remote);
	}
	return err;
}
