// SPDX-License-Identifier: GPL-2.0-only
/* Names as a bucket has them: keys, and JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "remote_impl.h"

#define PREFIX "name/"
#define PREFIX_LEN 5

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr(".-/", c));
}

/**
 * vdfs_remote_key() - say under which key a bucket has a name
 * @path: The name.
 * @dir: It is a directory.
 * @key: Out.
 *
 * Context: Any.
 * Return: 0 or -ENAMETOOLONG.
 */
int vdfs_remote_key(const char *path, bool dir, char key[VDFS_REMOTE_KEY])
{
	size_t n = PREFIX_LEN;

	memcpy(key, PREFIX, PREFIX_LEN);
	for (; *path; path++) {
		if (n + 5 > VDFS_REMOTE_KEY)
			return -ENAMETOOLONG;
		if (plain(*path)) {
			key[n++] = *path;
		} else {
			sprintf(key + n, "_%02X", (unsigned char)*path);
			n += 3;
		}
	}
	if (dir)
		key[n++] = '_';
	key[n] = '\0';
	return 0;
}

static int digit(char c)
{
	const char *digits = "0123456789ABCDEF", *at = strchr(digits, c);

	return c && at ? at - digits : -1;
}

/**
 * vdfs_remote_path() - say which name is under a key
 * @key: The key.
 * @path: Out.
 * @dir: Out, it is a directory.
 *
 * Context: Any.
 * Return: 0, or -EINVAL when no name has that key.
 */
int vdfs_remote_path(const char *key, char path[VDFS_PATH_MAX + 1], bool *dir)
{
	size_t n = 0;
	int high, low;

	*dir = false;
	if (strncmp(key, PREFIX, PREFIX_LEN))
		return -EINVAL;
	for (key += PREFIX_LEN; *key && !*dir; key++) {
		if (n == VDFS_PATH_MAX)
			return -EINVAL;
		if (*key != '_') {
			path[n++] = *key;
		} else if (!key[1]) {
			*dir = true;
		} else {
			high = digit(key[1]);
			low = digit(key[2]);
			if (high < 0 || low < 0 || !(high | low))
				return -EINVAL;
			path[n++] = high << 4 | low;
			key += 2;
		}
	}
	path[n] = '\0';
	return n && !vdfs_name_check(path) && path[n - 1] != '/' ? 0 : -EINVAL;
}

/**
 * vdfs_remote_body() - describe a name
 * @name: The name with its attributes; out, its body.
 *
 * Context: Any.
 * Return: 0 or -ENOMEM.
 */
int vdfs_remote_body(struct vdfs_remote_name *name)
{
	const struct vdfs_stat *st = &name->st;
	char hash[VDFS_HASH_TEXT];
	json_t *json;
	size_t n = 0;

	/* A directory's time is not shared: it changes with all in it. */
	vdfs_hash_print(&st->hash, hash);
	if (S_ISDIR(st->mode))
		json = json_pack("{s:b, s:I, s:i}", "directory", 1, "owner",
				 (json_int_t)st->owner, "mode",
				 st->mode & VDFS_MODE_BITS_DIR);
	else
		json = json_pack("{s:s, s:I, s:I, s:i, s:I}", "hash", hash,
				 "size", (json_int_t)st->size, "owner",
				 (json_int_t)st->owner, "mode",
				 st->mode & VDFS_MODE_BITS, "mtime",
				 (json_int_t)st->mtime_ns);
	/* Hosts of earlier versions wrote names without a group. */
	if (json && st->gid != VDFS_GID_NONE &&
	    json_object_set_new(json, "group", json_integer(st->gid)))
		json_object_clear(json);
	if (json && json_object_size(json))
		n = json_dumpb(json, name->body, sizeof(name->body) - 1,
			       JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	if (!n || n >= sizeof(name->body))
		return -ENOMEM;
	name->body[n] = '\0';
	return 0;
}

static int take(struct vdfs_remote_name *name, json_t *json)
{
	struct vdfs_stat *st = &name->st;
	json_int_t owner, gid = VDFS_GID_NONE, mode, size = 0, mtime = 0;
	const char *hash = NULL;
	int dir = 0;

	if (json_unpack(json, "{s?b, s:I, s?I, s:I, s?s, s?I, s?I}",
			"directory", &dir, "owner", &owner, "group", &gid,
			"mode", &mode, "hash", &hash, "size", &size, "mtime",
			&mtime))
		return -EINVAL;
	if (owner < 0 || owner >= VDFS_REMOTE_UID || gid < 0 ||
	    gid > VDFS_GID_NONE || size < 0 || !hash == !dir)
		return -EINVAL;
	if (mode < 0 || mode & ~(dir ? VDFS_MODE_BITS_DIR : VDFS_MODE_BITS))
		return -EINVAL;
	memset(st, 0, sizeof(*st));
	st->owner = owner;
	st->gid = gid;
	st->mode = mode | (dir ? S_IFDIR : S_IFREG);
	st->size = size;
	st->mtime_ns = mtime;
	return dir ? 0 : vdfs_hash_parse(hash, &st->hash);
}

/**
 * vdfs_remote_parse() - understand a description
 * @name: Its body; out, what it is.
 *
 * Context: Any.
 * Return: 0 or -EINVAL.
 */
int vdfs_remote_parse(struct vdfs_remote_name *name)
{
	json_t *json = json_loads(name->body, JSON_REJECT_DUPLICATES, NULL);
	int err = json ? take(name, json) : -EINVAL;

	json_decref(json);
	return err;
}
