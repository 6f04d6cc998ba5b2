/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_DISK_IMPL_H
#define CRASH_DISK_IMPL_H

#include "selftests/crash/disk.h"

/**
 * struct image - bytes of a file
 * @data: What was written; behind @used there are zeros.
 * @used: Bytes at @data that matter.
 * @room: Bytes allocated.
 * @size: Length of the file.
 */
struct image {
	char *data;
	size_t used;
	size_t room;
	uint64_t size;
};

/**
 * struct entry - a name in a directory
 * @name: Name.
 * @file: Number of what it names, in struct disk.
 */
struct entry {
	char *name;
	size_t file;
};

/**
 * struct entries - the names in a directory
 * @list: Names, in any order.
 * @n: How many.
 */
struct entries {
	struct entry *list;
	size_t n;
};

/**
 * struct file - a file or directory
 * @ino: As the log has it; 0 = the number stands for another file now.
 * @dir: A directory.
 * @image: What of its bytes is on the disk.
 * @now: A directory's entries at this point of the log.
 * @kept: Those that are on the disk.
 */
struct file {
	uint64_t ino;
	bool dir;
	struct image image;
	struct entries now;
	struct entries kept;
};

/**
 * struct name - an entry that an operation changes
 * @dir: Number of the directory.
 * @name: Name.
 * @file: What it names afterwards, NOTHING when it is gone.
 */
struct name {
	size_t dir;
	char *name;
	size_t file;
};

#define NOTHING SIZE_MAX

/**
 * struct pending - an operation that is not yet on the disk
 * @op: It; NULL = the slot is free.
 * @file: File whose bytes it changes; NOTHING for one on names.
 * @names: Entries it changes, all or none of them.
 * @n_names: How many, up to 2.
 */
struct pending {
	const struct disk_op *op;
	size_t file;
	struct name names[2];
	int n_names;
};

/**
 * struct disk - a simulated disk
 * @log: What is played.
 * @rules: What is played wrong.
 * @at: Operations of the log that were played.
 * @files: All files there ever were; the first is the root.
 * @n_files: How many.
 * @pending: In the order of the log.
 * @n_pending: How many.
 * @late: Number of the file whose sync is late, or NOTHING.
 */
struct disk {
	const struct disk_log *log;
	struct disk_rules rules;
	size_t at;
	struct file *files;
	size_t n_files;
	struct pending *pending;
	size_t n_pending;
	size_t late;
};

void image_write(struct image *image, const char *data, size_t len,
		 uint64_t offset);
void image_truncate(struct image *image, uint64_t size);
void image_zero(struct image *image, uint64_t offset, uint64_t len);
void image_copy(struct image *to, const struct image *from);
void image_apply(struct image *image, const struct disk_op *op);
size_t entries_find(const struct entries *entries, const char *name);
void entries_set(struct entries *entries, const char *name, size_t file);
void entries_copy(struct entries *to, const struct entries *from);
void entries_free(struct entries *entries);
void *grown(void *list, size_t n, size_t size);

#endif /* CRASH_DISK_IMPL_H */
