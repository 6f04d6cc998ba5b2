/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_NODE_H
#define VDFS_NODE_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "names.h"
#include "sql/meta.h"
#include "store/object.h"
#include "store/quota.h"
#include "store/visible.h"

#define VDFS_ROOT 1
/* Permission bits that are kept. No file runs as its owner or group. */
#define VDFS_MODE_BITS 01777U
#define VDFS_MODE_BITS_DIR (VDFS_MODE_BITS | S_ISGID)
/* More directories inside each other than a path can name. */
#define VDFS_DEPTH_MAX (VDFS_PATH_MAX / 2 + 2)

/**
 * struct vdfs_name_node - a name
 * @ino: Its row.
 * @parent: Of the directory it is in; 0 for the root.
 * @object: Of its blob; 0 for a directory.
 * @owner: User.
 * @gid: Group, VDFS_GID_NONE = none.
 * @mode: S_IFREG or S_IFDIR, and permission bits.
 * @mtime: CLOCK_REALTIME in nanoseconds.
 * @ctime: The same, of any change.
 */
struct vdfs_name_node {
	int64_t ino;
	int64_t parent;
	int64_t object;
	uint32_t owner;
	uint32_t gid;
	uint32_t mode;
	int64_t mtime;
	int64_t ctime;
};

/* name.c, move.c; change.c has nothing for others */
int vdfs_name_link_any(struct vdfs_store *store, const struct vdfs_who *who,
		       const char *path, const struct vdfs_hash *hash);
int vdfs_name_delete(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_name_node *node);

/* path.c */
bool vdfs_node_may(const struct vdfs_who *who,
		   const struct vdfs_name_node *node, int mask);
bool vdfs_name_in_group(const struct vdfs_who *who, uint32_t gid);
bool vdfs_node_own(const struct vdfs_who *who,
		   const struct vdfs_name_node *node);
bool vdfs_node_may_go(const struct vdfs_who *who,
		      const struct vdfs_name_node *parent,
		      const struct vdfs_name_node *node);
int vdfs_node_load(struct sqlite3 *db, int64_t ino, struct vdfs_name_node *out);
int vdfs_node_find(struct sqlite3 *db, int64_t parent, const char *name,
		   size_t len, struct vdfs_name_node *out);
int vdfs_node_walk(struct sqlite3 *db, const struct vdfs_who *who,
		   const char *path, struct vdfs_name_node *out);
int vdfs_node_parent(struct sqlite3 *db, const struct vdfs_who *who,
		     const char *path, bool make, struct vdfs_name_node *parent,
		     const char **last);
int vdfs_node_path(struct sqlite3 *db, int64_t ino, const char *path,
		   char out[VDFS_PATH_MAX + 1]);
int vdfs_node_check_path(struct sqlite3 *db, int64_t parent, const char *name);
struct vdfs_name_node vdfs_node_made(const struct vdfs_who *who,
				     const struct vdfs_name_node *parent,
				     uint32_t mode, int64_t mtime);
int vdfs_node_insert(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const char *name, size_t len, int64_t *ino);
int vdfs_node_touch(struct sqlite3 *db, int64_t ino, int64_t mtime);
int vdfs_node_changed(struct sqlite3 *db, int64_t ino);
int64_t vdfs_name_now(void);

/* place.c */
int vdfs_name_set(struct sqlite3 *db, struct vdfs_store *store,
		  const struct vdfs_who *who, const char *path,
		  const struct vdfs_object *object);
int vdfs_name_place(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_who *who, const struct vdfs_place *place,
		    const struct vdfs_object *object, struct vdfs_stat *st);

/* payer.c */
int vdfs_payer_drop(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node);
int vdfs_payer_take(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node, uint32_t uid,
		    const struct vdfs_object *object);
int vdfs_payer_attr_drop(struct sqlite3 *db, struct vdfs_store *store,
			 const struct vdfs_name_node *node, const char *attr);
int vdfs_payer_attr_take(struct sqlite3 *db, struct vdfs_store *store,
			 const struct vdfs_name_node *node, const char *attr,
			 size_t len, uint32_t uid);
int vdfs_payer_forget(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_name_node *node);
int vdfs_payer_owner(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_name_node *node, uint32_t owner);
int vdfs_payer_give(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node, uint32_t owner);

/* route.c */
int vdfs_name_look(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, bool list);
int vdfs_name_run(struct vdfs_store *store,
		  const struct vdfs_name_change *change);

/* name.c */
int vdfs_node_stat(struct sqlite3 *db, const struct vdfs_name_node *node,
		   struct vdfs_stat *st);
int vdfs_node_replace(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_who *who,
		      const struct vdfs_name_node *node,
		      const struct vdfs_object *object, int64_t mtime);

#endif /* VDFS_NODE_H */
