// SPDX-License-Identifier: GPL-2.0-only
/*
 * hnswlib and faiss, as Debian has them: the first is headers, compiled here
 * for this processor; the second a library built for any amd64 processor.
 */
#include <err.h>
#include <omp.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>
#include <vector>

#include <faiss/IndexHNSW.h>
#include <hnswlib/hnswlib.h>

#include "bench.h"

namespace
{

using Graph = hnswlib::HierarchicalNSW<float>;

struct Hnsw {
	std::unique_ptr<hnswlib::SpaceInterface<float>> space;
	std::unique_ptr<Graph> graph;
	size_t dim;
	size_t capacity;
	size_t deleted;
};

Hnsw *hnsw_space(const struct bench_set *set)
{
	auto *h = new Hnsw();

	h->dim = set->dim;
	if (set->cosine)
		h->space.reset(new hnswlib::InnerProductSpace(set->dim));
	else
		h->space.reset(new hnswlib::L2Space(set->dim));
	return h;
}

void *hnsw_open(const struct bench_engine *, const struct bench_set *set,
		size_t capacity, const struct bench_how *how)
{
	Hnsw *h = hnsw_space(set);

	h->capacity = capacity;
	h->graph.reset(new Graph(h->space.get(), capacity, how->m,
				 how->ef_build, 100, how->churn));
	return h;
}

void hnsw_close(void *ix)
{
	delete static_cast<Hnsw *>(ix);
}

struct Rows {
	Hnsw *h;
	const uint32_t *ids;
	const float *rows;
	bool replace;
	bool failed;
};

void hnsw_add_some(void *arg, size_t from, size_t to)
{
	auto *r = static_cast<Rows *>(arg);

	try {
		for (size_t i = from; i < to; i++)
			r->h->graph->addPoint(r->rows + i * r->h->dim,
					      r->ids[i], r->replace);
	} catch (const std::exception &e) {
		if (!r->failed)
			warnx("hnswlib: %s", e.what());
		r->failed = true;
	}
}

int hnsw_add(void *ix, const uint32_t *ids, const float *rows, size_t n,
	     unsigned int threads)
{
	auto *h = static_cast<Hnsw *>(ix);
	Rows r = { h, ids, rows, h->deleted > 0, false };

	if (threads > 1)
		bench_parallel(threads, n, 64, hnsw_add_some, &r);
	else
		hnsw_add_some(&r, 0, n);
	h->deleted -= std::min(h->deleted, n);
	return r.failed ? -1 : 0;
}

struct Allowed : hnswlib::BaseFilterFunctor {
	const uint64_t *bits;

	bool operator()(hnswlib::labeltype id) override
	{
		return bits[id >> 6] >> (id & 63) & 1;
	}
};

int hnsw_search(void *ix, const struct bench_ask *ask, uint32_t *ids)
{
	auto *h = static_cast<Hnsw *>(ix);

	h->graph->setEf(ask->ef);
	auto found = h->graph->searchKnn(ask->query, ask->k,
					 static_cast<Allowed *>(ask->filter));
	int n = static_cast<int>(found.size());

	for (int i = n; i-- > 0; found.pop())
		ids[i] = static_cast<uint32_t>(found.top().second);
	return n;
}

void *hnsw_limit(void *, const struct bench_filter *filter)
{
	auto *allowed = new Allowed();

	allowed->bits = filter->bits;
	return allowed;
}

void hnsw_unlimit(void *filter)
{
	delete static_cast<Allowed *>(filter);
}

int hnsw_remove(void *ix, uint32_t id)
{
	auto *h = static_cast<Hnsw *>(ix);

	try {
		h->graph->markDelete(id);
		h->deleted++;
	} catch (const std::exception &e) {
		warnx("hnswlib: %s", e.what());
		return -1;
	}
	return 0;
}

int hnsw_save(void *ix, const char *path)
{
	static_cast<Hnsw *>(ix)->graph->saveIndex(path);
	return 0;
}

void *hnsw_load(const struct bench_engine *, const struct bench_set *set,
		const char *path)
{
	if (!std::ifstream(path).good())
		return nullptr;
	Hnsw *h = hnsw_space(set);

	h->graph.reset(new Graph(h->space.get(), path));
	return h;
}

struct Faiss {
	std::unique_ptr<faiss::IndexHNSW> index;
	size_t dim;
};

void *faiss_open(const struct bench_engine *, const struct bench_set *set,
		 size_t, const struct bench_how *how)
{
	auto *f = new Faiss();
	auto metric = set->cosine ? faiss::METRIC_INNER_PRODUCT :
				    faiss::METRIC_L2;
	int dim = static_cast<int>(set->dim);
	int m = static_cast<int>(how->m);

	f->dim = set->dim;
	f->index.reset(new faiss::IndexHNSWFlat(dim, m, metric));
	f->index->hnsw.efConstruction = static_cast<int>(how->ef_build);
	return f;
}

void faiss_close(void *ix)
{
	delete static_cast<Faiss *>(ix);
}

int faiss_add(void *ix, const uint32_t *, const float *rows, size_t n,
	      unsigned int threads)
{
	auto *f = static_cast<Faiss *>(ix);

	omp_set_num_threads(static_cast<int>(threads));
	f->index->add(static_cast<faiss::idx_t>(n), rows);
	return 0;
}

/* It clears a byte a vector in each call, so many queries share a call. */
int faiss_search_all(void *ix, const struct bench_ask *ask, size_t queries,
		     unsigned int threads, uint32_t *ids)
{
	auto *f = static_cast<Faiss *>(ix);
	faiss::SearchParametersHNSW how;
	std::vector<float> dist(queries * ask->k);
	std::vector<faiss::idx_t> found(queries * ask->k);

	how.efSearch = static_cast<int>(ask->ef);
	omp_set_num_threads(static_cast<int>(threads));
	f->index->search(static_cast<faiss::idx_t>(queries), ask->query,
			 ask->k, dist.data(), found.data(), &how);
	for (size_t i = 0; i < queries * ask->k; i++)
		ids[i] = static_cast<uint32_t>(found[i]);
	return 0;
}

int faiss_search(void *ix, const struct bench_ask *ask, uint32_t *ids)
{
	return faiss_search_all(ix, ask, 1, 1, ids) ?: static_cast<int>(ask->k);
}

struct bench_engine hnswlib_engine()
{
	struct bench_engine e = {};

	e.name = "hnswlib";
	e.open = hnsw_open;
	e.close = hnsw_close;
	e.add = hnsw_add;
	e.search = hnsw_search;
	e.limit = hnsw_limit;
	e.unlimit = hnsw_unlimit;
	e.remove = hnsw_remove;
	e.save = hnsw_save;
	e.load = hnsw_load;
	return e;
}

struct bench_engine faiss_engine()
{
	struct bench_engine e = {};

	e.name = "faiss";
	e.open = faiss_open;
	e.close = faiss_close;
	e.add = faiss_add;
	e.search = faiss_search;
	e.search_all = faiss_search_all;
	return e;
}

} // namespace

extern "C" const struct bench_engine bench_rivals[] = {
	hnswlib_engine(),
	faiss_engine(),
	{},
};
