/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_REMOTE_IMPL_H
#define VDFS_REMOTE_IMPL_H

#include "names/node.h"
#include "remote.h"
#include "store/away.h"
#include "store/gc.h"
#include "store/pin.h"

#define VDFS_REMOTE_UID (VDFS_UID_MAX + 1) /* refers to what is being put */
#define VDFS_REMOTE_KEY 1025 /* longest key, with its NUL */
#define VDFS_REMOTE_BODY 1024 /* longest description of a name */
#define VDFS_REMOTE_SLOTS 4096

/**
 * struct vdfs_remote_seen - a path that was asked for
 * @key: Made of the path.
 * @until: It need not be asked for again until then, ms.
 */
struct vdfs_remote_seen {
	uint64_t key;
	int64_t until;
};

/**
 * struct vdfs_remote_use - a blob that was opened
 * @hash: Which.
 * @when: ns.
 */
struct vdfs_remote_use {
	struct vdfs_hash hash;
	int64_t when;
};

struct vdfs_remote_fetch;

/**
 * struct vdfs_remote_busy - names that one change has for itself
 * @next: In the remote's list.
 * @paths: These, one behind the other, with all that is below them.
 * @len: How long they are.
 */
struct vdfs_remote_busy {
	struct vdfs_remote_busy *next;
	const char *paths;
	size_t len;
};

/**
 * struct vdfs_remote_asked - a name that the bucket is being asked for
 * @next: In the remote's list.
 * @path: Of the name.
 * @old: A change of it began since.
 */
struct vdfs_remote_asked {
	struct vdfs_remote_asked *next;
	const char *path;
	bool old;
};

/**
 * struct vdfs_remote - the bucket a store is a cache of
 * @store: The store.
 * @s3: The bucket.
 * @options: How it is used.
 * @names: Of @busy and @asked, and held while an answer is taken over; never
 *         while the network is waited for. Outermost.
 * @free: A change ended.
 * @busy: Changes under way.
 * @asked: Names that are being asked for.
 * @turn: Grows when a change ends and when an answer is taken over.
 * @puts_lock: Of @puts.
 * @puts: Puts between the commit of their blob and that of their name.
 * @lock: Of all below. Innermost.
 * @change: A fetch ended.
 * @fetches: Blobs that are being fetched.
 * @down_err: Why the bucket did not answer when it was last asked; 0 = it did.
 * @down: Nobody asks it until then, ms; then one does, and the others go on
 *        with what is known.
 * @seen: Paths that were asked for, by a hash of them.
 * @use: Blobs that were opened, by their hash.
 */
struct vdfs_remote {
	struct vdfs_store *store;
	struct vdfs_s3 *s3;
	struct vdfs_remote_options options;
	pthread_mutex_t names; /* see above */
	pthread_cond_t free;
	struct vdfs_remote_busy *busy;
	struct vdfs_remote_asked *asked;
	uint64_t turn;
	pthread_mutex_t puts_lock; /* inside of names */
	unsigned int puts;
	pthread_mutex_t lock; /* see above */
	pthread_cond_t change;
	struct vdfs_remote_fetch *fetches;
	int64_t down;
	int down_err;
	struct vdfs_remote_seen seen[VDFS_REMOTE_SLOTS];
	struct vdfs_remote_use use[VDFS_REMOTE_SLOTS];
};

extern const struct vdfs_who vdfs_remote_admin;

/* remote.c */
int64_t vdfs_remote_now(void);
void vdfs_remote_say(struct vdfs_remote *remote, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* blob.c, cache.c */
int vdfs_remote_upload(struct vdfs_remote *remote,
		       const struct vdfs_hash *hash);
int vdfs_remote_fetch(struct vdfs_store *store,
		      const struct vdfs_object *object);
int vdfs_remote_commit(struct vdfs_store *store, struct vdfs_put *put,
		       const struct vdfs_hash *expect, const char *name,
		       struct vdfs_hash *out);
int vdfs_remote_commit_at(struct vdfs_store *store, struct vdfs_put *put,
			  const struct vdfs_place *place,
			  struct vdfs_stat *out);
int vdfs_remote_unkeep(struct vdfs_remote *remote);
void vdfs_remote_used(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_remote_has(struct vdfs_remote *remote, const struct vdfs_hash *hash);
void vdfs_remote_evict(struct vdfs_remote *remote);

/**
 * struct vdfs_remote_name - what a bucket says of a path
 * @path: The path.
 * @st: Its attributes.
 * @body: The same as JSON; "" = it is not there.
 * @etag: Of the object.
 */
struct vdfs_remote_name {
	char path[VDFS_PATH_MAX + 1];
	struct vdfs_stat st;
	char body[VDFS_REMOTE_BODY];
	char etag[VDFS_S3_ETAG];
};

/* key.c */
int vdfs_remote_key(const char *path, bool dir, char key[VDFS_REMOTE_KEY]);
int vdfs_remote_path(const char *key, char path[VDFS_PATH_MAX + 1], bool *dir);
int vdfs_remote_body(struct vdfs_remote_name *name);
int vdfs_remote_parse(struct vdfs_remote_name *name);

/* row.c: what was last known of the bucket, inside a transaction */
int vdfs_remote_row(struct sqlite3 *db, struct vdfs_remote_name *name);
int vdfs_remote_row_set(struct sqlite3 *db, const struct vdfs_remote_name *name,
			int64_t ino);
int vdfs_remote_row_drop(struct sqlite3 *db, const char *path);
int vdfs_remote_import(struct vdfs_remote *remote,
		       struct vdfs_remote_name *name);

/* busy.c */
bool vdfs_remote_covers(const char *paths, size_t len, const char *path);
uint64_t vdfs_remote_turn(struct vdfs_remote *remote);
uint64_t vdfs_remote_begin(struct vdfs_remote *remote,
			   struct vdfs_remote_busy *busy);
void vdfs_remote_end(struct vdfs_remote *remote, struct vdfs_remote_busy *busy);
bool vdfs_remote_ask(struct vdfs_remote *remote,
		     struct vdfs_remote_asked *asked);
int vdfs_remote_take(struct vdfs_remote *remote,
		     struct vdfs_remote_asked *asked,
		     struct vdfs_remote_name *name);

/* look.c, place.c, change.c */
int vdfs_remote_get_name(struct vdfs_remote *remote, const char *key,
			 struct vdfs_remote_name *name);
int vdfs_remote_look(struct vdfs_store *store, const char *path, bool list);
int vdfs_remote_look_below(struct vdfs_remote *remote, const char *path);
void vdfs_remote_doubt(struct vdfs_remote *remote, const char *path);
int vdfs_remote_place_path(struct sqlite3 *db, const struct vdfs_place *place,
			   char path[VDFS_PATH_MAX + 1]);
int vdfs_remote_place(struct vdfs_remote *remote, const struct vdfs_who *who,
		      const struct vdfs_place *place,
		      const struct vdfs_hash *hash, struct vdfs_stat *out);
int vdfs_remote_change(struct vdfs_store *store,
		       const struct vdfs_name_change *change);

#endif /* VDFS_REMOTE_IMPL_H */
