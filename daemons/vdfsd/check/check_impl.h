/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FSCK_IMPL_H
#define VDFS_FSCK_IMPL_H

#include <sqlite3.h>

#include "names/node.h"
#include "sql/meta.h"
#include "store/gc.h"
#include "store/object.h"
#include "store/pack.h"
#include "store/pin.h"
#include "store/record.h"

/**
 * struct vdfs_fsck - a check in progress
 * @store: The store, whose gc lock is held: nothing moves or goes, but a put
 *         may mend what is damaged.
 * @flags: VDFS_FSCK_*.
 * @report: Where lines go, or NULL.
 * @progress: To tell, or NULL.
 * @arg: Argument of both.
 * @result: Counts of blobs, bytes and faults.
 * @total: Bytes to read, as far as is known.
 * @bad: Rows of objects that are damaged.
 * @n_bad: How many.
 * @mended: vdfs_store_mended() when the check began.
 */
struct vdfs_fsck {
	struct vdfs_store *store;
	uint32_t flags;
	void (*report)(void *arg, const char *line);
	vdfs_store_progress *progress;
	void *arg;
	struct vdfs_fsck_result result;
	uint64_t total;
	int64_t *bad;
	size_t n_bad;
	unsigned long mended;
};

/**
 * struct vdfs_rule - something that holds between rows
 * @what: Name of the rows that break it, for people; NULL behind the last rule.
 * @find: Counts them.
 * @mend: Statements that make it hold, four or NULL behind the last.
 */
struct vdfs_rule {
	const char *what;
	const char *find;
	const char *mend[4];
};

/* items.c */
extern const struct vdfs_rule vdfs_fsck_items[];

void vdfs_fsck_fault(struct vdfs_fsck *f, uint64_t n, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int vdfs_fsck_read(struct vdfs_fsck *f, uint64_t bytes);
int vdfs_fsck_bad(struct vdfs_fsck *f, int64_t object);

/* bytes.c, rows.c, packs.c */
int vdfs_fsck_objects(struct vdfs_fsck *f);
int vdfs_fsck_rows(struct vdfs_fsck *f);
int vdfs_fsck_packs(struct vdfs_fsck *f);

#endif /* VDFS_FSCK_IMPL_H */
