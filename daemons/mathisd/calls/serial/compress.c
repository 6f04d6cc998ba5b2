// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1328 and 0x1329: gzip, zlib and deflate, zstd, brotli. A text that grows
 * too much when it is read is a bomb: it is read no further than the limit.
 */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "serial.h"

#define RATIO_MAX 200 /* bytes out for each that comes in */
#define SMALL 65536 /* bytes that may come out of anything */
#define WINDOW_LOG_MAX 24 /* of zstd: memory of the one who reads */
#define BROTLI_WINDOW 22
#define GZIP (15 + 16) /* windowBits of zlib: a gzip header and sum */
#define ZLIB 15
#define DEFLATE (-15)

/* A place for output, in memory of the call. */
struct sink {
	struct md_call *c;
	uint8_t *data;
	size_t n;
	size_t room; /* at most @limit + 1 */
	size_t limit;
};

/* Room for at least one byte more; false: the call failed. */
static bool grow(struct sink *s)
{
	size_t room = s->room ? 2 * s->room : 16384;
	uint8_t *data;

	if (s->n > s->limit)
		return md_fail(s->c, MATHIS_TOO_LARGE,
			       "more than %zu bytes come out",
			       s->limit) == MD_DONE;
	if (md_stopped(s->c))
		return false;
	if (s->n < s->room)
		return true;
	room = room > s->limit ? s->limit + 1 : room;
	data = md_alloc(s->c, room);
	if (!data)
		return false;
	if (s->n)
		memcpy(data, s->data, s->n);
	s->data = data;
	s->room = room;
	return true;
}

static int bad(struct sink *s)
{
	return md_fail(s->c, MATHIS_FORMAT,
		       "the data is damaged, cut off, or of another kind");
}

static int no_memory(struct sink *s)
{
	return md_fail(s->c, MATHIS_OUT_OF_MEMORY, "no memory");
}

/* Members of gzip may follow each other, as gzip(1) reads them. */
static int inflate_all(struct sink *s, const struct mathis_item *in, int bits)
{
	z_stream z = { .next_in = (Bytef *)in->text, .avail_in = in->n };
	int status = MD_FAILED, ret;

	if (inflateInit2(&z, bits) != Z_OK)
		return no_memory(s);
	while (grow(s)) {
		z.next_out = s->data + s->n;
		z.avail_out = (uInt)(s->room - s->n);
		ret = inflate(&z, Z_NO_FLUSH);
		s->n = s->room - z.avail_out;
		if (ret == Z_STREAM_END && !z.avail_in) {
			status = MD_DONE;
			break;
		}
		if (ret == Z_STREAM_END && bits == GZIP &&
		    inflateReset(&z) == Z_OK)
			continue;
		if (ret != Z_OK || (!z.avail_in && z.avail_out)) {
			ret == Z_MEM_ERROR ? no_memory(s) : bad(s);
			break;
		}
	}
	inflateEnd(&z);
	return status;
}

/* Frames of zstd may follow each other. */
static int unzstd(struct sink *s, const struct mathis_item *data)
{
	ZSTD_inBuffer in = { data->text, data->n, 0 };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	int status = MD_FAILED;

	if (!z)
		return no_memory(s);
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	while (grow(s)) {
		ZSTD_outBuffer out = { s->data, s->room, s->n };
		size_t left = ZSTD_decompressStream(z, &out, &in);

		s->n = out.pos;
		if (!left && in.pos == in.size) {
			status = MD_DONE;
			break;
		}
		if (ZSTD_isError(left) ||
		    (in.pos == in.size && out.pos < out.size)) {
			bad(s);
			break;
		}
	}
	ZSTD_freeDCtx(z);
	return status;
}

static int unbrotli(struct sink *s, const struct mathis_item *data)
{
	BrotliDecoderState *z = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	const uint8_t *in = (const uint8_t *)data->text;
	size_t left = data->n;
	int status = MD_FAILED;

	if (!z)
		return no_memory(s);
	while (grow(s)) {
		uint8_t *out = s->data + s->n;
		size_t room = s->room - s->n;
		BrotliDecoderResult ret = BrotliDecoderDecompressStream(
			z, &left, &in, &room, &out, NULL);

		s->n = s->room - room;
		if (ret == BROTLI_DECODER_RESULT_SUCCESS && !left) {
			status = MD_DONE;
			break;
		}
		if (ret != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
			bad(s);
			break;
		}
	}
	BrotliDecoderDestroyInstance(z);
	return status;
}

static int zlib_bits(const struct mathis_item *kind)
{
	return mathis_item_is(kind, "gzip")    ? GZIP :
	       mathis_item_is(kind, "zlib")    ? ZLIB :
	       mathis_item_is(kind, "deflate") ? DEFLATE :
						 0;
}

static int unknown(struct md_call *c)
{
	return md_fail(c, MATHIS_UNSUPPORTED,
		       "kinds are gzip, zlib, deflate, zstd and brotli");
}

int md_decompress(struct md_call *c)
{
	const struct mathis_item *data = &c->args[0], *kind = &c->args[1];
	struct sink s = { .c = c, .limit = (size_t)c->args[2].i };
	size_t ratio = (size_t)data->n * RATIO_MAX;
	int bits = zlib_bits(kind), status;

	if (s.limit > SMALL && s.limit > ratio)
		s.limit = ratio > SMALL ? ratio : SMALL;
	if (bits)
		status = inflate_all(&s, data, bits);
	else if (mathis_item_is(kind, "zstd"))
		status = unzstd(&s, data);
	else if (mathis_item_is(kind, "brotli"))
		status = unbrotli(&s, data);
	else
		return unknown(c);
	if (status || (s.n > s.limit && !grow(&s)))
		return MD_FAILED;
	return md_return_own(c, MATHIS_BYTES, (char *)s.data, s.n);
}

/* Each writes to @out, which has room for the worst: bytes, or 0. */
static size_t zlib_write(uint8_t *out, size_t room,
			 const struct mathis_item *in, int bits, int level)
{
	z_stream z = { .next_in = (Bytef *)in->text,
		       .avail_in = in->n,
		       .next_out = out,
		       .avail_out = (uInt)room };
	int ret;

	if (deflateInit2(&z, level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return 0;
	ret = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return ret == Z_STREAM_END ? room - z.avail_out : 0;
}

static size_t zstd_write(uint8_t *out, size_t room,
			 const struct mathis_item *in, int level)
{
	size_t n = ZSTD_compress(out, room, in->text, in->n, level);

	return ZSTD_isError(n) ? 0 : n;
}

static size_t brotli_write(uint8_t *out, size_t room,
			   const struct mathis_item *in, int level)
{
	bool done = BrotliEncoderCompress(level, BROTLI_WINDOW,
					  BROTLI_MODE_GENERIC, in->n,
					  (const uint8_t *)in->text, &room,
					  out);

	return done ? room : 0;
}

int md_compress(struct md_call *c)
{
	const struct mathis_item *data = &c->args[0], *kind = &c->args[1];
	int level = md_given(c, 2) ? (int)c->args[2].i : 5;
	/* More than any of them asks for. */
	size_t room = data->n + data->n / 64 + 1024;
	int bits = zlib_bits(kind);
	uint8_t *out = md_alloc(c, room);
	size_t n;

	if (!out)
		return MD_FAILED;
	if (bits)
		n = zlib_write(out, room, data, bits, level);
	else if (mathis_item_is(kind, "zstd"))
		n = zstd_write(out, room, data, level);
	else if (mathis_item_is(kind, "brotli"))
		n = brotli_write(out, room, data, level);
	else
		return unknown(c);
	if (!n)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return md_return_own(c, MATHIS_BYTES, (char *)out, n);
}
