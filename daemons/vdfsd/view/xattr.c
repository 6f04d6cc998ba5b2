// SPDX-License-Identifier: GPL-2.0-only
/* Extended attributes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "view_impl.h"

/* The kernel knows user.X where the store knows X. */
#define USER "user."
#define OWN USER "vdfs."
#define HASH OWN "hash"
#define DISTANCES OWN "distances"

static const char hash_list[] = HASH;
static const char item_list[] = OWN "vector\0" OWN "vector.f32\0" OWN
				    "metadata";
static const char search_list[] = DISTANCES;

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static int get_hash(struct vdfs_call *call, struct vdfs_inode *inode,
		    char **value, size_t *len)
{
	struct vdfs_hash hash;
	int err = vdfs_inode_may(call, inode, R_OK);

	/* It says what is in the file. */
	if (err)
		return err;
	pthread_mutex_lock(&call->fuse->lock);
	hash = inode->st.hash;
	pthread_mutex_unlock(&call->fuse->lock);
	*value = malloc(VDFS_HASH_TEXT);
	if (!*value)
		return -ENOMEM;
	vdfs_hash_print(&hash, *value);
	*len = VDFS_HASH_TEXT - 1;
	return 0;
}

static int get_named(struct vdfs_call *call, struct vdfs_inode *inode,
		     const char *name, char **value, size_t *len)
{
	struct vdfs_who who = vdfs_inode_at(call, inode);
	ssize_t n;

	*value = malloc(VDFS_ATTR_VALUE_MAX);
	if (!*value)
		return -ENOMEM;
	n = vdfs_attr_get(call->fuse->store, &who, "", name + strlen(USER),
			  *value, VDFS_ATTR_VALUE_MAX);
	if (n < 0) {
		free(*value);
		*value = NULL;
		return (int)n;
	}
	*len = (size_t)n;
	return 0;
}

static int get(struct vdfs_call *call, struct vdfs_inode *inode,
	       const char *name, char **value, size_t *len)
{
	bool file = inode->kind == VDFS_NAME || inode->kind == VDFS_HASH;

	if (!starts(name, USER))
		return -EOPNOTSUPP;
	if (file && !strcmp(name, HASH))
		return get_hash(call, inode, value, len);
	if (inode->kind == VDFS_SEARCH && !strcmp(name, DISTANCES))
		return vdfs_search_distances(call, inode, value, len);
	if (inode->kind == VDFS_ITEM && starts(name, OWN))
		return vdfs_item_get_attr(call, inode, name + strlen(OWN),
					  value, len);
	if (inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES)
		return get_named(call, inode, name, value, len);
	return -ENODATA;
}

static void reply_value(fuse_req_t req, const char *value, size_t len,
			size_t size)
{
	if (!size)
		fuse_reply_xattr(req, len);
	else if (len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, len);
}

void vdfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		      size_t size)
{
	struct vdfs_call call = vdfs_call_of(req);
	char *value = NULL;
	size_t len;
	int err = get(&call, vdfs_inode_of(call.fuse, ino), name, &value, &len);

	/* The kernel hands out no more; it would say ENOMEM or EIO. */
	if (!err && len > VDFS_ATTR_VALUE_MAX)
		err = -E2BIG;
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_value(req, value, len, size);
	free(value);
}

static int set_named(struct vdfs_call *call, struct vdfs_inode *inode,
		     const char *name, const char *value, size_t size,
		     int flags)
{
	struct vdfs_who who = vdfs_inode_at(call, inode);

	return vdfs_attr_set_if(call->fuse->store, &who, "",
				name + strlen(USER), value, size, flags);
}

/* @value: NULL = remove. */
static int set(struct vdfs_call *call, struct vdfs_inode *inode,
	       const char *name, const char *value, size_t size, int flags)
{
	if (call->fuse->read_only)
		return -EROFS;
	if (!starts(name, USER))
		return -EOPNOTSUPP;
	if (inode->kind == VDFS_ITEM && starts(name, OWN) && value)
		return vdfs_item_set_attr(call, inode, name + strlen(OWN),
					  value, size);
	if (starts(name, OWN))
		return -EPERM;
	if (inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES)
		return set_named(call, inode, name, value, size, flags);
	return -EPERM;
}

void vdfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		      const char *value, size_t size, int flags)
{
	struct vdfs_call call = vdfs_call_of(req);
	/* No value at all is an empty one. */
	int err = set(&call, vdfs_inode_of(call.fuse, ino), name,
		      value ? value : "", size, flags);

	fuse_reply_err(req, -err);
}

void vdfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct vdfs_call call = vdfs_call_of(req);
	int err = set(&call, vdfs_inode_of(call.fuse, ino), name, NULL, 0, 0);

	fuse_reply_err(req, -err);
}

/* Append the attributes of a name, as the kernel knows them. */
static int list_named(struct vdfs_call *call, struct vdfs_inode *inode,
		      FILE *out)
{
	struct vdfs_who who = vdfs_inode_at(call, inode);
	const char *at;
	char *list;
	ssize_t n;

	list = malloc(VDFS_ATTR_VALUE_MAX);
	if (!list)
		return -ENOMEM;
	n = vdfs_attr_list(call->fuse->store, &who, "", list,
			   VDFS_ATTR_VALUE_MAX);
	for (at = list; n > 0 && at < list + n; at += strlen(at) + 1)
		fprintf(out, USER "%s%c", at, 0);
	free(list);
	return n < 0 ? (int)n : 0;
}

static int list(struct vdfs_call *call, struct vdfs_inode *inode, FILE *out)
{
	switch (inode->kind) {
	case VDFS_HASH:
		fwrite(hash_list, sizeof(hash_list), 1, out);
		return 0;
	case VDFS_ITEM:
		fwrite(item_list, sizeof(item_list), 1, out);
		return 0;
	case VDFS_SEARCH:
		fwrite(search_list, sizeof(search_list), 1, out);
		return 0;
	case VDFS_NAME:
		fwrite(hash_list, sizeof(hash_list), 1, out);
		return list_named(call, inode, out);
	case VDFS_NAMES:
		return list_named(call, inode, out);
	default:
		return 0;
	}
}

void vdfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct vdfs_call call = vdfs_call_of(req);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	err = list(&call, vdfs_inode_of(call.fuse, ino), out);
	if (fclose(out) && !err)
		err = -ENOMEM;
	/* A file that lost its name has none but its hash. */
	if (err && err != -ESTALE && err != -ENOENT)
		fuse_reply_err(req, -err);
	else
		reply_value(req, text, len, size);
	free(text);
}
