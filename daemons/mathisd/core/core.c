// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of calls, from calls.def and the functions that serve them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core.h"
#include "session.h"
#include "worker.h"

#define ID_MAX 0x1400
#define TYPES_MAX (4UL << 20)

uint64_t md_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int bad_row(struct md_misfit *error, const char *name, const char *what)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", name, what);
	return -EINVAL;
}

static md_function *find_function(const struct md_serve *serve, size_t n,
				  uint16_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (serve[i].id == id)
			return serve[i].function;
	}
	return NULL;
}

static int fill_row(struct md_core *core, struct md_row *row,
		    const struct mathis_call_info *info,
		    struct md_misfit *error)
{
	const char *at;

	row->info = info;
	row->args = md_type_args(&core->pool, info->args, &at);
	if (at)
		return bad_row(error, info->name, at);
	row->result = md_type_read(&core->pool, info->result, &at);
	if (at)
		return bad_row(error, info->name, at);
	row->secret = strstr(info->args, "handle<secret>") ||
		      strstr(info->result, "handle<secret>");
	row->min = mathis_args_min(info->args);
	for (const struct md_type *t = row->args; t; t = t->next)
		row->max++;
	if (!row->function && info->mode != MATHIS_MODE_MACHINE)
		return bad_row(error, info->name, "nothing serves it");
	return 0;
}

static int fill(struct md_core *core, const struct md_serve *serve, size_t n,
		struct md_misfit *error)
{
	size_t n_infos;
	const struct mathis_call_info *infos = mathis_calls(&n_infos);
	int ret = 0;

	core->rows = calloc(n_infos, sizeof(*core->rows));
	core->index = calloc(ID_MAX, sizeof(*core->index));
	if (!core->rows || !core->index)
		return -ENOMEM;
	for (size_t i = 0; i < n_infos && !ret; i++) {
		struct md_row *row = &core->rows[core->n_rows];

		if (infos[i].mode == MATHIS_MODE_LATER)
			continue;
		row->function = find_function(serve, n, infos[i].id);
		ret = fill_row(core, row, &infos[i], error);
		core->index[infos[i].id] = ++core->n_rows;
	}
	return core->pool.bad ? -ENOMEM : ret;
}

int md_core_new(const struct md_serve *serve, size_t n, struct md_core **out,
		struct md_misfit *error)
{
	struct md_core *core = calloc(1, sizeof(*core));
	int ret;

	*out = NULL;
	if (!core)
		return -ENOMEM;
	pthread_mutex_init(&core->lock, NULL);
	pthread_cond_init(&core->work, NULL);
	pthread_cond_init(&core->timers.news, NULL);
	TAILQ_INIT(&core->turns);
	mathis_pool_init(&core->pool, TYPES_MAX);
	ret = fill(core, serve, n, error);
	if (ret)
		md_core_free(core);
	else
		*out = core;
	return ret;
}

void md_core_free(struct md_core *core)
{
	if (!core)
		return;
	md_workers_stop(core);
	md_timers_stop(core);
	md_watches_stop(core);
	pthread_cond_destroy(&core->timers.news);
	pthread_cond_destroy(&core->work);
	pthread_mutex_destroy(&core->lock);
	mathis_pool_fini(&core->pool);
	free(core->rows);
	free(core->index);
	free(core);
}

const struct md_row *md_core_row(const struct md_core *core, uint16_t id)
{
	if (id >= ID_MAX || !core->index[id])
		return NULL;
	return &core->rows[core->index[id] - 1];
}
