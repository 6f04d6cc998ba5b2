/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_BLOB_IMPL_H
#define VDFS_BLOB_IMPL_H

#include "store_impl.h"

/**
 * struct vdfs_blob - an open blob
 * @store: The store, in which its hash is pinned.
 * @object: Its row in the database when it was opened.
 * @fd: Its file, or -1.
 * @lock: Of what is below.
 * @buf: Room for one record, NULL until it is needed.
 * @in_buf: Row of the object that is there; 0 = none.
 * @sums: Checksums of blocks of its file, NULL until they are needed.
 * @n_sums: How many.
 * @sums_from: Number of the first block they are for.
 */
struct vdfs_blob {
	struct vdfs_store *store;
	struct vdfs_object object;
	int fd;
	pthread_mutex_t lock; /* outside of the database's */
	char *buf;
	int64_t in_buf;
	uint32_t *sums;
	uint64_t n_sums;
	uint64_t sums_from;
};

int vdfs_blob_read_file(struct vdfs_blob *blob, char *buf, size_t len,
			uint64_t offset);

#endif /* VDFS_BLOB_IMPL_H */
