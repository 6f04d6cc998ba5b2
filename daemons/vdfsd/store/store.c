// SPDX-License-Identifier: GPL-2.0-only
/* A store as a whole: opening, closing, counting. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_impl.h"

static int open_dir(int at, const char *name, bool make)
{
	int fd;

	if (make && mkdirat(at, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Of two who open a store, one gets the lock. */
static int lock(struct vdfs_store *store)
{
	bool read_only = store->options.read_only;

	store->lock_fd = openat(
		store->fd, "lock",
		(read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
	/* Without one nobody has it open: the directory stands for it. */
	if (store->lock_fd < 0 && errno == ENOENT && read_only)
		store->lock_fd = openat(store->fd, ".",
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->lock_fd < 0)
		return -errno;
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

/* A directory is there to stay only when the one above it was synced. */
static int sync_above(int dir)
{
	int fd = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	/* A daemon that may not even look there has not made it. */
	if (fd < 0)
		return errno == EACCES ? 0 : -errno;
	err = vdfs_fsync_dir(fd);
	close(fd);
	return err;
}

static int open_dirs(struct vdfs_store *store)
{
	bool make = !store->options.read_only;
	int err = 0;

	store->fd = open_dir(AT_FDCWD, store->dir, make);
	if (store->fd < 0)
		return store->fd;
	err = vdfs_disk_check(store);
	if (!err && make)
		err = sync_above(store->fd);
	if (!err)
		err = lock(store);
	if (err)
		return err;
	if (make && mkdirat(store->fd, "graph", 0700) && errno != EEXIST)
		return -errno;
	store->packs.fd = open_dir(store->fd, "pack", make);
	if (store->packs.fd < 0)
		return store->packs.fd;
	store->object_fd = open_dir(store->fd, "object", make);
	if (store->object_fd < 0)
		return store->object_fd;
	return make ? vdfs_fsync_dir(store->fd) : 0;
}

/**
 * vdfs_store_write() - change the database so that room comes of it
 * @store: The store.
 * @fn: Function that changes it.
 * @arg: Its argument.
 *
 * Context: As vdfs_meta_write().
 * Return: As vdfs_meta_write().
 */
int vdfs_store_write(struct vdfs_store *store, vdfs_meta_fn *fn, void *arg)
{
	return vdfs_meta_free(store->meta, fn, arg);
}

static int meta_path(struct vdfs_store *store, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/meta.db", store->dir);

	return n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/*
 * Look at the parts of a store before anything is changed: at its database as
 * at a file that cannot be written.
 */
static int look(struct vdfs_store *store)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	err = meta_path(store, path);
	if (!err)
		err = vdfs_packs_open(store);
	if (err)
		return err;
	if (stat(path, &st) || !st.st_size)
		return vdfs_identity_miss(store, false);
	err = store->options.rebuild ? 0 : vdfs_store_check_log(store);
	if (!err)
		err = vdfs_meta_open_flags(path, VDFS_META_READ_ONLY,
					   store->above.schemas, &store->meta);
	/* One that died when it had just made the file has left a journal. */
	if (err == -ENODATA || err == -EROFS)
		return vdfs_identity_miss(store, true);
	if (err == -EOPNOTSUPP)
		return vdfs_identity_later(store, "meta.db");
	if (!err)
		err = vdfs_identity_check(store);
	if (err || !store->options.read_only) {
		vdfs_meta_close(store->meta);
		store->meta = NULL;
	}
	return err;
}

static int open_meta(struct vdfs_store *store)
{
	char path[PATH_MAX];
	int err = meta_path(store, path);

	if (!err)
		err = vdfs_meta_open(path, store->above.schemas, &store->meta);
	/* SQLite does not mind when its own sync of the directory fails. */
	if (!err)
		err = vdfs_fsync_dir(store->fd);
	if (!err)
		err = vdfs_store_expect_log(store);
	return err;
}

/* It belongs together, and is to be changed. */
static int open_parts(struct vdfs_store *store)
{
	int err = open_meta(store);

	if (err)
		return err;
	if (store->options.rebuild) {
		err = vdfs_identity_check(store);
		return err ?: vdfs_identity_unbind(store);
	}
	/* A database that was just made has its identity by now. */
	if (!store->identity.known)
		err = vdfs_identity_load(store);
	if (!err)
		err = vdfs_identity_bind(store);
	return err ?: vdfs_packs_resume(store);
}

/**
 * vdfs_store_open_above() - open a store
 * @dir: Its directory; made when it is not there.
 * @options: How; NULL = all zeros.
 * @above: Schemas and hook of the rooms above; outlives the store.
 * @out: The store.
 *
 * Context: Any thread.
 * Return: 0, -EBUSY when it is open already, -EREMOTE when it is on a file system
 * of several hosts, -EBADMSG when its database is damaged or its parts do not
 * belong together, -EOPNOTSUPP when a later version made it, or another negative
 * errno.
 */
int vdfs_store_open_above(const char *dir,
			  const struct vdfs_store_options *options,
			  const struct vdfs_store_above *above,
			  struct vdfs_store **out)
{
	struct vdfs_store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	if (options)
		store->options = *options;
	store->above = *above;
	store->fd = -1;
	store->lock_fd = -1;
	store->object_fd = -1;
	store->packs.fd = -1;
	pthread_mutex_init(&store->packs.lock, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->gc, NULL);
	vdfs_charges_init(&store->charges);
	vdfs_sweep_init(&store->sweep);
	vdfs_pins_init(&store->pins);
	vdfs_helpers_init(&store->helpers);
	vdfs_identity_init(&store->identity);
	store->dir = strdup(dir);
	err = store->dir ? open_dirs(store) : -ENOMEM;
	if (!err && !store->options.read_only)
		vdfs_meta_lend(store->fd);
	if (!err)
		err = look(store);
	if (!err && !store->options.read_only)
		err = open_parts(store);
	if (!err && !store->options.read_only)
		vdfs_meta_reserve(store->meta);
	if (err) {
		vdfs_store_close(store);
		return err;
	}
	*out = store;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/**
 * vdfs_store_close() - close a store
 * @store: NULL is nothing to do. Its puts and blobs have ended.
 *
 * Context: After its last user.
 */
void vdfs_store_close(struct vdfs_store *store)
{
	if (!store)
		return;
	vdfs_sweep_stop(store);
	vdfs_identity_close(store);
	vdfs_store_settle(store);
	if (store->away)
		store->away->detach(store);
	vdfs_meta_close(store->meta);
	vdfs_packs_close(store);
	close_fd(store->packs.fd);
	close_fd(store->object_fd);
	close_fd(store->lock_fd);
	close_fd(store->fd);
	vdfs_helpers_fini(&store->helpers);
	vdfs_identity_fini(&store->identity);
	vdfs_pins_fini(&store->pins);
	vdfs_charges_fini(&store->charges);
	pthread_mutex_destroy(&store->gc);
	pthread_mutex_destroy(&store->lock);
	pthread_mutex_destroy(&store->packs.lock);
	free(store->dir);
	free(store);
}

/**
 * vdfs_store_meta() - the database of a store
 * @store: The store.
 *
 * Context: Any thread.
 * Return: It, as long as the store is open.
 */
struct vdfs_meta *vdfs_store_meta(struct vdfs_store *store)
{
	return store->meta;
}

/**
 * vdfs_store_shared() - whether other hosts change a store too
 * @store: The store.
 *
 * Context: Any thread.
 * Return: Whether it has a remote.
 */
bool vdfs_store_shared(const struct vdfs_store *store)
{
	return store->away;
}

/**
 * vdfs_store_set_remote() - let a store be a cache of a remote, or end that
 * @store: The store.
 * @ops: Of the remote; NULL = none, or none yet.
 * @remote: The remote, which vdfs_store_remote() returns.
 *
 * Context: Before the store's other threads, or after them.
 */
void vdfs_store_set_remote(struct vdfs_store *store,
			   const struct vdfs_away_ops *ops,
			   struct vdfs_remote *remote)
{
	store->remote = remote;
	store->away = ops;
}

/**
 * vdfs_store_away() - what the remote of a store does
 * @store: The store.
 *
 * Context: Any thread.
 * Return: Its operations, or NULL when the store has no remote.
 */
const struct vdfs_away_ops *vdfs_store_away(const struct vdfs_store *store)
{
	return store->away;
}

/**
 * vdfs_store_remote() - the remote of a store
 * @store: The store.
 *
 * Context: Any thread.
 * Return: It, or NULL.
 */
struct vdfs_remote *vdfs_store_remote(const struct vdfs_store *store)
{
	return store->remote;
}

/**
 * vdfs_store_writable() - whether a store may be changed
 * @store: The store.
 *
 * Context: Any thread.
 * Return: 0 or -EROFS.
 */
int vdfs_store_writable(struct vdfs_store *store)
{
	return store->options.read_only || atomic_load(&store->failed) ?
		       -EROFS :
		       0;
}

/**
 * vdfs_store_room() - whether anything but a deletion may use the disk
 * @store: The store.
 *
 * Context: Any thread.
 * Return: 0 or -ENOSPC.
 */
int vdfs_store_room(struct vdfs_store *store)
{
	return vdfs_meta_room(store->meta);
}

static int add_up(struct sqlite3 *db, void *arg)
{
	struct vdfs_store_stats *s = arg;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(
		db, &st,
		"SELECT total(kind != 3), total(size * (kind < 2)),\n"
		"total(CASE kind WHEN 0 THEN stored WHEN 1 THEN size END),\n"
		"total(users > 0), total(size * (users > 0)),\n"
		"total(kind = 2) FROM object");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	/* A list is not something other blobs are made of. */
	s->objects = sqlite3_column_int64(st, 0) - sqlite3_column_int64(st, 5);
	s->object_bytes = sqlite3_column_int64(st, 1);
	s->disk_bytes = sqlite3_column_int64(st, 2);
	s->blobs = sqlite3_column_int64(st, 3);
	s->blob_bytes = sqlite3_column_int64(st, 4);
	err = vdfs_sql(db, &st,
		       "SELECT count(*) FROM node WHERE object IS NOT NULL");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	s->names = sqlite3_column_int64(st, 0);
	return 0;
}

/**
 * vdfs_store_stats() - count what a store holds
 * @store: The store.
 * @out: The figures.
 *
 * Context: Any thread. Reads a table as long as the store has objects.
 * Return: 0 or a negative errno.
 */
int vdfs_store_stats(struct vdfs_store *store, struct vdfs_store_stats *out)
{
	memset(out, 0, sizeof(*out));
	return vdfs_meta_read(store->meta, add_up, out);
}
