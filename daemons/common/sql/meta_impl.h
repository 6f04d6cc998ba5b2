/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_META_IMPL_H
#define VDFS_META_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "meta.h"

/**
 * struct vdfs_conn - a reader's connection that waits for its next one
 * @db: In no transaction.
 * @next: In the list of those.
 */
struct vdfs_conn {
	struct sqlite3 *db;
	struct vdfs_conn *next;
};

struct vdfs_request;
struct vdfs_after;

/**
 * struct vdfs_meta - an open database
 * @path: Of its file.
 * @schemas: Statements that make its tables, with a NULL behind the last.
 * @flags: VDFS_META_*.
 * @writer: The committer's connection; NULL when read-only.
 * @dir: The directory of the file, for the reserve; -1 when read-only.
 * @reserve: Bytes to keep there.
 * @tight: They are not there: nothing is written but by vdfs_meta_free().
 * @room: Held by the one who has given the reserve up, or makes it.
 * @committer: Thread that runs all writes.
 * @after: Things to do behind the commit, oldest first; the committer's.
 * @after_last: Where the next of them is linked.
 * @lock: Of all below.
 * @work: A request came, or @stop was set.
 * @first: Requests that wait, oldest first.
 * @last: Where the next one is linked.
 * @started: The committer runs.
 * @stop: It shall end when no request is left.
 * @broken: A sync failed; nothing is written any more.
 * @idle: Connections for readers.
 * @idles: How many.
 */
struct vdfs_meta {
	char *path;
	const char *const *schemas;
	uint32_t flags;
	struct sqlite3 *writer;
	int dir;
	off_t reserve;
	atomic_bool tight;
	pthread_mutex_t room; /* outermost */
	pthread_t committer;
	struct vdfs_after *after;
	struct vdfs_after **after_last;
	pthread_mutex_t lock; /* innermost but for SQLite's own */
	pthread_cond_t work;
	struct vdfs_request *first;
	struct vdfs_request **last;
	bool started;
	bool stop;
	bool broken;
	struct vdfs_conn *idle;
	unsigned int idles;
};

int vdfs_meta_connect(struct vdfs_meta *meta, bool writer,
		      struct sqlite3 **out);
int vdfs_meta_start(struct vdfs_meta *meta);
int vdfs_meta_after_begin(struct vdfs_meta *meta);
void vdfs_meta_after_end(struct vdfs_meta *meta, struct vdfs_after **from,
			 bool committed);
/* @fn NULL: vdfs_meta_shrink(). */
int vdfs_meta_commit(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
int vdfs_meta_room_open(struct vdfs_meta *meta);
int vdfs_meta_log_pages(const struct vdfs_meta *meta);
int vdfs_meta_shrink(struct vdfs_meta *meta);
int vdfs_meta_unused(struct sqlite3 *db, int *pages);
void vdfs_meta_stop(struct vdfs_meta *meta);
int vdfs_sql_functions(struct sqlite3 *db);
void vdfs_sql_reset(struct sqlite3 *db);
void vdfs_sql_close(struct sqlite3 *db);

#endif /* VDFS_META_IMPL_H */
