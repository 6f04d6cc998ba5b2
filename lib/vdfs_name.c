// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names, their attributes, and lists. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "vdfs_impl.h"

/* Room for one page of a list: more entries than most directories have. */
#define LIST_ROOM 65536

static int path_do(struct phi_vdfs *v, uint32_t op, const char *path)
{
	struct vdfs_ask a = { .req.op = op, .name = path };

	return vdfs_do(v, &a);
}

/* Give the entries of one page, which is private, and remember the last. */
static int each_entry(char *page, size_t len,
		      int (*each)(void *arg, const struct phi_vdfs_entry *entry,
				  const char *name),
		      void *arg, struct phi_vdfs_entry **last)
{
	struct phi_vdfs_entry *entry;
	size_t at = 0;
	char *name;
	int ret = 0;

	while (at < len && !ret) {
		entry = (struct phi_vdfs_entry *)(page + at);
		name = (char *)(entry + 1);
		if (len - at < sizeof(*entry) || entry->bytes > len - at ||
		    entry->bytes % 8 || entry->bytes <= sizeof(*entry) ||
		    entry->name_len >= entry->bytes - sizeof(*entry) ||
		    name[entry->name_len])
			return -EPROTO;
		*last = entry;
		ret = each(arg, entry, name);
		at += entry->bytes;
	}
	return ret;
}

int vdfs_entries(struct phi_vdfs *v, struct vdfs_ask *a,
		 int (*each)(void *arg, const struct phi_vdfs_entry *entry,
			     const char *name),
		 void (*next)(struct vdfs_ask *a,
			      const struct phi_vdfs_entry *entry,
			      const char *name),
		 void *arg)
{
	struct phi_vdfs_entry *last = NULL;
	char *pages[2] = { malloc(LIST_ROOM), malloc(LIST_ROOM) };
	unsigned int turn = 0;
	int ret = pages[0] && pages[1] ? 0 : -ENOMEM;

	a->room = LIST_ROOM;
	while (!ret) {
		char *page = pages[turn++ % 2];
		bool more;

		pthread_mutex_lock(&v->lock);
		ret = vdfs_ask(v, a);
		if (!ret)
			memcpy(page, a->out, a->answer.len);
		pthread_mutex_unlock(&v->lock);
		if (ret)
			break;
		more = a->answer.more;
		last = NULL;
		ret = each_entry(page, a->answer.len, each, arg, &last);
		if (ret || !more)
			break;
		if (!last)
			ret = -EPROTO;
		else
			next(a, last, (char *)(last + 1));
	}
	free(pages[0]);
	free(pages[1]);
	return ret;
}

int phi_vdfs_stat(struct phi_vdfs *v, const char *path,
		  struct phi_vdfs_stat *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_STAT, .name = path };
	int ret = vdfs_do(v, &a);

	if (!ret)
		*out = a.answer.stat;
	return ret;
}

/* The callbacks of a list. */
struct listing {
	phi_vdfs_entry_fn *entry;
	phi_vdfs_blob_fn *blob;
	void *arg;
};

static int list_each(void *arg, const struct phi_vdfs_entry *entry,
		     const char *name)
{
	const struct listing *l = arg;

	return l->entry(l->arg, name, &entry->stat);
}

static void list_next(struct vdfs_ask *a, const struct phi_vdfs_entry *entry,
		      const char *name)
{
	(void)entry;
	a->more = name;
}

int phi_vdfs_list(struct phi_vdfs *v, const char *path, phi_vdfs_entry_fn *fn,
		  void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_LIST, .name = path };
	struct listing l = { .entry = fn, .arg = arg };

	return vdfs_entries(v, &a, list_each, list_next, &l);
}

static int blobs_each(void *arg, const struct phi_vdfs_entry *entry,
		      const char *name)
{
	const struct listing *l = arg;

	(void)name;
	return l->blob(l->arg, &entry->stat.hash, entry->stat.bytes);
}

static void blobs_next(struct vdfs_ask *a, const struct phi_vdfs_entry *entry,
		       const char *name)
{
	(void)name;
	a->req.flags = PHI_VDFS_AFTER;
	a->req.hash = entry->stat.hash;
}

int phi_vdfs_blobs(struct phi_vdfs *v, phi_vdfs_blob_fn *fn, void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_BLOBS_LIST };
	struct listing l = { .blob = fn, .arg = arg };

	return vdfs_entries(v, &a, blobs_each, blobs_next, &l);
}

int phi_vdfs_mkdir(struct phi_vdfs *v, const char *path, uint32_t mode)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_MKDIR, .name = path };

	a.req.mode = mode;
	return vdfs_do(v, &a);
}

int phi_vdfs_link(struct phi_vdfs *v, const char *path,
		  const struct phi_vdfs_hash *hash)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_LINK, .name = path };

	a.req.hash = *hash;
	return vdfs_do(v, &a);
}

int phi_vdfs_unlink(struct phi_vdfs *v, const char *path)
{
	return path_do(v, PHI_VDFS_UNLINK, path);
}

int phi_vdfs_rmdir(struct phi_vdfs *v, const char *path)
{
	return path_do(v, PHI_VDFS_RMDIR, path);
}

int phi_vdfs_rename(struct phi_vdfs *v, const char *from, const char *to,
		    unsigned int flags)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_RENAME, .name = from };

	a.req.flags = flags;
	a.more = to;
	return vdfs_do(v, &a);
}

int phi_vdfs_change(struct phi_vdfs *v, const char *path, uint32_t mode,
		    int64_t mtime_ns)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_CHANGE, .name = path };

	a.req.mode = mode;
	a.req.time_ns = mtime_ns;
	return vdfs_do(v, &a);
}

int phi_vdfs_chown(struct phi_vdfs *v, const char *path, uint32_t owner,
		   uint32_t group)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_CHOWN, .name = path };

	a.req.value = owner;
	a.req.mode = group;
	return vdfs_do(v, &a);
}

int phi_vdfs_attr_set(struct phi_vdfs *v, const char *path, const char *attr,
		      const void *value, size_t len)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_ATTR_SET, .name = path };

	a.req.flags = value ? 0 : PHI_VDFS_REMOVE;
	a.more = attr;
	a.data = value;
	a.data_len = value ? len : 0;
	return vdfs_do(v, &a);
}

/* Ask for something whose length the daemon tells. */
static ssize_t ask_sized(struct phi_vdfs *v, struct vdfs_ask *a, void *out,
			 size_t len)
{
	int ret;

	a->room = len < PHI_VDFS_SPAN_MAX ? len : PHI_VDFS_SPAN_MAX;
	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask(v, a);
	/* All of it came, or, without room, nothing but its length. */
	if (!ret && (a->room ? a->answer.bytes != a->answer.len :
			       a->answer.bytes > SSIZE_MAX))
		ret = -EPROTO;
	if (!ret)
		memcpy(out, a->out, a->answer.len);
	pthread_mutex_unlock(&v->lock);
	return ret ? ret : (ssize_t)a->answer.bytes;
}

ssize_t phi_vdfs_attr_get(struct phi_vdfs *v, const char *path,
			  const char *attr, void *value, size_t len)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_ATTR_GET, .name = path };

	a.more = attr;
	return ask_sized(v, &a, value, len);
}

ssize_t phi_vdfs_attr_list(struct phi_vdfs *v, const char *path, char *list,
			   size_t len)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_ATTR_LIST, .name = path };
	ssize_t n = ask_sized(v, &a, list, len);

	return n > 0 && len && list[n - 1] ? -EPROTO : n;
}
