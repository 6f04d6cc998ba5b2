// SPDX-License-Identifier: GPL-2.0-only
/*
 * How hard to look for a wanted recall: measured on queries that lie as the
 * collection does, whose true neighbours a scan gives. A vector that is in
 * the graph is too easy to find the neighbours of, so each is moved, farther
 * than two of its neighbours are apart. One curve for each order of magnitude
 * of k; measured again when the collection has grown by half.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

#define RECALL 0.95f
#define SAMPLES 100
#define SAMPLES_MIN 24
/* Elements that the scans of a measurement look at, about. */
#define WORK 40000000000.0
/* With less to do it is done while the searcher waits. */
#define WORK_NOW 300000000.0
/* Vectors that are looked at as fast as a graph is walked. */
#define SCAN_MAX 1000
#define GOOD_ENOUGH 0.999f
/* Neighbours of which two are taken. */
#define NEAR 8
/* Moved by only as much as these differ, it is too easy among even ones. */
#define FARTHER 1.5f

static const uint32_t curve_k[CURVES] = { 10, 100, 1000 };

/**
 * struct sample - what the recall is measured with
 * @core: Of which collection.
 * @ix: Its index.
 * @k: Neighbours looked for.
 * @want: Vectors wanted.
 * @n: Vectors.
 * @ids: shape [n].
 * @rows: f32, shape [n][dim].
 * @limit: How far the k-th neighbour of each is, shape [n].
 * @found: Room for ids.
 * @dist: Room for distances.
 * @room: Room for two vectors.
 */
struct sample {
	struct vdfs_core *core;
	struct vdfs_index *ix;
	uint32_t k;
	size_t want;
	size_t n;
	uint64_t *ids;
	float *rows;
	float *limit;
	uint64_t *found;
	float *dist;
	float *room;
};

/* Items spread over all ids. */
static int pick_fn(struct sqlite3 *db, void *arg)
{
	struct sample *s = arg;
	struct vdfs_core_state state;
	struct sqlite3_stmt *st;
	uint64_t id;
	size_t i;
	int ret;

	s->n = 0;
	ret = vdfs_core_state(s->core, db, &state);
	for (i = 0; i < s->want && !ret; i++) {
		ret = vdfs_sql(db, &st, s->core->sql[SQL_NEXT],
			       VDFS_INT(state.next_id * i / s->want));
		if (!ret)
			ret = vdfs_sql_next(st);
		if (ret <= 0)
			continue;
		id = (uint64_t)sqlite3_column_int64(st, 0);
		ret = 0;
		if (!s->n || s->ids[s->n - 1] != id)
			s->ids[s->n++] = id;
	}
	return ret;
}

/* Share of the k nearest that a search with @ef finds. */
static float measure(struct sample *s, uint32_t ef, uint32_t rerank)
{
	struct vdfs_query query = {
		.k = s->k,
		.ef = ef,
		.rerank = rerank,
	};
	size_t hit = 0;
	size_t i;
	int n;

	for (i = 0; i < s->n; i++) {
		query.vector = s->rows + i * s->core->params.dim;
		n = vdfs_index_search(s->ix, &query, s->found, s->dist);
		while (n > 0)
			hit += s->dist[--n] <= s->limit[i];
	}
	return (float)hit / (float)(s->n * s->k);
}

/* Make a query of a vector of the collection. */
static int move(struct sample *s, uint64_t id, float *row)
{
	const struct vdfs_collection_params *p = &s->core->params;
	struct vdfs_query query = { .vector = row, .k = NEAR, .ef = 8 * NEAR };
	float *y = s->room;
	float *z = s->room + p->dim;
	uint64_t near[NEAR];
	float dist[NEAR];
	uint32_t d;
	int n;

	if (vdfs_index_get(s->ix, id, row))
		return -ENOENT;
	n = vdfs_index_search(s->ix, &query, near, dist);
	if (n < 3 || vdfs_index_get(s->ix, near[1], y) ||
	    vdfs_index_get(s->ix, near[n - 1], z))
		return -ENOENT;
	for (d = 0; d < p->dim; d++) {
		row[d] += FARTHER * (y[d] - z[d]);
		if (p->type == VDFS_I8)
			row[d] = rintf(fmaxf(-128, fminf(127, row[d])));
	}
	return vdfs_vector_check(p, row, p->dim);
}

static bool is_stopped(const struct sample *s)
{
	return atomic_load(&s->core->db->stop) ||
	       atomic_load(&s->core->dropped);
}

/* The truth; a vector that has just been deleted is left out. */
static void look_at_all(struct sample *s)
{
	uint32_t dim = s->core->params.dim;
	struct vdfs_query query = { .k = s->k };
	size_t i, m = 0;
	int n;

	for (i = 0; i < s->n && !is_stopped(s); i++) {
		float *row = s->rows + m * dim;

		if (move(s, s->ids[i], row))
			continue;
		query.vector = row;
		n = vdfs_index_scan(s->ix, &query, s->found, s->dist);
		if (n == (int)s->k)
			s->limit[m++] = s->dist[n - 1];
	}
	s->n = m;
}

static bool has_codes(const struct vdfs_core *core)
{
	return core->params.codes != VDFS_CODES_NONE &&
	       core->params.type != VDFS_I8;
}

static uint32_t next_ef(uint32_t ef, uint32_t k)
{
	uint32_t more = ef < 4 * k ? ef + k / 2 : ef + ef / 3;

	return more < VDFS_INDEX_K_MAX ? more : VDFS_INDEX_K_MAX;
}

/* The fewest candidates to rank again that cost no recall. */
static uint32_t choose_rerank(struct sample *s, uint32_t ef)
{
	float all = measure(s, ef, ef);
	uint32_t rerank = 2 * s->k;

	while (rerank < ef && !is_stopped(s) &&
	       measure(s, ef, rerank) < all - 0.002f)
		rerank *= 2;
	return rerank < ef ? rerank : ef;
}

static void draw(struct sample *s, struct vdfs_curve *curve)
{
	uint32_t ef = s->k + s->k / 5;

	if (has_codes(s->core))
		curve->rerank = choose_rerank(s, 16 * s->k);
	for (curve->n = 0; curve->n < CURVE_POINTS && !is_stopped(s);
	     curve->n++) {
		uint32_t rerank = curve->rerank && curve->rerank < ef ?
					  curve->rerank :
					  ef;

		curve->ef[curve->n] = ef;
		curve->recall[curve->n] = measure(s, ef, rerank);
		if (curve->recall[curve->n] >= GOOD_ENOUGH ||
		    ef == VDFS_INDEX_K_MAX) {
			curve->n++;
			break;
		}
		ef = next_ef(ef, s->k);
	}
}

static double work_of(const struct vdfs_core *core, uint64_t items, size_t n)
{
	return (double)items * core->params.dim * (double)n;
}

static size_t samples_for(const struct vdfs_core *core, uint64_t items)
{
	double n = WORK / work_of(core, items ? items : 1, 1);

	if (n > SAMPLES)
		return SAMPLES;
	return n < SAMPLES_MIN ? SAMPLES_MIN : (size_t)n;
}

static int sample_init(struct sample *s, struct vdfs_core *core, uint64_t items)
{
	s->core = core;
	s->want = samples_for(core, items);
	s->ids = malloc(s->want * sizeof(*s->ids));
	s->limit = malloc(s->want * sizeof(*s->limit));
	s->rows = malloc(s->want * core->params.dim * sizeof(*s->rows));
	s->found = malloc(s->k * sizeof(*s->found));
	s->dist = malloc(s->k * sizeof(*s->dist));
	s->room = malloc(2 * core->params.dim * sizeof(*s->room));
	if (!s->ids || !s->limit || !s->rows || !s->found || !s->dist ||
	    !s->room)
		return -ENOMEM;
	return 0;
}

static void sample_fini(struct sample *s)
{
	free(s->ids);
	free(s->limit);
	free(s->rows);
	free(s->found);
	free(s->dist);
	free(s->room);
}

/**
 * vdfs_tune() - measure the recall of a collection
 * @core: Which.
 * @number: Of the curve.
 *
 * Return: 0, -ECANCELED when the db is closed or the collection dropped
 * meanwhile, or another negative errno.
 */
int vdfs_tune(struct vdfs_core *core, unsigned int number)
{
	struct vdfs_graph *graph = vdfs_graph_get(core);
	struct sample s = { .ix = graph->ix, .k = curve_k[number] };
	struct vdfs_curve curve = { 0 };
	struct vdfs_index_stats stats;
	int ret;

	vdfs_index_stats(graph->ix, &stats);
	ret = sample_init(&s, core, stats.live);
	if (!ret)
		ret = vdfs_meta_read(core->db->meta, pick_fn, &s);
	if (!ret) {
		look_at_all(&s);
		curve.items = stats.live ? stats.live : 1;
		if (s.n)
			draw(&s, &curve);
		if (is_stopped(&s))
			ret = -ECANCELED;
	}
	if (!ret) {
		pthread_mutex_lock(&core->tune);
		core->curve[number] = curve;
		pthread_mutex_unlock(&core->tune);
	}
	sample_fini(&s);
	vdfs_graph_put(graph);
	return ret;
}

/* Without a curve: more than is needed, nearly always. */
static void guess(struct vdfs_query *query, uint32_t k, float recall)
{
	uint32_t times = recall > 0.99f ? 100 : recall > 0.95f ? 40 : 12;
	uint64_t ef = (uint64_t)k * times;

	if (ef < 100)
		ef = 100;
	query->ef = ef < VDFS_INDEX_K_MAX ? (uint32_t)ef : VDFS_INDEX_K_MAX;
	query->rerank = query->ef / 2;
}

/*
 * False when nothing on the curve is good enough. Half of what may be missed
 * is left for queries that are harder than those of the sample.
 */
static bool look_up(const struct vdfs_curve *curve, uint32_t curve_k_of,
		    uint32_t k, float recall, struct vdfs_query *query)
{
	uint64_t scale = k > curve_k_of ? k : curve_k_of;
	float aim = (1 + recall) / 2;
	uint32_t i;

	if (aim > GOOD_ENOUGH)
		aim = GOOD_ENOUGH;
	for (i = 0; i < curve->n && curve->recall[i] < aim; i++)
		continue;
	if (i == curve->n)
		return false;
	query->ef = (uint32_t)(curve->ef[i] * scale / curve_k_of);
	query->rerank = (uint32_t)(curve->rerank * scale / curve_k_of);
	if (!query->rerank || query->rerank > query->ef)
		query->rerank = query->ef;
	return true;
}

static bool is_stale(const struct vdfs_curve *curve, uint64_t items)
{
	return !curve->items || items > curve->items + curve->items / 2 ||
	       items < curve->items / 2;
}

/**
 * vdfs_tune_choose() - how hard to look
 * @core: Where.
 * @graph: Its index.
 * @search: What is wanted.
 * @query: Out: ef and rerank.
 * @exact: Out: look at all instead.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_tune_choose(struct vdfs_core *core, struct vdfs_graph *graph,
		     const struct vdfs_search *search, struct vdfs_query *query,
		     bool *exact)
{
	float recall = search->recall > 0 ? search->recall : RECALL;
	unsigned int number = search->k <= 10 ? 0 : search->k <= 100 ? 1 : 2;
	struct vdfs_index_stats stats;
	struct vdfs_curve curve;
	bool stale;

	*exact = false;
	query->ef = search->ef;
	query->rerank = 0;
	if (search->ef)
		return 0;
	vdfs_index_stats(graph->ix, &stats);
	*exact = recall >= 1 || stats.live <= SCAN_MAX ||
		 stats.live <= curve_k[number];
	if (*exact)
		return 0;
	pthread_mutex_lock(&core->tune);
	curve = core->curve[number];
	pthread_mutex_unlock(&core->tune);
	stale = is_stale(&curve, stats.live);
	if (stale && work_of(core, stats.live, SAMPLES) < WORK_NOW) {
		int ret = vdfs_tune(core, number);

		if (ret)
			return ret == -ECANCELED ? -ENOENT : ret;
		pthread_mutex_lock(&core->tune);
		curve = core->curve[number];
		pthread_mutex_unlock(&core->tune);
	} else if (stale) {
		vdfs_care_ask(core, WORK_TUNE << number);
	}
	if (!curve.n)
		guess(query, search->k, recall);
	else
		*exact = !look_up(&curve, curve_k[number], search->k, recall,
				  query);
	return 0;
}
