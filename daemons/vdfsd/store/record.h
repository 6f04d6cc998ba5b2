/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_RECORD_H
#define VDFS_RECORD_H

#include "object.h"

struct vdfs_segment;

#define VDFS_RECORD_MAGIC 0x53464456U /* "VDFS" */

/**
 * struct vdfs_record - a record that was written, not yet committed
 * @segment: Where to, with a reference; NULL = nowhere.
 * @place: From here on.
 * @stored: Length with its header.
 */
struct vdfs_record {
	struct vdfs_segment *segment;
	uint64_t place;
	uint64_t stored;
};

/**
 * struct vdfs_writing - an object that is to be a record
 * @hash: Of it.
 * @data: Its content.
 * @len: How long that is, at most VDFS_LARGE.
 * @out: Where it is then.
 */
struct vdfs_writing {
	const struct vdfs_hash *hash;
	const void *data;
	size_t len;
	struct vdfs_record *out;
};

int vdfs_record_write(struct vdfs_store *store, const struct vdfs_hash *hash,
		      const void *data, size_t len, struct vdfs_record *out);
int vdfs_record_check(struct vdfs_store *store,
		      const struct vdfs_object *object);
int vdfs_records_write(struct vdfs_store *store, const struct vdfs_writing *w,
		       unsigned int n);
int vdfs_record_copy(struct vdfs_store *store, const struct vdfs_object *from,
		     struct vdfs_record *out);
void vdfs_record_end(struct vdfs_store *store, struct vdfs_record *record,
		     bool kept);
int vdfs_record_probe(struct vdfs_segment *seg, uint64_t place, uint64_t end,
		      struct vdfs_object *out);
int vdfs_record_read(struct vdfs_store *store, const struct vdfs_object *object,
		     void *buf);
void vdfs_record_punch(struct vdfs_store *store,
		       const struct vdfs_object *object);

#endif /* VDFS_RECORD_H */
