// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0400 to 0x0403: memory that a program names by a handle. Each access is
 * held against its size.
 */
#include <stdlib.h>

#include "calls/calls.h"

#define SESSION_BYTES (256ULL << 20)

/* The bytes of all memory of a session: freed memory may outlive its handle. */
struct total {
	atomic_ullong bytes;
};

struct mem {
	struct md_object base;
	struct total *total;
	struct md_owner *owner;
	size_t size;
	pthread_rwlock_t lock; /* over a copy */
	char data[];
};

static const struct md_own_kind kind = { .size = sizeof(struct total) };

static void free_mem(struct md_object *object)
{
	struct mem *m = (struct mem *)object;

	pthread_rwlock_destroy(&m->lock);
	free(m);
}

/* The session, and so its total, lives while a handle is closed. */
static void close_mem(struct md_object *object)
{
	struct mem *m = (struct mem *)object;

	atomic_fetch_sub(&m->total->bytes, m->size);
	md_share_give(m->owner, m->size);
}

int md_mem_alloc(struct md_call *c)
{
	struct total *total = md_session_own(c->session, &kind);
	struct md_owner *owner = c->session->owner;
	size_t size = (size_t)c->args[0].i;
	struct mem *m;

	if (!total)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (atomic_fetch_add(&total->bytes, size) + size > SESSION_BYTES) {
		atomic_fetch_sub(&total->bytes, size);
		return md_fail(c, MATHIS_LIMIT, "more than %llu bytes",
			       SESSION_BYTES);
	}
	if (!md_share_take(owner, size)) {
		atomic_fetch_sub(&total->bytes, size);
		return md_fail(
			c, MATHIS_LIMIT,
			"the sessions of the user have more than %llu MiB",
			MD_OWNER_BYTES >> 20);
	}
	m = calloc(1, sizeof(*m) + size);
	if (!m) {
		atomic_fetch_sub(&total->bytes, size);
		md_share_give(owner, size);
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	md_object_init(&m->base, free_mem);
	m->base.close = close_mem;
	pthread_rwlock_init(&m->lock, NULL);
	m->total = total;
	m->owner = owner;
	m->size = size;
	return md_return_handle(c, MD_KIND_mem, &m->base);
}

int md_mem_free(struct md_call *c)
{
	return md_handle_close(c, MD_KIND_mem, &c->args[0]);
}

static struct mem *get(struct md_call *c)
{
	return (struct mem *)md_handle_get(c, MD_KIND_mem, &c->args[0]);
}

/* Whether bytes at the offset of the call are in memory. */
static bool is_inside(struct md_call *c, const struct mem *m, uint64_t n)
{
	uint64_t offset = (uint64_t)c->args[1].i;

	if (n <= m->size && offset <= m->size - n)
		return true;
	md_fail(c, MATHIS_ARG_RANGE, "%llu bytes at %llu, of %zu",
		(unsigned long long)n, (unsigned long long)offset, m->size);
	return false;
}

int md_mem_read(struct md_call *c)
{
	size_t n = (size_t)c->args[2].i;
	struct mem *m = get(c);
	char *data = NULL;

	if (!m)
		return MD_FAILED;
	if (is_inside(c, m, n))
		data = md_alloc(c, n);
	if (data) {
		pthread_rwlock_rdlock(&m->lock);
		memcpy(data, m->data + c->args[1].i, n);
		pthread_rwlock_unlock(&m->lock);
		md_return_own(c, MATHIS_BYTES, data, n);
	}
	md_object_put(&m->base);
	return data ? MD_DONE : MD_FAILED;
}

int md_mem_write(struct md_call *c)
{
	const struct mathis_item *data = &c->args[2];
	struct mem *m = get(c);
	int ret = MD_FAILED;

	if (!m)
		return ret;
	if (is_inside(c, m, data->n)) {
		pthread_rwlock_wrlock(&m->lock);
		memcpy(m->data + c->args[1].i, data->text, data->n);
		pthread_rwlock_unlock(&m->lock);
		ret = MD_DONE;
	}
	md_object_put(&m->base);
	return ret;
}
