// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last known state of names in a bucket, and how that becomes names here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "remote_impl.h"

/**
 * vdfs_remote_row() - recall what a bucket said of a path
 * @db: A connection inside a transaction.
 * @name: The path; out, all but @st.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_remote_row(struct sqlite3 *db, struct vdfs_remote_name *name)
{
	struct sqlite3_stmt *st;
	int err;

	name->body[0] = '\0';
	name->etag[0] = '\0';
	err = vdfs_sql(db, &st,
		       "SELECT body, etag FROM remote_name WHERE path = ?",
		       VDFS_BLOB(name->path, strlen(name->path)));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -ENOENT;
	snprintf(name->body, sizeof(name->body), "%s",
		 (const char *)sqlite3_column_text(st, 0));
	snprintf(name->etag, sizeof(name->etag), "%s",
		 (const char *)sqlite3_column_text(st, 1));
	sqlite3_reset(st);
	return 0;
}

/**
 * vdfs_remote_row_set() - note what a bucket says of a path
 * @db: A connection inside a transaction.
 * @name: The path and its state.
 * @ino: The name it is here.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_row_set(struct sqlite3 *db, const struct vdfs_remote_name *name,
			int64_t ino)
{
	return vdfs_sql_run(db,
			    "INSERT OR REPLACE INTO remote_name\n"
			    "(path, ino, body, etag) VALUES(?, ?, ?, ?)",
			    VDFS_BLOB(name->path, strlen(name->path)),
			    VDFS_INT(ino), VDFS_TEXT(name->body),
			    VDFS_TEXT(name->etag));
}

/**
 * vdfs_remote_row_drop() - note that a bucket does not have a path
 * @db: A connection inside a transaction.
 * @path: The path.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_row_drop(struct sqlite3 *db, const char *path)
{
	return vdfs_sql_run(db, "DELETE FROM remote_name WHERE path = ?",
			    VDFS_BLOB(path, strlen(path)));
}

/**
 * struct import - a name that comes from the bucket
 * @remote: The remote.
 * @name: The path and its state.
 */
struct import {
	struct vdfs_remote *remote;
	struct vdfs_remote_name *name;
};

/* The row of a blob, away when it is not here. */
static int object_of(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_name_node *node,
		     const struct vdfs_stat *st, struct vdfs_object *object)
{
	int64_t user = vdfs_object_user(store, st->owner);
	int err = -ENOENT;

	/* The user who wrote it here keeps it. */
	if (node->object)
		err = vdfs_object_load(db, node->object, object);
	if (!err && !vdfs_hash_equal(&object->hash, &st->hash))
		err = -ENOENT;
	if (err == -ENOENT)
		err = vdfs_object_find(db, user, &st->hash, object);
	if (!err)
		return object->size == st->size ? 0 : -EBADMSG;
	if (err != -ENOENT)
		return err;
	memset(object, 0, sizeof(*object));
	object->hash = st->hash;
	object->user = user;
	object->size = st->size;
	object->kind = VDFS_AWAY;
	return vdfs_object_insert(db, object, &object->id);
}

static int set_node(struct sqlite3 *db, const struct vdfs_name_node *node,
		    const struct vdfs_stat *st, int64_t object)
{
	return vdfs_sql_run(
		db,
		"UPDATE node SET object = nullif(?2, 0), owner = ?3,\n"
		"mode = ?4, mtime = ?5, gid = ?6, ctime = ?7,\n" VDFS_NODE_SUM(
			"parent", "name", "nullif(?2, 0)", "?3", "?4", "?5",
			"?6", "?7") "WHERE ino = ?1",
		VDFS_INT(node->ino), VDFS_INT(object), VDFS_INT(st->owner),
		VDFS_INT(st->mode),
		VDFS_INT(S_ISDIR(st->mode) ? node->mtime : st->mtime_ns),
		VDFS_INT(st->gid), VDFS_INT(vdfs_name_now()));
}

static int import_file(struct sqlite3 *db, struct vdfs_store *store,
		       struct vdfs_name_node *node, const struct vdfs_stat *st)
{
	struct vdfs_object object;
	int err;

	err = object_of(db, store, node, st, &object);
	if (err || (node->object == object.id && node->owner == st->owner))
		return err ?: set_node(db, node, st, object.id);
	err = vdfs_payer_drop(db, store, node);
	if (!err)
		err = vdfs_payer_owner(db, store, node, st->owner);
	node->owner = st->owner;
	if (!err)
		err = vdfs_payer_take(db, store, node, st->owner, &object);
	return err ?: set_node(db, node, st, object.id);
}

static int import_dir(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_name_node *node,
		      const struct vdfs_stat *st)
{
	int err = vdfs_payer_owner(db, store, node, st->owner);

	return err ?: set_node(db, node, st, 0);
}

static int import(struct sqlite3 *db, struct import *in)
{
	const struct vdfs_stat *st = &in->name->st;
	struct vdfs_name_node parent, node;
	const char *last;
	int err;

	err = vdfs_node_parent(db, &vdfs_remote_admin, in->name->path, true,
			       &parent, &last);
	if (err)
		return err;
	err = vdfs_node_find(db, parent.ino, last, strlen(last), &node);
	if (err == -ENOENT) {
		node = (struct vdfs_name_node){ .parent = parent.ino,
						.owner = st->owner,
						.gid = st->gid,
						.mode = st->mode,
						.mtime = vdfs_name_now(),
						.ctime = vdfs_name_now() };
		err = vdfs_node_insert(db, &node, last, strlen(last),
				       &node.ino);
	} else if (!err && S_ISDIR(node.mode) != S_ISDIR(st->mode)) {
		err = vdfs_name_delete(db, in->remote->store, &node);
		return err ?: import(db, in);
	}
	if (!err && S_ISDIR(st->mode))
		err = import_dir(db, in->remote->store, &node, st);
	else if (!err)
		err = import_file(db, in->remote->store, &node, st);
	return err ?: vdfs_remote_row_set(db, in->name, node.ino);
}

/* It was there and is not any more: what it was here goes too. */
static int remove_name(struct sqlite3 *db, struct import *in)
{
	struct vdfs_remote_name row = { 0 };
	struct vdfs_name_node node;
	int err;

	stpcpy(row.path, in->name->path);
	err = vdfs_remote_row(db, &row);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = vdfs_node_walk(db, &vdfs_remote_admin, row.path, &node);
	if (!err)
		err = vdfs_name_delete(db, in->remote->store, &node);
	/*
	 * Names that are still in it have not been looked up in the bucket yet.
	 */
	if (err == -ENOTEMPTY)
		return 0;
	if (err && err != -ENOENT && err != -ENOTDIR)
		return err;
	return vdfs_remote_row_drop(db, row.path);
}

static int import_or_remove(struct sqlite3 *db, void *arg)
{
	struct import *in = arg;

	return *in->name->body ? import(db, in) : remove_name(db, in);
}

/**
 * vdfs_remote_import() - let a name be here what it is in the bucket
 * @remote: The remote, whose names lock is held; see busy.c.
 * @name: The name, as the bucket has it.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_import(struct vdfs_remote *remote,
		       struct vdfs_remote_name *name)
{
	struct import in = { .remote = remote, .name = name };
	int err;

	err = *name->body ? vdfs_remote_parse(name) : 0;
	if (!err)
		err = vdfs_store_write(remote->store, import_or_remove, &in);
	if (err)
		vdfs_remote_say(remote, "cannot take over the name %s: %s",
				name->path,
				err == -EINVAL ? "it is not well formed" :
						 strerror(-err));
	return err;
}
