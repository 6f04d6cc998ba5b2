// SPDX-License-Identifier: GPL-2.0-only
/* Blobs on their way to a bucket, and back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/put.h"
#include "store/visible.h"
#include "remote_impl.h"

#define AHEAD 60 /* seconds that clocks of one server may differ */

static const struct vdfs_who keeper = { .uid = VDFS_REMOTE_UID };

/**
 * struct piece - an object of the bucket with bytes of a blob
 * @key: Of the object.
 * @from: Where in the blob it begins.
 * @len: Its bytes.
 * @blob: The blob, when it is sent.
 */
struct piece {
	char key[96];
	uint64_t from;
	uint64_t len;
	struct vdfs_blob *blob;
};

/* A blob is one object, or several when it is longer than a piece may be. */
static uint64_t pieces(const struct vdfs_remote *remote, uint64_t size)
{
	uint64_t most = remote->options.piece;

	return size > most ? (size - 1) / most + 1 : 1;
}

static struct piece piece_of(const struct vdfs_remote *remote,
			     const struct vdfs_object *object, uint64_t i)
{
	uint64_t n = pieces(remote, object->size);
	struct piece piece = { .from = i * remote->options.piece };
	char hash[VDFS_HASH_TEXT];

	vdfs_hash_print(&object->hash, hash);
	if (n > 1)
		snprintf(piece.key, sizeof(piece.key), "blob/%s.%" PRIu64, hash,
			 i + 1);
	else
		snprintf(piece.key, sizeof(piece.key), "blob/%s", hash);
	piece.len = i + 1 < n ? remote->options.piece :
				object->size - piece.from;
	return piece;
}

static int read_piece(void *arg, void *buf, size_t len, uint64_t offset)
{
	const struct piece *piece = arg;
	ssize_t n = vdfs_blob_read(piece->blob, buf, len, piece->from + offset);

	if (n < 0)
		return n;
	return (size_t)n == len ? 0 : -EBADMSG;
}

/*
 * Whether the bucket has a piece, and not for so long that what collects
 * garbage may have found it without a name already.
 */
static int is_young(struct vdfs_remote *remote, const struct piece *piece,
		    bool *young)
{
	struct vdfs_s3_info info;
	int64_t age;
	int err;

	err = vdfs_s3_head(remote->s3, piece->key, &info);
	age = info.now - info.modified;
	*young = !err && info.size == piece->len && age >= -AHEAD &&
		 age < remote->options.grace_s / 2;
	return err == -ENOENT ? 0 : err;
}

/*
 * Pieces are sent one behind the other, so those between the first and the
 * last were looked after in between.
 */
static int all_young(struct vdfs_remote *remote,
		     const struct vdfs_object *object, bool *young)
{
	uint64_t last = pieces(remote, object->size) - 1;
	struct piece piece = piece_of(remote, object, last);
	int err;

	err = is_young(remote, &piece, young);
	if (err || !*young || !last)
		return err;
	piece = piece_of(remote, object, 0);
	return is_young(remote, &piece, young);
}

static int send_piece(struct vdfs_remote *remote,
		      const struct vdfs_object *object, struct piece *piece)
{
	bool whole = piece->len == object->size, young = false;
	struct vdfs_s3_source source = { .read = read_piece,
					 .arg = piece,
					 .size = piece->len,
					 .hash = whole ? &object->hash : NULL };
	int err = 0;

	/*
	 * Pieces that an upload brought there before it broke off are not sent
	 * again.
	 */
	if (!whole)
		err = is_young(remote, piece, &young);
	if (err || young)
		return err;
	return vdfs_s3_put(remote->s3, piece->key, &source, NULL);
}

/**
 * struct wanted - a blob that the bucket is to have
 * @store: The store.
 * @hash: Of the blob.
 * @object: Out, whosever it is.
 */
struct wanted {
	struct vdfs_store *store;
	const struct vdfs_hash *hash;
	struct vdfs_object object;
};

static int find_object(struct sqlite3 *db, void *arg)
{
	struct wanted *w = arg;

	return vdfs_blob_find(db, w->store, &vdfs_remote_admin, w->hash,
			      &w->object);
}

/**
 * vdfs_remote_upload() - see to it that the bucket has a blob
 * @remote: The remote.
 * @hash: Of the blob, which is here or, for all that is known, there.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_upload(struct vdfs_remote *remote, const struct vdfs_hash *hash)
{
	struct wanted w = { .store = remote->store, .hash = hash };
	const struct vdfs_object *object = &w.object;
	struct vdfs_blob *blob;
	uint64_t i, n;
	bool young;
	int err;

	err = vdfs_meta_read(vdfs_store_meta(remote->store), find_object, &w);
	if (!err)
		err = all_young(remote, object, &young);
	if (err)
		return err;
	if (young)
		return vdfs_remote_has(remote, hash);
	err = vdfs_blob_open(remote->store, &vdfs_remote_admin, hash, &blob);
	if (err)
		return err;
	n = pieces(remote, object->size);
	for (i = 0; !err && i < n; i++) {
		struct piece piece = piece_of(remote, object, i);

		piece.blob = blob;
		err = send_piece(remote, object, &piece);
	}
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
	return vdfs_ref_drop(db, NULL, VDFS_REMOTE_UID, &object);
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
 * struct commit - what a put is to become
 * @put: The put.
 * @expect: The hash it must have, or NULL.
 * @name: Its name, or NULL:
 * @place: The name whose content it becomes.
 * @hash: Out, its hash.
 * @st: Out, with @place: the attributes of the name afterwards.
 */
struct commit {
	struct vdfs_put *put;
	const struct vdfs_hash *expect;
	const char *name;
	const struct vdfs_place *place;
	struct vdfs_hash hash;
	struct vdfs_stat st;
};

/**
 * struct named - a name that a blob would have
 * @store: The store.
 * @who: For whom; its path begins where @who is.
 * @place: The name.
 * @hash: Of the blob.
 * @path: Out: its path from the root.
 */
struct named {
	struct vdfs_store *store;
	struct vdfs_who who;
	struct vdfs_place place;
	const struct vdfs_hash *hash;
	char path[VDFS_PATH_MAX + 1];
};

static int find_path(struct sqlite3 *db, void *arg)
{
	struct named *n = arg;

	return vdfs_remote_place_path(db, &n->place, n->path);
}

/* Make the name, and undo that. */
static int try_name(struct sqlite3 *db, void *arg)
{
	const struct named *n = arg;
	struct vdfs_object object;
	int err;

	err = vdfs_object_find(db, vdfs_object_user(n->store, n->who.uid),
			       n->hash, &object);
	if (!err)
		err = vdfs_name_set(db, n->store, &n->who, n->place.path,
				    &object);
	return err ?: -ECANCELED;
}

/*
 * Whether the user may have that name and what it costs: nobody uploads a blob
 * for hours to hear then that a quota is spent.
 */
static int ask_quota(struct vdfs_remote *remote, const struct vdfs_who *who,
		     const struct vdfs_place *place,
		     const struct vdfs_hash *hash)
{
	struct named n = { .store = remote->store,
			   .who = *who,
			   .place = *place,
			   .hash = hash };
	int err;

	err = vdfs_meta_read(vdfs_store_meta(remote->store), find_path, &n);
	if (!err)
		err = vdfs_remote_look(remote->store, n.path, false);
	n.who.at = place->dir;
	if (!err)
		err = vdfs_store_write(remote->store, try_name, &n);
	/* All else is found where the name is made. */
	return err == -EDQUOT ? err : 0;
}

/*
 * First the blob is here, held by the remote's own user; then the bucket has
 * it, then the bucket has its name, and then the name is here. Killed in
 * between, it leaves what both sides collect.
 */
static int commit(struct vdfs_remote *remote, struct commit *c)
{
	struct vdfs_store *store = remote->store;
	struct vdfs_put *put = c->put;
	struct vdfs_who who = *vdfs_put_who(put);
	struct vdfs_place new = { .dir = who.at, .path = c->name };
	int err;

	if (c->place)
		new = *c->place;
	err = vdfs_put_error(put) ?: new.ino ? 0 : vdfs_name_check(new.path);
	if (err) {
		vdfs_put_abort(put);
		return err;
	}
	put_begins(remote);
	vdfs_put_change_who(put, &keeper);
	err = vdfs_put_commit(put, c->expect, NULL, &c->hash);
	if (!err && !new.ino)
		err = ask_quota(remote, &who, &new, &c->hash);
	if (!err)
		err = vdfs_remote_upload(remote, &c->hash);
	if (!err && c->place)
		err = vdfs_remote_place(remote, &who, c->place, &c->hash,
					&c->st);
	else if (!err)
		err = vdfs_name_link_any(store, &who, c->name, &c->hash);
	put_ends(remote);
	if (err)
		vdfs_gc_objects(store);
	else
		vdfs_remote_evict(remote);
	return err;
}

/**
 * vdfs_remote_commit() - commit a put that has a name, here and there
 * @store: The store.
 * @put: The put, which ends.
 * @expect: The hash it must have, or NULL.
 * @name: Its name.
 * @out: Its hash, or NULL.
 *
 * Context: The put's thread. Waits for disk and network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_remote_commit(struct vdfs_store *store, struct vdfs_put *put,
		       const struct vdfs_hash *expect, const char *name,
		       struct vdfs_hash *out)
{
	struct commit c = { .put = put, .expect = expect, .name = name };
	int err = commit(vdfs_store_remote(store), &c);

	if (!err && out)
		*out = c.hash;
	return err;
}

/**
 * vdfs_remote_commit_at() - commit a put to what one name stands for
 * @store: The store.
 * @put: The put, which ends.
 * @place: Which name.
 * @out: The attributes of the name afterwards.
 *
 * Context: The put's thread. Waits for disk and network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_remote_commit_at(struct vdfs_store *store, struct vdfs_put *put,
			  const struct vdfs_place *place, struct vdfs_stat *out)
{
	struct commit c = { .put = put, .place = place };
	int err = commit(vdfs_store_remote(store), &c);

	if (!err)
		*out = c.st;
	return err;
}

/**
 * struct vdfs_remote_fetch - a blob that is being fetched
 * @remote: The remote.
 * @next: In the remote's list.
 * @object: The object, as its row describes it.
 * @put: Takes the bytes that come.
 * @piece: Is coming.
 * @got: How much of it has come.
 * @skip: How much of it comes again.
 */
struct vdfs_remote_fetch {
	struct vdfs_remote *remote;
	struct vdfs_remote_fetch *next;
	const struct vdfs_object *object;
	struct vdfs_put *put;
	struct piece piece;
	uint64_t got;
	uint64_t skip;
};

/* The object of a key does not change, and all of it is compared at last. */
static int begin(void *arg)
{
	struct vdfs_remote_fetch *f = arg;

	f->skip = f->got;
	return 0;
}

static int take(void *arg, const void *data, size_t len)
{
	struct vdfs_remote_fetch *f = arg;
	size_t skip = len < f->skip ? len : f->skip;

	f->skip -= skip;
	f->got += len - skip;
	if (f->got > f->piece.len)
		return -EBADMSG;
	return vdfs_put_write(f->put, (const char *)data + skip, len - skip);
}

static int fetch_piece(struct vdfs_remote_fetch *f, uint64_t i)
{
	struct vdfs_s3_sink sink = { .begin = begin, .write = take, .arg = f };
	int err;

	f->piece = piece_of(f->remote, f->object, i);
	f->got = 0;
	err = vdfs_s3_get(f->remote->s3, f->piece.key, &sink, NULL);
	if (err == -ENOENT) {
		vdfs_remote_say(f->remote, "%s is gone, though it has a name",
				f->piece.key);
		return -EIO;
	}
	return err ?: f->got == f->piece.len ? 0 : -EBADMSG;
}

static int fetch(struct vdfs_remote_fetch *f)
{
	const struct vdfs_object *object = f->object;
	struct vdfs_remote *remote = f->remote;
	uint64_t i, n = pieces(remote, object->size);
	int err;

	err = vdfs_put_begin(remote->store, &keeper, VDFS_PUT_WHOLE, &f->put);
	if (err)
		return err;
	vdfs_put_fills(f->put, object);
	for (i = 0; !err && i < n; i++)
		err = fetch_piece(f, i);
	if (!err) {
		err = vdfs_put_commit(f->put, &object->hash, NULL, NULL);
		f->put = NULL;
		/* Nobody refers to it any more. */
		if (err == -ENOENT)
			return 0;
	}
	vdfs_put_abort(f->put);
	if (err == -EBADMSG)
		vdfs_remote_say(remote, "%s is damaged: it is not its hash",
				f->piece.key);
	return err ?: vdfs_remote_has(remote, &object->hash);
}

/* With the lock held. The bytes that come are for the row of one user alone. */
static bool is_fetched(struct vdfs_remote *remote,
		       const struct vdfs_object *object)
{
	struct vdfs_remote_fetch *f = remote->fetches;

	while (f && (f->object->user != object->user ||
		     !vdfs_hash_equal(&f->object->hash, &object->hash)))
		f = f->next;
	return f;
}

/**
 * vdfs_remote_fetch() - get the bytes of a blob that is away
 * @store: The store.
 * @object: The blob, neither pinned nor claimed.
 *
 * Of two who want the same object, one fetches it, and the other looks again.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_fetch(struct vdfs_store *store,
		      const struct vdfs_object *object)
{
	struct vdfs_remote *remote = vdfs_store_remote(store);
	struct vdfs_remote_fetch f = { .remote = remote, .object = object };
	struct vdfs_remote_fetch **link;
	bool waited = false;
	int err;

	pthread_mutex_lock(&remote->lock);
	while (is_fetched(remote, object)) {
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
