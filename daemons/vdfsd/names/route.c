// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where names are looked up and changed: here, or at the remote that the store
 * is a cache of. Nothing else in this room asks whether there is one.
 */
#include <errno.h>
#include <string.h>

#include "node.h"
#include "store/away.h"
#include "store/put.h"

#define TRIES 100 /* while it is moved here and there */

static const struct vdfs_name_ops *remote(const struct vdfs_store *store)
{
	const struct vdfs_away_ops *away = vdfs_store_away(store);

	return away ? away->names : NULL;
}

/**
 * struct whole - paths from the root, which is where a remote begins
 * @asked: The change, with paths that may begin elsewhere.
 * @path: Its path.
 * @to: Where it goes.
 */
struct whole {
	const struct vdfs_name_change *asked;
	char path[VDFS_PATH_MAX + 1];
	char to[VDFS_PATH_MAX + 1];
};

static int find_whole(struct sqlite3 *db, void *arg)
{
	struct whole *w = arg;
	int err = vdfs_node_path(db, (int64_t)w->asked->at, w->asked->path,
				 w->path);

	if (!err && w->asked->to)
		err = vdfs_node_path(db, (int64_t)w->asked->to_at, w->asked->to,
				     w->to);
	return err;
}

/* Make the change where the remote was told that it is made. */
static int change_whole(struct sqlite3 *db, void *arg)
{
	const struct whole *told = arg;
	struct whole now = { .asked = told->asked };
	int err = find_whole(db, &now);

	if (!err && (strcmp(now.path, told->path) || strcmp(now.to, told->to)))
		err = -EAGAIN;
	return err ?: told->asked->fn(db, told->asked->arg);
}

static int run_remote(struct vdfs_store *store, const struct vdfs_name_ops *ops,
		      const struct vdfs_name_change *asked)
{
	struct vdfs_name_change change = *asked;
	struct whole w = { .asked = asked };
	int i, err = -EAGAIN;

	if (!asked->at && !asked->to_at)
		return ops->change(store, asked);
	change.fn = change_whole;
	change.arg = &w;
	change.path = w.path;
	change.to = asked->to ? w.to : NULL;
	for (i = 0; err == -EAGAIN && i < TRIES; i++) {
		err = vdfs_meta_read(vdfs_store_meta(store), find_whole, &w);
		if (!err)
			err = ops->change(store, &change);
	}
	return err;
}

/**
 * vdfs_name_look() - learn what a remote says of a path, if there is one
 * @store: The store.
 * @who: The user.
 * @path: One that vdfs_name_check() passed.
 * @list: And what is in it.
 *
 * Context: Any thread. May wait for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_name_look(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, bool list)
{
	const struct vdfs_name_ops *ops = remote(store);
	struct vdfs_name_change asked = { .at = who->at, .path = path };
	struct whole w = { .asked = &asked };
	int err = 0;

	if (!ops)
		return 0;
	if (!who->at)
		return ops->look(store, path, list);
	err = vdfs_meta_read(vdfs_store_meta(store), find_whole, &w);
	return err ?: ops->look(store, w.path, list);
}

/**
 * vdfs_name_run() - make a change of names
 * @store: The store.
 * @change: The change.
 *
 * Context: Any thread. Waits for the disk, and for the network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_name_run(struct vdfs_store *store,
		  const struct vdfs_name_change *change)
{
	const struct vdfs_name_ops *ops = remote(store);
	int err = vdfs_name_check(change->path);

	if (!err && change->to)
		err = vdfs_name_check(change->to);
	if (!err)
		err = vdfs_store_writable(store);
	if (err)
		return err;
	if (ops)
		return run_remote(store, ops, change);
	if (change->leaves && !change->to)
		return vdfs_store_write(store, change->fn, change->arg);
	return vdfs_meta_write(vdfs_store_meta(store), change->fn, change->arg);
}

static int set_name(struct sqlite3 *db, struct vdfs_store *store,
		    const struct vdfs_who *who,
		    const struct vdfs_object *object, void *arg)
{
	return vdfs_name_set(db, store, who, arg, object);
}

/**
 * vdfs_put_commit() - store the blob, durably, and name it
 * @put: The put, which ends, whatever happens.
 * @expect: The hash it must have; NULL = any.
 * @name: Name to point at it; NULL = the user keeps it without one.
 * @out: Its hash; NULL when nobody asks.
 *
 * Context: The put's thread. Waits for the disk, and with a name for the
 * network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_put_commit(struct vdfs_put *put, const struct vdfs_hash *expect,
		    const char *name, struct vdfs_hash *out)
{
	struct vdfs_store *store = vdfs_put_store(put);
	const struct vdfs_name_ops *ops = remote(store);
	int err;

	if (!name)
		return vdfs_put_commit_fn(put, expect, NULL, NULL, out);
	if (ops)
		return ops->commit(store, put, expect, name, out);
	err = vdfs_put_error(put) ?: vdfs_name_check(name);
	if (err) {
		vdfs_put_abort(put);
		return err;
	}
	return vdfs_put_commit_fn(put, expect, set_name, (void *)name, out);
}

/**
 * struct placing - what a put is to become the content of
 * @place: The name.
 * @st: Out, what the name is then.
 */
struct placing {
	const struct vdfs_place *place;
	struct vdfs_stat st;
};

static int place_name(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_who *who,
		      const struct vdfs_object *object, void *arg)
{
	struct placing *p = arg;

	return vdfs_name_place(db, store, who, p->place, object, &p->st);
}

/**
 * vdfs_put_commit_at() - store the blob as what one name stands for
 * @put: The put, which ends, whatever happens.
 * @place: Which name.
 * @out: The attributes of the name afterwards.
 *
 * Context: The put's thread. Waits for the disk, and for the network.
 * Return: 0 or a negative errno; then nothing has changed.
 */
int vdfs_put_commit_at(struct vdfs_put *put, const struct vdfs_place *place,
		       struct vdfs_stat *out)
{
	struct vdfs_store *store = vdfs_put_store(put);
	const struct vdfs_name_ops *ops = remote(store);
	struct placing p = { .place = place };
	int err = vdfs_put_error(put);

	if (ops)
		return ops->commit_at(store, put, place, out);
	if (!err && !place->ino)
		err = vdfs_name_check(place->path);
	if (err) {
		vdfs_put_abort(put);
		return err;
	}
	err = vdfs_put_commit_fn(put, NULL, place_name, &p, NULL);
	if (!err)
		*out = p.st;
	return err;
}
