// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the log of the database is there. It holds what was acknowledged
 * last; without it the database is whole, and older than that, and SQLite
 * does not mind. So the lock file says whether there has to be one: from
 * when it is made until what it holds has been put into the database.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_impl.h"

#define MARK "meta.db-wal has to be here\n"

/**
 * vdfs_store_check_log() - look whether the log is there if it has to be
 * @store: The store, locked, before its database is opened.
 *
 * Context: Before anyone else uses it.
 * Return: 0, -EBADMSG when it is lost, or another negative errno.
 */
int vdfs_store_check_log(struct vdfs_store *store)
{
	struct stat st;

	if (fstat(store->lock_fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !st.st_size ||
	    !fstatat(store->fd, "meta.db-wal", &st, 0))
		return 0;
	if (errno != ENOENT)
		return -errno;
	return vdfs_identity_lacks(
		store, "meta.db-wal, the log of what was stored last,");
}

/**
 * vdfs_store_expect_log() - say that the log has to be there from now on
 * @store: The store, with its database open and its directory synced.
 *
 * Context: Before anyone else uses it.
 * Return: 0 or a negative errno.
 */
int vdfs_store_expect_log(struct vdfs_store *store)
{
	int err;

	err = vdfs_pwrite_all(store->lock_fd, MARK, sizeof(MARK) - 1, 0);
	if (!err && fsync(store->lock_fd))
		err = -errno;
	return err;
}

/**
 * vdfs_store_settle() - put the log into the database
 * @store: The store; its database is closed next.
 *
 * Where that fails, the log stays, and has to.
 *
 * Context: After its last user.
 */
void vdfs_store_settle(struct vdfs_store *store)
{
	if (store->options.read_only || !store->meta ||
	    vdfs_meta_settle(store->meta))
		return;
	/* Should this not reach the disk, there is a log that is empty. */
	if (ftruncate(store->lock_fd, 0) || fsync(store->lock_fd))
		vdfs_meta_keep_log(store->meta);
}
