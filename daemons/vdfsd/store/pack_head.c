// SPDX-License-Identifier: GPL-2.0-only
/* How a segment begins: its number, and which store it is of. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "store_impl.h"

#define MAGIC 0x324b415053464456ULL /* "VDFSPAK2" */
#define MAGIC_1 0x314b415053464456ULL /* "VDFSPAK1" */

/**
 * struct vdfs_segment_head - how a segment begins
 * @magic: MAGIC.
 * @number: As in its name.
 * @reserved: 0.
 * @bytes: Identity of its store.
 * @generation: Of the database when it was made, at least.
 * @reserved_too: 0.
 * @crc: CRC-32C of all before.
 */
struct vdfs_segment_head {
	uint64_t magic;
	uint32_t number;
	uint32_t reserved;
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	int64_t generation;
	uint32_t reserved_too;
	uint32_t crc;
};

/**
 * struct vdfs_segment_head_1 - how one begins that has no identity
 * @magic: MAGIC_1.
 * @number: As in its name.
 * @crc: CRC-32C of all before.
 */
struct vdfs_segment_head_1 {
	uint64_t magic;
	uint32_t number;
	uint32_t crc;
};

_Static_assert(sizeof(struct vdfs_segment_head) == VDFS_SEGMENT_HEAD,
	       "records begin behind the head");

/**
 * vdfs_segment_begin() - write how a segment begins, not yet durably
 * @store: The store.
 * @seg: The segment, open and empty.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_segment_begin(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_segment_head head = { .magic = MAGIC,
					  .number = seg->number };

	memcpy(head.bytes, store->identity.bytes, sizeof(head.bytes));
	head.generation = vdfs_identity_noted(store);
	head.crc =
		vdfs_crc32c(0, &head, offsetof(struct vdfs_segment_head, crc));
	return vdfs_pwrite_all(seg->fd, &head, sizeof(head), 0);
}

/**
 * vdfs_segment_identity() - read how a segment begins
 * @seg: The segment, open.
 * @bytes: Out, identity of its store.
 * @generation: Out, of the database when it was made, at least.
 *
 * Context: Any thread.
 * Return: 0; -ENODATA when it was made before there were identities; -EBADMSG
 * when its beginning is damaged; -EOPNOTSUPP when a later version made it.
 */
int vdfs_segment_identity(struct vdfs_segment *seg,
			  uint8_t bytes[VDFS_IDENTITY_BYTES],
			  int64_t *generation)
{
	struct vdfs_segment_head head = { 0 };
	struct vdfs_segment_head_1 old;
	ssize_t n = pread(seg->fd, &head, sizeof(head), 0);

	if (n >= (ssize_t)sizeof(head.magic) &&
	    vdfs_magic_later(head.magic, MAGIC))
		return -EOPNOTSUPP;
	memcpy(&old, &head, sizeof(old));
	if (n >= (ssize_t)sizeof(old) && old.magic == MAGIC_1 &&
	    old.number == seg->number &&
	    old.crc == vdfs_crc32c(0, &old,
				   offsetof(struct vdfs_segment_head_1, crc)))
		return -ENODATA;
	if (n != sizeof(head) || head.magic != MAGIC ||
	    head.number != seg->number ||
	    head.crc != vdfs_crc32c(0, &head,
				    offsetof(struct vdfs_segment_head, crc)))
		return -EBADMSG;
	memcpy(bytes, head.bytes, sizeof(head.bytes));
	*generation = head.generation;
	return 0;
}

/**
 * vdfs_segment_sound() - look at how a segment begins
 * @seg: The segment, open.
 *
 * Context: Any thread.
 * Return: Whether that is as it should be.
 */
bool vdfs_segment_sound(struct vdfs_segment *seg)
{
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	int64_t generation;
	int err = vdfs_segment_identity(seg, bytes, &generation);

	return !err || err == -ENODATA;
}
