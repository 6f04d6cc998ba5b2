// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of blobs. Two ways lead to those that a user may see: over all blobs, in
 * the order of their hashes, and over what the user refers to and may read by
 * names. The first is short when others hide little, the second when they show
 * little. Each is tried for so many rows, then the other one for more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pace.h"
#include "store_impl.h"

#define PAGE 256 /* blobs listed in one transaction */
#define ROWS 16U /* of others that the first try looks at */
#define MORE 4U /* times as many as the try before */
#define HASH sizeof(struct vdfs_hash)

/**
 * struct page - a part of the list of blobs
 * @store: The store.
 * @who: For whom.
 * @db: The connection, while there is one.
 * @after: From behind these keys on.
 * @from: Length of that: 0 = from the first.
 * @rows: Rows that this try may still look at for nothing.
 * @n: Out, how many.
 * @object: Out, their hashes and sizes, in the order of their hashes.
 */
struct page {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	struct sqlite3 *db;
	uint8_t after[VDFS_OBJECT_LAST];
	size_t from;
	unsigned int rows;
	unsigned int n;
	struct vdfs_object object[PAGE];
};

static int read_hash(struct sqlite3_stmt *st, struct vdfs_object *object)
{
	memset(object, 0, sizeof(*object));
	if (sqlite3_column_bytes(st, 1) < (int)HASH)
		return -EBADMSG;
	object->id = sqlite3_column_int64(st, 0);
	memcpy(&object->hash, sqlite3_column_blob(st, 1), HASH);
	object->size = sqlite3_column_int64(st, 2);
	object->users = 1;
	return 0;
}

/* Go over all blobs: -EAGAIN when too many of them are hidden. */
static int fill_by_hash(struct sqlite3 *db, void *arg)
{
	struct page *p = arg;
	struct sqlite3_stmt *st;
	int err;

	p->n = 0;
	err = vdfs_sql(db, &st,
		       "SELECT id, hash, size FROM object\n"
		       "WHERE hash > ? AND users > 0 ORDER BY hash",
		       VDFS_BLOB(p->after, p->from));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		struct vdfs_object *object = &p->object[p->n];

		err = read_hash(st, object);
		if (err)
			return err;
		/* Of several users' blobs of one content one is listed. */
		if (p->n && vdfs_hash_equal(&object->hash, &object[-1].hash))
			continue;
		err = vdfs_blob_visible(db, p->store, p->who, object);
		if (err < 0)
			return err;
		if (!err && !p->rows--)
			return -EAGAIN;
		p->n += (unsigned int)err;
		err = 0;
		if (p->n == PAGE)
			break;
	}
	return err;
}

/* Insert a blob where it belongs; the last of a full page goes. */
static void add(struct page *p, const struct vdfs_object *object)
{
	unsigned int low = 0, high = p->n, mid;
	int order = 1;

	if (p->from && memcmp(&object->hash, p->after, HASH) <= 0)
		return;
	while (low < high && order) {
		mid = (low + high) / 2;
		order = memcmp(&object->hash, &p->object[mid].hash, HASH);
		if (order > 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (!order || low == PAGE)
		return;
	if (p->n < PAGE)
		p->n++;
	memmove(&p->object[low + 1], &p->object[low],
		(p->n - low - 1) * sizeof(*object));
	p->object[low] = *object;
}

static int add_shown(void *arg, int64_t id)
{
	struct page *p = arg;
	struct vdfs_object object;
	int err = vdfs_object_load(p->db, id, &object);

	if (!err && object.users)
		add(p, &object);
	return err == -ENOENT ? 0 : err;
}

/* Go over what the user has, and what names show: -EAGAIN when that is much. */
static int fill_by_user(struct sqlite3 *db, void *arg)
{
	struct vdfs_object object;
	struct page *p = arg;
	struct sqlite3_stmt *st;
	int err;

	p->n = 0;
	p->db = db;
	err = vdfs_sql(db, &st,
		       "SELECT object.id, object.hash, object.size FROM ref\n"
		       "CROSS JOIN object ON object.id = ref.object\n"
		       "WHERE ref.uid = ? AND object.hash IS NOT NULL",
		       VDFS_INT(p->who->uid));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		if (!p->rows--)
			return -EAGAIN;
		err = read_hash(st, &object);
		if (!err)
			add(p, &object);
	}
	return err ?: p->store->above.each(db, p->who, &p->rows, add_shown, p);
}

static int fill_page(struct page *p)
{
	vdfs_meta_fn *fn = fill_by_user;
	unsigned int rows = ROWS;
	int err;

	if (p->who->admin)
		return vdfs_meta_read(p->store->meta, fill_by_hash, p);
	do {
		p->rows = rows;
		err = vdfs_meta_read(p->store->meta, fn, p);
		/* Once it looks at all of them there is no other way. */
		rows = rows < UINT32_MAX / MORE ? rows * MORE : UINT32_MAX;
		fn = fn == fill_by_user ? fill_by_hash : fill_by_user;
	} while (err == -EAGAIN);
	return err;
}

/**
 * vdfs_blob_list() - list the blobs a user may see
 * @store: The store.
 * @who: The user.
 * @after: From behind this hash on; NULL = all.
 * @fn: Called for each, in the order of hashes.
 * @arg: Its argument.
 *
 * Blobs that come or go meanwhile may be listed or not.
 *
 * Context: Any thread; @fn may use the store.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_blob_list(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *after, vdfs_blob_fn *fn, void *arg)
{
	struct page *p = malloc(sizeof(*p));
	unsigned int i;
	int err;

	if (!p)
		return -ENOMEM;
	p->store = store;
	p->who = who;
	p->from = after ? sizeof(p->after) : 0;
	if (after)
		vdfs_object_last(after, p->after);
	do {
		pace_step();
		err = fill_page(p);
		for (i = 0; !err && i < p->n; i++)
			err = fn(arg, &p->object[i].hash, p->object[i].size);
		if (p->n) {
			vdfs_object_last(&p->object[p->n - 1].hash, p->after);
			p->from = sizeof(p->after);
		}
	} while (!err && p->n == PAGE);
	free(p);
	return err;
}
