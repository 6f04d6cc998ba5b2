/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_STORE_H
#define VDFS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/hash.h"

/**
 * DOC: The blob store
 *
 * A blob is a string of bytes that is named by its SHA-256. It stays while
 * something refers to it: a name (names/names.h), or the user who stored it
 * without one. An acknowledged put is on the disk, whole; a visible blob is
 * whole. A blob in use, open or mapped, outlives its last reference.
 *
 * All functions may be called by any thread. They return 0 or a negative
 * errno:
 *   ENOENT     there is no such blob or name, or none this user may see
 *   EACCES     it belongs to another user
 *   EDQUOT     the user's quota is spent
 *   ENOSPC     the disk is full; nothing was changed
 *   EBADMSG    the bytes on the disk are not those that were stored
 *   EIO        the disk failed; a store that could not sync is read-only
 *   EROFS      it is read-only, since such a failure or as it was opened
 */

struct sqlite3;
struct vdfs_meta;
struct vdfs_object;
struct vdfs_store;

/* The tables of blobs; statements that may be run again. */
extern const char vdfs_schema_blob[];
extern const char vdfs_schema_blob_quotas[]; /* before it */

/* No group, in which nobody is. */
#define VDFS_GID_NONE UINT32_MAX

/**
 * struct vdfs_who - on whose behalf something is done
 * @uid: Owner of what is made, charged for it.
 * @gid: Group of what is made, VDFS_GID_NONE = none.
 * @in_group: Whether the user is in another group, too: 1, 0, or a negative
 *            errno when it is not known; NULL = in none. Called where the groups
 *            of others may do what others may not, or the other way round.
 * @groups: For @in_group.
 * @admin: May see and change what belongs to others.
 * @at: Number of the name that paths begin at, which the user found before and
 *      which may have moved since; 0 = the root.
 */
struct vdfs_who {
	uint32_t uid;
	uint32_t gid;
	int (*in_group)(const struct vdfs_who *who, uint32_t gid);
	uintptr_t groups;
	bool admin;
	uint64_t at;
};

/**
 * struct vdfs_store_options - how a store is opened
 * @quota: Bytes that a user without a quota of its own may refer to, each
 *         blob counted once a user; 0 = any.
 * @share: A put may share what another user has put; see vdfsd(8) for what that
 *         shows.
 * @zstd: Compress objects that get smaller by it, at this level; 0 = never.
 * @read_only: Change nothing, for a look at a store.
 * @rebuild: Open it although its database is missing or behind what is stored,
 *           for vdfs_rebuild() and nothing else.
 */
struct vdfs_store_options {
	uint64_t quota;
	bool share;
	int zstd;
	bool read_only;
	bool rebuild;
};

/**
 * typedef vdfs_shown_fn - a blob that a user sees
 * @arg: The caller's.
 * @object: Its row.
 *
 * Return: 0 or a negative errno, which ends the search.
 */
typedef int vdfs_shown_fn(void *arg, int64_t object);

/**
 * struct vdfs_store_above - what the rooms above the store add to it
 * @schemas: Statements that make their tables, with a NULL behind the last.
 * @shows: Whether something of theirs lets a user see a blob: 1, 0 or a
 *         negative errno. Called inside a vdfs_meta_fn.
 * @some: Finds a blob that something of theirs refers to, the same one for a
 *        number each time: 0, with a row of 0 where there is none, or a
 *        negative errno. Called inside a vdfs_meta_fn.
 * @each: Calls a function for each blob that something of theirs lets a user
 *        see: 0, -EAGAIN when that takes more than so many rows, or another
 *        negative errno. Called inside a vdfs_meta_fn.
 */
struct vdfs_store_above {
	const char *const *schemas;
	int (*shows)(struct sqlite3 *db, const struct vdfs_who *who,
		     int64_t object);
	int (*some)(struct sqlite3 *db, uint64_t number, int64_t *object);
	int (*each)(struct sqlite3 *db, const struct vdfs_who *who,
		    unsigned int *rows, vdfs_shown_fn *fn, void *arg);
};

/* -EBUSY: another process has it open. */
int vdfs_store_open_above(const char *dir,
			  const struct vdfs_store_options *options,
			  const struct vdfs_store_above *above,
			  struct vdfs_store **out);
void vdfs_store_close(struct vdfs_store *store);
int vdfs_store_sweep(struct vdfs_store *store);
struct vdfs_meta *vdfs_store_meta(struct vdfs_store *store);
/* -EROFS where nothing may be written any more. */
int vdfs_store_writable(struct vdfs_store *store);
/* -ENOSPC while there is no room but what is kept for deletions. */
int vdfs_store_room(struct vdfs_store *store);
/* Whether other hosts change it too, through a remote. */
bool vdfs_store_shared(const struct vdfs_store *store);

/*
 * Storing. Data comes in pieces of any size. With @expect a commit fails with
 * -EBADMSG when the content has another hash. @fn, if there is one, refers to
 * the blob, in the transaction that makes it visible; without one the user
 * keeps it. Commit and abort both end the put. names.h has the commit that
 * gives a blob a name.
 */
struct vdfs_put;

/**
 * typedef vdfs_put_fn - what refers to a blob that is being put
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user.
 * @object: The blob.
 * @arg: The caller's.
 *
 * Return: 0 or a negative errno, which undoes the commit.
 */
typedef int vdfs_put_fn(struct sqlite3 *db, struct vdfs_store *store,
			const struct vdfs_who *who,
			const struct vdfs_object *object, void *arg);

#define VDFS_PUT_WHOLE 0x1U /* do not look for pieces shared with others */

int vdfs_put_begin(struct vdfs_store *store, const struct vdfs_who *who,
		   uint32_t flags, struct vdfs_put **out);
int vdfs_put_write(struct vdfs_put *put, const void *data, size_t len);
/* The same, without a copy of a small blob's only bytes: they stay till the end. */
int vdfs_put_lend(struct vdfs_put *put, const void *data, size_t len);

/**
 * struct vdfs_space - where the next bytes of a large put go
 * @fd: A memfd; -1 = there is none, use vdfs_put_write().
 * @mem: All of it, mapped.
 * @size: Its length.
 * @at: Offset of the next byte.
 * @len: How many fit there, at least 1.
 */
struct vdfs_space {
	int fd;
	void *mem;
	size_t size;
	size_t at;
	size_t len;
};

/* Whether a put with so many more bytes is a large one. */
bool vdfs_put_is_large(const struct vdfs_put *put, size_t len);
int vdfs_put_space(struct vdfs_put *put, struct vdfs_space *space);
int vdfs_put_filled(struct vdfs_put *put, size_t len);
void vdfs_put_spoil(struct vdfs_put *put, int err);
int vdfs_put_commit_fn(struct vdfs_put *put, const struct vdfs_hash *expect,
		       vdfs_put_fn *fn, void *arg, struct vdfs_hash *out);
void vdfs_put_abort(struct vdfs_put *put);

/* Reading. Every byte that is read was checked against what was stored. */
struct vdfs_blob;

void vdfs_blob_close(struct vdfs_blob *blob);
uint64_t vdfs_blob_size(const struct vdfs_blob *blob);
const struct vdfs_hash *vdfs_blob_hash(const struct vdfs_blob *blob);
int64_t vdfs_blob_user(const struct vdfs_blob *blob);
ssize_t vdfs_blob_read(struct vdfs_blob *blob, void *buf, size_t len,
		       uint64_t offset);
/* Its own file, to be mapped, unchecked; else -EOPNOTSUPP. The blob's. */
int vdfs_blob_fd(const struct vdfs_blob *blob);

/* Give up a blob that is kept without a name. */
int vdfs_blob_drop(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash);

/**
 * typedef vdfs_blob_fn - one blob of a list
 * @arg: The caller's.
 * @hash: Its name.
 * @size: Bytes.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int vdfs_blob_fn(void *arg, const struct vdfs_hash *hash,
			 uint64_t size);

/* Blobs that @who may see, by hash, from behind @after on (NULL = all). */
int vdfs_blob_list(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *after, vdfs_blob_fn *fn, void *arg);

/* How far a long job is; returns false to stop it (-ECANCELED). */
typedef bool vdfs_store_progress(void *arg, uint64_t done, uint64_t total);

/**
 * struct vdfs_gc_result - what a collection of garbage did
 * @blobs: Blobs that nothing referred to any more.
 * @objects: Objects that no blob is made of any more.
 * @bytes: Bytes of the disk given back.
 */
struct vdfs_gc_result {
	uint64_t blobs;
	uint64_t objects;
	uint64_t bytes;
};

int vdfs_gc(struct vdfs_store *store, vdfs_store_progress *progress, void *arg,
	    struct vdfs_gc_result *out);

#define VDFS_FSCK_REPAIR 0x1U /* take damaged blobs out of sight, recount */

/**
 * struct vdfs_fsck_result - what a check found
 * @blobs: Blobs read and compared with their hash.
 * @bytes: Bytes read.
 * @damaged: Blobs that are not what they were.
 * @garbage: Bytes that belong to nothing; gc takes them away. No fault.
 * @faults: All faults, damaged blobs included.
 * @repaired: How many of these were mended.
 */
struct vdfs_fsck_result {
	uint64_t blobs;
	uint64_t bytes;
	uint64_t damaged;
	uint64_t garbage;
	uint64_t faults;
	uint64_t repaired;
};

/* One line of text for each fault, by @report. */
int vdfs_fsck(struct vdfs_store *store, uint32_t flags,
	      void (*report)(void *arg, const char *line),
	      vdfs_store_progress *progress, void *arg,
	      struct vdfs_fsck_result *out);

/**
 * struct vdfs_rebuild_result - what a rebuild found
 * @records: Records that are whole and the database did not know.
 * @files: Files that are whole and it did not know.
 * @moved: Objects whose bytes were not where it said, and are elsewhere.
 * @damaged: Records and files that are not whole.
 * @bytes: Bytes read.
 */
struct vdfs_rebuild_result {
	uint64_t records;
	uint64_t files;
	uint64_t moved;
	uint64_t damaged;
	uint64_t bytes;
};

/* The store was opened with @rebuild. */
int vdfs_rebuild(struct vdfs_store *store, uint32_t uid,
		 vdfs_store_progress *progress, void *arg,
		 struct vdfs_rebuild_result *out);

/**
 * struct vdfs_store_stats - what a store holds
 * @blobs: Blobs.
 * @blob_bytes: Their lengths added up.
 * @objects: Objects that they are made of.
 * @object_bytes: The lengths of these, each counted once.
 * @disk_bytes: Bytes that these take on the disk.
 * @names: Names of blobs.
 */
struct vdfs_store_stats {
	uint64_t blobs;
	uint64_t blob_bytes;
	uint64_t objects;
	uint64_t object_bytes;
	uint64_t disk_bytes;
	uint64_t names;
};

int vdfs_store_stats(struct vdfs_store *store, struct vdfs_store_stats *out);

/* Bytes a user may refer to, 0 = any, and refers to. Only admin sets. */
int vdfs_quota_set(struct vdfs_store *store, const struct vdfs_who *who,
		   uint32_t uid, uint64_t bytes);
int vdfs_quota_get(struct vdfs_store *store, uint32_t uid, uint64_t *quota,
		   uint64_t *used);

#endif /* VDFS_STORE_H */
