// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0F10 to 0x0F12: counters, gauges and histograms.
 */
#include <ctype.h>
#include <math.h>
#include <mathis/buf.h>
#include <stdlib.h>

#include "metric.h"

#define LABELS_MAX 16
#define LABEL_BYTES 256

static const double usual[] = {
	.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10
};

static void init(void *state)
{
	struct metrics *all = state;

	pthread_mutex_init(&all->lock, NULL);
}

static void free_family(struct family *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->series[i]->labels);
		free(f->series[i]);
	}
	free(f->series);
	free(f->name);
	free(f);
}

static void fini(void *state)
{
	struct metrics *all = state;

	for (size_t i = 0; i < all->n; i++)
		free_family(all->families[i]);
	free(all->families);
	pthread_mutex_destroy(&all->lock);
}

static const struct md_own_kind kind = {
	.size = sizeof(struct metrics),
	.init = init,
	.fini = fini,
};

struct metrics *metrics_of(struct md_call *c)
{
	struct metrics *all = md_session_own(c->session, &kind);

	if (!all)
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return all;
}

static bool is_name(const struct mathis_item *text, bool colon)
{
	for (uint32_t i = 0; i < text->n; i++) {
		unsigned char ch = (unsigned char)text->text[i];

		if (!(isalpha(ch) || ch == '_' || (colon && ch == ':') ||
		      (i && isdigit(ch))))
			return false;
	}
	return text->n;
}

static int by_key(const void *a, const void *b)
{
	const struct mathis_item *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);

	return order ?: (x->n > y->n) - (x->n < y->n);
}

static int check_label(struct md_call *c, const struct mathis_item *pair)
{
	if (pair[0].kind != MATHIS_STR || pair[1].kind != MATHIS_STR)
		return md_fail(c, MATHIS_ARG_TYPE, "labels are texts by name");
	if (!is_name(&pair[0], false) || pair[0].n > LABEL_BYTES ||
	    (pair[0].n > 1 && !memcmp(pair[0].text, "__", 2)))
		return md_fail(
			c, MATHIS_ARG_RANGE,
			"a label has letters, digits and _, and no __ in front");
	if (pair[0].n == 2 && !memcmp(pair[0].text, "le", 2))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the label le is that of buckets");
	if (pair[1].n > LABEL_BYTES || memchr(pair[1].text, 0, pair[1].n))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "a label has at most %d bytes, and no zeros",
			       LABEL_BYTES);
	return MD_DONE;
}

static void put_label(struct mathis_buf *b, const struct mathis_item *pair)
{
	if (b->size)
		mathis_buf_put(b, ',', 1);
	mathis_buf_add(b, pair[0].text, pair[0].n);
	mathis_buf_add(b, "=\"", 2);
	for (uint32_t i = 0; i < pair[1].n; i++) {
		char ch = pair[1].text[i];

		if (ch == '\\' || ch == '"' || ch == '\n')
			mathis_buf_put(b, '\\', 1);
		mathis_buf_put(b, (uint8_t)(ch == '\n' ? 'n' : ch), 1);
	}
	mathis_buf_put(b, '"', 1);
}

/* The labels of a call in order, as text of the call, or NULL, reported. */
static const char *labels_text(struct md_call *c)
{
	const struct mathis_item *map = &c->args[1];
	struct mathis_buf b = { 0 };
	struct mathis_item *pairs;
	char *text;

	if (map->n > LABELS_MAX) {
		md_fail(c, MATHIS_ARG_RANGE, "more than %d labels", LABELS_MAX);
		return NULL;
	}
	pairs = md_alloc(c, (map->n + 1) * 2 * sizeof(*pairs));
	if (!pairs)
		return NULL;
	for (uint32_t i = 0; i < map->n; i++) {
		if (check_label(c, &map->items[2UL * i]))
			return NULL;
	}
	if (map->n) {
		memcpy(pairs, map->items, map->n * 2 * sizeof(*pairs));
		qsort(pairs, map->n, 2 * sizeof(*pairs), by_key);
	}
	for (uint32_t i = 0; i < map->n; i++)
		put_label(&b, &pairs[2UL * i]);
	mathis_buf_put(&b, 0, 1);
	text = b.bad ? NULL : md_alloc(c, b.size);
	if (text)
		memcpy(text, b.data, b.size);
	else
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	mathis_buf_fini(&b);
	return text;
}

/* The place of a name among all; *there: it has it. With the lock. */
static size_t place_of_name(const struct metrics *all, const char *name,
			    bool *there)
{
	size_t low = 0, high = all->n;

	*there = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(all->families[mid]->name, name);

		if (!order) {
			*there = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct family *find_family(const struct metrics *all, const char *name)
{
	bool there;
	size_t at = place_of_name(all, name, &there);

	return there ? all->families[at] : NULL;
}

/* Whether lines of a name would look like those of another one. */
static bool collides(const struct metrics *all, const char *name,
		     enum metric_type type)
{
	static const char *const ends[] = { "_bucket", "_sum", "_count",
					    "_total" };
	char other[256];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(name), m = strlen(ends[i]);
		const struct family *f = NULL;

		if (n > m && !strcmp(name + n - m, ends[i])) {
			memcpy(other, name, n - m);
			other[n - m] = 0;
			f = find_family(all, other);
		}
		if (f && f->type == (i < 3 ? HISTOGRAM : COUNTER))
			return true;
		memcpy(mempcpy(other, name, n), ends[i], m + 1);
		if (type == (i < 3 ? HISTOGRAM : COUNTER) &&
		    find_family(all, other))
			return true;
	}
	return false;
}

/* Make room for one more pointer in a list that is doubled. */
static void *grow(void *list, size_t n)
{
	if (n & (n - 1) || (n && n < 8))
		return list;
	return realloc(list, (n < 8 ? 8 : 2 * n) * sizeof(void *));
}

static void put_in(void *list, size_t n, size_t at, void *what)
{
	void **p = list;

	memmove(p + at + 1, p + at, (n - at) * sizeof(*p));
	p[at] = what;
}

static struct family *add_family(struct md_call *c, struct metrics *all,
				 const char *name, enum metric_type type)
{
	void *more = grow(all->families, all->n);
	struct family *f = calloc(1, sizeof(*f));
	bool there;

	if (more)
		all->families = more;
	if (f)
		f->name = strdup(name);
	if (!more || !f || !f->name) {
		free(f);
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	f->type = type;
	f->n_bounds = sizeof(usual) / sizeof(*usual);
	memcpy(f->bounds, usual, sizeof(usual));
	if (type == HISTOGRAM && md_given(c, 3)) {
		f->n_bounds = c->args[3].n;
		for (unsigned int i = 0; i < f->n_bounds; i++)
			f->bounds[i] = c->args[3].items[i].f;
	}
	put_in(all->families, all->n, place_of_name(all, name, &there), f);
	all->n++;
	return f;
}

/* The family of a name, which may be new; NULL: reported. With the lock. */
static struct family *take_family(struct md_call *c, struct metrics *all,
				  const char *name, enum metric_type type)
{
	struct family *f = find_family(all, name);

	if (f && f->type == type)
		return f;
	if (f || collides(all, name, type)) {
		md_fail(c, MATHIS_CONFLICT, "the name is that of another kind");
		return NULL;
	}
	if (all->n_series == SERIES_MAX) {
		md_fail(c, MATHIS_LIMIT, "more than %d series", SERIES_MAX);
		return NULL;
	}
	return add_family(c, all, name, type);
}

/* The values of labels, which may be new; NULL: reported. With the lock. */
static struct series *find_series(struct md_call *c, struct metrics *all,
				  struct family *f, const char *labels)
{
	size_t low = 0, high = f->n;
	struct series *s;
	void *more;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(f->series[mid]->labels, labels);

		if (!order)
			return f->series[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (all->n_series == SERIES_MAX) {
		md_fail(c, MATHIS_LIMIT, "more than %d series", SERIES_MAX);
		return NULL;
	}
	more = grow(f->series, f->n);
	if (more)
		f->series = more;
	s = calloc(1, sizeof(*s));
	if (s)
		s->labels = strdup(labels);
	if (!more || !s || !s->labels) {
		free(s);
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	put_in(f->series, f->n++, low, s);
	all->n_series++;
	return s;
}

static void change(struct family *f, struct series *s, double value)
{
	unsigned int i = 0;

	switch (f->type) {
	case COUNTER:
		s->value += value;
		break;
	case GAUGE:
		s->value = value;
		break;
	case HISTOGRAM:
		while (i < f->n_bounds && !(value <= f->bounds[i]))
			i++;
		s->in[i]++;
		s->count++;
		s->value += value;
		break;
	}
}

static int check_bounds(struct md_call *c)
{
	const struct mathis_item *list = &c->args[3];

	for (uint32_t i = 0; i < list->n; i++) {
		if (!isfinite(list->items[i].f) ||
		    (i && list->items[i].f <= list->items[i - 1].f))
			return md_fail(
				c, MATHIS_ARG_RANGE,
				"each bound is a number, and larger than the one before");
	}
	return MD_DONE;
}

static int measure(struct md_call *c, enum metric_type type)
{
	const struct mathis_item *arg = &c->args[2];
	double value = arg->kind == MATHIS_INT ? (double)arg->i : arg->f;
	struct metrics *all = metrics_of(c);
	const char *name, *labels;
	struct series *s = NULL;
	struct family *f;

	if (!all)
		return MD_FAILED;
	if (!is_name(&c->args[0], true))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "a name has letters, digits, _ and :");
	if (type == COUNTER && !(value >= 0 && isfinite(value)))
		return md_fail(c, MATHIS_ARG_RANGE, "a counter never falls");
	if (type == HISTOGRAM && isnan(value))
		return md_fail(c, MATHIS_ARG_RANGE, "NaN is in no bucket");
	name = md_cstr(c, 0);
	labels = name ? labels_text(c) : NULL;
	if (!labels)
		return MD_FAILED;
	pthread_mutex_lock(&all->lock);
	f = take_family(c, all, name, type);
	if (f)
		s = find_series(c, all, f, labels);
	if (s)
		change(f, s, value);
	pthread_mutex_unlock(&all->lock);
	return s ? MD_DONE : MD_FAILED;
}

int md_metric_counter(struct md_call *c)
{
	return measure(c, COUNTER);
}

int md_metric_gauge(struct md_call *c)
{
	return measure(c, GAUGE);
}

int md_metric_histogram(struct md_call *c)
{
	if (md_given(c, 3) && check_bounds(c))
		return MD_FAILED;
	return measure(c, HISTOGRAM);
}
