/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_IMPORT_IMPL_H
#define VDFS_IMPORT_IMPL_H

#include "import.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define IMPORT_ROWS 4096 /* at a time, at most */
#define IMPORT_BYTES ((size_t)8 << 20) /* of their vectors, about */
#define IMPORT_LINE ((size_t)4 << 20) /* of JSON */
#define ROWS_UNKNOWN UINT64_MAX

enum vdfs_element {
	ELEMENT_U8,
	ELEMENT_I8,
	ELEMENT_I16,
	ELEMENT_I32,
	ELEMENT_F16,
	ELEMENT_F32,
	ELEMENT_F64,
};

/**
 * struct vdfs_import_key - a key that a file had
 * @hash: Of the key.
 * @more: Bits of another hash of the key.
 * @line: The line that has it, from 1; 0 = the entry is free.
 */
struct vdfs_import_key {
	uint64_t hash;
	uint32_t more;
	uint32_t line;
};

/**
 * struct vdfs_import - a file being read
 * @fd: It; the caller's.
 * @options: How.
 * @prefix: Copy of that of @options.
 * @buf: Bytes read and not used yet, from @start to @end.
 * @room: Of @buf.
 * @start: See @buf.
 * @end: See @buf.
 * @eof: No more will come.
 * @dim: Length of the vectors, 0 = not known yet.
 * @rows: How many there are, by its own account, or ROWS_UNKNOWN.
 * @row: Rows or lines read so far.
 * @element: Type of the elements of a vector in the file.
 * @big_endian: The bytes of an element are the other way round.
 * @batch: Rows at a time, once @dim is known.
 * @vectors: shape [batch][dim].
 * @items: shape [batch].
 * @texts: Keys and metadata of the items, shape [2 * batch], some NULL.
 * @places: Row or line of each item, from 1, shape [batch].
 * @keys: Keys so far, shape [keys_room], open addressing.
 * @keys_room: A power of two, or 0.
 * @keys_n: Keys in @keys.
 * @why: The fault in the file, as text.
 * @failed: The error, kept.
 */
struct vdfs_import {
	int fd;
	struct vdfs_import_options options;
	char *prefix;
	char *buf;
	size_t room;
	size_t start;
	size_t end;
	bool eof;
	uint32_t dim;
	uint64_t rows;
	uint64_t row;
	enum vdfs_element element;
	bool big_endian;
	size_t batch;
	float *vectors;
	struct vdfs_item *items;
	char **texts;
	uint64_t *places;
	struct vdfs_import_key *keys;
	size_t keys_room;
	size_t keys_n;
	char why[256];
	int failed;
};

/* import.c */
int vdfs_import_fail(struct vdfs_import *im, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
uint64_t vdfs_import_place(const struct vdfs_import *im);
int vdfs_import_need(struct vdfs_import *im, size_t bytes);
int vdfs_import_set_dim(struct vdfs_import *im, uint64_t dim);
int vdfs_import_number(struct vdfs_import *im, size_t i);

/* import_keys.c */
int vdfs_import_key(struct vdfs_import *im, const char *key);

/* import_rows.c */
size_t vdfs_import_element_bytes(const struct vdfs_import *im);
int vdfs_import_row(struct vdfs_import *im, float *out);

/* import_npy.c, import_idx.c, import_jsonl.c */
int vdfs_import_npy(struct vdfs_import *im);
int vdfs_import_idx(struct vdfs_import *im);
int vdfs_import_line(struct vdfs_import *im, size_t i);

#endif /* VDFS_IMPORT_IMPL_H */
