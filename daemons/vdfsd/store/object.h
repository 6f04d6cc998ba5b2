/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_OBJECT_H
#define VDFS_OBJECT_H

#include "store.h"

struct sqlite3;
struct sqlite3_stmt;
struct vdfs_record;

#define VDFS_LARGE ((size_t)1 << 20) /* a blob from here on is in pieces */
#define VDFS_BLOCK ((size_t)64 << 10) /* of a file, with its checksum */
#define VDFS_SUMS_ROW 1024 /* blocks with their checksums in one row */

#define VDFS_COMMON (-1) /* of an object that any user's put may share */

enum vdfs_object_kind { VDFS_RECORD, VDFS_FILE, VDFS_LIST, VDFS_AWAY };

/**
 * struct vdfs_object - what the database says of an object
 * @id: Its row.
 * @hash: SHA-256 of its content.
 * @user: Owner of the content, which no put of another user sees; or
 *        VDFS_COMMON.
 * @size: Of its content.
 * @kind: enum vdfs_object_kind.
 * @users: Users who refer to it.
 * @parts: Parts of lists that refer to it.
 * @segment: Of a record: number of its segment,
 * @place: where it begins there,
 * @stored: and how long it is, with its header.
 * @fresh: Just inserted, and counted already for its first user.
 */
struct vdfs_object {
	int64_t id;
	struct vdfs_hash hash;
	int64_t user;
	uint64_t size;
	uint32_t kind;
	int64_t users;
	int64_t parts;
	uint32_t segment;
	uint64_t place;
	uint64_t stored;
	bool fresh;
};

/*
 * SQL that sets the checksum of a row of table node; see names/schema.c. Each
 * argument is the expression that the statement gives a column, or the column's
 * own name. Every statement that changes a row of node has to include this.
 */
#define VDFS_NODE_SUM(parent, name, object, owner, mode, mtime, gid, ctime)  \
	"sum = vdfs_sum(" parent ", " name ", " object ", " owner ",\n" mode \
	", " mtime ", " gid ", " ctime ")\n"

/* Rows, inside a transaction. */
/*
 * Keys of rows: a hash alone is common; behind that of a user's content is the
 * user, in 4 bytes. So all rows of a content are in a range: ?1 is the hash,
 * ?2 is from vdfs_object_last().
 */
#define VDFS_OBJECT_KEYS "object.hash BETWEEN ?1 AND ?2\n"
#define VDFS_OBJECT_LAST (sizeof(struct vdfs_hash) + 5)
void vdfs_object_last(const struct vdfs_hash *hash,
		      uint8_t last[VDFS_OBJECT_LAST]);
#define VDFS_OBJECT_COLUMNS                                          \
	"object.id, object.hash, object.size, object.kind, users,\n" \
	"object.parts, segment, place, stored"
int vdfs_object_row(struct sqlite3_stmt *st, struct vdfs_object *out);
/* Owner of the contents that a user puts. */
int64_t vdfs_object_user(const struct vdfs_store *store, uint32_t uid);
int vdfs_object_find(struct sqlite3 *db, int64_t user,
		     const struct vdfs_hash *hash, struct vdfs_object *out);
int vdfs_object_find_next(struct sqlite3 *db, const struct vdfs_hash *hash,
			  int64_t after, struct vdfs_object *out);
int vdfs_object_load(struct sqlite3 *db, int64_t id, struct vdfs_object *out);
int vdfs_object_insert(struct sqlite3 *db, const struct vdfs_object *object,
		       int64_t *id);
int vdfs_object_complete(struct sqlite3 *db, const struct vdfs_object *list);
int vdfs_object_vacate(struct sqlite3 *db, const struct vdfs_object *object);
int vdfs_object_adopt(struct sqlite3 *db, const struct vdfs_object *from,
		      struct vdfs_object *to);
int vdfs_object_lookup(struct vdfs_store *store, int64_t user,
		       const struct vdfs_hash *hash, struct vdfs_object *out);
int vdfs_object_place(struct sqlite3 *db, int64_t row,
		      const struct vdfs_object *object);
int vdfs_object_mend(struct sqlite3 *db, struct vdfs_store *store,
		     struct vdfs_object *object, uint64_t size,
		     const struct vdfs_record *record);

/* Files of objects. */
#define VDFS_FILE_PATH (3 + VDFS_HASH_TEXT + 11)
void vdfs_file_path(const struct vdfs_object *object,
		    char path[VDFS_FILE_PATH]);
int vdfs_file_open(struct vdfs_store *store, const struct vdfs_object *object);
int vdfs_file_temporary(struct vdfs_store *store);
int vdfs_file_link(struct vdfs_store *store, int fd,
		   const struct vdfs_object *object);
int vdfs_file_settle(struct vdfs_store *store,
		     const struct vdfs_object *object);
int vdfs_file_unlink(struct vdfs_store *store,
		     const struct vdfs_object *object);
/* Ends the name of one that is about to take the place of another. */
#define VDFS_FILE_BESIDE ".new"

#endif /* VDFS_OBJECT_H */
