// SPDX-License-Identifier: GPL-2.0-only
/* Paths: what they may be, where they lead, and for whom. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node.h"
#include "store/usage.h"

#define COLUMNS "ino, parent, object, owner, mode, mtime, gid, ctime"

/**
 * vdfs_name_now() - the time that names are stamped with
 *
 * Context: Any.
 * Return: CLOCK_REALTIME in nanoseconds.
 */
int64_t vdfs_name_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/**
 * vdfs_name_check() - whether a path is well formed
 * @path: The path; "" is the root.
 *
 * Context: Any.
 * Return: 0, -EINVAL, or -ENAMETOOLONG.
 */
int vdfs_name_check(const char *path)
{
	const char *p = path;
	size_t n;

	if (strnlen(path, VDFS_PATH_MAX + 1) > VDFS_PATH_MAX)
		return -ENAMETOOLONG;
	while (*path) {
		n = strcspn(p, "/");
		if (!n || (n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return -EINVAL;
		if (n > 255)
			return -ENAMETOOLONG;
		p += n;
		if (!*p++)
			break;
	}
	return 0;
}

/* 1, 0, or a negative errno when it is not known. */
static int is_member(const struct vdfs_who *who, uint32_t gid)
{
	if (gid == VDFS_GID_NONE)
		return 0;
	if (who->gid == gid)
		return 1;
	return who->in_group ? who->in_group(who, gid) : 0;
}

/**
 * vdfs_name_in_group() - whether a user is in a group
 * @who: The user.
 * @gid: The group.
 *
 * Context: Any.
 * Return: Whether it is known to be so.
 */
bool vdfs_name_in_group(const struct vdfs_who *who, uint32_t gid)
{
	return is_member(who, gid) > 0;
}

/* To find the groups of a user may take longer than all the rest. */
static bool group_decides(uint32_t mode, uint32_t want)
{
	return ((mode >> 3 & want) == want) != ((mode & want) == want);
}

/**
 * vdfs_name_may() - whether a mode lets a user do something
 * @who: The user.
 * @owner: Owner of a name.
 * @gid: Its group.
 * @mode: Its type and permission bits.
 * @mask: R_OK, W_OK and X_OK, as for access(2).
 *
 * The bits of the owner decide for the owner, those of the group for all who
 * are in it, whatever the other bits are. A user whose groups are not known may
 * do what both let do. Administrators may do all but run what nobody may run.
 *
 * Context: Any.
 * Return: Whether it is so.
 */
bool vdfs_name_may(const struct vdfs_who *who, uint32_t owner, uint32_t gid,
		   uint32_t mode, int mask)
{
	uint32_t want = (uint32_t)mask & 07;
	int member;

	if (who->admin)
		return !(mask & X_OK) || S_ISDIR(mode) || (mode & 0111);
	if (who->uid == owner)
		return (mode >> 6 & want) == want;
	if (!group_decides(mode, want))
		return (mode & want) == want;
	/* Only one of them grants it. */
	member = is_member(who, gid);
	if (member > 0)
		mode >>= 3;
	return member >= 0 && (mode & want) == want;
}

/**
 * vdfs_node_may() - whether a user may do something with a name
 * @who: The user.
 * @node: The name.
 * @mask: R_OK, W_OK and X_OK; to change what is in a directory takes both
 *        W_OK and X_OK.
 *
 * Context: Any.
 * Return: Whether it is so.
 */
bool vdfs_node_may(const struct vdfs_who *who,
		   const struct vdfs_name_node *node, int mask)
{
	return vdfs_name_may(who, node->owner, node->gid, node->mode, mask);
}

/**
 * vdfs_node_own() - whether a name is a user's own
 * @who: The user.
 * @node: The name.
 *
 * Context: Any.
 * Return: Whether it is so, or the user is an administrator.
 */
bool vdfs_node_own(const struct vdfs_who *who,
		   const struct vdfs_name_node *node)
{
	return who->admin || node->owner == who->uid;
}

/**
 * vdfs_node_may_go() - whether a user may take a name away
 * @who: The user.
 * @parent: The directory it is in.
 * @node: The name.
 *
 * It is the directory that changes. In a sticky one it has to be the user's own,
 * or the directory has to be.
 *
 * Context: Any.
 * Return: Whether it is so.
 */
bool vdfs_node_may_go(const struct vdfs_who *who,
		      const struct vdfs_name_node *parent,
		      const struct vdfs_name_node *node)
{
	if (!vdfs_node_may(who, parent, W_OK | X_OK))
		return false;
	return !(parent->mode & S_ISVTX) || vdfs_node_own(who, node) ||
	       vdfs_node_own(who, parent);
}

static int load(struct sqlite3_stmt *st, struct vdfs_name_node *out)
{
	int err = vdfs_sql_next(st);

	if (err <= 0)
		return err ?: -ENOENT;
	out->ino = sqlite3_column_int64(st, 0);
	out->parent = sqlite3_column_int64(st, 1);
	out->object = sqlite3_column_int64(st, 2);
	out->owner = sqlite3_column_int64(st, 3);
	out->mode = sqlite3_column_int64(st, 4);
	out->mtime = sqlite3_column_int64(st, 5);
	out->gid = sqlite3_column_int64(st, 6);
	out->ctime = sqlite3_column_int64(st, 7);
	/* Anyone makes names in the root. */
	if (out->ino == VDFS_ROOT)
		out->mode |= S_ISVTX;
	sqlite3_reset(st);
	return 0;
}

/**
 * vdfs_node_load() - find a name by its number
 * @db: A connection inside a transaction.
 * @ino: The number.
 * @out: The name.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_node_load(struct sqlite3 *db, int64_t ino, struct vdfs_name_node *out)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT " COLUMNS " FROM node WHERE ino = ?",
		       VDFS_INT(ino));
	return err ?: load(st, out);
}

/**
 * vdfs_node_find() - find a name in a directory, whoever asks
 * @db: A connection inside a transaction.
 * @parent: Number of the directory.
 * @name: One component.
 * @len: Its length.
 * @out: The name.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_node_find(struct sqlite3 *db, int64_t parent, const char *name,
		   size_t len, struct vdfs_name_node *out)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT " COLUMNS " FROM node\n"
		       "WHERE parent = ? AND name = ?",
		       VDFS_INT(parent), VDFS_BLOB(name, len));
	return err ?: load(st, out);
}

/* Where the paths of a user begin. */
static int start(struct sqlite3 *db, const struct vdfs_who *who,
		 struct vdfs_name_node *out)
{
	int err;

	err = vdfs_node_load(db, who->at ? (int64_t)who->at : VDFS_ROOT, out);
	return err == -ENOENT ? -ESTALE : err;
}

/**
 * vdfs_node_walk() - find what a path stands for
 * @db: A connection inside a transaction.
 * @who: The user.
 * @path: One that vdfs_name_check() passed.
 * @out: The name.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, -ENOTDIR, -EACCES when a directory on the way may not be
 * searched, -ESTALE when the name that it begins at is gone, or another
 * negative errno.
 */
int vdfs_node_walk(struct sqlite3 *db, const struct vdfs_who *who,
		   const char *path, struct vdfs_name_node *out)
{
	size_t n;
	int err;

	err = start(db, who, out);
	while (!err && *path) {
		if (!S_ISDIR(out->mode))
			return -ENOTDIR;
		if (!vdfs_node_may(who, out, X_OK))
			return -EACCES;
		n = strcspn(path, "/");
		err = vdfs_node_find(db, out->ino, path, n, out);
		path += n;
		path += *path == '/';
	}
	return err;
}

/**
 * vdfs_node_path() - where a name is by now
 * @db: A connection inside a transaction.
 * @ino: Its number, or that of the directory that @path begins in; 0 = the
 *       root.
 * @path: Path from there; "" = the name itself.
 * @out: Out: the path from the root.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ESTALE when there is no such number, -ENAMETOOLONG, or another
 * negative errno.
 */
int vdfs_node_path(struct sqlite3 *db, int64_t ino, const char *path,
		   char out[VDFS_PATH_MAX + 1])
{
	size_t len = strlen(path), at = VDFS_PATH_MAX - len;
	struct sqlite3_stmt *st;
	int err;

	if (len > VDFS_PATH_MAX)
		return -ENAMETOOLONG;
	/* Written from the end. */
	memcpy(out + at, path, len + 1);
	while (ino && ino != VDFS_ROOT) {
		err = vdfs_sql(db, &st,
			       "SELECT parent, name FROM node WHERE ino = ?",
			       VDFS_INT(ino));
		if (!err)
			err = vdfs_sql_next(st);
		if (err <= 0)
			return err ?: -ESTALE;
		ino = sqlite3_column_int64(st, 0);
		len = sqlite3_column_bytes(st, 1);
		if (at < len + 1)
			return -ENAMETOOLONG;
		if (out[at])
			out[--at] = '/';
		at -= len;
		memcpy(out + at, sqlite3_column_blob(st, 1), len);
		sqlite3_reset(st);
	}
	memmove(out, out + at, VDFS_PATH_MAX + 1 - at);
	return 0;
}

/**
 * vdfs_node_check_path() - whether a path may be that long
 * @db: A connection inside a transaction.
 * @parent: Number of a directory.
 * @name: One component, to be made in it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENAMETOOLONG, or another negative errno.
 */
int vdfs_node_check_path(struct sqlite3 *db, int64_t parent, const char *name)
{
	char path[VDFS_PATH_MAX + 1];

	return vdfs_node_path(db, parent, name, path);
}

/**
 * vdfs_node_made() - what a name that a user makes is
 * @who: The user.
 * @parent: The directory.
 * @mode: S_IFREG or S_IFDIR, and permission bits, of which S_ISGID is the
 *        directory's to give.
 * @mtime: When.
 *
 * Context: Any.
 * Return: The name, without a number and a blob.
 */
struct vdfs_name_node vdfs_node_made(const struct vdfs_who *who,
				     const struct vdfs_name_node *parent,
				     uint32_t mode, int64_t mtime)
{
	struct vdfs_name_node node = {
		.parent = parent->ino,
		.owner = who->uid,
		.gid = who->gid,
		.mode = mode & (S_IFMT | VDFS_MODE_BITS),
		.mtime = mtime,
		.ctime = vdfs_name_now(),
	};

	if (parent->mode & S_ISGID) {
		node.gid = parent->gid;
		if (S_ISDIR(mode))
			node.mode |= S_ISGID;
	}
	return node;
}

/**
 * vdfs_node_insert() - add a name, of which its owner has one more
 * @db: A connection inside a transaction.
 * @node: All but its number.
 * @name: One component.
 * @len: Its length.
 * @ino: Out, its number.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_node_insert(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const char *name, size_t len, int64_t *ino)
{
	int err;

	err = vdfs_usage_add(db, NULL, node->owner, VDFS_USAGE_NAMES,
			     (struct vdfs_usage){ .n = 1 });
	if (err)
		return err;
	err = vdfs_sql_run(
		db,
		"INSERT INTO node(parent, name, object, owner, mode,\n"
		"mtime, gid, ctime, sum)\n"
		"VALUES(?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8,\n"
		"vdfs_sum(?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8))",
		VDFS_INT(node->parent), VDFS_BLOB(name, len),
		VDFS_INT(node->object), VDFS_INT(node->owner),
		VDFS_INT(node->mode), VDFS_INT(node->mtime),
		VDFS_INT(node->gid), VDFS_INT(node->ctime));
	if (!err)
		*ino = sqlite3_last_insert_rowid(db);
	return err ?: vdfs_node_touch(db, node->parent, node->ctime);
}

/**
 * vdfs_node_touch() - note that the content of a name has changed
 * @db: A connection inside a transaction.
 * @ino: Its number.
 * @mtime: When, which is from vdfs_name_now() or was set by a user.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_node_touch(struct sqlite3 *db, int64_t ino, int64_t mtime)
{
	return vdfs_sql_run(
		db,
		"UPDATE node SET mtime = ?2, ctime = ?3,\n" VDFS_NODE_SUM(
			"parent", "name", "object", "owner", "mode", "?2",
			"gid", "?3") "WHERE ino = ?1",
		VDFS_INT(ino), VDFS_INT(mtime), VDFS_INT(vdfs_name_now()));
}

/**
 * vdfs_node_changed() - note that anything else of a name has changed
 * @db: A connection inside a transaction.
 * @ino: Its number.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_node_changed(struct sqlite3 *db, int64_t ino)
{
	return vdfs_sql_run(db,
			    "UPDATE node SET ctime = ?2,\n" VDFS_NODE_SUM(
				    "parent", "name", "object", "owner", "mode",
				    "mtime", "gid", "?2") "WHERE ino = ?1",
			    VDFS_INT(ino), VDFS_INT(vdfs_name_now()));
}

/* Step down to a directory, which is made when that is wanted. */
static int step(struct sqlite3 *db, const struct vdfs_who *who,
		const char *name, size_t len, bool make,
		struct vdfs_name_node *dir)
{
	struct vdfs_name_node next;
	int err;

	err = vdfs_node_find(db, dir->ino, name, len, &next);
	if (!err && !S_ISDIR(next.mode))
		return -ENOTDIR;
	if (err == -ENOENT && make) {
		if (!vdfs_node_may(who, dir, W_OK | X_OK))
			return -EACCES;
		next = vdfs_node_made(who, dir, S_IFDIR | VDFS_MODE_DIR,
				      vdfs_name_now());
		err = vdfs_node_insert(db, &next, name, len, &next.ino);
	}
	if (!err)
		*dir = next;
	return err;
}

/**
 * vdfs_node_parent() - find the directory a path's last component is in
 * @db: A connection inside a transaction.
 * @who: The user.
 * @path: One that vdfs_name_check() passed, and not the root's.
 * @make: Make directories that are missing, for @who.
 * @parent: Out.
 * @last: Out, the last component.
 *
 * Context: Inside a vdfs_meta_fn, one that writes when @make is set.
 * Return: 0, -ENOENT, -ENOTDIR, -ESTALE, -EACCES, or another negative errno.
 */
int vdfs_node_parent(struct sqlite3 *db, const struct vdfs_who *who,
		     const char *path, bool make, struct vdfs_name_node *parent,
		     const char **last)
{
	size_t n;
	int err;

	err = start(db, who, parent);
	if (!err && !S_ISDIR(parent->mode))
		err = -ENOTDIR;
	while (!err) {
		if (!vdfs_node_may(who, parent, X_OK))
			return -EACCES;
		n = strcspn(path, "/");
		if (!path[n])
			break;
		err = step(db, who, path, n, make, parent);
		path += n + 1;
	}
	*last = path;
	return err;
}

/* May the user come to a file by its path, and read it? */
static int path_shows(struct sqlite3 *db, const struct vdfs_who *who,
		      int64_t ino)
{
	struct vdfs_name_node node;
	int err, depth;

	for (depth = 0; ino && depth < VDFS_DEPTH_MAX; depth++) {
		err = vdfs_node_load(db, ino, &node);
		if (err)
			return err;
		if (!vdfs_node_may(who, &node, depth ? X_OK : R_OK))
			return 0;
		ino = node.parent;
	}
	return !ino;
}

/**
 * vdfs_name_shows() - whether a user may read a blob by a name of it
 * @db: A connection inside a transaction.
 * @who: The user.
 * @object: Row of the blob.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 1, 0, or a negative errno.
 */
int vdfs_name_shows(struct sqlite3 *db, const struct vdfs_who *who,
		    int64_t object)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st, "SELECT ino FROM node WHERE object = ?",
		       VDFS_INT(object));
	if (ret)
		return ret;
	while ((ret = vdfs_sql_next(st)) > 0) {
		ret = path_shows(db, who, sqlite3_column_int64(st, 0));
		if (ret)
			return ret;
	}
	return ret;
}

static int first_number(struct sqlite3_stmt *st, int64_t *out)
{
	int err = vdfs_sql_next(st);

	*out = 0;
	if (err <= 0)
		return err;
	*out = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/**
 * vdfs_name_some() - find a blob that has a name
 * @db: A connection inside a transaction.
 * @number: Which: any number, the same blob for the same number.
 * @object: Out, its row; 0 where no blob has a name.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0 or a negative errno.
 */
int vdfs_name_some(struct sqlite3 *db, uint64_t number, int64_t *object)
{
	struct sqlite3_stmt *st;
	int64_t last = 0;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT max(object) FROM node\n"
		       "WHERE object IS NOT NULL");
	if (!err)
		err = first_number(st, &last);
	if (err)
		return err;
	number = last > 0 ? number % (uint64_t)last + 1 : 1;
	err = vdfs_sql(db, &st,
		       "SELECT object FROM node WHERE object >= ?\n"
		       "ORDER BY object LIMIT 1",
		       VDFS_INT(number));
	return err ?: first_number(st, object);
}
