// SPDX-License-Identifier: GPL-2.0-only
/* Learning what a bucket says of names, when that is not known or old. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "remote_impl.h"

/**
 * struct text - a description that comes
 * @name: Where it goes.
 * @len: How much has come.
 */
struct text {
	struct vdfs_remote_name *name;
	size_t len;
};

static int text_begins(void *arg)
{
	struct text *t = arg;

	t->len = 0;
	t->name->body[0] = '\0';
	return 0;
}

static int text_comes(void *arg, const void *data, size_t len)
{
	struct text *t = arg;

	if (t->len + len >= sizeof(t->name->body) || memchr(data, 0, len))
		return -EINVAL;
	memcpy(t->name->body + t->len, data, len);
	t->len += len;
	t->name->body[t->len] = '\0';
	return 0;
}

/**
 * vdfs_remote_get_name() - read the description of a name
 * @remote: The remote.
 * @key: Of it.
 * @name: Out, its body and etag.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_remote_get_name(struct vdfs_remote *remote, const char *key,
			 struct vdfs_remote_name *name)
{
	struct text text = { .name = name };
	struct vdfs_s3_sink sink = { .begin = text_begins,
				     .write = text_comes,
				     .arg = &text,
				     .small = true };
	struct vdfs_s3_info info;
	int err;

	err = vdfs_s3_get(remote->s3, key, &sink, &info);
	if (err)
		name->body[0] = '\0';
	stpcpy(name->etag, err ? "" : info.etag);
	return err;
}

static int read_row(struct sqlite3 *db, void *arg)
{
	return vdfs_remote_row(db, arg);
}

static int get_either(struct vdfs_remote *remote, struct vdfs_remote_name *name,
		      bool dir)
{
	char key[VDFS_REMOTE_KEY];
	int err;

	err = vdfs_remote_key(name->path, dir, key);
	if (!err)
		err = vdfs_remote_get_name(remote, key, name);
	if (err != -ENOENT)
		return err;
	err = vdfs_remote_key(name->path, !dir, key);
	return err ?: vdfs_remote_get_name(remote, key, name);
}

/**
 * struct known - a name known to be in a directory before
 * @path: Of the name.
 * @there: The list has it, too.
 */
struct known {
	char *path;
	bool there;
};

/**
 * struct listing - what is in a directory of the bucket
 * @remote: The remote.
 * @known: Names known to be in it before, the last by bytes first.
 * @n: How many.
 * @room: For how many there is room.
 * @err: Error of one of them, or 0.
 */
struct listing {
	struct vdfs_remote *remote;
	struct known *known;
	size_t n;
	size_t room;
	int err;
};

/**
 * struct children - a question for names known in a directory
 * @path: The directory, with a slash, or "".
 * @deep: With what is in directories in it, the deepest first.
 * @list: The answer.
 */
struct children {
	const char *path;
	bool deep;
	struct listing *list;
};

static int add_known(struct listing *list, const void *path, size_t len)
{
	size_t room = list->room ? 2 * list->room : 16;
	struct known *more;

	if (list->n == list->room) {
		more = realloc(list->known, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->known = more;
		list->room = room;
	}
	list->known[list->n].there = false;
	list->known[list->n].path = strndup(path, len);
	return list->known[list->n].path ? (list->n++, 0) : -ENOMEM;
}

static void forget(struct listing *list)
{
	while (list->n)
		free(list->known[--list->n].path);
}

static int find_children(struct sqlite3 *db, void *arg)
{
	struct children *c = arg;
	struct sqlite3_stmt *st;
	size_t len = strlen(c->path);
	int err;

	forget(c->list);
	err = vdfs_sql(db, &st,
		       "SELECT path FROM remote_name\n"
		       "WHERE substr(path, 1, ?2) = ?1\n"
		       "AND (?3 OR instr(substr(path, ?2 + 1), x'2f') = 0)\n"
		       "ORDER BY path DESC",
		       VDFS_BLOB(c->path, len), VDFS_INT(len),
		       VDFS_INT(c->deep));
	while (!err && (err = vdfs_sql_next(st)) > 0)
		err = add_known(c->list, sqlite3_column_blob(st, 0),
				sqlite3_column_bytes(st, 0));
	return err;
}

static int ask(struct vdfs_remote *remote, const char *path, bool dir,
	       bool below);

/* A directory is gone: what was in it has gone too, or moved. */
static int ask_known(struct vdfs_remote *remote, const char *path)
{
	struct listing list = { .remote = remote };
	char below[VDFS_PATH_MAX + 2];
	struct children c = { .path = below, .deep = true, .list = &list };
	size_t i;
	int err;

	stpcpy(below, path);
	strcat(below, "/");
	err = vdfs_meta_read(vdfs_store_meta(remote->store), find_children, &c);
	for (i = 0; !err && i < list.n; i++)
		err = ask(remote, list.known[i].path, false, false);
	forget(&list);
	free(list.known);
	return err;
}

/*
 * Get the bucket's word on a path, and whether that is new. @below: of a
 * directory that is gone ask for all that was in it, each once.
 */
static int compare(struct vdfs_remote *remote, struct vdfs_remote_name *name,
		   bool dir, bool below, bool *differs)
{
	struct vdfs_remote_name row = { 0 };
	int known, err;

	stpcpy(row.path, name->path);
	known = vdfs_meta_read(vdfs_store_meta(remote->store), read_row, &row);
	if (known && known != -ENOENT)
		return known;
	err = get_either(remote, name, dir);
	if (err == -ENAMETOOLONG)
		/* Too long for a bucket: it can only be here. */
		return 0;
	if (err && err != -ENOENT)
		return err;
	*differs = err ? !known : known || strcmp(row.body, name->body);
	if (err && *differs && below && strstr(row.body, "\"directory\""))
		return ask_known(remote, name->path);
	return 0;
}

/*
 * Ask for one path; @dir says what to ask for first, @below is for compare().
 * Return: 0; 1 when it was not asked, for while it is being changed here, it is
 * known; or a negative errno.
 */
static int ask_once(struct vdfs_remote *remote, const char *path, bool dir,
		    bool below)
{
	struct vdfs_remote_name name = { 0 };
	struct vdfs_remote_asked asked = { .path = path };
	bool differs = false;
	int err, ret;

	if (!vdfs_remote_ask(remote, &asked))
		return 1;
	stpcpy(name.path, path);
	err = compare(remote, &name, dir, below, &differs);
	ret = vdfs_remote_take(remote, &asked, !err && differs ? &name : NULL);
	return err ?: ret;
}

static int ask(struct vdfs_remote *remote, const char *path, bool dir,
	       bool below)
{
	int ret = ask_once(remote, path, dir, below);

	return ret > 0 ? 0 : ret;
}

static int last_first(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return strcmp(y->path, x->path);
}

/* Its directory says it is there: only what is new is asked for. */
static int take_key(void *arg, const char *key, const struct vdfs_s3_info *info)
{
	struct listing *list = arg;
	struct vdfs_remote_name row = { 0 };
	struct known *known, what = { .path = row.path };
	bool dir;
	int err;

	if (vdfs_remote_path(key, row.path, &dir))
		return 0;
	known = list->n ? bsearch(&what, list->known, list->n, sizeof(what),
				  last_first) :
			  NULL;
	if (known)
		known->there = true;
	err = vdfs_meta_read(vdfs_store_meta(list->remote->store), read_row,
			     &row);
	if (!err && *info->etag && !strcmp(info->etag, row.etag))
		return 0;
	if (!err || err == -ENOENT)
		err = ask(list->remote, row.path, dir, true);
	/* One that cannot be taken over does not hide the others. */
	if (err)
		list->err = err;
	return 0;
}

static int ask_list(struct vdfs_remote *remote, const char *path)
{
	struct listing list = { .remote = remote };
	char below[VDFS_PATH_MAX + 2] = "", key[VDFS_REMOTE_KEY];
	struct children c = { .path = below, .list = &list };
	size_t i;
	int err;

	if (*path) {
		stpcpy(below, path);
		strcat(below, "/");
	}
	err = vdfs_remote_key(below, false, key);
	if (err == -ENAMETOOLONG)
		return 0;
	err = vdfs_meta_read(vdfs_store_meta(remote->store), find_children, &c);
	if (!err)
		err = vdfs_s3_list(remote->s3, key, true, take_key, &list);
	for (i = 0; !err && i < list.n; i++) {
		if (!list.known[i].there)
			err = ask(remote, list.known[i].path, false, true);
	}
	forget(&list);
	free(list.known);
	return err ?: list.err;
}

/* All that is below a directory, which is about to go or to move. */
static int ask_below(struct vdfs_remote *remote, const char *path)
{
	struct listing list = { .remote = remote };
	char below[VDFS_PATH_MAX + 2], key[VDFS_REMOTE_KEY];
	int err;

	stpcpy(below, path);
	strcat(below, "/");
	err = vdfs_remote_key(below, false, key);
	if (!err)
		err = vdfs_s3_list(remote->s3, key, false, take_key, &list);
	return err ?: list.err;
}

/**
 * struct kind - a question for what a path is here
 * @path: The path.
 * @dir: Out, a directory.
 */
struct kind {
	const char *path;
	bool dir;
};

static int find_kind(struct sqlite3 *db, void *arg)
{
	struct kind *kind = arg;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, &vdfs_remote_admin, kind->path, &node);
	kind->dir = !err && S_ISDIR(node.mode);
	return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}

/**
 * vdfs_remote_look_below() - learn all that is in a directory, if it is one
 * @remote: The remote.
 * @path: Its path.
 *
 * Context: Any thread, outside of transactions. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_look_below(struct vdfs_remote *remote, const char *path)
{
	struct kind kind = { .path = path };
	int err;

	err = vdfs_meta_read(vdfs_store_meta(remote->store), find_kind, &kind);
	return err || !kind.dir || !*path ? err : ask_below(remote, path);
}

/* FNV-1a. */
static uint64_t key_of(const char *path, size_t len, bool list)
{
	uint64_t key = 0xcbf29ce484222325ULL ^ list;

	while (len--)
		key = (key ^ (unsigned char)*path++) * 0x100000001b3ULL;
	return key | 1;
}

/*
 * Return: whether the caller need not ask the bucket. @why is then 0 when the row
 * is fresh, or the errno of a bucket that is down. After a while the next caller
 * gets false and probes a bucket that is down; others get its errno meanwhile.
 */
static bool known(struct vdfs_remote *remote, uint64_t key, int *why)
{
	int64_t now = vdfs_remote_now();
	struct vdfs_remote_seen *seen = &remote->seen[key % VDFS_REMOTE_SLOTS];
	bool yes;

	pthread_mutex_lock(&remote->lock);
	*why = 0;
	yes = seen->key == key && now < seen->until;
	if (!yes && remote->down_err && now < remote->down) {
		*why = remote->down_err;
		yes = true;
	} else if (!yes && remote->down_err) {
		/* Until note(). */
		remote->down = INT64_MAX;
	}
	pthread_mutex_unlock(&remote->lock);
	return yes;
}

static void note(struct vdfs_remote *remote, uint64_t key, int err)
{
	int64_t until = vdfs_remote_now() + remote->options.fresh_ms;
	struct vdfs_remote_seen *seen = &remote->seen[key % VDFS_REMOTE_SLOTS];

	pthread_mutex_lock(&remote->lock);
	if (err == -EHOSTUNREACH || err == -ETIMEDOUT || err == -EREMOTEIO ||
	    err == -EPROTO || err == -EACCES || err == -ESHUTDOWN) {
		remote->down = until;
		remote->down_err = err;
	} else {
		remote->down_err = 0;
		seen->key = key;
		seen->until = until;
	}
	pthread_mutex_unlock(&remote->lock);
}

/* Another caller finds out whether the bucket answers again. */
static void unasked(struct vdfs_remote *remote)
{
	pthread_mutex_lock(&remote->lock);
	if (remote->down_err)
		remote->down = vdfs_remote_now();
	pthread_mutex_unlock(&remote->lock);
}

/**
 * vdfs_remote_doubt() - ask for a path again, however fresh the answer is
 * @remote: The remote.
 * @path: The path.
 *
 * Context: Any thread.
 */
void vdfs_remote_doubt(struct vdfs_remote *remote, const char *path)
{
	uint64_t key = key_of(path, strlen(path), false);
	struct vdfs_remote_seen *seen = &remote->seen[key % VDFS_REMOTE_SLOTS];

	pthread_mutex_lock(&remote->lock);
	if (seen->key == key)
		seen->until = 0;
	pthread_mutex_unlock(&remote->lock);
}

static int look_once(struct vdfs_remote *remote, const char *path, size_t len,
		     bool dir, bool list)
{
	uint64_t key = key_of(path, len, list);
	char part[VDFS_PATH_MAX + 1];
	int err;

	if (known(remote, key, &err))
		return err;
	memcpy(part, path, len);
	part[len] = '\0';
	err = list ? ask_list(remote, part) : ask_once(remote, part, dir, true);
	if (err > 0)
		unasked(remote);
	else
		note(remote, key, err);
	return err > 0 ? 0 : err;
}

/**
 * vdfs_remote_look() - learn what a path stands for
 * @store: The store.
 * @path: One that vdfs_name_check() passed.
 * @list: And what is in it.
 *
 * Context: Any thread, outside of transactions. Waits for the network.
 * Return: 0, or a negative errno when nobody says.
 */
int vdfs_remote_look(struct vdfs_store *store, const char *path, bool list)
{
	struct vdfs_remote *remote = vdfs_store_remote(store);
	size_t len, all = strlen(path);
	int err = 0;

	for (len = strcspn(path, "/"); !err && all && len <= all;
	     len += 1 + strcspn(path + len + 1, "/")) {
		err = look_once(remote, path, len, len < all || list, false);
		if (len == all)
			break;
	}
	if (!err && list)
		err = look_once(remote, path, all, true, true);
	return err;
}
