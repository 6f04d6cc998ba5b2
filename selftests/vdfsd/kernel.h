/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_KERNEL_H
#define SELFTESTS_VDFSD_KERNEL_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemons/vdfsd/view/view.h"

/*
 * A test is the kernel to a view: it decides which thread of which user asks
 * what, and when. No mount is needed.
 */

/**
 * struct asker - who asks, and about which inode
 * @fd: To the view.
 * @uid: The user.
 * @gid: Its group.
 * @tid: The thread.
 * @node: Number of the inode.
 */
struct asker {
	int fd;
	uint32_t uid;
	uint32_t gid;
	uint32_t tid;
	uint64_t node;
};

/**
 * struct fuse_made - the answer to FUSE_CREATE
 * @entry: The inode.
 * @open: The open file.
 */
struct fuse_made {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

int kernel_start(struct vdfs_store *store, struct vdfs_db *db, const char *dir,
		 struct vdfs_fuse **fuse, struct asker *kernel);
struct asker as(const struct asker *kernel, uint32_t tid);
struct asker by(const struct asker *kernel, uint32_t uid);
int tell(struct asker a, uint64_t unique, uint32_t op, const void *arg,
	 size_t len, const char *name);
int hear(struct asker a, uint64_t *unique, void *out, size_t room);
int ask(struct asker a, uint32_t op, const void *arg, size_t len,
	const char *name, void *out, size_t room);
int walk_to(struct asker a, const char *path, struct fuse_entry_out *entry);
uint64_t node_at(struct asker a, const char *path);
int open_at(struct asker a, uint64_t node, int flags, uint64_t *fh);
int close_at(struct asker a, uint64_t node, uint64_t fh, bool wrote);
int create_at(struct asker a, uint64_t dir, const char *name, uint32_t mode,
	      struct fuse_made *made);
int write_at(struct asker a, uint64_t node, uint64_t fh, const char *text);
bool reads(struct asker a, uint64_t node, uint64_t fh, const char *text);
int attr_of(struct asker a, uint64_t node, struct fuse_attr *attr);
int set_attr(struct asker a, uint64_t node, struct fuse_setattr_in in);
int get_xattr(struct asker a, uint64_t node, const char *name, char *value,
	      size_t room);
int list_at(struct asker a, uint64_t node, char *names, size_t room);

#endif /* SELFTESTS_VDFSD_KERNEL_H */
