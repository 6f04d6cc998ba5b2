// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

void mathis_buf_fini(struct mathis_buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* Append @n bytes, zeros where @data is NULL; where they stand, or NULL. */
void *mathis_buf_add(struct mathis_buf *b, const void *data, size_t n)
{
	void *at;

	if (b->bad)
		return NULL;
	if (n > b->room - b->size) {
		size_t room = (b->size + n) * 2 + 64;
		void *more = realloc(b->data, room);

		if (!more) {
			b->bad = true;
			return NULL;
		}
		b->data = more;
		b->room = room;
	}
	if (!n)
		return b->data;
	at = b->data + b->size;
	if (data)
		memcpy(at, data, n);
	else
		memset(at, 0, n);
	b->size += n;
	return at;
}

/* Append a little-endian number of @n bytes. */
void mathis_buf_put(struct mathis_buf *b, uint64_t v, size_t n)
{
	size_t at = b->size;

	if (mathis_buf_add(b, NULL, n))
		mathis_buf_set(b, at, v, n);
}

/* Overwrite @n bytes at @at, which were appended before. */
void mathis_buf_set(struct mathis_buf *b, size_t at, uint64_t v, size_t n)
{
	if (b->bad)
		return;
	for (size_t i = 0; i < n; i++)
		b->data[at + i] = v >> (8 * i);
}

/* Append text, without its final zero. */
void mathis_buf_print(struct mathis_buf *b, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(text)) {
		char *more = malloc(n + 1);

		if (!more) {
			b->bad = true;
			return;
		}
		va_start(args, fmt);
		vsnprintf(more, n + 1, fmt, args);
		va_end(args);
		mathis_buf_add(b, more, n);
		free(more);
		return;
	}
	mathis_buf_add(b, text, n);
}

/* CRC-32 of Ethernet and zlib, a half byte at a time. */
uint32_t mathis_crc32(const void *data, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;
	uint32_t crc = ~0U;

	while (n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* Whether bytes are UTF-8: shortest forms, no surrogates. */
bool mathis_utf8(const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n;) {
		uint32_t c = p[i++];
		uint32_t least;
		int more;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c < 0xe0) {
			more = 1;
			least = 0x80;
		} else if (c >= 0xe0 && c < 0xf0) {
			more = 2;
			least = 0x800;
		} else if (c >= 0xf0 && c < 0xf5) {
			more = 3;
			least = 0x10000;
		} else {
			return false;
		}
		c &= 0x3f >> more;
		while (more--) {
			if (i == n || (p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i++] & 0x3f);
		}
		if (c < least || c > 0x10ffff || (c & ~0x7ffU) == 0xd800)
			return false;
	}
	return true;
}
