// SPDX-License-Identifier: GPL-2.0-only
/* Export; see export.h. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

#define BUFFER ((size_t)1 << 20)
/* Of an .npy file: a multiple of 64, enough for any shape. */
#define HEAD 128

/**
 * struct vdfs_export - a file being written
 * @fd: It; the caller's.
 * @format: VDFS_FORMAT_FVECS, _NPY or _JSONL.
 * @dim: Length of the vectors.
 * @rows: Items so far.
 * @begin: Where in the file it begins.
 * @buf: Bytes to be written.
 * @len: How many.
 * @failed: The first error.
 */
struct vdfs_export {
	int fd;
	enum vdfs_format format;
	uint32_t dim;
	uint64_t rows;
	off_t begin;
	char *buf;
	size_t len;
	int failed;
};

static int flush(struct vdfs_export *ex)
{
	size_t done = 0;
	ssize_t n;

	while (done < ex->len && !ex->failed) {
		n = write(ex->fd, ex->buf + done, ex->len - done);
		if (n < 0 && errno != EINTR)
			ex->failed = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	ex->len = 0;
	return ex->failed;
}

static int put(struct vdfs_export *ex, const void *data, size_t len)
{
	const char *from = data;
	size_t part;

	while (len && !ex->failed) {
		part = BUFFER - ex->len < len ? BUFFER - ex->len : len;
		memcpy(ex->buf + ex->len, from, part);
		ex->len += part;
		from += part;
		len -= part;
		if (ex->len == BUFFER)
			flush(ex);
	}
	return ex->failed;
}

static int put_text(struct vdfs_export *ex, const char *text)
{
	return put(ex, text, strlen(text));
}

/* Version 1: magic, version, length of what follows, a dictionary, spaces. */
static void npy_head(const struct vdfs_export *ex, char *head)
{
	int n;

	memset(head, ' ', HEAD);
	memcpy(head, "\x93NUMPY\x01\x00", 8);
	head[8] = HEAD - 10;
	head[9] = 0;
	n = snprintf(
		head + 10, HEAD - 10,
		"{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
		", %" PRIu32 "), }",
		ex->rows, ex->dim);
	head[10 + n] = ' ';
	head[HEAD - 1] = '\n';
}

/**
 * vdfs_export_open() - begin to write a file
 * @fd: Open for writing; it stays the caller's, syncing it too.
 * @format: Format of the file.
 * @dim: Length of the vectors.
 * @out: Out, to be given to vdfs_export_close().
 *
 * Return: 0; -ESPIPE for an .npy file that is a pipe; or another negative
 * errno, see export.h.
 */
int vdfs_export_open(int fd, enum vdfs_format format, uint32_t dim,
		     struct vdfs_export **out)
{
	struct vdfs_export *ex;
	char head[HEAD];

	if (format != VDFS_FORMAT_FVECS && format != VDFS_FORMAT_NPY &&
	    format != VDFS_FORMAT_JSONL)
		return -EINVAL;
	if (!dim || dim > VDFS_DIM_MAX)
		return -EINVAL;
	ex = calloc(1, sizeof(*ex));
	if (!ex)
		return -ENOMEM;
	ex->fd = fd;
	ex->format = format;
	ex->dim = dim;
	ex->buf = malloc(BUFFER);
	if (!ex->buf)
		ex->failed = -ENOMEM;
	if (!ex->failed && format == VDFS_FORMAT_NPY) {
		ex->begin = lseek(fd, 0, SEEK_CUR);
		if (ex->begin < 0)
			ex->failed = -errno;
		npy_head(ex, head);
		put(ex, head, HEAD);
	}
	if (ex->failed) {
		int ret = ex->failed;

		free(ex->buf);
		free(ex);
		return ret;
	}
	*out = ex;
	return 0;
}

static int put_key(struct vdfs_export *ex, const char *key)
{
	json_t *json = json_string(key);
	char *text;
	int ret;

	if (!json)
		return ex->failed = -EILSEQ;
	text = json_dumps(json, JSON_ENCODE_ANY);
	json_decref(json);
	ret = text ? put_text(ex, text) : (ex->failed = -ENOMEM);
	free(text);
	return ret;
}

/* Metadata may have been written over several lines; this is one. */
static int put_metadata(struct vdfs_export *ex, const char *text)
{
	bool quoted = false;
	const char *from = text;

	for (; *text; text++) {
		if (*text == '\\' && quoted)
			text++;
		else if (*text == '"')
			quoted = !quoted;
		if (*text != '\n' && *text != '\r')
			continue;
		put(ex, from, (size_t)(text - from));
		put_text(ex, " ");
		from = text + 1;
	}
	return put(ex, from, (size_t)(text - from));
}

static int put_json(struct vdfs_export *ex, const struct vdfs_item *item)
{
	char number[32];
	uint32_t d;

	put_text(ex, "{\"key\": ");
	put_key(ex, item->key);
	put_text(ex, ", \"vector\": [");
	for (d = 0; d < ex->dim; d++) {
		/* Nine digits are enough for any f32 to come back. */
		snprintf(number, sizeof(number), d ? ", %.9g" : "%.9g",
			 (double)item->vector[d]);
		put_text(ex, number);
	}
	put_text(ex, "], \"metadata\": ");
	put_metadata(ex, item->metadata ? item->metadata : "{}");
	return put_text(ex, "}\n");
}

/**
 * vdfs_export_item() - write an item
 * @arg: The export.
 * @item: With its vector.
 * @dist: Not looked at.
 *
 * Return: 0 or a negative errno, see export.h.
 */
int vdfs_export_item(void *arg, const struct vdfs_item *item, float dist)
{
	struct vdfs_export *ex = arg;

	(void)dist;
	if (!item->vector || item->dim != ex->dim)
		return -EINVAL;
	ex->rows++;
	if (ex->format == VDFS_FORMAT_JSONL)
		return put_json(ex, item);
	if (ex->format == VDFS_FORMAT_FVECS)
		put(ex, &ex->dim, sizeof(ex->dim));
	return put(ex, item->vector, ex->dim * sizeof(float));
}

/**
 * vdfs_export_close() - end a file
 * @ex: Which; NULL is allowed.
 *
 * Return: 0, or the first error there was: the file is not whole then.
 */
int vdfs_export_close(struct vdfs_export *ex)
{
	char head[HEAD];
	int ret;

	if (!ex)
		return 0;
	ret = flush(ex);
	if (!ret && ex->format == VDFS_FORMAT_NPY) {
		npy_head(ex, head);
		if (pwrite(ex->fd, head, HEAD, ex->begin) != HEAD)
			ret = errno ? -errno : -EIO;
	}
	free(ex->buf);
	free(ex);
	return ret;
}
