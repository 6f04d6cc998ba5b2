// SPDX-License-Identifier: GPL-2.0-only
/*
 * Models as the command line names them, from their files into the real ONNX
 * Runtime, and the run times that are measured before the first client.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "daemons/batchd/batchd.h"

#define MODELS "../data/models/"
#define IDENTITY MODELS "identity.onnx"
#define FIXED MODELS "fixed.onnx"
#define ROOM 256
#define TRIES 24

FIXTURE(model)
{
	struct batchd b;
	struct engine *engine;
	char spec[TRIES][ROOM];
	int n;
};

FIXTURE_SETUP(model)
{
	char why[256];

	memset(&self->b, 0, sizeof(self->b));
	daemon_init(&self->b.daemon, &batchd_kind);
	self->b.options.queue_rows = 64;
	self->b.options.vdfs = "/nowhere/token";
	self->n = 0;
	ASSERT_EQ(0, engine_new(&self->engine, NULL, why, sizeof(why)));
}

FIXTURE_TEARDOWN(model)
{
	while (self->b.nmodels)
		model_put(&self->b, self->b.models[--self->b.nmodels]);
	engine_put(self->engine);
}

/* The spec is cut up, and stays as long as the model. */
static int load(FIXTURE_DATA(model) * self, const char *spec)
{
	char *mine = self->spec[self->n++];

	snprintf(mine, ROOM, "%s", spec);
	return model_load(&self->b, self->engine, mine);
}

TEST_F(model, is_named_by_its_spec)
{
	const struct model *m;

	ASSERT_EQ(0, load(self, "plain=" IDENTITY));
	ASSERT_EQ(0, load(self, "some=" IDENTITY ":7"));
	ASSERT_EQ(0, load(self, "most=" IDENTITY ":4096"));
	/* Its file allows a batch of one alone. */
	ASSERT_EQ(0, load(self, "fixed=" FIXED ":64"));
	ASSERT_EQ(4, self->b.nmodels);
	m = self->b.models[0];
	EXPECT_STREQ("plain", m->name);
	EXPECT_STREQ(IDENTITY, m->path);
	EXPECT_EQ(128, m->max_batch);
	EXPECT_EQ(16, m->info->in.row_bytes);
	EXPECT_EQ(64, m->queue.limit);
	EXPECT_STREQ(IDENTITY, self->b.models[1]->path);
	EXPECT_EQ(7, self->b.models[1]->max_batch);
	EXPECT_EQ(4096, self->b.models[2]->max_batch);
	EXPECT_EQ(1, self->b.models[3]->max_batch);
}

TEST_F(model, is_refused_with_a_wrong_spec)
{
	static const struct {
		const char *spec;
		int err;
	} wrong[] = {
		{ "", -EINVAL },
		{ "name", -EINVAL },
		{ "name=", -EINVAL },
		{ "=" IDENTITY, -EINVAL },
		{ "a/b=" IDENTITY, -EINVAL },
		{ "name=" IDENTITY ":", -EINVAL },
		{ "name=" IDENTITY ":0", -EINVAL },
		{ "name=" IDENTITY ":-1", -EINVAL },
		{ "name=" IDENTITY ":8x", -EINVAL },
		{ "name=" IDENTITY ":4097", -EINVAL },
		{ "name=" IDENTITY ":4294967297", -EINVAL },
		{ "taken=" FIXED, -EEXIST },
		{ "name=" MODELS "nothing.onnx", -ENOENT },
		{ "name=" MODELS "README.md", -EBADMSG },
		/* The colon of a hash is none before a batch. */
		{ "name=vdfs:sha256:ab", -ENOENT },
		{ "name=vdfs:sha256:ab:8", -ENOENT },
		{ "name=vdfs:sha256:ab:0", -EINVAL },
		{ "name=vdfs:/models/a:0", -EINVAL },
	};
	char spec[ROOM];
	size_t i;

	ASSERT_EQ(0, load(self, "taken=" IDENTITY));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(wrong[i].err, load(self, wrong[i].spec))
		{
			TH_LOG("%s", wrong[i].spec);
		}
		/* The message shows all of a spec that makes no sense. */
		if (wrong[i].err == -EINVAL) {
			EXPECT_STREQ(wrong[i].spec, self->spec[self->n - 1]);
		}
		ASSERT_EQ(1, self->b.nmodels);
	}
	/* The longest name, and one letter more. */
	snprintf(spec, sizeof(spec), "%0*d=%s", PHI_NAME_MAX, 0, IDENTITY);
	EXPECT_EQ(-EINVAL, load(self, spec));
	snprintf(spec, sizeof(spec), "%0*d=%s", PHI_NAME_MAX - 1, 0, IDENTITY);
	EXPECT_EQ(0, load(self, spec));
}

TEST_F(model, is_one_of_so_many)
{
	char spec[ROOM];
	int i;

	for (i = 0; i < BATCHD_MODELS_MAX; i++) {
		snprintf(spec, sizeof(spec), "model%d=%s", i, IDENTITY);
		ASSERT_EQ(0, load(self, spec));
	}
	EXPECT_EQ(-ENOSPC, load(self, "more=" IDENTITY));
	EXPECT_EQ(BATCHD_MODELS_MAX, self->b.nmodels);
}

/* One sample of each size that is a power of two, on each unit. */
TEST_F(model, is_measured_before_it_serves)
{
	uint64_t before = clock_ns(), spent;
	struct runner *r;
	struct model *m;
	uint32_t i;

	ASSERT_EQ(0, load(self, "some=" IDENTITY ":20"));
	ASSERT_EQ(0, runner_new(&self->b, 0, &r));
	m = self->b.models[0];
	EXPECT_EQ(0, model_warm(m, &r->desks[0], 2));
	spent = clock_ns() - before;
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(256ULL << i, m->curve[0].point[i].rows);
		EXPECT_LT(0, m->curve[0].point[i].ns);
		EXPECT_GT(spent, m->curve[0].point[i].ns);
		EXPECT_EQ(m->curve[0].point[i].ns, m->curve[1].point[i].ns);
	}
	EXPECT_EQ(0, m->curve[0].point[5].rows);
	EXPECT_EQ(0, curve_ns(&m->curve[2], 1));
	runner_put(r);
}

TEST_F(model, that_cannot_run_is_not_measured)
{
	struct runner *r;
	struct model *m;

	ASSERT_EQ(0, load(self, "fixed=" FIXED));
	m = self->b.models[0];
	m->max_batch = 2;
	ASSERT_EQ(0, runner_new(&self->b, 0, &r));
	EXPECT_NE(0, model_warm(m, &r->desks[0], 1));
	EXPECT_EQ(256, m->curve[0].point[0].rows);
	EXPECT_EQ(0, m->curve[0].point[1].rows);
	runner_put(r);
}

TEST_HARNESS_MAIN
