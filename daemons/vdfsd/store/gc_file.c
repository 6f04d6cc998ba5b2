// SPDX-License-Identifier: GPL-2.0-only
/* Files that no object is in, as a crash between link and commit leaves. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gc_impl.h"

/*
 * The database knows of no such file, and no put is about to tell it. A file
 * beside another one was to take its place, or had it.
 */
static int check_file(struct vdfs_gc *gc, int dir, const char *name,
		      const struct vdfs_hash *hash)
{
	bool beside = name[VDFS_HASH_TEXT - 3];
	struct vdfs_object object;
	struct stat st;
	int err = 0;

	if (vdfs_claim_unused(gc->store, hash))
		return 0;
	if (!beside)
		err = vdfs_object_lookup(gc->store, hash, &object);
	if (beside || err == -ENOENT || (!err && object.kind != VDFS_FILE)) {
		err = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
		if (!err && unlinkat(dir, name, 0))
			err = -errno;
		if (!err)
			gc->result.bytes += st.st_size;
		/* The put that made it has removed it. */
		if (err == -ENOENT)
			err = 0;
	}
	vdfs_unclaim(gc->store, hash);
	return err;
}

static int check_dir(struct vdfs_gc *gc, const char *prefix)
{
	char text[VDFS_HASH_TEXT];
	struct vdfs_hash hash;
	struct dirent *entry;
	const char *rest;
	int fd, err = 0;
	DIR *dir;

	fd = openat(gc->store->object_fd, prefix,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (!err && (entry = readdir(dir))) {
		if (strlen(entry->d_name) < VDFS_HASH_TEXT - 3)
			continue;
		rest = entry->d_name + VDFS_HASH_TEXT - 3;
		if (*rest && strcmp(rest, VDFS_FILE_BESIDE))
			continue;
		snprintf(text, sizeof(text), "%s%s", prefix, entry->d_name);
		if (!vdfs_hash_parse(text, &hash))
			err = check_file(gc, fd, entry->d_name, &hash);
	}
	closedir(dir);
	return err;
}

/**
 * vdfs_gc_run_files() - remove files that belong to nothing
 * @gc: The collection.
 *
 * Context: With the store's gc lock.
 * Return: 0 or a negative errno.
 */
int vdfs_gc_run_files(struct vdfs_gc *gc)
{
	char prefix[3];
	int i, err = 0;

	for (i = 0; !err && i < 256; i++) {
		snprintf(prefix, sizeof(prefix), "%02x", i);
		err = check_dir(gc, prefix);
	}
	return err ?: vdfs_gc_step(gc, 1);
}
