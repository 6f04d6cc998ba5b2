// SPDX-License-Identifier: GPL-2.0-only
/*
 * How hard to look for a wanted recall: measured on vectors of the collection,
 * whose true neighbours a scan gives. Each is searched for as if it were not in
 * the graph, which is what any other vector like it would meet. A curve has the
 * bounds that the recall keeps with a confidence of 95 %, not the means of the
 * sample; where no point of it is good enough, all vectors are looked at. One
 * curve for each order of magnitude of k; measured again when the collection
 * has grown by half.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

#define RECALL 0.95f
#define SAMPLES 500
#define SAMPLES_MIN 24
/* Elements that the scans of a measurement look at, about. */
#define WORK 60000000000.0
/* With less to do it is done while the searcher waits. */
#define WORK_NOW 300000000.0
/* Vectors that are looked at as fast as a graph is walked. */
#define SCAN_MAX 1000
/* Walks that look at so many of all are no faster than a scan. */
#define SCAN_SHARE 4
/* Without a curve nothing is sure to reach more than this, but a scan. */
#define GUESS_MAX 0.98f
/* Of a normal distribution, 95 % of which lie above minus so many deviations. */
#define CONFIDENCE 1.645

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
		ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_NEXT],
			       VDFS_INT(vdfs_row(s->core,
						 state.next_id * i / s->want)),
			       VDFS_INT(vdfs_row_end(s->core)),
			       VDFS_INT(s->core->id));
		if (!ret)
			ret = vdfs_sql_next(st);
		if (ret <= 0)
			continue;
		id = vdfs_number(s->core, sqlite3_column_int64(st, 0));
		ret = 0;
		if (!s->n || s->ids[s->n - 1] != id)
			s->ids[s->n++] = id;
	}
	return ret;
}

/**
 * struct share - what a search found of the nearest
 * @mean: Over the sample.
 * @bound: Of any sample like it, with confidence.
 */
struct share {
	double mean;
	double bound;
};

/*
 * Wilson's bound of a proportion. Neighbours of one query are found or missed
 * together, so they count as fewer than they are: by as much as queries differ
 * more than chance would have it.
 */
static double bound_of(double mean, double variance, size_t n, uint32_t k)
{
	double z = CONFIDENCE;
	double trials = (double)n * k;
	double chance = mean * (1 - mean) / k;
	double apart = chance > 0 ? variance / chance : 1;

	if (apart > 1)
		trials /= apart < k ? apart : k;
	return (mean + z * z / (2 * trials) -
		z * sqrt(mean * (1 - mean) / trials +
			 z * z / (4 * trials * trials))) /
	       (1 + z * z / trials);
}

static struct share measure(struct sample *s, uint32_t ef, uint32_t rerank)
{
	struct vdfs_query query = {
		.k = s->k,
		.ef = ef,
		.rerank = rerank,
	};
	struct share share = { 0 };
	double square = 0;
	size_t i;
	int n;

	for (i = 0; i < s->n; i++) {
		double hit = 0;

		query.vector = s->rows + i * s->core->params.dim;
		query.without = &s->ids[i];
		n = vdfs_index_search(s->ix, &query, s->found, s->dist);
		while (n > 0)
			hit += s->dist[--n] <= s->limit[i];
		hit /= s->k;
		share.mean += hit / (double)s->n;
		square += hit * hit / (double)s->n;
	}
	share.bound = bound_of(share.mean, square - share.mean * share.mean,
			       s->n, s->k);
	return share;
}

static bool is_stopped(const struct sample *s)
{
	return atomic_load(&s->core->db->stop) ||
	       atomic_load(&s->core->dropped);
}

/* The truth; a vector that was deleted, or is on a way, is left out. */
static void look_at_all(struct sample *s)
{
	uint32_t dim = s->core->params.dim;
	struct vdfs_query query = { .k = s->k };
	size_t i, m = 0;
	int n;

	for (i = 0; i < s->n && !is_stopped(s); i++) {
		float *row = s->rows + m * dim;

		if (vdfs_index_get(s->ix, s->ids[i], row))
			continue;
		query.vector = row;
		query.without = &s->ids[i];
		n = vdfs_index_scan(s->ix, &query, s->found, s->dist);
		if (n != (int)s->k)
			continue;
		s->limit[m] = s->dist[n - 1];
		s->ids[m++] = s->ids[i];
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

/* The best that @ef comes to, and with how few ranked again. */
static struct share point(struct sample *s, uint32_t ef, uint32_t *rerank)
{
	struct share now = measure(s, ef, *rerank ? *rerank : ef);

	/* More than half of what is missed may have been in the pool. */
	while (*rerank && *rerank < ef && !is_stopped(s)) {
		struct share more = measure(s, ef, 2 * *rerank);

		if (more.mean - now.mean <= (1 - more.mean) / 2)
			break;
		*rerank *= 2;
		now = more;
	}
	return now;
}

static void draw(struct sample *s, struct vdfs_curve *curve)
{
	uint32_t rerank = has_codes(s->core) ? 2 * s->k : 0;
	uint32_t ef = s->k + s->k / 5;
	struct share share = { 0 };

	while (curve->n < CURVE_POINTS && !is_stopped(s) && share.mean < 1 &&
	       (!curve->n || ef <= curve->items / SCAN_SHARE)) {
		share = point(s, ef, &rerank);
		curve->ef[curve->n] = ef;
		curve->rerank[curve->n] = rerank;
		curve->recall[curve->n++] = (float)share.bound;
		if (ef == VDFS_INDEX_K_MAX)
			break;
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
	if (!s->ids || !s->limit || !s->rows || !s->found || !s->dist)
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

/* Without a curve: more than is needed, nearly always; false for much. */
static bool guess(struct vdfs_query *query, uint32_t k, float recall)
{
	uint32_t times = recall > 0.95f ? 40 : 12;
	uint64_t ef = (uint64_t)k * times;

	if (ef < 100)
		ef = 100;
	query->ef = ef < VDFS_INDEX_K_MAX ? (uint32_t)ef : VDFS_INDEX_K_MAX;
	query->rerank = query->ef / 2;
	return recall <= GUESS_MAX;
}

/*
 * False when nothing on the curve is good enough. A quarter of what may be
 * missed is left for queries that are harder than those of the sample.
 */
static bool look_up(const struct vdfs_curve *curve, uint32_t curve_k_of,
		    uint32_t k, float recall, struct vdfs_query *query)
{
	uint64_t scale = k > curve_k_of ? k : curve_k_of;
	float aim = (1 + 3 * recall) / 4;
	uint64_t ef;
	uint32_t i;

	for (i = 0; i < curve->n && curve->recall[i] < aim; i++)
		continue;
	if (i == curve->n)
		return false;
	ef = curve->ef[i] * scale / curve_k_of;
	query->ef = ef < VDFS_INDEX_K_MAX ? (uint32_t)ef : VDFS_INDEX_K_MAX;
	query->rerank = (uint32_t)(curve->rerank[i] * scale / curve_k_of);
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
 * @search: Recall or ef that is wanted.
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
		*exact = !guess(query, search->k, recall);
	else
		*exact = !look_up(&curve, curve_k[number], search->k, recall,
				  query);
	return 0;
}
