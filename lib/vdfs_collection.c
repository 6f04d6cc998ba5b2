// SPDX-License-Identifier: LGPL-2.1-or-later
/* Collections: items on the wire and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdfs_impl.h"

/* Room for one page of items, and for the answers to a search at first. */
#define ITEMS_ROOM (1U << 20)

static int id_do(struct phi_vdfs *v, uint32_t op, uint64_t id, const char *name)
{
	struct vdfs_ask a = { .req.op = op, .req.id = id, .name = name };

	return vdfs_do(v, &a);
}

int phi_vdfs_collection_create(struct phi_vdfs *v, const char *name,
			       const struct phi_vdfs_params *params)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_CREATE };

	a.req.params = *params;
	a.req.params.owner = 0;
	a.name = name;
	return vdfs_do(v, &a);
}

int phi_vdfs_collection_drop(struct phi_vdfs *v, const char *name)
{
	return id_do(v, PHI_VDFS_COLLECTION_DROP, 0, name);
}

/* The callback of a list. */
struct listing {
	phi_vdfs_collection_fn *fn;
	void *arg;
};

static int list_each(void *arg, const struct phi_vdfs_entry *entry,
		     const char *name)
{
	const struct listing *l = arg;

	return l->fn(l->arg, name, &entry->params, entry->items);
}

static void list_next(struct vdfs_ask *a, const struct phi_vdfs_entry *entry,
		      const char *name)
{
	(void)entry;
	a->name = name;
}

int phi_vdfs_collection_list(struct phi_vdfs *v, phi_vdfs_collection_fn *fn,
			     void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_LIST };
	struct listing l = { .fn = fn, .arg = arg };

	return vdfs_entries(v, &a, list_each, list_next, &l);
}

int phi_vdfs_collection_open(struct phi_vdfs *v, const char *name,
			     phi_vdfs_progress *progress, void *arg,
			     uint64_t *id, struct phi_vdfs_params *params)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_OPEN };
	int ret;

	a.name = name;
	ret = vdfs_job(v, &a, NULL, progress, arg);
	if (ret)
		return ret;
	*id = a.answer.id;
	if (params)
		*params = a.answer.params;
	return 0;
}

int phi_vdfs_collection_close(struct phi_vdfs *v, uint64_t id)
{
	return id_do(v, PHI_VDFS_COLLECTION_CLOSE, id, NULL);
}

static uint64_t record_bytes(const struct phi_vdfs_item *item)
{
	uint64_t bytes = sizeof(struct phi_vdfs_record) + 2;

	bytes += strlen(item->key);
	bytes += item->vector ? (uint64_t)item->dim * sizeof(float) : 0;
	bytes += item->metadata ? strlen(item->metadata) : 0;
	return (bytes + 7) & ~7ULL;
}

/* Items to be written to the staging region. */
struct batch {
	const struct phi_vdfs_item *items;
	size_t n;
};

static char *fill_one(const struct phi_vdfs_item *item, char *to)
{
	struct phi_vdfs_record r = {
		.bytes = (uint32_t)record_bytes(item),
		.dim = item->vector ? item->dim : 0,
		.key_len = (uint32_t)strlen(item->key),
	};
	char *p = to + sizeof(r);

	r.metadata_len = item->metadata ? (uint32_t)strlen(item->metadata) : 0;
	memset(to + r.bytes - 8, 0, 8);
	memcpy(to, &r, sizeof(r));
	if (r.dim)
		memcpy(p, item->vector, r.dim * sizeof(float));
	p += r.dim * sizeof(float);
	memcpy(p, item->key, r.key_len + 1);
	p += r.key_len + 1;
	if (r.metadata_len)
		memcpy(p, item->metadata, r.metadata_len);
	p[r.metadata_len] = '\0';
	return to + r.bytes;
}

static void fill(void *arg, char *to)
{
	const struct batch *b = arg;
	size_t i;

	for (i = 0; i < b->n; i++)
		to = fill_one(&b->items[i], to);
}

/* Send items with INSERT or UPDATE. */
static int send_items(struct phi_vdfs *v, struct vdfs_ask *a,
		      const struct phi_vdfs_item *items, size_t n)
{
	struct batch b = { .items = items, .n = n };
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		bytes += record_bytes(&items[i]);
		if (bytes > PHI_VDFS_SPAN_MAX)
			return -EMSGSIZE;
	}
	a->data_len = bytes;
	a->fill = fill;
	a->arg = &b;
	return vdfs_do(v, a);
}

int phi_vdfs_collection_insert(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_item *items, size_t n,
			       unsigned int flags, size_t *failed)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_INSERT };
	int ret;

	if (!n)
		return 0;
	a.req.id = id;
	a.req.flags = flags;
	ret = send_items(v, &a, items, n);
	if (ret && failed)
		*failed = a.answer.done;
	return ret;
}

int phi_vdfs_collection_update(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_item *item)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_UPDATE };

	a.req.id = id;
	return send_items(v, &a, item, 1);
}

int phi_vdfs_collection_delete(struct phi_vdfs *v, uint64_t id, const char *key)
{
	return id_do(v, PHI_VDFS_COLLECTION_DELETE, id, key);
}

/* Read one record; @item points into it. */
static int record_out(char *at, size_t len, struct phi_vdfs_item *item,
		      struct phi_vdfs_record *r)
{
	uint64_t need = sizeof(*r) + 2;
	char *p = at + sizeof(*r);

	if (len < sizeof(*r))
		return -EPROTO;
	memcpy(r, at, sizeof(*r));
	need += (uint64_t)r->dim * sizeof(float) + r->key_len + r->metadata_len;
	if (r->bytes > len || r->bytes < need || r->bytes % 8)
		return -EPROTO;
	*item = (struct phi_vdfs_item){ .dim = r->dim };
	if (r->dim)
		item->vector = (float *)(void *)p;
	p += r->dim * sizeof(float);
	item->key = p;
	p += r->key_len;
	if (*p)
		return -EPROTO;
	p++;
	if (r->metadata_len)
		item->metadata = p;
	return p[r->metadata_len] ? -EPROTO : 0;
}

/* Give the items of a page, which is private; @last is the last key. */
static int each_item(char *page, size_t len, phi_vdfs_item_fn *fn, void *arg,
		     const char **last)
{
	struct phi_vdfs_record r;
	struct phi_vdfs_item item;
	size_t at = 0;
	float dist;
	int ret = 0;

	while (at < len && !ret) {
		ret = record_out(page + at, len - at, &item, &r);
		if (ret)
			break;
		memcpy(&dist, &r.dist, sizeof(dist));
		*last = item.key;
		ret = fn(arg, &item, r.query, dist);
		at += r.bytes;
	}
	return ret;
}

/*
 * Make a call that gives items, with more room when it asks for more. Results
 * are copied, and the lock is dropped, before anyone sees them.
 */
static int ask_items(struct phi_vdfs *v, struct vdfs_ask *a, char **page)
{
	char *copy;
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask(v, a);
	if (ret == -EMSGSIZE && a->answer.bytes > a->room &&
	    a->answer.bytes <= PHI_VDFS_SPAN_MAX) {
		a->room = a->answer.bytes;
		ret = vdfs_ask(v, a);
	}
	if (ret == -EINVAL && a->why && a->answer.len)
		snprintf(a->why, PHI_VDFS_WHY_MAX, "%.*s", (int)a->answer.len,
			 a->out);
	if (!ret) {
		copy = realloc(*page, a->answer.len + 1);
		if (copy) {
			*page = copy;
			memcpy(copy, a->out, a->answer.len);
		} else {
			ret = -ENOMEM;
		}
	}
	pthread_mutex_unlock(&v->lock);
	return ret;
}

static int ask_once(struct phi_vdfs *v, struct vdfs_ask *a,
		    phi_vdfs_item_fn *fn, void *arg)
{
	const char *last;
	char *page = NULL;
	int ret;

	ret = ask_items(v, a, &page);
	if (!ret)
		ret = each_item(page, a->answer.len, fn, arg, &last);
	free(page);
	return ret;
}

int phi_vdfs_collection_get(struct phi_vdfs *v, uint64_t id, const char *key,
			    phi_vdfs_item_fn *fn, void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_GET, .name = key };

	a.req.id = id;
	a.room = ITEMS_ROOM;
	return ask_once(v, &a, fn, arg);
}

int phi_vdfs_collection_search(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_search *search,
			       phi_vdfs_item_fn *fn, void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_SEARCH };
	uint64_t bytes = (uint64_t)search->n * search->dim * sizeof(float);

	if (search->why)
		*search->why = '\0';
	if (!bytes || !search->k)
		return -EINVAL;
	if (bytes > PHI_VDFS_SPAN_MAX)
		return -EMSGSIZE;
	a.req.id = id;
	a.req.flags = search->want;
	a.req.k = search->k;
	a.req.ef = search->ef;
	memcpy(&a.req.recall, &search->recall, sizeof(a.req.recall));
	a.more = search->filter;
	a.data = search->vectors;
	a.data_len = bytes;
	a.room = ITEMS_ROOM;
	a.why = search->why;
	return ask_once(v, &a, fn, arg);
}

int phi_vdfs_collection_walk(struct phi_vdfs *v, uint64_t id, uint32_t want,
			     phi_vdfs_item_fn *fn, void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_WALK };
	const char *last;
	char *page = NULL, *key = NULL;
	int ret;

	a.req.id = id;
	a.req.flags = want;
	a.room = ITEMS_ROOM;
	do {
		ret = ask_items(v, &a, &page);
		/* That of the page before went with it. */
		last = NULL;
		if (!ret)
			ret = each_item(page, a.answer.len, fn, arg, &last);
		if (ret || !a.answer.more)
			break;
		free(key);
		key = last ? strdup(last) : NULL;
		if (!key)
			ret = last ? -ENOMEM : -EPROTO;
		a.name = key;
	} while (!ret);
	free(page);
	free(key);
	return ret;
}

int phi_vdfs_collection_index_field(struct phi_vdfs *v, uint64_t id,
				    const char *field)
{
	return id_do(v, PHI_VDFS_COLLECTION_FIELD, id, field);
}

int phi_vdfs_collection_rebuild(struct phi_vdfs *v, uint64_t id,
				phi_vdfs_progress *progress, void *arg)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_REBUILD };

	a.req.id = id;
	return vdfs_job(v, &a, NULL, progress, arg);
}

int phi_vdfs_collection_save(struct phi_vdfs *v, uint64_t id)
{
	return id_do(v, PHI_VDFS_COLLECTION_SAVE, id, NULL);
}

int phi_vdfs_collection_stats(struct phi_vdfs *v, uint64_t id,
			      struct phi_vdfs_collection_stats *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_COLLECTION_STATS };
	int ret;

	a.req.id = id;
	ret = vdfs_do(v, &a);
	if (!ret)
		*out = a.answer.items;
	return ret;
}
