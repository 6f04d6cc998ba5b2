// SPDX-License-Identifier: GPL-2.0-only
/* Open files that are no blobs: all there is of them is kept in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "view_impl.h"

/* Room for the longest vector and metadata of an item. */
#define TEXT_MAX (1U << 20)

/**
 * vdfs_text_open() - have the content of a file
 * @call: For whom.
 * @file: Just opened.
 * @flags: Of open(2).
 *
 * Return: 0, -EPERM for what cannot be written, or another negative errno.
 */
int vdfs_text_open(struct vdfs_call *call, struct vdfs_file *file, int flags)
{
	const struct vdfs_view *view = &vdfs_views[file->inode->kind];

	if (file->writes && !view->save)
		return -EPERM;
	if (flags & O_TRUNC)
		return 0;
	return view->text(call, file->inode, &file->text, &file->len);
}

/**
 * vdfs_text_read() - read
 * @file: Which.
 * @buf: Out.
 * @size: Room in it.
 * @offset: Where to begin.
 *
 * Return: Bytes.
 */
size_t vdfs_text_read(struct vdfs_file *file, char *buf, size_t size,
		      uint64_t offset)
{
	size_t n = 0;

	pthread_mutex_lock(&file->lock);
	if (offset < file->len) {
		n = file->len - offset;
		if (n > size)
			n = size;
		memcpy(buf, file->text + offset, n);
	}
	pthread_mutex_unlock(&file->lock);
	return n;
}

/* The lock is held. */
static int resize(struct vdfs_file *file, uint64_t size)
{
	char *text;

	if (size > TEXT_MAX)
		return -EFBIG;
	if (size > file->len) {
		text = realloc(file->text, size);
		if (!text)
			return -ENOMEM;
		memset(text + file->len, 0, size - file->len);
		file->text = text;
	}
	file->len = size;
	return 0;
}

/**
 * vdfs_text_write() - write
 * @file: Open for writing.
 * @buf: Bytes to write.
 * @size: Number of these.
 * @offset: Where.
 *
 * Return: 0, -EFBIG or -ENOMEM.
 */
int vdfs_text_write(struct vdfs_file *file, const char *buf, size_t size,
		    uint64_t offset)
{
	int err = 0;

	pthread_mutex_lock(&file->lock);
	if (offset + size > file->len)
		err = resize(file, offset + size);
	if (!err) {
		memcpy(file->text + offset, buf, size);
		file->dirty = true;
	}
	pthread_mutex_unlock(&file->lock);
	return err;
}

/**
 * vdfs_text_truncate() - cut, or lengthen with zeros
 * @file: Open for writing.
 * @size: To this.
 *
 * Return: 0, -EFBIG or -ENOMEM.
 */
int vdfs_text_truncate(struct vdfs_file *file, uint64_t size)
{
	int err;

	pthread_mutex_lock(&file->lock);
	err = resize(file, size);
	if (!err)
		file->dirty = true;
	pthread_mutex_unlock(&file->lock);
	return err;
}

/**
 * vdfs_text_save() - hand over what was written
 * @call: One request.
 * @file: Which.
 *
 * A file that is empty is not finished: shells close a copy of the
 * descriptor before anything is written.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_text_save(struct vdfs_call *call, struct vdfs_file *file)
{
	const struct vdfs_view *view = &vdfs_views[file->inode->kind];
	int err = 0;

	pthread_mutex_lock(&file->lock);
	if (file->dirty && file->len) {
		call->who = file->who;
		err = view->save(call, file->inode, file->text, file->len);
		file->dirty = err != 0;
	}
	pthread_mutex_unlock(&file->lock);
	return err;
}
