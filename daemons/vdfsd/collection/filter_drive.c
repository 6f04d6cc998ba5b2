// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a filter that indexed fields answer: its tests that items are
 * looked up by. All else of the filter is tested for each of these items.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_impl.h"

/* How much a test says: the more, the fewer items match, most likely. */
enum score { SCORE_NONE, SCORE_RANGE, SCORE_LIST, SCORE_ONE };

/**
 * struct driver - a filter on its way to a clause over field_value
 * @filter: The filter.
 * @fields: Indexed fields.
 * @drive: Tests in the clause.
 * @out: The clause.
 * @full: It has more tests than there is room for.
 */
struct driver {
	const struct vdfs_filter *filter;
	const struct vdfs_fields *fields;
	struct vdfs_drive *drive;
	FILE *out;
	bool full;
};

/* The number of a field, or 0 when it is not indexed. */
static int64_t find(const struct vdfs_fields *fields, const char *name)
{
	size_t i;

	for (i = 0; i < fields->n; i++)
		if (!strcmp(fields->field[i].name, name))
			return fields->field[i].id;
	return 0;
}

/* An item without the field is unequal to everything: $ne says nothing. */
static enum score score_test(const struct driver *d, size_t at)
{
	const struct vdfs_filter_test *test = &d->filter->test[at];

	if (test->negated || !find(d->fields, test->field))
		return SCORE_NONE;
	if (test->op != VDFS_FILTER_EQ)
		return SCORE_RANGE;
	return test->values > 1 ? SCORE_LIST : SCORE_ONE;
}

/* Of alternatives each has to say something. */
static enum score score(const struct driver *d, size_t at)
{
	const struct vdfs_filter_node *node = &d->filter->node[at];
	bool all = node->kind == VDFS_FILTER_ALL;
	enum score best = all ? SCORE_NONE : SCORE_ONE;
	enum score one;
	size_t child;

	if (node->kind == VDFS_FILTER_TEST)
		return score_test(d, node->test);
	for (child = at + 1; child < node->end;
	     child = d->filter->node[child].end) {
		one = score(d, child);
		if (all ? one > best : one < best)
			best = one;
	}
	return best;
}

/* As field.c stores them. */
static int64_t kind_of(const struct driver *d,
		       const struct vdfs_filter_test *test)
{
	static const int kinds[VDFS_FILTER_TYPES] = {
		[VDFS_FILTER_NUMBER] = 1, [VDFS_FILTER_TEXT] = 2,
		[VDFS_FILTER_TRUE] = 3,	  [VDFS_FILTER_FALSE] = 4,
		[VDFS_FILTER_NULL] = 5,
	};

	return find(d->fields, test->field) * 8 + kinds[test->type];
}

static void emit_values(struct driver *d, const struct vdfs_filter_test *test)
{
	static const char *const op[] = {
		[VDFS_FILTER_EQ] = "=",	  [VDFS_FILTER_GT] = ">",
		[VDFS_FILTER_GTE] = ">=", [VDFS_FILTER_LT] = "<",
		[VDFS_FILTER_LTE] = "<=",
	};
	bool list = test->values > 1;
	size_t i;

	fprintf(d->out, " AND value%s", list ? " IN(" : op[test->op]);
	for (i = 0; i < test->values; i++) {
		bool real = test->type == VDFS_FILTER_NUMBER &&
			    d->filter->value[test->value + i].text;

		fprintf(d->out, "%s%s", i ? "," : "",
			real ? "json_extract(?,'$')" : "?");
	}
	fputs(list ? ")" : "", d->out);
}

static void emit_test(struct driver *d, size_t at)
{
	const struct vdfs_filter_test *test = &d->filter->test[at];

	if (d->drive->bounds == VDFS_FILTER_CLAUSE) {
		d->full = true;
		return;
	}
	d->drive->bound[d->drive->bounds++] = at;
	fprintf(d->out, "(kind=%lld", (long long)kind_of(d, test));
	if (test->values)
		emit_values(d, test);
	fputs(")", d->out);
}

/* The best of several that all have to hold. */
static size_t best_of(const struct driver *d, size_t at)
{
	enum score best = SCORE_NONE;
	enum score one;
	size_t child, found = at + 1;

	for (child = at + 1; child < d->filter->node[at].end;
	     child = d->filter->node[child].end) {
		one = score(d, child);
		if (one > best) {
			best = one;
			found = child;
		}
	}
	return found;
}

static const char *field_of(const struct driver *d, size_t at)
{
	const struct vdfs_filter_node *node = &d->filter->node[at];

	return node->kind == VDFS_FILTER_TEST ?
		       d->filter->test[node->test].field :
		       "";
}

static void emit_node(struct driver *d, size_t at);

/* A field has one row: all of its tests are about that, as both ends of a range. */
static void emit_all(struct driver *d, size_t at)
{
	size_t best = best_of(d, at);
	size_t child;

	emit_node(d, best);
	for (child = at + 1; child < d->filter->node[at].end;
	     child = d->filter->node[child].end) {
		if (child == best || !score(d, child) || !*field_of(d, child) ||
		    strcmp(field_of(d, child), field_of(d, best)))
			continue;
		fputs(" AND ", d->out);
		emit_node(d, child);
	}
}

/* Only of what has a score. */
static void emit_node(struct driver *d, size_t at)
{
	const struct vdfs_filter_node *node = &d->filter->node[at];
	size_t child;

	if (node->kind == VDFS_FILTER_TEST) {
		emit_test(d, node->test);
		return;
	}
	fputs("(", d->out);
	if (node->kind == VDFS_FILTER_ALL)
		emit_all(d, at);
	for (child = at + 1; child < node->end && node->kind == VDFS_FILTER_ANY;
	     child = d->filter->node[child].end) {
		fputs(child > at + 1 ? " OR " : "", d->out);
		emit_node(d, child);
	}
	if (at + 1 == node->end)
		fputs("0", d->out);
	fputs(")", d->out);
}

/*
 * Whether the row of one field decides: the filter is a test of it, or several
 * of which all or any have to hold.
 */
static bool is_alone(const struct driver *d)
{
	const struct vdfs_filter *f = d->filter;
	size_t i;

	for (i = 1; i < f->nodes; i++)
		if (f->node[i].kind != VDFS_FILTER_TEST)
			return false;
	for (i = 0; i < f->tests; i++)
		if (f->test[i].negated ||
		    strcmp(f->test[i].field, f->test[0].field))
			return false;
	return true;
}

/**
 * vdfs_drive_new() - find out what indexed fields say about a filter
 * @filter: The filter.
 * @fields: Indexed fields; they may go afterwards.
 * @out: Out, to be given to vdfs_drive_free() when this returned 0.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_drive_new(const struct vdfs_filter *filter,
		   const struct vdfs_fields *fields, struct vdfs_drive *out)
{
	struct driver d = { .filter = filter, .fields = fields, .drive = out };
	size_t len;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (!score(&d, 0))
		return 0;
	d.out = open_memstream(&out->sql, &len);
	if (!d.out)
		return -ENOMEM;
	emit_node(&d, 0);
	if (fclose(d.out))
		ret = -ENOMEM;
	if (ret || d.full)
		vdfs_drive_free(out);
	else
		out->alone = is_alone(&d);
	return ret;
}

/**
 * vdfs_drive_free() - forget what indexed fields say
 * @drive: From vdfs_drive_new().
 */
void vdfs_drive_free(struct vdfs_drive *drive)
{
	free(drive->sql);
	memset(drive, 0, sizeof(*drive));
}
