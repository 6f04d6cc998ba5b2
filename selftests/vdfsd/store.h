/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_STORE_H
#define SELFTESTS_VDFSD_STORE_H

#include "daemons/vdfsd/names/names.h"
#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/store/object.h"
#include "daemons/vdfsd/store/store.h"

/* What the tests of the store share. */

/**
 * struct tree - a store in a directory of its own
 * @dir: The directory.
 * @store: The store in it, or NULL while it is closed.
 */
struct tree {
	char dir[64];
	struct vdfs_store *store;
};

extern const struct vdfs_who alice, bob, carol, admin;

int tree_make(struct tree *t, const struct vdfs_store_options *options);
int tree_reopen(struct tree *t, const struct vdfs_store_options *options);
void tree_remove(struct tree *t);
int tree_flip(const struct tree *t, const char *name, off_t at);
int tree_shell(struct tree *t, const char *command);
/* Run SQL on the database of the open store, in a transaction. */
int tree_change(struct tree *t, const char *sql);
/* Faults that a check with VDFS_FSCK_* finds; UINT64_MAX when it fails. */
uint64_t tree_faults(struct tree *t, uint32_t flags);

uint8_t *random_bytes(size_t len, uint64_t seed);
int put_bytes(struct vdfs_store *store, const struct vdfs_who *who,
	      const void *data, size_t len, uint32_t flags, const char *name,
	      struct vdfs_hash *out);
int put_at(struct vdfs_store *store, const struct vdfs_who *who,
	   const char *text, const struct vdfs_place *place,
	   struct vdfs_stat *st);
/* The first object of a content, whosever it is. */
int object_of(struct vdfs_store *store, const struct vdfs_hash *hash,
	      struct vdfs_object *out);
int get_same(struct vdfs_store *store, const struct vdfs_who *who,
	     const struct vdfs_hash *hash, const void *data, size_t len);

#endif /* SELFTESTS_VDFSD_STORE_H */
