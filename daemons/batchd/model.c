// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batchd.h"

/* Most rows in a batch unless the command line says otherwise. */
#define MAX_BATCH 128
#define MAX_BATCH_LIMIT 4096

/* Measuring the curve may take this long, at least one run of each size. */
#define WARM_NS 1000000000ULL

/* Opening a session with vdfsd may take this long. */
#define VDFS_NS 10000000000ULL

/* "vdfs:" and a name or sha256:HEX stands for a blob of vdfsd. */
#define VDFS "vdfs:"

/* Where in @file the number of a batch may be: behind the last colon. */
static char *find_colon(char *file)
{
	char *hash = file + strlen(VDFS);

	if (strncmp(file, VDFS, strlen(VDFS)))
		return strrchr(file, ':');
	/* The colon of a hash is not that one. */
	return strrchr(strncmp(hash, "sha256:", 7) ? hash : hash + 7, ':');
}

/* NAME=FILE[:MAX_BATCH]; a valid @spec is cut at the colon, no other. */
static int parse_spec(struct model *model, char *spec)
{
	char *file = strchr(spec, '='), *colon, *end;
	unsigned long max;
	size_t len;

	if (!file || file == spec || !file[1])
		return -EINVAL;
	len = file++ - spec;
	if (len >= sizeof(model->name) || memchr(spec, '/', len))
		return -EINVAL;
	memcpy(model->name, spec, len);
	model->path = file;
	model->max_batch = MAX_BATCH;
	colon = find_colon(file);
	if (!colon)
		return 0;
	max = strtoul(colon + 1, &end, 10);
	if (!colon[1] || *end || !max || max > MAX_BATCH_LIMIT)
		return -EINVAL;
	model->max_batch = max;
	*colon = '\0';
	return 0;
}

/* Check the demands that only batching makes of a model. */
static int check_info(struct model *model)
{
	const struct engine_info *info = model->info;

	if (info->batch > 1) {
		say("%s: takes batches of %u only; export it with a free first dimension",
		    model->name, info->batch);
		return -EOPNOTSUPP;
	}
	if (info->batch)
		model->max_batch = 1;
	if (info->in.row_bytes > INT_MAX / model->max_batch ||
	    info->out.row_bytes > INT_MAX / model->max_batch) {
		say("%s: %u rows are too large for one batch", model->name,
		    model->max_batch);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int open_vdfs(struct batchd *b)
{
	struct phi_token token;
	uint64_t cap;
	ssize_t got;
	int fd, ret;

	if (b->vdfs)
		return 0;
	fd = open(b->options.vdfs, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, &token, sizeof(token));
	close(fd);
	if (got != sizeof(token))
		return -EKEYREJECTED;
	ret = phi_cap_unseal(b->daemon.phi, &token, &cap);
	if (ret)
		return ret;
	ret = phi_vdfs_open(b->daemon.phi, cap, PHI_VDFS_OPEN_READ,
			    clock_ns() + VDFS_NS, &b->vdfs);
	phi_cap_drop(b->daemon.phi, cap);
	return ret;
}

/* Load a blob of vdfsd, from the memory that all who map it share. */
static int load_blob(struct batchd *b, struct engine *engine,
		     struct model *model, char *why, size_t whylen)
{
	int ret = open_vdfs(b);

	if (ret) {
		snprintf(why, whylen, "cannot reach vdfsd by %s: %s",
			 b->options.vdfs, strerror(-ret));
		return ret;
	}
	ret = phi_vdfs_map(b->vdfs, model->path + strlen(VDFS), &model->map);
	if (ret)
		return ret;
	ret = engine_load_bytes(engine, model->map.addr, model->map.bytes,
				&model->engine, why, whylen);
	if (ret) {
		phi_vdfs_unmap(b->vdfs, &model->map);
		model->map.addr = NULL;
	}
	return ret;
}

static int load(struct batchd *b, struct engine *engine, struct model *model,
		char *why, size_t whylen)
{
	if (!strncmp(model->path, VDFS, strlen(VDFS)))
		return load_blob(b, engine, model, why, whylen);
	return engine_load(engine, model->path, &model->engine, why, whylen);
}

/**
 * model_load() - load a model as the command line says
 * @b: Daemon; the model is added to it.
 * @engine: From engine_new().
 * @spec: NAME=FILE[:MAX_BATCH], which is cut up and must stay.
 *
 * Context: Main thread, before runners start.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int model_load(struct batchd *b, struct engine *engine, const char *spec)
{
	struct model *model = calloc(1, sizeof(*model));
	char why[256] = "";
	uint32_t i;
	int ret;

	if (!model)
		return -ENOMEM;
	ret = parse_spec(model, (char *)spec);
	for (i = 0; !ret && i < b->nmodels; i++) {
		if (!strcmp(model->name, b->models[i]->name))
			ret = -EEXIST;
	}
	if (ret || b->nmodels == BATCHD_MODELS_MAX) {
		say("--model \"%s\": want up to %d times NAME=FILE[:MAX_BATCH], names differing",
		    spec, BATCHD_MODELS_MAX);
		free(model);
		return ret ? ret : -ENOSPC;
	}
	ret = load(b, engine, model, why, sizeof(why));
	if (ret) {
		say("%s: cannot load %s: %s", model->name, model->path,
		    *why ? why : strerror(-ret));
		free(model);
		return ret;
	}
	model->info = engine_model_info(model->engine);
	ret = check_info(model);
	if (ret) {
		model_put(b, model);
		return ret;
	}
	queue_init(&model->queue, b->options.queue_rows);
	b->models[b->nmodels++] = model;
	return 0;
}

/**
 * model_put() - forget a model
 * @b: Daemon.
 * @model: From model_load(), or NULL; nobody has it bound.
 *
 * Context: Main thread, after runners ended.
 */
void model_put(struct batchd *b, struct model *model)
{
	if (!model)
		return;
	engine_unload(model->engine);
	if (model->map.addr)
		phi_vdfs_unmap(b->vdfs, &model->map);
	free(model);
}

/**
 * model_warm() - run a model once at each size and learn its curve
 * @model: Model.
 * @desk: Of any runner, for the model.
 * @nrunners: How many runners learn it.
 *
 * The runners' processors are alike; each goes on learning by itself.
 *
 * Context: Main thread, before runners start.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int model_warm(struct model *model, struct desk *desk, uint32_t nrunners)
{
	uint64_t begin = clock_ns(), spent = 0;
	char why[256] = "";
	uint32_t rows, i;
	int tries, ret;

	/* The first run sets things up; it tells nothing about the next. */
	ret = engine_run(desk->binding, 1, why, sizeof(why));
	for (rows = 1; !ret && rows <= model->max_batch; rows *= 2) {
		uint64_t best = UINT64_MAX;

		for (tries = 0; tries < 3 && !ret; tries++) {
			uint64_t start = clock_ns();

			if (tries && spent > WARM_NS)
				break;
			ret = engine_run(desk->binding, rows, why, sizeof(why));
			if (clock_ns() - start < best)
				best = clock_ns() - start;
			spent = clock_ns() - begin;
		}
		for (i = 0; !ret && i < nrunners; i++)
			curve_add(&model->curve[i], rows, best);
	}
	if (ret)
		say("%s: cannot run: %s", model->name,
		    *why ? why : strerror(-ret));
	return ret;
}

/**
 * model_register() - get a MODEL capability for a model
 * @b: Daemon.
 * @model: Model.
 * @badge: Badge that the messages to it carry.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int model_register(struct batchd *b, struct model *model, uint64_t badge)
{
	int ret = phi_model_register(b->daemon.phi, b->daemon.endpoint, badge,
				     model->name, model->max_batch, &model->id,
				     &model->cap);

	if (ret)
		say("%s: cannot register the model: %s", model->name,
		    strerror(-ret));
	return ret;
}

/**
 * model_publish() - write a sealed token that clients may unseal
 * @b: Daemon.
 * @model: Registered.
 *
 * The token gives SEND: to talk to the model, not to run it elsewhere. The
 * file appears whole.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int model_publish(struct batchd *b, struct model *model)
{
	int ret = publish_token(b->publish, b->daemon.phi, model->cap,
				model->name);

	if (ret)
		say("%s: cannot publish a token in %s: %s", model->name,
		    b->publish->dir, strerror(-ret));
	return ret;
}

/**
 * model_unpublish() - remove the token
 * @b: Daemon.
 * @model: Published, or not.
 *
 * Context: Main thread.
 */
void model_unpublish(struct batchd *b, struct model *model)
{
	publish_remove(b->publish, model->name);
}
