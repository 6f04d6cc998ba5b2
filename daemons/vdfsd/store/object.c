// SPDX-License-Identifier: GPL-2.0-only
/* Rows of objects in the database. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store_impl.h"

#define COLUMNS VDFS_OBJECT_COLUMNS
#define HASH sizeof(struct vdfs_hash)

/**
 * struct key - key of a row
 * @bytes: See VDFS_OBJECT_KEYS.
 * @len: How many of them.
 */
struct key {
	uint8_t bytes[HASH + 4];
	size_t len;
};

static struct key key_of(int64_t user, const struct vdfs_hash *hash)
{
	struct key key = { .len = HASH };
	uint32_t uid = htobe32((uint32_t)user);

	memcpy(key.bytes, hash, HASH);
	if (user == VDFS_COMMON)
		return key;
	memcpy(key.bytes + HASH, &uid, sizeof(uid));
	key.len += sizeof(uid);
	return key;
}

/**
 * vdfs_object_last() - find the end of the keys of a content
 * @hash: SHA-256 of the content.
 * @last: Out, behind its last key.
 *
 * Context: Any.
 */
void vdfs_object_last(const struct vdfs_hash *hash,
		      uint8_t last[VDFS_OBJECT_LAST])
{
	memcpy(last, hash, HASH);
	memset(last + HASH, 0xff, VDFS_OBJECT_LAST - HASH);
}

/**
 * vdfs_object_user() - whose content is what a user puts
 * @store: The store.
 * @uid: The user.
 *
 * Context: Any.
 * Return: The user, or VDFS_COMMON in a store whose users share contents.
 */
int64_t vdfs_object_user(const struct vdfs_store *store, uint32_t uid)
{
	return store->options.share ? VDFS_COMMON : (int64_t)uid;
}

static int read_key(struct sqlite3_stmt *st, struct vdfs_object *out)
{
	const uint8_t *bytes = sqlite3_column_blob(st, 1);
	size_t len = sqlite3_column_bytes(st, 1);
	uint32_t uid;

	out->user = VDFS_COMMON;
	if (!bytes)
		return 0;
	if (len != HASH && len != HASH + sizeof(uid))
		return -EBADMSG;
	memcpy(&out->hash, bytes, HASH);
	if (len == HASH)
		return 0;
	memcpy(&uid, bytes + HASH, sizeof(uid));
	out->user = be32toh(uid);
	return 0;
}

/**
 * vdfs_object_row() - read an object from a row
 * @st: A statement that selects VDFS_OBJECT_COLUMNS first, at a row.
 * @out: The object, as its row describes it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0 or -EBADMSG.
 */
int vdfs_object_row(struct sqlite3_stmt *st, struct vdfs_object *out)
{
	memset(out, 0, sizeof(*out));
	if (read_key(st, out))
		return -EBADMSG;
	out->id = sqlite3_column_int64(st, 0);
	out->size = sqlite3_column_int64(st, 2);
	out->kind = sqlite3_column_int(st, 3);
	out->users = sqlite3_column_int64(st, 4);
	out->parts = sqlite3_column_int64(st, 5);
	out->segment = sqlite3_column_int64(st, 6);
	out->place = sqlite3_column_int64(st, 7);
	out->stored = sqlite3_column_int64(st, 8);
	return 0;
}

static int load_one(struct sqlite3_stmt *st, struct vdfs_object *out)
{
	int err = vdfs_sql_next(st);

	if (err <= 0)
		return err ?: -ENOENT;
	err = vdfs_object_row(st, out);
	sqlite3_reset(st);
	return err;
}

/**
 * vdfs_object_find() - find an object by its hash
 * @db: A connection inside a transaction.
 * @user: Owner of the content, or VDFS_COMMON.
 * @hash: SHA-256 of its content.
 * @out: The object, as its row describes it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_object_find(struct sqlite3 *db, int64_t user,
		     const struct vdfs_hash *hash, struct vdfs_object *out)
{
	struct key key = key_of(user, hash);
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT " COLUMNS " FROM object WHERE hash = ?",
		       VDFS_BLOB(key.bytes, key.len));
	return err ?: load_one(st, out);
}

/**
 * vdfs_object_find_next() - find an object of a content, whosever it is
 * @db: A connection inside a transaction.
 * @hash: SHA-256 of its content.
 * @after: Row of the one before, or 0.
 * @out: The object, as its row describes it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT when there are no more, or another negative errno.
 */
int vdfs_object_find_next(struct sqlite3 *db, const struct vdfs_hash *hash,
			  int64_t after, struct vdfs_object *out)
{
	uint8_t last[VDFS_OBJECT_LAST];
	struct sqlite3_stmt *st;
	int err;

	vdfs_object_last(hash, last);
	err = vdfs_sql(db, &st,
		       "SELECT " COLUMNS " FROM object\n"
		       "WHERE " VDFS_OBJECT_KEYS "AND +object.id > ?3\n"
		       "ORDER BY +object.id LIMIT 1",
		       VDFS_BLOB(hash, HASH), VDFS_BLOB(last, sizeof(last)),
		       VDFS_INT(after));
	return err ?: load_one(st, out);
}

/**
 * vdfs_object_load() - find an object by its row
 * @db: A connection inside a transaction.
 * @id: The row.
 * @out: The object, as its row describes it; its hash is zeros when it has
 *       none.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_object_load(struct sqlite3 *db, int64_t id, struct vdfs_object *out)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT " COLUMNS " FROM object WHERE id = ?",
		       VDFS_INT(id));
	return err ?: load_one(st, out);
}

/**
 * vdfs_object_insert() - add an object
 * @db: A connection inside a transaction.
 * @object: All but its row; zeros for a hash are none.
 * @id: Out, its row: higher than any that an object ever had.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_insert(struct sqlite3 *db, const struct vdfs_object *object,
		       int64_t *id)
{
	static const struct vdfs_hash none;
	bool named = !vdfs_hash_equal(&object->hash, &none);
	bool placed = object->kind == VDFS_RECORD;
	struct key key = key_of(object->user, &object->hash);
	int err;

	err = vdfs_sql_run(
		db,
		"INSERT INTO object(hash, size, kind, users, parts, segment,\n"
		"place, stored) VALUES(?1, ?2, ?3, ?4, ?5,\n"
		"CASE WHEN ?9 THEN ?6 END, CASE WHEN ?9 THEN ?7 END,\n"
		"CASE WHEN ?9 THEN ?8 END)",
		VDFS_BLOB(named ? key.bytes : NULL, key.len),
		VDFS_INT(object->size), VDFS_INT(object->kind),
		VDFS_INT(object->users), VDFS_INT(object->parts),
		VDFS_INT(object->segment), VDFS_INT(object->place),
		VDFS_INT(object->stored), VDFS_INT(placed));
	if (err)
		return err;
	*id = sqlite3_last_insert_rowid(db);
	return vdfs_identity_number(db, id);
}

static int lookup(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;
	struct vdfs_hash hash = object->hash;
	int64_t user = object->user;
	int err;

	err = vdfs_object_find(db, user, &hash, object);
	if (!err && object->kind == VDFS_AWAY)
		err = -ENOENT;
	object->hash = hash;
	object->user = user;
	return err;
}

/**
 * vdfs_object_lookup() - find an object that is here, not in a transaction
 * @store: The store.
 * @user: Owner of the content, or VDFS_COMMON.
 * @hash: SHA-256 of its content, which the caller has pinned.
 * @out: The object, as its row describes it.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_object_lookup(struct vdfs_store *store, int64_t user,
		       const struct vdfs_hash *hash, struct vdfs_object *out)
{
	out->user = user;
	out->hash = *hash;
	return vdfs_meta_read(store->meta, lookup, out);
}

/**
 * vdfs_object_complete() - make a list of parts a blob
 * @db: A connection inside a transaction.
 * @list: Its row, and the hash, user and size that it gets.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_complete(struct sqlite3 *db, const struct vdfs_object *list)
{
	struct key key = key_of(list->user, &list->hash);

	return vdfs_sql_run(db,
			    "UPDATE object SET hash = ?2, size = ?3,\n"
			    "users = 1 WHERE id = ?1",
			    VDFS_INT(list->id), VDFS_BLOB(key.bytes, key.len),
			    VDFS_INT(list->size));
}

/**
 * vdfs_object_vacate() - take an object's hash away, for another to have
 * @db: A connection inside a transaction.
 * @object: The object, which is garbage once it has no users and parts.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_vacate(struct sqlite3 *db, const struct vdfs_object *object)
{
	return vdfs_sql_run(db, "UPDATE object SET hash = NULL WHERE id = ?",
			    VDFS_INT(object->id));
}

/**
 * vdfs_object_adopt() - let an object take the place of another
 * @db: A connection inside a transaction.
 * @from: The other, which was vacated.
 * @to: Gets its names, references and users.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_adopt(struct sqlite3 *db, const struct vdfs_object *from,
		      struct vdfs_object *to)
{
	int err;

	err = vdfs_sql_run(db,
			   "UPDATE node SET object = ?2,\n" VDFS_NODE_SUM(
				   "parent", "name", "?2", "owner", "mode",
				   "mtime", "gid", "ctime") "WHERE object = ?1",
			   VDFS_INT(from->id), VDFS_INT(to->id));
	if (!err)
		err = vdfs_sql_run(db,
				   "UPDATE ref SET object = ?2\n"
				   "WHERE object = ?1",
				   VDFS_INT(from->id), VDFS_INT(to->id));
	if (!err)
		err = vdfs_sql_run(db,
				   "UPDATE object SET users = CASE id\n"
				   "WHEN ?1 THEN 0 ELSE ?3 END\n"
				   "WHERE id IN (?1, ?2)",
				   VDFS_INT(from->id), VDFS_INT(to->id),
				   VDFS_INT(from->users));
	to->users = from->users;
	to->fresh = false;
	return err;
}

/**
 * vdfs_object_place() - say in a row where the bytes of an object are
 * @db: A connection inside a transaction.
 * @row: The row.
 * @object: Kind, size, segment, place and stored of what the row gets.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_place(struct sqlite3 *db, int64_t row,
		      const struct vdfs_object *object)
{
	return vdfs_sql_run(db,
			    "UPDATE object SET kind = ?2, size = ?3,\n"
			    "segment = ?4, place = ?5, stored = ?6\n"
			    "WHERE id = ?1",
			    VDFS_INT(row), VDFS_INT(object->kind),
			    VDFS_INT(object->size), VDFS_INT(object->segment),
			    VDFS_INT(object->place), VDFS_INT(object->stored));
}

/**
 * vdfs_object_mend() - let the row of a damaged object mean a new record
 * @db: A connection inside a transaction.
 * @store: The store.
 * @object: The object; gets what it is now. All that refers to it stays.
 * @size: Length of its content.
 * @record: The record, which is durable.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_object_mend(struct sqlite3 *db, struct vdfs_store *store,
		     struct vdfs_object *object, uint64_t size,
		     const struct vdfs_record *record)
{
	int err;

	object->kind = VDFS_RECORD;
	object->size = size;
	object->segment = record->segment->number;
	object->place = record->place;
	object->stored = record->stored;
	atomic_fetch_add(&store->mended, 1);
	err = vdfs_identity_raise(db, NULL);
	return err ?: vdfs_object_place(db, object->id, object);
}
