/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_IDS_H
#define VDFS_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * enum vdfs_id - the ids of a thread, in the order of /proc/TID/status
 * @VDFS_ID_REAL: Of the user who started it.
 * @VDFS_ID_EFFECTIVE: Those it runs as.
 * @VDFS_ID_SAVED: Those it may go back to.
 * @VDFS_ID_FS: By which the kernel judges what it does to files.
 * @VDFS_IDS: Behind the last.
 */
enum vdfs_id {
	VDFS_ID_REAL,
	VDFS_ID_EFFECTIVE,
	VDFS_ID_SAVED,
	VDFS_ID_FS,
	VDFS_IDS,
};

/**
 * struct vdfs_ids - users and groups of a thread
 * @uid: Users, see enum vdfs_id.
 * @gid: Groups, see there.
 * @groups: Supplementary groups, NULL without any.
 * @n: How many.
 */
struct vdfs_ids {
	uint32_t uid[VDFS_IDS];
	uint32_t gid[VDFS_IDS];
	uint32_t *groups;
	size_t n;
};

int vdfs_ids_read(pid_t tid, struct vdfs_ids *out);
bool vdfs_ids_have(const struct vdfs_ids *ids, uint32_t gid);
void vdfs_ids_fini(struct vdfs_ids *ids);

#endif /* VDFS_IDS_H */
