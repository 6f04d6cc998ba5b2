// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine on the real ONNX Runtime: what it says of a model, what it
 * computes, alone and in batches, and what it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "engine.h"

#define DATA "../data/"
#define BATCH 37

FIXTURE(engine)
{
	struct engine *engine;
	char why[256];
};

FIXTURE_SETUP(engine)
{
	ASSERT_EQ(0,
		  engine_new(&self->engine, NULL, self->why, sizeof(self->why)))
	{
		TH_LOG("%s", self->why);
	}
}

FIXTURE_TEARDOWN(engine)
{
	engine_put(self->engine);
}

/* Needs to come first in its process: the noise is made once. */
TEST(setup_is_quiet)
{
	struct engine_model *model;
	struct engine *engine;
	int pipes[2], saved;
	char why[256], c;

	ASSERT_EQ(0, pipe2(pipes, O_NONBLOCK));
	saved = dup(STDERR_FILENO);
	dup2(pipes[1], STDERR_FILENO);
	EXPECT_EQ(0, engine_new(&engine, NULL, why, sizeof(why)));
	EXPECT_EQ(0, engine_load(engine, DATA "models/identity.onnx", &model,
				 why, sizeof(why)));
	dup2(saved, STDERR_FILENO);
	EXPECT_EQ(-1, read(pipes[0], &c, 1));
	EXPECT_EQ(EAGAIN, errno);
	engine_unload(model);
	engine_put(engine);
}

TEST(says_what_is_missing)
{
	struct engine *engine;
	char why[256] = "";

	EXPECT_EQ(-ENOENT,
		  engine_new(&engine, "libnothing.so.1", why, sizeof(why)));
	EXPECT_NE(NULL, strstr(why, "libnothing.so.1"));
	EXPECT_EQ(-EINVAL, engine_new(&engine, "libc.so.6", why, sizeof(why)));
}

TEST_F(engine, describes_a_model)
{
	const struct engine_info *info;
	struct engine_model *model;

	ASSERT_EQ(0, engine_load(self->engine, DATA "mnist/mnist_mlp.onnx",
				 &model, self->why, sizeof(self->why)));
	info = engine_model_info(model);
	EXPECT_STREQ("image", info->in.name);
	EXPECT_EQ(PHI_DTYPE_U8, info->in.dtype);
	EXPECT_EQ(1, info->in.ndim);
	EXPECT_EQ(784, info->in.dims[0]);
	EXPECT_EQ(784, info->in.row_bytes);
	EXPECT_STREQ("logits", info->out.name);
	EXPECT_EQ(PHI_DTYPE_F32, info->out.dtype);
	EXPECT_EQ(40, info->out.row_bytes);
	EXPECT_EQ(0, info->batch);
	engine_unload(model);

	ASSERT_EQ(0, engine_load(self->engine, DATA "models/fixed.onnx", &model,
				 self->why, sizeof(self->why)));
	EXPECT_EQ(1, engine_model_info(model)->batch);
	engine_unload(model);
}

TEST_F(engine, returns_each_row_to_its_place)
{
	static float in[BATCH][4], out[BATCH][4];
	struct engine_binding *binding;
	struct engine_model *model;
	uint32_t rows, i;

	ASSERT_EQ(0, engine_load(self->engine, DATA "models/identity.onnx",
				 &model, self->why, sizeof(self->why)));
	ASSERT_EQ(0, engine_bind(model, in, out, BATCH, &binding));
	for (rows = BATCH; rows; rows--) {
		memset(out, 0, sizeof(out));
		for (i = 0; i < BATCH; i++) {
			in[i][0] = i + 1;
			in[i][3] = -(float)rows;
		}
		ASSERT_EQ(0, engine_run(binding, rows, self->why,
					sizeof(self->why)));
		ASSERT_EQ(0, memcmp(in, out, rows * sizeof(in[0])));
		if (rows < BATCH) {
			ASSERT_EQ(0, out[rows][0]);
		}
	}
	EXPECT_EQ(-EINVAL, engine_run(binding, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, engine_run(binding, BATCH + 1, NULL, 0));
	engine_unbind(binding);
	engine_unload(model);
}

TEST_F(engine, keeps_to_a_fixed_batch)
{
	float in[2][4] = { { 1, 2, 3, 4 } }, out[2][4] = {};
	struct engine_binding *binding;
	struct engine_model *model;

	ASSERT_EQ(0, engine_load(self->engine, DATA "models/fixed.onnx", &model,
				 self->why, sizeof(self->why)));
	ASSERT_EQ(0, engine_bind(model, in, out, 2, &binding));
	EXPECT_EQ(-EINVAL, engine_run(binding, 2, NULL, 0));
	EXPECT_EQ(0, engine_run(binding, 1, self->why, sizeof(self->why)));
	EXPECT_EQ(8, out[0][3]);
	engine_unbind(binding);
	engine_unload(model);
}

TEST_F(engine, refuses_what_is_no_model)
{
	char path[] = "/tmp/batchd-model-XXXXXX", half[2000];
	struct engine_model *model;
	ssize_t len;
	int fd, from;

	EXPECT_EQ(-ENOENT, engine_load(self->engine, "/nowhere.onnx", &model,
				       self->why, sizeof(self->why)));
	EXPECT_NE(NULL, strstr(self->why, "/nowhere.onnx"));

	from = open(DATA "mnist/mnist_mlp.onnx", O_RDONLY);
	ASSERT_LE(0, from);
	len = read(from, half, sizeof(half));
	close(from);
	fd = mkstemp(path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(len, write(fd, half, len));
	EXPECT_NE(0, engine_load(self->engine, path, &model, self->why,
				 sizeof(self->why)));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_NE(0, engine_load(self->engine, path, &model, self->why,
				 sizeof(self->why)));
	close(fd);
	unlink(path);
}

TEST_HARNESS_MAIN
