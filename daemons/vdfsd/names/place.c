// SPDX-License-Identifier: GPL-2.0-only
/* The content of one name and no other: what open files are written by. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"
#include "store/usage.h"

static int set_content(struct sqlite3 *db, struct vdfs_store *store,
		       const struct vdfs_who *who,
		       const struct vdfs_place *place, int64_t mtime,
		       const struct vdfs_object *object)
{
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_load(db, (int64_t)place->ino, &node);
	if (err)
		return err == -ENOENT ? -ESTALE : err;
	if (S_ISDIR(node.mode))
		return -EISDIR;
	if (!place->granted && !vdfs_node_may(who, &node, W_OK))
		return -EACCES;
	return vdfs_node_replace(db, store, who, &node, object, mtime);
}

static int make_name(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_who *who, const struct vdfs_place *place,
		     int64_t mtime, const struct vdfs_object *object,
		     int64_t *ino)
{
	struct vdfs_name_node parent, node;
	struct vdfs_who there = *who;
	const char *last;
	int err;

	if (!*place->path)
		return -EEXIST;
	there.at = place->dir;
	err = vdfs_node_parent(db, &there, place->path, false, &parent, &last);
	if (err)
		return err;
	err = vdfs_node_find(db, parent.ino, last, strlen(last), &node);
	if (err != -ENOENT)
		return err ?: -EEXIST;
	if (!vdfs_node_may(who, &parent, W_OK | X_OK))
		return -EACCES;
	node = vdfs_node_made(who, &parent,
			      S_IFREG | (place->mode & ~(uint32_t)S_IFMT),
			      mtime);
	node.object = object->id;
	err = vdfs_node_check_path(db, parent.ino, last);
	if (!err)
		err = vdfs_node_insert(db, &node, last, strlen(last), ino);
	if (!err)
		err = vdfs_usage_check(db, store, who->uid, VDFS_USAGE_NAMES);
	return err ?: vdfs_ref_name(db, store, who->uid, object, 1);
}

/**
 * vdfs_name_place() - give a name its content, or a content a new name
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user.
 * @place: Which; its path is one that vdfs_name_check() passed.
 * @object: The blob.
 * @st: Out: what the name is then.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EEXIST, -ESTALE, or another negative errno.
 */
int vdfs_name_place(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_who *who, const struct vdfs_place *place,
		    const struct vdfs_object *object, struct vdfs_stat *st)
{
	int64_t ino = (int64_t)place->ino, mtime = place->mtime_ns;
	struct vdfs_name_node node;
	int err;

	if (mtime == INT64_MIN)
		mtime = vdfs_name_now();
	if (ino)
		err = set_content(db, store, who, place, mtime, object);
	else
		err = make_name(db, store, who, place, mtime, object, &ino);
	if (!err)
		err = vdfs_node_load(db, ino, &node);
	return err ?: vdfs_node_stat(db, &node, st);
}
