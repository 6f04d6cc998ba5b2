// SPDX-License-Identifier: LGPL-2.1-or-later
#include <endian.h>
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

static uint32_t crcs[8][256]; /* of a byte, with so many zeros behind it */

__attribute__((constructor)) static void fill_crcs(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		crcs[0][i] = crc;
	}
	for (int n = 1; n < 8; n++) {
		for (int i = 0; i < 256; i++)
			crcs[n][i] = crcs[n - 1][i] >> 8 ^
				     crcs[0][crcs[n - 1][i] & 0xff];
	}
}

/* CRC-32 of Ethernet and zlib, eight bytes at a time. */
uint32_t mathis_crc32(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t crc = ~0U;

	for (; n >= 8; n -= 8, p += 8) {
		uint32_t low, high;

		memcpy(&low, p, sizeof(low));
		memcpy(&high, p + 4, sizeof(high));
		low = le32toh(low) ^ crc;
		high = le32toh(high);
		crc = crcs[7][low & 0xff] ^ crcs[6][low >> 8 & 0xff] ^
		      crcs[5][low >> 16 & 0xff] ^ crcs[4][low >> 24] ^
		      crcs[3][high & 0xff] ^ crcs[2][high >> 8 & 0xff] ^
		      crcs[1][high >> 16 & 0xff] ^ crcs[0][high >> 24];
	}
	while (n--)
		crc = crc >> 8 ^ crcs[0][(crc ^ *p++) & 0xff];
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
