// SPDX-License-Identifier: GPL-2.0-only
/* Names and their attributes; quotas and figures of the store. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "serve_impl.h"

static struct vdfs_store *store_of(const struct vdfsd_call *c)
{
	return server_of(c)->store;
}

static const char *path_of(const struct vdfsd_call *c)
{
	return c->name ? c->name : "";
}

/**
 * vdfsd_entry_add() - add an entry to the results of a call
 * @c: Call.
 * @entry: Entry; its lengths are set here.
 * @name: Its name.
 *
 * Context: Worker.
 * Return: 0; LIST_FULL when there is no room left; -EMSGSIZE when there never
 * was, with the room it takes in the answer.
 */
int vdfsd_entry_add(struct vdfsd_call *c, struct phi_vdfs_entry *entry,
		    const char *name)
{
	size_t len = strlen(name), bytes = sizeof(*entry) + len + 1;

	bytes = (bytes + 7) & ~7UL;
	if (bytes > c->room - c->answer.len) {
		if (c->answer.len) {
			c->answer.more = 1;
			return LIST_FULL;
		}
		c->answer.bytes = bytes;
		return -EMSGSIZE;
	}
	entry->bytes = bytes;
	entry->name_len = len;
	memset(c->out + c->answer.len + bytes - 8, 0, 8);
	memcpy(c->out + c->answer.len, entry, sizeof(*entry));
	memcpy(c->out + c->answer.len + sizeof(*entry), name, len);
	/* The padding, and with it the NUL, is zeros from the first. */
	c->out[c->answer.len + sizeof(*entry) + len] = '\0';
	c->answer.len += bytes;
	return 0;
}

/**
 * vdfsd_entries_end() - what a list that may have been full comes to
 * @c: Call.
 * @ret: Return value of the function that lists.
 *
 * Context: Worker.
 * Return: 0 or a negative errno, without results then.
 */
int vdfsd_entries_end(struct vdfsd_call *c, int ret)
{
	if (!ret || ret == LIST_FULL)
		return 0;
	c->answer.len = 0;
	c->answer.more = 0;
	return ret;
}

/* The hash says what is in a file: it is for a user who may read that. */
static void stat_out(const struct vdfsd_call *c, const struct vdfs_stat *st,
		     struct phi_vdfs_stat *out)
{
	if (vdfs_name_may(who_of(c), st->owner, st->gid, st->mode, R_OK))
		memcpy(&out->hash, &st->hash, sizeof(out->hash));
	else
		memset(&out->hash, 0, sizeof(out->hash));
	out->bytes = st->size;
	out->ino = st->ino;
	out->mtime_ns = st->mtime_ns;
	out->owner = st->owner;
	out->group = st->gid;
	out->mode = st->mode;
}

/**
 * vdfsd_stat() - serve STAT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_stat(struct vdfsd_call *c)
{
	struct vdfs_stat st;
	int ret;

	ret = vdfs_name_stat(store_of(c), who_of(c), path_of(c), &st);
	if (!ret)
		stat_out(c, &st, &c->answer.stat);
	return ret;
}

static int add_name(void *arg, const char *name, const struct vdfs_stat *st)
{
	struct phi_vdfs_entry entry = {};

	stat_out(arg, st, &entry.stat);
	return vdfsd_entry_add(arg, &entry, name);
}

/**
 * vdfsd_list() - serve LIST
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_list(struct vdfsd_call *c)
{
	return vdfsd_entries_end(c, vdfs_name_list(store_of(c), who_of(c),
						   path_of(c), c->more,
						   add_name, c));
}

/**
 * vdfsd_mkdir() - serve MKDIR
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_mkdir(struct vdfsd_call *c)
{
	return vdfs_name_mkdir(store_of(c), who_of(c), c->name, c->req.mode);
}

/**
 * vdfsd_link() - serve LINK
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_link(struct vdfsd_call *c)
{
	struct vdfs_hash hash;

	memcpy(&hash, &c->req.hash, sizeof(hash));
	return vdfs_name_link(store_of(c), who_of(c), c->name, &hash);
}

/**
 * vdfsd_unlink() - serve UNLINK
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_unlink(struct vdfsd_call *c)
{
	return vdfs_name_unlink(store_of(c), who_of(c), c->name);
}

/**
 * vdfsd_rmdir() - serve RMDIR
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_rmdir(struct vdfsd_call *c)
{
	return vdfs_name_rmdir(store_of(c), who_of(c), c->name);
}

/**
 * vdfsd_rename() - serve RENAME
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_rename(struct vdfsd_call *c)
{
	return vdfs_name_rename(store_of(c), who_of(c), c->name, c->more,
				c->req.flags & PHI_VDFS_NOREPLACE);
}

/**
 * vdfsd_change() - serve CHANGE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_change(struct vdfsd_call *c)
{
	return vdfs_name_change(store_of(c), who_of(c), c->name, c->req.mode,
				c->req.time_ns);
}

/**
 * vdfsd_chown() - serve CHOWN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_chown(struct vdfsd_call *c)
{
	if (c->req.value > UINT32_MAX)
		return -EINVAL;
	return vdfs_name_chown(store_of(c), who_of(c), c->name,
			       (uint32_t)c->req.value, c->req.mode);
}

/**
 * vdfsd_attr_set() - serve ATTR_SET
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_attr_set(struct vdfsd_call *c)
{
	bool remove = c->req.flags & PHI_VDFS_REMOVE;

	if (remove && c->req.data.len)
		return -EINVAL;
	return vdfs_attr_set(store_of(c), who_of(c), path_of(c), c->more,
			     remove ? NULL : c->data, c->req.data.len);
}

static int sized(struct vdfsd_call *c, ssize_t len)
{
	if (len < 0)
		return len;
	c->answer.bytes = len;
	/* Without room, the length alone was asked for. */
	if (c->room)
		c->answer.len = len;
	return 0;
}

/**
 * vdfsd_attr_get() - serve ATTR_GET
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_attr_get(struct vdfsd_call *c)
{
	return sized(c, vdfs_attr_get(store_of(c), who_of(c), path_of(c),
				      c->more, c->out, c->room));
}

/**
 * vdfsd_attr_list() - serve ATTR_LIST
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_attr_list(struct vdfsd_call *c)
{
	return sized(c, vdfs_attr_list(store_of(c), who_of(c), path_of(c),
				       c->out, c->room));
}

/**
 * vdfsd_quota_get() - serve QUOTA_GET
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0, -EINVAL for no uid, -EACCES for another's, or another negative
 * errno.
 */
int vdfsd_quota_get(struct vdfsd_call *c)
{
	uint64_t limit, used;
	int ret;

	if (c->req.value > UINT32_MAX)
		return -EINVAL;
	if (c->req.value != session_of(c)->who.uid && !session_of(c)->who.admin)
		return -EACCES;
	ret = vdfs_quota_get(store_of(c), c->req.value, &limit, &used);
	if (ret)
		return ret;
	c->answer.quota.limit = limit;
	c->answer.quota.used = used;
	return 0;
}

/**
 * vdfsd_quota_set() - serve QUOTA_SET
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_quota_set(struct vdfsd_call *c)
{
	if (c->req.value > UINT32_MAX)
		return -EINVAL;
	if (!session_of(c)->who.admin)
		return -EACCES;
	return vdfs_quota_set(store_of(c), who_of(c), c->req.value,
			      c->req.offset);
}

/**
 * vdfsd_stats() - serve STATS
 * @c: Call.
 *
 * Totals move when another user stores or reads something, so they are for an
 * administrator; USAGE has the figures of a user.
 *
 * Context: Worker.
 * Return: 0, -EACCES for anyone else, or another negative errno.
 */
int vdfsd_stats(struct vdfsd_call *c)
{
	struct vdfsd *s = server_of(c);
	struct phi_vdfs_stats *out = &c->answer.stats;
	struct vdfs_store_stats st;
	int ret;

	if (!who_of(c)->admin)
		return -EACCES;
	ret = vdfs_store_stats(s->store, &st);
	if (ret)
		return ret;
	out->blobs = st.blobs;
	out->blob_bytes = st.blob_bytes;
	out->objects = st.objects;
	out->object_bytes = st.object_bytes;
	out->disk_bytes = st.disk_bytes;
	out->names = st.names;
	pthread_mutex_lock(&s->daemon.lock);
	out->mapped = s->nmaps;
	out->mapped_bytes = s->map_bytes;
	out->sessions = s->daemon.nsessions;
	pthread_mutex_unlock(&s->daemon.lock);
	return 0;
}
