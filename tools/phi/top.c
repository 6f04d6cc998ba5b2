// SPDX-License-Identifier: GPL-2.0-only
/* Units and models as they work, once a second. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

#define MODELS_MAX 256

/* Counters of a unit or a model at one moment. */
struct sample {
	uint64_t id;
	uint64_t batches;
	uint64_t items;
	uint64_t run_ns;
};

struct samples {
	uint32_t n;
	struct sample at[MODELS_MAX];
};

struct view {
	uint64_t when;
	struct samples units;
	struct samples models;
};

static const struct sample *find(const struct samples *samples, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < samples->n; i++) {
		if (samples->at[i].id == id)
			return &samples->at[i];
	}
	return NULL;
}

/* Columns of what was done since the view before; unknown in the first. */
static void rates(const struct samples *before, const struct sample *now,
		  double seconds, uint32_t capacity)
{
	const struct sample *old = find(before, now->id);
	double batches;

	if (!old || now->batches < old->batches || seconds <= 0) {
		out_unknown("batches/s");
		out_unknown("items/s");
		out_unknown("items/batch");
		out_unknown("ms/batch");
		if (capacity)
			out_unknown("busy%");
		return;
	}
	batches = (double)(now->batches - old->batches);
	out_real("batches/s", batches / seconds, 1);
	out_real("items/s", (double)(now->items - old->items) / seconds, 1);
	if (batches > 0) {
		out_real("items/batch",
			 (double)(now->items - old->items) / batches, 1);
		out_real("ms/batch",
			 (double)(now->run_ns - old->run_ns) / 1e6 / batches,
			 2);
	} else {
		out_unknown("items/batch");
		out_unknown("ms/batch");
	}
	if (capacity)
		out_real("busy%",
			 (double)(now->run_ns - old->run_ns) / 1e7 / seconds /
				 capacity,
			 0);
}

static void keep(struct samples *samples, const struct sample *sample)
{
	if (samples->n < MODELS_MAX)
		samples->at[samples->n++] = *sample;
}

static void in_percent(const char *key, uint32_t permille)
{
	if (permille == PHI_UNIT_UNKNOWN)
		out_unknown(key);
	else
		out_real(key, permille / 10.0, 0);
}

static void in_celsius(const char *key, uint32_t millidegrees)
{
	if (millidegrees == PHI_UNIT_UNKNOWN)
		out_unknown(key);
	else
		out_real(key, millidegrees / 1000.0, 0);
}

static int show_units(int phi, const struct view *before, struct view *now)
{
	double seconds = (double)(now->when - before->when) / 1e9;
	struct phi_unit_query unit;
	struct sample sample;
	uint32_t id;
	int ret = 0;

	out_table("units", "none");
	for (id = 0; id < PHI_UNITS_MAX; id = unit.id + 1) {
		ret = phi_unit_query(phi, id, &unit);
		if (ret)
			break;
		sample = (struct sample){ unit.id, unit.batches, unit.items,
					  unit.run_ns };
		keep(&now->units, &sample);
		out_row();
		out_u64("unit", unit.id);
		out_name("name", unit.name);
		out_str("kind", kind_name(unit.kind));
		out_str("state", unit.healthy ? "ok" : "sick");
		out_u64("running", unit.in_flight);
		out_u64("of", unit.capacity);
		in_percent("load%", unit.load);
		in_celsius("temp-c", unit.temperature);
		rates(&before->units, &sample, seconds, unit.capacity);
		out_close();
	}
	out_close();
	return ret == -ENOENT ? 0 : ret;
}

static int show_models(int phi, const struct view *before, struct view *now)
{
	double seconds = (double)(now->when - before->when) / 1e9;
	struct phi_model_query model;
	struct sample sample;
	uint64_t id;
	int ret = 0;

	out_table("models", "none");
	for (id = 0;; id = model.id + 1) {
		ret = phi_model_query(phi, id, &model);
		if (ret)
			break;
		sample = (struct sample){ model.id, model.batches, model.items,
					  model.run_ns };
		keep(&now->models, &sample);
		out_row();
		out_u64("model", model.id);
		out_name("name", model.name);
		out_u64("running", model.in_flight);
		out_u64("max", model.max_batch);
		out_u64("failed", model.failed);
		rates(&before->models, &sample, seconds, 0);
		out_close();
	}
	out_close();
	return ret == -ENOENT ? 0 : ret;
}

static int look(int phi, const struct view *before, struct view *now)
{
	char clock[16];
	time_t seconds = time(NULL);
	int ret;

	memset(now, 0, sizeof(*now));
	now->when = now_ns(CLOCK_MONOTONIC);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&seconds));
	out_str("time", clock);
	ret = show_units(phi, before, now);
	return ret ? ret : show_models(phi, before, now);
}

static bool smart_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
}

static int top(struct args *args)
{
	static struct view views[2];
	bool smart = smart_terminal() && !out_json;
	uint64_t interval = 1000000000;
	uint64_t count = UINT64_MAX;
	struct timespec pause;
	uint64_t i;
	int ret;

	if (option_duration(args, "interval", &interval) ||
	    option_u64(args, "count", UINT64_MAX, &count))
		return EXIT_USAGE;
	if (interval < 10000000)
		return usage_error(args, "--interval is 10ms at least");
	if (args_option(args, "once"))
		count = 1;
	pause.tv_sec = (time_t)(interval / 1000000000);
	pause.tv_nsec = (long)(interval % 1000000000);

	out_lines();
	views[1].when = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < count; i++) {
		if (i) {
			nanosleep(&pause, NULL);
			if (!smart && !out_json)
				putchar('\n');
		}
		if (smart)
			fputs("\033[H\033[J", stdout);
		ret = look(args->phi, &views[(i + 1) % 2], &views[i % 2]);
		if (ret)
			return fail(ret, "read the figures");
		ret = out_end();
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

static const struct verb verbs[] = {
	{ "", top, "[--interval TIME] [--count N] [--once]",
	  "show units and models with their rates, every second until Ctrl-C; as JSON, a line each time",
	  VERB_PHI },
	{ 0 },
};

const struct noun top_noun = {
	.name = "top",
	.help = "units and models as they work, live",
	.verbs = verbs,
};
