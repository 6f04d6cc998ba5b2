// SPDX-License-Identifier: GPL-2.0-only
/* Large blobs that are to be one file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "put_impl.h"

/**
 * vdfs_put_file_write() - write what has come
 * @put: The put.
 * @w: Its window, with whole blocks unless it is the last one.
 * @last: Nothing more will come.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_put_file_write(struct vdfs_put *put, struct vdfs_window *w, bool last)
{
	struct vdfs_stream *s = put->stream;
	const uint8_t *data = w->mem + w->start;
	size_t fill = w->end - w->start, done, len;
	size_t n = s->n_sums + (fill + VDFS_BLOCK - 1) / VDFS_BLOCK;
	uint32_t *sums;
	int err;

	if (s->fd < 0)
		s->fd = vdfs_file_temporary(put->store);
	if (s->fd < 0)
		return s->fd;
	sums = realloc(s->sums, (n ?: 1) * sizeof(*sums));
	if (!sums)
		return -ENOMEM;
	s->sums = sums;
	for (done = 0; done < fill; done += len) {
		len = fill - done;
		if (len > VDFS_BLOCK)
			len = VDFS_BLOCK;
		sums[s->n_sums++] = vdfs_crc32c(0, data + done, len);
	}
	err = vdfs_pwrite_all(s->fd, data, fill, s->cut);
	if (!err && !last)
		sync_file_range(s->fd, s->cut, fill, SYNC_FILE_RANGE_WRITE);
	w->start = w->end;
	s->cut += fill;
	if (!err && last && fsync(s->fd))
		err = errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EIO;
	return err;
}

/**
 * vdfs_put_file_sums() - keep the checksums of a file's blocks
 * @db: A connection inside a transaction.
 * @put: The put.
 * @object: Row of the file.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_put_file_sums(struct sqlite3 *db, struct vdfs_put *put, int64_t object)
{
	const struct vdfs_stream *s = put->stream;
	size_t done, n;
	int err = 0;

	for (done = 0; !err && done < s->n_sums; done += n) {
		n = s->n_sums - done;
		if (n > VDFS_SUMS_ROW)
			n = VDFS_SUMS_ROW;
		err = vdfs_sql_run(
			db, "INSERT INTO block VALUES(?, ?, ?)",
			VDFS_INT(object), VDFS_INT(done * VDFS_BLOCK),
			VDFS_BLOB(s->sums + done, n * sizeof(*s->sums)));
	}
	return err;
}
