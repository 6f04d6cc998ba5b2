/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_STORE_IMPL_H
#define VDFS_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <sqlite3.h>

#include "meta.h"
#include "store.h"

/**
 * DOC: Inside the store
 *
 *	DIR/lock	flock()ed while it is open; see store_log.c
 *	DIR/meta.db	the database
 *	DIR/pack/N	segments: records one behind the other
 *	DIR/object/ab/cdef...	objects that are files, named by their hash
 *	DIR/graph/	indexes saved by collections
 *	DIR/reserve	room to drop something in when the disk is full
 *
 * Bytes are on the disk before the commit that refers to them; that they are
 * not referred to any more is, before they are given back. In between they
 * belong to nothing, and that is all a crash can leave behind.
 *
 * Whoever relies on an object that the database may drop pins its hash
 * first and looks it up then; gc claims a hash, which a pin prevents, before
 * it drops an object, and until its bytes are gone. Locks, outermost first:
 * a claim, pins.lock, packs.lock, segment.lock.
 */

#define VDFS_LARGE ((size_t)1 << 20) /* a blob from here on is in pieces */
#define VDFS_BLOCK ((size_t)64 << 10) /* of a file, with its checksum */
#define VDFS_SEGMENT_BYTES ((uint64_t)256 << 20)
#define VDFS_PIN_BUCKETS 1024
#define VDFS_HELPERS 8

enum vdfs_kind { VDFS_RECORD, VDFS_FILE, VDFS_LIST, VDFS_AWAY };

/**
 * struct vdfs_object - what the database says of an object
 * @id: Its row.
 * @hash: SHA-256 of its content.
 * @size: Of its content.
 * @kind: enum vdfs_kind.
 * @users: Users who refer to it.
 * @parts: Parts of lists that refer to it.
 * @segment: Of a record: number of its segment,
 * @place: where it begins there,
 * @stored: and how long it is, with its header.
 * @fresh: Just inserted, and counted already for its first user.
 */
struct vdfs_object {
	int64_t id;
	struct vdfs_hash hash;
	uint64_t size;
	uint32_t kind;
	int64_t users;
	int64_t parts;
	uint32_t segment;
	uint64_t place;
	uint64_t stored;
	bool fresh;
};

struct vdfs_pin;
struct vdfs_name_change;
struct vdfs_place;
struct vdfs_stat;

/**
 * struct vdfs_remote_ops - a remote that a store is a cache of
 * @commit: Does a vdfs_put_commit() with a name.
 * @commit_at: Does a vdfs_put_commit_at().
 * @change: Does what a vdfs_name_change says, there and here.
 * @look: Learns what a path stands for, and with @list what is in it.
 * @fetch: Gets the bytes of an object whose kind is VDFS_AWAY.
 * @used: Is told that a blob was opened.
 * @detach: Ends it.
 */
struct vdfs_remote_ops {
	int (*commit)(struct vdfs_store *store, struct vdfs_put *put,
		      const struct vdfs_hash *expect, const char *name,
		      struct vdfs_hash *out);
	int (*commit_at)(struct vdfs_store *store, struct vdfs_put *put,
			 const struct vdfs_place *place, struct vdfs_stat *out);
	int (*change)(struct vdfs_store *store,
		      const struct vdfs_name_change *change);
	int (*look)(struct vdfs_store *store, const char *path, bool list);
	int (*fetch)(struct vdfs_store *store,
		     const struct vdfs_object *object);
	void (*used)(struct vdfs_store *store, const struct vdfs_hash *hash);
	void (*detach)(struct vdfs_store *store);
};

/**
 * struct vdfs_pins - hashes in use
 * @lock: Of all of them.
 * @change: A claim was given up.
 * @bucket: By hash.
 */
struct vdfs_pins {
	pthread_mutex_t lock; /* see above */
	pthread_cond_t change;
	struct vdfs_pin *bucket[VDFS_PIN_BUCKETS];
};

/**
 * struct vdfs_segment - a file of a pack
 * @number: Its name.
 * @fd: The file.
 * @refs: Who uses the structure, one of them the table of all; under
 *        packs.lock, as are the next three.
 * @writing: Records that are written and not yet committed or given up.
 * @end: Where the next record goes.
 * @sealed: Takes no more records.
 * @lock: Of what is below.
 * @change: A sync ended, for those who wait for an even or an odd one.
 * @upcoming: Number of the next sync; who asks now waits for that.
 * @done: Number of the last one that succeeded.
 * @syncing: Somebody is in fdatasync().
 * @failed: A sync failed; nothing written since the one before is safe.
 */
struct vdfs_segment {
	uint32_t number;
	int fd;
	unsigned int refs;
	unsigned int writing;
	uint64_t end;
	bool sealed;
	pthread_mutex_t lock; /* see above */
	pthread_cond_t change[2];
	uint64_t upcoming;
	uint64_t done;
	bool syncing;
	bool failed;
};

/**
 * struct vdfs_numbered - a segment in the table of all
 * @number: Its number, so that a search reads the table alone.
 * @segment: The segment.
 */
struct vdfs_numbered {
	uint32_t number;
	struct vdfs_segment *segment;
};

/**
 * struct vdfs_packs - all segments
 * @lock: Of the table, and of what its segments say.
 * @fd: Their directory.
 * @all: Every segment, by number.
 * @n: How many.
 * @room: For so many.
 * @active: The one that takes records, or NULL.
 * @last: Highest number ever seen.
 * @limit: Length at which a segment is full.
 * @failures: Syncs that failed since one succeeded.
 */
struct vdfs_packs {
	pthread_mutex_t lock; /* see above */
	int fd;
	struct vdfs_numbered *all;
	size_t n;
	size_t room;
	struct vdfs_segment *active;
	uint32_t last;
	uint64_t limit;
	atomic_uint failures;
};

/**
 * struct vdfs_record - a record that was written, not yet committed
 * @segment: Where to, with a reference; NULL = nowhere.
 * @place: From here on.
 * @stored: Length with its header.
 */
struct vdfs_record {
	struct vdfs_segment *segment;
	uint64_t place;
	uint64_t stored;
};

/**
 * struct vdfs_writing - an object that is to be a record
 * @hash: Of it.
 * @data: Its content.
 * @len: How long that is, at most VDFS_LARGE.
 * @out: Where it is then.
 */
struct vdfs_writing {
	const struct vdfs_hash *hash;
	const void *data;
	size_t len;
	struct vdfs_record *out;
};

struct evp_md_ctx_st;
struct vdfs_job;
struct vdfs_jobs;

TAILQ_HEAD(vdfs_job_list, vdfs_job);
TAILQ_HEAD(vdfs_job_turns, vdfs_jobs);

/**
 * struct vdfs_job - something to be done, part of what its owner is
 * @link: In its queue.
 * @fn: Does it, in any thread, and returns 0 or a negative errno.
 * @state: The pool's, as is the next.
 * @err: What came of it.
 */
struct vdfs_job {
	TAILQ_ENTRY(vdfs_job) link;
	int (*fn)(struct vdfs_job *job);
	int state;
	int err;
};

/**
 * struct vdfs_hashing - bytes to be hashed
 * @job: That it is.
 * @ctx: Hash to go on with, for one job at a time; NULL = they are all.
 * @data: Bytes, left alone until it is done.
 * @len: How many.
 * @out: Their hash, without @ctx.
 */
struct vdfs_hashing {
	struct vdfs_job job;
	struct evp_md_ctx_st *ctx;
	const void *data;
	size_t len;
	struct vdfs_hash *out;
};

/**
 * struct vdfs_jobs - jobs of one owner
 * @link: In the pool, while it has any.
 * @jobs: Those that nobody has begun.
 * @running: How many somebody has.
 * @waits: The owner does.
 * @done: One is done.
 */
struct vdfs_jobs {
	TAILQ_ENTRY(vdfs_jobs) link;
	struct vdfs_job_list jobs;
	unsigned int running;
	bool waits;
	pthread_cond_t done;
};

/**
 * struct vdfs_helpers - threads that help
 * @lock: Of all that is here, of queues and of jobs; innermost.
 * @work: There is some, or it ends.
 * @turns: Queues that have jobs.
 * @wanted: Threads there may be,
 * @threads: there are,
 * @idle: and that have nothing to do.
 * @stop: They are to end.
 * @thread: Them.
 */
struct vdfs_helpers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct vdfs_job_turns turns;
	unsigned int wanted;
	unsigned int threads;
	unsigned int idle;
	bool stop;
	pthread_t thread[VDFS_HELPERS];
};

/**
 * struct vdfs_store - an open store
 * @dir: Its path.
 * @fd: That directory.
 * @lock_fd: The file that is locked.
 * @object_fd: The directory of files.
 * @object_dirs: Which of the directories in it are known to last.
 * @object_settled: Those in which that is known of the files, too.
 * @options: As it was opened.
 * @failed: The disk could not sync twice: nothing is written any more.
 * @mended: How often a put took the place of what was damaged.
 * @meta: The database.
 * @pins: Hashes in use.
 * @packs: Segments.
 * @helpers: Threads that help with large blobs.
 * @lock: Of @puts and the lists these make.
 * @puts: Puts in progress.
 * @gc: Held by the one collection of garbage or check there may be.
 * @remote_ops: Of the remote it is a cache of, or NULL.
 * @remote: That.
 */
struct vdfs_store {
	char *dir;
	int fd;
	int lock_fd;
	int object_fd;
	atomic_bool object_dirs[256];
	atomic_bool object_settled[256];
	struct vdfs_store_options options;
	atomic_bool failed;
	atomic_ulong mended;
	struct vdfs_meta *meta;
	struct vdfs_pins pins;
	struct vdfs_packs packs;
	struct vdfs_helpers helpers;
	pthread_mutex_t lock; /* innermost */
	struct vdfs_put *puts;
	pthread_mutex_t gc; /* outermost */
	const struct vdfs_remote_ops *remote_ops;
	struct vdfs_remote *remote;
};

/* hash.c, crc.c */
uint32_t vdfs_crc32c(uint32_t crc, const void *data, size_t len);
int vdfs_hash_bytes(const void *data, size_t len, struct vdfs_hash *out);
bool vdfs_hash_equal(const struct vdfs_hash *a, const struct vdfs_hash *b);
struct evp_md_ctx_st *vdfs_hash_new(void);
int vdfs_hash_more(struct evp_md_ctx_st *ctx, const void *data, size_t len);
int vdfs_hash_end(struct evp_md_ctx_st *ctx, struct vdfs_hash *out);
void vdfs_hash_free(struct evp_md_ctx_st *ctx);
int vdfs_hash_job(struct vdfs_job *job);

/* job.c */
void vdfs_helpers_init(struct vdfs_helpers *pool);
void vdfs_helpers_fini(struct vdfs_helpers *pool);
void vdfs_jobs_init(struct vdfs_jobs *queue);
void vdfs_jobs_fini(struct vdfs_helpers *pool, struct vdfs_jobs *queue);
void vdfs_job_start(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		    struct vdfs_job *job);
int vdfs_job_wait(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		  struct vdfs_job *job);

/* pin.c */
void vdfs_pins_init(struct vdfs_pins *pins);
void vdfs_pins_fini(struct vdfs_pins *pins);
int vdfs_pin(struct vdfs_store *store, const struct vdfs_hash *hash);
void vdfs_unpin(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_claim(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_claim_unused(struct vdfs_store *store, const struct vdfs_hash *hash);
void vdfs_unclaim(struct vdfs_store *store, const struct vdfs_hash *hash);

/* pack.c */
int vdfs_packs_open(struct vdfs_store *store);
void vdfs_packs_close(struct vdfs_store *store);
struct vdfs_segment *vdfs_segment_get(struct vdfs_store *store,
				      uint32_t number);
void vdfs_segment_put(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_reserve(struct vdfs_store *store,
			 struct vdfs_record *const *out, unsigned int n);
int vdfs_segment_sync(struct vdfs_store *store, struct vdfs_segment *seg);
void vdfs_segment_seal(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_remove(struct vdfs_store *store, struct vdfs_segment *seg);
bool vdfs_segment_sound(struct vdfs_segment *seg);
int vdfs_fsync_dir(int fd);

/* pack_find.c */
int vdfs_packs_add(struct vdfs_packs *packs, struct vdfs_segment *seg);
void vdfs_packs_drop(struct vdfs_packs *packs, struct vdfs_segment *seg);
struct vdfs_segment *vdfs_packs_find(const struct vdfs_packs *packs,
				     uint32_t from);
uint32_t vdfs_packs_next(struct vdfs_store *store, uint32_t from);

/* record.c */
int vdfs_record_write(struct vdfs_store *store, const struct vdfs_hash *hash,
		      const void *data, size_t len, struct vdfs_record *out);
int vdfs_record_check(struct vdfs_store *store,
		      const struct vdfs_object *object);
int vdfs_records_write(struct vdfs_store *store, const struct vdfs_writing *w,
		       unsigned int n);
int vdfs_record_copy(struct vdfs_store *store, const struct vdfs_object *from,
		     struct vdfs_record *out);
void vdfs_record_end(struct vdfs_store *store, struct vdfs_record *record,
		     bool kept);
int vdfs_record_read(struct vdfs_store *store, const struct vdfs_object *object,
		     void *buf);
void vdfs_record_punch(struct vdfs_store *store,
		       const struct vdfs_object *object);

/* object.c: rows, inside a transaction */
#define VDFS_OBJECT_COLUMNS                                          \
	"object.id, object.hash, object.size, object.kind, users,\n" \
	"object.parts, segment, place, stored"
int vdfs_object_row(struct sqlite3_stmt *st, struct vdfs_object *out);
int vdfs_object_find(struct sqlite3 *db, const struct vdfs_hash *hash,
		     struct vdfs_object *out);
int vdfs_object_load(struct sqlite3 *db, int64_t id, struct vdfs_object *out);
int vdfs_object_insert(struct sqlite3 *db, const struct vdfs_object *object,
		       int64_t *id);
int vdfs_object_vacate(struct sqlite3 *db, const struct vdfs_object *object);
int vdfs_object_adopt(struct sqlite3 *db, const struct vdfs_object *from,
		      struct vdfs_object *to);
int vdfs_object_lookup(struct vdfs_store *store, const struct vdfs_hash *hash,
		       struct vdfs_object *out);
int vdfs_object_mend(struct sqlite3 *db, struct vdfs_store *store,
		     struct vdfs_object *object, uint64_t size,
		     const struct vdfs_record *record);

/* file.c of objects */
void vdfs_file_path(const struct vdfs_hash *hash,
		    char path[VDFS_HASH_TEXT + 1]);
int vdfs_file_open(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_file_temporary(struct vdfs_store *store);
int vdfs_file_link(struct vdfs_store *store, int fd,
		   const struct vdfs_hash *hash);
int vdfs_file_settle(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_file_unlink(struct vdfs_store *store, const struct vdfs_hash *hash);
/* Ends the name of one that is about to take the place of another. */
#define VDFS_FILE_BESIDE ".new"

/* chunk.c */
size_t vdfs_chunk_cut(const uint8_t *data, size_t len);
#define VDFS_CHUNK_MAX ((size_t)256 << 10)

/* quota.c: references, inside a transaction */
int vdfs_ref_name(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object, int names);
int vdfs_ref_keep(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object);
int vdfs_ref_drop(struct sqlite3 *db, uint32_t uid,
		  const struct vdfs_object *object);
int vdfs_ref_has(struct sqlite3 *db, uint32_t uid, int64_t object);

/* blob.c, name.c: who may see what, inside a transaction */
int vdfs_blob_visible(struct sqlite3 *db, const struct vdfs_who *who,
		      const struct vdfs_object *object);
int vdfs_name_shows(struct sqlite3 *db, const struct vdfs_who *who,
		    int64_t object);
int vdfs_name_set(struct sqlite3 *db, struct vdfs_store *store,
		  const struct vdfs_who *who, const char *path,
		  const struct vdfs_object *object);
struct vdfs_place;
struct vdfs_stat;
int vdfs_name_place(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_who *who, const struct vdfs_place *place,
		    const struct vdfs_object *object, struct vdfs_stat *st);

/* store.c, gc.c, put.c */
int vdfs_store_writable(struct vdfs_store *store);
int vdfs_store_write(struct vdfs_store *store, vdfs_meta_fn *fn, void *arg);
void vdfs_store_reserve(struct vdfs_store *store);
int vdfs_store_check_log(struct vdfs_store *store);
int vdfs_store_expect_log(struct vdfs_store *store);
void vdfs_store_settle(struct vdfs_store *store);
int vdfs_gc_objects(struct vdfs_store *store);
bool vdfs_put_makes(struct vdfs_store *store, int64_t list);
int vdfs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);

#define VDFS_SUMS_ROW 1024 /* blocks with their checksums in one row */

#endif /* VDFS_STORE_IMPL_H */
