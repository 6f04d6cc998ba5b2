// SPDX-License-Identifier: GPL-2.0-only
/* Import: what all formats have in common; see import.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "import_impl.h"

#define BUFFER ((size_t)256 << 10)

/**
 * vdfs_import_format() - what a file is, by its name
 * @path: Of the file.
 * @out: Out.
 *
 * Return: 0, or -EINVAL when the name says nothing.
 */
int vdfs_import_format(const char *path, enum vdfs_format *out)
{
	static const struct {
		const char *end;
		enum vdfs_format format;
	} known[] = {
		{ ".fvecs", VDFS_FORMAT_FVECS },
		{ ".bvecs", VDFS_FORMAT_BVECS },
		{ ".ivecs", VDFS_FORMAT_IVECS },
		{ ".npy", VDFS_FORMAT_NPY },
		{ ".jsonl", VDFS_FORMAT_JSONL },
		{ ".ndjson", VDFS_FORMAT_JSONL },
		{ ".idx", VDFS_FORMAT_IDX },
		{ "idx3-ubyte", VDFS_FORMAT_IDX },
	};
	size_t len = strlen(path);
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		n = strlen(known[i].end);
		if (len < n || strcmp(path + len - n, known[i].end))
			continue;
		*out = known[i].format;
		return 0;
	}
	return -EINVAL;
}

/**
 * vdfs_import_fail() - note what is wrong
 * @im: The file.
 * @error: A negative errno.
 * @fmt: The reason, for people.
 *
 * Return: @error.
 */
int vdfs_import_fail(struct vdfs_import *im, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(im->why, sizeof(im->why), fmt, ap);
	va_end(ap);
	im->failed = error;
	return error;
}

/**
 * vdfs_import_need() - have some bytes in one piece at @im->start
 * @im: The file.
 * @bytes: How many.
 *
 * Return: 1 when they are there, 0 when the file ends before, or a negative
 * errno.
 */
int vdfs_import_need(struct vdfs_import *im, size_t bytes)
{
	size_t room = bytes > BUFFER ? bytes + BUFFER : 2 * BUFFER;
	ssize_t n;
	char *more;

	if (im->end - im->start >= bytes)
		return 1;
	if (im->start)
		memmove(im->buf, im->buf + im->start, im->end - im->start);
	im->end -= im->start;
	im->start = 0;
	if (room > im->room) {
		more = realloc(im->buf, room);
		if (!more)
			return vdfs_import_fail(im, -ENOMEM, "no memory");
		im->buf = more;
		im->room = room;
	}
	while (im->end < bytes && !im->eof) {
		n = read(im->fd, im->buf + im->end, im->room - im->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vdfs_import_fail(im, -errno, "cannot read: %s",
						strerror(errno));
		im->eof = !n;
		im->end += (size_t)n;
	}
	return im->end >= bytes;
}

/**
 * vdfs_import_place() - where in the file, for people
 * @im: The file.
 *
 * Return: Number of the row or line being read, from 1 on.
 */
uint64_t vdfs_import_place(const struct vdfs_import *im)
{
	/* A line is counted before it is read, a row after. */
	return im->row + (im->options.format != VDFS_FORMAT_JSONL);
}

/**
 * vdfs_import_set_dim() - the length of the vectors has become known
 * @im: The file.
 * @dim: Elements.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_import_set_dim(struct vdfs_import *im, uint64_t dim)
{
	if (!dim || dim > VDFS_DIM_MAX)
		return vdfs_import_fail(im, -EMSGSIZE,
					"row %" PRIu64 " has %" PRIu64
					" elements, not 1 to %d",
					vdfs_import_place(im), dim,
					VDFS_DIM_MAX);
	im->dim = (uint32_t)dim;
	im->batch = IMPORT_BYTES / (dim * sizeof(float));
	if (im->batch > IMPORT_ROWS)
		im->batch = IMPORT_ROWS;
	im->vectors = malloc(im->batch * dim * sizeof(float));
	im->items = calloc(im->batch, sizeof(*im->items));
	im->texts = calloc(2 * im->batch, sizeof(*im->texts));
	im->places = calloc(im->batch, sizeof(*im->places));
	if (!im->vectors || !im->items || !im->texts || !im->places)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	return 0;
}

/**
 * vdfs_import_number() - give an item the number of its row as a key
 * @im: The file.
 * @i: Which item of the batch.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_import_number(struct vdfs_import *im, size_t i)
{
	uint64_t number = im->options.first + im->row;

	if (asprintf(&im->texts[2 * i], "%s%010" PRIu64, im->prefix, number) <
	    0) {
		im->texts[2 * i] = NULL;
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	}
	im->items[i].key = im->texts[2 * i];
	return 0;
}

static int begin(struct vdfs_import *im)
{
	switch (im->options.format) {
	case VDFS_FORMAT_FVECS:
		im->element = ELEMENT_F32;
		return 0;
	case VDFS_FORMAT_BVECS:
		im->element = ELEMENT_U8;
		return 0;
	case VDFS_FORMAT_IVECS:
		im->element = ELEMENT_I32;
		return 0;
	case VDFS_FORMAT_NPY:
		return vdfs_import_npy(im);
	case VDFS_FORMAT_IDX:
		return vdfs_import_idx(im);
	case VDFS_FORMAT_JSONL:
		return 0;
	}
	return vdfs_import_fail(im, -EINVAL, "no such format");
}

/**
 * vdfs_import_open() - begin to read a file
 * @fd: Open for reading; it stays the caller's.
 * @options: How.
 * @out: Out, to be given to vdfs_import_close(); also when it fails, to ask
 *       vdfs_import_why(), unless there is no memory: then it is NULL.
 *
 * Return: 0 or a negative errno, see import.h.
 */
int vdfs_import_open(int fd, const struct vdfs_import_options *options,
		     struct vdfs_import **out)
{
	struct vdfs_import *im = calloc(1, sizeof(*im));

	*out = im;
	if (!im)
		return -ENOMEM;
	im->fd = fd;
	im->options = *options;
	im->rows = ROWS_UNKNOWN;
	im->prefix = strdup(options->prefix ? options->prefix : "");
	if (!im->prefix)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	return begin(im);
}

static void forget_texts(struct vdfs_import *im)
{
	size_t i;

	for (i = 0; im->texts && i < 2 * im->batch; i++) {
		free(im->texts[i]);
		im->texts[i] = NULL;
	}
}

/* One row into place @i: 1, or 0 at the end. */
static int next_row(struct vdfs_import *im, size_t i)
{
	int ret = vdfs_import_row(im, im->vectors ? im->vectors + i * im->dim :
						    NULL);

	if (ret <= 0)
		return ret;
	im->items[i] = (struct vdfs_item){
		.vector = im->vectors + i * im->dim,
		.dim = im->dim,
	};
	ret = vdfs_import_number(im, i);
	im->places[i] = ++im->row;
	return ret ? ret : 1;
}

/**
 * vdfs_import_next() - read some items
 * @im: The file.
 * @items: Out, valid until the next call.
 * @n: Out: how many; 0 = there are no more.
 *
 * Return: 0 or a negative errno, see import.h. Rows before the one that is
 * wrong have all been given.
 */
int vdfs_import_next(struct vdfs_import *im, const struct vdfs_item **items,
		     size_t *n)
{
	int ret = im->failed;
	size_t i = 0;

	*n = 0;
	if (ret)
		return ret;
	forget_texts(im);
	do {
		if (im->options.format == VDFS_FORMAT_JSONL)
			ret = vdfs_import_line(im, i);
		else
			ret = next_row(im, i);
	} while (ret > 0 && ++i < im->batch);
	*items = im->items;
	*n = i;
	/* The rows before come first, the error with the next call. */
	return i ? 0 : ret;
}

/**
 * vdfs_import_dim() - how long the vectors are
 * @im: The file.
 *
 * Return: Elements; 0 when that is not known before the first items.
 */
uint32_t vdfs_import_dim(const struct vdfs_import *im)
{
	return im->dim;
}

/**
 * vdfs_import_rows() - how many rows the file says it has
 * @im: The file.
 *
 * Return: So many, for showing progress; 0 when it does not say.
 */
uint64_t vdfs_import_rows(const struct vdfs_import *im)
{
	return im->rows == ROWS_UNKNOWN ? 0 : im->rows;
}

/**
 * vdfs_import_unit() - what the places in the file are called
 * @im: The file.
 *
 * Return: "line" or "row".
 */
const char *vdfs_import_unit(const struct vdfs_import *im)
{
	return im->options.format == VDFS_FORMAT_JSONL ? "line" : "row";
}

/**
 * vdfs_import_place_of() - where in the file an item is
 * @im: The file.
 * @i: Which of those that vdfs_import_next() gave last.
 *
 * Return: Number of its row or line, from 1.
 */
uint64_t vdfs_import_place_of(const struct vdfs_import *im, size_t i)
{
	return im->places[i];
}

/**
 * vdfs_import_why() - what is wrong with the file
 * @im: The file, after an error.
 *
 * Return: For people; valid until the file is closed.
 */
const char *vdfs_import_why(const struct vdfs_import *im)
{
	return im->why;
}

/**
 * vdfs_import_close() - end reading a file
 * @im: Which; NULL is allowed.
 */
void vdfs_import_close(struct vdfs_import *im)
{
	if (!im)
		return;
	forget_texts(im);
	free(im->texts);
	free(im->places);
	free(im->keys);
	free(im->items);
	free(im->vectors);
	free(im->prefix);
	free(im->buf);
	free(im);
}
