// SPDX-License-Identifier: GPL-2.0-only
/* What a power cut leaves, written out as a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_impl.h"

#define SECTOR 512

/**
 * struct left - what is left of a disk
 * @disk: Disk.
 * @images: Bytes of each file.
 * @entries: Entries of each directory.
 * @random: State of a sequence of random numbers.
 * @hash: Of all that was written out.
 */
struct left {
	const struct disk *disk;
	struct image *images;
	struct entries *entries;
	uint64_t random;
	uint64_t hash;
};

static uint64_t next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static void mix(uint64_t *hash, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = *hash ^ len, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x9fb21c651e98df25ULL;
		h ^= h >> 32;
	}
	while (len--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	*hash = h ^ h >> 29;
}

static void write_torn(struct left *left, struct image *image,
		       const struct disk_op *op)
{
	uint64_t at = op->op.offset, end = at + op->op.len, part;

	for (; at < end; at += part) {
		part = SECTOR - at % SECTOR;
		if (part > end - at)
			part = end - at;
		if (next(&left->random) & 1)
			image_write(image, op->data + (at - op->op.offset),
				    part, at);
	}
}

static void apply(struct left *left, const struct pending *p,
		  const struct disk_cut *cut, size_t i)
{
	bool torn = false;
	int j;

	if (cut->part == DISK_NONE)
		return;
	if ((cut->part == DISK_BUT && cut->which == i) ||
	    (cut->part == DISK_ONLY && cut->which != i))
		return;
	if (cut->part == DISK_SOME && next(&left->random) & 1)
		return;
	if (cut->part == DISK_TORN) {
		if (next(&left->random) % 3 == 0)
			return;
		torn = p->op->op.kind == CRASH_WRITE && next(&left->random) & 1;
	}
	if (torn)
		write_torn(left, &left->images[p->file], p->op);
	else if (p->file != NOTHING)
		image_apply(&left->images[p->file], p->op);
	for (j = 0; j < p->n_names; j++)
		entries_set(&left->entries[p->names[j].dir], p->names[j].name,
			    p->names[j].file);
}

static int write_image(const char *path, const struct image *image)
{
	size_t done = 0;
	ssize_t n;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return -errno;
	while (done < image->used) {
		n = write(fd, image->data + done, image->used - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	n = done < image->used || ftruncate(fd, (off_t)image->size);
	close(fd);
	return n ? -EIO : 0;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int write_dir(struct left *left, size_t dir, const char *path, int depth)
{
	struct entries *entries = &left->entries[dir];
	char sub[4096];
	size_t i, file;
	int ret = 0;

	if (depth > 16)
		return -ELOOP;
	if (path && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	if (entries->n)
		qsort(entries->list, entries->n, sizeof(*entries->list),
		      compare);
	for (i = 0; i < entries->n && !ret; i++) {
		file = entries->list[i].file;
		mix(&left->hash, entries->list[i].name,
		    strlen(entries->list[i].name));
		if (path)
			snprintf(sub, sizeof(sub), "%s/%s", path,
				 entries->list[i].name);
		if (left->disk->files[file].dir) {
			ret = write_dir(left, file, path ? sub : NULL,
					depth + 1);
			continue;
		}
		mix(&left->hash, &left->images[file].size,
		    sizeof(left->images[file].size));
		mix(&left->hash, left->images[file].data,
		    left->images[file].used);
		if (path)
			ret = write_image(sub, &left->images[file]);
	}
	mix(&left->hash, "/", 1);
	return ret;
}

/**
 * disk_cut() - what a power cut at this point leaves
 * @disk: Disk.
 * @cut: How it ends.
 * @dir: Directory to fill, empty; NULL = only find @hash.
 * @hash: Out, the same for the same outcome.
 *
 * Return: 0 or -errno.
 */
int disk_cut(struct disk *disk, const struct disk_cut *cut, const char *dir,
	     uint64_t *hash)
{
	struct left left = { .disk = disk, .random = cut->seed };
	size_t i;
	int ret = -ENOMEM;

	left.images = calloc(disk->n_files, sizeof(*left.images));
	left.entries = calloc(disk->n_files, sizeof(*left.entries));
	if (!left.images || !left.entries)
		goto out_free;
	for (i = 0; i < disk->n_files; i++) {
		image_copy(&left.images[i], &disk->files[i].image);
		entries_copy(&left.entries[i], &disk->files[i].kept);
	}
	for (i = 0; i < disk->n_pending; i++)
		apply(&left, &disk->pending[i], cut, i);
	ret = write_dir(&left, 0, dir, 0);
	*hash = left.hash;
	for (i = 0; i < disk->n_files; i++) {
		free(left.images[i].data);
		entries_free(&left.entries[i]);
	}
out_free:
	free(left.images);
	free(left.entries);
	return ret;
}
