// SPDX-License-Identifier: GPL-2.0-only
/* Blobs that names let a user read, found from the root on. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "node.h"

#define FIRST 64 /* directories that there is room for at first */

/**
 * struct tour - a walk through all directories that a user may search
 * @who: The user.
 * @rows: Names that may still be looked at.
 * @fn: Called for each blob, with @arg.
 * @arg: Its argument.
 * @dir: Numbers of directories still to be read, shape [size].
 * @n: How many.
 * @size: For how many there is room.
 */
struct tour {
	const struct vdfs_who *who;
	unsigned int *rows;
	vdfs_shown_fn *fn;
	void *arg;
	int64_t *dir;
	size_t n;
	size_t size;
};

static int push(struct tour *t, int64_t ino)
{
	size_t size = t->size ? 2 * t->size : FIRST;
	int64_t *dir;

	if (t->n == t->size) {
		dir = reallocarray(t->dir, size, sizeof(*dir));
		if (!dir)
			return -ENOMEM;
		t->dir = dir;
		t->size = size;
	}
	t->dir[t->n++] = ino;
	return 0;
}

static int visit(struct tour *t, const struct vdfs_name_node *node)
{
	if (!*t->rows)
		return -EAGAIN;
	--*t->rows;
	if (!vdfs_node_may(t->who, node, node->object ? R_OK : X_OK))
		return 0;
	return node->object ? t->fn(t->arg, node->object) : push(t, node->ino);
}

static int read_dir(struct sqlite3 *db, struct tour *t, int64_t ino)
{
	struct vdfs_name_node node = { .parent = ino };
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT ino, object, owner, mode, gid FROM node\n"
		       "WHERE parent = ?",
		       VDFS_INT(ino));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		node.ino = sqlite3_column_int64(st, 0);
		node.object = sqlite3_column_int64(st, 1);
		node.owner = (uint32_t)sqlite3_column_int64(st, 2);
		node.mode = (uint32_t)sqlite3_column_int64(st, 3);
		node.gid = (uint32_t)sqlite3_column_int64(st, 4);
		err = visit(t, &node);
	}
	return err;
}

/**
 * vdfs_name_each() - find all blobs that names let a user read
 * @db: A connection inside a transaction.
 * @who: The user.
 * @rows: Names that it may look at, of which those that it did are taken.
 * @fn: Called for each name of a blob; a value other than 0 ends the search.
 * @arg: Its argument.
 *
 * Looks only at names in directories that the user may search.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -EAGAIN when there are more names than @rows, -ENOMEM, what @fn
 * returned, or another negative errno.
 */
int vdfs_name_each(struct sqlite3 *db, const struct vdfs_who *who,
		   unsigned int *rows, vdfs_shown_fn *fn, void *arg)
{
	struct tour t = { .who = who, .rows = rows, .fn = fn, .arg = arg };
	struct vdfs_name_node root;
	int err;

	err = vdfs_node_load(db, VDFS_ROOT, &root);
	if (!err)
		err = visit(&t, &root);
	while (!err && t.n)
		err = read_dir(db, &t, t.dir[--t.n]);
	free(t.dir);
	return err;
}
