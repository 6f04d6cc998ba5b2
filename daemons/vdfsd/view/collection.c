// SPDX-License-Identifier: GPL-2.0-only
/* Collections as directories: /collections, what they are, who may look. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "view_impl.h"

static const struct {
	const char *name;
	enum vdfs_view_kind kind;
} parts[] = {
	{ "info", VDFS_INFO },
	{ "items", VDFS_ITEMS },
	{ "search", VDFS_SEARCHES },
	{ "why", VDFS_WHYS },
};

#define PARTS ARRAY_SIZE(parts)

/* The directory of the collection that an inode is in. None is ever moved. */
static const struct vdfs_inode *collection_of(const struct vdfs_inode *inode)
{
	while (inode->kind != VDFS_COLLECTION)
		inode = inode->parent;
	return inode;
}

/**
 * vdfs_inode_collection_open() - the collection of an inode
 * @call: For whom.
 * @inode: A collection or something in it.
 * @out: Out.
 *
 * Return: 0, -ENOENT, -ESTALE when that one was dropped and another has its
 * name, or another negative errno.
 */
int vdfs_inode_collection_open(struct vdfs_call *call,
			       const struct vdfs_inode *inode,
			       struct vdfs_collection **out)
{
	const struct vdfs_inode *dir = collection_of(inode);
	int err = vdfs_collection_open(call->fuse->db, &call->who, dir->name,
				       NULL, NULL, out);

	if (!err && (uint64_t)vdfs_collection_params(*out)->id != dir->st.ino) {
		vdfs_collection_put(*out);
		err = -ESTALE;
	}
	return err;
}

static int look_for(struct vdfs_call *call, const char *name,
		    struct vdfs_collection_params *params)
{
	if (!call->fuse->db)
		return -ENOENT;
	return vdfs_collection_look(call->fuse->db, &call->who, name, params);
}

int vdfs_collections_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
			    const char *name, struct vdfs_inode **out)
{
	struct vdfs_collection_params params;
	struct vdfs_stat st = {};
	int err = look_for(call, name, &params);

	if (err)
		return err;
	st.ino = (uint64_t)params.id;
	return vdfs_inode_find(call, dir, name, VDFS_COLLECTION, &st, out);
}

static int add_collection(void *arg, const char *name,
			  const struct vdfs_collection_params *params,
			  uint64_t items)
{
	struct vdfs_listing *listing = arg;

	(void)items;
	return vdfs_listing_add(listing, name,
				vdfs_virtual_ino(listing->inode, name,
						 (uint64_t)params->id),
				S_IFDIR);
}

int vdfs_collections_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	listing->done = true;
	if (!call->fuse->db)
		return 0;
	return vdfs_collection_list(call->fuse->db, &call->who, add_collection,
				    listing);
}

int vdfs_view_collection_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
				const char *name, struct vdfs_inode **out)
{
	size_t i;

	for (i = 0; i < PARTS; i++) {
		if (!strcmp(parts[i].name, name))
			return vdfs_inode_find(call, dir, name, parts[i].kind,
					       NULL, out);
	}
	return -ENOENT;
}

int vdfs_view_collection_list(struct vdfs_call *call,
			      struct vdfs_listing *listing)
{
	size_t i;
	int err = 0;

	(void)call;
	for (i = 0; i < PARTS && !err; i++)
		err = vdfs_listing_add(listing, parts[i].name,
				       vdfs_virtual_ino(listing->inode,
							parts[i].name, 0),
				       vdfs_views[parts[i].kind].mode);
	listing->done = true;
	return err;
}

/* Owner and permissions are the collection's. */
int vdfs_view_collection_stat(struct vdfs_call *call, struct vdfs_inode *inode,
			      struct stat *st)
{
	struct vdfs_collection_params params;
	struct vdfs_collection *c;
	uint32_t rest = S_IFMT;
	int err;

	if (inode->kind == VDFS_COLLECTION) {
		/* Looking at its name is no reason to load it. */
		err = look_for(call, collection_of(inode)->name, &params);
		if (!err && (uint64_t)params.id != inode->st.ino)
			err = -ESTALE;
	} else {
		err = vdfs_inode_collection_open(call, inode, &c);
		if (!err) {
			params = *vdfs_collection_params(c);
			vdfs_collection_put(c);
		}
	}
	if (err)
		return err;
	st->st_uid = params.owner;
	st->st_gid = VDFS_NOBODY;
	if (S_ISDIR(st->st_mode))
		rest |= 0111;
	st->st_mode &= rest | (params.mode & 0666);
	return 0;
}

static const char *const metrics[] = { "l2", "ip", "cosine" };
static const char *const types[] = { "f32", "i8", "f16" };
static const int code_bits[VDFS_CODES_KINDS] = {
	[VDFS_CODES_8] = 8, [VDFS_CODES_4] = 4, [VDFS_CODES_3] = 3,
	[VDFS_CODES_2] = 2, [VDFS_CODES_1] = 1,
};

int vdfs_info_text(struct vdfs_call *call, struct vdfs_inode *inode,
		   char **text, size_t *len)
{
	const struct vdfs_collection_params *p;
	struct vdfs_collection_stats stats;
	struct vdfs_collection *c;
	json_t *info = NULL;
	char mode[8];
	int err;

	err = vdfs_inode_collection_open(call, inode, &c);
	if (err)
		return err;
	p = vdfs_collection_params(c);
	snprintf(mode, sizeof(mode), "%04o", p->mode);
	err = vdfs_collection_stats(c, &stats);
	if (!err)
		info = json_pack("{sssisssssisisisisssIsIsIsIsI}", "name",
				 collection_of(inode)->name, "dim", (int)p->dim,
				 "metric", metrics[p->metric], "type",
				 types[p->type], "codes", code_bits[p->codes],
				 "m", (int)p->m, "ef_build", (int)p->ef_build,
				 "owner", (int)p->owner, "mode", mode, "items",
				 (json_int_t)stats.items, "deleted",
				 (json_int_t)stats.deleted, "index_bytes",
				 (json_int_t)stats.index_bytes, "generation",
				 (json_int_t)stats.generation, "saved",
				 (json_int_t)stats.saved);
	*text = info ? json_dumps(info, JSON_INDENT(2)) : NULL;
	if (*text)
		*len = strlen(*text);
	else if (!err)
		err = -ENOMEM;
	json_decref(info);
	vdfs_collection_put(c);
	return err;
}
