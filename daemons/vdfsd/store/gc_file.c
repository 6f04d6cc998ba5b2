// SPDX-License-Identifier: GPL-2.0-only
/* Files that no object is in, as a crash between link and commit leaves. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gc_impl.h"
#include "scan.h"

/*
 * The database knows of no such file, and no put is about to tell it. A file
 * beside another one was to take its place, or had it.
 */
static int check_file(void *arg, int dir, const char *name,
		      const struct vdfs_object *named, bool beside)
{
	struct vdfs_gc *gc = arg;
	struct vdfs_object object;
	struct stat st;
	int err;

	/* There may be many: who stops the collection waits for one of them. */
	err = vdfs_gc_step(gc, 0);
	if (err || vdfs_claim_unused(gc->store, &named->hash))
		return err;
	if (!beside)
		err = vdfs_object_lookup(gc->store, named->user, &named->hash,
					 &object);
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
	vdfs_unclaim(gc->store, &named->hash);
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
	int err = vdfs_scan_files(gc->store, check_file, gc);

	return err ?: vdfs_gc_step(gc, 1);
}
