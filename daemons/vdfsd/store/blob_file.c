// SPDX-License-Identifier: GPL-2.0-only
/* Reading a blob that is a file: whole blocks, each with its checksum. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blob_impl.h"

/**
 * struct sums - checksums that are looked for
 * @object: Row of the file.
 * @start: Where the first block of their row begins.
 * @sums: Out.
 * @n: Out, how many.
 */
struct sums {
	int64_t object;
	uint64_t start;
	uint32_t sums[VDFS_SUMS_ROW];
	uint64_t n;
};

static int find_sums(struct sqlite3 *db, void *arg)
{
	struct sums *s = arg;
	struct sqlite3_stmt *st;
	int err, len;

	err = vdfs_sql(db, &st,
		       "SELECT sums FROM block WHERE object = ? AND start = ?",
		       VDFS_INT(s->object), VDFS_INT(s->start));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	len = sqlite3_column_bytes(st, 0);
	if (len <= 0 || len > (int)sizeof(s->sums))
		return -EBADMSG;
	memcpy(s->sums, sqlite3_column_blob(st, 0), len);
	s->n = len / sizeof(*s->sums);
	return 0;
}

/* With blob->lock held, have the checksum of a block at hand. */
static int get_sum(struct vdfs_blob *blob, uint64_t block, uint32_t *out)
{
	uint64_t from = block / VDFS_SUMS_ROW * VDFS_SUMS_ROW;
	struct sums *s;
	int err;

	if (!blob->sums || blob->sums_from != from) {
		s = malloc(sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->object = blob->object.id;
		s->start = from * VDFS_BLOCK;
		err = vdfs_meta_read(blob->store->meta, find_sums, s);
		if (!err && !blob->sums)
			blob->sums = malloc(sizeof(s->sums));
		if (!err && !blob->sums)
			err = -ENOMEM;
		if (!err) {
			memcpy(blob->sums, s->sums, sizeof(s->sums));
			blob->n_sums = s->n;
			blob->sums_from = from;
		}
		free(s);
		if (err)
			return err;
	}
	if (block - from >= blob->n_sums)
		return -EBADMSG;
	*out = blob->sums[block - from];
	return 0;
}

static int read_all(int fd, char *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		buf += n;
		len -= n;
		offset += n;
	}
	return 0;
}

static int read_block(struct vdfs_blob *blob, char *buf, uint64_t block,
		      size_t len)
{
	uint32_t sum;
	int err;

	pthread_mutex_lock(&blob->lock);
	err = get_sum(blob, block, &sum);
	pthread_mutex_unlock(&blob->lock);
	if (!err)
		err = read_all(blob->fd, buf, len, block * VDFS_BLOCK);
	if (!err && vdfs_crc32c(0, buf, len) != sum)
		err = -EBADMSG;
	return err;
}

/**
 * vdfs_blob_read_file() - read a part of a blob that is a file
 * @blob: The blob.
 * @buf: Out.
 * @len: Bytes; the blob has them.
 * @offset: From here on.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_blob_read_file(struct vdfs_blob *blob, char *buf, size_t len,
			uint64_t offset)
{
	char *room = NULL;
	int err = 0;

	while (!err && len) {
		uint64_t block = offset / VDFS_BLOCK;
		size_t within = offset % VDFS_BLOCK;
		uint64_t left = blob->object.size - block * VDFS_BLOCK;
		size_t whole = left < VDFS_BLOCK ? left : VDFS_BLOCK;
		size_t n = whole - within < len ? whole - within : len;

		if (n == whole) {
			err = read_block(blob, buf, block, whole);
		} else {
			if (!room)
				room = malloc(VDFS_BLOCK);
			err = room ? read_block(blob, room, block, whole) :
				     -ENOMEM;
			if (!err)
				memcpy(buf, room + within, n);
		}
		buf += n;
		len -= n;
		offset += n;
	}
	free(room);
	return err;
}
