/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_META_IMPL_H
#define VDFS_META_IMPL_H

#include <pthread.h>
#include <stdbool.h>

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

/**
 * struct vdfs_meta - an open database
 * @path: Of its file.
 * @schemas: Statements that make its tables, with a NULL behind the last.
 * @flags: VDFS_META_*.
 * @writer: The committer's connection; NULL when read-only.
 * @committer: Thread that runs all writes.
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
	pthread_t committer;
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
void vdfs_meta_stop(struct vdfs_meta *meta);
int vdfs_sql_functions(struct sqlite3 *db);
void vdfs_sql_reset(struct sqlite3 *db);
void vdfs_sql_close(struct sqlite3 *db);

#endif /* VDFS_META_IMPL_H */
