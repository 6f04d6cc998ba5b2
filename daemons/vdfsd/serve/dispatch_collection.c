// SPDX-License-Identifier: GPL-2.0-only
/* Collections: items to and from the wire. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_impl.h"
#include "serve_impl.h"

/**
 * vdfsd_collection_use() - the collection that a call means
 * @c: Call; its id is one.
 * @change: It is to be changed.
 * @out: Out; slot_put() it.
 *
 * Context: Worker.
 * Return: 0, -EBADF, -EBUSY, or -EACCES when the session's user may not
 * change it.
 */
int vdfsd_collection_use(struct vdfsd_call *c, bool change,
			 struct vdfs_collection **out)
{
	const struct vdfs_who *who = who_of(c);
	const struct vdfs_collection_params *params;
	void *ptr;
	int ret;

	ret = handle_get(c->base.session, KIND_COLLECTION, c->req.id, &ptr);
	if (ret)
		return ret;
	params = vdfs_collection_params(ptr);
	if (change && !who->admin && who->uid != params->owner &&
	    !(params->mode & 0002)) {
		handle_put(c->base.session, KIND_COLLECTION, c->req.id);
		return -EACCES;
	}
	*out = ptr;
	return 0;
}

static int done(struct vdfsd_call *c, int ret)
{
	handle_put(c->base.session, KIND_COLLECTION, c->req.id);
	return ret;
}

_Static_assert(PHI_VDFS_L2 == (int)VDFS_L2 && PHI_VDFS_IP == (int)VDFS_IP &&
		       PHI_VDFS_COSINE == (int)VDFS_COSINE &&
		       PHI_VDFS_F32 == (int)VDFS_F32 &&
		       PHI_VDFS_I8 == (int)VDFS_I8 &&
		       PHI_VDFS_F16 == (int)VDFS_F16 &&
		       PHI_VDFS_CODES_NONE == (int)VDFS_CODES_NONE &&
		       PHI_VDFS_CODES_8 == (int)VDFS_CODES_8 &&
		       PHI_VDFS_CODES_4 == (int)VDFS_CODES_4 &&
		       PHI_VDFS_CODES_1 == (int)VDFS_CODES_1 &&
		       PHI_VDFS_CODES_2 == (int)VDFS_CODES_2 &&
		       PHI_VDFS_CODES_3 == (int)VDFS_CODES_3 &&
		       PHI_VDFS_REPLACE == (unsigned int)VDFS_INSERT_REPLACE &&
		       PHI_VDFS_CHECK == (unsigned int)VDFS_INSERT_CHECK,
	       "the wire's numbers are the index's");

static void params_out(const struct vdfs_collection_params *p,
		       struct phi_vdfs_params *out)
{
	*out = (struct phi_vdfs_params){ .dim = p->dim,
					 .metric = p->metric,
					 .type = p->type,
					 .codes = p->codes,
					 .m = p->m,
					 .ef_build = p->ef_build,
					 .mode = p->mode,
					 .owner = p->owner };
}

/**
 * vdfsd_collection_params() - what a collection is, for the wire
 * @collection: Collection.
 * @out: Out.
 *
 * Context: Any thread.
 */
void vdfsd_collection_params(struct vdfs_collection *collection,
			     struct phi_vdfs_params *out)
{
	params_out(vdfs_collection_params(collection), out);
}

/**
 * vdfsd_collection_create() - serve COLLECTION_CREATE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_create(struct vdfsd_call *c)
{
	const struct phi_vdfs_params *p = &c->req.params;
	struct vdfs_collection_params params = { .dim = p->dim,
						 .metric = p->metric,
						 .type = p->type,
						 .codes = p->codes,
						 .m = p->m,
						 .ef_build = p->ef_build,
						 .mode = p->mode };

	if (p->owner)
		return -EINVAL;
	return vdfs_collection_create(server_of(c)->db, who_of(c), c->name,
				      &params);
}

/**
 * vdfsd_collection_drop() - serve COLLECTION_DROP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_drop(struct vdfsd_call *c)
{
	return vdfs_collection_drop(server_of(c)->db, who_of(c), c->name);
}

static int add_collection(void *arg, const char *name,
			  const struct vdfs_collection_params *params,
			  uint64_t items)
{
	struct phi_vdfs_entry entry = { .items = items };
	struct vdfsd_call *c = arg;

	if (c->name && strcmp(name, c->name) <= 0)
		return 0;
	params_out(params, &entry.params);
	return vdfsd_entry_add(c, &entry, name);
}

/**
 * vdfsd_collection_list() - serve COLLECTION_LIST
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_list(struct vdfsd_call *c)
{
	return vdfsd_entries_end(c, vdfs_collection_list(server_of(c)->db,
							 who_of(c),
							 add_collection, c));
}

/**
 * vdfsd_collection_close() - serve COLLECTION_CLOSE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_close(struct vdfsd_call *c)
{
	void *ptr;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_COLLECTION, c->req.id,
			       &ptr);
	if (ret)
		return ret;
	handle_remove(c->base.session, KIND_COLLECTION, c->req.id);
	vdfs_collection_put(ptr);
	return 0;
}

/**
 * vdfsd_collection_insert() - serve COLLECTION_INSERT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_insert(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	struct vdfs_item *items;
	size_t n, failed = 0;
	int ret;

	ret = vdfsd_records_read(c->data, c->req.data.len, &items, &n);
	if (ret)
		return ret;
	ret = vdfsd_collection_use(c, true, &collection);
	if (!ret) {
		ret = done(c, vdfs_collection_insert(collection, items, n,
						     c->req.flags, &failed));
		c->answer.done = failed;
	}
	free(items);
	return ret;
}

/**
 * vdfsd_collection_update() - serve COLLECTION_UPDATE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_update(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	struct vdfs_item item;
	size_t bytes;
	int ret;

	ret = vdfsd_record_read(c->data, c->req.data.len, &item, &bytes);
	if (!ret && bytes != c->req.data.len)
		ret = -EINVAL;
	if (!ret)
		ret = vdfsd_collection_use(c, true, &collection);
	return ret ? ret : done(c, vdfs_collection_update(collection, &item));
}

/**
 * vdfsd_collection_delete() - serve COLLECTION_DELETE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_delete(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	int ret = vdfsd_collection_use(c, true, &collection);

	return ret ? ret : done(c, vdfs_collection_delete(collection, c->name));
}

/**
 * struct results - items on their way to the wire
 * @c: Call.
 * @want: PHI_VDFS_VECTORS, PHI_VDFS_METADATA.
 * @query: Vector of the search.
 * @all: The call fails when one does not fit.
 * @need: Bytes that all of them take.
 */
struct results {
	struct vdfsd_call *c;
	uint32_t want;
	uint32_t query;
	bool all;
	uint64_t need;
};

static int add_item(void *arg, const struct vdfs_item *item, float dist)
{
	struct results *res = arg;
	struct vdfsd_call *c = res->c;
	bool vector = res->want & PHI_VDFS_VECTORS && item->vector;
	bool metadata = res->want & PHI_VDFS_METADATA && item->metadata;
	struct phi_vdfs_record r = { .query = res->query };
	size_t bytes;
	char *p;

	r.dim = vector ? item->dim : 0;
	r.key_len = strlen(item->key);
	r.metadata_len = metadata ? strlen(item->metadata) : 0;
	bytes = sizeof(r) + r.dim * sizeof(float) + r.key_len + 1 +
		r.metadata_len + 1;
	bytes = (bytes + 7) & ~7UL;
	res->need += bytes;
	if (bytes > c->room - c->answer.len) {
		/* Go on counting, so that the client knows what it takes. */
		if (res->all)
			return 0;
		if (!c->answer.len)
			return -EMSGSIZE;
		c->answer.more = 1;
		return LIST_FULL;
	}
	if (res->all && res->need > c->room)
		return 0;
	r.bytes = bytes;
	memcpy(&r.dist, &dist, sizeof(dist));
	p = c->out + c->answer.len;
	memset(p + bytes - 8, 0, 8);
	memcpy(p, &r, sizeof(r));
	p += sizeof(r);
	if (r.dim)
		memcpy(p, item->vector, r.dim * sizeof(float));
	p += r.dim * sizeof(float);
	memcpy(p, item->key, r.key_len + 1);
	p += r.key_len + 1;
	if (r.metadata_len)
		memcpy(p, item->metadata, r.metadata_len);
	p[r.metadata_len] = '\0';
	c->answer.len += bytes;
	return 0;
}

static int results_end(struct results *res, int ret)
{
	struct vdfsd_call *c = res->c;

	if (!ret && res->all && res->need > c->room)
		ret = -EMSGSIZE;
	if (ret == -EMSGSIZE)
		c->answer.bytes = res->need;
	return vdfsd_entries_end(c, ret);
}

/**
 * vdfsd_collection_get() - serve COLLECTION_GET
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_get(struct vdfsd_call *c)
{
	struct results res = { .c = c, .all = true };
	struct vdfs_collection *collection;
	int ret;

	res.want = PHI_VDFS_VECTORS | PHI_VDFS_METADATA;
	ret = vdfsd_collection_use(c, false, &collection);
	if (ret)
		return ret;
	ret = vdfs_collection_get(collection, c->name, add_item, &res);
	return done(c, results_end(&res, ret));
}

/* The filter of a search, read once; where it is refused, why, as results. */
static int read_filter(struct vdfsd_call *c, struct vdfs_filter **filter)
{
	char why[VDFS_WHY_MAX] = "";
	int ret;

	*filter = NULL;
	if (!c->more)
		return 0;
	ret = vdfs_filter_new(c->more, why, sizeof(why), filter);
	if (ret && *why && strlen(why) < c->room) {
		c->answer.len = strlen(why) + 1;
		memcpy(c->out, why, c->answer.len);
	}
	return ret;
}

/* Its client is gone. */
static bool is_over(void *of)
{
	return session_is_dead(of);
}

static bool goes_on(void *of, uint64_t step, uint64_t steps)
{
	(void)step;
	(void)steps;
	return !session_is_dead(of);
}

static int search_all(struct vdfsd_call *c, struct vdfs_collection *collection,
		      struct vdfs_search *search)
{
	struct results res = { .c = c, .want = c->req.flags, .all = true };
	size_t row = search->dim * sizeof(float);
	size_t at;
	int ret = 0;

	for (at = 0; !ret && at < c->req.data.len; at += row) {
		search->vector = (float *)(c->data + at);
		ret = vdfs_collection_search(collection, search, add_item,
					     &res);
		res.query++;
	}
	return results_end(&res, ret);
}

/**
 * vdfsd_collection_search() - serve COLLECTION_SEARCH
 * @c: Call; its data are one or more vectors.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_search(struct vdfsd_call *c)
{
	struct vdfs_search search = { .k = c->req.k,
				      .ef = c->req.ef,
				      .filter = c->more,
				      .over = is_over,
				      .of = c->base.session };
	struct vdfs_collection *collection;
	struct vdfs_filter *filter;
	int ret;

	memcpy(&search.recall, &c->req.recall, sizeof(search.recall));
	if (!(search.recall >= 0 && search.recall <= 1))
		return -EINVAL;
	search.vectors = c->req.flags & PHI_VDFS_VECTORS;
	ret = vdfsd_collection_use(c, false, &collection);
	if (ret)
		return ret;
	search.dim = vdfs_collection_params(collection)->dim;
	if (c->req.data.len % (search.dim * sizeof(float)))
		return done(c, -EMSGSIZE);
	ret = read_filter(c, &filter);
	search.read = filter;
	if (!ret)
		ret = search_all(c, collection, &search);
	vdfs_filter_free(filter);
	return done(c, ret);
}

/**
 * vdfsd_collection_walk() - serve COLLECTION_WALK
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_walk(struct vdfsd_call *c)
{
	struct results res = { .c = c, .want = c->req.flags };
	struct vdfs_collection *collection;
	int ret;

	ret = vdfsd_collection_use(c, false, &collection);
	if (ret)
		return ret;
	ret = vdfs_collection_walk(collection, c->name, add_item, &res);
	return done(c, results_end(&res, ret));
}

/**
 * vdfsd_collection_field() - serve COLLECTION_FIELD
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_field(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	int ret = vdfsd_collection_use(c, true, &collection);

	return ret ? ret :
		     done(c, vdfs_collection_index_field(collection, c->name,
							 goes_on,
							 c->base.session));
}

/**
 * vdfsd_collection_save() - serve COLLECTION_SAVE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_save(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	int ret = vdfsd_collection_use(c, true, &collection);

	return ret ? ret : done(c, vdfs_collection_save(collection));
}

/**
 * vdfsd_collection_stats() - serve COLLECTION_STATS
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_collection_stats(struct vdfsd_call *c)
{
	struct phi_vdfs_collection_stats *out = &c->answer.items;
	struct vdfs_collection_stats st;
	struct vdfs_collection *collection;
	int ret = vdfsd_collection_use(c, false, &collection);

	if (ret)
		return ret;
	ret = vdfs_collection_stats(collection, &st);
	if (!ret) {
		out->items = st.items;
		out->deleted = st.deleted;
		out->index_bytes = st.index_bytes;
		out->generation = st.generation;
		out->saved = st.saved;
	}
	return done(c, ret);
}
