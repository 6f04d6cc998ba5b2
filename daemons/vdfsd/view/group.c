// SPDX-License-Identifier: GPL-2.0-only
/* Groups of those who ask. A request of FUSE has one, the others are in /proc. */
#include <errno.h>

#include "base/ids.h"
#include "view_impl.h"

/**
 * vdfs_call_in_group() - whether the thread that asks is in a group
 * @who: The user; @groups is the thread.
 * @gid: The group.
 *
 * The thread waits for the answer, so the number is its own, unless it was
 * killed: what has it by then is believed when the user is the same.
 *
 * Context: While the request is served.
 * Return: 1, 0, or a negative errno where /proc does not show it.
 */
int vdfs_call_in_group(const struct vdfs_who *who, uint32_t gid)
{
	struct vdfs_ids ids;
	int ret = vdfs_ids_read((pid_t)who->groups, &ids);

	if (ret)
		return ret;
	if (ids.uid[VDFS_ID_FS] != who->uid || ids.gid[VDFS_ID_FS] != who->gid)
		ret = -ESRCH;
	else
		ret = vdfs_ids_have(&ids, gid);
	vdfs_ids_fini(&ids);
	return ret;
}
