// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resolve paths beneath the folders of the rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "call.h"
#include "path.h"
#include "session.h"

#define TRIES 8
#define CONFIGFS_MAGIC 0x62656570
#define FUSECTL_MAGIC 0x65735543
#define N_KERNELS (sizeof(kernels) / sizeof(*kernels))

int md_path_clean(struct md_call *c, const char *path, char out[PATH_MAX])
{
	char whole[2 * PATH_MAX + 2];
	size_t n = 0;
	char *at = whole;
	char *part;

	if (!*path || strlen(path) >= PATH_MAX)
		return md_fail(c, MATHIS_ARG_RANGE, "a path has 1 to %d bytes",
			       PATH_MAX - 1);
	snprintf(whole, sizeof(whole), "%s/%s",
		 *path == '/' ? "" : c->session->base, path);
	while ((part = strsep(&at, "/"))) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (!strcmp(part, "..")) {
			while (n && out[--n] != '/')
				;
			continue;
		}
		if (n + strlen(part) + 2 > PATH_MAX)
			return md_fail_errno(c, ENAMETOOLONG, "a path");
		out[n++] = '/';
		memcpy(out + n, part, strlen(part));
		n += strlen(part);
	}
	if (!n)
		out[n++] = '/';
	out[n] = 0;
	return 0;
}

/* The part of a path behind a folder, or NULL when it is not below it. */
static const char *below(const char *path, const char *folder)
{
	size_t n = folder && strcmp(folder, "/") ? strlen(folder) : 0;

	if (n && (strncmp(path, folder, n) || (path[n] && path[n] != '/')))
		return NULL;
	path += n;
	return path + (*path == '/');
}

/* The widest rule that allows a path, and the path in its folder. */
static const struct md_rule *search(struct md_call *c, const char *right,
				    const char *path, const char **rest)
{
	const struct md_rights *rights = &c->session->rights;
	const struct md_rule *best = NULL;

	for (size_t i = 0; i < rights->n; i++) {
		const struct md_rule *rule = &rights->rules[i];
		const char *in = below(path, rule->param);

		if (strcmp(rule->right->name, right) || !in)
			continue;
		/* Nothing is below a file. */
		if (!rule->deny && rule->leaf && *in)
			continue;
		if (rule->deny)
			return NULL;
		if (!best || !rule->param ||
		    (best->param &&
		     strlen(rule->param) < strlen(best->param))) {
			best = rule;
			*rest = rule->leaf ?: in;
		}
	}
	return best;
}

/* The same; NULL: reported. */
static const struct md_rule *find_rule(struct md_call *c, const char *right,
				       const char *path, const char **rest)
{
	const struct md_rule *rule = search(c, right, path, rest);

	if (!rule)
		md_deny(c, right, path);
	return rule;
}

/* The path of a file, and of a name in it: 0 or -1, which was reported. */
static int real_path(struct md_call *c, int fd, const char *name,
		     char real[PATH_MAX + NAME_MAX + 2])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, PATH_MAX);
	if (n < 0)
		return md_fail_errno(c, errno, "/proc");
	/* The top folder ends in a slash. */
	snprintf(real + n, NAME_MAX + 2, "%s%s", name && n > 1 ? "/" : "",
		 name ?: "");
	return 0;
}

/* Whether no rule denies the place where a file is, and a name in it. */
static int check_place(struct md_call *c, const char *right, int fd,
		       const char *name)
{
	const struct md_rights *rights = &c->session->rights;
	char real[PATH_MAX + NAME_MAX + 2];
	bool known = false;

	for (size_t i = 0; i < rights->n; i++) {
		const struct md_rule *rule = &rights->rules[i];

		if (!rule->deny || strcmp(rule->right->name, right))
			continue;
		if (!known && real_path(c, fd, name, real))
			return MD_FAILED;
		known = true;
		if (below(real, rule->param))
			return md_fail(c, MATHIS_POLICY,
				       "a link leads to what is denied");
	}
	return MD_DONE;
}

int md_path_at(struct md_call *c, const char *right, int folder,
	       const char *name)
{
	char real[PATH_MAX + NAME_MAX + 2];
	const char *rest;

	if (real_path(c, folder, name, real))
		return MD_FAILED;
	if (!search(c, right, real, &rest))
		return md_fail(c, MATHIS_POLICY,
			       "it has come to where %s is missing", right);
	return MD_DONE;
}

int md_path_move(struct md_call *c, int folder, const char *name)
{
	const struct md_rights *rights = &c->session->rights;
	char real[PATH_MAX + NAME_MAX + 2];

	if (real_path(c, folder, name, real))
		return MD_FAILED;
	for (size_t i = 0; i < rights->n; i++) {
		const struct md_rule *rule = &rights->rules[i];

		if (rule->deny && rule->right->param == MD_PARAM_PATH &&
		    rule->param &&
		    (below(rule->param, real) || below(real, rule->param)))
			return md_fail(c, MATHIS_POLICY,
				       "something there is denied");
	}
	return MD_DONE;
}

static int open_beneath(const struct md_rule *rule, const char *rest, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_PATH | O_CLOEXEC),
		/* Without a folder links may be absolute. */
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (rule->param ? RESOLVE_BENEATH : RESOLVE_IN_ROOT),
	};

	return (int)syscall(SYS_openat2, rule->fd, *rest ? rest : ".", &how,
			    sizeof(how));
}

/* An error of a path that the program named. */
static int path_error(struct md_call *c, const char *path)
{
	char text[120];

	snprintf(text, sizeof(text), "%s", path);
	return md_fail_errno(c, errno, text);
}

int md_path_find(struct md_call *c, const char *right, const char *path,
		 int flags)
{
	char whole[PATH_MAX];
	const struct md_rule *rule;
	const char *rest;
	int fd;

	if (md_path_clean(c, path, whole))
		return -1;
	rule = find_rule(c, right, whole, &rest);
	if (!rule)
		return -1;
	fd = open_beneath(rule, rest, flags);
	if (fd < 0)
		return path_error(c, path);
	if (!check_place(c, right, fd, NULL))
		return fd;
	close(fd);
	return -1;
}

int md_path_parent(struct md_call *c, const char *right, const char *path,
		   char name[NAME_MAX + 1])
{
	char whole[PATH_MAX], *slash;
	const struct md_rule *rule;
	const char *rest, *last;
	int fd;

	if (md_path_clean(c, path, whole))
		return -1;
	rule = find_rule(c, right, whole, &rest);
	if (!rule)
		return -1;
	slash = strrchr(whole, '/');
	if (!*rest || !slash[1])
		return md_fail(c, MATHIS_POLICY,
			       "it is the folder of a right itself");
	last = rule->leaf ?: slash + 1;
	if (strlen(last) > NAME_MAX)
		return md_fail_errno(c, ENAMETOOLONG, "a path");
	memcpy(name, last, strlen(last) + 1);
	if (!rule->leaf && rest <= slash)
		*slash = 0;
	else
		rest = "";
	fd = open_beneath(rule, rest, O_DIRECTORY);
	if (fd < 0)
		return path_error(c, path);
	if (!check_place(c, right, fd, name))
		return fd;
	close(fd);
	return -1;
}

static int check_special(struct md_call *c, const char *what)
{
	if (!md_has(c, "io.special", NULL))
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "%s, and the right io.special is missing", what);
	return MD_DONE;
}

/* File systems of the kernel, whose files are more than they hold. */
static const unsigned int kernels[] = {
	PROC_SUPER_MAGIC,     SYSFS_MAGIC,	    DEBUGFS_MAGIC,
	TRACEFS_MAGIC,	      CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC,
	SECURITYFS_MAGIC,     BPF_FS_MAGIC,	    SELINUX_MAGIC,
	SMACK_MAGIC,	      EFIVARFS_MAGIC,	    PSTOREFS_MAGIC,
	BINDERFS_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC, CONFIGFS_MAGIC,
	FUSECTL_MAGIC,
};

/* The one of them that a file is in, 0 for none: 0, or -1 and errno. */
static int kernel_type(int place, unsigned int *type)
{
	struct statfs fs;
	size_t i = 0;

	if (fstatfs(place, &fs))
		return -1;
	while (i < N_KERNELS && kernels[i] != (unsigned int)fs.f_type)
		i++;
	*type = i < N_KERNELS ? kernels[i] : 0;
	return 0;
}

int md_path_plain(struct md_call *c, int place)
{
	unsigned int type;

	if (kernel_type(place, &type))
		return md_fail_errno(c, errno, "the file");
	return type ? check_special(c, "it is a file of the kernel") : MD_DONE;
}

/*
 * Whether a file of such a file system may be opened: MD_DONE or MD_FAILED. The
 * memory of a process may not, for it is that of the sessions.
 */
static int check_kernel(struct md_call *c, const char *path, int place,
			const char *link)
{
	char real[PATH_MAX + 1];
	unsigned int type;
	const char *name;
	ssize_t n;

	if (kernel_type(place, &type))
		return path_error(c, path);
	if (!type)
		return MD_DONE;
	if (check_special(c, "it is a file of the kernel"))
		return MD_FAILED;
	n = readlink(link, real, PATH_MAX);
	if (n < 0)
		return path_error(c, path);
	real[n] = 0;
	name = strrchr(real, '/');
	/* "mem (deleted)" is that of a process that ended. */
	if (type == PROC_SUPER_MAGIC && name &&
	    (!strcmp(name, "/mem") || !strncmp(name, "/mem ", 5)))
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "it is the memory of a process");
	return MD_DONE;
}

/* Open what an O_PATH file stands for, if it may be opened. */
static int reopen(struct md_call *c, const char *path, int place, int flags)
{
	char link[32];
	struct stat st;
	int fd;

	if (fstat(place, &st))
		return path_error(c, path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		if (check_special(c, "it is no regular file"))
			return MD_FAILED;
		flags |= O_NONBLOCK;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	if (check_kernel(c, path, place, link))
		return -1;
	fd = open(link, (flags & ~O_CREAT) | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? path_error(c, path) : fd;
}

/* Make a file that is not there; -1 and EEXIST when it is by now. */
static int make(struct md_call *c, const char *path, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int parent = md_path_parent(c, "fs.write", path, name);
	int fd, saved;

	errno = 0;
	if (parent < 0)
		return -1;
	fd = openat(parent, name,
		    flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	saved = errno;
	if (fd < 0)
		path_error(c, path);
	close(parent);
	errno = saved;
	return fd;
}

/* Whether a file that was found to be written is what is found to be read. */
static int check_read(struct md_call *c, const char *path, int place)
{
	int fd = md_path_find(c, "fs.read", path, 0);
	unsigned int mask = STATX_INO | STATX_MNT_ID;
	struct statx a, b;
	int ret;

	if (fd < 0)
		return MD_FAILED;
	ret = statx(place, "", AT_EMPTY_PATH, mask, &a) ||
	      statx(fd, "", AT_EMPTY_PATH, mask, &b);
	if (ret)
		path_error(c, path);
	close(fd);
	if (ret)
		return MD_FAILED;
	if (a.stx_ino == b.stx_ino && a.stx_mnt_id == b.stx_mnt_id &&
	    a.stx_dev_major == b.stx_dev_major &&
	    a.stx_dev_minor == b.stx_dev_minor)
		return MD_DONE;
	return md_fail(c, MATHIS_POLICY,
		       "it is one file to be read, another to be written");
}

int md_path_open(struct md_call *c, const char *path, int flags, mode_t mode)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	bool reads = (flags & O_ACCMODE) != O_WRONLY;
	const char *right = writes ? "fs.write" : "fs.read";
	int place, fd;

	if (writes && reads) {
		char whole[PATH_MAX];
		const char *rest;

		if (md_path_clean(c, path, whole) ||
		    !find_rule(c, "fs.read", whole, &rest))
			return -1;
	}
	for (int i = 0; i < TRIES; i++) {
		place = md_path_find(c, right, path, 0);
		if (place >= 0) {
			fd = writes && reads && check_read(c, path, place) ?
				     -1 :
				     reopen(c, path, place, flags);
			close(place);
			return fd;
		}
		if (c->code != MATHIS_NOT_FOUND || !(flags & O_CREAT))
			return -1;
		memset(&c->detail, 0, sizeof(c->detail));
		fd = make(c, path, flags & ~O_TRUNC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
		memset(&c->detail, 0, sizeof(c->detail));
	}
	return md_fail(c, MATHIS_POLICY, "a link leads to nothing");
}
