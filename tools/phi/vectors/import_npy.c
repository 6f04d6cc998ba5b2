// SPDX-License-Identifier: GPL-2.0-only
/*
 * The head of a .npy file: a Python dictionary with the type of the elements,
 * their order and how many of them where.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "import_impl.h"

#define MAGIC "\x93NUMPY"
#define HEAD_MAX 65536
#define FIXED 10 /* magic, version, length in version 1 */

static int refuse(struct vdfs_import *im, const char *what)
{
	return vdfs_import_fail(im, -EINVAL, "%s", what);
}

/* Behind "'key':" in the text, or NULL. */
static const char *value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		return NULL;
	at += strlen(key);
	at += strspn(at, " ");
	if (*at++ != ':')
		return NULL;
	return at + strspn(at, " ");
}

static int read_type(struct vdfs_import *im, const char *text)
{
	static const struct {
		const char *name;
		enum vdfs_element element;
	} known[] = {
		{ "'<f4'", ELEMENT_F32 }, { "'<f8'", ELEMENT_F64 },
		{ "'<f2'", ELEMENT_F16 }, { "'|i1'", ELEMENT_I8 },
		{ "'|u1'", ELEMENT_U8 },
	};
	const char *value = value_of(text, "'descr'");
	size_t i;

	for (i = 0; value && i < ARRAY_SIZE(known); i++) {
		if (strncmp(value, known[i].name, strlen(known[i].name)))
			continue;
		im->element = known[i].element;
		return 0;
	}
	return refuse(
		im,
		"its elements are none of f2, f4, f8, i1, u1, little-endian; use astype('f4')");
}

static int read_shape(struct vdfs_import *im, const char *text)
{
	const char *at = value_of(text, "'shape'");
	unsigned long long n;
	unsigned int dimensions = 0;
	uint64_t dim = 1;
	char *end;

	if (!at || *at++ != '(')
		return refuse(im, "its head does not say its shape");
	while (*(at += strspn(at, " ")) != ')') {
		if (!isdigit((unsigned char)*at))
			return refuse(im, "its shape makes no sense");
		errno = 0;
		n = strtoull(at, &end, 10);
		if (errno)
			return refuse(im, "its shape makes no sense");
		if (!dimensions++)
			im->rows = n;
		else if (n > VDFS_DIM_MAX)
			dim = n;
		else if (dim <= VDFS_DIM_MAX)
			dim *= n;
		at = end + strspn(end, " ");
		if (*at == ',')
			at++;
		else if (*at != ')')
			return refuse(im, "its shape makes no sense");
	}
	if (dimensions < 2)
		return refuse(
			im,
			"it is no array of vectors: its shape has to be (rows, elements)");
	if (im->rows == ROWS_UNKNOWN)
		return refuse(im, "its shape makes no sense");
	return vdfs_import_set_dim(im, dim);
}

static int read_head(struct vdfs_import *im, const char *text)
{
	const char *order = value_of(text, "'fortran_order'");
	int ret = read_type(im, text);

	if (ret)
		return ret;
	if (!order || strncmp(order, "False", 5))
		return refuse(
			im,
			"it is in Fortran order; save numpy.ascontiguousarray() of it");
	return read_shape(im, text);
}

/**
 * vdfs_import_npy() - read the head of a .npy file
 * @im: The file.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_import_npy(struct vdfs_import *im)
{
	size_t fixed = FIXED;
	unsigned char *head;
	size_t len;
	char *text;
	int ret;

	ret = vdfs_import_need(im, FIXED + 2);
	head = (unsigned char *)im->buf + im->start;
	if (ret <= 0 || memcmp(head, MAGIC, 6))
		return ret < 0 ? ret : refuse(im, "this is no .npy file");
	len = head[8] | (size_t)head[9] << 8;
	if (head[6] == 2 || head[6] == 3) {
		len |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
		fixed += 2;
	} else if (head[6] != 1) {
		return refuse(im, "this version of .npy is not known");
	}
	if (len > HEAD_MAX)
		return refuse(im, "its head is too long");
	ret = vdfs_import_need(im, fixed + len);
	if (ret <= 0)
		return ret ? ret :
			     vdfs_import_fail(im, -EBADMSG,
					      "the file ends in its head");
	text = strndup(im->buf + im->start + fixed, len);
	if (!text)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	im->start += fixed + len;
	ret = read_head(im, text);
	free(text);
	return ret;
}
