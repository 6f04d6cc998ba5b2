// SPDX-License-Identifier: GPL-2.0-only
/* Messages: who sent them, whether they make sense, and who serves them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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
#define PARAMS FIELD_PARAMS

#define READ(_op, _run, _need, _may, _flags) \
	[PHI_VDFS_##_op] = {                 \
		.run = (_run),               \
		.need = (_need),             \
		.may = (_may),               \
		.flags = (_flags),           \
	}

#define WRITE(_op, _run, _need, _may, _flags) \
	[PHI_VDFS_##_op] = {                  \
		.run = (_run),                \
		.need = (_need),              \
		.may = (_may),                \
		.flags = (_flags),            \
		.writes = true,               \
	}

static int do_stage(struct call *c);

/* As phi/vdfs_wire.h says: what must be given, what may be, flags. */
const struct op ops[PHI_VDFS_OPS] = {
	[PHI_VDFS_STAGE] = { .run = do_stage, .takes = true },
	WRITE(PUT, do_put, 0, DATA | NAME | HASH,
	      PHI_VDFS_EXPECT | PHI_VDFS_WHOLE),
	WRITE(PUT_BEGIN, do_put_begin, 0, 0, PHI_VDFS_WHOLE),
	WRITE(PUT_DATA, do_put_data, ID | DATA, 0, 0),
	WRITE(PUT_END, do_put_end, ID, NAME | HASH, PHI_VDFS_EXPECT),
	WRITE(PUT_ABORT, do_put_abort, ID, 0, 0),
	READ(BLOB_OPEN, do_blob_open, 0, NAME | HASH, PHI_VDFS_BY_HASH),
	READ(BLOB_READ, do_blob_read, ID | OUT, OFFSET, 0),
	READ(BLOB_CLOSE, do_blob_close, ID, 0, 0),
	READ(MAP, do_map, 0, NAME | HASH, PHI_VDFS_BY_HASH),
	READ(UNMAP, do_unmap, ID, 0, 0),
	WRITE(KEEP, do_keep, HASH, 0, 0),
	WRITE(DROP, do_drop, HASH, 0, 0),
	READ(BLOBS_LIST, do_blobs, OUT, HASH, PHI_VDFS_AFTER),
	READ(STAT, do_stat, 0, NAME, 0),
	READ(LIST, do_list, OUT, NAME | MORE, 0),
	WRITE(MKDIR, do_mkdir, NAME, MODE, 0),
	WRITE(LINK, do_link, NAME | HASH, 0, 0),
	WRITE(UNLINK, do_unlink, NAME, 0, 0),
	WRITE(RMDIR, do_rmdir, NAME, 0, 0),
	WRITE(RENAME, do_rename, NAME | MORE, 0, PHI_VDFS_NOREPLACE),
	WRITE(CHANGE, do_change, NAME, MODE | TIME, 0),
	WRITE(ATTR_SET, do_attr_set, MORE, NAME | DATA, PHI_VDFS_REMOVE),
	READ(ATTR_GET, do_attr_get, MORE, NAME | OUT, 0),
	READ(ATTR_LIST, do_attr_list, 0, NAME | OUT, 0),
	READ(QUOTA_GET, do_quota_get, 0, VALUE, 0),
	WRITE(QUOTA_SET, do_quota_set, 0, VALUE | OFFSET, 0),
	READ(STATS, do_stats, 0, 0, 0),
	WRITE(GC, job_gc, 0, 0, 0),
	READ(FSCK, job_fsck, 0, 0, PHI_VDFS_REPAIR),
	READ(JOB, job_news, ID, OUT, PHI_VDFS_CANCEL),
	WRITE(COLLECTION_CREATE, do_collection_create, NAME | PARAMS, 0, 0),
	WRITE(COLLECTION_DROP, do_collection_drop, NAME, 0, 0),
	READ(COLLECTION_LIST, do_collection_list, OUT, NAME, 0),
	READ(COLLECTION_OPEN, job_collection_open, NAME, 0, 0),
	READ(COLLECTION_CLOSE, do_collection_close, ID, 0, 0),
	WRITE(COLLECTION_INSERT, do_collection_insert, ID | DATA, 0,
	      PHI_VDFS_REPLACE),
	WRITE(COLLECTION_UPDATE, do_collection_update, ID | DATA, 0, 0),
	WRITE(COLLECTION_DELETE, do_collection_delete, ID | NAME, 0, 0),
	READ(COLLECTION_GET, do_collection_get, ID | NAME | OUT, 0, 0),
	READ(COLLECTION_SEARCH, do_collection_search, ID | DATA | OUT | FIELD_K,
	     MORE | FIELD_EF | FIELD_RECALL,
	     PHI_VDFS_VECTORS | PHI_VDFS_METADATA),
	READ(COLLECTION_WALK, do_collection_walk, ID | OUT, NAME,
	     PHI_VDFS_VECTORS | PHI_VDFS_METADATA),
	WRITE(COLLECTION_FIELD, do_collection_field, ID | NAME, 0, 0),
	WRITE(COLLECTION_REBUILD, job_collection_rebuild, ID, 0, 0),
	WRITE(COLLECTION_SAVE, do_collection_save, ID, 0, 0),
	READ(COLLECTION_STATS, do_collection_stats, ID, 0, 0),
};

/* STAGE: everything longer than a message goes through this region. */
static int do_stage(struct call *c)
{
	struct session *session = c->session;
	struct server *s = session->server;
	struct region *region, *old;
	uint32_t rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP;
	int ret;

	if (c->type != PHI_TYPE_MEMORY)
		return -EINVAL;
	if ((c->rights & rights) != rights)
		return -EPERM;
	region = calloc(1, sizeof(*region));
	if (!region)
		return -ENOMEM;
	ret = phi_region_map(s->phi, c->cap, PROT_READ | PROT_WRITE,
			     &region->addr, &region->len);
	if (!ret && region->len > PHI_VDFS_STAGE_MAX) {
		phi_region_unmap(region->addr, region->len);
		ret = -EMSGSIZE;
	}
	if (ret) {
		free(region);
		return ret;
	}
	region->cap = c->cap;
	c->cap = 0;
	region->refs = 1;
	pthread_mutex_lock(&s->lock);
	old = session->region;
	session->region = region;
	pthread_mutex_unlock(&s->lock);
	region_put(s, old);
	return 0;
}

static void answer(struct server *s, uint64_t reply,
		   const struct phi_vdfs_answer *a)
{
	struct phi_msg msg = { .data = a, .len = sizeof(*a) };
	int ret = phi_reply(s->phi, reply, &msg);

	if (ret && ret != -EPIPE)
		phi_cap_drop(s->phi, reply);
}

/* What is said to who asks for nothing that can be done. */
static void refuse(struct server *s, const struct phi_msg_in *in, int status)
{
	const struct phi_vdfs_request *req = (const void *)in->data;
	struct phi_vdfs_answer a = { .status = status };

	if (in->len == sizeof(*req))
		a.tag = req->tag;
	answer(s, in->reply, &a);
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
static int check(const struct phi_msg_in *in, const struct op *op,
		 const struct phi_vdfs_request *r)
{
	uint32_t given = fields_of(r);

	if (given & ~(op->need | op->may) || op->need & ~given ||
	    r->flags & ~op->flags || in->ncaps != op->takes)
		return -EINVAL;
	return 0;
}

/* ATTACH; returns whether the session took the capability that came. */
static bool attach(struct server *s, const struct phi_msg_in *in)
{
	static const struct op op = { .may = FIELD_VALUE,
				      .flags = PHI_VDFS_READ_ONLY,
				      .takes = true };
	const struct phi_vdfs_request *req = (const void *)in->data;
	struct phi_vdfs_answer a = { .tag = req->tag };
	struct phi_msg msg = { .data = &a, .len = sizeof(a), .ncaps = 1 };
	struct session *session = NULL;
	bool read_only = in->badge == BADGE_READ;
	int ret;

	read_only |= !!(req->flags & PHI_VDFS_READ_ONLY);
	a.status = req->op == PHI_VDFS_ATTACH ? check(in, &op, req) : -EINVAL;
	if (!a.status && req->value != PHI_VDFS_VERSION)
		a.status = -EPROTONOSUPPORT;
	else if (!a.status && s->stopping)
		a.status = -ECANCELED;
	else if (!a.status)
		a.status = session_open(s, in, read_only, &session);
	if (a.status) {
		answer(s, in->reply, &a);
		return false;
	}
	a.attached.version = PHI_VDFS_VERSION;
	a.attached.credits = CREDITS;
	a.attached.read_only = read_only;
	a.attached.admin = session->who.admin;
	msg.caps[0].cap = session->cap;
	msg.caps[0].rights = PHI_RIGHT_SEND;
	if (s->options.verbose)
		say("session %llu: pid %u, uid %u%s",
		    (unsigned long long)session->badge, in->pid, in->uid,
		    read_only ? ", read-only" : "");
	ret = phi_reply(s->phi, in->reply, &msg);
	if (ret) {
		session_close(session);
		if (ret != -EPIPE)
			phi_cap_drop(s->phi, in->reply);
	}
	return true;
}

/* Everything else; 0 when a worker will answer. */
static int serve(struct server *s, const struct phi_msg_in *in)
{
	const struct phi_vdfs_request *req = (const void *)in->data;
	struct session *session = session_find(s, in->badge);
	const struct op *op;
	struct call *c;
	int ret;

	if (!session)
		return -EPIPE;
	if (in->uid != session->who.uid)
		return -EPERM;
	if (s->stopping)
		return -ECANCELED;
	op = req->op < PHI_VDFS_OPS ? &ops[req->op] : &ops[0];
	ret = op->run ? check(in, op, req) : -EINVAL;
	if (ret)
		return ret;
	if (op->writes && session->read_only)
		return -EROFS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->session = session;
	c->op = op;
	c->req = *req;
	c->answer.tag = req->tag;
	c->reply = in->reply;
	if (op->takes) {
		c->cap = in->caps[0].cap;
		c->type = in->caps[0].type;
		c->rights = in->caps[0].rights;
	}
	ret = call_queue(c, CREDITS);
	if (ret)
		free(c);
	return ret;
}

/**
 * dispatch() - see to a message
 * @s: Daemon.
 * @in: The message; what it carries is taken or dropped.
 *
 * Who sent it is told by the badge, which the kernel vouches for.
 *
 * Context: Main thread.
 */
void dispatch(struct server *s, const struct phi_msg_in *in)
{
	bool taken = false;
	uint32_t i;
	int ret;

	if (!in->reply) {
		/* Nothing to be done for who waits for no answer. */
	} else if (in->len != sizeof(struct phi_vdfs_request)) {
		refuse(s, in, -EINVAL);
	} else if (in->badge == BADGE_FULL || in->badge == BADGE_READ) {
		taken = attach(s, in);
	} else {
		ret = serve(s, in);
		if (ret)
			refuse(s, in, ret);
		taken = !ret;
	}
	for (i = 0; !taken && i < in->ncaps; i++)
		phi_cap_drop(s->phi, in->caps[i].cap);
}
