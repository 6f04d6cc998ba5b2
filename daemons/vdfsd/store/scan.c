// SPDX-License-Identifier: GPL-2.0-only
/* Finding records in segments, and files of objects, without the database. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan.h"
#include "store_impl.h"

#define CHUNK ((size_t)64 << 10) /* bytes looked through at a time */
#define GRACE_S 60 /* of a commit behind what it commits */

/* Where the next record may begin, from @at on; the end when none does. */
static int find_next(struct vdfs_segment *seg, uint64_t *at, uint64_t end)
{
	static const uint32_t magic = VDFS_RECORD_MAGIC;
	char *buf = malloc(CHUNK), *found = NULL;
	ssize_t n = 0;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	while (!found && *at < end) {
		n = pread(seg->fd, buf, CHUNK, *at);
		if (n < (ssize_t)sizeof(magic))
			break;
		found = memmem(buf, n, &magic, sizeof(magic));
		/* It may lie across the end of what was read. */
		*at += found ? found - buf : n - (ssize_t)sizeof(magic) + 1;
	}
	if (n < 0)
		err = -errno;
	if (!found)
		*at = end;
	free(buf);
	return err;
}

static int scan(struct vdfs_segment *seg, uint64_t at, uint64_t end,
		vdfs_scan_fn *fn, void *arg)
{
	struct vdfs_object object;
	int err = 0;

	while (!err && at < end) {
		err = vdfs_record_probe(seg, at, end, &object);
		if (!err) {
			at += object.stored;
			err = fn(arg, &object);
		} else if (err == -ENOENT) {
			at++;
			err = find_next(seg, &at, end);
		}
	}
	return err;
}

/**
 * vdfs_scan_segment() - go through the records of a segment
 * @store: The store.
 * @number: Of the segment.
 * @from: Place to begin at; 0 = its beginning.
 * @fn: Called for each record whose head is sound.
 * @arg: Its argument.
 *
 * Context: Nobody writes to the segment.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_scan_segment(struct vdfs_store *store, uint32_t number, uint64_t from,
		      vdfs_scan_fn *fn, void *arg)
{
	struct vdfs_segment *seg = vdfs_segment_get(store, number);
	struct stat st;
	int err;

	if (!seg)
		return errno == ESTALE ? 0 : -errno;
	err = fstat(seg->fd, &st) ? -errno : 0;
	if (!err)
		err = scan(seg, from, st.st_size, fn, arg);
	vdfs_segment_put(store, seg);
	return err;
}

/* Whether it is the name of a file of an object; see vdfs_file_path(). */
static bool read_name(const char *prefix, const char *name,
		      struct vdfs_object *out, bool *beside)
{
	size_t hex = strspn(name, "0123456789abcdef");
	bool common = hex == VDFS_HASH_TEXT - 3;
	char text[VDFS_HASH_TEXT];
	unsigned long uid;
	char *rest = (char *)name + hex;

	if (!common && hex != VDFS_HASH_TEXT - 1)
		return false;
	memcpy(text, prefix, 2);
	memcpy(text + (common ? 2 : 0), name, hex);
	text[VDFS_HASH_TEXT - 1] = '\0';
	memset(out, 0, sizeof(*out));
	out->user = VDFS_COMMON;
	if (vdfs_hash_parse(text, &out->hash))
		return false;
	if (!common) {
		if (rest[0] != '.' || !isdigit((unsigned char)rest[1]))
			return false;
		uid = strtoul(rest + 1, &rest, 10);
		if (uid > UINT32_MAX)
			return false;
		out->user = (int64_t)uid;
	}
	*beside = *rest;
	return !*rest || !strcmp(rest, VDFS_FILE_BESIDE);
}

static int scan_dir(struct vdfs_store *store, const char *prefix,
		    vdfs_scan_file_fn *fn, void *arg)
{
	struct dirent *entry;
	struct vdfs_object object;
	bool beside;
	int fd, err = 0;
	DIR *dir;

	fd = openat(store->object_fd, prefix,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!err && (entry = readdir(dir))) {
		if (read_name(prefix, entry->d_name, &object, &beside))
			err = fn(arg, fd, entry->d_name, &object, beside);
	}
	closedir(dir);
	return err;
}

/**
 * vdfs_scan_files() - go through the files of objects
 * @store: The store.
 * @fn: Called for each.
 * @arg: Its argument.
 *
 * Context: Any thread.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_scan_files(struct vdfs_store *store, vdfs_scan_file_fn *fn, void *arg)
{
	char prefix[3];
	int i, err = 0;

	for (i = 0; !err && i < 256; i++) {
		snprintf(prefix, sizeof(prefix), "%02x", i);
		err = scan_dir(store, prefix, fn, arg);
	}
	return err;
}

/**
 * struct last - the last record of a segment that the database knows
 * @number: Of the segment.
 * @object: Out; its id is 0 when there is none.
 */
struct last {
	uint32_t number;
	struct vdfs_object object;
};

static int find_last(struct sqlite3 *db, void *arg)
{
	struct last *last = arg;
	struct sqlite3_stmt *st;
	int64_t id = 0;
	int err;

	memset(&last->object, 0, sizeof(last->object));
	err = vdfs_sql(db, &st,
		       "SELECT id FROM object WHERE segment = ?\n"
		       "ORDER BY place DESC LIMIT 1",
		       VDFS_INT(last->number));
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0) {
		id = sqlite3_column_int64(st, 0);
		err = vdfs_object_load(db, id, &last->object);
	}
	return err;
}

static int is_whole(void *arg, const struct vdfs_object *object)
{
	int err = vdfs_record_check(arg, object);

	if (err == -EBADMSG || err == -EIO)
		return 0;
	return err ?: 1;
}

static int is_unknown(void *arg, int dir, const char *name,
		      const struct vdfs_object *named, bool beside)
{
	struct vdfs_object object;
	int err;

	(void)dir;
	(void)name;
	if (beside)
		return 0;
	err = vdfs_object_lookup(arg, named->user, &named->hash, &object);
	return err == -ENOENT ? 1 : err;
}

/**
 * vdfs_scan_unknown() - look for what is stored and not known
 * @store: The store.
 *
 * Looks for whole records behind the last one of a segment that the database
 * knows, and for files that it does not know.
 *
 * Context: Before anyone else uses it.
 * Return: Whether there is any, or a negative errno.
 */
int vdfs_scan_unknown(struct vdfs_store *store)
{
	struct last last = { 0 };
	int ret;

	for (;;) {
		last.number = vdfs_packs_next(store, last.number + 1);
		if (!last.number)
			break;
		ret = vdfs_meta_read(store->meta, find_last, &last);
		if (!ret)
			ret = vdfs_scan_segment(store, last.number,
						last.object.place +
							last.object.stored,
						is_whole, store);
		if (ret)
			return ret;
	}
	return vdfs_scan_files(store, is_unknown, store);
}

/**
 * vdfs_scan_fits() - whether the packs are those that the database knows
 * @store: The store.
 *
 * Context: Before anyone else uses it.
 * Return: Whether of each segment the last record that the database knows is
 * there, or a negative errno.
 */
int vdfs_scan_fits(struct vdfs_store *store)
{
	struct last last = { 0 };
	int err;

	for (;;) {
		last.number = vdfs_packs_next(store, last.number + 1);
		if (!last.number)
			return 1;
		err = vdfs_meta_read(store->meta, find_last, &last);
		if (!err && last.object.id)
			err = vdfs_record_check(store, &last.object);
		if (err)
			return err == -EBADMSG ? 0 : err;
	}
}

static int64_t seconds(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) ? 0 : (int64_t)st.st_mtim.tv_sec;
}

/**
 * vdfs_scan_newer() - whether packs were written to after their database
 * @store: The store.
 *
 * Records that the database does not know are no sign of it: a collection of
 * garbage leaves dead ones behind, and a kill those that were not committed,
 * which the database is at most seconds behind.
 *
 * Context: Before anyone else uses it.
 * Return: Whether a segment, or a directory of files, was changed more than a
 * minute after the database and its log.
 */
bool vdfs_scan_newer(struct vdfs_store *store)
{
	int64_t known = seconds(store->fd, "meta.db");
	int64_t log = seconds(store->fd, "meta.db-wal");
	int64_t last = 0, at;
	uint32_t number = 0;
	char name[16];
	int i;

	while ((number = vdfs_packs_next(store, number + 1))) {
		snprintf(name, sizeof(name), "%08u", number);
		at = seconds(store->packs.fd, name);
		last = at > last ? at : last;
	}
	for (i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "%02x", i);
		at = seconds(store->object_fd, name);
		last = at > last ? at : last;
	}
	return last > (log > known ? log : known) + GRACE_S;
}
