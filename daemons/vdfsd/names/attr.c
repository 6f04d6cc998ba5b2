// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of names. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "node.h"

/*
 * The list of all attributes, as listxattr(2) has it: "user." before each name,
 * and beside them those that the view adds.
 */
#define LIST_MAX 65536
#define LIST_PREFIX 5
#define LIST_VIEW 256

/**
 * struct attr_op - one operation on attributes
 * @store: The store, to set one.
 * @who: For whom.
 * @path: Of the name.
 * @attr: Of the attribute.
 * @value: To be set; NULL = none.
 * @flags: XATTR_CREATE, XATTR_REPLACE.
 * @out: Where a value or list goes.
 * @len: Length of @value or room at @out.
 * @n: Out, length of the value or list.
 */
struct attr_op {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const char *path;
	const char *attr;
	const void *value;
	int flags;
	void *out;
	size_t len;
	size_t n;
};

static int check(const char *path, const char *attr)
{
	size_t len = strnlen(attr, VDFS_ATTR_NAME_MAX + 1);

	if (!len)
		return -EINVAL;
	if (len > VDFS_ATTR_NAME_MAX)
		return -ENAMETOOLONG;
	return vdfs_name_check(path);
}

/* The list of names may not grow beyond what can be asked for. */
static int check_room(struct sqlite3 *db, int64_t ino)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT total(length(name) + ?2) FROM attr\n"
		       "WHERE ino = ?1",
		       VDFS_INT(ino), VDFS_INT(LIST_PREFIX + 1));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	return sqlite3_column_int64(st, 0) > LIST_MAX - LIST_VIEW ? -E2BIG : 0;
}

/* In a sticky directory all make names; the attributes are its owner's. */
static bool may_set(const struct vdfs_who *who,
		    const struct vdfs_name_node *node)
{
	if (S_ISDIR(node->mode) && node->mode & S_ISVTX &&
	    !vdfs_node_own(who, node))
		return false;
	return vdfs_node_may(who, node, W_OK);
}

static int drop(struct sqlite3 *db, int64_t ino, const char *attr)
{
	int err = vdfs_sql_run(db,
			       "DELETE FROM attr WHERE ino = ? AND name = ?",
			       VDFS_INT(ino), VDFS_BLOB(attr, strlen(attr)));

	return err ?: vdfs_node_changed(db, ino);
}

static int set(struct sqlite3 *db, void *arg)
{
	struct attr_op *op = arg;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, op->who, op->path, &node);
	if (err)
		return err;
	if (!may_set(op->who, &node))
		return -EACCES;
	err = vdfs_payer_attr_drop(db, op->store, &node, op->attr);
	if (!err && op->flags & XATTR_CREATE)
		return -EEXIST;
	if (err == -ENODATA && op->flags & XATTR_REPLACE)
		return err;
	if (!op->value)
		return err ?: drop(db, node.ino, op->attr);
	if (!err || err == -ENODATA)
		err = vdfs_payer_attr_take(db, op->store, &node, op->attr,
					   op->len, op->who->uid);
	if (err)
		return err;
	err = vdfs_sql_run(db,
			   "REPLACE INTO attr(ino, name, value, sum)\n"
			   "VALUES(?1, ?2, ?3, vdfs_sum(?1, ?2, ?3))",
			   VDFS_INT(node.ino),
			   VDFS_BLOB(op->attr, strlen(op->attr)),
			   VDFS_BLOB(op->value, op->len));
	if (!err)
		err = check_room(db, node.ino);
	return err ?: vdfs_node_changed(db, node.ino);
}

/**
 * vdfs_attr_set() - set or remove an attribute
 * @store: The store.
 * @who: The user, who may change the name.
 * @path: Of the name.
 * @attr: Of the attribute: 1 to VDFS_ATTR_NAME_MAX bytes.
 * @value: Its value; NULL removes it.
 * @len: Length of that, at most VDFS_ATTR_VALUE_MAX.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -E2BIG when it is too long or there are too many, -ENODATA when
 * there is none to remove, -EDQUOT, or another negative errno.
 */
int vdfs_attr_set(struct vdfs_store *store, const struct vdfs_who *who,
		  const char *path, const char *attr, const void *value,
		  size_t len)
{
	return vdfs_attr_set_if(store, who, path, attr, value, len, 0);
}

/**
 * vdfs_attr_set_if() - set an attribute that is there, or is not
 * @store: The store.
 * @who: The user, who may change the name.
 * @path: Of the name.
 * @attr: Of the attribute, as for vdfs_attr_set().
 * @value: Its value, or NULL.
 * @len: Length of that.
 * @flags: XATTR_CREATE = -EEXIST if it is there, XATTR_REPLACE = -ENODATA if
 *         not.
 *
 * Context: Any thread. Waits for the disk.
 * Return: As vdfs_attr_set(), or -EEXIST.
 */
int vdfs_attr_set_if(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path, const char *attr, const void *value,
		     size_t len, int flags)
{
	struct attr_op op = { .store = store,
			      .who = who,
			      .path = path,
			      .attr = attr,
			      .value = value,
			      .flags = flags,
			      .len = len };
	int err = check(path, attr);

	if (!err && value && len > VDFS_ATTR_VALUE_MAX)
		err = -E2BIG;
	if (!err)
		err = vdfs_store_writable(store);
	if (err)
		return err;
	return value ? vdfs_meta_write(vdfs_store_meta(store), set, &op) :
		       vdfs_store_write(store, set, &op);
}

static int get(struct sqlite3 *db, void *arg)
{
	struct attr_op *op = arg;
	struct sqlite3_stmt *st;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, op->who, op->path, &node);
	if (!err && !vdfs_node_may(op->who, &node, R_OK))
		err = -EACCES;
	if (!err)
		err = vdfs_sql(db, &st,
			       "SELECT value FROM attr\n"
			       "WHERE ino = ? AND name = ?",
			       VDFS_INT(node.ino),
			       VDFS_BLOB(op->attr, strlen(op->attr)));
	if (err)
		return err;
	err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -ENODATA;
	op->n = sqlite3_column_bytes(st, 0);
	if (!op->len)
		return 0;
	if (op->len < op->n)
		return -ERANGE;
	if (op->n)
		memcpy(op->out, sqlite3_column_blob(st, 0), op->n);
	return 0;
}

/**
 * vdfs_attr_get() - read an attribute
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 * @attr: Of the attribute.
 * @value: Out.
 * @len: Room for that; 0 = only say how long it is.
 *
 * Context: Any thread.
 * Return: The length, -ENODATA, -ERANGE, or another negative errno.
 */
ssize_t vdfs_attr_get(struct vdfs_store *store, const struct vdfs_who *who,
		      const char *path, const char *attr, void *value,
		      size_t len)
{
	struct attr_op op = {
		.who = who, .path = path, .attr = attr, .out = value, .len = len
	};
	int err = check(path, attr);

	if (!err)
		err = vdfs_meta_read(vdfs_store_meta(store), get, &op);
	return err ?: (ssize_t)op.n;
}

static int list(struct sqlite3 *db, void *arg)
{
	struct attr_op *op = arg;
	struct sqlite3_stmt *st;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, op->who, op->path, &node);
	if (!err)
		err = vdfs_sql(db, &st,
			       "SELECT name FROM attr WHERE ino = ?\n"
			       "ORDER BY name",
			       VDFS_INT(node.ino));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		size_t n = sqlite3_column_bytes(st, 0);

		err = 0;
		if (op->len && op->n + n + 1 > op->len)
			return -ERANGE;
		if (op->len) {
			memcpy((char *)op->out + op->n,
			       sqlite3_column_blob(st, 0), n);
			((char *)op->out)[op->n + n] = '\0';
		}
		op->n += n + 1;
	}
	return err;
}

/**
 * vdfs_attr_list() - list a name's attributes
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 * @list_out: Out, their names one behind the other, each with its NUL.
 * @len: Room for that; 0 = only say how long it is.
 *
 * Context: Any thread.
 * Return: The length, -ERANGE, or another negative errno.
 */
ssize_t vdfs_attr_list(struct vdfs_store *store, const struct vdfs_who *who,
		       const char *path, char *list_out, size_t len)
{
	struct attr_op op = {
		.who = who, .path = path, .out = list_out, .len = len
	};
	int err = vdfs_name_check(path);

	if (!err)
		err = vdfs_meta_read(vdfs_store_meta(store), list, &op);
	return err ?: (ssize_t)op.n;
}
