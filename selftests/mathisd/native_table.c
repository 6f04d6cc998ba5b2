// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every row of calls.def: its texts name things that exist, and its call
 * refuses each wrong count of arguments, and in each position each wrong type
 * and what is out of range.
 */
#include <kselftest_harness.h>

#include "dispatch.h"

FIXTURE(table)
{
	struct dispatch d;
	const struct mathis_call_info *infos;
	size_t n;
};

FIXTURE_SETUP(table)
{
	ASSERT_TRUE(dispatch_init(&self->d));
	self->infos = mathis_calls(&self->n);
}

FIXTURE_TEARDOWN(table)
{
	dispatch_fini(&self->d);
}

static bool is_error(const char *name, size_t n)
{
	for (int code = 1; code <= MATHIS_FUEL; code++) {
		const char *known = mathis_code_name(code);

		if (strlen(known) == n && !memcmp(known, name, n))
			return true;
	}
	return false;
}

TEST_F(table, names_rights_and_errors_that_exist)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct mathis_call_info *info = &self->infos[i];
		size_t n;

		if (info->mode == MATHIS_MODE_LATER)
			continue;
		for (const char *p = info->right; *p; p += n + (p[n] == ' ')) {
			n = strcspn(p, " ");
			EXPECT_NE(NULL, md_right_find(p, n))
			{
				TH_LOG("%s: right %s", info->name, p);
			}
		}
		for (const char *p = info->errors; *p; p += n + (p[n] == ' ')) {
			n = strcspn(p, " ");
			EXPECT_TRUE(is_error(p, n))
			{
				TH_LOG("%s: error %s", info->name, p);
			}
		}
		EXPECT_EQ('.', info->doc[strlen(info->doc) - 1])
		{
			TH_LOG("%s: %s", info->name, info->doc);
		}
	}
}

TEST_F(table, counts_arguments_as_the_machine_does)
{
	for (size_t i = 0; i < self->n; i++) {
		const struct md_row *row =
			md_core_row(self->d.core, self->infos[i].id);
		unsigned int least = 0;

		if (self->infos[i].mode == MATHIS_MODE_LATER) {
			EXPECT_EQ(NULL, row);
			continue;
		}
		ASSERT_NE(NULL, row);
		for (const struct md_type *t = row->args; t && !t->missing;
		     t = t->next)
			least++;
		EXPECT_EQ(least, row->min)
		{
			TH_LOG("%s", self->infos[i].name);
		}
		/* Only the last ones may be missing. */
		for (const struct md_type *t = row->args; t; t = t->next) {
			EXPECT_TRUE(!t->missing || !t->next || t->next->missing)
			{
				TH_LOG("%s", self->infos[i].name);
			}
		}
	}
}

/* A value that a type takes; of an int, the least. */
static struct mathis_item right_value(struct mathis_pool *pool,
				      const struct md_type *t)
{
	struct mathis_item item = { .kind = t->kind };
	static const char zeros[65536];

	switch (t->kind) {
	case MD_ANY:
		return NONE;
	case MATHIS_INT:
		item.i = t->min == INT64_MIN && t->max >= 0 ? 0 : t->min;
		return item;
	case MATHIS_STR:
	case MATHIS_BYTES:
		item.text = zeros;
		item.n = (uint32_t)t->min;
		return item;
	case MATHIS_HANDLE:
		item.i = (int64_t)t->handle << 24 | 0xffffff;
		return item;
	case MATHIS_MAP:
		item = mathis_item_seq(pool, MATHIS_MAP, 16);
		for (const struct md_type *k = t->of; k; k = k->next) {
			char name[64];

			snprintf(name, sizeof(name), "%.*s", (int)k->name_len,
				 k->name);
			if (!k->optional)
				mathis_item_put(pool, &item, name,
						right_value(pool, k));
		}
		return item;
	case MATHIS_LIST:
	case MATHIS_SET:
	case MATHIS_TUPLE:
		item = mathis_item_seq(pool, t->kind, 4);
		for (const struct md_type *k = t->of; k && t->exact;
		     k = k->next)
			mathis_item_add(pool, &item, right_value(pool, k));
		while (!t->exact && (int64_t)item.n < t->min)
			mathis_item_add(pool, &item,
					t->of ? right_value(pool, t->of) :
						NONE);
		return item;
	default:
		return item;
	}
}

static unsigned int right_args(struct mathis_pool *pool,
			       const struct md_row *row,
			       struct mathis_item args[32])
{
	unsigned int n = 0;

	for (const struct md_type *t = row->args; t && n < 31; t = t->next)
		args[n++] = right_value(pool, t);
	return n;
}

TEST_F(table, makes_values_that_it_takes_itself)
{
	for (size_t i = 0; i < self->d.core->n_rows; i++) {
		const struct md_row *row = &self->d.core->rows[i];
		struct mathis_item args[32];
		struct mathis_pool pool;
		struct md_misfit why;
		unsigned int n = 0;

		mathis_pool_init(&pool, 1 << 20);
		right_args(&pool, row, args);
		for (const struct md_type *t = row->args; t; t = t->next, n++) {
			EXPECT_TRUE(md_type_fits(t, &args[n], &why))
			{
				TH_LOG("%s: %s", row->info->name, why.text);
			}
		}
		mathis_pool_fini(&pool);
	}
}

TEST_F(table, refuses_each_wrong_count)
{
	for (size_t i = 0; i < self->d.core->n_rows; i++) {
		const struct md_row *row = &self->d.core->rows[i];
		struct mathis_item args[32] = { 0 };
		struct mathis_pool pool;

		if (row->info->mode == MATHIS_MODE_MACHINE)
			continue;
		mathis_pool_init(&pool, 1 << 20);
		right_args(&pool, row, args);
		EXPECT_EQ(MATHIS_ARITY, dispatch_call(&self->d, row->info->name,
						      args, row->max + 1))
		{
			TH_LOG("%s", row->info->name);
		}
		if (row->min) {
			EXPECT_EQ(MATHIS_ARITY,
				  dispatch_call(&self->d, row->info->name, args,
						row->min - 1))
			{
				TH_LOG("%s", row->info->name);
			}
		}
		mathis_pool_fini(&pool);
	}
}

/* One of each kind of value, small. */
static void samples(struct mathis_pool *pool, struct mathis_item out[16],
		    unsigned int *n)
{
	static const uint8_t kinds[] = {
		MATHIS_BOOL, MATHIS_INT,   MATHIS_FLOAT,  MATHIS_CHAR,
		MATHIS_STR,  MATHIS_BYTES, MATHIS_HANDLE,
	};
	static const uint8_t seqs[] = { MATHIS_LIST, MATHIS_SET, MATHIS_TUPLE,
					MATHIS_MAP };

	*n = 0;
	out[(*n)++] = NONE;
	for (size_t i = 0; i < sizeof(kinds); i++)
		out[(*n)++] = (struct mathis_item){ .kind = kinds[i] };
	for (size_t i = 0; i < sizeof(seqs); i++)
		out[(*n)++] = mathis_item_seq(pool, seqs[i], 1);
}

TEST_F(table, refuses_each_wrong_type_in_each_position)
{
	unsigned int refused = 0;

	for (size_t i = 0; i < self->d.core->n_rows; i++) {
		const struct md_row *row = &self->d.core->rows[i];
		struct mathis_item args[32], wrong[16];
		unsigned int n, n_wrong, at = 0;
		struct mathis_pool pool;

		if (row->info->mode == MATHIS_MODE_MACHINE)
			continue;
		mathis_pool_init(&pool, 1 << 20);
		n = right_args(&pool, row, args);
		samples(&pool, wrong, &n_wrong);
		for (const struct md_type *t = row->args; t;
		     t = t->next, at++) {
			for (unsigned int j = 0; j < n_wrong; j++) {
				struct mathis_item was = args[at];
				struct md_misfit why;

				if ((t->missing &&
				     wrong[j].kind == MATHIS_NONE) ||
				    md_type_fits(t, &wrong[j], &why))
					continue;
				args[at] = wrong[j];
				EXPECT_EQ(why.code,
					  dispatch_call(&self->d,
							row->info->name, args,
							n))
				{
					TH_LOG("%s: argument %u: %s",
					       row->info->name, at + 1,
					       why.text);
				}
				args[at] = was;
				refused++;
			}
		}
		mathis_pool_fini(&pool);
	}
	EXPECT_LT(100, refused);
}

TEST_F(table, refuses_what_is_out_of_range)
{
	unsigned int refused = 0;

	for (size_t i = 0; i < self->d.core->n_rows; i++) {
		const struct md_row *row = &self->d.core->rows[i];
		struct mathis_item args[32];
		unsigned int n, at = 0;
		struct mathis_pool pool;

		if (row->info->mode == MATHIS_MODE_MACHINE)
			continue;
		mathis_pool_init(&pool, 1 << 20);
		n = right_args(&pool, row, args);
		for (const struct md_type *t = row->args; t;
		     t = t->next, at++) {
			const int64_t out[] = {
				t->min > INT64_MIN ? t->min - 1 : 0,
				t->max < INT64_MAX ? t->max + 1 : 0,
			};

			for (int j = 0; t->kind == MATHIS_INT && j < 2; j++) {
				struct mathis_item was = args[at];

				if (out[j] >= t->min && out[j] <= t->max)
					continue;
				args[at] = INT(out[j]);
				EXPECT_EQ(MATHIS_ARG_RANGE,
					  dispatch_call(&self->d,
							row->info->name, args,
							n))
				{
					TH_LOG("%s: argument %u",
					       row->info->name, at + 1);
				}
				args[at] = was;
				refused++;
			}
		}
		mathis_pool_fini(&pool);
	}
	EXPECT_LT(5, refused);
}

TEST_F(table, refuses_a_call_without_its_right)
{
	md_rights_fini(&self->d.session->rights);
	self->d.session->rights = (struct md_rights){ 0 };
	for (size_t i = 0; i < self->d.core->n_rows; i++) {
		const struct md_row *row = &self->d.core->rows[i];

		if (!*row->info->right)
			continue;
		EXPECT_EQ(MATHIS_DENIED,
			  dispatch_call(&self->d, row->info->name, NULL, 0))
		{
			TH_LOG("%s", row->info->name);
		}
	}
}

TEST_F(table, refuses_a_call_that_nothing_serves)
{
	EXPECT_EQ(MATHIS_BAD_SYSCALL, CALL(&self->d, "http_get", STR("x")));
	EXPECT_EQ(MATHIS_BAD_OPERATION, CALL(&self->d, "io_emit", INT(1)));
}

TEST_HARNESS_MAIN
