// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blobs that no name in a bucket stands for. Names are listed first. A blob
 * that gets its name later was written, or written again, less than half of
 * the grace period before that; those that old blobs had, they have still.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "remote_impl.h"

/**
 * struct collect - a collection of garbage in a bucket
 * @remote: The remote.
 * @now: The server's time when the names were listed.
 * @n: How many hashes there are.
 * @room: For how many there is room.
 * @hash: Of blobs that have names; sorted once the names are listed.
 * @result: Out.
 */
struct collect {
	struct vdfs_remote *remote;
	int64_t now;
	size_t n;
	size_t room;
	struct vdfs_hash *hash;
	struct vdfs_remote_gc_result result;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct vdfs_hash));
}

static void sort(struct collect *c)
{
	if (c->n)
		qsort(c->hash, c->n, sizeof(*c->hash), compare);
}

static int add_hash(struct collect *c, const struct vdfs_hash *hash)
{
	size_t room = c->room ? 2 * c->room : 1024;
	struct vdfs_hash *more;

	if (c->n == c->room) {
		more = realloc(c->hash, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->hash = more;
		c->room = room;
	}
	c->hash[c->n++] = *hash;
	return 0;
}

static int read_row(struct sqlite3 *db, void *arg)
{
	return vdfs_remote_row(db, arg);
}

/* A name that is not understood ends it: it may stand for anything. */
static int take_name(void *arg, const char *key,
		     const struct vdfs_s3_info *info)
{
	struct vdfs_remote_name name = { 0 };
	struct collect *c = arg;
	bool dir;
	int err;

	err = vdfs_remote_path(key, name.path, &dir);
	if (!err && dir)
		return 0;
	if (!err)
		err = vdfs_meta_read(vdfs_store_meta(c->remote->store),
				     read_row, &name);
	if (err == -ENOENT ||
	    (!err && (!*info->etag || strcmp(info->etag, name.etag))))
		err = vdfs_remote_get_name(c->remote, key, &name);
	/* It went meanwhile. */
	if (err == -ENOENT)
		return 0;
	if (!err)
		err = vdfs_remote_parse(&name);
	if (!err && S_ISDIR(name.st.mode))
		err = -EINVAL;
	if (err == -EINVAL)
		vdfs_remote_say(
			c->remote,
			"%s is no name; nothing is deleted before it is", key);
	c->result.names += !err;
	return err ?: add_hash(c, &name.st.hash);
}

/* The hash that is in the key of a blob or of a piece; @first: of the first. */
static int parse_key(const char *key, struct vdfs_hash *hash, bool *first)
{
	char text[VDFS_HASH_TEXT];
	const char *rest;
	int err;

	snprintf(text, sizeof(text), "%s", key + strlen("blob/"));
	err = vdfs_hash_parse(text, hash);
	if (err)
		return err;
	rest = key + strlen("blob/") + strlen(text);
	*first = !*rest || !strcmp(rest, ".1");
	if (*rest && (*rest != '.' || !rest[1] ||
		      rest[1 + strspn(rest + 1, "0123456789")]))
		return -EINVAL;
	return 0;
}

/**
 * struct unlisted - names known here, whose blobs no name in the list has
 * @c: The collection, whose hashes are sorted.
 * @paths: Out, these, one behind the other.
 * @len: How long they are.
 */
struct unlisted {
	struct collect *c;
	char *paths;
	size_t len;
};

static bool is_named(const struct collect *c, const struct vdfs_hash *hash)
{
	return c->n && bsearch(hash, c->hash, c->n, sizeof(*hash), compare);
}

static int add_unlisted(struct unlisted *u, struct sqlite3_stmt *st)
{
	size_t len = sqlite3_column_bytes(st, 0);
	struct vdfs_remote_name name = { 0 };
	char *more;

	snprintf(name.body, sizeof(name.body), "%s",
		 (const char *)sqlite3_column_text(st, 1));
	if (vdfs_remote_parse(&name) || S_ISDIR(name.st.mode) ||
	    is_named(u->c, &name.st.hash))
		return 0;
	more = realloc(u->paths, u->len + len + 1);
	if (!more)
		return -ENOMEM;
	u->paths = more;
	memcpy(more + u->len, sqlite3_column_blob(st, 0), len);
	more[u->len + len] = '\0';
	u->len += len + 1;
	return 0;
}

static int find_unlisted(struct sqlite3 *db, void *arg)
{
	struct unlisted *u = arg;
	struct sqlite3_stmt *st;
	int err;

	u->len = 0;
	err = vdfs_sql(db, &st, "SELECT path, body FROM remote_name");
	while (!err && (err = vdfs_sql_next(st)) > 0)
		err = add_unlisted(u, st);
	return err;
}

/* A list that leaves names out is no proof that these are gone. */
static int ask_unlisted(struct collect *c)
{
	struct vdfs_remote_name name = { 0 };
	struct unlisted u = { .c = c };
	char key[VDFS_REMOTE_KEY];
	const char *path;
	int err;

	err = vdfs_meta_read(vdfs_store_meta(c->remote->store), find_unlisted,
			     &u);
	for (path = u.paths; !err && path < u.paths + u.len;
	     path += strlen(path) + 1) {
		err = vdfs_remote_key(path, false, key);
		if (!err)
			err = vdfs_remote_get_name(c->remote, key, &name);
		if (!err)
			err = vdfs_remote_parse(&name);
		if (!err)
			err = add_hash(c, &name.st.hash);
		if (err == -ENOENT)
			err = 0;
	}
	free(u.paths);
	return err;
}

static int drop_row(struct sqlite3 *db, void *arg)
{
	return vdfs_sql_run(db, "DELETE FROM remote_blob WHERE hash = ?",
			    VDFS_BLOB(arg, sizeof(struct vdfs_hash)));
}

static int take_blob(void *arg, const char *key,
		     const struct vdfs_s3_info *info)
{
	struct collect *c = arg;
	struct vdfs_hash hash;
	bool first;
	int err;

	if (parse_key(key, &hash, &first))
		return 0;
	c->result.blobs += first;
	if (is_named(c, &hash))
		return 0;
	if (!info->modified ||
	    c->now - info->modified < c->remote->options.grace_s) {
		c->result.young += first;
		return 0;
	}
	/* From here on it is not relied on. */
	err = vdfs_meta_write(vdfs_store_meta(c->remote->store), drop_row,
			      &hash);
	if (!err)
		err = vdfs_s3_delete(c->remote->s3, key);
	c->result.deleted += !err && first;
	c->result.bytes += err ? 0 : info->size;
	return err;
}

static int take_time(void *arg, const char *key,
		     const struct vdfs_s3_info *info)
{
	struct collect *c = arg;

	(void)key;
	c->now = info->now;
	return 1;
}

/**
 * vdfs_remote_gc() - delete blobs without a name from a bucket
 * @store: The store.
 * @out: Counts of blobs and bytes; NULL = nobody asks.
 *
 * Others may put and name blobs meanwhile, if none of them takes longer for
 * one than half of the grace period, and all have the same one.
 *
 * Context: 0, -EOPNOTSUPP when the store has no remote, or another negative
 * errno. The blobs that went by then stay gone.
 */
int vdfs_remote_gc(struct vdfs_store *store, struct vdfs_remote_gc_result *out)
{
	struct collect c = { .remote = vdfs_store_remote(store) };
	int err;

	if (!vdfs_store_away(store))
		return -EOPNOTSUPP;
	err = vdfs_s3_list(c.remote->s3, "blob/", false, take_time, &c);
	if (err > 0)
		err = vdfs_s3_list(c.remote->s3, "name/", false, take_name, &c);
	if (!err)
		sort(&c);
	if (!err)
		err = ask_unlisted(&c);
	if (!err)
		sort(&c);
	if (!err)
		err = vdfs_s3_list(c.remote->s3, "blob/", false, take_blob, &c);
	free(c.hash);
	if (out)
		*out = c.result;
	return err;
}
