// SPDX-License-Identifier: GPL-2.0-only
/* The part of a collection that a search looks at: filters, and ties by key. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pace.h"
#include "search_impl.h"

/* Items whose distance is measured at a time, in the order of their keys. */
#define TIE_STEP 4096

/* Steps of the database between two looks whether a search is over. */
#define OVER_STEP 1000

/**
 * struct ids - a list that grows
 * @id: shape [n].
 * @n: How many.
 * @room: For so many.
 */
struct ids {
	uint64_t *id;
	size_t n;
	size_t room;
};

static int add_id(struct ids *ids, uint64_t id)
{
	if (ids->n == ids->room) {
		size_t room = ids->room * 2 + 1024;
		uint64_t *more = realloc(ids->id, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		ids->id = more;
		ids->room = room;
	}
	ids->id[ids->n++] = id;
	return 0;
}

/**
 * struct matches - the items that match, one after the other
 * @st: Rows that the clause of the filter lets through.
 * @matcher: Decides about each, by the last column; NULL = all match.
 */
struct matches {
	struct sqlite3_stmt *st;
	struct vdfs_matcher *matcher;
};

static void matches_end(struct matches *m)
{
	sqlite3_finalize(m->st);
	vdfs_matcher_free(m->matcher);
}

/* @sql is from sqlite3_mprintf(), and freed. */
static int matches_prepare(struct matches *m, struct sqlite3 *db, char *sql)
{
	int ret = 0;

	if (!sql)
		return -ENOMEM;
	if (sqlite3_prepare_v2(db, sql, -1, &m->st, NULL))
		ret = vdfs_meta_errno(db);
	sqlite3_free(sql);
	return ret;
}

/*
 * "SELECT @columns of all items that match @order", with values bound. @where:
 * the items that there are, with the marks before @first.
 */
static int matches_begin(struct vdfs_finding *f, struct sqlite3 *db,
			 const char *columns, const char *where,
			 const char *order, int first, struct matches *m)
{
	int ret = 0;

	if (f->filter)
		ret = vdfs_matcher_new(f->filter, db, &m->matcher);
	if (!ret)
		ret = matches_prepare(
			m, db,
			sqlite3_mprintf(
				"SELECT %s%s FROM item WHERE %s AND %s%s",
				columns, m->matcher ? ", metadata" : "", where,
				f->filter ? vdfs_filter_sql(f->filter) : "1",
				order));
	if (!ret && f->filter)
		ret = vdfs_filter_bind(f->filter, m->st, first);
	return ret;
}

/* Ids of all items that match; of those alone that indexed fields name. */
static int ids_begin(struct vdfs_finding *f, struct sqlite3 *db,
		     const struct vdfs_drive *drive, struct matches *m)
{
	char *where;
	int first = 1;
	int ret;

	if (drive->alone) {
		ret = matches_prepare(
			m, db,
			sqlite3_mprintf("SELECT item FROM field_value WHERE %s",
					drive->sql));
	} else {
		where = drive->sql ?
				sqlite3_mprintf(
					"id IN (SELECT item FROM field_value\n"
					" WHERE %s)",
					drive->sql) :
				sqlite3_mprintf(
					"id > %lld AND id <= %lld",
					(long long)vdfs_row(f->core, 0),
					(long long)vdfs_row_end(f->core));
		for (size_t i = 0; i < drive->bounds; i++)
			first += (int)f->filter->test[drive->bound[i]].values;
		ret = where ? matches_begin(f, db, "id", where, "", first, m) :
			      -ENOMEM;
		sqlite3_free(where);
	}
	first = 1;
	return ret ? ret :
		     vdfs_filter_bind_tests(f->filter, drive->bound,
					    drive->bounds, m->st, &first);
}

/* Returns as vdfs_sql_next(). */
static int matches_next(struct matches *m)
{
	const unsigned char *metadata;
	int ret;

	do {
		pace_step();
		ret = vdfs_sql_next(m->st);
		if (ret <= 0 || !m->matcher)
			return ret;
		metadata = sqlite3_column_text(m->st,
					       sqlite3_column_count(m->st) - 1);
		if (!metadata)
			return -ENOMEM;
		ret = vdfs_matcher_matches(m->matcher, (const char *)metadata);
	} while (!ret);
	return ret;
}

static int drive_by(struct vdfs_finding *f, struct sqlite3 *db,
		    const struct vdfs_core_state *state,
		    struct vdfs_drive *drive)
{
	struct vdfs_fields fields;
	int ret;

	memset(drive, 0, sizeof(*drive));
	if (!state->fields)
		return 0;
	ret = vdfs_fields_load(db, f->core->id, &fields);
	if (!ret)
		ret = vdfs_drive_new(f->filter, &fields, drive);
	vdfs_fields_free(&fields);
	return ret;
}

static int evaluate(struct vdfs_finding *f, struct sqlite3 *db,
		    const struct vdfs_core_state *state, struct ids *ids)
{
	struct matches m = { 0 };
	struct vdfs_drive drive;
	int ret;

	ret = drive_by(f, db, state, &drive);
	if (!ret)
		ret = ids_begin(f, db, &drive, &m);
	while (!ret) {
		ret = matches_next(&m);
		if (ret <= 0)
			break;
		ret = add_id(ids, vdfs_number(f->core,
					      sqlite3_column_int64(m.st, 0)));
	}
	matches_end(&m);
	vdfs_drive_free(&drive);
	return ret;
}

static int is_over(void *arg)
{
	const struct vdfs_search *how = arg;

	pace_step();
	return how->over && how->over(how->of);
}

/**
 * vdfs_finding_watch() - end what the database does for a search that is over
 * @f: The search, which is paced meanwhile; NULL = ask no search any more.
 * @db: A connection inside a transaction.
 */
void vdfs_finding_watch(struct vdfs_finding *f, struct sqlite3 *db)
{
	if (f)
		sqlite3_progress_handler(db, OVER_STEP, is_over,
					 (void *)f->how);
	else
		sqlite3_progress_handler(db, 0, NULL, NULL);
}

static void kept_free(struct vdfs_kept *kept)
{
	if (!kept)
		return;
	vdfs_subset_free(kept->subset);
	free(kept->filter);
	free(kept);
}

/* The caller holds the lock of the graph. */
static void kept_put(struct vdfs_kept **at)
{
	struct vdfs_kept *kept = *at;

	*at = NULL;
	if (!kept)
		return;
	kept->gone = true;
	if (!kept->refs)
		kept_free(kept);
}

static struct vdfs_kept *find_kept(struct vdfs_graph *graph, const char *filter,
				   uint64_t generation)
{
	struct vdfs_kept *kept = NULL;
	size_t i;

	pthread_mutex_lock(&graph->lock);
	for (i = 0; i < KEPT && !kept; i++) {
		kept = graph->kept[i];
		if (kept && (kept->generation != generation ||
			     strcmp(kept->filter, filter)))
			kept = NULL;
	}
	if (kept) {
		kept->refs++;
		kept->used = ++graph->clock;
	}
	pthread_mutex_unlock(&graph->lock);
	return kept;
}

/* In the place of the one that was not used for longest. */
static struct vdfs_kept *keep(struct vdfs_graph *graph, const char *filter,
			      uint64_t generation, struct vdfs_subset *subset)
{
	struct vdfs_kept *kept = calloc(1, sizeof(*kept));
	size_t oldest = 0;
	size_t i;

	if (kept)
		kept->filter = strdup(filter);
	if (!kept || !kept->filter) {
		free(kept);
		return NULL;
	}
	kept->generation = generation;
	kept->subset = subset;
	kept->refs = 1;
	pthread_mutex_lock(&graph->lock);
	kept->used = ++graph->clock;
	for (i = 0; i < KEPT && graph->kept[oldest]; i++)
		if (!graph->kept[i] ||
		    graph->kept[i]->used < graph->kept[oldest]->used)
			oldest = i;
	kept_put(&graph->kept[oldest]);
	graph->kept[oldest] = kept;
	pthread_mutex_unlock(&graph->lock);
	return kept;
}

/**
 * vdfs_finding_filter() - limit a search to what matches its filter
 * @f: The search.
 * @db: A connection inside a transaction.
 * @state: Of the collection, there.
 *
 * The matches are kept for the next search when they are certain to be all: no
 * change may have been between its commit and the index meanwhile.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_finding_filter(struct vdfs_finding *f, struct sqlite3 *db,
			const struct vdfs_core_state *state)
{
	struct vdfs_subset *subset;
	struct ids ids = { 0 };
	int ret;

	f->kept = find_kept(f->graph, f->how->filter, state->generation);
	if (f->kept) {
		f->query.subset = f->kept->subset;
		return 0;
	}
	ret = evaluate(f, db, state, &ids);
	if (!ret)
		ret = vdfs_subset_new(f->graph->ix, ids.id, ids.n, &subset);
	free(ids.id);
	if (ret)
		return ret;
	f->query.subset = subset;
	if (f->quiet && atomic_load(&f->core->started) == f->started)
		f->kept = keep(f->graph, f->how->filter, state->generation,
			       subset);
	return 0;
}

/**
 * vdfs_finding_unfilter() - give up what vdfs_finding_filter() made
 * @f: The search; when it has to start again, its subset is of no use.
 */
void vdfs_finding_unfilter(struct vdfs_finding *f)
{
	struct vdfs_graph *graph = f->graph;
	struct vdfs_kept *kept = f->kept;
	size_t i;

	if (!kept) {
		vdfs_subset_free((struct vdfs_subset *)f->query.subset);
		f->query.subset = NULL;
		return;
	}
	pthread_mutex_lock(&graph->lock);
	for (i = 0; i < KEPT && f->again; i++)
		if (graph->kept[i] == kept)
			kept_put(&graph->kept[i]);
	if (!--kept->refs && kept->gone)
		kept_free(kept);
	pthread_mutex_unlock(&graph->lock);
	f->query.subset = NULL;
	f->kept = NULL;
}

/**
 * struct tie - an item that may be as near as the k-th answer
 * @id: Of the item.
 * @key: Of the item.
 */
struct tie {
	uint64_t id;
	char *key;
};

/* Some items in the order of their keys. */
static int next_keys(const struct vdfs_core *core, struct matches *m,
		     struct tie *tie, size_t *n)
{
	int ret = 1;

	for (*n = 0; *n < TIE_STEP; (*n)++) {
		ret = matches_next(m);
		if (ret <= 0)
			return ret;
		tie[*n].id = vdfs_number(core, sqlite3_column_int64(m->st, 0));
		tie[*n].key =
			strdup((const char *)sqlite3_column_text(m->st, 1));
		if (!tie[*n].key)
			return -ENOMEM;
	}
	return 1;
}

/* Of @n ids those that are at @dist, in no order. */
static int at_distance(struct vdfs_finding *f, const struct tie *tie, size_t n,
		       float dist, struct ids *out)
{
	struct vdfs_query query = f->query;
	struct vdfs_subset *subset = NULL;
	uint64_t *ids = malloc(TIE_STEP * sizeof(*ids));
	float *d = malloc(TIE_STEP * sizeof(*d));
	size_t i;
	int ret = ids && d ? 0 : -ENOMEM;
	int found;

	for (i = 0; i < n && !ret; i++)
		ids[i] = tie[i].id;
	if (!ret)
		ret = vdfs_subset_new(f->graph->ix, ids, n, &subset);
	query.subset = subset;
	query.k = TIE_STEP;
	found = ret ? ret : vdfs_index_scan(f->graph->ix, &query, ids, d);
	ret = found < 0 ? found : 0;
	out->n = 0;
	for (i = 0; found > 0 && i < (size_t)found && !ret; i++)
		if (d[i] == dist)
			ret = add_id(out, ids[i]);
	vdfs_subset_free(subset);
	free(ids);
	free(d);
	return ret;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Move those that are at @dist to the answers, as many as are missing. */
static int take_ties(struct vdfs_finding *f, struct tie *tie, size_t n,
		     float dist)
{
	struct ids same = { 0 };
	size_t i;
	int ret;

	ret = at_distance(f, tie, n, dist, &same);
	if (!ret && same.n)
		qsort(same.id, same.n, sizeof(*same.id), by_id);
	for (i = 0; i < n && !ret && f->hits < f->how->k; i++) {
		if (!same.n || !bsearch(&tie[i].id, same.id, same.n,
					sizeof(*same.id), by_id))
			continue;
		f->hit[f->hits].id = tie[i].id;
		f->hit[f->hits].key = tie[i].key;
		f->hit[f->hits++].dist = dist;
		tie[i].key = NULL;
	}
	free(same.id);
	return ret;
}

/**
 * vdfs_finding_ties() - the first by key of very many equally near items
 * @f: The search: its hits are more than asked for, the last are equal.
 * @db: A connection inside a transaction.
 *
 * Goes through the collection by key until there are enough.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_finding_ties(struct vdfs_finding *f, struct sqlite3 *db)
{
	struct tie *tie = calloc(TIE_STEP, sizeof(*tie));
	float dist = f->dist[f->n - 1];
	struct matches m = { 0 };
	char where[48];
	int ret, err;
	size_t n;

	if (!tie)
		return -ENOMEM;
	while (f->hits && f->hit[f->hits - 1].dist == dist)
		free(f->hit[--f->hits].key);
	snprintf(where, sizeof(where), "collection = %lld",
		 (long long)f->core->id);
	ret = matches_begin(f, db, "id, key", where, " ORDER BY key", 1, &m);
	if (!ret)
		ret = 1;
	while (ret > 0 && f->hits < f->how->k) {
		ret = next_keys(f->core, &m, tie, &n);
		err = ret < 0 ? 0 : take_ties(f, tie, n, dist);
		ret = err ? err : ret;
		for (n = 0; n < TIE_STEP; n++) {
			free(tie[n].key);
			tie[n].key = NULL;
		}
	}
	matches_end(&m);
	free(tie);
	return ret < 0 ? ret : 0;
}
