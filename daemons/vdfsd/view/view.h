/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FUSE_H
#define VDFS_FUSE_H

#include "collection/collection.h"
#include "store/store.h"

/**
 * DOC: The filesystem view
 *
 * A store as a mounted filesystem, for programs that know nothing of it; its
 * own README says how it looks. All is done for the user who asks: root is
 * admin, others see and change what names/names.h and collection.h let them.
 *
 * A file that is written is staged in a file without a name. It becomes a
 * blob, in one instant and durably, when a descriptor is closed or synced,
 * which fail if that does. Until then others see what the name stood for
 * before; one that was just made they see as it grows.
 */

struct vdfs_fuse;

/**
 * struct vdfs_fuse_options - how a store is mounted
 * @stage_dir: Directory on a disk, for what is being written.
 * @threads: Requests that are served beside each other, up to 64; 0 = 8. More
 *           are when more users have some.
 * @allow_other: Users other than the one who mounts may look.
 * @read_only: Let nobody change anything.
 * @ended: NULL, or called once by a serving thread when somebody else
 *         unmounted it; vdfs_fuse_stop() is still due.
 * @arg: For @ended.
 */
struct vdfs_fuse_options {
	const char *stage_dir;
	unsigned int threads;
	bool allow_other;
	bool read_only;
	void (*ended)(void *arg);
	void *arg;
};

int vdfs_fuse_mount(const char *dir, const struct vdfs_fuse_options *options);
int vdfs_fuse_start(struct vdfs_store *store, struct vdfs_db *db,
		    const char *dir, const struct vdfs_fuse_options *options,
		    struct vdfs_fuse **out);
void vdfs_fuse_stop(struct vdfs_fuse *fuse);

#endif /* VDFS_FUSE_H */
