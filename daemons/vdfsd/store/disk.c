// SPDX-License-Identifier: GPL-2.0-only
/* Which file systems a store may be on. */
#include <errno.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "store_impl.h"

/* Those that linux/magic.h does not name. */
#define CIFS_MAGIC 0xff534d42
#define GFS2_MAGIC 0x01161970
#define LUSTRE_MAGIC 0x0bd00bd0

static const struct {
	uint32_t magic;
	const char *name;
} shared[] = {
	{ NFS_SUPER_MAGIC, "NFS" },
	{ SMB_SUPER_MAGIC, "SMB" },
	{ SMB2_SUPER_MAGIC, "SMB" },
	{ CIFS_MAGIC, "SMB" },
	{ AFS_SUPER_MAGIC, "AFS" },
	{ AFS_FS_MAGIC, "AFS" },
	{ CODA_SUPER_MAGIC, "Coda" },
	{ CEPH_SUPER_MAGIC, "Ceph" },
	{ V9FS_MAGIC, "9P" },
	{ OCFS2_SUPER_MAGIC, "OCFS2" },
	{ GFS2_MAGIC, "GFS2" },
	{ LUSTRE_MAGIC, "Lustre" },
	{ 0, NULL },
};

/**
 * vdfs_disk_shared() - name a file system that several hosts can have mounted
 * @magic: The f_type of statfs(2).
 *
 * There the lock of a store, the memory that SQLite shares among connections,
 * or a sync do not mean what they mean on a disk of this host.
 *
 * Context: Any.
 * Return: Its name; NULL when a store may be there.
 */
const char *vdfs_disk_shared(uint32_t magic)
{
	size_t i;

	for (i = 0; shared[i].name; i++) {
		if (shared[i].magic == magic)
			break;
	}
	return shared[i].name;
}

/**
 * vdfs_disk_check() - refuse a store on such a file system
 * @store: The store, whose directory is open.
 *
 * Context: Before anyone else uses it.
 * Return: 0, -EREMOTE, which it explains on stderr, or another negative errno.
 */
int vdfs_disk_check(struct vdfs_store *store)
{
	struct statfs fs;
	const char *name;

	if (fstatfs(store->fd, &fs))
		return -errno;
	name = vdfs_disk_shared(fs.f_type);
	if (!name)
		return 0;
	fprintf(stderr,
		"%s: other hosts can have this file system (%s) mounted: put the store on a disk of this host (see vdfsd(8))\n",
		store->dir, name);
	return -EREMOTE;
}
