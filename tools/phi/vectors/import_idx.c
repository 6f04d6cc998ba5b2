// SPDX-License-Identifier: GPL-2.0-only
/* The head of an IDX file: what the elements are, how many of them where. */
#include <errno.h>
#include <stdint.h>

#include "import_impl.h"

#define DIMENSIONS_MAX 8

static int element_of(unsigned int code, enum vdfs_element *out)
{
	switch (code) {
	case 0x08:
		*out = ELEMENT_U8;
		return 0;
	case 0x09:
		*out = ELEMENT_I8;
		return 0;
	case 0x0b:
		*out = ELEMENT_I16;
		return 0;
	case 0x0c:
		*out = ELEMENT_I32;
		return 0;
	case 0x0d:
		*out = ELEMENT_F32;
		return 0;
	case 0x0e:
		*out = ELEMENT_F64;
		return 0;
	default:
		return -EINVAL;
	}
}

static uint32_t big_endian(const unsigned char *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 |
	       (uint32_t)from[2] << 8 | from[3];
}

/**
 * vdfs_import_idx() - read the head of an IDX file
 * @im: The file.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_import_idx(struct vdfs_import *im)
{
	const unsigned char *head;
	unsigned int dimensions, i;
	uint64_t dim = 1;
	int ret;

	ret = vdfs_import_need(im, 4);
	head = (unsigned char *)im->buf + im->start;
	if (ret <= 0 || head[0] || head[1] || element_of(head[2], &im->element))
		return ret < 0 ? ret :
				 vdfs_import_fail(im, -EINVAL,
						  "this is no IDX file");
	dimensions = head[3];
	if (dimensions < 2 || dimensions > DIMENSIONS_MAX)
		return vdfs_import_fail(
			im, -EINVAL,
			"it has %u dimensions: rows of vectors have 2 to %d",
			dimensions, DIMENSIONS_MAX);
	ret = vdfs_import_need(im, 4 + 4 * dimensions);
	if (ret <= 0)
		return ret ? ret :
			     vdfs_import_fail(im, -EBADMSG,
					      "the file ends in its head");
	head = (unsigned char *)im->buf + im->start + 4;
	im->rows = big_endian(head);
	for (i = 1; i < dimensions && dim <= VDFS_DIM_MAX; i++)
		dim *= big_endian(head + 4 * i);
	im->start += 4 + 4 * dimensions;
	im->big_endian = true;
	return vdfs_import_set_dim(im, dim);
}
