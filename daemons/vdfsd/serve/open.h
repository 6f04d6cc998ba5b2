/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_OPEN_H
#define VDFS_OPEN_H

#include "store/store.h"

/* The tables of every room, with a NULL behind the last. */
extern const char *const vdfs_schemas[];

/* As vdfs_store_open_above(), with all that the daemon keeps in a store. */
int vdfs_store_open(const char *dir, const struct vdfs_store_options *options,
		    struct vdfs_store **out);

#endif /* VDFS_OPEN_H */
