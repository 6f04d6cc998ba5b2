// SPDX-License-Identifier: GPL-2.0-only
/* Searching a collection: the index gives ids, the database the items. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pace.h"
#include "search_impl.h"

/* Retries of a search whose results were deleted meanwhile. */
#define TRIES 20

static int make_room(struct vdfs_finding *f, uint32_t room)
{
	uint64_t *ids = realloc(f->ids, room * sizeof(*ids));
	float *dist;

	if (ids)
		f->ids = ids;
	dist = realloc(f->dist, room * sizeof(*dist));
	if (dist)
		f->dist = dist;
	return ids && dist ? 0 : -ENOMEM;
}

/*
 * The nearest ids, and all that are as near as the k-th: which of those are
 * among the answers is for their keys to say.
 */
static int nearest(struct vdfs_finding *f)
{
	uint32_t k = f->how->k;
	uint32_t want = k + 1;
	int n;

	f->tied = false;
	for (;;) {
		n = make_room(f, want);
		if (n)
			return n;
		f->query.k = want;
		n = f->exact ? vdfs_index_scan(f->graph->ix, &f->query, f->ids,
					       f->dist) :
			       vdfs_index_search(f->graph->ix, &f->query,
						 f->ids, f->dist);
		if (n < 0)
			return n;
		if ((uint32_t)n <= k || (uint32_t)n < want ||
		    f->dist[n - 1] != f->dist[k - 1])
			break;
		f->tied = want == VDFS_INDEX_K_MAX;
		if (f->tied)
			break;
		want = want < VDFS_INDEX_K_MAX / 8 ? want * 8 :
						     VDFS_INDEX_K_MAX;
	}
	f->n = (uint32_t)n;
	while (f->n > k && f->dist[f->n - 1] != f->dist[k - 1])
		f->n--;
	return 0;
}

static int by_distance_and_key(const void *a, const void *b)
{
	const struct vdfs_hit *x = a;
	const struct vdfs_hit *y = b;

	if (x->dist != y->dist)
		return x->dist < y->dist ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* Keys of what was found; what has no row any more is left out. */
static int name_hits(struct vdfs_finding *f, struct sqlite3 *db)
{
	struct sqlite3_stmt *st;
	uint32_t i;
	int ret;

	f->hit = calloc(f->n + 1, sizeof(*f->hit));
	if (!f->hit)
		return -ENOMEM;
	for (i = 0; i < f->n; i++) {
		struct vdfs_hit *hit = &f->hit[f->hits];

		ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_KEY],
			       VDFS_INT(vdfs_row(f->core, f->ids[i])));
		if (!ret)
			ret = vdfs_sql_next(st);
		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		hit->key = strdup((const char *)sqlite3_column_text(st, 0));
		if (!hit->key)
			return -ENOMEM;
		hit->id = f->ids[i];
		hit->dist = f->dist[i];
		f->hits++;
	}
	f->gone = f->hits < f->n;
	qsort(f->hit, f->hits, sizeof(*f->hit), by_distance_and_key);
	return 0;
}

static int load_vector(struct vdfs_finding *f, struct sqlite3_stmt *st,
		       struct vdfs_item *item)
{
	if (!sqlite3_column_int(st, 2))
		return -EBADMSG;
	item->vector = f->row;
	return vdfs_vector_load(&f->core->params, sqlite3_column_blob(st, 1),
				(size_t)sqlite3_column_bytes(st, 1), f->row);
}

static int give_hits(struct vdfs_finding *f, struct sqlite3 *db)
{
	enum vdfs_core_sql sql = f->row ? SQL_CONTENT : SQL_METADATA;
	struct sqlite3_stmt *st;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < f->hits && i < f->how->k && !ret; i++) {
		struct vdfs_item item = {
			.key = f->hit[i].key,
			.dim = f->core->params.dim,
		};

		ret = vdfs_sql(db, &st, vdfs_item_sql[sql],
			       VDFS_INT(vdfs_row(f->core, f->hit[i].id)));
		if (!ret)
			ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret ? ret : -EBADMSG;
		item.metadata = (const char *)sqlite3_column_text(st, 0);
		if (!item.metadata)
			return -ENOMEM;
		ret = f->row ? load_vector(f, st, &item) : 0;
		if (ret)
			return ret;
		ret = f->fn(f->arg, &item, f->hit[i].dist);
	}
	return ret;
}

static void forget_hits(struct vdfs_finding *f)
{
	while (f->hits)
		free(f->hit[--f->hits].key);
	free(f->hit);
	f->hit = NULL;
}

/* All that the database is asked, in one commit of it. */
static int answer(struct vdfs_finding *f, struct sqlite3 *db)
{
	struct vdfs_core_state state;
	int ret;

	ret = vdfs_core_state(f->core, db, &state);
	if (ret)
		return ret;
	if (f->filter) {
		ret = vdfs_finding_filter(f, db, &state);
		if (!ret)
			ret = nearest(f);
	}
	if (ret == -ESTALE) {
		f->again = true;
		return 0;
	}
	if (!ret)
		ret = name_hits(f, db);
	if (!ret && f->tied)
		ret = vdfs_finding_ties(f, db);
	if (!ret && f->gone && f->tries < TRIES) {
		f->again = true;
		return 0;
	}
	return ret ? ret : give_hits(f, db);
}

static int answer_fn(struct sqlite3 *db, void *arg)
{
	struct vdfs_finding *f = arg;
	int ret;

	vdfs_finding_watch(f, db);
	ret = answer(f, db);
	vdfs_finding_watch(NULL, db);
	/* The database was interrupted, however it says that. */
	if (ret && f->how->over && f->how->over(f->how->of))
		return -ECANCELED;
	return ret;
}

static int attempt(struct vdfs_finding *f)
{
	unsigned long ended;
	int ret;

	f->again = false;
	ret = vdfs_graph_recover(f->core);
	if (ret)
		return ret;
	f->graph = vdfs_graph_get(f->core);
	f->query.subset = NULL;
	ended = atomic_load(&f->core->ended);
	f->started = atomic_load(&f->core->started);
	f->quiet = ended == f->started;
	ret = vdfs_tune_choose(f->core, f->graph, f->how, &f->query, &f->exact);
	if (!ret && !f->filter)
		ret = nearest(f);
	if (!ret)
		ret = vdfs_meta_read(f->core->db->meta, answer_fn, f);
	forget_hits(f);
	vdfs_finding_unfilter(f);
	vdfs_graph_put(f->graph);
	return ret;
}

/* Queries of an int8 collection are rounded, as index.h says. */
static int check(struct vdfs_finding *f, float *probe)
{
	const struct vdfs_collection_params *p = &f->core->params;
	const struct vdfs_search *how = f->how;
	uint32_t d;
	int ret;

	if (!how->vector || !how->k || how->k > VDFS_K_MAX)
		return -EINVAL;
	if (!(how->recall >= 0 && how->recall <= 1))
		return -EINVAL;
	if (how->dim != p->dim)
		return -EMSGSIZE;
	for (d = 0; d < p->dim; d++)
		probe[d] = p->type == VDFS_I8 ? rintf(how->vector[d]) :
						how->vector[d];
	ret = vdfs_vector_check(p, probe, p->dim);
	if (ret)
		return ret;
	f->filter = how->read;
	if (how->read || !how->filter)
		return 0;
	ret = vdfs_filter_new(how->filter, NULL, 0, &f->own);
	f->filter = f->own;
	return ret;
}

/**
 * vdfs_collection_search() - the items nearest to a vector
 * @c: Where.
 * @search: Vector, number of answers, filter, effort.
 * @fn: Is given the answers, nearest first, equal ones by key; all of one
 *      commit of the database.
 * @arg: For @fn.
 *
 * As many answers as were asked for, unless fewer items exist (or match the
 * filter). An item that is changed at the same time may be missed.
 *
 * Return: 0, the last return value of @fn, or a negative errno; see
 * collection.h; -ECANCELED when it is over.
 */
int vdfs_collection_search(struct vdfs_collection *c,
			   const struct vdfs_search *search, vdfs_item_fn *fn,
			   void *arg)
{
	struct vdfs_finding f = {
		.core = c->core,
		.how = search,
		.fn = fn,
		.arg = arg,
	};
	float *probe;
	int ret;

	pace_step();
	if (!c->may_read)
		return -EACCES;
	if (atomic_load(&c->core->dropped))
		return -ENOENT;
	probe = malloc(c->core->params.dim * sizeof(*probe));
	if (search->vectors)
		f.row = malloc(c->core->params.dim * sizeof(*f.row));
	ret = probe && (f.row || !search->vectors) ? check(&f, probe) : -ENOMEM;
	f.query.vector = probe;
	while (!ret) {
		f.tries++;
		ret = attempt(&f);
		/* A scan, a filter: with a commit of the database they count. */
		pace_step();
		if (!f.again)
			break;
	}
	vdfs_filter_free(f.own);
	free(f.row);
	free(f.ids);
	free(f.dist);
	free(probe);
	return ret;
}
