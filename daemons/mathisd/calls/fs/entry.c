// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0602, 0x0603, 0x0609 to 0x060B: remove and move names, and make links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls/calls.h"
#include "place.h"

#define DEPTH_MAX 64 /* of folders that one call empties; each is a file */

/* Open a folder in another, on the same file system, without links. */
static int open_in(int folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV |
			   RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static int remove_one(struct md_call *c, int folder, const char *name, bool all,
		      unsigned int depth);

/* Remove all that is in a folder. */
static int empty(struct md_call *c, int folder, const char *name,
		 unsigned int depth)
{
	int fd, ret = MD_DONE;
	struct dirent *e;
	DIR *dir;

	if (depth == DEPTH_MAX)
		return md_fail(c, MATHIS_LIMIT, "more than %d folders deep",
			       DEPTH_MAX);
	fd = open_in(folder, name);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		ret = md_fail_errno(c, errno, "the folder");
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			ret = md_stopped(c) ? MD_FAILED :
					      remove_one(c, fd, e->d_name, true,
							 depth + 1);
	}
	closedir(dir);
	return ret;
}

static int remove_one(struct md_call *c, int folder, const char *name, bool all,
		      unsigned int depth)
{
	int err;

	if (!unlinkat(folder, name, 0))
		return MD_DONE;
	err = errno;
	if (err == EISDIR && !unlinkat(folder, name, AT_REMOVEDIR))
		return MD_DONE;
	if (err == EISDIR)
		err = errno;
	if (!all || (err != ENOTEMPTY && err != EEXIST))
		return md_fail_errno(c, err, "the name");
	if (empty(c, folder, name, depth))
		return MD_FAILED;
	if (unlinkat(folder, name, AT_REMOVEDIR))
		return md_fail_errno(c, errno, "the folder");
	return MD_DONE;
}

int md_fs_remove(struct md_call *c)
{
	struct place p;
	int ret;

	if (place_of(c, 0, &p))
		return MD_FAILED;
	ret = md_path_move(c, p.folder, p.name) ?:
		      remove_one(c, p.folder, p.name, c->args[1].i, 0);
	place_close(&p);
	return ret;
}

/* The place of a path that may be read as well. */
static int find_readable(struct md_call *c, const char *path, struct place *p)
{
	char name[NAME_MAX + 1];
	int folder = md_path_parent(c, "fs.read", path, name);

	if (folder < 0)
		return MD_FAILED;
	close(folder);
	if (place_find(c, path, p))
		return MD_FAILED;
	if (!md_path_at(c, "fs.read", p->folder, p->name))
		return MD_DONE;
	place_close(p);
	return MD_FAILED;
}

static int move(struct md_call *c, const struct place *from,
		const struct place *to)
{
	unsigned int flags = c->args[2].i ? 0 : RENAME_NOREPLACE;

	if (md_path_move(c, from->folder, from->name))
		return MD_FAILED;
	if (!renameat2(from->folder, from->name, to->folder, to->name, flags))
		return MD_DONE;
	if (errno != EXDEV)
		return md_fail_errno(c, errno, "the name");
	return md_fail(c, MATHIS_UNSUPPORTED,
		       "the places are on two file systems");
}

int md_fs_rename(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	struct place from, to;
	int ret;

	/* The program may be able to read it at its new place. */
	if (!path || find_readable(c, path, &from))
		return MD_FAILED;
	ret = place_of(c, 1, &to);
	if (!ret) {
		ret = move(c, &from, &to);
		place_close(&to);
	}
	place_close(&from);
	return ret;
}

/* Links lead to what is below their own folder, wherever that is moved to. */
static int check_target(struct md_call *c, const char *target)
{
	const char *part = target;

	if (!*target)
		return md_fail(c, MATHIS_ARG_RANGE, "a link leads somewhere");
	if (*target == '/')
		return md_fail(c, MATHIS_POLICY, "the target is absolute");
	while (part) {
		if (!strncmp(part, "..", 2) && (!part[2] || part[2] == '/'))
			return md_fail(c, MATHIS_POLICY,
				       "the target has \"..\"");
		part = strchr(part, '/');
		part += !!part;
	}
	return MD_DONE;
}

int md_fs_symlink(struct md_call *c)
{
	const char *target = md_cstr(c, 0);
	int ret = MD_DONE;
	struct place p;

	if (!target || check_target(c, target) || place_of(c, 1, &p))
		return MD_FAILED;
	if (symlinkat(target, p.folder, p.name))
		ret = md_fail_errno(c, errno, "the link");
	place_close(&p);
	return ret;
}

static int read_link(struct md_call *c, int fd)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return md_fail_errno(c, errno, "the link");
	if (!S_ISLNK(st.st_mode))
		return md_fail(c, MATHIS_BAD_OPERATION, "it is no link");
	if (md_path_plain(c, fd))
		return MD_FAILED;
	n = readlinkat(fd, "", target, sizeof(target));
	if (n < 0)
		return md_fail_errno(c, errno, "the link");
	return md_return_str(c, target, (size_t)n);
}

int md_fs_readlink(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int fd = path ? md_path_find(c, "fs.read", path, O_NOFOLLOW) : -1;
	int ret;

	if (fd < 0)
		return MD_FAILED;
	ret = read_link(c, fd);
	close(fd);
	return ret;
}

static int link_file(struct md_call *c, int fd, const struct place *to)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st))
		return md_fail_errno(c, errno, "the file");
	if (!S_ISREG(st.st_mode))
		return md_fail(c, MATHIS_UNSUPPORTED, "it is no regular file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, path, to->folder, to->name, AT_SYMLINK_FOLLOW))
		return MD_DONE;
	if (errno != EXDEV)
		return md_fail_errno(c, errno, "the link");
	return md_fail(c, MATHIS_UNSUPPORTED,
		       "the places are on two file systems");
}

int md_fs_link(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	struct place from, to;
	int fd, ret;

	/* The new name gives all that the program may do at its place. */
	if (!path || find_readable(c, path, &from))
		return MD_FAILED;
	fd = openat(from.folder, from.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		ret = md_fail_errno(c, errno, "the file");
	else
		ret = place_of(c, 1, &to);
	if (!ret) {
		ret = link_file(c, fd, &to);
		place_close(&to);
	}
	if (fd >= 0)
		close(fd);
	place_close(&from);
	return ret;
}
