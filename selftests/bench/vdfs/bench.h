/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_VDFS_BENCH_H
#define BENCH_VDFS_BENCH_H

/*
 * Nearest-neighbour engines side by side: data sets with their true answers,
 * engines behind one table of calls, and what is measured of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_K 10 /* answers asked for, and compared */
#define BENCH_TRUTH 100 /* true neighbours known of a query */
#define BENCH_THREADS_MAX 64
#define BENCH_ENGINES_MAX 16

/**
 * struct bench_set - vectors, queries that are not among them, and answers
 * @name: What results call it.
 * @n: Vectors.
 * @queries: Queries.
 * @dim: Elements of each.
 * @cosine: All are of length 1, so every metric orders them alike.
 * @base: shape [n][dim], or NULL where they do not all fit in memory.
 * @query: shape [queries][dim].
 * @truth: shape [queries][BENCH_TRUTH], nearest first.
 * @near: Their squared distances, as bench_distance() has them.
 */
struct bench_set {
	char name[64];
	size_t n;
	size_t queries;
	size_t dim;
	bool cosine;
	float *base;
	float *query;
	uint32_t *truth;
	float *near;
};

/**
 * struct bench_filter - vectors that a search is limited to
 * @bits: A bit for every id.
 * @ids: shape [n], those set, ascending.
 * @n: How many.
 */
struct bench_filter {
	uint64_t *bits;
	uint32_t *ids;
	size_t n;
};

/**
 * struct bench_ask - one search
 * @query: shape [dim].
 * @k: Answers wanted.
 * @ef: Candidates kept while walking.
 * @rerank: How many are ranked exactly, where a walk is not; 0 = default.
 * @filter: NULL, or what the engine's own limit() made.
 */
struct bench_ask {
	const float *query;
	uint32_t k;
	uint32_t ef;
	uint32_t rerank;
	void *filter;
};

/**
 * struct bench_how - what all engines are built with
 * @m: Edges of a new vector.
 * @ef_build: Candidates looked at for them.
 * @churn: Vectors will be deleted and others take their place.
 */
struct bench_how {
	unsigned int m;
	unsigned int ef_build;
	bool churn;
};

/**
 * struct bench_engine - one engine; what it cannot do is NULL
 * @name: What results call it.
 * @variant: Its own.
 * @open: Make an index with room for @capacity vectors.
 * @close: Free it.
 * @add: Add vectors with @threads threads. 0, or -1.
 * @search: Answers found, at most k.
 * @search_all: All queries of a set at once, for engines that are faster so;
 *              answers are written k for each.
 * @limit: Prepare a filter.
 * @unlimit: Free what it made.
 * @scan: As @search, but by looking at all.
 * @remove: Delete one. 0, or -1.
 * @repair: After deletions, where that is needed.
 * @save: Write the index to a file.
 * @load: Read it; NULL when there is none.
 */
struct bench_engine {
	const char *name;
	int variant[2];
	void *(*open)(const struct bench_engine *self,
		      const struct bench_set *set, size_t capacity,
		      const struct bench_how *how);
	void (*close)(void *ix);
	int (*add)(void *ix, const uint32_t *ids, const float *rows, size_t n,
		   unsigned int threads);
	int (*search)(void *ix, const struct bench_ask *ask, uint32_t *ids);
	int (*search_all)(void *ix, const struct bench_ask *ask, size_t queries,
			  unsigned int threads, uint32_t *ids);
	void *(*limit)(void *ix, const struct bench_filter *filter);
	void (*unlimit)(void *filter);
	int (*scan)(void *ix, const struct bench_ask *ask, uint32_t *ids);
	int (*remove)(void *ix, uint32_t id);
	int (*repair)(void *ix);
	int (*save)(void *ix, const char *path);
	void *(*load)(const struct bench_engine *self,
		      const struct bench_set *set, const char *path);
};

/* Ends with a row without a name. */
extern const struct bench_engine bench_vdfs[];
extern const struct bench_engine bench_rivals[];

/**
 * struct bench_options - what to measure
 * @engine: Which engines, ends with NULL.
 * @few: Those that filters and turnovers are measured with, ends with NULL.
 * @ef: Values of ef, ends with 0.
 * @threads: Numbers of threads that search, ends with 0.
 * @build_threads: Threads that build.
 * @chunks: Pieces that each engine builds in turn.
 * @rounds: The best of so many.
 * @seconds: That one figure takes at least.
 * @rerank: For struct bench_ask.
 * @cpu_clock: Count processor time, for a machine that is not quiet.
 * @how: Of the build.
 * @cache: Folder for true answers.
 * @keep: Keep the rivals' indexes there too.
 * @out: Lines of results.
 */
struct bench_options {
	const struct bench_engine *engine[BENCH_ENGINES_MAX + 1];
	const struct bench_engine *few[BENCH_ENGINES_MAX + 1];
	unsigned int ef[32];
	unsigned int threads[8];
	unsigned int build_threads;
	unsigned int chunks;
	unsigned int rounds;
	double seconds;
	unsigned int rerank;
	bool cpu_clock;
	struct bench_how how;
	const char *cache;
	bool keep;
	FILE *out;
};

/* set.c, clustered.c: data */
void bench_set_read(struct bench_set *set, const char *dir, bool cosine,
		    size_t limit, size_t queries);
void bench_set_clustered(struct bench_set *set, size_t n, size_t dim,
			 size_t queries);
void bench_clustered_rows(float *rows, uint64_t first, size_t n, size_t dim);
void bench_set_free(struct bench_set *set);

/* truth.c: answers */
float bench_distance(const float *a, const float *b, size_t dim);
void bench_nearest(const struct bench_set *set,
		   const struct bench_filter *filter, size_t k, uint32_t *ids,
		   float *dist);
void bench_truth(struct bench_set *set, const char *cache);
double bench_dimension(const struct bench_set *set);
double bench_recall(const struct bench_set *set, const uint32_t *ids,
		    const uint32_t *truth, const float *near, size_t stride);

/* measure.c, filter.c, turnover.c, scale.c: figures */
struct bench_index {
	const struct bench_engine *engine;
	void *ix;
};

void bench_build(const struct bench_options *opt, const struct bench_set *set,
		 struct bench_index *index);
void bench_curves(const struct bench_options *opt, const struct bench_set *set,
		  const struct bench_index *index);
void bench_filters(const struct bench_options *opt, const struct bench_set *set,
		   const struct bench_index *index);
void bench_turnover(const struct bench_options *opt,
		    const struct bench_set *set);
void bench_scale(const struct bench_options *opt, size_t n, size_t dim);

/* util.c */
double bench_now(bool cpu_clock);
void bench_pin(unsigned int cpu, unsigned int n);
size_t bench_rss(void);
void *bench_alloc(size_t n, size_t size);
uint64_t bench_random(uint64_t *state);
void bench_parallel(unsigned int threads, size_t n, size_t chunk,
		    void (*fn)(void *arg, size_t from, size_t to), void *arg);
int bench_search_all(const struct bench_index *index,
		     const struct bench_set *set, const struct bench_ask *ask,
		     uint32_t *ids);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_VDFS_BENCH_H */
