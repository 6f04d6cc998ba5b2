// SPDX-License-Identifier: GPL-2.0-only
/* phi vdfs: names and their attributes. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "out_tree.h"
#include "vdfs_cli.h"

#define VALUE_MAX 65536

/* Names as people write them: a slash at an end says nothing. */
static char *trim(char *path)
{
	size_t len;

	while (*path == '/')
		path++;
	len = strlen(path);
	while (len && path[len - 1] == '/')
		path[--len] = '\0';
	return path;
}

static void out_time(const char *key, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[32];

	out_i64(key, ns);
	if (localtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		out_text("%s", text);
}

static void out_stat(const struct phi_vdfs_stat *st)
{
	out_str("mode", vdfs_mode_text(st->mode));
	out_u64("owner", st->owner);
	if (st->group == PHI_VDFS_NO_GROUP)
		out_unknown("group");
	else
		out_u64("group", st->group);
	out_u64("bytes", st->bytes);
	out_time("mtime_ns", st->mtime_ns);
}

static int print_entry(void *arg, const char *name,
		       const struct phi_vdfs_stat *st)
{
	(void)arg;
	out_row();
	out_stat(st);
	out_str("name", name);
	if (out_json && (st->mode & S_IFMT) != S_IFDIR)
		vdfs_out_hash("hash", &st->hash);
	out_close();
	return 0;
}

int vdfs_verb_ls(struct args *args)
{
	char *path = args->n ? trim(args->operand[0]) : "";
	struct phi_vdfs_stat st;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	out_table("entries", "nothing there");
	ret = phi_vdfs_list(v, path, print_entry, NULL);
	if (ret == -ENOTDIR) {
		ret = phi_vdfs_stat(v, path, &st);
		if (!ret)
			print_entry(NULL, path, &st);
	}
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "list /%s", path);
	out_close();
	return out_end();
}

int vdfs_verb_stat(struct args *args)
{
	char *path = trim(args->operand[0]);
	struct phi_vdfs_stat st;
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	ret = phi_vdfs_stat(v, path, &st);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "look at /%s", path);
	out_str("name", path);
	out_stat(&st);
	out_u64("inode", st.ino);
	if ((st.mode & S_IFMT) != S_IFDIR)
		vdfs_out_hash("hash", &st.hash);
	return out_end();
}

int vdfs_verb_mkdir(struct args *args)
{
	uint32_t mode = 0755;
	struct phi_vdfs *v;
	int ret, i;

	if (vdfs_option_mode(args, args_option(args, "mode"), &mode))
		return EXIT_USAGE;
	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	for (i = 0; i < args->n && !ret; i++) {
		char *path = trim(args->operand[i]);

		ret = phi_vdfs_mkdir(v, path, mode);
		if (ret)
			ret = vdfs_fail(ret, "make the directory /%s", path);
	}
	phi_vdfs_close(v);
	return ret;
}

int vdfs_verb_ln(struct args *args)
{
	struct phi_vdfs_blob blob;
	struct phi_vdfs *v;
	char *name = trim(args->operand[1]);
	int ret;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	ret = phi_vdfs_blob_open(v, args->operand[0], &blob);
	if (!ret) {
		ret = phi_vdfs_link(v, name, &blob.hash);
		phi_vdfs_blob_close(v, &blob);
	}
	phi_vdfs_close(v);
	return ret ? vdfs_fail(ret, "point /%s at %s", name, args->operand[0]) :
		     EXIT_OK;
}

/* Names of a directory, kept until it has been read. */
struct names {
	char **name;
	size_t n;
};

static int add_name(void *arg, const char *name, const struct phi_vdfs_stat *st)
{
	struct names *names = arg;

	(void)st;
	names->name = must(
		reallocarray(names->name, names->n + 1, sizeof(*names->name)));
	names->name[names->n++] = must(strdup(name));
	return 0;
}

static int remove_path(struct phi_vdfs *v, const char *path, bool recursive);

static int remove_below(struct phi_vdfs *v, const char *path)
{
	struct names names = { 0 };
	char *below;
	size_t i;
	int ret;

	ret = phi_vdfs_list(v, path, add_name, &names);
	for (i = 0; i < names.n; i++) {
		if (!ret) {
			if (asprintf(&below, "%s/%s", path, names.name[i]) < 0)
				below = NULL;
			must(below);
			ret = remove_path(v, below, true);
			free(below);
		}
		free(names.name[i]);
	}
	free(names.name);
	return ret;
}

static int remove_path(struct phi_vdfs *v, const char *path, bool recursive)
{
	int ret = phi_vdfs_unlink(v, path);

	if (ret != -EISDIR)
		return ret;
	ret = recursive ? remove_below(v, path) : 0;
	return ret ? ret : phi_vdfs_rmdir(v, path);
}

int vdfs_verb_rm(struct args *args)
{
	bool recursive = args_option(args, "recursive");
	struct phi_vdfs *v;
	int ret, i;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	for (i = 0; i < args->n && !ret; i++) {
		char *path = trim(args->operand[i]);

		ret = remove_path(v, path, recursive);
		if (ret)
			ret = vdfs_fail(ret, "remove /%s", path);
	}
	phi_vdfs_close(v);
	return ret;
}

int vdfs_verb_mv(struct args *args)
{
	unsigned int flags =
		args_option(args, "no-replace") ? PHI_VDFS_NOREPLACE : 0;
	char *from = trim(args->operand[0]), *to = trim(args->operand[1]);
	struct phi_vdfs *v;
	int ret;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	ret = phi_vdfs_rename(v, from, to, flags);
	phi_vdfs_close(v);
	return ret ? vdfs_fail(ret, "rename /%s to /%s", from, to) : EXIT_OK;
}

/* Change a name to @to, of which each change knows the meaning. */
typedef int change_fn(struct phi_vdfs *v, const char *path, const uint32_t *to);

/* Change each path behind the first operand, until one fails. */
static int change_paths(struct args *args, const char *what, change_fn *change,
			const uint32_t *to)
{
	struct phi_vdfs *v;
	int ret, i;

	ret = vdfs_begin(args, 0, &v);
	if (ret)
		return ret;
	for (i = 1; i < args->n && !ret; i++) {
		char *path = trim(args->operand[i]);

		ret = change(v, path, to);
		if (ret)
			ret = vdfs_fail(ret, "change the %s of /%s", what,
					path);
	}
	phi_vdfs_close(v);
	return ret;
}

static int change_mode(struct phi_vdfs *v, const char *path, const uint32_t *to)
{
	return phi_vdfs_change(v, path, to[0], INT64_MIN);
}

int vdfs_verb_chmod(struct args *args)
{
	uint32_t mode = 0;

	if (vdfs_option_mode(args, args->operand[0], &mode))
		return EXIT_USAGE;
	return change_paths(args, "mode", change_mode, &mode);
}

/* A name or a number; "" leaves what there is. */
static int find_owner(const struct args *args, const char *text, uint32_t *uid)
{
	struct passwd *pw = getpwnam(text);
	uint64_t number = UINT32_MAX;
	int ret = EXIT_OK;

	if (pw)
		number = pw->pw_uid;
	else if (*text)
		ret = args_u64(args, "owner", text, UINT32_MAX - 1, &number);
	*uid = (uint32_t)number;
	return ret;
}

static int find_group(const struct args *args, const char *text, uint32_t *gid)
{
	struct group *gr = getgrnam(text);
	uint64_t number = UINT32_MAX;
	int ret = EXIT_OK;

	if (gr)
		number = gr->gr_gid;
	else if (*text)
		ret = args_u64(args, "group", text, UINT32_MAX - 1, &number);
	*gid = (uint32_t)number;
	return ret;
}

static int change_owner(struct phi_vdfs *v, const char *path,
			const uint32_t *to)
{
	return phi_vdfs_chown(v, path, to[0], to[1]);
}

int vdfs_verb_chown(struct args *args)
{
	char *owner = args->operand[0];
	char *group = strchr(owner, ':');
	uint32_t to[2];

	if (group)
		*group++ = '\0';
	if (find_owner(args, owner, &to[0]) ||
	    find_group(args, group ? group : "", &to[1]))
		return EXIT_USAGE;
	return change_paths(args, "owner", change_owner, to);
}

static int attr_print(struct phi_vdfs *v, const char *path, const char *attr)
{
	char *value = must(malloc(VALUE_MAX));
	ssize_t len = phi_vdfs_attr_get(v, path, attr, value, VALUE_MAX);
	int ret;

	if (len < 0) {
		ret = vdfs_fail((int)len, "read the attribute %s of /%s", attr,
				path);
	} else if (out_json) {
		out_bytes("value", value, (size_t)len);
		ret = out_end();
	} else {
		ret = write_all(STDOUT_FILENO, value, (size_t)len);
		if (ret)
			ret = fail(ret, "write the value");
	}
	free(value);
	return ret;
}

static int attr_list(struct phi_vdfs *v, const char *path)
{
	char *list = must(malloc(VALUE_MAX));
	ssize_t len = phi_vdfs_attr_list(v, path, list, VALUE_MAX);
	ssize_t at;
	int ret;

	if (len < 0) {
		ret = vdfs_fail((int)len, "list the attributes of /%s", path);
	} else {
		out_table("attributes", "no attributes");
		for (at = 0; at < len; at += (ssize_t)strlen(list + at) + 1) {
			out_row();
			out_str("name", list + at);
			out_close();
		}
		out_close();
		ret = out_end();
	}
	free(list);
	return ret;
}

int vdfs_verb_attr(struct args *args)
{
	bool remove = args_option(args, "remove");
	const char *attr = args->n > 1 ? args->operand[1] : NULL;
	const char *value = args->n > 2 ? args->operand[2] : NULL;
	char *path = trim(args->operand[0]);
	struct phi_vdfs *v;
	int ret;

	if (remove && (!attr || value))
		return usage_error(args, "--remove goes with a name alone");
	ret = vdfs_begin(args, remove || value ? 0 : PHI_VDFS_OPEN_READ, &v);
	if (ret)
		return ret;
	if (!attr) {
		ret = attr_list(v, path);
	} else if (remove || value) {
		ret = phi_vdfs_attr_set(v, path, attr, value,
					value ? strlen(value) : 0);
		if (ret)
			ret = vdfs_fail(ret, "change the attribute %s of /%s",
					attr, path);
	} else {
		ret = attr_print(v, path, attr);
	}
	phi_vdfs_close(v);
	return ret;
}
