// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of names. A change is tried and undone, which tells whether it may
 * be made and what comes of it; then the bucket is told; then it is made. A
 * crash in between leaves the bucket ahead, and that is what is believed.
 *
 * The trial tells which names it needs. It has them for itself from then on, see
 * busy.c, and is tried again where others changed names meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "remote_impl.h"

/**
 * struct entry - a name that changes
 * @name: The name afterwards; no body = it goes.
 * @old: The name as the bucket has it.
 * @told: The bucket was told.
 */
struct entry {
	struct vdfs_remote_name name;
	struct vdfs_remote_name old;
	bool told;
};

/**
 * struct change - a change and what comes of it
 * @remote: The remote.
 * @change: As it was asked for.
 * @n: How many names change.
 * @room: For how many there is room.
 * @entry: These.
 * @paths: Paths to look at, one behind the other.
 * @paths_len: How long these are.
 * @busy: Names that it has for itself.
 * @busy_paths: Room for these.
 */
struct change {
	struct vdfs_remote *remote;
	const struct vdfs_name_change *change;
	unsigned int n;
	unsigned int room;
	struct entry *entry;
	char *paths;
	size_t paths_len;
	struct vdfs_remote_busy busy;
	char *busy_paths;
};

/* So often the names that it needs may become others before it has them. */
#define TRIES 100

static int add_path(struct change *c, const void *path, size_t len)
{
	char *more;

	if (len > VDFS_PATH_MAX)
		return -ENAMETOOLONG;
	more = realloc(c->paths, c->paths_len + len + 1);
	if (!more)
		return -ENOMEM;
	c->paths = more;
	memcpy(more + c->paths_len, path, len);
	more[c->paths_len + len] = '\0';
	c->paths_len += len + 1;
	return 0;
}

static int add_with_parents(struct change *c, const char *path)
{
	size_t len, all = strlen(path);
	int err = 0;

	for (len = strcspn(path, "/"); !err && len <= all;
	     len += 1 + strcspn(path + len + 1, "/")) {
		err = add_path(c, path, len);
		if (len == all)
			break;
	}
	return err;
}

/* Names in a directory that moved, where it was and where it is. */
static int add_moved(struct sqlite3 *db, struct change *c)
{
	const struct vdfs_name_change *change = c->change;
	struct vdfs_name_node node;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_node_walk(db, &vdfs_remote_admin, change->to, &node);
	if (err || !S_ISDIR(node.mode))
		return err;
	err = vdfs_sql(db, &st,
		       "SELECT path FROM remote_name WHERE\n"
		       "substr(path, 1, ?2 + 1) = CAST(?1 || '/' AS BLOB)",
		       VDFS_BLOB(change->path, strlen(change->path)),
		       VDFS_INT(strlen(change->path)));
	while (!err && (err = vdfs_sql_next(st)) > 0)
		err = add_path(c, sqlite3_column_blob(st, 0),
			       sqlite3_column_bytes(st, 0));
	if (!err)
		err = vdfs_sql(
			db, &st,
			"WITH RECURSIVE t(ino, path) AS (SELECT ?1, ?2\n"
			"UNION ALL SELECT n.ino, t.path || '/' || n.name\n"
			"FROM node n JOIN t ON n.parent = t.ino)\n"
			"SELECT path FROM t",
			VDFS_INT(node.ino),
			VDFS_BLOB(change->to, strlen(change->to)));
	while (!err && (err = vdfs_sql_next(st)) > 0)
		err = add_path(c, sqlite3_column_blob(st, 0),
			       sqlite3_column_bytes(st, 0));
	return err;
}

static int grow(struct change *c)
{
	unsigned int room = c->room ? 2 * c->room : 8;
	struct entry *more;

	if (c->n < c->room)
		return 0;
	more = realloc(c->entry, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->entry = more;
	c->room = room;
	return 0;
}

static int fill_stat(struct sqlite3 *db, const struct vdfs_name_node *node,
		     struct vdfs_stat *st)
{
	struct vdfs_object object = { 0 };
	int err = 0;

	if (node->object)
		err = vdfs_object_load(db, node->object, &object);
	st->hash = object.hash;
	st->size = object.size;
	st->mtime_ns = node->mtime;
	st->owner = node->owner;
	st->gid = node->gid;
	st->mode = node->mode;
	return err;
}

/* Compare what a path is now with what the bucket has. */
static int add_entry(struct sqlite3 *db, struct change *c, const char *path)
{
	struct entry *e;
	struct vdfs_name_node node;
	int err;

	err = grow(c);
	if (err)
		return err;
	e = &c->entry[c->n];
	memset(e, 0, sizeof(*e));
	stpcpy(e->name.path, path);
	stpcpy(e->old.path, path);
	err = vdfs_remote_row(db, &e->old);
	if (err && err != -ENOENT)
		return err;
	err = vdfs_node_walk(db, &vdfs_remote_admin, path, &node);
	if (!err)
		err = fill_stat(db, &node, &e->name.st);
	if (!err)
		err = vdfs_remote_body(&e->name);
	if (err && err != -ENOENT && err != -ENOTDIR)
		return err;
	c->n += strcmp(e->name.body, e->old.body) != 0;
	return 0;
}

/* Those that come before those that go, directories before what is in them. */
static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (!*x->name.body != !*y->name.body)
		return *x->name.body ? -1 : 1;
	return strcmp(x->name.path, y->name.path);
}

static int try_change(struct sqlite3 *db, void *arg)
{
	struct change *c = arg;
	const char *path;
	int err;

	c->n = 0;
	c->paths_len = 0;
	err = c->change->fn(db, c->change->arg);
	if (!err)
		err = add_with_parents(c, c->change->path);
	if (!err && c->change->to)
		err = add_with_parents(c, c->change->to);
	if (!err && c->change->to)
		err = add_moved(db, c);
	for (path = c->paths; !err && path < c->paths + c->paths_len;
	     path += strlen(path) + 1)
		err = add_entry(db, c, path);
	/* All that was learned stays; what was done is undone. */
	return err ?: -ECANCELED;
}

static int set_row(struct sqlite3 *db, const struct entry *e)
{
	struct vdfs_name_node node;
	int err;

	if (!*e->name.body)
		return vdfs_remote_row_drop(db, e->name.path);
	err = vdfs_node_walk(db, &vdfs_remote_admin, e->name.path, &node);
	if (!err && !S_ISDIR(node.mode) && node.mtime != e->name.st.mtime_ns)
		/* As the bucket was told. */
		err = vdfs_node_touch(db, node.ino, e->name.st.mtime_ns);
	return err ?: vdfs_remote_row_set(db, &e->name, node.ino);
}

static int make_change(struct sqlite3 *db, void *arg)
{
	struct change *c = arg;
	unsigned int i;
	int err;

	err = c->change->fn(db, c->change->arg);
	for (i = 0; !err && i < c->n; i++)
		err = set_row(db, &c->entry[i]);
	return err;
}

static int read_body(void *arg, void *buf, size_t len, uint64_t offset)
{
	const struct vdfs_remote_name *name = arg;

	memcpy(buf, name->body + offset, len);
	return 0;
}

static bool is_dir(const struct vdfs_remote_name *name)
{
	return strstr(name->body, "\"directory\"");
}

/* Let the bucket say @to of a path of which it says @from. */
static int tell(struct vdfs_remote *remote, struct vdfs_remote_name *from,
		struct vdfs_remote_name *to)
{
	struct vdfs_s3_source source = { .read = read_body,
					 .arg = to,
					 .size = strlen(to->body) };
	char key[VDFS_REMOTE_KEY];
	struct vdfs_s3_info info;
	int err = 0;

	if (*to->body) {
		err = vdfs_remote_key(to->path, is_dir(to), key);
		if (!err)
			err = vdfs_s3_put(remote->s3, key, &source, &info);
		if (!err)
			stpcpy(to->etag, info.etag);
	}
	if (!err && *from->body && (!*to->body || is_dir(from) != is_dir(to))) {
		err = vdfs_remote_key(from->path, is_dir(from), key);
		if (!err)
			err = vdfs_s3_delete(remote->s3, key);
	}
	return err;
}

static int tell_all(struct change *c)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < c->n; i++) {
		struct entry *e = &c->entry[i];

		if (*e->name.body && !is_dir(&e->name))
			err = vdfs_remote_upload(c->remote, &e->name.st.hash);
		/*
		 * A bucket that does not answer may still have received the
		 * change.
		 */
		e->told = !err;
		if (!err)
			err = tell(c->remote, &e->old, &e->name);
	}
	return err;
}

static void untell(struct change *c)
{
	unsigned int i;

	for (i = c->n; i--;) {
		struct entry *e = &c->entry[i];

		if (e->told && tell(c->remote, &e->name, &e->old))
			vdfs_remote_say(
				c->remote,
				"%s: the bucket may have heard of a change that failed",
				e->name.path);
	}
}

static int add_busy(struct change *c, const char *path)
{
	size_t len = strlen(path) + 1;
	char *more;

	if (vdfs_remote_covers(c->busy_paths, c->busy.len, path))
		return 0;
	more = realloc(c->busy_paths, c->busy.len + len);
	if (!more)
		return -ENOMEM;
	memcpy(more + c->busy.len, path, len);
	c->busy_paths = more;
	c->busy.len += len;
	return 0;
}

/* Its names, and directories on the way that are new. */
static int find_busy(struct change *c)
{
	unsigned int i;
	int err;

	c->busy.len = 0;
	err = add_busy(c, c->change->path);
	if (!err && c->change->to)
		err = add_busy(c, c->change->to);
	for (i = 0; !err && i < c->n; i++)
		err = add_busy(c, c->entry[i].name.path);
	c->busy.paths = c->busy_paths;
	return err;
}

static bool has_all(const struct change *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (!vdfs_remote_covers(c->busy.paths, c->busy.len,
					c->entry[i].name.path))
			return false;
	}
	return true;
}

/* Have its names, and what comes of it; -ECANCELED when that is so. */
static int begin(struct change *c)
{
	struct vdfs_store *store = c->remote->store;
	uint64_t turn;
	int i, err;

	for (i = 0; i < TRIES; i++) {
		turn = vdfs_remote_turn(c->remote);
		err = vdfs_store_write(store, try_change, c);
		if (err == -ECANCELED)
			err = find_busy(c);
		if (err)
			return err;
		if (vdfs_remote_begin(c->remote, &c->busy) == turn)
			return -ECANCELED;
		err = vdfs_store_write(store, try_change, c);
		if (err == -ECANCELED && has_all(c))
			return err;
		vdfs_remote_end(c->remote, &c->busy);
		if (err != -ECANCELED)
			return err;
	}
	return -EBUSY;
}

static int run(struct change *c)
{
	struct vdfs_store *store = c->remote->store;
	int err;

	err = begin(c);
	if (err != -ECANCELED)
		return err;
	qsort(c->entry, c->n, sizeof(*c->entry), compare);
	err = tell_all(c);
	if (!err)
		err = vdfs_store_write(store, make_change, c);
	if (err)
		untell(c);
	vdfs_remote_end(c->remote, &c->busy);
	return err;
}

/**
 * vdfs_remote_change() - change names, in the bucket and here
 * @store: The store.
 * @change: The change.
 *
 * Context: Any thread. Waits for disk and network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_change(struct vdfs_store *store,
		       const struct vdfs_name_change *change)
{
	struct change c = { .remote = vdfs_store_remote(store),
			    .change = change };
	int err;

	err = vdfs_remote_look(store, change->path, false);
	if (!err && change->to)
		err = vdfs_remote_look(store, change->to, false);
	if (err)
		return err;
	if (change->leaves)
		err = vdfs_remote_look_below(c.remote, change->path);
	if (!err)
		err = run(&c);
	free(c.entry);
	free(c.paths);
	free(c.busy_paths);
	return err;
}
