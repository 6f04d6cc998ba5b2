// SPDX-License-Identifier: GPL-2.0-only
/* What files and directories of the simulated disk hold. */
#include <stdlib.h>
#include <string.h>

#include "disk_impl.h"

/**
 * grown() - make room for one more
 * @list: Array of @n elements, or NULL.
 * @n: Elements in use.
 * @size: Size of one.
 *
 * Return: The array, with element @n zeroed. Never NULL.
 */
void *grown(void *list, size_t n, size_t size)
{
	if (!(n & (n - 1))) {
		list = realloc(list, (n ? 2 * n : 1) * size);
		if (!list)
			abort();
	}
	memset((char *)list + n * size, 0, size);
	return list;
}

static void reserve(struct image *image, size_t used)
{
	if (used > image->room) {
		image->room = used + used / 2;
		image->data = realloc(image->data, image->room);
		if (!image->data)
			abort();
	}
	if (used > image->used) {
		memset(image->data + image->used, 0, used - image->used);
		image->used = used;
	}
}

/**
 * image_write() - write bytes, growing the file
 * @image: File.
 * @data: Bytes.
 * @len: How many.
 * @offset: Where.
 */
void image_write(struct image *image, const char *data, size_t len,
		 uint64_t offset)
{
	if (!len)
		return;
	reserve(image, offset + len);
	memcpy(image->data + offset, data, len);
	if (image->size < offset + len)
		image->size = offset + len;
}

/**
 * image_truncate() - set the length
 * @image: File.
 * @size: Length; what is new is zeros.
 */
void image_truncate(struct image *image, uint64_t size)
{
	image->size = size;
	if (image->used > size)
		image->used = size;
}

/**
 * image_zero() - write zeros where the file has bytes
 * @image: File.
 * @offset: Where.
 * @len: How many.
 */
void image_zero(struct image *image, uint64_t offset, uint64_t len)
{
	if (offset >= image->used)
		return;
	if (len > image->used - offset)
		len = image->used - offset;
	memset(image->data + offset, 0, len);
}

/**
 * image_copy() - make one image as another
 * @to: Image, may be used before.
 * @from: The other.
 */
void image_copy(struct image *to, const struct image *from)
{
	to->used = 0;
	to->size = 0;
	image_write(to, from->data, from->used, 0);
	to->size = from->size;
}

/**
 * image_apply() - do what an operation does to bytes
 * @image: File.
 * @op: Operation; one on names does nothing here.
 */
void image_apply(struct image *image, const struct disk_op *op)
{
	if (op->op.kind == CRASH_WRITE)
		image_write(image, op->data, op->op.len, op->op.offset);
	else if (op->op.kind == CRASH_TRUNCATE)
		image_truncate(image, op->op.offset);
	else if (op->op.kind == CRASH_ZERO)
		image_zero(image, op->op.offset, op->op.len);
}

/**
 * entries_find() - look a name up
 * @entries: Of a directory.
 * @name: Name.
 *
 * Return: What it names, or NOTHING.
 */
size_t entries_find(const struct entries *entries, const char *name)
{
	size_t i;

	for (i = 0; i < entries->n; i++) {
		if (!strcmp(entries->list[i].name, name))
			return entries->list[i].file;
	}
	return NOTHING;
}

/**
 * entries_set() - add, change or remove a name
 * @entries: Of a directory.
 * @name: Name.
 * @file: What it names from now on; NOTHING removes it.
 */
void entries_set(struct entries *entries, const char *name, size_t file)
{
	struct entry *e;
	size_t i;

	for (i = 0; i < entries->n && strcmp(entries->list[i].name, name); i++)
		;
	if (i < entries->n && file == NOTHING) {
		free(entries->list[i].name);
		entries->list[i] = entries->list[--entries->n];
	} else if (i < entries->n) {
		entries->list[i].file = file;
	} else if (file != NOTHING) {
		entries->list = grown(entries->list, entries->n,
				      sizeof(*entries->list));
		e = &entries->list[entries->n++];
		e->name = strdup(name);
		e->file = file;
	}
}

/**
 * entries_copy() - make one list as another
 * @to: Empty list.
 * @from: The other.
 */
void entries_copy(struct entries *to, const struct entries *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		entries_set(to, from->list[i].name, from->list[i].file);
}

/**
 * entries_free() - empty a list
 * @entries: List.
 */
void entries_free(struct entries *entries)
{
	while (entries->n)
		free(entries->list[--entries->n].name);
	free(entries->list);
	entries->list = NULL;
}
