// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <phi/ring.h>
#include <string.h>

#include "pipe.h"

#define PART_MAX 32768U
#define COST_MIN 4096U /* of a message, however short */
#define KEEP_MAX 65536U /* of a buffer, for the next value */

void mathis_pipe_init(struct mathis_pipe *p, struct phi_ring *ring,
		      uint32_t bytes)
{
	memset(p, 0, sizeof(*p));
	p->ring = ring;
	p->most = MATHIS_WIRE_MAX;
	p->left = UINT64_MAX;
	p->part = bytes / 4 < PART_MAX ? bytes / 4 : PART_MAX;
}

void mathis_pipe_fini(struct mathis_pipe *p)
{
	mathis_buf_fini(&p->out);
	mathis_buf_fini(&p->in);
}

void mathis_pipe_budget(struct mathis_pipe *p, uint64_t bytes)
{
	p->left = bytes;
}

static void spend(struct mathis_pipe *p, size_t n)
{
	if (n < COST_MIN)
		n = COST_MIN;
	p->left -= n < p->left ? n : p->left;
}

size_t mathis_pipe_bytes(const struct mathis_pipe *p)
{
	size_t in = p->in.room;

	if (p->receiving && !p->skipping && in < p->in_head.size)
		in = p->in_head.size;
	return in + p->out.room;
}

/* Make a buffer empty; a large one gives its memory back. */
static void empty(struct mathis_buf *b)
{
	if (b->bad || b->room > KEEP_MAX)
		mathis_buf_fini(b);
	b->size = 0;
	b->bad = false;
}

/* A bell that cannot be rung is no failure: its owner's death is seen elsewhere. */
static int commit(struct phi_ring *ring)
{
	int ret = phi_ring_commit(ring);

	return ret == -EPROTO || ret == -EINVAL ? ret : 0;
}

/* Send the next message: its head, and as much of the value as goes in. */
static int send_part(struct mathis_pipe *p)
{
	size_t left = p->out.size - p->out_at;
	size_t n = p->part - sizeof(p->head);
	void *to;
	int ret;

	if (!p->left)
		return -EINPROGRESS;
	if (n > left)
		n = left;
	ret = phi_ring_reserve(p->ring, (uint32_t)(sizeof(p->head) + n), &to);
	if (ret)
		return ret;
	memcpy(to, &p->head, sizeof(p->head));
	if (n)
		memcpy((char *)to + sizeof(p->head), p->out.data + p->out_at,
		       n);
	spend(p, n);
	p->out_at += n;
	p->head = (struct mathis_wire){ .kind = MATHIS_WIRE_PART };
	return commit(p->ring);
}

int mathis_pipe_flush(struct mathis_pipe *p)
{
	int ret = 0;

	while (p->sending && !ret) {
		ret = send_part(p);
		p->sending = ret || p->out_at < p->out.size;
	}
	if (!p->sending)
		empty(&p->out);
	return ret;
}

int mathis_pipe_send(struct mathis_pipe *p, const struct mathis_wire *head,
		     const struct mathis_item *item)
{
	int ret;

	empty(&p->out);
	ret = item ? mathis_wire_put(&p->out, item) : 0;
	if (!ret && p->out.bad)
		ret = -ENOMEM;
	if (ret)
		return ret;
	p->head = *head;
	p->head.size = (uint32_t)p->out.size;
	p->out_at = 0;
	p->sending = true;
	ret = mathis_pipe_flush(p);
	return ret == -EAGAIN || ret == -EINPROGRESS ? 0 : ret;
}

/* A message, copied out of the memory that the other side can write. */
static int take_part(struct mathis_pipe *p, const void *payload, uint32_t len)
{
	struct mathis_wire head;
	bool is_part;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(&head, payload, sizeof(head));
	len -= sizeof(head);
	is_part = head.kind == MATHIS_WIRE_PART;
	if (head.pad || head.pad2 || is_part != p->receiving)
		return -EPROTO;
	if (!p->receiving) {
		if (head.size > MATHIS_WIRE_MAX)
			return -EPROTO;
		p->in_head = head;
		p->in_at = 0;
		p->skipping = head.size > p->most;
		p->receiving = true;
	} else if (head.size || !len) {
		return -EPROTO;
	}
	if (len > p->in_head.size - p->in_at)
		return -EPROTO;
	p->in_at += len;
	if (p->in_at < p->in_head.size && len < MATHIS_WIRE_PART_MIN)
		return -EPROTO;
	if (len && !p->skipping)
		mathis_buf_add(&p->in, (const char *)payload + sizeof(head),
			       len);
	return p->in.bad ? -ENOMEM : 0;
}

int mathis_pipe_recv(struct mathis_pipe *p, struct mathis_wire *head,
		     const void **data)
{
	const void *payload;
	uint32_t len;
	int ret;

	if (!p->receiving)
		empty(&p->in);
	do {
		if (!p->left)
			return -EINPROGRESS;
		ret = phi_ring_peek(p->ring, &payload, &len);
		if (ret)
			return ret;
		spend(p, len);
		ret = take_part(p, payload, len);
		phi_ring_release(p->ring);
		if (ret)
			return ret;
	} while (p->in_at < p->in_head.size);
	p->receiving = false;
	*head = p->in_head;
	*data = p->skipping ? NULL : p->in.data;
	return 0;
}
