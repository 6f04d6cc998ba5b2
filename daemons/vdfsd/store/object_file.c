// SPDX-License-Identifier: GPL-2.0-only
/* Objects that are files, raw, so that they map; see vdfs_file_path(). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_impl.h"

/**
 * vdfs_file_path() - where an object's file is
 * @object: Its hash and user.
 * @path: Out, relative to the directory of objects.
 *
 * The hash decides on the directory of what is common, the user on that of a
 * user's: whether it had to be made says nothing of what others have put.
 *
 * Context: Any.
 */
void vdfs_file_path(const struct vdfs_object *object, char path[VDFS_FILE_PATH])
{
	char text[VDFS_HASH_TEXT];
	uint32_t uid = (uint32_t)object->user;

	vdfs_hash_print(&object->hash, text);
	if (object->user == VDFS_COMMON)
		snprintf(path, VDFS_FILE_PATH, "%.2s/%s", text, text + 2);
	else
		snprintf(path, VDFS_FILE_PATH, "%02x/%s.%u", uid & 0xff, text,
			 uid);
}

/**
 * vdfs_file_open() - open an object's file to read
 * @store: The store.
 * @object: The object, pinned.
 *
 * Context: Any thread.
 * Return: A file descriptor, -EBADMSG when it is not there, or another
 * negative errno.
 */
int vdfs_file_open(struct vdfs_store *store, const struct vdfs_object *object)
{
	char path[VDFS_FILE_PATH];
	int fd;

	vdfs_file_path(object, path);
	fd = openat(store->object_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EBADMSG : -errno;
	return fd;
}

/**
 * vdfs_file_temporary() - make a file that is nowhere yet
 * @store: The store.
 *
 * Context: Any thread.
 * Return: A file descriptor or a negative errno.
 */
int vdfs_file_temporary(struct vdfs_store *store)
{
	int fd = openat(store->object_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			0400);

	return fd < 0 ? -errno : fd;
}

static unsigned long dir_number(const char *path)
{
	char name[3] = { path[0], path[1], '\0' };

	return strtoul(name, NULL, 16);
}

static int open_dir(struct vdfs_store *store, const char *path)
{
	char name[3] = { path[0], path[1], '\0' };
	int fd = openat(store->object_fd, name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The directory of a file, durable itself; returns it open. */
static int make_dir(struct vdfs_store *store, const char *path)
{
	char name[3] = { path[0], path[1], '\0' };
	atomic_bool *synced = &store->object_dirs[dir_number(path)];
	int fd = -ENOENT, err;

	if (atomic_load(synced))
		fd = open_dir(store, path);
	if (fd != -ENOENT)
		return fd;
	/* One that is there may be of somebody who died before the sync. */
	if (mkdirat(store->object_fd, name, 0700) && errno != EEXIST)
		return -errno;
	err = vdfs_fsync_dir(store->object_fd);
	if (err)
		return err;
	atomic_store(synced, true);
	return open_dir(store, path);
}

/*
 * Take the place of what a crash has left, or of what is damaged. That stays
 * if it does not last: of what is damaged other pages may be sound, and of a
 * sync that failed a later one would say nothing.
 */
static int exchange(int dir, const char *from, const char *name)
{
	char beside[VDFS_FILE_PATH + sizeof(VDFS_FILE_BESIDE)];
	int err;

	snprintf(beside, sizeof(beside), "%s" VDFS_FILE_BESIDE, name);
	if ((unlinkat(dir, beside, 0) && errno != ENOENT) ||
	    linkat(AT_FDCWD, from, dir, beside, AT_SYMLINK_FOLLOW))
		return -errno;
	if (renameat2(dir, beside, dir, name, RENAME_EXCHANGE)) {
		err = -errno;
		/* A filesystem that cannot, as ext2, keeps nothing. */
		if (err == -EINVAL && !renameat(dir, beside, dir, name))
			return vdfs_fsync_dir(dir);
	} else {
		err = vdfs_fsync_dir(dir);
		if (err && renameat2(dir, beside, dir, name, RENAME_EXCHANGE))
			return err;
	}
	unlinkat(dir, beside, 0);
	return err;
}

static int name_file(int dir, const char *from, const char *name)
{
	int err;

	if (linkat(AT_FDCWD, from, dir, name, AT_SYMLINK_FOLLOW))
		return errno == EEXIST ? exchange(dir, from, name) : -errno;
	err = vdfs_fsync_dir(dir);
	if (err)
		unlinkat(dir, name, 0);
	return err;
}

/**
 * vdfs_file_link() - give a synced file the name of its object, durably
 * @store: The store.
 * @fd: From vdfs_file_temporary(), synced.
 * @object: Hash, claimed, and user of the object, which has no sound file in
 *          the database.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno; then there is of that name what there was.
 */
int vdfs_file_link(struct vdfs_store *store, int fd,
		   const struct vdfs_object *object)
{
	char from[64], path[VDFS_FILE_PATH];
	int dir, err;

	vdfs_file_path(object, path);
	dir = make_dir(store, path);
	if (dir < 0)
		return dir;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	err = name_file(dir, from, path + 3);
	if (err)
		atomic_store(&store->object_settled[dir_number(path)], false);
	close(dir);
	return err;
}

/**
 * vdfs_file_settle() - make a file last that was found where it belongs
 * @store: The store.
 * @object: The object, claimed: nobody is about to take its place.
 *
 * A daemon that replaced a damaged file may have died before it synced the
 * directory. This process syncs after each replacement of its own, so once is
 * enough.
 *
 * Context: Any thread.
 * Return: 0, -EBADMSG when it is not there, or another negative errno.
 */
int vdfs_file_settle(struct vdfs_store *store, const struct vdfs_object *object)
{
	char path[VDFS_FILE_PATH];
	atomic_bool *settled;
	int dir, err;

	vdfs_file_path(object, path);
	settled = &store->object_settled[dir_number(path)];
	if (atomic_load(settled))
		return 0;
	dir = open_dir(store, path);
	if (dir < 0)
		return dir == -ENOENT ? -EBADMSG : dir;
	err = vdfs_fsync_dir(dir);
	if (!err)
		atomic_store(settled, true);
	close(dir);
	return err;
}

/**
 * vdfs_file_unlink() - remove an object's file
 * @store: The store.
 * @object: The object, claimed.
 *
 * Those who have it open or mapped keep it.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_file_unlink(struct vdfs_store *store, const struct vdfs_object *object)
{
	char path[VDFS_FILE_PATH];

	vdfs_file_path(object, path);
	if (unlinkat(store->object_fd, path, 0) && errno != ENOENT)
		return -errno;
	return 0;
}
