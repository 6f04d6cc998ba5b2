// SPDX-License-Identifier: GPL-2.0-only
/* The filesystem view: mounting, serving, ending. */
#include "cached_impl.h"
#include "lock_impl.h"
#include "view_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#define THREADS 8
#define THREADS_MOST 64
#define MOUNTED "/dev/fd/"

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* No file here has bits that a write would have to take away. */
	fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2);
	fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
	/*
	 * Pages that the kernel caches of an inode never change behind its
	 * back.
	 */
	fuse_unset_feature_flag(conn, FUSE_CAP_AUTO_INVAL_DATA);
	conn->time_gran = 1;
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = vdfs_op_lookup,
	.forget = vdfs_op_forget,
	.forget_multi = vdfs_op_forget_multi,
	.getattr = vdfs_op_getattr,
	.setattr = vdfs_op_setattr,
	.access = vdfs_op_access,
	.statfs = vdfs_op_statfs,
	.readlink = vdfs_op_readlink,
	.mknod = vdfs_op_mknod,
	.mkdir = vdfs_op_mkdir,
	.unlink = vdfs_op_unlink,
	.rmdir = vdfs_op_rmdir,
	.symlink = vdfs_op_symlink,
	.rename = vdfs_op_rename,
	.link = vdfs_op_link,
	.open = vdfs_op_open,
	.create = vdfs_op_create,
	.read = vdfs_op_read,
	.write = vdfs_op_write,
	.fallocate = vdfs_op_fallocate,
	.flush = vdfs_op_flush,
	.fsync = vdfs_op_fsync,
	.release = vdfs_op_release,
	.opendir = vdfs_op_opendir,
	.readdir = vdfs_op_readdir,
	.releasedir = vdfs_op_releasedir,
	.fsyncdir = vdfs_op_fsyncdir,
	.setxattr = vdfs_op_setxattr,
	.getxattr = vdfs_op_getxattr,
	.listxattr = vdfs_op_listxattr,
	.removexattr = vdfs_op_removexattr,
	.flock = vdfs_op_flock,
	.getlk = vdfs_op_getlk,
	.setlk = vdfs_op_setlk,
};

/**
 * vdfs_fuse_mount() - mount, to be served later
 * @dir: Where. The mount that a server left there when it died is removed.
 * @options: See there; only @allow_other and @read_only matter.
 *
 * For a process that may mount now and will not have the privilege any more
 * when the store is open. Users wait until vdfs_fuse_start() is given
 * "/dev/fd/N" as the directory, N being the return value. Closing that unmounts
 * nothing, but users get an error that nobody serves it.
 *
 * Return: A file descriptor, or a negative errno.
 */
int vdfs_fuse_mount(const char *dir, const struct vdfs_fuse_options *options)
{
	unsigned long flags = MS_NOSUID | MS_NODEV;
	struct statfs st;
	char data[128];
	int fd, err;

	if (statfs(dir, &st) < 0) {
		if (errno != ENOTCONN)
			return -errno;
		if (umount2(dir, MNT_DETACH) < 0)
			return -errno;
	}
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (options->read_only)
		flags |= MS_RDONLY;
	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s", fd, getuid(),
		 getgid(), options->allow_other ? ",allow_other" : "");
	if (mount("vdfs", dir, "fuse.vdfs", flags, data) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void fuse_free(struct vdfs_fuse *fuse)
{
	if (fuse->dir)
		umount2(fuse->dir, MNT_DETACH);
	vdfs_cached_stop(fuse->cached);
	vdfs_turns_stop(fuse);
	if (fuse->session && fuse->mounted)
		fuse_session_unmount(fuse->session);
	vdfs_locks_free(fuse->locks);
	vdfs_hints_fini(fuse);
	vdfs_files_fini(fuse);
	vdfs_listings_fini(fuse);
	vdfs_inodes_fini(fuse);
	vdfs_cached_free(fuse->cached);
	vdfs_searches_drop(fuse);
	if (fuse->session)
		fuse_session_destroy(fuse->session);
	pthread_cond_destroy(&fuse->settled);
	pthread_mutex_destroy(&fuse->lock);
	free(fuse->stage_dir);
	free(fuse->dir);
	free(fuse);
}

static int fuse_new(struct vdfs_store *store,
		    const struct vdfs_fuse_options *options,
		    struct vdfs_fuse **out)
{
	struct vdfs_fuse *fuse = calloc(1, sizeof(*fuse));
	int err;

	if (!fuse)
		return -ENOMEM;
	err = vdfs_inodes_init(fuse);
	if (err) {
		free(fuse);
		return err;
	}
	pthread_mutex_init(&fuse->lock, NULL);
	pthread_cond_init(&fuse->settled, NULL);
	clock_gettime(CLOCK_REALTIME, &fuse->started);
	fuse->read_only = options->read_only;
	fuse->ended = options->ended;
	fuse->arg = options->arg;
	fuse->stage_dir = strdup(options->stage_dir);
	fuse->store = store;
	fuse->locks = vdfs_locks_new(store);
	fuse->cached = vdfs_cached_new(fuse);
	if (!fuse->stage_dir || !fuse->locks || !fuse->cached) {
		fuse_free(fuse);
		return -ENOMEM;
	}
	*out = fuse;
	return 0;
}

/* Have the session's file descriptor, by the means that this user has. */
static int mount_session(struct vdfs_fuse *fuse, const char *dir,
			 const struct vdfs_fuse_options *options)
{
	char path[32];
	int fd;

	if (strncmp(dir, MOUNTED, strlen(MOUNTED)) && !geteuid()) {
		fd = vdfs_fuse_mount(dir, options);
		if (fd < 0)
			return fd;
		fuse->dir = strdup(dir);
		snprintf(path, sizeof(path), MOUNTED "%d", fd);
		dir = path;
	}
	/* For others libfuse asks fusermount3. */
	if (fuse_session_mount(fuse->session, dir))
		return -EPERM;
	fuse->mounted = true;
	fd = fuse_session_fd(fuse->session);
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ?
		       -errno :
		       0;
}

static struct fuse_session *new_session(struct vdfs_fuse *fuse,
					const struct vdfs_fuse_options *options)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char text[64];

	snprintf(text, sizeof(text), "-ofsname=vdfs,subtype=vdfs%s%s",
		 options->allow_other ? ",allow_other" : "",
		 options->read_only ? ",ro" : "");
	if (!fuse_opt_add_arg(&args, "vdfs") && !fuse_opt_add_arg(&args, text))
		session = fuse_session_new(&args, &ops, sizeof(ops), fuse);
	fuse_opt_free_args(&args);
	return session;
}

/**
 * vdfs_fuse_start() - show a store as a filesystem
 * @store: Which; open until the view is stopped.
 * @db: Its collections, NULL = leave these out.
 * @dir: Where to mount it, or "/dev/fd/N", see vdfs_fuse_mount().
 * @options: How.
 * @out: Out.
 *
 * Return: 0 when it can be used, or a negative errno.
 */
int vdfs_fuse_start(struct vdfs_store *store, struct vdfs_db *db,
		    const char *dir, const struct vdfs_fuse_options *options,
		    struct vdfs_fuse **out)
{
	unsigned int threads = options->threads ? options->threads : THREADS;
	struct vdfs_fuse *fuse;
	int err;

	if (threads > THREADS_MOST || !options->stage_dir)
		return -EINVAL;
	err = fuse_new(store, options, &fuse);
	if (err)
		return err;
	fuse->db = db;
	fuse->session = new_session(fuse, options);
	err = fuse->session ? mount_session(fuse, dir, options) : -ENOMEM;
	if (!err)
		err = vdfs_turns_start(fuse, threads);
	if (!err)
		err = vdfs_cached_start(fuse->cached);
	if (err)
		fuse_free(fuse);
	else
		*out = fuse;
	return err;
}

/**
 * vdfs_fuse_stop() - unmount, and end
 * @fuse: The view; NULL is fine.
 *
 * Files that users have open fail with -ENOTCONN from then on. Bytes that were
 * written and not yet closed or synced are lost.
 */
void vdfs_fuse_stop(struct vdfs_fuse *fuse)
{
	if (fuse)
		fuse_free(fuse);
}
