// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction from a full cache: blobs leave the disk, the longest unused first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "remote_impl.h"

/* All users' objects of the content that a row of remote_blob is about. */
#define KEYS "o.hash BETWEEN r.hash AND CAST(r.hash || x'ffffffffff' AS BLOB)\n"
#define BATCH 64 /* blobs looked at in one transaction */

static struct vdfs_remote_use *slot(struct vdfs_remote *remote,
				    const struct vdfs_hash *hash)
{
	uint64_t key;

	memcpy(&key, hash->bytes, sizeof(key));
	return &remote->use[key % VDFS_REMOTE_SLOTS];
}

/**
 * vdfs_remote_used() - note that a blob was opened
 * @store: The store.
 * @hash: Of the blob.
 *
 * Context: Any thread.
 */
void vdfs_remote_used(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_remote *remote = vdfs_store_remote(store);
	struct vdfs_remote_use *use = slot(remote, hash);

	pthread_mutex_lock(&remote->lock);
	use->hash = *hash;
	use->when = vdfs_name_now();
	pthread_mutex_unlock(&remote->lock);
}

static int add_row(struct sqlite3 *db, void *arg)
{
	return vdfs_sql_run(db,
			    "INSERT INTO remote_blob(hash, used) VALUES(?, ?)\n"
			    "ON CONFLICT(hash) DO UPDATE SET\n"
			    "used = max(used, excluded.used)",
			    VDFS_BLOB(arg, sizeof(struct vdfs_hash)),
			    VDFS_INT(vdfs_name_now()));
}

/**
 * vdfs_remote_has() - note that the bucket has a blob
 * @remote: The remote.
 * @hash: Of the blob.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_has(struct vdfs_remote *remote, const struct vdfs_hash *hash)
{
	struct vdfs_hash copy = *hash;

	return vdfs_meta_write(vdfs_store_meta(remote->store), add_row, &copy);
}

static int flush_one(struct sqlite3 *db, const struct vdfs_remote_use *use)
{
	return vdfs_sql_run(db,
			    "UPDATE remote_blob SET used = max(used, ?2)\n"
			    "WHERE hash = ?1",
			    VDFS_BLOB(&use->hash, sizeof(use->hash)),
			    VDFS_INT(use->when));
}

/**
 * struct cache - the blobs that may go
 * @remote: The remote.
 * @bytes: Out, of all that are here.
 * @skip: As many were looked at before.
 * @n: Out, how many of the next ones there are.
 * @object: Out, these.
 */
struct cache {
	struct vdfs_remote *remote;
	uint64_t bytes;
	unsigned int skip;
	unsigned int n;
	struct vdfs_object object[BATCH];
};

/* Only blobs whose names the bucket has, all, and that no user keeps. */
static int find_old(struct sqlite3 *db, struct cache *c)
{
	struct sqlite3_stmt *st;
	int64_t id[BATCH];
	unsigned int i, n = 0;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT o.id FROM remote_blob r JOIN object o\n"
		       "ON " KEYS "WHERE o.kind != 3 AND o.users > 0\n"
		       "AND o.parts = 0 AND NOT EXISTS (SELECT 1 FROM ref\n"
		       "WHERE object = o.id AND kept != 0) AND NOT EXISTS\n"
		       "(SELECT 1 FROM node n WHERE n.object = o.id AND n.ino\n"
		       "NOT IN (SELECT ino FROM remote_name))\n"
		       "ORDER BY r.used LIMIT ? OFFSET ?",
		       VDFS_INT(BATCH), VDFS_INT(c->skip));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		id[n++] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	for (i = 0; !err && i < n; i++)
		err = vdfs_object_load(db, id[i], &c->object[i]);
	c->n = n;
	return err;
}

static int look(struct sqlite3 *db, void *arg)
{
	struct cache *c = arg;
	struct sqlite3_stmt *st;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && !c->skip && i < VDFS_REMOTE_SLOTS; i++) {
		struct vdfs_remote_use use;

		pthread_mutex_lock(&c->remote->lock);
		use = c->remote->use[i];
		pthread_mutex_unlock(&c->remote->lock);
		if (use.when)
			err = flush_one(db, &use);
	}
	if (!err)
		err = vdfs_sql(db, &st,
			       "SELECT total(o.size) FROM remote_blob r\n"
			       "JOIN object o ON " KEYS "WHERE o.kind != 3");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	c->bytes = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return find_old(db, c);
}

/* Replace an object by one that is away; what is left is garbage. */
static int send_away(struct sqlite3 *db, void *arg)
{
	const struct vdfs_object *was = arg;
	struct vdfs_object now, away = { .hash = was->hash,
					 .user = was->user,
					 .size = was->size,
					 .kind = VDFS_AWAY };
	int err;

	err = vdfs_object_load(db, was->id, &now);
	if (!err && (now.parts || !now.users || now.kind == VDFS_AWAY ||
		     !vdfs_hash_equal(&now.hash, &was->hash)))
		err = -EBUSY;
	if (!err)
		err = vdfs_object_vacate(db, &now);
	if (!err)
		err = vdfs_object_insert(db, &away, &away.id);
	return err ?: vdfs_object_adopt(db, &now, &away);
}

static int evict_one(struct vdfs_remote *remote, struct vdfs_object *object)
{
	struct vdfs_store *store = remote->store;
	int err;

	err = vdfs_claim_unused(store, &object->hash);
	if (err)
		return err;
	err = vdfs_store_write(store, send_away, object);
	if (!err && object->kind == VDFS_FILE)
		err = vdfs_file_unlink(store, object);
	vdfs_unclaim(store, &object->hash);
	return err;
}

static int evict(struct cache *c)
{
	uint64_t budget = c->remote->options.budget;
	unsigned int i, gone = 0;
	int err;

	do {
		err = vdfs_meta_write(vdfs_store_meta(c->remote->store), look,
				      c);
		for (i = 0; !err && c->bytes > budget && i < c->n; i++) {
			err = evict_one(c->remote, &c->object[i]);
			if (err == -EBUSY || err == -ENOENT) {
				/* In use: the next one. */
				c->skip++;
				err = 0;
				continue;
			}
			if (!err)
				c->bytes -= c->object[i].size;
			gone += !err;
		}
	} while (!err && c->bytes > budget && c->n == BATCH);
	if (gone)
		vdfs_gc_objects(c->remote->store);
	return err;
}

/**
 * vdfs_remote_evict() - bring a cache back into its budget
 * @remote: The remote.
 *
 * Context: Any thread. Waits for the disk.
 */
void vdfs_remote_evict(struct vdfs_remote *remote)
{
	struct cache *c;
	int err;

	if (!remote->options.budget)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->remote = remote;
	err = evict(c);
	if (err)
		vdfs_remote_say(remote, "cannot make room in the cache: %s",
				strerror(-err));
	free(c);
}
