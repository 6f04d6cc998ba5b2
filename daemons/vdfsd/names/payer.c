// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users charged for the content and attributes of names: the user who gave the
 * content or set the attribute. Table payer names that user unless it is the
 * owner of the name.
 */
#include <errno.h>
#include <string.h>

#include "node.h"
#include "store/usage.h"

/* Of an attribute, beside its name and value; rows.c of check/ knows it. */
#define ATTR_BYTES 64

/* The user who paid, and pays no more. */
static int end_payer(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const char *attr, uint32_t *uid)
{
	struct sqlite3_stmt *st;
	int err;

	*uid = node->owner;
	err = vdfs_sql(db, &st,
		       "SELECT uid FROM payer WHERE ino = ? AND name = ?",
		       VDFS_INT(node->ino), VDFS_BLOB(attr, strlen(attr)));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err;
	*uid = (uint32_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return vdfs_sql_run(db, "DELETE FROM payer WHERE ino = ? AND name = ?",
			    VDFS_INT(node->ino), VDFS_BLOB(attr, strlen(attr)));
}

/* Nobody pays for it so far. */
static int set_payer(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const char *attr, uint32_t uid)
{
	if (uid == node->owner)
		return 0;
	return vdfs_sql_run(db, "INSERT INTO payer VALUES(?, ?, ?)",
			    VDFS_INT(node->ino), VDFS_BLOB(attr, strlen(attr)),
			    VDFS_INT(uid));
}

/* The content of a name, for which nobody pays from here on, and who did. */
static int end_content(struct sqlite3 *db, const struct vdfs_name_node *node,
		       struct vdfs_object *object, uint32_t *uid)
{
	int err = vdfs_object_load(db, node->object, object);

	return err ?: end_payer(db, node, "", uid);
}

/**
 * vdfs_payer_drop() - end what a user pays for a name's content
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name; one of a directory has no content.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_payer_drop(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node)
{
	struct vdfs_object object;
	uint32_t uid;
	int err;

	if (!node->object)
		return 0;
	err = end_content(db, node, &object, &uid);
	return err ?: vdfs_ref_name(db, store, uid, &object, -1);
}

/**
 * vdfs_payer_take() - let a user pay for a name's content
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name, for whose content nobody pays.
 * @uid: The user.
 * @object: The content.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_payer_take(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node, uint32_t uid,
		    const struct vdfs_object *object)
{
	int err = set_payer(db, node, "", uid);

	return err ?: vdfs_ref_name(db, store, uid, object, 1);
}

static int attr_size(struct sqlite3 *db, const struct vdfs_name_node *node,
		     const char *attr, int64_t *bytes)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT length(value) FROM attr\n"
		       "WHERE ino = ? AND name = ?",
		       VDFS_INT(node->ino), VDFS_BLOB(attr, strlen(attr)));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -ENODATA;
	*bytes = ATTR_BYTES + (int64_t)strlen(attr) +
		 sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/**
 * vdfs_payer_attr_drop() - end what a user pays for an attribute
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name.
 * @attr: The attribute, which goes next.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -ENODATA when there is none, or another negative errno.
 */
int vdfs_payer_attr_drop(struct sqlite3 *db, struct vdfs_store *store,
			 const struct vdfs_name_node *node, const char *attr)
{
	struct vdfs_usage less = { .n = -1 };
	int64_t bytes;
	uint32_t uid;
	int err;

	err = attr_size(db, node, attr, &bytes);
	if (!err)
		err = end_payer(db, node, attr, &uid);
	if (err)
		return err;
	less.bytes = -bytes;
	return vdfs_usage_add(db, store, uid, VDFS_USAGE_ATTRS, less);
}

/**
 * vdfs_payer_attr_take() - let a user pay for an attribute
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name.
 * @attr: The attribute, for which nobody pays.
 * @len: Length of its value.
 * @uid: The user.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_payer_attr_take(struct sqlite3 *db, struct vdfs_store *store,
			 const struct vdfs_name_node *node, const char *attr,
			 size_t len, uint32_t uid)
{
	struct vdfs_usage more = {
		.n = 1, .bytes = ATTR_BYTES + (int64_t)(strlen(attr) + len)
	};
	int err = set_payer(db, node, attr, uid);

	return err ?: vdfs_usage_add(db, store, uid, VDFS_USAGE_ATTRS, more);
}

/* End what users pay for the attributes of a name, which go next. */
static int drop_attrs(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_name_node *node)
{
	struct vdfs_usage less, by_owner = { 0 };
	struct sqlite3_stmt *st;
	uint32_t uid;
	int err;

	/* Nothing is grouped: SQLite would copy the values to sort them. */
	err = vdfs_sql(db, &st,
		       "SELECT ifnull(p.uid, ?2),\n"
		       "?3 + length(name) + length(value) FROM attr\n"
		       "LEFT JOIN payer p USING(ino, name) WHERE ino = ?1",
		       VDFS_INT(node->ino), VDFS_INT(node->owner),
		       VDFS_INT(ATTR_BYTES));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		uid = (uint32_t)sqlite3_column_int64(st, 0);
		less.n = -1;
		less.bytes = -sqlite3_column_int64(st, 1);
		err = 0;
		if (uid == node->owner) {
			by_owner.n += less.n;
			by_owner.bytes += less.bytes;
		} else {
			err = vdfs_usage_add(db, store, uid, VDFS_USAGE_ATTRS,
					     less);
		}
	}
	return err   ?:
		       vdfs_usage_add(db, store, node->owner, VDFS_USAGE_ATTRS,
				      by_owner);
}

/**
 * vdfs_payer_forget() - end all that users pay for a name
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name, which goes next, with its attributes.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_payer_forget(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_name_node *node)
{
	int err;

	err = vdfs_payer_drop(db, store, node);
	if (!err)
		err = drop_attrs(db, store, node);
	if (!err)
		err = vdfs_sql_run(db, "DELETE FROM payer WHERE ino = ?",
				   VDFS_INT(node->ino));
	return err   ?:
		       vdfs_usage_add(db, store, node->owner, VDFS_USAGE_NAMES,
				      (struct vdfs_usage){ .n = -1 });
}

/* Let another pay for the attributes that the owner of a name pays for. */
static int give_attrs(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_name_node *node, uint32_t owner)
{
	struct vdfs_usage more, less;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT count(*),\n"
		       "total(?2 + length(name) + length(value)) FROM attr\n"
		       "LEFT JOIN payer p USING(ino, name)\n"
		       "WHERE ino = ?1 AND p.uid IS NULL",
		       VDFS_INT(node->ino), VDFS_INT(ATTR_BYTES));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	more.n = sqlite3_column_int64(st, 0);
	more.bytes = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	less.n = -more.n;
	less.bytes = -more.bytes;
	err = vdfs_usage_add(db, store, node->owner, VDFS_USAGE_ATTRS, less);
	if (!err)
		err = vdfs_usage_add(db, store, owner, VDFS_USAGE_ATTRS, more);
	/* Of those that it paid for before it is no other payer any more. */
	return err   ?:
		       vdfs_sql_run(db,
				    "DELETE FROM payer\n"
				    "WHERE ino = ? AND uid = ? AND name != x''",
				    VDFS_INT(node->ino), VDFS_INT(owner));
}

/* The same for its content. */
static int give_content(struct sqlite3 *db, struct vdfs_store *store,
			const struct vdfs_name_node *node, uint32_t owner)
{
	struct vdfs_name_node given = *node;
	struct vdfs_object object;
	uint32_t uid;
	int err;

	if (!node->object)
		return 0;
	err = end_content(db, node, &object, &uid);
	if (err)
		return err;
	given.owner = owner;
	if (uid != node->owner)
		return set_payer(db, &given, "", uid);
	/* Taken before it is dropped: it is nobody's garbage in between. */
	err = vdfs_payer_take(db, store, &given, owner, &object);
	if (!err)
		err = vdfs_object_load(db, node->object, &object);
	if (!err)
		err = vdfs_ref_name(db, store, uid, &object, -1);
	return err;
}

/**
 * vdfs_payer_give() - let another user pay for all that an owner pays for
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name.
 * @owner: Its owner from here on.
 *
 * Those who pay for what they gave to a name of another go on paying.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT when that is beyond a limit of @owner, or another negative
 * errno.
 */
int vdfs_payer_give(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_name_node *node, uint32_t owner)
{
	struct vdfs_usage one = { .n = 1 }, less = { .n = -1 };
	int err;

	if (node->owner == owner)
		return 0;
	err = give_content(db, store, node, owner);
	if (!err)
		err = give_attrs(db, store, node, owner);
	if (!err)
		err = vdfs_usage_add(db, store, node->owner, VDFS_USAGE_NAMES,
				     less);
	if (!err)
		err = vdfs_usage_add(db, NULL, owner, VDFS_USAGE_NAMES, one);
	return err ?: vdfs_usage_check(db, store, owner, VDFS_USAGE_NAMES);
}

/**
 * vdfs_payer_owner() - let another user pay for what its owner paid
 * @db: A connection inside a transaction.
 * @store: The store.
 * @node: The name, for whose content nobody pays.
 * @owner: Its owner from here on; whatever its limits.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_payer_owner(struct sqlite3 *db, struct vdfs_store *store,
		     const struct vdfs_name_node *node, uint32_t owner)
{
	struct vdfs_usage one = { .n = 1 }, less = { .n = -1 };
	int err;

	if (node->owner == owner)
		return 0;
	/* Attributes are on one host: those who set them go on paying. */
	err = vdfs_sql_run(db,
			   "INSERT OR IGNORE INTO payer\n"
			   "SELECT ino, name, ?2 FROM attr WHERE ino = ?1",
			   VDFS_INT(node->ino), VDFS_INT(node->owner));
	if (!err)
		err = vdfs_sql_run(
			db, "DELETE FROM payer WHERE ino = ? AND uid = ?",
			VDFS_INT(node->ino), VDFS_INT(owner));
	if (!err)
		err = vdfs_usage_add(db, store, node->owner, VDFS_USAGE_NAMES,
				     less);
	return err ?: vdfs_usage_add(db, NULL, owner, VDFS_USAGE_NAMES, one);
}
