// SPDX-License-Identifier: GPL-2.0-only
/* Rows of objects in the database. */
#include <errno.h>
#include <string.h>

#include "store_impl.h"

#define COLUMNS VDFS_OBJECT_COLUMNS

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
	const void *hash = sqlite3_column_blob(st, 1);

	memset(out, 0, sizeof(*out));
	if (hash && sqlite3_column_bytes(st, 1) != sizeof(out->hash))
		return -EBADMSG;
	out->id = sqlite3_column_int64(st, 0);
	if (hash)
		memcpy(&out->hash, hash, sizeof(out->hash));
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
 * @hash: SHA-256 of its content.
 * @out: The object, as its row describes it.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_object_find(struct sqlite3 *db, const struct vdfs_hash *hash,
		     struct vdfs_object *out)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT " COLUMNS " FROM object WHERE hash = ?",
		       VDFS_BLOB(hash, sizeof(*hash)));
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
	int err;

	err = vdfs_sql_run(
		db,
		"INSERT INTO object(hash, size, kind, users, parts, segment,\n"
		"place, stored) VALUES(?1, ?2, ?3, ?4, ?5,\n"
		"CASE WHEN ?9 THEN ?6 END, CASE WHEN ?9 THEN ?7 END,\n"
		"CASE WHEN ?9 THEN ?8 END)",
		VDFS_BLOB(named ? &object->hash : NULL, sizeof(object->hash)),
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
	int err;

	err = vdfs_object_find(db, &hash, object);
	if (!err && object->kind == VDFS_AWAY)
		err = -ENOENT;
	object->hash = hash;
	return err;
}

/**
 * vdfs_object_lookup() - find an object that is here, not in a transaction
 * @store: The store.
 * @hash: SHA-256 of its content, which the caller has pinned.
 * @out: The object, as its row describes it.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_object_lookup(struct vdfs_store *store, const struct vdfs_hash *hash,
		       struct vdfs_object *out)
{
	out->hash = *hash;
	return vdfs_meta_read(store->meta, lookup, out);
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
