// SPDX-License-Identifier: GPL-2.0-only
/* Figures of one user: all that it is charged for, and the limits of that. */
#include <errno.h>

#include "job.h"
#include "serve_impl.h"
#include "store/charge.h"
#include "store/usage.h"

static uint32_t charged(struct vdfsd *s, uint32_t uid,
			enum vdfs_charge_kind kind, __u32 *limit)
{
	*limit = vdfs_charge_limit(s->store, kind);
	return vdfs_charged(s->store, uid, kind);
}

/* The part of a user that ends with its sessions. */
static void add_sessions(struct vdfsd *s, uint32_t uid,
			 struct phi_vdfs_usage *out)
{
	struct daemon *d = &s->daemon;
	struct user *user;
	uint32_t i;

	out->sessions_max = USER_SESSIONS_MAX;
	out->jobs_max = USER_JOBS_MAX;
	out->calls_max = USER_SESSIONS_MAX * d->kind->credits;
	pthread_mutex_lock(&d->lock);
	LIST_FOREACH(user, &d->users, link)
	{
		if (user->uid == uid) {
			out->sessions = user->sessions;
			out->jobs = user->jobs;
		}
	}
	for (i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		if (d->sessions[i] && d->sessions[i]->uid == uid)
			out->calls += d->sessions[i]->calls;
	}
	pthread_mutex_unlock(&d->lock);
}

/**
 * vdfsd_usage_of() - read what a user is charged for
 * @s: Daemon.
 * @uid: The user.
 * @out: Zeroed.
 *
 * Context: Any thread, without the lock.
 * Return: 0 or a negative errno.
 */
int vdfsd_usage_of(struct vdfsd *s, uint32_t uid, struct phi_vdfs_usage *out)
{
	struct vdfs_usage rows[VDFS_USAGES];
	uint64_t quota, used;
	int ret;

	ret = vdfs_quota_get(s->store, uid, &quota, &used);
	if (!ret)
		ret = vdfs_usage_get(s->store, uid, rows);
	if (ret)
		return ret;
	out->quota = quota;
	out->used = used;
	out->staged = vdfs_charged(s->store, uid, VDFS_CHARGE_STAGED);
	out->names = rows[VDFS_USAGE_NAMES].n;
	out->names_max = vdfs_usage_limit(quota, VDFS_USAGE_NAMES);
	out->attrs = rows[VDFS_USAGE_ATTRS].n;
	out->attr_bytes = rows[VDFS_USAGE_ATTRS].bytes;
	out->items = rows[VDFS_USAGE_ITEMS].n;
	out->item_bytes = rows[VDFS_USAGE_ITEMS].bytes;
	out->value_bytes = rows[VDFS_USAGE_VALUES].bytes;
	out->memory = vdfs_charged(s->store, uid, VDFS_CHARGE_MEMORY);
	out->memory_max = vdfs_charge_limit(s->store, VDFS_CHARGE_MEMORY);
	out->puts = charged(s, uid, VDFS_CHARGE_PUTS, &out->puts_max);
	out->files = charged(s, uid, VDFS_CHARGE_FILES, &out->files_max);
	out->dirs = charged(s, uid, VDFS_CHARGE_DIRS, &out->dirs_max);
	out->locks = charged(s, uid, VDFS_CHARGE_LOCKS, &out->locks_max);
	out->inodes = charged(s, uid, VDFS_CHARGE_INODES, &out->inodes_max);
	add_sessions(s, uid, out);
	out->collections_max = VDFS_COLLECTIONS_MAX;
	return s->db ? vdfs_collection_count(s->db, uid, &out->collections) : 0;
}

/**
 * vdfsd_usage() - serve USAGE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0, -EINVAL for no uid, -EACCES for another's, or another negative
 * errno.
 */
int vdfsd_usage(struct vdfsd_call *c)
{
	if (c->req.value > UINT32_MAX)
		return -EINVAL;
	if (c->req.value != who_of(c)->uid && !who_of(c)->admin)
		return -EACCES;
	return vdfsd_usage_of(server_of(c), c->req.value, &c->answer.usage);
}
