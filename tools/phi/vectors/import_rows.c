// SPDX-License-Identifier: GPL-2.0-only
/* Rows of elements of one type: .fvecs and the like, NumPy's, IDX. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "import_impl.h"

/* Integers beyond this are not all floats. */
#define EXACT_MAX (1 << 24)

/**
 * vdfs_import_element_bytes() - how long an element is in the file
 * @im: The file.
 *
 * Return: Bytes.
 */
size_t vdfs_import_element_bytes(const struct vdfs_import *im)
{
	switch (im->element) {
	case ELEMENT_U8:
	case ELEMENT_I8:
		return 1;
	case ELEMENT_I16:
	case ELEMENT_F16:
		return 2;
	case ELEMENT_F64:
		return 8;
	default:
		return 4;
	}
}

static uint64_t load(const struct vdfs_import *im, const unsigned char *from,
		     size_t bytes)
{
	uint64_t x = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		x = x << 8 | from[im->big_endian ? i : bytes - 1 - i];
	return x;
}

static float from_half(uint16_t bits)
{
	int exponent = bits >> 10 & 31;
	float mantissa = (float)(bits & 1023);
	float x;

	if (exponent == 31)
		x = mantissa != 0 ? NAN : INFINITY;
	else if (exponent)
		x = ldexpf(mantissa + 1024, exponent - 25);
	else
		x = ldexpf(mantissa, -24);
	return bits & 0x8000 ? -x : x;
}

/* NaN for an integer that is no float. */
static float exact(int32_t x)
{
	return x < -EXACT_MAX || x > EXACT_MAX ? NAN : (float)x;
}

static float element(const struct vdfs_import *im, const unsigned char *from,
		     size_t bytes)
{
	uint64_t bits = load(im, from, bytes);
	uint32_t half = (uint32_t)bits;
	double f64;
	float f32;

	switch (im->element) {
	case ELEMENT_U8:
		return (float)(uint8_t)bits;
	case ELEMENT_I8:
		return (float)(int8_t)bits;
	case ELEMENT_I16:
		return (float)(int16_t)bits;
	case ELEMENT_I32:
		return exact((int32_t)bits);
	case ELEMENT_F16:
		return from_half((uint16_t)bits);
	case ELEMENT_F64:
		memcpy(&f64, &bits, sizeof(f64));
		return (float)f64;
	default:
		memcpy(&f32, &half, sizeof(f32));
		return f32;
	}
}

static int at_end(struct vdfs_import *im, size_t left)
{
	if (left)
		return vdfs_import_fail(im, -EBADMSG,
					"row %" PRIu64
					": the file ends in the middle of it",
					vdfs_import_place(im));
	if (im->rows != ROWS_UNKNOWN && im->row < im->rows)
		return vdfs_import_fail(im, -EBADMSG,
					"the file ends after %" PRIu64
					" of %" PRIu64 " rows",
					im->row, im->rows);
	return 0;
}

/* The length in front of a row: 1, or 0 at the end. */
static int row_length(struct vdfs_import *im)
{
	int ret = vdfs_import_need(im, 4);
	uint32_t dim;

	if (ret <= 0)
		return ret ? ret : at_end(im, im->end - im->start);
	dim = (uint32_t)load(im, (unsigned char *)im->buf + im->start, 4);
	im->start += 4;
	if (!im->dim) {
		ret = vdfs_import_set_dim(im, dim);
		return ret ? ret : 1;
	}
	if (dim != im->dim)
		return vdfs_import_fail(im, -EMSGSIZE,
					"row %" PRIu64 " has %" PRIu32
					" elements, those before have %" PRIu32,
					vdfs_import_place(im), dim, im->dim);
	return 1;
}

static bool has_lengths(const struct vdfs_import *im)
{
	return im->options.format == VDFS_FORMAT_FVECS ||
	       im->options.format == VDFS_FORMAT_BVECS ||
	       im->options.format == VDFS_FORMAT_IVECS;
}

/* All rows that were promised have come: nothing may follow. */
static int after_last(struct vdfs_import *im)
{
	int ret = vdfs_import_need(im, 1);

	if (ret > 0)
		return vdfs_import_fail(im, -EBADMSG,
					"there are more bytes than %" PRIu64
					" rows have",
					im->rows);
	return ret;
}

/**
 * vdfs_import_row() - read a row
 * @im: The file.
 * @out: Out, shape [dim]; NULL while the length is not known.
 *
 * Return: 1, 0 when there are no more, or a negative errno.
 */
int vdfs_import_row(struct vdfs_import *im, float *out)
{
	size_t bytes = vdfs_import_element_bytes(im);
	uint32_t d;
	int ret = 1;

	if (im->row == im->rows)
		return after_last(im);
	if (has_lengths(im))
		ret = row_length(im);
	if (ret <= 0)
		return ret;
	ret = vdfs_import_need(im, im->dim * bytes);
	if (ret < 0)
		return ret;
	if (!ret)
		return at_end(im, im->end - im->start + has_lengths(im));
	if (!out)
		out = im->vectors;
	for (d = 0; d < im->dim; d++) {
		out[d] = im->options.shift +
			 element(im,
				 (unsigned char *)im->buf + im->start +
					 d * bytes,
				 bytes);
		if (!isfinite(out[d]))
			return vdfs_import_fail(im, -EDOM,
						"row %" PRIu64
						", element %" PRIu32
						" is no finite f32 number",
						vdfs_import_place(im), d + 1);
	}
	im->start += im->dim * bytes;
	return 1;
}
