// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making rows for all that lies in packs and files and has none, as when the
 * database was lost, or is an older copy. Hashes are compared first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "check_impl.h"
#include "store/identity.h"
#include "store/scan.h"

#define BATCH 256 /* records committed at a time */

/**
 * struct found - a whole record that the database does not know
 * @object: Object that its head describes.
 * @row: Object of that hash whose bytes are lost; 0 = none.
 */
struct found {
	struct vdfs_object object;
	int64_t row;
};

/**
 * struct rebuild - a rebuild in progress
 * @store: The store.
 * @uid: User who keeps what is found.
 * @progress: To tell, or NULL.
 * @arg: Its argument.
 * @total: Bytes to read, as far as is known.
 * @buf: VDFS_LARGE bytes.
 * @n: Records not committed yet.
 * @found: These, shape [n].
 * @sums: Checksums of the file that is being read.
 * @result: Counts.
 */
struct rebuild {
	struct vdfs_store *store;
	uint32_t uid;
	vdfs_store_progress *progress;
	void *arg;
	uint64_t total;
	uint8_t *buf;
	unsigned int n;
	struct found found[BATCH];
	uint32_t *sums;
	struct vdfs_rebuild_result result;
};

static int step(struct rebuild *r, uint64_t bytes)
{
	uint64_t done = r->result.bytes += bytes;

	if (r->total < done)
		r->total = done;
	if (r->progress && !r->progress(r->arg, done, r->total))
		return -ECANCELED;
	return 0;
}

/* A new row, kept by the user; what that costs is counted at the end. */
static int add_object(struct sqlite3 *db, struct rebuild *r,
		      struct vdfs_object *object)
{
	int err;

	object->users = 1;
	err = vdfs_object_insert(db, object, &object->id);
	if (!err)
		err = vdfs_sql_run(db,
				   "INSERT OR IGNORE INTO quota(uid, used)\n"
				   "VALUES(?, 0)",
				   VDFS_INT(r->uid));
	return err   ?:
		       vdfs_sql_run(db,
				    "INSERT OR REPLACE INTO ref(uid, object,\n"
				    "names, kept) VALUES(?, ?, 0, 1)",
				    VDFS_INT(r->uid), VDFS_INT(object->id));
}

static int place_object(struct sqlite3 *db, const struct found *found)
{
	int err = vdfs_sql_run(db, "DELETE FROM block WHERE object = ?",
			       VDFS_INT(found->row));

	return err ?: vdfs_object_place(db, found->row, &found->object);
}

static int commit_records(struct sqlite3 *db, void *arg)
{
	struct rebuild *r = arg;
	struct vdfs_object object;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < r->n; i++) {
		struct found *found = &r->found[i];

		if (found->row) {
			err = place_object(db, found);
			continue;
		}
		/* The same bytes may have been found twice. */
		err = vdfs_object_find_next(db, &found->object.hash, 0,
					    &object);
		if (err != -ENOENT)
			continue;
		object = found->object;
		err = add_object(db, r, &object);
	}
	return err;
}

static int flush(struct rebuild *r)
{
	int err = 0;

	if (r->n)
		err = vdfs_meta_write(vdfs_store_meta(r->store), commit_records,
				      r);
	r->n = 0;
	return err;
}

static int look_up(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;
	struct vdfs_hash hash = object->hash;

	return vdfs_object_find(db, object->user, &hash, object);
}

/* The next of the rows that users have of one content. */
static int look_up_next(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;
	struct vdfs_hash hash = object->hash;

	return vdfs_object_find_next(db, &hash, object->id, object);
}

/* Whether the bytes are where the row says: 0, -EBADMSG, or another errno. */
static int is_there(struct rebuild *r, const struct vdfs_object *object)
{
	int fd, err = 0;

	if (object->kind == VDFS_RECORD) {
		err = vdfs_record_check(r->store, object);
		return err == -ESTALE ? -EBADMSG : err;
	}
	if (object->kind != VDFS_FILE)
		return 0;
	fd = vdfs_file_open(r->store, object);
	if (fd < 0)
		err = fd;
	else
		close(fd);
	return err;
}

static int read_record(struct rebuild *r, const struct vdfs_object *object)
{
	struct vdfs_hash hash;
	int err = vdfs_record_read(r->store, object, r->buf);

	if (!err)
		err = vdfs_hash_bytes(r->buf, object->size, &hash);
	if (!err && !vdfs_hash_equal(&hash, &object->hash))
		err = -EBADMSG;
	return err;
}

/*
 * Whether all rows of a content have their bytes: 0; -ENOENT when there is no
 * row, -EBADMSG with one that lacks them, or another errno.
 */
static int find_lost(struct rebuild *r, struct vdfs_object *row)
{
	bool any = false;
	int err;

	for (;;) {
		err = vdfs_meta_read(vdfs_store_meta(r->store), look_up_next,
				     row);
		if (err)
			return err == -ENOENT && any ? 0 : err;
		err = is_there(r, row);
		if (err)
			return err;
		any = true;
	}
}

/**
 * struct owner - a question whether a record is some row's
 * @object: The record.
 * @has: It is: of a row of these bytes, whosever they are.
 */
struct owner {
	const struct vdfs_object *object;
	bool has;
};

static int find_owner(struct sqlite3 *db, void *arg)
{
	struct owner *owner = arg;
	const struct vdfs_object *object = owner->object;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT count(*) FROM object\n"
		       "WHERE segment = ? AND place = ?\n"
		       "AND substr(hash, 1, 32) = ?",
		       VDFS_INT(object->segment), VDFS_INT(object->place),
		       VDFS_BLOB(&object->hash, sizeof(object->hash)));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	owner->has = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

static int find_record(void *arg, const struct vdfs_object *object)
{
	struct rebuild *r = arg;
	struct vdfs_object row = { .hash = object->hash };
	struct owner owner = { .object = object };
	int err, ret;

	err = read_record(r, object);
	if (!err)
		err = step(r, object->size);
	if (err == -EBADMSG || err == -EIO) {
		r->result.damaged++;
		return 0;
	}
	if (err)
		return err;
	ret = vdfs_meta_read(vdfs_store_meta(r->store), find_owner, &owner);
	if (ret || owner.has)
		return ret;
	ret = find_lost(r, &row);
	if (!ret || (ret != -ENOENT && ret != -EBADMSG))
		return ret;
	r->found[r->n] =
		(struct found){ *object, ret == -EBADMSG ? row.id : 0 };
	r->found[r->n++].object.user = vdfs_object_user(r->store, r->uid);
	if (ret == -EBADMSG)
		r->result.moved++;
	else
		r->result.records++;
	/* The next record of these bytes is another user's. */
	return r->n == BATCH || ret == -EBADMSG ? flush(r) : 0;
}

static int commit_file(struct sqlite3 *db, void *arg)
{
	struct rebuild *r = arg;
	struct vdfs_object object = r->found[0].object;
	uint64_t n = (object.size + VDFS_BLOCK - 1) / VDFS_BLOCK, done, some;
	int err = add_object(db, r, &object);

	for (done = 0; !err && done < n; done += some) {
		some = n - done < VDFS_SUMS_ROW ? n - done : VDFS_SUMS_ROW;
		err = vdfs_sql_run(
			db, "INSERT INTO block VALUES(?, ?, ?)",
			VDFS_INT(object.id), VDFS_INT(done * VDFS_BLOCK),
			VDFS_BLOB(r->sums + done, some * sizeof(*r->sums)));
	}
	return err;
}

/* Read a file, and compare it with the hash that is its name. */
static int read_file(struct rebuild *r, int fd, struct vdfs_object *object)
{
	struct evp_md_ctx_st *ctx = vdfs_hash_new();
	struct vdfs_hash hash;
	uint64_t at = 0;
	ssize_t n = 0;
	int err = ctx ? 0 : -ENOMEM;

	while (!err && at < object->size) {
		n = pread(fd, r->buf, VDFS_BLOCK, at);
		if (n <= 0 ||
		    (n != (ssize_t)VDFS_BLOCK && at + n != object->size)) {
			err = -EBADMSG;
			break;
		}
		r->sums[at / VDFS_BLOCK] = vdfs_crc32c(0, r->buf, n);
		at += n;
		err = vdfs_hash_more(ctx, r->buf, n) ?: step(r, n);
	}
	if (!err)
		err = vdfs_hash_end(ctx, &hash);
	if (!err && !vdfs_hash_equal(&hash, &object->hash))
		err = -EBADMSG;
	vdfs_hash_free(ctx);
	return err;
}

static int take_file(struct rebuild *r, int fd, struct vdfs_object *object)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	object->size = st.st_size;
	r->sums = calloc(object->size / VDFS_BLOCK + 1, sizeof(*r->sums));
	err = r->sums ? read_file(r, fd, object) : -ENOMEM;
	r->found[0].object = *object;
	if (!err)
		err = vdfs_meta_write(vdfs_store_meta(r->store), commit_file,
				      r);
	free(r->sums);
	r->sums = NULL;
	return err;
}

static int find_file(void *arg, int dir, const char *name,
		     const struct vdfs_object *named, bool beside)
{
	struct rebuild *r = arg;
	struct vdfs_object object = *named;
	int fd, err;

	if (beside)
		return 0;
	err = vdfs_meta_read(vdfs_store_meta(r->store), look_up, &object);
	if (err != -ENOENT)
		return err;
	object = *named;
	object.kind = VDFS_FILE;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = take_file(r, fd, &object);
	close(fd);
	if (err == -EBADMSG) {
		r->result.damaged++;
		return 0;
	}
	r->result.files += !err;
	return err;
}

static int find_all(struct rebuild *r)
{
	uint32_t number = 0;
	int err = 0;

	while (!err) {
		number = vdfs_packs_next(r->store, number + 1);
		if (!number)
			break;
		err = vdfs_scan_segment(r->store, number, 0, find_record, r);
	}
	if (!err)
		err = flush(r);
	return err ?: vdfs_scan_files(r->store, find_file, r);
}

/**
 * vdfs_rebuild() - let the database know all that is stored whole
 * @store: The store, opened to be rebuilt and for nothing else.
 * @uid: User who keeps the blobs that are found.
 * @progress: To tell how far it is, and to stop it; NULL = nobody.
 * @arg: Its argument.
 * @out: Counts.
 *
 * All that the database knows stays as it is. Names, owners and which pieces a
 * large blob is made of are in the database alone: what is found without it
 * are pieces and small blobs, without names. Nothing is shortened or removed.
 *
 * Context: Its only user. May be stopped, and run once more.
 * Return: 0, -ECANCELED, or another negative errno; then the store is refused
 * until it was rebuilt.
 */
int vdfs_rebuild(struct vdfs_store *store, uint32_t uid,
		 vdfs_store_progress *progress, void *arg,
		 struct vdfs_rebuild_result *out)
{
	struct vdfs_fsck counts = { .store = store, .flags = VDFS_FSCK_REPAIR };
	struct rebuild *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return err;
	r->store = store;
	r->uid = uid;
	r->progress = progress;
	r->arg = arg;
	r->total = vdfs_packs_bytes(store);
	r->buf = malloc(VDFS_LARGE);
	if (r->buf)
		err = find_all(r);
	if (!err)
		err = vdfs_fsck_rows(&counts);
	if (!err)
		err = vdfs_identity_bind(store);
	if (out)
		*out = r->result;
	free(r->buf);
	free(r);
	return err;
}
