/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_USAGE_H
#define VDFS_USAGE_H

#include "store.h"

/**
 * enum vdfs_usage_kind - rows that a user has made
 * @VDFS_USAGE_NAMES: Names, directories among them.
 * @VDFS_USAGE_ATTRS: Attributes of names; their bytes are within the quota.
 * @VDFS_USAGE_ITEMS: Items of collections; their bytes are within the quota.
 * @VDFS_USAGE_VALUES: Values of indexed fields; their bytes are within the quota.
 * @VDFS_USAGES: Behind the last.
 *
 * The numbers are in the database, see schema.c.
 */
enum vdfs_usage_kind {
	VDFS_USAGE_NAMES = 1,
	VDFS_USAGE_ATTRS = 2,
	VDFS_USAGE_ITEMS = 3,
	VDFS_USAGE_VALUES = 4,
	VDFS_USAGES,
};

/**
 * struct vdfs_usage - rows of one kind
 * @n: How many there are, or how many more.
 * @bytes: Bytes of the quota that they take.
 */
struct vdfs_usage {
	int64_t n;
	int64_t bytes;
};

/* Inside a transaction; -EDQUOT for bytes beyond the quota, and for rows. */
int vdfs_usage_add(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		   enum vdfs_usage_kind kind, struct vdfs_usage more);
int vdfs_usage_check(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		     enum vdfs_usage_kind kind);
/* @out is by kind. */
int vdfs_usage_get(struct vdfs_store *store, uint32_t uid,
		   struct vdfs_usage out[VDFS_USAGES]);
/* Rows that a quota of so many bytes allows; 0 = any. */
uint64_t vdfs_usage_limit(uint64_t quota, enum vdfs_usage_kind kind);

#endif /* VDFS_USAGE_H */
