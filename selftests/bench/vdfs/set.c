// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data sets from a folder: .fvecs and .bvecs as the TEXMEX corpus has them,
 * and the IDX files of MNIST, all of them plain or gzipped.
 */
#include <dirent.h>
#include <endian.h>
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench.h"

#define DIM_MAX 8192

struct matrix {
	float *rows;
	size_t n;
	size_t dim;
};

enum format { FVECS, BVECS, IDX, OTHER };

static enum format format_of(const char *name)
{
	char plain[256];
	char *gz;

	snprintf(plain, sizeof(plain), "%s", name);
	gz = strstr(plain, ".gz");
	if (gz && !gz[3])
		*gz = '\0';
	if (strlen(plain) > 6 && !strcmp(plain + strlen(plain) - 6, ".fvecs"))
		return FVECS;
	if (strlen(plain) > 6 && !strcmp(plain + strlen(plain) - 6, ".bvecs"))
		return BVECS;
	return strstr(plain, "idx3-ubyte") ? IDX : OTHER;
}

static void grow(struct matrix *m, size_t *room)
{
	if (m->n < *room)
		return;
	*room = *room ? *room * 2 : 1024;
	m->rows = realloc(m->rows, *room * m->dim * sizeof(float));
	if (!m->rows)
		err(1, "no memory for %zu vectors", *room);
}

static void widen(float *row, const uint8_t *bytes, size_t dim)
{
	size_t d;

	for (d = 0; d < dim; d++)
		row[d] = bytes[d];
}

static void read_vecs(gzFile f, const char *path, bool bytes, size_t limit,
		      struct matrix *m)
{
	unsigned int size = bytes ? 1 : sizeof(float);
	uint8_t raw[DIM_MAX];
	size_t room = 0;
	uint32_t dim;

	while (m->n < limit && gzread(f, &dim, sizeof(dim)) == sizeof(dim)) {
		float *row;
		int want, got;

		dim = le32toh(dim);
		if (!dim || dim > DIM_MAX || (m->n && dim != m->dim))
			errx(1, "%s: vector %zu has %u elements", path, m->n,
			     dim);
		m->dim = dim;
		grow(m, &room);
		row = m->rows + m->n * dim;
		want = (int)(dim * size);
		got = gzread(f, bytes ? (void *)raw : (void *)row,
			     (unsigned int)want);
		if (got != want)
			errx(1, "%s ends inside vector %zu", path, m->n);
		if (bytes)
			widen(row, raw, dim);
		m->n++;
	}
}

static void read_idx(gzFile f, const char *path, size_t limit, struct matrix *m)
{
	uint8_t raw[DIM_MAX];
	uint32_t head[4];
	size_t i;

	if (gzread(f, head, sizeof(head)) != sizeof(head) ||
	    be32toh(head[0]) != 0x803)
		errx(1, "%s is not an IDX file of images", path);
	m->n = be32toh(head[1]);
	m->dim = (size_t)be32toh(head[2]) * be32toh(head[3]);
	if (!m->dim || m->dim > DIM_MAX)
		errx(1, "%s: images of %zu bytes", path, m->dim);
	if (m->n > limit)
		m->n = limit;
	m->rows = bench_alloc(m->n * m->dim, sizeof(float));
	for (i = 0; i < m->n; i++) {
		if (gzread(f, raw, (unsigned int)m->dim) != (int)m->dim)
			errx(1, "%s ends inside image %zu", path, i);
		widen(m->rows + i * m->dim, raw, m->dim);
	}
}

static struct matrix read_file(const char *dir, const char *name, size_t limit)
{
	struct matrix m = { 0 };
	char path[1024];
	gzFile f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = gzopen(path, "r");
	if (!f)
		err(1, "%s", path);
	if (format_of(name) == IDX)
		read_idx(f, path, limit, &m);
	else
		read_vecs(f, path, format_of(name) == BVECS, limit, &m);
	gzclose(f);
	return m;
}

/* Which files hold the vectors and the queries; the latter may be missing. */
static void find_files(const char *dir, char base[256], char query[256])
{
	static const char *const asks[] = { "query", "t10k-", "t3k-", "test" };
	struct dirent *entry;
	DIR *d = opendir(dir);
	size_t i;

	if (!d)
		err(1, "%s", dir);
	base[0] = '\0';
	query[0] = '\0';
	while ((entry = readdir(d))) {
		bool is_query = false;

		if (format_of(entry->d_name) == OTHER ||
		    strstr(entry->d_name, "learn"))
			continue;
		for (i = 0; i < sizeof(asks) / sizeof(*asks); i++)
			is_query |= !!strstr(entry->d_name, asks[i]);
		snprintf(is_query ? query : base, 256, "%s", entry->d_name);
	}
	closedir(d);
	if (!base[0]) {
		memcpy(base, query, 256);
		query[0] = '\0';
	}
	if (!base[0])
		errx(1, "%s has no .fvecs, .bvecs or IDX file", dir);
}

/* Without queries of their own: one row of every few becomes one. */
static void split(struct matrix *base, struct matrix *query, size_t want)
{
	size_t each, i;
	size_t kept = 0;

	if (want > base->n / 5)
		want = base->n / 5;
	each = want ? base->n / want : 0;
	if (!each)
		errx(1, "%zu vectors are too few", base->n);
	query->dim = base->dim;
	query->rows = bench_alloc(want * base->dim, sizeof(float));
	for (i = 0; i < base->n; i++) {
		bool ask = i % each == each - 1 && query->n < want;
		float *to = ask ? query->rows + query->n++ * base->dim :
				  base->rows + kept++ * base->dim;

		memmove(to, base->rows + i * base->dim,
			base->dim * sizeof(float));
	}
	base->n = kept;
}

static void normalise(struct matrix *m)
{
	size_t i, d;

	for (i = 0; i < m->n; i++) {
		float *row = m->rows + i * m->dim;
		double sum = 0;

		for (d = 0; d < m->dim; d++)
			sum += (double)row[d] * (double)row[d];
		for (d = 0; d < m->dim && sum > 0; d++)
			row[d] = (float)((double)row[d] / sqrt(sum));
	}
}

/* At most @limit vectors and @queries queries of those in @dir. */
void bench_set_read(struct bench_set *set, const char *dir, bool cosine,
		    size_t limit, size_t queries)
{
	struct matrix base, query = { 0 };
	const char *last = strrchr(dir, '/');
	char files[2][256];

	find_files(dir, files[0], files[1]);
	base = read_file(dir, files[0], limit);
	if (files[1][0])
		query = read_file(dir, files[1], queries);
	else
		split(&base, &query, queries);
	if (base.dim != query.dim || !base.n || !query.n)
		errx(1, "%s: %zu vectors of %zu, %zu queries of %zu elements",
		     dir, base.n, base.dim, query.n, query.dim);
	if (cosine) {
		normalise(&base);
		normalise(&query);
	}
	snprintf(set->name, sizeof(set->name), "%.48s-%zu",
		 last ? last + 1 : dir, base.dim);
	set->n = base.n;
	set->dim = base.dim;
	set->queries = query.n;
	set->cosine = cosine;
	set->base = base.rows;
	set->query = query.rows;
}

void bench_set_free(struct bench_set *set)
{
	free(set->base);
	free(set->query);
	free(set->truth);
	free(set->near);
}
