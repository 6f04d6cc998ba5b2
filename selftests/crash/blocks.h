/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_BLOCKS_H
#define CRASH_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: A log of block writes
 *
 * What dm-log-writes leaves on its second device: every write in the order
 * in which it was completed, with the flushes and marks in between.
 */

/**
 * struct blocks_entry - one entry of the log
 * @sector: Where it was written, in sectors of 512 bytes.
 * @count: Sectors.
 * @flags: BLOCKS_FLUSH and the like.
 * @data: Where its bytes are in the log's file.
 * @mark: Text of a mark.
 */
struct blocks_entry {
	uint64_t sector;
	uint64_t count;
	uint64_t flags;
	uint64_t data;
	char mark[32];
};

#define BLOCKS_FLUSH 0x1U /* all before is on the disk */
#define BLOCKS_FUA 0x2U /* this is, once it is done */
#define BLOCKS_DISCARD 0x4U
#define BLOCKS_MARK 0x8U

/**
 * struct blocks - a log
 * @fd: Its file.
 * @list: Entries.
 * @n: How many.
 */
struct blocks {
	int fd;
	struct blocks_entry *list;
	size_t n;
};

int blocks_open(const char *path, struct blocks *blocks);
void blocks_close(struct blocks *blocks);
int blocks_apply(const struct blocks *blocks, size_t i, int disk);

#endif /* CRASH_BLOCKS_H */
