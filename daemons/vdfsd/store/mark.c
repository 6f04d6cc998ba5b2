// SPDX-License-Identifier: GPL-2.0-only
/*
 * pack/identity and object/identity. Each has two slots in sectors of their
 * own, written in turn: a write that a power cut tears leaves the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "store_impl.h"

#define MAGIC 0x314e444953464456ULL /* "VDFSIDN1" */
#define NAME "identity"
#define SECTOR 512
#define SLOTS 2

/**
 * struct mark - a slot
 * @magic: MAGIC.
 * @bytes: Identity of the store.
 * @generation: Of the database, at least.
 * @reserved: 0.
 * @crc: CRC-32C of all before.
 */
struct mark {
	uint64_t magic;
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	int64_t generation;
	uint32_t reserved;
	uint32_t crc;
};

static uint32_t crc_of(const struct mark *mark)
{
	return vdfs_crc32c(0, mark, offsetof(struct mark, crc));
}

/**
 * vdfs_magic_later() - whether a later version wrote something
 * @magic: How it begins: seven letters and the digit of its version.
 * @ours: How it begins when this version writes it.
 *
 * Context: Any.
 * Return: Whether only the digit differs, and is higher.
 */
bool vdfs_magic_later(uint64_t magic, uint64_t ours)
{
	return magic << 8 == ours << 8 && magic >> 56 > ours >> 56;
}

/**
 * vdfs_mark_read() - read the identity of a directory
 * @dir: The directory.
 * @bytes: Out, identity of its store.
 * @generation: Out.
 * @slot: Out, slot that has both.
 *
 * Context: Any thread.
 * Return: 0; -ENOENT when it has none; -EBADMSG when that is damaged;
 * -EOPNOTSUPP when a later version wrote it; or another negative errno.
 */
int vdfs_mark_read(int dir, uint8_t bytes[VDFS_IDENTITY_BYTES],
		   int64_t *generation, unsigned int *slot)
{
	int fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC);
	int err = -EBADMSG;
	struct mark mark;
	unsigned int i;

	if (fd < 0)
		return -errno;
	for (i = 0; i < SLOTS; i++) {
		if (pread(fd, &mark, sizeof(mark), (off_t)i * SECTOR) !=
		    sizeof(mark))
			continue;
		if (vdfs_magic_later(mark.magic, MAGIC)) {
			err = -EOPNOTSUPP;
			break;
		}
		if (mark.magic != MAGIC || mark.crc != crc_of(&mark) ||
		    (!err && mark.generation <= *generation))
			continue;
		memcpy(bytes, mark.bytes, sizeof(mark.bytes));
		*generation = mark.generation;
		*slot = i;
		err = 0;
	}
	close(fd);
	return err;
}

/**
 * vdfs_mark_write() - write a slot, not yet durably
 * @fd: The file.
 * @bytes: Identity of the store.
 * @generation: Generation.
 * @slot: Which of the two slots.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_mark_write(int fd, const uint8_t bytes[VDFS_IDENTITY_BYTES],
		    int64_t generation, unsigned int slot)
{
	struct mark mark = { .magic = MAGIC, .generation = generation };

	memcpy(mark.bytes, bytes, sizeof(mark.bytes));
	mark.crc = crc_of(&mark);
	return vdfs_pwrite_all(fd, &mark, sizeof(mark),
			       (uint64_t)(slot % SLOTS) * SECTOR);
}

/**
 * vdfs_mark_make() - give a directory its identity, durably
 * @dir: The directory.
 * @bytes: Identity of the store.
 * @generation: Generation.
 * @out: Out, the file, open, with its newest slot 0; NULL = close it.
 *
 * Context: Before anyone else uses the store.
 * Return: 0 or a negative errno.
 */
int vdfs_mark_make(int dir, const uint8_t bytes[VDFS_IDENTITY_BYTES],
		   int64_t generation, int *out)
{
	int fd = openat(dir, NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	unsigned int i;
	int err = 0;

	if (fd < 0)
		return -errno;
	/* One after the other: one is sound at any time. */
	for (i = SLOTS; !err && i--;) {
		err = vdfs_mark_write(fd, bytes, generation, i);
		if (!err && fdatasync(fd))
			err = -errno;
	}
	if (!err)
		err = vdfs_fsync_dir(dir);
	if (err || !out)
		close(fd);
	else
		*out = fd;
	return err;
}
