// SPDX-License-Identifier: GPL-2.0-only
/* Steps on blobs and names. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "work.h"

const struct vdfs_who work_who = { .uid = 1000 };

/**
 * work_open() - open the store
 * @w: Its directory is set.
 * @s: Step; flags 1: compress.
 *
 * Return: 0 or -errno.
 */
int work_open(struct work *w, const struct step *s)
{
	struct vdfs_store_options options = { .zstd = s && s->flags ? 3 : 0 };
	char graph[512];
	int ret = vdfs_store_open(w->dir, &options, &w->store);

	if (ret) {
		w->store = NULL;
		return ret;
	}
	snprintf(graph, sizeof(graph), "%s/graph", w->dir);
	ret = vdfs_db_open(vdfs_store_meta(w->store), graph, 1, &w->db);
	if (ret) {
		w->db = NULL;
		work_close(w);
	}
	return ret;
}

/**
 * work_close() - close the store
 * @w: Work; one that is closed stays so.
 */
void work_close(struct work *w)
{
	if (w->db)
		vdfs_db_close(w->db);
	if (w->store)
		vdfs_store_close(w->store);
	w->db = NULL;
	w->store = NULL;
}

/**
 * work_reopen() - close the store and open it again
 * @w: Work.
 * @s: Step.
 *
 * Return: 0 or -errno.
 */
int work_reopen(struct work *w, const struct step *s)
{
	work_close(w);
	return work_open(w, s);
}

/**
 * work_fill() - make content
 * @buf: Out.
 * @len: Bytes.
 * @seed: The same seed gives the same bytes, whatever the length.
 */
void work_fill(char *buf, size_t len, unsigned int seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf[i] = (char)(x >> 32);
	}
}

/* With a @place there, or under the name a step has, or without one. */
static int put_at(struct work *w, const struct step *s,
		  const struct vdfs_place *place)
{
	char *data = malloc(s->size + 1);
	struct vdfs_put *put;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	size_t half = s->size / 2;
	int ret;

	if (!data)
		return -ENOMEM;
	work_fill(data, s->size, s->seed);
	if (s->b)
		memcpy(data + half, s->b, strlen(s->b));
	ret = vdfs_put_begin(w->store, &work_who, s->flags, &put);
	if (ret)
		goto out_free;
	ret = vdfs_put_write(put, data, half);
	if (!ret)
		ret = vdfs_put_write(put, data + half, s->size - half);
	if (ret)
		vdfs_put_abort(put);
	else if (place)
		ret = vdfs_put_commit_at(put, place, &st);
	else
		ret = vdfs_put_commit(put, NULL, s->a, &hash);
out_free:
	free(data);
	return ret;
}

/**
 * work_put() - store a blob
 * @w: Work.
 * @s: Step: name a or none, size, seed, flags of vdfs_put_begin(); with a
 *     b, some bytes in the middle are others.
 *
 * Return: 0 or -errno.
 */
int work_put(struct work *w, const struct step *s)
{
	return put_at(w, s, NULL);
}

/* As the view does when a file is closed: one that is there stays the same. */
static int do_write(struct work *w, const struct step *s)
{
	struct vdfs_place place = { .mode = 0640, .mtime_ns = 1 };
	struct vdfs_stat st;
	int ret = vdfs_name_stat(w->store, &work_who, s->a, &st);

	if (ret && ret != -ENOENT)
		return ret;
	if (ret)
		place.path = s->a;
	else
		place.ino = st.ino;
	return put_at(w, s, &place);
}

static int do_unlink(struct work *w, const struct step *s)
{
	return vdfs_name_unlink(w->store, &work_who, s->a);
}

static int do_rename(struct work *w, const struct step *s)
{
	return vdfs_name_rename(w->store, &work_who, s->a, s->b, false);
}

static int do_mkdir(struct work *w, const struct step *s)
{
	return vdfs_name_mkdir(w->store, &work_who, s->a, VDFS_MODE_DIR);
}

static int do_link(struct work *w, const struct step *s)
{
	struct vdfs_stat st;
	int ret = vdfs_name_stat(w->store, &work_who, s->a, &st);

	return ret ? ret : vdfs_name_link(w->store, &work_who, s->b, &st.hash);
}

static int do_keep(struct work *w, const struct step *s)
{
	struct vdfs_stat st;
	int ret = vdfs_name_stat(w->store, &work_who, s->a, &st);

	return ret ? ret : vdfs_blob_keep(w->store, &work_who, &st.hash);
}

static int do_drop(struct work *w, const struct step *s)
{
	struct vdfs_stat st;
	int ret = vdfs_name_stat(w->store, &work_who, s->a, &st);

	return ret ? ret : vdfs_blob_drop(w->store, &work_who, &st.hash);
}

static int do_attr(struct work *w, const struct step *s)
{
	return vdfs_attr_set(w->store, &work_who, s->a, "user.note", s->b,
			     s->b ? strlen(s->b) : 0);
}

static int do_gc(struct work *w, const struct step *s)
{
	struct vdfs_gc_result result;

	(void)s;
	return vdfs_gc(w->store, NULL, NULL, &result);
}

/* A step that fails changes nothing: put back what was there. */
static int write_at(const char *path, const char *text, off_t at)
{
	ssize_t len = (ssize_t)strlen(text);
	char was[16];
	ssize_t n;
	int fd, err = 0;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, was, (size_t)len, at) != len) {
		close(fd);
		return -EIO;
	}
	n = pwrite(fd, text, (size_t)len, at);
	if (n < 0)
		err = -errno;
	else if (n != len || fsync(fd))
		err = -EIO;
	if (err && n > 0 && pwrite(fd, was, (size_t)len, at) != len)
		abort();
	close(fd);
	return err;
}

/* Of a list, the first of its parts. */
static int find_bytes(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;
	struct sqlite3_stmt *st;
	int64_t id;
	int ret;

	if (object->kind != VDFS_LIST)
		return 0;
	ret = vdfs_sql(db, &st,
		       "SELECT object FROM part WHERE list = ?1\n"
		       "ORDER BY start LIMIT 1",
		       VDFS_INT(object->id));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	id = sqlite3_column_int64(st, 0);
	ret = vdfs_sql_next(st);
	return ret ? ret : vdfs_object_load(db, id, object);
}

/* What the disk itself does: bytes of a blob are others from now on. */
static int do_damage(struct work *w, const struct step *s)
{
	char path[512], name[VDFS_FILE_PATH + 16] = "object/";
	off_t at = (off_t)s->size;
	struct vdfs_object object;
	struct vdfs_stat st;
	int ret = vdfs_name_stat(w->store, &work_who, s->a, &st);

	if (!ret)
		ret = vdfs_object_lookup(w->store, work_who.uid, &st.hash,
					 &object);
	if (!ret)
		ret = vdfs_meta_read(w->store->meta, find_bytes, &object);
	if (ret)
		return ret;
	if (object.kind == VDFS_FILE) {
		vdfs_file_path(&object, name + strlen(name));
	} else {
		at += (off_t)object.place;
		snprintf(name, sizeof(name), "pack/%08u", object.segment);
	}
	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	return write_at(path, "damaged!", at);
}

/**
 * work_damages() - whether the disk damages something in a step
 * @s: The step.
 *
 * Return: Whether.
 */
bool work_damages(const struct step *s)
{
	return s->fn == do_damage;
}

static int do_repair(struct work *w, const struct step *s)
{
	struct vdfs_fsck_result result;

	(void)s;
	return vdfs_fsck(w->store, VDFS_FSCK_REPAIR, NULL, NULL, NULL, &result);
}

static const struct step blobs[] = {
	{ .fn = work_open },
	{ .fn = work_put, .a = "empty", .seed = 1 },
	{ .fn = work_put, .a = "small", .size = 100, .seed = 2 },
	{ .fn = work_put, .a = "dir/page", .size = 4096, .seed = 3 },
	{ .fn = work_put, .a = "dir/same", .size = 4096, .seed = 3 },
	{ .fn = work_put, .a = "dir/pages", .size = 70000, .seed = 4 },
	{ .fn = do_attr, .a = "small", .b = "first" },
	{ .fn = work_put, .a = "small", .size = 300, .seed = 5 },
	{ .fn = do_attr, .a = "small", .b = "second" },
	{ .fn = do_rename, .a = "dir/page", .b = "dir/pages" },
	{ .fn = do_mkdir, .a = "empty-dir" },
	{ .fn = do_rename, .a = "dir", .b = "empty-dir/moved" },
	{ .fn = do_write, .a = "empty-dir/file", .size = 2000, .seed = 8 },
	{ .fn = do_attr, .a = "empty-dir/file", .b = "stays" },
	{ .fn = do_write, .a = "empty-dir/file", .size = 3000, .seed = 9 },
	{ .fn = do_link, .a = "small", .b = "also-small" },
	{ .fn = do_gc },
	{ .fn = do_keep, .a = "small" },
	{ .fn = do_unlink, .a = "small" },
	{ .fn = do_unlink, .a = "also-small" },
	{ .fn = work_reopen },
	{ .fn = do_unlink, .a = "empty-dir/moved/pages" },
	{ .fn = do_gc },
	{ .fn = work_put, .a = "last", .size = 9000, .seed = 6 },
	{ .fn = do_keep, .a = "last" },
	{ .fn = do_drop, .a = "last" },
	{ .fn = work_put, .size = 500, .seed = 7 },
	{ .fn = NULL },
};

#define WHOLE (1200U << 10)
#define PIECES (1100U << 10)

static const struct step files[] = {
	{ .fn = work_open, .flags = 1 },
	{ .fn = work_put, .a = "whole", .size = WHOLE, .flags = VDFS_PUT_WHOLE },
	{ .fn = work_put, .a = "pieces", .size = PIECES, .seed = 1 },
	{ .fn = work_put, .a = "near", .b = "!", .size = PIECES, .seed = 1 },
	{ .fn = do_unlink, .a = "pieces" },
	{ .fn = do_gc },
	{ .fn = work_put, .a = "whole", .size = 10, .seed = 2 },
	{ .fn = do_gc },
	{ .fn = work_reopen, .flags = 1 },
	{ .fn = do_unlink, .a = "near" },
	{ .fn = do_gc },
	{ .fn = NULL },
};

static const struct step mend[] = {
	{ .fn = work_open },
	{ .fn = work_put, .a = "pieces", .size = PIECES, .seed = 1 },
	{ .fn = work_put, .a = "small", .size = 9000, .seed = 2 },
	{ .fn = work_put, .a = "whole", .size = WHOLE, .flags = VDFS_PUT_WHOLE },
	{ .fn = do_damage, .a = "small", .size = 1000 },
	{ .fn = work_put, .a = "again", .size = 9000, .seed = 2 },
	{ .fn = do_damage, .a = "pieces", .size = 5000 },
	{ .fn = work_put, .a = "near", .b = "!", .size = PIECES, .seed = 1 },
	{ .fn = do_damage, .a = "whole", .size = 70000 },
	{ .fn = work_reopen },
	{ .fn = work_put, .size = WHOLE, .flags = VDFS_PUT_WHOLE },
	{ .fn = do_damage, .a = "whole", .size = 0 },
	{ .fn = work_put, .a = "whole", .size = WHOLE },
	{ .fn = do_gc },
	{ .fn = do_unlink, .a = "small" },
	{ .fn = do_gc },
	{ .fn = do_damage, .a = "again", .size = 1000 },
	{ .fn = do_repair },
	{ .fn = do_damage, .a = "pieces", .size = 5000 },
	{ .fn = do_repair },
	{ .fn = do_gc },
	{ .fn = NULL },
};

static const struct step items[] = {
	{ .fn = work_open },
	{ .fn = work_create, .a = "things" },
	{ .fn = work_insert, .a = "k", .size = 5, .seed = 1 },
	{ .fn = work_insert, .a = "k", .size = 3, .seed = 2, .flags = 1 },
	{ .fn = work_update, .a = "k4", .seed = 3 },
	{ .fn = work_delete, .a = "k1" },
	{ .fn = work_save },
	{ .fn = work_insert, .a = "m", .size = 2, .seed = 4 },
	{ .fn = work_reopen },
	{ .fn = work_delete, .a = "m0" },
	{ .fn = work_reopen },
	{ .fn = work_create, .a = "others" },
	{ .fn = work_drop, .a = "things" },
	{ .fn = NULL },
};

static struct workload workloads[] = {
	{ "blobs", blobs, 0 }, { "files", files, 0 }, { "items", items, 0 },
	{ "mend", mend, 0 },   { NULL, NULL, 0 },
};

/**
 * workload_find() - look a workload up
 * @name: Name.
 *
 * Return: It, or NULL.
 */
const struct workload *workload_find(const char *name)
{
	struct workload *w = workloads;

	while (w->name && strcmp(w->name, name))
		w++;
	if (!w->name)
		return NULL;
	for (w->n = 0; w->steps[w->n].fn;)
		w->n++;
	return w;
}
