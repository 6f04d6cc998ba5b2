// SPDX-License-Identifier: GPL-2.0-only
/* Reads what dm-log-writes wrote. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocks.h"
#include "disk_impl.h"

#define MAGIC 0x6a736677736872ULL
#define SECTOR 512

/* As in the kernel's drivers/md/dm-log-writes.c; all little-endian. */
struct super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sectorsize;
} __attribute__((packed));

struct entry_head {
	uint64_t sector;
	uint64_t count;
	uint64_t flags;
	uint64_t data_len;
};

static int read_entry(struct blocks *blocks, uint64_t *at)
{
	char sector[SECTOR];
	struct entry_head head;
	struct blocks_entry *e;
	uint64_t len;

	if (pread(blocks->fd, sector, SECTOR, (off_t)*at) != SECTOR)
		return -EIO;
	memcpy(&head, sector, sizeof(head));
	blocks->list = grown(blocks->list, blocks->n, sizeof(*blocks->list));
	e = &blocks->list[blocks->n++];
	e->sector = le64toh(head.sector);
	e->count = le64toh(head.count);
	e->flags = le64toh(head.flags);
	*at += SECTOR;
	e->data = *at;
	len = le64toh(head.data_len);
	if (e->flags & BLOCKS_MARK && len < sizeof(e->mark))
		memcpy(e->mark, sector + sizeof(head), len);
	if (!(e->flags & (BLOCKS_DISCARD | BLOCKS_MARK)))
		*at += e->count * SECTOR;
	return 0;
}

/**
 * blocks_open() - read a log
 * @path: Device or file.
 * @blocks: Out; blocks_close() it.
 *
 * Return: 0, -EBADMSG for another format, or -errno.
 */
int blocks_open(const char *path, struct blocks *blocks)
{
	struct super super;
	uint64_t at = SECTOR, n;
	int ret = 0;

	memset(blocks, 0, sizeof(*blocks));
	blocks->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (blocks->fd < 0)
		return -errno;
	if (pread(blocks->fd, &super, sizeof(super), 0) != sizeof(super) ||
	    le64toh(super.magic) != MAGIC ||
	    le32toh(super.sectorsize) != SECTOR)
		ret = -EBADMSG;
	for (n = 0; !ret && n < le64toh(super.entries); n++)
		ret = read_entry(blocks, &at);
	if (ret)
		blocks_close(blocks);
	return ret;
}

/**
 * blocks_close() - end reading a log
 * @blocks: Log.
 */
void blocks_close(struct blocks *blocks)
{
	close(blocks->fd);
	free(blocks->list);
	memset(blocks, 0, sizeof(*blocks));
	blocks->fd = -1;
}

/**
 * blocks_apply() - do once more what an entry did
 * @blocks: Log.
 * @i: Number of the entry.
 * @disk: Image of the disk.
 *
 * Return: 0 or -EIO.
 */
int blocks_apply(const struct blocks *blocks, size_t i, int disk)
{
	const struct blocks_entry *e = &blocks->list[i];
	bool zero = e->flags & BLOCKS_DISCARD;
	char buf[65536] = {};
	uint64_t done, part, len = e->count * SECTOR;

	if (e->flags & BLOCKS_MARK)
		return 0;
	for (done = 0; done < len; done += part) {
		part = len - done < sizeof(buf) ? len - done : sizeof(buf);
		if (!zero && pread(blocks->fd, buf, part,
				   (off_t)(e->data + done)) != (ssize_t)part)
			return -EIO;
		if (pwrite(disk, buf, part,
			   (off_t)(e->sector * SECTOR + done)) != (ssize_t)part)
			return -EIO;
	}
	return 0;
}
