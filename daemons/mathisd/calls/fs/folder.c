// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0600, 0x0601: folders.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mathis/buf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "calls/io/file.h"
#include "place.h"

#define ENTRIES_MAX 100000

static bool is_folder(const struct place *p)
{
	struct stat st;

	return !fstatat(p->folder, p->name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

static int make(struct md_call *c, const char *path, bool may_exist)
{
	int ret = MD_DONE;
	struct place p;

	if (place_find(c, path, &p))
		return MD_FAILED;
	if (mkdirat(p.folder, p.name, 0777)) {
		int err = errno;

		if (!(err == EEXIST && may_exist && is_folder(&p)))
			ret = md_fail_errno(c, err, "the folder");
	}
	place_close(&p);
	return ret;
}

/* Whether a folder is there: MD_DONE, MD_LATER: it is not, or MD_FAILED. */
static int look(struct md_call *c, const char *path)
{
	int fd = md_path_find(c, "fs.write", path, O_DIRECTORY);

	if (fd < 0 && c->code != MATHIS_NOT_FOUND)
		return MD_FAILED;
	if (fd < 0) {
		memset(&c->detail, 0, sizeof(c->detail));
		return MD_LATER;
	}
	close(fd);
	return MD_DONE;
}

/* Make a folder and those above it that are missing. */
static int make_all(struct md_call *c, const char *path)
{
	char whole[PATH_MAX];
	size_t n;
	int ret;

	if (md_path_clean(c, path, whole))
		return MD_FAILED;
	n = strlen(whole);
	/* Cut until what is left exists. */
	while ((ret = look(c, whole)) == MD_LATER) {
		char *slash = strrchr(whole, '/');

		if (slash == whole)
			break;
		*slash = 0;
	}
	while (ret != MD_FAILED && strlen(whole) < n) {
		whole[strlen(whole)] = '/';
		ret = make(c, whole, true);
	}
	return ret;
}

int md_fs_mkdir(struct md_call *c)
{
	const char *path = md_cstr(c, 0);

	if (!path)
		return MD_FAILED;
	return c->args[1].i ? make_all(c, path) : make(c, path, false);
}

static int by_name(const void *a, const void *b)
{
	const struct mathis_item *x = mathis_item_get(a, "name");
	const struct mathis_item *y = mathis_item_get(b, "name");
	int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);

	return order ?: (x->n > y->n) - (x->n < y->n);
}

/* The type of an entry: one that is gone by now is a file. */
static mode_t type_of(DIR *dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return DTTOIF(e->d_type);
	if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
		return S_IFREG;
	return st.st_mode;
}

static void add_entry(struct md_call *c, struct mathis_item *list, DIR *dir,
		      const struct dirent *e)
{
	struct mathis_item map = mathis_item_seq(&c->pool, MATHIS_MAP, 2);
	size_t n = strlen(e->d_name);
	uint32_t kind = mathis_utf8(e->d_name, n) ? MATHIS_STR : MATHIS_BYTES;

	mathis_item_put(&c->pool, &map, "name",
			mathis_item_text(&c->pool, kind, e->d_name, n));
	mathis_item_put(&c->pool, &map, "type",
			md_text(c, file_type(type_of(dir, e))));
	mathis_item_add(&c->pool, list, map);
}

static int read_all(struct md_call *c, DIR *dir, struct mathis_item *list)
{
	const struct dirent *e;

	for (;;) {
		errno = 0;
		e = readdir(dir);
		if (!e)
			break;
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (list->n == ENTRIES_MAX)
			return md_fail(c, MATHIS_LIMIT,
				       "the folder has more than %d entries",
				       ENTRIES_MAX);
		if (md_stopped(c))
			return MD_FAILED;
		add_entry(c, list, dir, e);
		if (c->pool.bad)
			return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	return errno ? md_fail_errno(c, errno, "the folder") : MD_DONE;
}

int md_fs_readdir(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	struct mathis_item list;
	int fd = path ? md_path_open(c, path, O_RDONLY | O_DIRECTORY, 0) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int ret;

	if (fd < 0)
		return MD_FAILED;
	if (!dir) {
		ret = md_fail_errno(c, errno, "the folder");
		close(fd);
		return ret;
	}
	list = mathis_item_seq(&c->pool, MATHIS_LIST, 16);
	ret = read_all(c, dir, &list);
	closedir(dir);
	if (ret)
		return ret;
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), by_name);
	return md_return(c, list);
}
