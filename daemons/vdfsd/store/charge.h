/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_CHARGE_H
#define VDFS_CHARGE_H

#include "store.h"

/**
 * enum vdfs_charge_kind - what a user holds of a running daemon
 * @VDFS_CHARGE_STAGED: Bytes on the disk that belong to no blob yet: pieces of
 *	puts, and files being written; or to none any more, until they are
 *	collected. They and what the user refers to are within its quota
 *	together.
 * @VDFS_CHARGE_MEMORY: Bytes in memory of puts that have not ended.
 * @VDFS_CHARGE_PUTS: Puts that have not ended.
 * @VDFS_CHARGE_FILES: Open files of the view and open blobs.
 * @VDFS_CHARGE_DIRS: Open directories of the view.
 * @VDFS_CHARGE_LOCKS: Ranges of files of the view that are locked or waited for.
 * @VDFS_CHARGE_INODES: Inodes of the view that the kernel knows.
 * @VDFS_CHARGES: How many kinds there are.
 */
enum vdfs_charge_kind {
	VDFS_CHARGE_STAGED,
	VDFS_CHARGE_MEMORY,
	VDFS_CHARGE_PUTS,
	VDFS_CHARGE_FILES,
	VDFS_CHARGE_DIRS,
	VDFS_CHARGE_LOCKS,
	VDFS_CHARGE_INODES,
	VDFS_CHARGES,
};

/* Before the work; -EMFILE for files and directories, else -EDQUOT. */
int vdfs_charge(struct vdfs_store *store, uint32_t uid,
		enum vdfs_charge_kind kind, uint64_t n);
void vdfs_uncharge(struct vdfs_store *store, uint32_t uid,
		   enum vdfs_charge_kind kind, uint64_t n);
uint64_t vdfs_charged(struct vdfs_store *store, uint32_t uid,
		      enum vdfs_charge_kind kind);
/* 0 = any; of staged bytes what the quota leaves for them. */
uint64_t vdfs_charge_limit(struct vdfs_store *store,
			   enum vdfs_charge_kind kind);

#endif /* VDFS_CHARGE_H */
