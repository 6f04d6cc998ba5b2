// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a staged file to those who write it: each is charged for the
 * bytes by which it makes the file longer, before it does, and until the file
 * is closed. A blob that is made of the bytes meanwhile does not end the charge:
 * both are on the disk.
 */
#include <errno.h>
#include <stdlib.h>

#include "view_impl.h"

/* A long file is charged ahead by this part of it, where the quota allows. */
#define AHEAD 16
#define AHEAD_FROM ((uint64_t)1 << 20)

static struct vdfs_stage_share *share_of(struct vdfs_stage *stage, uint32_t uid)
{
	struct vdfs_stage_share *share;

	LIST_FOREACH(share, &stage->shares, link)
	{
		if (share->uid == uid)
			return share;
	}
	share = calloc(1, sizeof(*share));
	if (share) {
		share->uid = uid;
		LIST_INSERT_HEAD(&stage->shares, share, link);
	}
	return share;
}

static int take(struct vdfs_stage *stage, struct vdfs_stage_share *share,
		uint64_t bytes)
{
	int err = vdfs_charge(stage->store, share->uid, VDFS_CHARGE_STAGED,
			      bytes);

	if (!err) {
		share->bytes += bytes;
		stage->charged += bytes;
	}
	return err;
}

static void give_back(struct vdfs_stage *stage, struct vdfs_stage_share *share,
		      uint64_t bytes)
{
	if (bytes > share->bytes)
		bytes = share->bytes;
	vdfs_uncharge(stage->store, share->uid, VDFS_CHARGE_STAGED, bytes);
	share->bytes -= bytes;
	stage->charged -= bytes;
}

/**
 * vdfs_stage_charge() - charge for a file before it gets longer
 * @stage: Which; its lock is held exclusively.
 * @who: The user who makes it so.
 * @size: How long it will be.
 *
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_stage_charge(struct vdfs_stage *stage, const struct vdfs_who *who,
		      uint64_t size)
{
	struct vdfs_stage_share *share;
	uint64_t more;
	int err;

	if (size <= stage->charged)
		return 0;
	share = share_of(stage, who->uid);
	if (!share)
		return -ENOMEM;
	more = size - stage->charged;
	if (size < AHEAD_FROM)
		return take(stage, share, more);
	err = take(stage, share, more + size / AHEAD);
	return err == -EDQUOT ? take(stage, share, more) : err;
}

/**
 * vdfs_stage_trim() - end the charge for what a file has not
 * @stage: Which; its lock is held exclusively.
 * @size: How long it is.
 */
void vdfs_stage_trim(struct vdfs_stage *stage, uint64_t size)
{
	struct vdfs_stage_share *share;

	LIST_FOREACH(share, &stage->shares, link)
	{
		if (stage->charged <= size)
			break;
		give_back(stage, share, stage->charged - size);
	}
}

/**
 * vdfs_stage_share() - what a user is charged for a file
 * @stage: Which; its lock is held.
 * @who: The user.
 *
 * Return: Bytes.
 */
uint64_t vdfs_stage_share(struct vdfs_stage *stage, const struct vdfs_who *who)
{
	struct vdfs_stage_share *share;

	LIST_FOREACH(share, &stage->shares, link)
	{
		if (share->uid == who->uid)
			return share->bytes;
	}
	return 0;
}

/**
 * vdfs_stage_uncharge() - end all charges for a file
 * @stage: Which; nobody uses it any more.
 */
void vdfs_stage_uncharge(struct vdfs_stage *stage)
{
	struct vdfs_stage_share *share;

	while ((share = LIST_FIRST(&stage->shares))) {
		give_back(stage, share, share->bytes);
		LIST_REMOVE(share, link);
		free(share);
	}
}
