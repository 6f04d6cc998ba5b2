// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vdfsd/kernel.h"

#define PATIENCE_S 60
#define ASKED 2

/* Send a request. Return: 0 or a negative errno. */
int tell(struct asker a, uint64_t unique, uint32_t op, const void *arg,
	 size_t len, const char *name)
{
	struct fuse_in_header in = {
		.opcode = op,
		.unique = unique,
		.nodeid = a.node,
		.uid = a.uid,
		.gid = a.gid,
		.pid = a.tid,
	};
	struct iovec to[] = {
		{ &in, sizeof(in) },
		{ (void *)arg, len },
		{ (void *)name, name ? strlen(name) + 1 : 0 },
	};

	in.len = (uint32_t)(sizeof(in) + to[1].iov_len + to[2].iov_len);
	return writev(a.fd, to, 3) < 0 ? -errno : 0;
}

/* Wait for an answer, to any request. Return: as ask(). */
int hear(struct asker a, uint64_t *unique, void *out, size_t room)
{
	struct fuse_out_header reply;
	struct iovec from[] = { { &reply, sizeof(reply) }, { out, room } };
	ssize_t n = readv(a.fd, from, 2);

	if (n < (ssize_t)sizeof(reply))
		return n < 0 ? -errno : -EPROTO;
	*unique = reply.unique;
	return reply.error ?: (int)(n - (ssize_t)sizeof(reply));
}

/* One request. Return: bytes of the answer, or a negative errno. */
int ask(struct asker a, uint32_t op, const void *arg, size_t len,
	const char *name, void *out, size_t room)
{
	uint64_t unique = 0;
	int n = tell(a, ASKED, op, arg, len, name);

	if (n)
		return n;
	n = hear(a, &unique, out, room);
	return unique == ASKED || n < 0 ? n : -EPROTO;
}

/* Serve a store to the test. */
int kernel_start(struct vdfs_store *store, struct vdfs_db *db, const char *dir,
		 struct vdfs_fuse **fuse, struct asker *kernel)
{
	struct vdfs_fuse_options options = { .stage_dir = dir };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.flags = FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
			 FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS,
	};
	struct fuse_init_out out;
	char path[32];
	int fds[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
		return -errno;
	if (setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[1]);
	err = vdfs_fuse_start(store, db, path, &options, fuse);
	if (err)
		return err;
	memset(kernel, 0, sizeof(*kernel));
	kernel->fd = fds[0];
	kernel->node = FUSE_ROOT_ID;
	err = ask(*kernel, FUSE_INIT, &init, 16, NULL, &out, sizeof(out));
	return err < 0 ? err : 0;
}

/* The same, as another thread. */
struct asker as(const struct asker *kernel, uint32_t tid)
{
	struct asker a = *kernel;

	a.tid = tid;
	return a;
}

/* The same, as another user, whose thread and group have the same number. */
struct asker by(const struct asker *kernel, uint32_t uid)
{
	struct asker a = as(kernel, uid);

	a.uid = uid;
	a.gid = uid;
	return a;
}

/* Look up each component of a path, from the inode of @a on. */
int walk_to(struct asker a, const char *path, struct fuse_entry_out *entry)
{
	char name[256];
	int n = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		n = ask(a, FUSE_LOOKUP, NULL, 0, name, entry, sizeof(*entry));
		if (n < 0)
			return n;
		a.node = entry->nodeid;
		path += len + (path[len] == '/');
	}
	return 0;
}

/* Return: the inode at a path from the root of the view, 0 without one. */
uint64_t node_at(struct asker a, const char *path)
{
	struct fuse_entry_out entry = {};

	a.node = FUSE_ROOT_ID;
	return walk_to(a, path, &entry) ? 0 : entry.nodeid;
}

int open_at(struct asker a, uint64_t node, int flags, uint64_t *fh)
{
	uint32_t op = flags & O_DIRECTORY ? FUSE_OPENDIR : FUSE_OPEN;
	struct fuse_open_in in = { .flags = (uint32_t)flags };
	struct fuse_open_out out = {};
	int n;

	a.node = node;
	n = ask(a, op, &in, sizeof(in), NULL, &out, sizeof(out));
	*fh = out.fh;
	return n < 0 ? n : 0;
}

int close_at(struct asker a, uint64_t node, uint64_t fh, bool wrote)
{
	struct fuse_release_in release = { .fh = fh };
	struct fuse_flush_in flush = { .fh = fh };
	int err = 0;

	a.node = node;
	if (wrote)
		err = ask(a, FUSE_FLUSH, &flush, sizeof(flush), NULL, NULL, 0);
	return ask(a, FUSE_RELEASE, &release, sizeof(release), NULL, NULL, 0) ?:
		       err;
}

int create_at(struct asker a, uint64_t dir, const char *name, uint32_t mode,
	      struct fuse_made *made)
{
	struct fuse_create_in in = { .flags = O_RDWR, .mode = mode };
	int n;

	a.node = dir;
	n = ask(a, FUSE_CREATE, &in, sizeof(in), name, made, sizeof(*made));
	return n < 0 ? n : 0;
}

int write_at(struct asker a, uint64_t node, uint64_t fh, const char *text)
{
	struct fuse_write_in in = { .fh = fh, .size = (uint32_t)strlen(text) };
	struct fuse_write_out out;

	/* What follows is no name, but its zero is not counted. */
	a.node = node;
	return ask(a, FUSE_WRITE, &in, sizeof(in), text, &out, sizeof(out)) < 0;
}

bool reads(struct asker a, uint64_t node, uint64_t fh, const char *text)
{
	struct fuse_read_in in = { .fh = fh, .size = 100 };
	char buf[100];
	int n;

	a.node = node;
	n = ask(a, FUSE_READ, &in, sizeof(in), NULL, buf, sizeof(buf));
	return n == (int)strlen(text) && !memcmp(buf, text, strlen(text));
}

int attr_of(struct asker a, uint64_t node, struct fuse_attr *attr)
{
	struct fuse_getattr_in in = {};
	struct fuse_attr_out out;
	int n;

	a.node = node;
	n = ask(a, FUSE_GETATTR, &in, sizeof(in), NULL, &out, sizeof(out));
	if (n < 0)
		return n;
	*attr = out.attr;
	return 0;
}

int set_attr(struct asker a, uint64_t node, struct fuse_setattr_in in)
{
	struct fuse_attr_out out;
	int n;

	a.node = node;
	n = ask(a, FUSE_SETATTR, &in, sizeof(in), NULL, &out, sizeof(out));
	return n < 0 ? n : 0;
}

/* Return: its length. */
int get_xattr(struct asker a, uint64_t node, const char *name, char *value,
	      size_t room)
{
	struct fuse_getxattr_in in = { .size = (uint32_t)room };
	struct fuse_getxattr_out length;

	a.node = node;
	if (!room)
		return ask(a, FUSE_GETXATTR, &in, sizeof(in), name, &length,
			   sizeof(length));
	return ask(a, FUSE_GETXATTR, &in, sizeof(in), name, value, room);
}

/* The names in a directory but "." and "..", a blank behind each. */
int list_at(struct asker a, uint64_t node, char *names, size_t room)
{
	char buf[4096] __attribute__((aligned(8)));
	struct fuse_read_in in = { .size = sizeof(buf) };
	struct fuse_release_in release = {};
	int n, err, at;

	*names = '\0';
	err = open_at(a, node, O_RDONLY | O_DIRECTORY, &in.fh);
	if (err)
		return err;
	a.node = node;
	do {
		n = ask(a, FUSE_READDIR, &in, sizeof(in), NULL, buf,
			sizeof(buf));
		for (at = 0; at < n;) {
			const struct fuse_dirent *d = (const void *)(buf + at);
			size_t used = strlen(names);

			if (d->name[0] != '.')
				snprintf(names + used, room - used, "%.*s ",
					 (int)d->namelen, d->name);
			in.offset = d->off;
			at += (int)FUSE_DIRENT_SIZE(d);
		}
	} while (n > 0);
	release.fh = in.fh;
	ask(a, FUSE_RELEASEDIR, &release, sizeof(release), NULL, NULL, 0);
	return n;
}
