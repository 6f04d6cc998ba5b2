/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_AWAY_H
#define VDFS_AWAY_H

#include "object.h"

struct vdfs_blob;
struct vdfs_name_ops;
struct vdfs_remote;

/**
 * struct vdfs_away_ops - a remote that a store is a cache of
 * @names: Its operations on names; names.h.
 * @fetch: Gets the bytes of an object whose kind is VDFS_AWAY.
 * @used: A blob was opened.
 * @detach: Ends it.
 */
struct vdfs_away_ops {
	const struct vdfs_name_ops *names;
	int (*fetch)(struct vdfs_store *store,
		     const struct vdfs_object *object);
	void (*used)(struct vdfs_store *store, const struct vdfs_hash *hash);
	void (*detach)(struct vdfs_store *store);
};

/* vdfs_blob_open_here() returns it when only the remote has the bytes. */
#define VDFS_BLOB_AWAY 1

/* Opening and keeping for names/blobs.c, which asks the remote. */
int vdfs_blob_open_here(struct vdfs_store *store, const struct vdfs_who *who,
			const struct vdfs_hash *hash, struct vdfs_blob **out,
			struct vdfs_object *away);
int vdfs_blob_open_row(struct vdfs_store *store,
		       const struct vdfs_object *object,
		       struct vdfs_blob **out);
int vdfs_blob_keep_here(struct vdfs_store *store, const struct vdfs_who *who,
			const struct vdfs_hash *hash);

/* @ops NULL: it has none, or none yet. Before the store's other threads. */
void vdfs_store_set_remote(struct vdfs_store *store,
			   const struct vdfs_away_ops *ops,
			   struct vdfs_remote *remote);
const struct vdfs_away_ops *vdfs_store_away(const struct vdfs_store *store);
struct vdfs_remote *vdfs_store_remote(const struct vdfs_store *store);

#endif /* VDFS_AWAY_H */
