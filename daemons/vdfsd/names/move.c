// SPDX-License-Identifier: GPL-2.0-only
/* Taking names away, and moving them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"

/**
 * struct move - a name that goes
 * @store: The store.
 * @who: For whom.
 * @from: Its path.
 * @to_at: Number of the directory that @to begins in; 0 = the root.
 * @to: Where it goes, or NULL.
 * @no_replace: Not if something is there.
 * @dir: It has to be a directory; otherwise it must not be one.
 */
struct move {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const char *from;
	uint64_t to_at;
	const char *to;
	bool no_replace;
	bool dir;
};

static int is_empty(struct sqlite3 *db, int64_t ino)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st, "SELECT 1 FROM node WHERE parent = ? LIMIT 1",
		       VDFS_INT(ino));
	if (!ret)
		ret = vdfs_sql_next(st);
	return ret < 0 ? ret : !ret;
}

/**
 * vdfs_name_delete() - remove a name, what hangs on it, and its reference
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -ENOTEMPTY, or another negative errno.
 */
int vdfs_name_delete(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_name_node *node)
{
	int err;

	if (S_ISDIR(node->mode)) {
		err = is_empty(db, node->ino);
		if (err <= 0)
			return err ?: -ENOTEMPTY;
	}
	err = vdfs_payer_forget(db, store, node);
	if (!err)
		err = vdfs_sql_run(db, "DELETE FROM node WHERE ino = ?",
				   VDFS_INT(node->ino));
	return err   ?:
		       vdfs_sql_run(db, "DELETE FROM attr WHERE ino = ?",
				    VDFS_INT(node->ino));
}

/* Find a name that is to go, and its directory. */
static int find_leaving(struct sqlite3 *db, const struct move *m,
			struct vdfs_name_node *parent,
			struct vdfs_name_node *node)
{
	const char *last;
	int err;

	err = vdfs_node_parent(db, m->who, m->from, false, parent, &last);
	if (!err)
		err = vdfs_node_find(db, parent->ino, last, strlen(last), node);
	if (!err && !vdfs_node_may_go(m->who, parent, node))
		err = -EACCES;
	return err;
}

static int remove_name(struct sqlite3 *db, void *arg)
{
	const struct move *m = arg;
	struct vdfs_name_node parent, node;
	int err;

	if (!*m->from)
		return m->dir ? -EBUSY : -EISDIR;
	err = find_leaving(db, m, &parent, &node);
	if (err)
		return err;
	if (S_ISDIR(node.mode) != m->dir)
		return m->dir ? -ENOTDIR : -EISDIR;
	err = vdfs_name_delete(db, m->store, &node);
	return err ?: vdfs_node_touch(db, parent.ino, vdfs_name_now());
}

static int write_move(struct move *m, vdfs_meta_fn *fn)
{
	struct vdfs_name_change change = { .fn = fn,
					   .arg = m,
					   .at = m->who->at,
					   .path = m->from,
					   .to_at = m->to_at,
					   .to = m->to,
					   .leaves = true };

	return vdfs_name_run(m->store, &change);
}

/**
 * vdfs_name_unlink() - take a blob's name away
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -EISDIR when it is a directory, or another negative errno.
 */
int vdfs_name_unlink(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path)
{
	struct move m = { .store = store, .who = who, .from = path };

	return write_move(&m, remove_name);
}

/**
 * vdfs_name_rmdir() - take an empty directory away
 * @store: The store.
 * @who: The user.
 * @path: Of the directory.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -ENOTDIR, -ENOTEMPTY, -EBUSY for the root, or another negative
 * errno.
 */
int vdfs_name_rmdir(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path)
{
	struct move m = {
		.store = store, .who = who, .from = path, .dir = true
	};

	return write_move(&m, remove_name);
}

/* A directory cannot go into what is in it. */
static int check_inside(struct sqlite3 *db, const struct vdfs_name_node *node,
			const struct vdfs_name_node *target)
{
	struct vdfs_name_node up = *target;
	int depth = 0, err = 0;

	/* Damage can make a circle of directories. */
	while (!err && up.ino != node->ino && up.parent)
		err = depth++ < VDFS_DEPTH_MAX ?
			      vdfs_node_load(db, up.parent, &up) :
			      -EBADMSG;
	if (!err && up.ino == node->ino)
		err = -EINVAL;
	return err;
}

/*
 * The owner is charged for what it may not be able to reach any more. So a
 * directory stays in its own unless the user may write it, as everywhere, and a
 * file is copied.
 */
static int check_carried(const struct vdfs_who *who,
			 const struct vdfs_name_node *from,
			 const struct vdfs_name_node *to,
			 const struct vdfs_name_node *node)
{
	if (from->ino == to->ino || vdfs_node_own(who, node) ||
	    vdfs_node_may(who, node, W_OK))
		return 0;
	return S_ISDIR(node->mode) ? -EACCES : -EXDEV;
}

/* Make way for @node at the place of @there. */
static int displace(struct sqlite3 *db, const struct move *m,
		    const struct vdfs_name_node *target,
		    const struct vdfs_name_node *there,
		    const struct vdfs_name_node *node)
{
	if (m->no_replace)
		return -EEXIST;
	if (!vdfs_node_may_go(m->who, target, there))
		return -EACCES;
	if (S_ISDIR(node->mode) && !S_ISDIR(there->mode))
		return -ENOTDIR;
	if (!S_ISDIR(node->mode) && S_ISDIR(there->mode))
		return -EISDIR;
	return vdfs_name_delete(db, m->store, there);
}

static int set_place(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const struct vdfs_name_node *target, const char *last)
{
	int64_t now = vdfs_name_now();
	int err;

	err = vdfs_sql_run(
		db,
		"UPDATE node SET parent = ?2, name = ?3, ctime = ?4,\n" VDFS_NODE_SUM(
			"?2", "?3", "object", "owner", "mode", "mtime", "gid",
			"?4") "WHERE ino = ?1",
		VDFS_INT(node->ino), VDFS_INT(target->ino),
		VDFS_BLOB(last, strlen(last)), VDFS_INT(now));
	if (!err)
		err = vdfs_node_touch(db, node->parent, now);
	return err ?: vdfs_node_touch(db, target->ino, now);
}

static int rename_name(struct sqlite3 *db, void *arg)
{
	const struct move *m = arg;
	struct vdfs_name_node parent, node, target, there;
	struct vdfs_who to = *m->who;
	const char *last;
	int err;

	if (!*m->from || !*m->to)
		return -EBUSY;
	to.at = m->to_at;
	err = find_leaving(db, m, &parent, &node);
	if (!err)
		err = vdfs_node_parent(db, &to, m->to, false, &target, &last);
	if (!err)
		err = vdfs_node_check_path(db, target.ino, last);
	if (!err && S_ISDIR(node.mode))
		err = check_inside(db, &node, &target);
	if (!err)
		err = check_carried(m->who, &parent, &target, &node);
	if (err)
		return err;
	err = vdfs_node_find(db, target.ino, last, strlen(last), &there);
	if (!err && there.ino == node.ino)
		return m->no_replace ? -EEXIST : 0;
	if (!err)
		err = displace(db, m, &target, &there, &node);
	else if (err == -ENOENT)
		err = vdfs_node_may(m->who, &target, W_OK | X_OK) ? 0 : -EACCES;
	return err ?: set_place(db, &node, &target, last);
}

/**
 * vdfs_name_rename() - give a name another path
 * @store: The store.
 * @who: The user.
 * @from: The name.
 * @to: Its new path, in a directory that exists; an entry there is replaced
 *      if it may be: a blob's name by one, an empty directory by one.
 * @no_replace: -EEXIST when something is there.
 *
 * The name keeps its owner, its mode, and its attributes.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -EINVAL for a directory that would go into itself, -EBUSY for
 * the root, -EXDEV for a file that the user may not write and that would leave
 * its directory, or another negative errno.
 */
int vdfs_name_rename(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *from, const char *to, bool no_replace)
{
	return vdfs_name_rename_to(store, who, from, who->at, to, no_replace);
}

/**
 * vdfs_name_rename_to() - give a name a path that begins elsewhere
 * @store: The store.
 * @who: The user.
 * @from: The name.
 * @to_at: Number of the directory that @to begins in; 0 = the root.
 * @to: Its new path, as for vdfs_name_rename().
 * @no_replace: -EEXIST when something is there.
 *
 * Context: Any thread. Waits for the disk.
 * Return: As vdfs_name_rename().
 */
int vdfs_name_rename_to(struct vdfs_store *store, const struct vdfs_who *who,
			const char *from, uint64_t to_at, const char *to,
			bool no_replace)
{
	struct move m = { .store = store,
			  .who = who,
			  .from = from,
			  .to_at = to_at,
			  .to = to,
			  .no_replace = no_replace };

	return write_move(&m, rename_name);
}
