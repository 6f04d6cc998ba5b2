/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_PUT_IMPL_H
#define VDFS_PUT_IMPL_H

#include <semaphore.h>

#include "store_impl.h"

/**
 * DOC: A large put
 *
 * Bytes that come are collected in one of two windows. A full window is cut
 * into pieces, whose hashes and that of the whole are given to the store's
 * helpers; then the pieces of the other window, hashed by now, are looked up
 * and written, and that is filled next. So a put needs the same memory however
 * large it is.
 *
 * Bytes are copied three times from a client's memory to the page cache of the
 * disk: by the client into the region that it shares with the daemon (the
 * library reads a file into its own memory before that); out of the region,
 * where the client may still change or revoke them, into a window, which is a
 * memfd so that the kernel copies (vdfs_put_space(), daemons/common/stage.h);
 * and by pwritev() out of the window, where they were hashed. A small blob has
 * the stage of its call in place of a window (vdfs_put_lend()). Small pieces of
 * a put that may become large are collected once more, in @buf.
 *
 * Pieces that are written make groups: a full one is synced and
 * committed by a thread of its own while the next one fills, the last one
 * together with the blob.
 */

#define VDFS_WINDOW ((size_t)2 << 20)
#define VDFS_PARTS 512 /* of a group */
#define VDFS_PART_SLOTS 1024

/**
 * struct vdfs_part - a piece of a blob that is being put
 * @hash: Of the piece.
 * @hashing: Takes it.
 * @data: Its bytes, until it is written.
 * @start: Where in the blob it begins.
 * @len: How long it is.
 * @there: The object that was there already; its row is 0 when none was, and
 *         when it is damaged.
 * @damaged: It is.
 * @record: Where it was written to, if it was.
 * @pinned: The hash is.
 * @kept: The record is now the object's.
 */
struct vdfs_part {
	struct vdfs_hash hash;
	struct vdfs_hashing hashing;
	const uint8_t *data;
	uint64_t start;
	uint32_t len;
	struct vdfs_object there;
	bool damaged;
	struct vdfs_record record;
	bool pinned;
	bool kept;
};

/**
 * struct vdfs_group - pieces that are committed at a time
 * @put: The put.
 * @parts: Pieces cut and not committed yet.
 * @n_parts: How many.
 * @slot: By hash, 1 + number of the part in @parts that was written.
 * @err: Result of the last commit.
 */
struct vdfs_group {
	struct vdfs_put *put;
	struct vdfs_part *parts;
	unsigned int n_parts;
	uint16_t *slot;
	int err;
};

/**
 * struct vdfs_committer - a thread that commits groups
 * @thread: The thread,
 * @started: if there is one.
 * @go: There is a group, or none and no more.
 * @done: It is committed, or could not be.
 * @group: The group; NULL = end.
 * @busy: Given to it, and not waited for; the put's.
 */
struct vdfs_committer {
	pthread_t thread;
	bool started;
	sem_t go;
	sem_t done;
	struct vdfs_group *group;
	bool busy;
};

/**
 * struct vdfs_window - bytes of a put
 * @mem: VDFS_CHUNK_MAX bytes for the end of the other window, then room for
 *       VDFS_WINDOW that come; NULL = not needed so far. With a memfd it is a
 *       part of that of the stream.
 * @start: The first that is not cut.
 * @end: Behind the last.
 * @hole: Zeros that the caller knows to be some: the longest row of them,
 * @hole_end: and behind it.
 * @whole: Hashes what came.
 * @part: Its first part in the group,
 * @parts: and how many it has.
 * @pending: Cut, and not written and hashed.
 */
struct vdfs_window {
	uint8_t *mem;
	size_t start;
	size_t end;
	size_t hole;
	size_t hole_end;
	struct vdfs_hashing whole;
	unsigned int part;
	unsigned int parts;
	bool pending;
};

/**
 * struct vdfs_stream - what a put needs when it is large
 * @mem_fd: A memfd that has both windows, or -1.
 * @mem: That, mapped, or NULL.
 * @ctx: Hash so far.
 * @queue: Pieces that are being hashed.
 * @window: Two windows.
 * @now: The one that is being filled.
 * @cut: Bytes that have been cut, or written to a file.
 * @group: Two groups.
 * @filling: The one that takes parts.
 * @committer: Has the other one.
 * @fd: File of a whole one, or -1.
 * @sums: Checksums of its blocks.
 * @n_sums: How many.
 */
struct vdfs_stream {
	int mem_fd;
	uint8_t *mem;
	struct evp_md_ctx_st *ctx;
	struct vdfs_jobs queue;
	struct vdfs_window window[2];
	unsigned int now;
	uint64_t cut;
	struct vdfs_group group[2];
	unsigned int filling;
	struct vdfs_committer committer;
	int fd;
	uint32_t *sums;
	size_t n_sums;
};

/**
 * struct vdfs_put - a blob that is being put
 * @store: The store.
 * @next: In the store's list.
 * @who: For whom.
 * @flags: VDFS_PUT_*.
 * @user: Owner of its content, as in struct vdfs_object.
 * @fills: Brings the bytes of an object that is away; changes nothing else.
 * @err: Why it cannot succeed any more.
 * @size: All that has come.
 * @buf: That, as long as it is small.
 * @room: Size of @buf; 0 with bytes in it = they are the caller's.
 * @stream: The part of a large one that came, or NULL.
 * @list: Row of the list of parts, once some are committed; store.lock.
 * @payer: The user who is charged for the put itself, with
 * @staged: bytes as staged, beside those
 * @covered: that the caller has charged,
 * @memory: and bytes for @buf or the windows.
 */
struct vdfs_put {
	struct vdfs_store *store;
	struct vdfs_put *next;
	struct vdfs_who who;
	uint32_t flags;
	int64_t user;
	bool fills;
	int err;
	uint64_t size;
	uint8_t *buf;
	size_t room;
	struct vdfs_stream *stream;
	int64_t list;
	uint32_t payer;
	uint64_t staged;
	uint64_t covered;
	uint64_t memory;
};

/* put.c */
void vdfs_put_free_buf(struct vdfs_put *put);

/* put_user.c */
int vdfs_put_charge_begin(struct vdfs_put *put);
int vdfs_put_charge_memory(struct vdfs_put *put, uint64_t bytes);
int vdfs_put_charge_staged(struct vdfs_put *put);
bool vdfs_put_leave(struct vdfs_put *put);
void vdfs_put_charge_end(struct vdfs_put *put);

/* put_stream.c */
int vdfs_stream_new(struct vdfs_put *put, bool memfd);
int vdfs_stream_write(struct vdfs_put *put, const uint8_t *data, size_t len);
int vdfs_stream_end(struct vdfs_put *put, struct vdfs_hash *out);
void vdfs_stream_free(struct vdfs_put *put);

/* put_list.c */
void vdfs_list_cut(struct vdfs_put *put, struct vdfs_window *w, bool last);
int vdfs_list_write(struct vdfs_put *put, struct vdfs_window *w, bool last);

/* put_group.c */
int vdfs_group_prepare(struct vdfs_put *put);
bool vdfs_group_full(const struct vdfs_put *put);
int vdfs_group_start(struct vdfs_put *put);
int vdfs_group_wait(struct vdfs_put *put);
void vdfs_group_stop(struct vdfs_put *put);
int vdfs_group_sync(struct vdfs_group *group);
int vdfs_group_add(struct sqlite3 *db, struct vdfs_group *group);
int vdfs_group_same(struct sqlite3 *db, const struct vdfs_group *group,
		    int64_t list);
void vdfs_group_reset(struct vdfs_group *group, int64_t list, bool kept);
void vdfs_group_forget(struct vdfs_group *group);

/* put_there.c */
int vdfs_put_relies(struct vdfs_put *put, const struct vdfs_hash *hash,
		    struct vdfs_object *there);
int vdfs_put_check(struct vdfs_store *store, uint64_t size,
		   struct vdfs_object *there);
int vdfs_put_same_parts(struct sqlite3 *db, int64_t a, int64_t b);

/* put_file.c */
int vdfs_put_file_write(struct vdfs_put *put, struct vdfs_window *w, bool last);
int vdfs_put_file_sums(struct sqlite3 *db, struct vdfs_put *put,
		       int64_t object);

#endif /* VDFS_PUT_IMPL_H */
