// SPDX-License-Identifier: GPL-2.0-only
/* The keys that a file had so far: a key that comes twice is an error. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "import_impl.h"

#define ROOM_FIRST ((size_t)1 << 10)
#define LINE_MAX_KNOWN UINT32_MAX

static uint64_t spread(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* 96 bits of two hashes: equal ones are taken for equal keys. */
static struct vdfs_import_key hash_of(const char *key)
{
	uint64_t a = 0xcbf29ce484222325ULL;
	uint64_t b = 0;

	for (; *key; key++) {
		a = (a ^ (unsigned char)*key) * 0x100000001b3ULL;
		b = (b << 7 | b >> 57) + (unsigned char)*key;
		b *= 0x9e3779b97f4a7c15ULL;
	}
	return (struct vdfs_import_key){ .hash = spread(a),
					 .more = (uint32_t)spread(b) };
}

/* The entry of a key, or the free one where it belongs. */
static struct vdfs_import_key *find(struct vdfs_import_key *keys, size_t room,
				    const struct vdfs_import_key *key)
{
	size_t at = key->hash & (room - 1);

	while (keys[at].line &&
	       (keys[at].hash != key->hash || keys[at].more != key->more))
		at = (at + 1) & (room - 1);
	return &keys[at];
}

/* Three quarters of the entries are used at most. */
static int make_room(struct vdfs_import *im)
{
	size_t room = im->keys_room ? 2 * im->keys_room : ROOM_FIRST;
	struct vdfs_import_key *keys;
	size_t i;

	if (im->keys_n < im->keys_room / 4 * 3)
		return 0;
	keys = calloc(room, sizeof(*keys));
	if (!keys)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	for (i = 0; i < im->keys_room; i++)
		if (im->keys[i].line)
			*find(keys, room, &im->keys[i]) = im->keys[i];
	free(im->keys);
	im->keys = keys;
	im->keys_room = room;
	return 0;
}

/**
 * vdfs_import_key() - note the key of a line
 * @im: The file.
 * @key: The key.
 *
 * Return: 0; -EEXIST when an earlier line has it and the file is read so that
 * this is an error; or -ENOMEM.
 */
int vdfs_import_key(struct vdfs_import *im, const char *key)
{
	struct vdfs_import_key new = hash_of(key);
	struct vdfs_import_key *entry;
	int ret;

	if (!im->options.unique)
		return 0;
	ret = make_room(im);
	if (ret)
		return ret;
	entry = find(im->keys, im->keys_room, &new);
	if (entry->line)
		return vdfs_import_fail(im, -EEXIST,
					"line %" PRIu64
					": the key is that of line %" PRIu32,
					im->row, entry->line);
	new.line = im->row < LINE_MAX_KNOWN ? (uint32_t)im->row :
					      LINE_MAX_KNOWN;
	*entry = new;
	im->keys_n++;
	return 0;
}
