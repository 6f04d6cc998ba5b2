// SPDX-License-Identifier: GPL-2.0-only
/* Large blobs that are to be one file. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_impl.h"

/**
 * vdfs_put_file_write() - write what has come
 * @put: The put, with whole blocks in its buffer unless it is the last call.
 * @last: Nothing more will come.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_put_file_write(struct vdfs_put *put, bool last)
{
	size_t n = put->n_sums + (put->fill + VDFS_BLOCK - 1) / VDFS_BLOCK;
	size_t done, len;
	uint32_t *sums;
	int err;

	if (put->fd < 0)
		put->fd = vdfs_file_temporary(put->store);
	if (put->fd < 0)
		return put->fd;
	sums = realloc(put->sums, (n ?: 1) * sizeof(*sums));
	if (!sums)
		return -ENOMEM;
	put->sums = sums;
	for (done = 0; done < put->fill; done += len) {
		len = put->fill - done;
		if (len > VDFS_BLOCK)
			len = VDFS_BLOCK;
		sums[put->n_sums++] = vdfs_crc32c(0, put->buf + done, len);
	}
	err = vdfs_pwrite_all(put->fd, put->buf, put->fill,
			      put->size - put->fill);
	put->written = put->fill;
	if (!err && last && fsync(put->fd))
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
	size_t done, n;
	int err = 0;

	for (done = 0; !err && done < put->n_sums; done += n) {
		n = put->n_sums - done;
		if (n > VDFS_SUMS_ROW)
			n = VDFS_SUMS_ROW;
		err = vdfs_sql_run(
			db, "INSERT INTO block VALUES(?, ?, ?)",
			VDFS_INT(object), VDFS_INT(done * VDFS_BLOCK),
			VDFS_BLOB(put->sums + done, n * sizeof(*put->sums)));
	}
	return err;
}
