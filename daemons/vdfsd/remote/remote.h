/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_REMOTE_H
#define VDFS_REMOTE_H

#include "s3/s3.h"
#include "store/store.h"

/**
 * DOC: Blobs behind s3://
 *
 * Stores on several hosts share a bucket, and each is a cache of it:
 *
 *	blob/HEX	the bytes of each blob that has a name, or, when it is
 *	blob/HEX.N	longer than a piece: its pieces, from 1 on
 *	name/PATH	JSON: hash, size, owner, group, mode, mtime; with a "_" at the
 *			end for a directory. Other bytes than letters, digits,
 *			".", "-" and "/" are "_" and two hexadecimal digits.
 *
 * A put with a name, or a change of names, has succeeded when the bucket and
 * the disk have it, and has failed without a change when the bucket could
 * not be reached. Of two hosts that change one name, the later wins. Changes of
 * other hosts are seen after @fresh_ms at the latest. Blobs are fetched when
 * they are first opened, compared with their hash, and kept; above @budget
 * those leave the disk that were not opened for the longest time. Names and
 * blobs that are here serve while the bucket cannot be reached.
 *
 * Not shared: blobs without a name, which stay here, attributes,
 * collections, and names from before the remote was attached, until they
 * change. A user who may write to the bucket decides who owns what in it.
 */

/**
 * struct vdfs_remote_options - how a remote is used
 * @s3: How it is reached; the URL is given apart.
 * @budget: Bytes of blobs here that the bucket has too; 0 = any.
 * @fresh_ms: How long what it said of names holds; 0 = 5 s.
 * @grace_s: Age from which on garbage is deleted from it; 0 = a day. No put
 *           may take longer than half of it, on any host.
 * @piece: Bytes of a blob that are one object, on all hosts; 0 = 64 MiB.
 */
struct vdfs_remote_options {
	struct vdfs_s3_options s3;
	uint64_t budget;
	uint32_t fresh_ms;
	uint32_t grace_s;
	uint64_t piece;
};

/**
 * struct vdfs_remote_gc_result - what a collection in a bucket did
 * @names: Names of blobs there.
 * @blobs: Blobs there before.
 * @young: Without a name, but too young to be deleted.
 * @deleted: Deleted.
 * @bytes: Bytes of these.
 */
struct vdfs_remote_gc_result {
	uint64_t names;
	uint64_t blobs;
	uint64_t young;
	uint64_t deleted;
	uint64_t bytes;
};

/* Before the store has users; vdfs_store_close() ends it. */
int vdfs_remote_attach(struct vdfs_store *store, const char *url,
		       const struct vdfs_remote_options *options);
/* Delete blobs without a name from the bucket. One host at a time. */
int vdfs_remote_gc(struct vdfs_store *store, struct vdfs_remote_gc_result *out);

#endif /* VDFS_REMOTE_H */
