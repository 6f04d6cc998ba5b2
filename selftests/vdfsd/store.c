// SPDX-License-Identifier: GPL-2.0-only
/* Stores to test, and bytes to put into them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemons/common/sql/meta.h"
#include "files.h"
#include "store.h"

const struct vdfs_who alice = { .uid = 1001, .gid = 1001 };
const struct vdfs_who bob = { .uid = 1002, .gid = 1002 };
const struct vdfs_who carol = { .uid = 1003, .gid = 1003 };
const struct vdfs_who admin = { .uid = 0, .admin = true };

/**
 * tree_make() - make a store in a new directory
 * @t: The store.
 * @options: How to open it, or NULL.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int tree_make(struct tree *t, const struct vdfs_store_options *options)
{
	t->store = NULL;
	snprintf(t->dir, sizeof(t->dir), "/tmp/vdfs-store-XXXXXX");
	if (!mkdtemp(t->dir))
		return -errno;
	return vdfs_store_open(t->dir, options, &t->store);
}

/**
 * tree_reopen() - close a store and open it again
 * @t: The store.
 * @options: How to open it, or NULL.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int tree_reopen(struct tree *t, const struct vdfs_store_options *options)
{
	vdfs_store_close(t->store);
	t->store = NULL;
	return vdfs_store_open(t->dir, options, &t->store);
}

/**
 * tree_shell() - run a command in the directory of a store
 * @t: The store.
 * @command: For the shell.
 *
 * Context: A test.
 * Return: Its exit status, as system() has it.
 */
int tree_shell(struct tree *t, const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && { %s; }", t->dir, command);
	return system(line);
}

/**
 * tree_remove() - close a store and delete it
 * @t: The store.
 *
 * Context: A test.
 */
void tree_remove(struct tree *t)
{
	vdfs_store_close(t->store);
	t->store = NULL;
	remove_tree(t->dir);
}

/**
 * tree_flip() - damage a file of a store
 * @t: The store.
 * @name: Of the file, below its directory.
 * @at: Of the byte, all of whose bits are turned over.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int tree_flip(const struct tree *t, const char *name, off_t at)
{
	char path[256], byte;
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	chmod(path, 0600);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = pread(fd, &byte, 1, at) == 1 ? 0 : -EIO;
	byte = ~byte;
	if (!err && pwrite(fd, &byte, 1, at) != 1)
		err = -EIO;
	close(fd);
	return err;
}

/**
 * random_bytes() - bytes that do not compress
 * @len: How many.
 * @seed: The same ones for the same seed.
 *
 * Context: Any.
 * Return: To be freed.
 */
uint8_t *random_bytes(size_t len, uint64_t seed)
{
	uint8_t *data = malloc(len + 8);
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
	size_t i;

	for (i = 0; i < len; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, 8);
	}
	return data;
}

/**
 * put_bytes() - put a blob in pieces of odd length
 * @store: The store.
 * @who: For whom.
 * @data: The blob.
 * @len: Its length.
 * @flags: VDFS_PUT_*.
 * @name: Its name, or NULL.
 * @out: Its hash.
 *
 * Context: Any.
 * Return: 0 or a negative errno.
 */
int put_bytes(struct vdfs_store *store, const struct vdfs_who *who,
	      const void *data, size_t len, uint32_t flags, const char *name,
	      struct vdfs_hash *out)
{
	struct vdfs_put *put;
	size_t done, n;
	int err;

	err = vdfs_put_begin(store, who, flags, &put);
	for (done = 0; !err && done < len; done += n) {
		n = len - done < 70001 ? len - done : 70001;
		err = vdfs_put_write(put, (const char *)data + done, n);
		if (err)
			vdfs_put_abort(put);
	}
	return err ?: vdfs_put_commit(put, NULL, name, out);
}

/**
 * put_at() - put a text in one place
 * @store: The store.
 * @who: For whom.
 * @text: The blob.
 * @place: Where.
 * @st: Out: what the name is then.
 *
 * Context: Any.
 * Return: 0 or a negative errno.
 */
int put_at(struct vdfs_store *store, const struct vdfs_who *who,
	   const char *text, const struct vdfs_place *place,
	   struct vdfs_stat *st)
{
	struct vdfs_put *put;
	int err;

	err = vdfs_put_begin(store, who, 0, &put);
	if (err)
		return err;
	err = vdfs_put_write(put, text, strlen(text));
	if (!err)
		return vdfs_put_commit_at(put, place, st);
	vdfs_put_abort(put);
	return err;
}

/**
 * get_same() - read a blob and compare it, whole and from the middle
 * @store: The store.
 * @who: For whom.
 * @hash: Of the blob.
 * @data: What it should be.
 * @len: How long.
 *
 * Context: Any.
 * Return: 0, -EILSEQ when it is something else, or a negative errno.
 */
int get_same(struct vdfs_store *store, const struct vdfs_who *who,
	     const struct vdfs_hash *hash, const void *data, size_t len)
{
	struct vdfs_blob *blob;
	char *buf = malloc(len + 1);
	size_t from = len / 3;
	ssize_t n;
	int err;

	err = vdfs_blob_open(store, who, hash, &blob);
	if (err) {
		free(buf);
		return err;
	}
	n = vdfs_blob_read(blob, buf, len + 1, 0);
	err = n < 0 ? n : 0;
	if (!err && ((size_t)n != len || memcmp(buf, data, len) ||
		     vdfs_blob_size(blob) != len))
		err = -EILSEQ;
	n = err ? 0 : vdfs_blob_read(blob, buf, len - from, from);
	if (!err && ((size_t)n != len - from ||
		     memcmp(buf, (const char *)data + from, n)))
		err = n < 0 ? n : -EILSEQ;
	vdfs_blob_close(blob);
	free(buf);
	return err;
}

static int find_object(struct sqlite3 *db, void *arg)
{
	struct vdfs_object *object = arg;
	struct vdfs_hash hash = object->hash;

	return vdfs_object_find_next(db, &hash, 0, object);
}

int object_of(struct vdfs_store *store, const struct vdfs_hash *hash,
	      struct vdfs_object *out)
{
	out->hash = *hash;
	return vdfs_meta_read(vdfs_store_meta(store), find_object, out);
}

static int run_sql(struct sqlite3 *db, void *arg)
{
	return vdfs_sql_run(db, arg);
}

int tree_change(struct tree *t, const char *sql)
{
	return vdfs_meta_write(vdfs_store_meta(t->store), run_sql, (void *)sql);
}

uint64_t tree_faults(struct tree *t, uint32_t flags)
{
	struct vdfs_fsck_result r;

	if (vdfs_fsck(t->store, flags, NULL, NULL, NULL, &r))
		return UINT64_MAX;
	return r.faults;
}
