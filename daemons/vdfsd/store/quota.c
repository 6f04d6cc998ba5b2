// SPDX-License-Identifier: GPL-2.0-only
/*
 * References of users to blobs, and the charge for these: once a user, however
 * many names a blob has. All in the transaction that adds or drops the
 * reference.
 */
#include <errno.h>

#include "store_impl.h"

/*
 * Staged bytes of a user, but for those that become what is charged now. For
 * those that wait to be collected, puts wait before they begin.
 */
static uint64_t others_staged(struct vdfs_store *store, uint32_t uid)
{
	uint64_t staged = vdfs_staged(store, uid);
	uint64_t own = uid == store->own_uid ? store->own_staged : 0;

	return staged > own ? staged - own : 0;
}

static int check(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid)
{
	uint64_t quota = store->options.quota, used;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT bytes, used FROM quota WHERE uid = ?",
		       VDFS_INT(uid));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	if (sqlite3_column_type(st, 0) != SQLITE_NULL)
		quota = sqlite3_column_int64(st, 0);
	used = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return quota && used + others_staged(store, uid) > quota ? -EDQUOT : 0;
}

/**
 * vdfs_quota_charge() - charge a user for bytes that stay
 * @db: A connection inside a transaction.
 * @store: The store; NULL = whatever the quota.
 * @uid: The user.
 * @bytes: How many more, or less.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_quota_charge(struct sqlite3 *db, struct vdfs_store *store,
		      uint32_t uid, int64_t bytes)
{
	int err;

	/* RETURNING would cost three times as much. */
	err = vdfs_sql_run(db,
			   "UPDATE quota SET used = used + ?2 WHERE uid = ?1",
			   VDFS_INT(uid), VDFS_INT(bytes));
	if (!err && !sqlite3_changes(db))
		err = vdfs_sql_run(db,
				   "INSERT INTO quota(uid, used) VALUES(?, ?)",
				   VDFS_INT(uid), VDFS_INT(bytes));
	return err || !store || bytes <= 0 ? err : check(db, store, uid);
}

/* The first reference of a user to a blob. */
static int ref_first(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		     const struct vdfs_object *object)
{
	int err = 0;

	if (!object->fresh)
		err = vdfs_sql_run(db,
				   "UPDATE object SET users = users + 1\n"
				   "WHERE id = ?",
				   VDFS_INT(object->id));
	return err ?: vdfs_quota_charge(db, store, uid, object->size);
}

/* Add @names and, when set, @kept to the references of a user. */
static int ref_add(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		   const struct vdfs_object *object, int names, int kept)
{
	int err;

	err = vdfs_sql_run(
		db,
		"INSERT OR IGNORE INTO ref(uid, object, names, kept)\n"
		"VALUES(?, ?, ?, ?)",
		VDFS_INT(uid), VDFS_INT(object->id), VDFS_INT(names),
		VDFS_INT(kept));
	if (err)
		return err;
	if (sqlite3_changes(db))
		return ref_first(db, store, uid, object);
	return vdfs_sql_run(db,
			    "UPDATE ref SET names = names + ?3,\n"
			    "kept = max(kept, ?4)\n"
			    "WHERE uid = ?1 AND object = ?2",
			    VDFS_INT(uid), VDFS_INT(object->id),
			    VDFS_INT(names), VDFS_INT(kept));
}

/* The object is dead from the commit on. */
static void leave(void *store, uint32_t uid, uint64_t n)
{
	vdfs_litter(store, uid, n, false);
}

/* After one went: is the user charged for nothing any more? */
static int ref_last(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		    const struct vdfs_object *object)
{
	int err;

	err = vdfs_sql_run(db,
			   "DELETE FROM ref WHERE uid = ? AND object = ?\n"
			   "AND names <= 0 AND kept = 0",
			   VDFS_INT(uid), VDFS_INT(object->id));
	if (err || !sqlite3_changes(db))
		return err;
	err = vdfs_sql_run(db,
			   "UPDATE object SET users = users - 1 WHERE id = ?",
			   VDFS_INT(object->id));
	if (!err && store && object->users <= 1 && object->kind != VDFS_AWAY)
		err = vdfs_meta_after(db, leave, store, uid, object->size);
	if (err)
		return err;
	return vdfs_quota_charge(db, NULL, uid, -(int64_t)object->size);
}

/**
 * vdfs_ref_name() - add or drop a name's reference
 * @db: A connection inside a transaction.
 * @store: The store.
 * @uid: Owner of the name.
 * @object: The blob.
 * @names: 1 or -1.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_ref_name(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object, int names)
{
	int err;

	if (names > 0)
		return ref_add(db, store, uid, object, names, 0);
	err = vdfs_sql_run(db,
			   "UPDATE ref SET names = names + ?3\n"
			   "WHERE uid = ?1 AND object = ?2",
			   VDFS_INT(uid), VDFS_INT(object->id),
			   VDFS_INT(names));
	return err ?: ref_last(db, store, uid, object);
}

/**
 * vdfs_ref_keep() - let a user refer to a blob without a name
 * @db: A connection inside a transaction.
 * @store: The store.
 * @uid: The user.
 * @object: The blob.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_ref_keep(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object)
{
	return ref_add(db, store, uid, object, 0, 1);
}

/**
 * vdfs_ref_drop() - undo a vdfs_ref_keep()
 * @db: A connection inside a transaction.
 * @store: The store; NULL = nobody is charged for what it leaves.
 * @uid: The user.
 * @object: The blob.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -ENOENT when the user does not keep it, or another negative
 * errno.
 */
int vdfs_ref_drop(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		  const struct vdfs_object *object)
{
	int err;

	err = vdfs_sql_run(db,
			   "UPDATE ref SET kept = 0\n"
			   "WHERE uid = ? AND object = ? AND kept = 1",
			   VDFS_INT(uid), VDFS_INT(object->id));
	if (err)
		return err;
	return sqlite3_changes(db) ? ref_last(db, store, uid, object) : -ENOENT;
}

/**
 * vdfs_ref_has() - whether a user refers to a blob
 * @db: A connection inside a transaction.
 * @uid: The user.
 * @object: Row of the blob.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 1, 0, or a negative errno.
 */
int vdfs_ref_has(struct sqlite3 *db, uint32_t uid, int64_t object)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT 1 FROM ref WHERE uid = ? AND object = ?",
		       VDFS_INT(uid), VDFS_INT(object));
	return err ?: vdfs_sql_next(st);
}

/**
 * vdfs_ref_find() - find a blob that a user refers to
 * @db: A connection inside a transaction.
 * @uid: The user.
 * @hash: Of the blob, whosever content it is.
 * @kept: The user has to keep it, a name is not enough.
 * @out: The blob, as its row describes it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_ref_find(struct sqlite3 *db, uint32_t uid,
		  const struct vdfs_hash *hash, bool kept,
		  struct vdfs_object *out)
{
	uint8_t last[VDFS_OBJECT_LAST];
	struct sqlite3_stmt *st;
	int err;

	vdfs_object_last(hash, last);
	/* The user's references are many, the rows of one content are few. */
	err = vdfs_sql(db, &st,
		       "SELECT " VDFS_OBJECT_COLUMNS " FROM object\n"
		       "CROSS JOIN ref ON ref.object = object.id\n"
		       "WHERE " VDFS_OBJECT_KEYS "AND uid = ?3\n"
		       "AND ref.kept >= ?4 LIMIT 1",
		       VDFS_BLOB(hash, sizeof(*hash)),
		       VDFS_BLOB(last, sizeof(last)), VDFS_INT(uid),
		       VDFS_INT(kept));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -ENOENT;
	err = vdfs_object_row(st, out);
	sqlite3_reset(st);
	return err;
}

/**
 * struct vdfs_quota - a question about a user's quota, or its answer
 * @store: The store.
 * @uid: The user.
 * @bytes: Bytes that the user may refer to; 0 = any number.
 * @used: Bytes that the user refers to.
 */
struct vdfs_quota {
	struct vdfs_store *store;
	uint32_t uid;
	uint64_t bytes;
	uint64_t used;
};

static int quota_set(struct sqlite3 *db, void *arg)
{
	struct vdfs_quota *q = arg;

	return vdfs_sql_run(db,
			    "INSERT INTO quota(uid, bytes, used, bytes_sum)\n"
			    "VALUES(?1, ?2, 0, vdfs_sum(?1, ?2))\n"
			    "ON CONFLICT(uid) DO UPDATE SET bytes = ?2,\n"
			    "bytes_sum = vdfs_sum(?1, ?2)",
			    VDFS_INT(q->uid), VDFS_INT(q->bytes));
}

/**
 * vdfs_quota_set() - say what a user may refer to
 * @store: The store.
 * @who: An administrator.
 * @uid: The user.
 * @bytes: How much; 0 = any.
 *
 * Context: Any thread.
 * Return: 0, -EACCES, or another negative errno.
 */
int vdfs_quota_set(struct vdfs_store *store, const struct vdfs_who *who,
		   uint32_t uid, uint64_t bytes)
{
	struct vdfs_quota q = { .uid = uid, .bytes = bytes };

	if (!who->admin)
		return -EACCES;
	if (bytes > INT64_MAX)
		return -EINVAL;
	return vdfs_store_writable(store) ?:
		       vdfs_meta_write(store->meta, quota_set, &q);
}

static int quota_get(struct sqlite3 *db, void *arg)
{
	struct vdfs_quota *q = arg;
	struct sqlite3_stmt *st;
	int err;

	q->bytes = q->store->options.quota;
	q->used = 0;
	err = vdfs_sql(db, &st, "SELECT bytes, used FROM quota WHERE uid = ?",
		       VDFS_INT(q->uid));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err;
	if (sqlite3_column_type(st, 0) != SQLITE_NULL)
		q->bytes = sqlite3_column_int64(st, 0);
	q->used = sqlite3_column_int64(st, 1);
	return 0;
}

/**
 * vdfs_quota_get() - what a user may and does refer to
 * @store: The store.
 * @uid: The user.
 * @quota: Out, bytes; 0 = any.
 * @used: Out, bytes.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_quota_get(struct vdfs_store *store, uint32_t uid, uint64_t *quota,
		   uint64_t *used)
{
	struct vdfs_quota q = { .store = store, .uid = uid };
	int err = vdfs_meta_read(store->meta, quota_get, &q);

	if (err)
		return err;
	*quota = q.bytes;
	*used = q.used;
	return 0;
}
