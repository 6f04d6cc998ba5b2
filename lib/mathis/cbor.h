/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MATHIS_CBOR_H
#define MATHIS_CBOR_H

#include "machine.h"

#define CBOR_DEPTH_MAX 64
#define CBOR_SIZE_MAX (16U << 20) /* bytes of an item */
#define CBOR_ENTRIES_MAX 100000 /* of a map or set */

enum cbor_major {
	CBOR_UINT,
	CBOR_NINT,
	CBOR_BYTES,
	CBOR_TEXT,
	CBOR_ARRAY,
	CBOR_MAP,
	CBOR_TAG,
	CBOR_SIMPLE,
};

enum cbor_simple {
	CBOR_FALSE = 0xf4,
	CBOR_TRUE = 0xf5,
	CBOR_NULL = 0xf6,
	CBOR_F16 = 0xf9,
	CBOR_F32 = 0xfa,
	CBOR_F64 = 0xfb,
};

enum cbor_tag {
	CBOR_TAG_SET = 258, /* registered */
	CBOR_TAG_TUPLE = 0x4d01,
	CBOR_TAG_STRUCT = 0x4d02, /* [type, field...] */
	CBOR_TAG_ENUM = 0x4d03, /* [type, variant, value?] */
	CBOR_TAG_HANDLE = 0x4d05, /* [kind, slot, generation] */
	CBOR_TAG_CHAR = 0x4d06, /* a text of one character */
};

/* A character as UTF-8, at most 4 bytes: their count. */
size_t mathis_put_char(char *text, uint32_t c);

struct mathis_buf;

/* The shortest head of a number; a float of 64 bits. */
void mathis_cbor_head(struct mathis_buf *b, unsigned int major, uint64_t n);
void mathis_cbor_float(struct mathis_buf *b, double d);

#endif
