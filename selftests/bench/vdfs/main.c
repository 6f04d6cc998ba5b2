// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench [OPTION]... SET - nearest-neighbour engines side by side.
 *
 * SET is a folder (set.c says what it may hold) or clustered[:N[:DIM]]. Lines
 * of results go to standard output; report.py makes tables and curves of them.
 */
#include <err.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char usage[] =
	"usage: bench [OPTION]... FOLDER | clustered[:N[:DIM]]\n"
	"  -e, --engines=NAME,...   all\n"
	"  -F, --few=NAME,...       of these, with filters and turnovers; all\n"
	"  -f, --ef=N,...           10,15,20,30,40,60,80,120,160,240,400\n"
	"  -t, --threads=N,...      that search; 1\n"
	"  -w, --what=WHAT,...      curves, filters, turnover, or scale: the\n"
	"                           first engine with many vectors; curves\n"
	"  -b, --build-threads=N    1\n"
	"  -p, --pieces=N           that engines build in turn; 10\n"
	"  -r, --rounds=N           of which the best counts; 3\n"
	"  -s, --seconds=S          that a figure takes at least; 0.25\n"
	"  -n, --limit=N            vectors of a folder at most\n"
	"  -q, --queries=N          at most; 1000\n"
	"  -m, --edges=N            16\n"
	"  -E, --ef-build=N         200\n"
	"  -R, --rerank=N           ranked exactly after a walk on codes\n"
	"  -c, --cosine             instead of the Euclidean distance\n"
	"  -C, --cpu-clock          count processor time: the machine is busy\n"
	"  -k, --keep               keep the rivals' indexes, use those kept\n"
	"  -d, --cache=DIR          for them and for true answers;\n"
	"                           build/bench/vdfs/cache\n"
	"  -l, --list               name the engines\n";

static const struct option longs[] = {
	{ "engines", 1, NULL, 'e' },  { "few", 1, NULL, 'F' },
	{ "ef", 1, NULL, 'f' },	      { "threads", 1, NULL, 't' },
	{ "what", 1, NULL, 'w' },     { "build-threads", 1, NULL, 'b' },
	{ "pieces", 1, NULL, 'p' },   { "rounds", 1, NULL, 'r' },
	{ "seconds", 1, NULL, 's' },  { "limit", 1, NULL, 'n' },
	{ "queries", 1, NULL, 'q' },  { "edges", 1, NULL, 'm' },
	{ "ef-build", 1, NULL, 'E' }, { "rerank", 1, NULL, 'R' },
	{ "cosine", 0, NULL, 'c' },   { "cpu-clock", 0, NULL, 'C' },
	{ "keep", 0, NULL, 'k' },     { "cache", 1, NULL, 'd' },
	{ "list", 0, NULL, 'l' },     { "help", 0, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct bench_options opt;
	const char *what;
	bool cosine;
	size_t limit;
	size_t queries;
};

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || !value || value > 1000000000)
		errx(1, "'%s' is no count", text);
	return (unsigned int)value;
}

static void numbers(const char *text, unsigned int *list, size_t max)
{
	char *copy = strdup(text);
	char *word, *rest;
	size_t n = 0;

	for (word = strtok_r(copy, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		if (n + 1 >= max)
			errx(1, "'%s' are too many", text);
		list[n++] = number(word);
	}
	list[n] = 0;
	free(copy);
}

static const struct bench_engine *find_engine(const char *name)
{
	const struct bench_engine *e;

	for (e = bench_rivals; e->name; e++)
		if (!strcmp(e->name, name))
			return e;
	for (e = bench_vdfs; e->name; e++)
		if (!strcmp(e->name, name))
			return e;
	errx(1, "no engine '%s'; bench --list names them", name);
}

static void engines(const char *text,
		    const struct bench_engine *list[BENCH_ENGINES_MAX + 1])
{
	char *copy = strdup(text);
	char *word, *rest;
	size_t n = 0;

	for (word = strtok_r(copy, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		if (n == BENCH_ENGINES_MAX)
			errx(1, "'%s' are too many", text);
		list[n++] = find_engine(word);
	}
	list[n] = NULL;
	free(copy);
}

static void all_engines(struct bench_options *opt)
{
	const struct bench_engine *e;
	size_t n = 0;

	for (e = bench_rivals; e->name; e++)
		opt->engine[n++] = e;
	for (e = bench_vdfs; e->name; e++)
		opt->engine[n++] = e;
}

static void list(void)
{
	struct bench_options opt = { 0 };
	size_t i;

	all_engines(&opt);
	for (i = 0; opt.engine[i]; i++)
		puts(opt.engine[i]->name);
}

static void option(struct request *req, int c, const char *text)
{
	struct bench_options *opt = &req->opt;

	switch (c) {
	case 'e':
		return engines(text, opt->engine);
	case 'F':
		return engines(text, opt->few);
	case 'f':
		return numbers(text, opt->ef, 32);
	case 't':
		return numbers(text, opt->threads, 8);
	case 'w':
		req->what = text;
		return;
	case 'b':
		opt->build_threads = number(text);
		return;
	case 'p':
		opt->chunks = number(text);
		return;
	case 'r':
		opt->rounds = number(text);
		return;
	case 's':
		opt->seconds = strtod(text, NULL);
		return;
	case 'n':
		req->limit = number(text);
		return;
	case 'q':
		req->queries = number(text);
		return;
	case 'm':
		opt->how.m = number(text);
		return;
	case 'E':
		opt->how.ef_build = number(text);
		return;
	case 'R':
		opt->rerank = number(text);
		return;
	case 'c':
		req->cosine = true;
		return;
	case 'C':
		opt->cpu_clock = true;
		return;
	case 'k':
		opt->keep = true;
		return;
	case 'd':
		opt->cache = text;
		return;
	}
	fputs(usage, c == 'h' ? stdout : stderr);
	exit(c == 'h' ? 0 : 2);
}

static bool is_generated(const char *name, size_t *n, size_t *dim)
{
	*n = 1000000;
	*dim = 128;
	if (strncmp(name, "clustered", 9))
		return false;
	if (name[9] && sscanf(name + 9, ":%zu:%zu", n, dim) < 1)
		errx(1, "'%s': want clustered:N:DIM", name);
	return true;
}

static void load(const struct request *req, const char *name,
		 struct bench_set *set)
{
	size_t n = 1000000;
	size_t dim = 128;

	if (!strncmp(name, "clustered", 9)) {
		if (name[9] && sscanf(name + 9, ":%zu:%zu", &n, &dim) < 1)
			errx(1, "'%s': want clustered:N:DIM", name);
		bench_set_clustered(set, n, dim, req->queries);
	} else {
		bench_set_read(set, name, req->cosine, req->limit,
			       req->queries);
	}
	bench_truth(set, req->opt.cache);
	fprintf(req->opt.out, "set %s %zu %zu %zu %s %.1f\n", set->name, set->n,
		set->queries, set->dim, set->cosine ? "cosine" : "l2",
		bench_dimension(set));
}

static void run(const struct request *req, const struct bench_set *set)
{
	struct bench_index index[BENCH_ENGINES_MAX] = { 0 };
	size_t e;

	if (strstr(req->what, "curves") || strstr(req->what, "filters"))
		bench_build(&req->opt, set, index);
	if (strstr(req->what, "curves"))
		bench_curves(&req->opt, set, index);
	if (strstr(req->what, "filters"))
		bench_filters(&req->opt, set, index);
	if (strstr(req->what, "turnover"))
		bench_turnover(&req->opt, set);
	for (e = 0; req->opt.engine[e]; e++)
		if (index[e].ix)
			index[e].engine->close(index[e].ix);
}

int main(int argc, char **argv)
{
	struct request req = {
		.opt = {
			.ef = { 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 400 },
			.threads = { 1 },
			.build_threads = 1,
			.chunks = 10,
			.rounds = 3,
			.seconds = 0.25,
			.how = { .m = 16, .ef_build = 200 },
			.cache = "build/bench/vdfs/cache",
			.out = stdout,
		},
		.what = "curves",
		.limit = SIZE_MAX,
		.queries = 1000,
	};
	struct bench_set set = { 0 };
	size_t n, dim;
	int c;

	all_engines(&req.opt);
	while ((c = getopt_long(argc, argv,
				"e:F:f:t:w:b:p:r:s:n:q:m:E:R:cCkd:lh", longs,
				NULL)) != -1) {
		if (c == 'l') {
			list();
			return 0;
		}
		option(&req, c, optarg);
	}
	if (!req.opt.few[0])
		memcpy(req.opt.few, req.opt.engine, sizeof(req.opt.few));
	if (optind + 1 != argc)
		option(&req, '?', NULL);
	if (!strcmp(req.what, "scale")) {
		if (!is_generated(argv[optind], &n, &dim))
			errx(1, "--what=scale makes its own vectors");
		bench_scale(&req.opt, n, dim);
		return 0;
	}
	load(&req, argv[optind], &set);
	run(&req, &set);
	bench_set_free(&set);
	return 0;
}
