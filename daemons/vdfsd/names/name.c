// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: rows that know their directory, so that a directory is renamed with
 * all that is in it by changing one. Each change is one transaction with the
 * references and charges it brings.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pace.h"
#include "node.h"
#include "store/usage.h"

#define PAGE 128 /* names listed in one transaction */

/**
 * struct name_op - one operation on a name
 * @store: The store.
 * @who: For whom.
 * @path: Of the name.
 * @hash: Of a blob.
 * @mode: Of a directory.
 * @any: Whether the user may see the blob or not.
 * @st: Out.
 */
struct name_op {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const char *path;
	const struct vdfs_hash *hash;
	uint32_t mode;
	bool any;
	struct vdfs_stat *st;
};

static int write_op(struct name_op *op, vdfs_meta_fn *fn)
{
	struct vdfs_name_change change = {
		.fn = fn, .arg = op, .at = op->who->at, .path = op->path
	};

	return vdfs_name_run(op->store, &change);
}

/**
 * vdfs_node_stat() - report a name to users
 * @db: A connection inside a transaction.
 * @node: The name.
 * @st: Out.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0 or a negative errno.
 */
int vdfs_node_stat(struct sqlite3 *db, const struct vdfs_name_node *node,
		   struct vdfs_stat *st)
{
	struct vdfs_object object = { 0 };
	int err = 0;

	if (node->object)
		err = vdfs_object_load(db, node->object, &object);
	if (err)
		return err == -ENOENT ? -EBADMSG : err;
	memset(st, 0, sizeof(*st));
	st->hash = object.hash;
	st->size = object.size;
	st->ino = node->ino;
	st->mtime_ns = node->mtime;
	st->ctime_ns = node->ctime;
	st->owner = node->owner;
	st->gid = node->gid;
	st->mode = node->mode;
	return 0;
}

static int stat_name(struct sqlite3 *db, void *arg)
{
	struct name_op *op = arg;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, op->who, op->path, &node);
	return err ?: vdfs_node_stat(db, &node, op->st);
}

/**
 * vdfs_name_stat() - say what a name stands for
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 * @out: Its attributes.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_name_stat(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, struct vdfs_stat *out)
{
	struct name_op op = { .who = who, .path = path, .st = out };
	int err = vdfs_name_check(path), looked;

	if (err)
		return err;
	looked = vdfs_name_look(store, who, path, false);
	err = vdfs_meta_read(vdfs_store_meta(store), stat_name, &op);
	/* It may be where nobody answers. */
	return err == -ENOENT && looked ? looked : err;
}

/**
 * struct page - a part of the list of a directory
 * @who: For whom.
 * @path: The directory.
 * @after: From behind this name on.
 * @search: The user may look names in it up, which attributes of them take.
 * @n: Out, how many.
 * @full: Out, there may be more.
 * @name: Out.
 * @st: Out.
 */
struct page {
	const struct vdfs_who *who;
	const char *path;
	char after[256];
	bool search;
	unsigned int n;
	bool full;
	char name[PAGE][256];
	struct vdfs_stat st[PAGE];
};

static int add_entry(struct page *p, struct sqlite3_stmt *st)
{
	struct vdfs_stat *out = &p->st[p->n];
	struct vdfs_name_node node = {
		.owner = sqlite3_column_int64(st, 2),
		.gid = sqlite3_column_int64(st, 7),
		.mode = sqlite3_column_int64(st, 3),
	};
	int len = sqlite3_column_bytes(st, 1);

	if (len <= 0 || len > 255)
		return -EBADMSG;
	memcpy(p->name[p->n], sqlite3_column_blob(st, 1), len);
	p->name[p->n][len] = '\0';
	memset(out, 0, sizeof(*out));
	out->ino = sqlite3_column_int64(st, 0);
	out->gid = VDFS_GID_NONE;
	out->mode = node.mode & S_IFMT;
	p->n++;
	if (!p->search)
		return 0;
	out->owner = node.owner;
	out->gid = node.gid;
	out->mode = node.mode;
	out->mtime_ns = sqlite3_column_int64(st, 4);
	out->ctime_ns = sqlite3_column_int64(st, 8);
	if (sqlite3_column_bytes(st, 5) >= (int)sizeof(out->hash))
		memcpy(&out->hash, sqlite3_column_blob(st, 5),
		       sizeof(out->hash));
	out->size = sqlite3_column_int64(st, 6);
	return 0;
}

static int fill_page(struct sqlite3 *db, void *arg)
{
	struct page *p = arg;
	struct sqlite3_stmt *st;
	struct vdfs_name_node dir;
	int err;

	p->n = 0;
	p->full = false;
	err = vdfs_node_walk(db, p->who, p->path, &dir);
	if (err)
		return err;
	if (!S_ISDIR(dir.mode))
		return -ENOTDIR;
	if (!vdfs_node_may(p->who, &dir, R_OK))
		return -EACCES;
	p->search = vdfs_node_may(p->who, &dir, X_OK);
	err = vdfs_sql(
		db, &st,
		"SELECT n.ino, n.name, n.owner, n.mode, n.mtime, o.hash,\n"
		"o.size, n.gid, n.ctime FROM node n LEFT JOIN object o ON o.id = n.object\n"
		"WHERE n.parent = ? AND n.name > ? ORDER BY n.name",
		VDFS_INT(dir.ino), VDFS_BLOB(p->after, strlen(p->after)));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		err = add_entry(p, st);
		p->full = p->n == PAGE;
		if (p->full)
			break;
	}
	return err;
}

/**
 * vdfs_name_list() - list a directory
 * @store: The store.
 * @who: The user.
 * @path: The directory.
 * @after: From behind this name on; NULL or "" = all.
 * @fn: Called for each, in the order of bytes.
 * @arg: Its argument.
 *
 * Names that come or go meanwhile may be listed or not. A user who may read the
 * directory and not search it is given numbers and types alone.
 *
 * Context: Any thread; @fn may use the store.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_name_list(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, const char *after, vdfs_name_fn *fn,
		   void *arg)
{
	int err = vdfs_name_check(path);
	struct page *p;
	unsigned int i;

	if (!err && after && strlen(after) > 255)
		err = -ENAMETOOLONG;
	if (err)
		return err;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	/* When nobody answers, what is known is listed. */
	vdfs_name_look(store, who, path, true);
	p->who = who;
	p->path = path;
	snprintf(p->after, sizeof(p->after), "%s", after ?: "");
	do {
		pace_step();
		err = vdfs_meta_read(vdfs_store_meta(store), fill_page, p);
		for (i = 0; !err && i < p->n; i++)
			err = fn(arg, p->name[i], &p->st[i]);
		if (p->n)
			memcpy(p->after, p->name[p->n - 1], sizeof(p->after));
	} while (!err && p->full);
	free(p);
	return err;
}

static int make_dir(struct sqlite3 *db, void *arg)
{
	struct name_op *op = arg;
	struct vdfs_name_node parent, node;
	const char *last;
	int err;

	if (!*op->path)
		return -EEXIST;
	err = vdfs_node_parent(db, op->who, op->path, true, &parent, &last);
	if (err)
		return err;
	err = vdfs_node_find(db, parent.ino, last, strlen(last), &node);
	if (err != -ENOENT)
		return err ?: -EEXIST;
	if (!vdfs_node_may(op->who, &parent, W_OK | X_OK))
		return -EACCES;
	node = vdfs_node_made(op->who, &parent,
			      S_IFDIR | (op->mode & ~(uint32_t)S_IFMT),
			      vdfs_name_now());
	err = vdfs_node_check_path(db, parent.ino, last);
	if (!err)
		err = vdfs_node_insert(db, &node, last, strlen(last),
				       &node.ino);
	return err   ?:
		       vdfs_usage_check(db, op->store, node.owner,
					VDFS_USAGE_NAMES);
}

/**
 * vdfs_name_mkdir() - make a directory, and those on the way to it
 * @store: The store.
 * @who: The user.
 * @path: Of the directory.
 * @mode: Its permission bits.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_name_mkdir(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path, uint32_t mode)
{
	struct name_op op = { store, who, path, .mode = mode };

	return write_op(&op, make_dir);
}

/**
 * vdfs_node_replace() - let a name stand for another blob
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user, who pays for the blob.
 * @node: The name.
 * @object: The blob.
 * @mtime: When, in nanoseconds.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_node_replace(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_who *who,
		      const struct vdfs_name_node *node,
		      const struct vdfs_object *object, int64_t mtime)
{
	int err = 0;

	if (node->object != object->id) {
		err = vdfs_payer_drop(db, store, node);
		if (!err)
			err = vdfs_payer_take(db, store, node, who->uid,
					      object);
	}
	if (err)
		return err;
	return vdfs_sql_run(
		db,
		"UPDATE node SET object = ?2, mtime = ?3, ctime = ?4,\n" VDFS_NODE_SUM(
			"parent", "name", "?2", "owner", "mode", "?3", "gid",
			"?4") "WHERE ino = ?1",
		VDFS_INT(node->ino), VDFS_INT(object->id), VDFS_INT(mtime),
		VDFS_INT(vdfs_name_now()));
}

/**
 * vdfs_name_set() - point a name at a blob; it is made or replaced
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user.
 * @path: One that vdfs_name_check() passed.
 * @object: The blob.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_name_set(struct sqlite3 *db, struct vdfs_store *store,
		  const struct vdfs_who *who, const char *path,
		  const struct vdfs_object *object)
{
	struct vdfs_name_node parent, node;
	const char *last;
	int err;

	if (!*path)
		return -EISDIR;
	err = vdfs_node_parent(db, who, path, true, &parent, &last);
	if (err)
		return err;
	err = vdfs_node_find(db, parent.ino, last, strlen(last), &node);
	if (!err) {
		if (S_ISDIR(node.mode))
			return -EISDIR;
		if (!vdfs_node_may(who, &node, W_OK))
			return -EACCES;
		return vdfs_node_replace(db, store, who, &node, object,
					 vdfs_name_now());
	}
	if (err != -ENOENT)
		return err;
	if (!vdfs_node_may(who, &parent, W_OK | X_OK))
		return -EACCES;
	node = vdfs_node_made(who, &parent, S_IFREG | VDFS_MODE_FILE,
			      vdfs_name_now());
	node.object = object->id;
	err = vdfs_node_check_path(db, parent.ino, last);
	if (!err)
		err = vdfs_node_insert(db, &node, last, strlen(last),
				       &node.ino);
	if (!err)
		err = vdfs_usage_check(db, store, who->uid, VDFS_USAGE_NAMES);
	return err ?: vdfs_ref_name(db, store, who->uid, object, 1);
}

static int link_name(struct sqlite3 *db, void *arg)
{
	struct name_op *op = arg;
	struct vdfs_object object;
	int err;

	if (op->any)
		err = vdfs_object_find(
			db, vdfs_object_user(op->store, op->who->uid), op->hash,
			&object);
	else
		err = vdfs_blob_find(db, op->store, op->who, op->hash, &object);
	return err ?: vdfs_name_set(db, op->store, op->who, op->path, &object);
}

/**
 * vdfs_name_link() - point a name at a blob; it is made or replaced
 * @store: The store.
 * @who: The user, who may see the blob.
 * @path: Of the name.
 * @hash: Of the blob.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_name_link(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, const struct vdfs_hash *hash)
{
	struct name_op op = { store, who, path, .hash = hash };

	return write_op(&op, link_name);
}

/**
 * vdfs_name_link_any() - point a name at a blob the user brought
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 * @hash: Of the blob, which somebody refers to.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_name_link_any(struct vdfs_store *store, const struct vdfs_who *who,
		       const char *path, const struct vdfs_hash *hash)
{
	struct name_op op = { store, who, path, .hash = hash, .any = true };

	return write_op(&op, link_name);
}
