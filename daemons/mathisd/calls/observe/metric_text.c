// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0F13: metrics as Prometheus reads them.
 */
#include <math.h>
#include <mathis/buf.h>
#include <stdio.h>
#include <stdlib.h>

#include "metric.h"

#define TOTAL "_total"

struct out {
	struct mathis_buf b;
	bool open; /* openmetrics */
};

static void put(struct out *o, const char *text)
{
	mathis_buf_add(&o->b, text, strlen(text));
}

/* The shortest text that reads as the number. */
static void number_text(double f, char text[40])
{
	if (isnan(f) || isinf(f)) {
		snprintf(text, 40, "%s",
			 isnan(f) ? "NaN" :
			 f > 0	  ? "+Inf" :
				    "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, 40, "%.*g", digits, f);
		if (strtod(text, NULL) == f)
			break;
	}
}

/* NAME END { LABELS , LE } VALUE */
static void put_line(struct out *o, const char *name, int n, const char *end,
		     const char *labels, const char *le, const char *value)
{
	mathis_buf_add(&o->b, name, (size_t)n);
	put(o, end);
	if (*labels || le) {
		put(o, "{");
		put(o, labels);
		if (le) {
			put(o, *labels ? ",le=\"" : "le=\"");
			put(o, le);
			put(o, "\"");
		}
		put(o, "}");
	}
	put(o, " ");
	put(o, value);
	put(o, "\n");
}

static void put_buckets(struct out *o, const struct family *f,
			const struct series *s)
{
	int n = (int)strlen(f->name);
	char value[40], le[40];
	uint64_t sum = 0;

	for (unsigned int i = 0; i <= f->n_bounds; i++) {
		sum += s->in[i];
		number_text(i < f->n_bounds ? f->bounds[i] : INFINITY, le);
		/* A float of openmetrics has a point. */
		if (o->open && i < f->n_bounds && !strpbrk(le, ".e"))
			memcpy(le + strlen(le), ".0", 3);
		snprintf(value, sizeof(value), "%llu", (unsigned long long)sum);
		put_line(o, f->name, n, "_bucket", s->labels, le, value);
	}
	number_text(s->value, value);
	put_line(o, f->name, n, "_sum", s->labels, NULL, value);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)s->count);
	put_line(o, f->name, n, "_count", s->labels, NULL, value);
}

static void put_family(struct out *o, const struct family *f)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	size_t n = strlen(f->name);
	bool counts = o->open && f->type == COUNTER;
	char value[40];

	/* There the name of a counter has no end, and its samples have. */
	if (counts && n > strlen(TOTAL) &&
	    !strcmp(f->name + n - strlen(TOTAL), TOTAL))
		n -= strlen(TOTAL);
	put(o, "# TYPE ");
	mathis_buf_add(&o->b, f->name, n);
	put(o, " ");
	put(o, types[f->type]);
	put(o, "\n");
	for (size_t i = 0; i < f->n; i++) {
		const struct series *s = f->series[i];

		if (f->type == HISTOGRAM) {
			put_buckets(o, f, s);
			continue;
		}
		number_text(s->value, value);
		put_line(o, f->name, (int)n, counts ? TOTAL : "", s->labels,
			 NULL, value);
	}
}

int md_metrics_text(struct md_call *c)
{
	struct metrics *all = metrics_of(c);
	struct out o = { .open = mathis_item_is(&c->args[0], "openmetrics") };
	int ret;

	if (!all)
		return MD_FAILED;
	if (!o.open && !mathis_item_is(&c->args[0], "prometheus"))
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "the format is prometheus or openmetrics");
	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < all->n; i++)
		put_family(&o, all->families[i]);
	pthread_mutex_unlock(&all->lock);
	if (o.open)
		put(&o, "# EOF\n");
	if (o.b.bad)
		ret = md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	else
		ret = md_return_str(c, o.b.size ? (char *)o.b.data : "",
				    o.b.size);
	mathis_buf_fini(&o.b);
	return ret;
}
