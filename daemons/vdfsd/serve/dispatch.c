// SPDX-License-Identifier: GPL-2.0-only
/* The call table, the checks before a call is served, and sessions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "serve.h"
#include "serve_impl.h"

/* Calls that one session may have under way. */
#define CREDITS 32

#define ID FIELD_ID
#define OFFSET FIELD_OFFSET
#define VALUE FIELD_VALUE
#define TIME FIELD_TIME
#define NAME FIELD_NAME
#define MORE FIELD_MORE
#define DATA FIELD_DATA
#define OUT FIELD_OUT
#define HASH FIELD_HASH
#define MODE FIELD_MODE
#define K FIELD_K
#define EF FIELD_EF
#define RECALL FIELD_RECALL
#define PARAMS FIELD_PARAMS
#define LATE FIELD_LATE

#define RIGHT_READ false
#define RIGHT_WRITE true
#define THREAD_ATTACH(...) .base.attach = true
#define THREAD_WORKER(_run) .run = (_run)

#define CALL(_nr, _right, _thread, _run, _takes, _need, _may, _flags, ...) \
	[PHI_VDFS_##_nr] = {                                               \
		.base.request = sizeof(struct phi_vdfs_request),           \
		.base.reply = sizeof(struct phi_vdfs_answer),              \
		.base.writes = RIGHT_##_right,                             \
		.base.takes = (_takes),                                    \
		THREAD_##_thread(_run),                                    \
		.need = (_need),                                           \
		.may = (_may),                                             \
		.flags = (_flags),                                         \
	},

static const struct vdfsd_op ops[PHI_VDFS_OPS] = {
#include "calls.def"
};

static const struct op *find_op(uint32_t nr)
{
	return nr < PHI_VDFS_OPS && ops[nr].base.request ? &ops[nr].base : NULL;
}

/**
 * vdfsd_stage() - serve STAGE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_stage(struct vdfsd_call *c)
{
	struct vdfsd_session *session = session_of(c);
	struct vdfsd *s = server_of(c);
	struct region *region, *old;
	uint32_t rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP;
	int ret;

	if (c->base.type != PHI_TYPE_MEMORY)
		return -EINVAL;
	if ((c->base.rights & rights) != rights)
		return -EPERM;
	region = calloc(1, sizeof(*region));
	if (!region)
		return -ENOMEM;
	ret = phi_region_map(s->daemon.phi, c->base.cap, PROT_READ | PROT_WRITE,
			     &region->addr, &region->len);
	if (!ret && region->len > PHI_VDFS_STAGE_MAX) {
		phi_region_unmap(region->addr, region->len);
		ret = -EMSGSIZE;
	}
	if (ret) {
		free(region);
		return ret;
	}
	region->cap = c->base.cap;
	c->base.cap = 0;
	region->refs = 1;
	pthread_mutex_lock(&s->daemon.lock);
	old = session->region;
	session->region = region;
	pthread_mutex_unlock(&s->daemon.lock);
	vdfsd_region_put(s, old);
	return 0;
}

/* Which fields of a request are given? */
static uint32_t fields_of(const struct phi_vdfs_request *r)
{
	static const struct phi_vdfs_params none;
	static const struct phi_vdfs_hash zero;
	uint32_t given = 0;

	given |= r->id ? FIELD_ID : 0;
	given |= r->offset ? FIELD_OFFSET : 0;
	given |= r->value ? FIELD_VALUE : 0;
	given |= r->time_ns ? FIELD_TIME : 0;
	given |= r->name.len ? FIELD_NAME : 0;
	given |= r->more.len ? FIELD_MORE : 0;
	given |= r->data.len ? FIELD_DATA : 0;
	given |= r->out.len ? FIELD_OUT : 0;
	given |= memcmp(&r->hash, &zero, sizeof(zero)) ? FIELD_HASH : 0;
	given |= r->mode ? FIELD_MODE : 0;
	given |= r->k ? FIELD_K : 0;
	given |= r->ef ? FIELD_EF : 0;
	given |= r->recall ? FIELD_RECALL : 0;
	given |= memcmp(&r->params, &none, sizeof(none)) ? FIELD_PARAMS : 0;
	return given;
}

/* Does a message make sense, before anyone looks at what it points to? */
static int check_fields(const struct op *base, const struct phi_msg_in *in)
{
	const struct vdfsd_op *op = (const struct vdfsd_op *)base;
	const struct phi_vdfs_request *r = (const void *)in->data;
	uint32_t given = fields_of(r);

	if (given & ~(op->need | op->may) || op->need & ~given ||
	    r->flags & ~op->flags || in->ncaps != base->takes)
		return -EINVAL;
	return 0;
}

static int check(struct session *session, const struct op *op,
		 const struct phi_msg_in *in)
{
	if (in->uid != session->uid)
		return -EPERM;
	if (session->daemon->stopping)
		return -ECANCELED;
	return check_fields(op, in);
}

static bool published(struct daemon *d, const struct phi_msg_in *in)
{
	(void)d;
	return in->badge == BADGE_FULL || in->badge == BADGE_READ;
}

static int in_any(const struct vdfs_who *who, uint32_t gid)
{
	(void)who;
	(void)gid;
	return -ESRCH;
}

static int in_group(const struct vdfs_who *who, uint32_t gid)
{
	return vdfs_ids_have((const struct vdfs_ids *)who->groups, gid);
}

/*
 * The kernel names the user and the process that sent the message, and no groups.
 * Groups are read from /proc, and counted only where all four users of the
 * process are the sender: a set-user-ID program, or a new process with the same
 * number, has groups of another user. Else it is not known which ones it is in.
 */
static void set_who(struct vdfsd_session *session, const struct phi_msg_in *in)
{
	struct vdfs_ids *ids = &session->ids;
	int i;

	session->who.uid = in->uid;
	session->who.gid = VDFS_GID_NONE;
	session->who.in_group = in_any;
	if (vdfs_ids_read((pid_t)in->pid, ids))
		return;
	for (i = 0; i < VDFS_IDS; i++) {
		if (ids->uid[i] != in->uid) {
			vdfs_ids_fini(ids);
			return;
		}
	}
	session->who.gid = ids->gid[VDFS_ID_REAL];
	session->who.in_group = in_group;
	session->who.groups = (uintptr_t)ids;
}

/* Serve ATTACH. */
static int vdfsd_attach(struct daemon *d, const struct phi_msg_in *in,
			bool *taken)
{
	const struct phi_vdfs_request *req = (const void *)in->data;
	struct phi_vdfs_answer a = { .tag = req->tag };
	struct vdfsd_session *session;
	struct session *base;
	int ret;

	ret = check_fields(&ops[PHI_VDFS_ATTACH].base, in);
	if (ret)
		return ret;
	if (req->value != PHI_VDFS_VERSION)
		return -EPROTONOSUPPORT;
	ret = session_open(d, in, &base);
	if (ret)
		return ret;
	*taken = true;
	session = (struct vdfsd_session *)base;
	set_who(session, in);
	session->who.admin = !in->uid || in->uid == d->uid;
	base->read_only = in->badge == BADGE_READ ||
			  req->flags & PHI_VDFS_READ_ONLY;
	a.attached.version = PHI_VDFS_VERSION;
	a.attached.credits = d->credits;
	a.attached.read_only = base->read_only;
	a.attached.admin = session->who.admin;
	session_welcome(base, in->reply, &a, sizeof(a),
			base->read_only ? ", read-only" : "");
	return 0;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	const struct phi_vdfs_request *req = (const void *)in->data;
	struct phi_vdfs_answer a = { .status = status };

	(void)op;
	if (in->len == sizeof(*req))
		a.tag = req->tag;
	call_reply(d, in->reply, &a, sizeof(a));
}

static void freed(struct session *base)
{
	struct vdfsd_session *session = (struct vdfsd_session *)base;

	vdfsd_region_put((struct vdfsd *)base->daemon, session->region);
	vdfs_ids_fini(&session->ids);
}

static int confine(struct daemon *d)
{
	return vdfsd_confine(((struct vdfsd *)d)->options.remote);
}

static void release_put(struct session *session, void *put)
{
	(void)session;
	vdfs_put_abort(put);
}

static void release_collection(struct session *session, void *collection)
{
	(void)session;
	vdfs_collection_put(collection);
}

static const struct handle_kind handles[KINDS] = {
	[KIND_PUT] = { PHI_VDFS_PUTS, release_put, NULL },
	[KIND_BLOB] = { PHI_VDFS_BLOBS, vdfsd_blob_release, NULL },
	[KIND_COLLECTION] = { PHI_VDFS_COLLECTIONS, release_collection, NULL },
	[KIND_MAP] = { PHI_VDFS_MAPS, vdfsd_map_release, NULL },
	[KIND_JOB] = { PHI_VDFS_JOBS, vdfsd_job_free, vdfsd_job_cancel },
};

const struct daemon_kind vdfsd_kind = {
	.session_size = sizeof(struct vdfsd_session),
	.user_size = sizeof(struct vdfsd_user),
	.call_size = sizeof(struct vdfsd_call),
	.stage_len = VDFSD_STAGE_LEN,
	.credits = CREDITS,
	.handles = handles,
	.nhandles = KINDS,
	.op = find_op,
	.published = published,
	.attach = vdfsd_attach,
	.refuse = refuse,
	.check = check,
	.begin = vdfsd_call_begin,
	.run = vdfsd_call_run,
	.answer = vdfsd_call_answer,
	.fini = vdfsd_call_fini,
	.freed = freed,
	.confine = confine,
};
