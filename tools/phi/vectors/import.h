/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_IMPORT_H
#define VDFS_IMPORT_H

#include "collection/collection.h"

/**
 * DOC: Import
 *
 * Items from a file or a pipe, some thousand at a time, in memory that does
 * not depend on how many there are, but for 22 to 43 bytes a line of JSON with
 * @unique. Nothing is believed that a file says of
 * itself but what has been read of it; the first thing wrong ends it, with
 * the row or line, from 1 on, and a reason in vdfs_import_why():
 *   EINVAL     not a file of its format, or of a kind that is not read
 *   EBADMSG    it ends too early, or has more than it says
 *   EMSGSIZE   rows of different lengths, or too long
 *   EDOM       an element that is no finite number
 *   E2BIG      a line, key or metadata too long
 *   EEXIST     a key that an earlier line has, with @unique
 *
 * Where a format has no keys they are the numbers of the rows, from 0 on, of
 * ten digits, so that their order is that of the rows.
 */

enum vdfs_format {
	VDFS_FORMAT_FVECS, /* each row: int32 length, f32 */
	VDFS_FORMAT_BVECS, /* the same with bytes, 0 to 255 */
	VDFS_FORMAT_IVECS, /* the same with int32 */
	VDFS_FORMAT_NPY, /* NumPy: f2 f4 f8 i1 u1, in C order, versions 1-3 */
	VDFS_FORMAT_IDX, /* as MNIST comes; two dimensions or more */
	VDFS_FORMAT_JSONL, /* {"id": …, "vector": […], "metadata": {…}} a line */
};

/**
 * struct vdfs_import_options - how a file is read
 * @format: enum vdfs_format.
 * @prefix: Before the numbers that serve as keys; NULL = "".
 * @first: The first such number.
 * @shift: Added to every element: -128 makes bytes fit int8, and changes no
 *         L2 distance.
 * @unique: A key that comes twice is an error.
 */
struct vdfs_import_options {
	enum vdfs_format format;
	const char *prefix;
	uint64_t first;
	float shift;
	bool unique;
};

struct vdfs_import;

int vdfs_import_format(const char *path, enum vdfs_format *out);
int vdfs_import_open(int fd, const struct vdfs_import_options *options,
		     struct vdfs_import **out);
int vdfs_import_next(struct vdfs_import *im, const struct vdfs_item **items,
		     size_t *n);
uint32_t vdfs_import_dim(const struct vdfs_import *im);
uint64_t vdfs_import_rows(const struct vdfs_import *im);
/* Of an item that vdfs_import_next() gave: "row" or "line", and which, from 1. */
const char *vdfs_import_unit(const struct vdfs_import *im);
uint64_t vdfs_import_place_of(const struct vdfs_import *im, size_t i);
const char *vdfs_import_why(const struct vdfs_import *im);
void vdfs_import_close(struct vdfs_import *im);

#endif /* VDFS_IMPORT_H */
