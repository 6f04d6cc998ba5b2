// SPDX-License-Identifier: GPL-2.0-only
/* The content of one name, which other hosts know by its path alone. */
#include <errno.h>
#include <string.h>

#include "remote_impl.h"

#define TRIES 100 /* while it is moved here and there */

/**
 * struct placing - a blob on its way to a name
 * @store: The store.
 * @who: For whom.
 * @place: Where to.
 * @hash: Of the blob, which somebody refers to.
 * @st: Out, what the name is then.
 * @path: Of the name, from the root, where other hosts begin.
 */
struct placing {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	struct vdfs_place place;
	const struct vdfs_hash *hash;
	struct vdfs_stat *st;
	char path[VDFS_PATH_MAX + 1];
};

/**
 * vdfs_remote_place_path() - where a name is by now
 * @db: A connection inside a transaction.
 * @place: The name.
 * @path: Out: its path from the root.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ESTALE when it, or the directory that it would be in, is gone, or
 * another negative errno.
 */
int vdfs_remote_place_path(struct sqlite3 *db, const struct vdfs_place *place,
			   char path[VDFS_PATH_MAX + 1])
{
	if (place->ino)
		return vdfs_node_path(db, (int64_t)place->ino, "", path);
	return vdfs_node_path(db, (int64_t)place->dir, place->path, path);
}

static int find_path(struct sqlite3 *db, void *arg)
{
	struct placing *p = arg;

	return vdfs_remote_place_path(db, &p->place, p->path);
}

static int place_blob(struct sqlite3 *db, void *arg)
{
	struct placing *p = arg;
	char path[VDFS_PATH_MAX + 1];
	struct vdfs_object object;
	int err = vdfs_remote_place_path(db, &p->place, path);

	/* The bucket learns the path that was found. */
	if (!err && strcmp(path, p->path))
		err = -EAGAIN;
	if (!err)
		err = vdfs_object_find(db,
				       vdfs_object_user(p->store, p->who->uid),
				       p->hash, &object);
	return err   ?:
		       vdfs_name_place(db, p->store, p->who, &p->place, &object,
				       p->st);
}

/**
 * vdfs_remote_place() - give a name its content, in the bucket and here
 * @remote: The remote.
 * @who: The user.
 * @place: Which name; a path is one that vdfs_name_check() passed.
 * @hash: Of the blob, which the bucket has and somebody refers to.
 * @out: The attributes of the name afterwards.
 *
 * A name that other hosts took away or moved is no more. One that is moved here
 * meanwhile, or whose directory is, is followed.
 *
 * Context: Any thread. Waits for disk and network.
 * Return: 0, -EEXIST, -ESTALE, or another negative errno.
 */
int vdfs_remote_place(struct vdfs_remote *remote, const struct vdfs_who *who,
		      const struct vdfs_place *place,
		      const struct vdfs_hash *hash, struct vdfs_stat *out)
{
	struct placing p = { .store = remote->store,
			     .who = who,
			     .place = *place,
			     .hash = hash,
			     .st = out };
	struct vdfs_name_change change = { .fn = place_blob,
					   .arg = &p,
					   .path = p.path };
	int i, err = -EAGAIN;

	/* The same, however often the change is made. */
	if (place->mtime_ns == INT64_MIN)
		p.place.mtime_ns = vdfs_name_now();
	for (i = 0; err == -EAGAIN && i < TRIES; i++) {
		err = vdfs_meta_read(vdfs_store_meta(remote->store), find_path,
				     &p);
		/* A cached answer may miss a name that exists now: ask again. */
		if (!err && !place->ino)
			vdfs_remote_doubt(remote, p.path);
		if (!err)
			err = vdfs_remote_change(remote->store, &change);
	}
	return err;
}
