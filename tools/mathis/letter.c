// SPDX-License-Identifier: GPL-2.0-only
/*
 * Letters: what the functions that serve calls leave for the thread that has the
 * session with mathisd.
 */
#include <stdlib.h>
#include <sys/eventfd.h>

#include <core/upcall.h>

#include "remote_impl.h"

/* There is one for the functions that serve calls, which have no argument. */
static struct remote *the_remote;

void remote_set(struct remote *r)
{
	the_remote = r;
}

struct letter *letter_new(struct remote *r, enum letter_kind kind)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->remote = r;
	l->kind = kind;
	mathis_pool_init(&l->pool, MD_CALL_BYTES * 2);
	return l;
}

void letter_free(struct letter *l)
{
	mathis_pool_fini(&l->pool);
	free(l);
}

void letter_queue(struct letter *l)
{
	struct remote *r = l->remote;

	pthread_mutex_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->letters, l, link);
	pthread_mutex_unlock(&r->lock);
	eventfd_write(r->event_fd, 1);
}

/* A slot for a function: its number, or -1 without memory. */
static int64_t keep_func(struct remote *r, struct md_func *func)
{
	struct md_func **more;
	size_t i = 0;

	pthread_mutex_lock(&r->lock);
	while (i < r->n_funcs && r->funcs[i])
		i++;
	if (i == r->n_funcs) {
		more = realloc(r->funcs, (i + 1) * sizeof(*more));
		if (more) {
			r->funcs = more;
			r->n_funcs++;
		} else {
			i = SIZE_MAX;
		}
	}
	if (i != SIZE_MAX)
		r->funcs[i] = func;
	pthread_mutex_unlock(&r->lock);
	return i == SIZE_MAX ? -1 : (int64_t)i;
}

/* Functions are none in a copy: give each a slot. MD_DONE, or reported. */
static int number_funcs(struct remote *r, struct md_call *c,
			struct mathis_item *item, struct mathis_item *copy)
{
	size_t parts = mathis_item_parts(item);
	struct md_func *func;
	int ret = MD_DONE;

	if (item->kind == MATHIS_FUNC) {
		func = md_func_take(c, item);
		if (!func)
			return MD_FAILED;
		*copy = (struct mathis_item){ .kind = MATHIS_FUNC,
					      .aux = func->arity,
					      .i = keep_func(r, func) };
		if (copy->i >= 0)
			return MD_DONE;
		md_func_put(func);
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	for (size_t i = 0; i < parts && !ret; i++)
		ret = number_funcs(r, c, &item->items[i], &copy->items[i]);
	return ret;
}

/* The call was stopped: mathisd is told, unless it has not begun there. */
static void cancel(struct md_call *c)
{
	struct letter *l = c->own;
	struct remote *r = l->remote;

	pthread_mutex_lock(&r->lock);
	l->cancel = true;
	pthread_mutex_unlock(&r->lock);
	eventfd_write(r->event_fd, 1);
}

static void drop(struct md_call *c)
{
	if (c->own)
		letter_free(c->own);
}

/* Serves all calls. */
int remote_forward(struct md_call *c)
{
	struct remote *r = the_remote;
	struct letter *l = letter_new(r, LETTER_CALL);
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = c->argc,
				    .items = c->args };
	int ret;

	if (!l)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	l->call = c;
	l->value = mathis_item_copy(&l->pool, &list);
	ret = l->pool.bad ? md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory") :
			    number_funcs(r, c, &list, &l->value);
	if (!ret) {
		/* Locks of a task are mathisd's to drop when it ends. */
		c->tell = c->row->info->id >> 8 == 0x05;
		c->drop = drop;
		ret = md_later(c, cancel, l);
	}
	if (ret == MD_LATER)
		letter_queue(l);
	else if (c->own != l)
		letter_free(l);
	return ret;
}
