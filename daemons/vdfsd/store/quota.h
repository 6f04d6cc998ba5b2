/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_QUOTA_H
#define VDFS_QUOTA_H

#include "object.h"

/* References, inside a transaction. */
int vdfs_ref_name(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object, int names);
int vdfs_ref_keep(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object);
int vdfs_ref_drop(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object);
int vdfs_ref_find(struct sqlite3 *db, uint32_t uid,
		  const struct vdfs_hash *hash, bool kept,
		  struct vdfs_object *out);
int vdfs_ref_has(struct sqlite3 *db, uint32_t uid, int64_t object);

#endif /* VDFS_QUOTA_H */
