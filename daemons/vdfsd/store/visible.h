/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VISIBLE_H
#define VDFS_VISIBLE_H

#include "sql/meta.h"
#include "store.h"

/* Visibility to a user, inside a transaction: 1, 0 or a negative errno. */
int vdfs_blob_visible(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_who *who,
		      const struct vdfs_object *object);

/* The blob of a content that a user sees: 0, -ENOENT or another errno. */
int vdfs_blob_find(struct sqlite3 *db, struct vdfs_store *store,
		   const struct vdfs_who *who, const struct vdfs_hash *hash,
		   struct vdfs_object *out);

/* A change that gives room back: it may use what is reserved for that. */
int vdfs_store_write(struct vdfs_store *store, vdfs_meta_fn *fn, void *arg);

#endif /* VDFS_VISIBLE_H */
