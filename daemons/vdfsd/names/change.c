// SPDX-License-Identifier: GPL-2.0-only
/* Modes, times, owners and groups of names that are there. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"
#include "store/usage.h"

/**
 * struct change - what a name is to be
 * @store: The store.
 * @who: For whom.
 * @path: Of the name.
 * @mode: Permission bits; ~0U = leave.
 * @mtime: Time; INT64_MIN = leave.
 * @now: That is now.
 * @owner: Owner; ~0U = leave.
 * @gid: Group; ~0U = leave.
 */
struct change {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const char *path;
	uint32_t mode;
	int64_t mtime;
	bool now;
	uint32_t owner;
	uint32_t gid;
};

static int write_change(struct change *c, vdfs_meta_fn *fn)
{
	struct vdfs_name_change change = {
		.fn = fn, .arg = c, .at = c->who->at, .path = c->path
	};

	return vdfs_name_run(c->store, &change);
}

/* No file runs as its owner or group; S_ISGID is for a member to give. */
static int set_mode(const struct change *c, struct vdfs_name_node *node)
{
	uint32_t bits = VDFS_MODE_BITS;

	if (c->mode & S_ISGID && !S_ISDIR(node->mode))
		return -EPERM;
	if (S_ISDIR(node->mode) &&
	    (c->who->admin || vdfs_name_in_group(c->who, node->gid)))
		bits = VDFS_MODE_BITS_DIR;
	node->mode = (node->mode & S_IFMT) | (c->mode & bits);
	return 0;
}

static int change(struct sqlite3 *db, void *arg)
{
	const struct change *c = arg;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, c->who, c->path, &node);
	if (err)
		return err;
	/* A user who may write may say that it was now, and no more. */
	if (!vdfs_node_own(c->who, &node) &&
	    (c->mode != ~0U || !c->now || !vdfs_node_may(c->who, &node, W_OK)))
		return -EACCES;
	if (c->mode != ~0U)
		err = set_mode(c, &node);
	if (err)
		return err;
	if (c->mtime != INT64_MIN)
		node.mtime = c->mtime;
	return vdfs_sql_run(
		db,
		"UPDATE node SET mode = ?2, mtime = ?3, ctime = ?4,\n" VDFS_NODE_SUM(
			"parent", "name", "object", "owner", "?2", "?3", "gid",
			"?4") "WHERE ino = ?1",
		VDFS_INT(node.ino), VDFS_INT(node.mode), VDFS_INT(node.mtime),
		VDFS_INT(vdfs_name_now()));
}

/**
 * vdfs_name_change() - change who may use a name, or its time
 * @store: The store.
 * @who: The user.
 * @path: Of the name.
 * @mode: Permission bits; ~0U = leave. S_ISGID of a directory is dropped unless
 *        the user is in its group.
 * @mtime_ns: Time; INT64_MIN = leave; VDFS_MTIME_NOW is also for a user who may
 *            write and does not own it.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -EPERM for a mode by which a file would run as its owner or group,
 * or another negative errno.
 */
int vdfs_name_change(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path, uint32_t mode, int64_t mtime_ns)
{
	struct change c = { .store = store,
			    .who = who,
			    .path = path,
			    .mode = mode,
			    .mtime = mtime_ns };

	if (mode != ~0U && mode & S_ISUID)
		return -EPERM;
	/* The same, however often the change is made. */
	c.now = mtime_ns == VDFS_MTIME_NOW;
	if (c.now)
		c.mtime = vdfs_name_now();
	return write_change(&c, change);
}

/* Only root gives a name away, and takes one: its cost goes with it. */
static bool may_chown(const struct change *c, const struct vdfs_name_node *node)
{
	if (c->who->admin)
		return true;
	return node->owner == c->who->uid &&
	       (c->owner == ~0U || c->owner == node->owner) &&
	       (c->gid == ~0U || c->gid == node->gid ||
		vdfs_name_in_group(c->who, c->gid));
}

static int chown_name(struct sqlite3 *db, void *arg)
{
	const struct change *c = arg;
	struct vdfs_name_node node;
	int err;

	err = vdfs_node_walk(db, c->who, c->path, &node);
	if (err)
		return err;
	if (!may_chown(c, &node))
		return -EPERM;
	/* Nobody pays for the root. */
	if (node.ino == VDFS_ROOT)
		return -EBUSY;
	if (c->owner != ~0U) {
		err = vdfs_payer_give(db, c->store, &node, c->owner);
		node.owner = c->owner;
	}
	if (err)
		return err;
	if (c->gid != ~0U)
		node.gid = c->gid;
	return vdfs_sql_run(
		db,
		"UPDATE node SET owner = ?2, gid = ?3, ctime = ?4,\n" VDFS_NODE_SUM(
			"parent", "name", "object", "?2", "mode", "mtime", "?3",
			"?4") "WHERE ino = ?1",
		VDFS_INT(node.ino), VDFS_INT(node.owner), VDFS_INT(node.gid),
		VDFS_INT(vdfs_name_now()));
}

/**
 * vdfs_name_chown() - change the owner or the group of a name
 * @store: The store.
 * @who: The user: an administrator, or, for another group, the owner, who has
 *       to be in that.
 * @path: Of the name.
 * @owner: User who owns it, and pays for what its owner paid for; ~0U = leave.
 * @gid: Group; ~0U = leave.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -EPERM, -EDQUOT when the new owner has no room, -EINVAL for an
 * owner that nobody can be, -EBUSY for the root, or another negative errno.
 */
int vdfs_name_chown(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path, uint32_t owner, uint32_t gid)
{
	struct change c = { .store = store,
			    .who = who,
			    .path = path,
			    .owner = owner,
			    .gid = gid };

	if (owner != ~0U && owner > VDFS_UID_MAX)
		return -EINVAL;
	return write_change(&c, chown_name);
}
