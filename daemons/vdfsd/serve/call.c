// SPDX-License-Identifier: GPL-2.0-only
/* Calls: copying what they point to, their results, and their answers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "serve_impl.h"

/* The parts of a worker's stage: what a client gave, and results. */
#define NAME_AT 0
#define MORE_AT VDFSD_TEXT_ROOM
#define DATA_AT (2 * VDFSD_TEXT_ROOM)
#define OUT_AT (DATA_AT + PHI_VDFS_SPAN_MAX)

/* A stage that was used further than this gives its pages back. */
#define KEEP_LEN (1U << 20)

static void stage_trim(struct stage *stage, off_t at, size_t len)
{
	if (len > KEEP_LEN)
		fallocate(stage->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  at, len);
}

/* Whether a span is one of the client's region. */
static int check_span(const struct vdfsd_call *c,
		      const struct phi_vdfs_span *span, size_t max)
{
	if (!span->len)
		return 0;
	if (!c->region)
		return -EINVAL;
	if (span->len > max)
		return -EMSGSIZE;
	if (span->at > c->region->len || span->len > c->region->len - span->at)
		return -ERANGE;
	return 0;
}

/* Copy a span in. */
static int take(struct vdfsd_call *c, struct stage *stage,
		const struct phi_vdfs_span *span, size_t at, size_t max)
{
	int ret = check_span(c, span, max);
	struct iovec iov;
	bool bad;

	if (ret || !span->len)
		return ret;
	iov.iov_base = (char *)c->region->addr + span->at;
	iov.iov_len = span->len;
	stage_gather(stage, at, &iov, 1, &bad);
	return bad ? -EFAULT : 0;
}

static int take_text(struct vdfsd_call *c, struct stage *stage,
		     const struct phi_vdfs_span *span, size_t at, char **text)
{
	int ret;

	*text = NULL;
	if (!span->len)
		return 0;
	ret = take(c, stage, span, at, PHI_VDFS_TEXT_MAX);
	if (ret)
		return ret;
	*text = (char *)stage->mem + at;
	(*text)[span->len] = '\0';
	return strlen(*text) == span->len ? 0 : -EINVAL;
}

/**
 * vdfsd_call_data() - copy the data of a call that takes it late
 * @c: Call; out: its @data.
 *
 * Context: Worker.
 * Return: 0 or -EFAULT.
 */
int vdfsd_call_data(struct vdfsd_call *c)
{
	c->data = (char *)c->stage->mem + DATA_AT;
	return take(c, c->stage, &c->req.data, DATA_AT, PHI_VDFS_SPAN_MAX);
}

/**
 * vdfsd_call_data_to() - copy a part of the data to where it is needed
 * @c: Call that takes its data late.
 * @from: Where in the data the part begins.
 * @len: How long it is.
 * @to: Memory of the daemon.
 * @at: Where in it.
 *
 * Context: Worker.
 * Return: 0, or -EFAULT when the client took its region away.
 */
int vdfsd_call_data_to(struct vdfsd_call *c, size_t from, size_t len,
		       struct stage *to, size_t at)
{
	struct iovec iov = {
		.iov_base = (char *)c->region->addr + c->req.data.at + from,
		.iov_len = len,
	};
	bool bad;

	stage_gather(to, at, &iov, 1, &bad);
	return bad ? -EFAULT : 0;
}

/* Copy all that a call points to, before anyone looks at it. */
static int call_take(struct vdfsd_call *c, struct stage *stage, bool late)
{
	const struct phi_vdfs_span *out = &c->req.out;
	int ret;

	ret = take_text(c, stage, &c->req.name, NAME_AT, &c->name);
	if (!ret)
		ret = take_text(c, stage, &c->req.more, MORE_AT, &c->more);
	if (!ret && late)
		ret = check_span(c, &c->req.data, PHI_VDFS_SPAN_MAX);
	else if (!ret)
		ret = take(c, stage, &c->req.data, DATA_AT, PHI_VDFS_SPAN_MAX);
	if (ret)
		return ret;
	c->data = late ? NULL : (char *)stage->mem + DATA_AT;
	c->out = (char *)stage->mem + OUT_AT;
	c->room = out->len < PHI_VDFS_SPAN_MAX ? out->len : PHI_VDFS_SPAN_MAX;
	if (!out->len)
		return 0;
	if (!c->region)
		return -EINVAL;
	if (out->at > c->region->len || out->len > c->region->len - out->at)
		return -ERANGE;
	return 0;
}

/**
 * vdfsd_call_begin() - set what a call of vdfsd has beside every call
 * @base: Call.
 * @in: Its message.
 *
 * Context: Main thread, under the lock.
 */
void vdfsd_call_begin(struct call *base, const struct phi_msg_in *in)
{
	struct vdfsd_call *c = (struct vdfsd_call *)base;

	memcpy(&c->req, in->data, sizeof(c->req));
	c->answer.tag = c->req.tag;
	c->region = session_of(c)->region;
	if (c->region)
		c->region->refs++;
}

/**
 * vdfsd_call_run() - serve a call
 * @base: Call.
 * @stage: The worker's.
 *
 * Context: Worker.
 * Return: Its status, or CALL_PARKED.
 */
int vdfsd_call_run(struct call *base, struct stage *stage)
{
	const struct vdfsd_op *op = (const struct vdfsd_op *)base->op;
	struct vdfsd_call *c = (struct vdfsd_call *)base;
	size_t data_len = c->req.data.len;
	int status;

	c->stage = stage;
	status = call_take(c, stage, op->may & FIELD_LATE);
	if (!status)
		status = op->run(c);
	/* One that is parked may be answered, and freed, by now. */
	stage_trim(stage, DATA_AT, data_len);
	return status;
}

/* Copy the results of a call to its client. */
static int give_results(struct vdfsd_call *c, struct stage *stage)
{
	struct iovec iov;
	bool bad;

	if (!c->answer.len)
		return 0;
	iov.iov_base = (char *)c->region->addr + c->req.out.at;
	iov.iov_len = c->answer.len;
	stage_scatter(stage, OUT_AT, &iov, 1, &bad);
	stage_trim(stage, OUT_AT, c->answer.len);
	return bad ? -EFAULT : 0;
}

/**
 * vdfsd_call_answer() - answer a call and free it
 * @base: Call, in no list.
 * @status: Its status.
 * @stage: Where its results lie, at OUT_AT; NULL when it was not run.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_call_answer(struct call *base, int status, struct stage *stage)
{
	struct vdfsd_call *c = (struct vdfsd_call *)base;
	struct phi_msg msg = { .data = &c->answer, .len = sizeof(c->answer) };

	c->answer.status = status;
	if (!stage) {
		c->answer.len = 0;
		c->give = 0;
	} else if (give_results(c, stage)) {
		c->answer.status = -EFAULT;
		c->answer.len = 0;
	}
	if (c->give && !c->answer.status) {
		msg.ncaps = 1;
		msg.caps[0].cap = c->give;
		msg.caps[0].rights = PHI_RIGHT_READ | PHI_RIGHT_MAP;
	}
	call_send(base->session->daemon, base->reply, &msg);
	call_free(base);
}

/**
 * vdfsd_call_fini() - undo vdfsd_call_begin()
 * @base: Call that was answered.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_call_fini(struct call *base)
{
	struct vdfsd_call *c = (struct vdfsd_call *)base;

	vdfsd_region_put(server_of(c), c->region);
}

/**
 * vdfsd_region_put() - drop a reference to a staging region
 * @s: Daemon.
 * @region: Region, or NULL.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_region_put(struct vdfsd *s, struct region *region)
{
	bool last;

	if (!region)
		return;
	pthread_mutex_lock(&s->daemon.lock);
	last = !--region->refs;
	pthread_mutex_unlock(&s->daemon.lock);
	if (!last)
		return;
	phi_region_unmap(region->addr, region->len);
	phi_cap_drop(s->daemon.phi, region->cap);
	free(region);
}
