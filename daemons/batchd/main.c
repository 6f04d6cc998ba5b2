// SPDX-License-Identifier: GPL-2.0-only
/*
 * batchd: runs models for clients that do not trust each other, in batches.
 * See DESIGN.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batchd.h"
#include "confine.h"
#include "settings.h"

/* How often units report their figures. */
#define LOAD_NS 250000000

static struct batchd batchd;

static struct phi_source *load_timer;

static int report_load(void *arg)
{
	struct batchd *b = arg;
	uint32_t i;

	for (i = 0; i < b->nrunners; i++) {
		struct runner *r = b->runners[i];

		phi_unit_update(b->daemon.phi, r->cap,
				load_sample(&r->load, clock_ns()),
				load_temperature(&r->load), PHI_UNIT_UNKNOWN,
				true);
	}
	phi_source_set(load_timer, clock_ns() + LOAD_NS);
	return 0;
}

static int setup_sources(struct batchd *b)
{
	struct phi_service *s = b->daemon.service;
	int ret;

	ret = daemon_signals(&b->daemon);
	if (!ret)
		ret = daemon_listen(&b->daemon);
	if (!ret)
		ret = phi_service_job(s, channel_reap, b, &b->broken);
	if (!ret)
		ret = phi_service_timer(s, report_load, b, &load_timer);
	if (ret)
		return ret;
	phi_source_set(load_timer, clock_ns() + LOAD_NS);
	return 0;
}

/* A unit and its runner on each of the first processors we may use. */
static int setup_units(struct batchd *b)
{
	struct runner *r;
	cpu_set_t cpus;
	char name[PHI_NAME_MAX];
	int cpu, ret;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		if (b->nrunners == BATCHD_UNITS_MAX ||
		    (b->options.units && b->nrunners == b->options.units))
			break;
		ret = runner_new(b, cpu, &r);
		if (ret)
			return ret;
		load_init(&r->load, cpu);
		b->runners[b->nrunners++] = r;
		snprintf(name, sizeof(name), "cpu%d", cpu);
		ret = phi_unit_register(b->daemon.phi, name, PHI_UNIT_CPU,
					PHI_UNIT_UNKNOWN, 1,
					b->options.shared ? PHI_UNIT_SHARED : 0,
					&r->unit, &r->cap);
		if (ret) {
			say("cannot register unit %s: %s", name,
			    strerror(-ret));
			return ret;
		}
	}
	return b->nrunners ? 0 : -ENODEV;
}

static int setup_models(struct batchd *b, struct settings *s,
			struct engine *engine)
{
	uint32_t i;
	int ret;

	for (i = 0; i < s->nmodels; i++) {
		ret = model_load(b, engine, s->models[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* Everything that clients can see, models last. */
static int setup_phi(struct batchd *b)
{
	uint32_t i;
	int ret;

	ret = phi_endpoint_create(b->daemon.phi, &b->daemon.endpoint);
	if (!ret)
		ret = setup_units(b);
	if (!ret)
		ret = setup_sources(b);
	if (ret)
		return ret;
	for (i = 0; i < b->nmodels; i++) {
		struct model *m = b->models[i];

		ret = model_warm(m, &b->runners[0]->desks[i], b->nrunners);
		if (!ret)
			ret = model_register(b, m, i + 1);
		if (ret)
			return ret;
		say("model %" PRIu64
		    " \"%s\": %u B -> %u B a row, batches of up to %u, alone %" PRIu64
		    " us, knee %u at %" PRIu64 " us",
		    m->id, m->name, (uint32_t)m->info->in.row_bytes,
		    (uint32_t)m->info->out.row_bytes, m->max_batch,
		    curve_ns(&m->curve[0], 1) / 1000,
		    curve_knee(&m->curve[0], m->max_batch),
		    curve_ns(&m->curve[0],
			     curve_knee(&m->curve[0], m->max_batch)) /
			    1000);
	}
	for (i = 0; i < b->nrunners; i++) {
		ret = runner_start(b->runners[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* Answer the requests that wait, end the runners, then the sessions. */
static void shut_down(struct batchd *b)
{
	struct daemon *d = &b->daemon;
	uint32_t i;

	daemon_refuse_new(d);
	for (i = 0; b->publish->dir && i < b->nmodels; i++)
		model_unpublish(b, b->models[i]);
	request_cancel_all(b, NULL);
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	for (i = 0; i < b->nrunners; i++) {
		if (b->runners[i]->thread)
			runner_join(b->runners[i]);
	}
	/* Those that were spread over batches, and had rows left. */
	request_cancel_all(b, NULL);
	daemon_end_sessions(d);
}

/* Last words; returns whether the books balance. */
static bool sum_up(struct batchd *b)
{
	bool balanced = true;
	uint32_t i;

	for (i = 0; i < b->nmodels; i++) {
		const struct model *m = b->models[i];
		const struct queue_stats *s = &m->queue.stats;

		say("model \"%s\": %" PRIu64 " requests accepted, %" PRIu64
		    " done, %" PRIu64 " failed, %" PRIu64 " expired, %" PRIu64
		    " dropped, %" PRIu64 " refused; %" PRIu64
		    " inputs in %" PRIu64 " batches",
		    m->name, s->accepted, s->done, s->failed, s->expired,
		    s->dropped, s->refused, m->rows, m->batches);
		balanced = balanced && queue_balanced(&m->queue) &&
			   !s->waiting && !s->running && !m->promised;
	}
	if (!balanced)
		say("the counters do not add up");
	return balanced;
}

static int open_engine(struct settings *s, struct engine **engine)
{
	char why[256] = "";
	int ret;

	ret = engine_new(engine, s->engine, why, sizeof(why));
	if (ret)
		say("cannot open ONNX Runtime: %s; install libonnxruntime or give --engine FILE",
		    *why ? why : strerror(-ret));
	return ret;
}

/* IN=OUT: write a model so that it can be used where it lies. */
static int convert(struct settings *s)
{
	char *to = strchr(s->convert, '=');
	struct engine *engine = NULL;
	char why[256] = "";
	int ret;

	if (!to || to == s->convert || !to[1]) {
		say("\"%s\" does not say IN=OUT", s->convert);
		return -EINVAL;
	}
	*to++ = '\0';
	ret = open_engine(s, &engine);
	if (ret)
		return ret;
	ret = engine_convert(engine, s->convert, to, why, sizeof(why));
	if (ret)
		say("cannot write %s: %s", to, *why ? why : strerror(-ret));
	engine_put(engine);
	return ret;
}

static int setup(struct batchd *b, struct settings *s, struct engine **engine)
{
	int ret;

	ret = confine_user(s->common.user, &s->common.publish.dir, 1);
	if (!ret)
		ret = confine_privileges();
	if (ret)
		return ret;
	ret = daemon_open(&b->daemon, "; is phi.ko loaded?");
	if (ret)
		return ret;
	ret = open_engine(s, engine);
	if (ret)
		return ret;
	say("ONNX Runtime %s", engine_version(*engine));
	ret = setup_models(b, s, *engine);
	if (ret)
		return ret;
	ret = setup_phi(b);
	if (ret)
		say("cannot set up: %s", strerror(-ret));
	return ret;
}

static int serve(struct batchd *b, const struct settings *s)
{
	char what[64];
	int ret = 0;
	uint32_t i;

	for (i = 0; !ret && b->publish->dir && i < b->nmodels; i++)
		ret = model_publish(b, b->models[i]);
	if (ret)
		return ret;
	snprintf(what, sizeof(what), "%u models, %u units", b->nmodels,
		 b->nrunners);
	return daemon_run(&b->daemon, &s->common, what);
}

int main(int argc, char **argv)
{
	struct batchd *b = &batchd;
	struct engine *engine = NULL;
	struct settings settings;
	int ret;

	ret = batchd_options_read(argc, argv, &settings);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (settings.convert)
		return convert(&settings) ? 1 : 0;
	b->options = settings.options;
	b->publish = &settings.common.publish;
	daemon_init(&b->daemon, &batchd_kind);
	b->daemon.verbose = settings.common.verbose;
	/* No filter sees what io_uring does, see common/confine.c. */
	ret = phi_service_new(PHI_SERVICE_EPOLL, &b->daemon.service);
	if (!ret)
		ret = setup(b, &settings, &engine);
	if (!ret)
		ret = serve(b, &settings);

	shut_down(b);
	if (!ret && !sum_up(b))
		ret = -EIO;
	while (b->nrunners) {
		struct runner *r = b->runners[--b->nrunners];

		load_fini(&r->load);
		runner_put(r);
	}
	while (b->nmodels)
		model_put(b, b->models[--b->nmodels]);
	engine_put(engine);
	phi_vdfs_close(b->vdfs);
	daemon_close(&b->daemon);
	return ret ? 1 : 0;
}
