/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_NAME_IMPL_H
#define VDFS_NAME_IMPL_H

#include "name.h"
#include "store_impl.h"

#define VDFS_ROOT 1

/**
 * struct vdfs_node - a name
 * @ino: Its row.
 * @parent: Of the directory it is in; 0 for the root.
 * @object: Of its blob; 0 for a directory.
 * @owner: User.
 * @mode: S_IFREG or S_IFDIR, and permission bits.
 * @mtime: CLOCK_REALTIME in nanoseconds.
 */
struct vdfs_node {
	int64_t ino;
	int64_t parent;
	int64_t object;
	uint32_t owner;
	uint32_t mode;
	int64_t mtime;
};

/**
 * struct vdfs_name_change - a change of names that is checked and ready
 * @fn: Does it, in a transaction.
 * @arg: Its argument.
 * @path: The name that is changed.
 * @to: Where it goes, or NULL.
 * @leaves: It will not be at @path any more.
 */
struct vdfs_name_change {
	vdfs_meta_fn *fn;
	void *arg;
	const char *path;
	const char *to;
	bool leaves;
};

/* name.c, name_move.c */
int vdfs_name_link_any(struct vdfs_store *store, const struct vdfs_who *who,
		       const char *path, const struct vdfs_hash *hash);
int vdfs_name_delete(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_node *node);

/* name_path.c */
bool vdfs_node_shown(const struct vdfs_who *who, const struct vdfs_node *node);
bool vdfs_node_mine(const struct vdfs_who *who, const struct vdfs_node *node);
bool vdfs_node_may_go(const struct vdfs_who *who,
		      const struct vdfs_node *parent,
		      const struct vdfs_node *node);
int vdfs_node_load(struct sqlite3 *db, int64_t ino, struct vdfs_node *out);
int vdfs_node_find(struct sqlite3 *db, int64_t parent, const char *name,
		   size_t len, struct vdfs_node *out);
int vdfs_node_walk(struct sqlite3 *db, const struct vdfs_who *who,
		   const char *path, struct vdfs_node *out);
int vdfs_node_parent(struct sqlite3 *db, const struct vdfs_who *who,
		     const char *path, bool make, struct vdfs_node *parent,
		     const char **last);
int vdfs_node_insert(struct sqlite3 *db, const struct vdfs_node *node,
		     const char *name, size_t len, int64_t *ino);
int vdfs_node_touch(struct sqlite3 *db, int64_t ino, int64_t now);
int64_t vdfs_name_now(void);

/* name.c */
int vdfs_node_stat(struct sqlite3 *db, const struct vdfs_node *node,
		   struct vdfs_stat *st);
int vdfs_node_replace(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_node *node,
		      const struct vdfs_object *object, int64_t mtime);

#endif /* VDFS_NAME_IMPL_H */
