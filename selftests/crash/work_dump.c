// SPDX-License-Identifier: GPL-2.0-only
/* What a store holds, as text. */
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "daemons/common/sql/meta.h"
#include "work.h"

/**
 * struct walk - a walk through names
 * @w: Work.
 * @out: Where text goes.
 * @dir: Path of the directory, "" for the root.
 * @depth: Directories above.
 */
struct walk {
	struct work *w;
	FILE *out;
	char dir[VDFS_PATH_MAX + 1];
	int depth;
};

static int dump_attrs(struct walk *walk, const char *path)
{
	char list[1024], value[256];
	ssize_t len, n;
	size_t at;

	len = vdfs_attr_list(walk->w->store, &work_who, path, list,
			     sizeof(list));
	if (len < 0)
		return (int)len;
	for (at = 0; at < (size_t)len; at += strlen(list + at) + 1) {
		n = vdfs_attr_get(walk->w->store, &work_who, path, list + at,
				  value, sizeof(value));
		if (n < 0)
			return (int)n;
		fprintf(walk->out, " %s=%.*s", list + at, (int)n, value);
	}
	return 0;
}

static int dump_name(void *arg, const char *name, const struct vdfs_stat *st)
{
	struct walk *walk = arg, *sub;
	char hash[VDFS_HASH_TEXT], path[VDFS_PATH_MAX + 1];
	int ret;

	if (snprintf(path, sizeof(path), "%s%s%s", walk->dir,
		     *walk->dir ? "/" : "", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	vdfs_hash_print(&st->hash, hash);
	fprintf(walk->out, "name %s %o %u %llu %.16s", path, st->mode,
		st->owner, (unsigned long long)st->size, hash);
	ret = dump_attrs(walk, path);
	fprintf(walk->out, "\n");
	if (ret || !S_ISDIR(st->mode))
		return ret;
	sub = malloc(sizeof(*sub));
	if (!sub || walk->depth > 8)
		abort();
	*sub = *walk;
	sub->depth++;
	memcpy(sub->dir, path, sizeof(path));
	ret = vdfs_name_list(walk->w->store, &work_who, path, NULL, dump_name,
			     sub);
	free(sub);
	return ret;
}

/* Returns how many bytes came, or -errno. */
static ssize_t read_all(struct vdfs_blob *blob, char *data, size_t room)
{
	ssize_t n = 1;
	size_t at = 0;

	while (n > 0 && at < room) {
		n = vdfs_blob_read(blob, data + at, room - at, at);
		at += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? n : (ssize_t)at;
}

static int read_back(struct work *w, const struct vdfs_hash *hash,
		     uint64_t size)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	struct vdfs_blob *blob;
	char *data;
	ssize_t n;
	int ret;

	ret = vdfs_blob_open(w->store, &work_who, hash, &blob);
	if (ret)
		return ret;
	data = malloc(size + 1);
	if (!data)
		abort();
	if (vdfs_blob_size(blob) != size)
		ret = -ERANGE;
	n = read_all(blob, data, size + 1);
	if (n < 0)
		ret = (int)n;
	else if ((uint64_t)n != size)
		ret = -ERANGE;
	SHA256((unsigned char *)data, size, sum);
	if (!ret && memcmp(sum, hash->bytes, sizeof(sum)))
		ret = -EILSEQ;
	free(data);
	vdfs_blob_close(blob);
	return ret;
}

static int dump_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct walk *walk = arg;
	char text[VDFS_HASH_TEXT];
	int ret = read_back(walk->w, hash, size);

	vdfs_hash_print(hash, text);
	fprintf(walk->out, "blob %.16s %llu", text, (unsigned long long)size);
	if (ret)
		fprintf(walk->out, " " WORK_DAMAGED ": %s", strerror(-ret));
	fprintf(walk->out, "\n");
	return ret == -EBADMSG ? 0 : ret;
}

/*
 * Bytes that the user is charged for. Items of a dropped collection are charged
 * for until they are gone, which a full disk may be in the way of: without these.
 */
static int read_used(struct sqlite3 *db, void *arg)
{
	unsigned long long *used = arg;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(
		db, &st,
		"SELECT ifnull((SELECT used FROM quota WHERE uid = ?1), 0)\n"
		"- (SELECT ifnull(sum(64 + octet_length(key)\n"
		"+ octet_length(metadata) + length(vector)), 0)\n"
		"FROM item JOIN collection\n"
		"ON collection.id = item.collection\n"
		"WHERE owner = ?1 AND name IS NULL)",
		VDFS_INT(work_who.uid));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0)
		*used = sqlite3_column_int64(st, 0);
	return ret < 0 ? ret : 0;
}

/**
 * work_dump() - write what a store holds, having read all of it
 * @w: Work.
 * @out: Where to.
 *
 * Return: 0, also when it says that a blob is damaged; or the -errno of what
 * cannot be read.
 */
int work_dump(struct work *w, FILE *out)
{
	struct walk walk = { .w = w, .out = out };
	unsigned long long used = 0;
	int ret;

	ret = vdfs_name_list(w->store, &work_who, "", NULL, dump_name, &walk);
	if (!ret)
		ret = vdfs_blob_list(w->store, &work_who, NULL, dump_blob,
				     &walk);
	if (!ret)
		ret = vdfs_meta_read(vdfs_store_meta(w->store), read_used,
				     &used);
	if (!ret)
		fprintf(out, "used %llu\n", used);
	if (!ret)
		ret = work_dump_items(w, out);
	fflush(out);
	return ret;
}
