// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zeros, which holes of files are: what is cut of them is always the same piece.
 * Its hash is computed once, and what has that hash is not read.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "hole.h"
#include "store_impl.h"

static struct vdfs_hole hole;
static int hole_err;

static void make_hole(void)
{
	void *piece = calloc(1, VDFS_CHUNK_MAX);

	hole_err = -1;
	if (!piece)
		return;
	hole.len = vdfs_chunk_cut(piece, VDFS_CHUNK_MAX);
	hole_err = vdfs_hash_bytes(piece, hole.len, &hole.hash);
	free(piece);
}

/**
 * vdfs_hole() - get the piece that zeros are cut into
 *
 * Context: Any thread.
 * Return: It; NULL without memory.
 */
const struct vdfs_hole *vdfs_hole(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_hole);
	return hole_err ? NULL : &hole;
}

/**
 * vdfs_hole_is() - whether bytes are the piece that zeros are cut into
 * @data: Bytes.
 * @len: How many.
 *
 * Context: Any thread.
 * Return: Whether they are.
 */
bool vdfs_hole_is(const uint8_t *data, size_t len)
{
	const struct vdfs_hole *h = vdfs_hole();

	return h && len == h->len && !data[0] &&
	       !memcmp(data, data + 1, len - 1);
}

/**
 * vdfs_hole_named() - whether an object is the piece that zeros are cut into
 * @hash: Of the object.
 * @len: Its length.
 *
 * Context: Any thread.
 * Return: Whether it is.
 */
bool vdfs_hole_named(const struct vdfs_hash *hash, uint64_t len)
{
	const struct vdfs_hole *h = vdfs_hole();

	return h && len == h->len && vdfs_hash_equal(hash, &h->hash);
}
