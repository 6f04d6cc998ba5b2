// SPDX-License-Identifier: GPL-2.0-only
/*
 * batchd: runs models for clients that do not trust each other, in batches.
 * See DESIGN.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "batchd.h"
#include "confine.h"
#include "options.h"

/* Messages taken in one turn. */
#define TURN 32

/* How often units report their figures. */
#define LOAD_MS 250

static struct batchd batchd;
static bool running = true;

/**
 * now_ns() - the time that deadlines are in
 *
 * Context: Any thread.
 * Return: CLOCK_MONOTONIC in nanoseconds.
 */
uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/**
 * say() - write one line to the log, standard error
 * @format: As for printf(), without a newline.
 *
 * Context: Any thread.
 */
void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	/* In one piece, whoever else writes. */
	fprintf(stderr, "batchd: %.*s\n", len, line);
}

static void take_messages(void *arg, uint32_t events)
{
	struct batchd *b = arg;
	struct phi_msg_in in;
	int i, ret;

	(void)events;
	for (i = 0; i < TURN; i++) {
		ret = phi_recv(b->phi, b->endpoint, &in, PHI_NONBLOCK, 0);
		if (ret == -EAGAIN || ret == -EINTR)
			return;
		if (ret) {
			say("cannot receive: %s", strerror(-ret));
			running = false;
			return;
		}
		dispatch(b, &in);
	}
}

static void take_signal(void *arg, uint32_t events)
{
	struct loop_source *source = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	say("stopping on signal %u", info.ssi_signo);
	running = false;
}

static void report_load(void *arg, uint32_t events)
{
	struct loop_source *source = arg;
	uint64_t ticks;
	uint32_t i;

	(void)events;
	if (read(source->fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	for (i = 0; i < batchd.nrunners; i++) {
		struct runner *r = batchd.runners[i];

		phi_unit_update(batchd.phi, r->cap,
				load_sample(&r->load, now_ns()),
				load_temperature(&r->load), PHI_UNIT_UNKNOWN,
				true);
	}
}

static struct loop_source endpoint_source = { .run = take_messages,
					      .arg = &batchd };
static struct loop_source signal_source = { .run = take_signal,
					    .arg = &signal_source };
static struct loop_source load_source = { .run = report_load,
					  .arg = &load_source };

static int setup_sources(struct batchd *b)
{
	struct itimerspec every = { .it_interval.tv_nsec = LOAD_MS * 1000000,
				    .it_value.tv_nsec = LOAD_MS * 1000000 };
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	signal_source.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	load_source.fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	endpoint_source.fd = phi_endpoint_fd(b->phi, b->endpoint);
	if (endpoint_source.fd < 0)
		return endpoint_source.fd;
	if (signal_source.fd < 0 || load_source.fd < 0 ||
	    timerfd_settime(load_source.fd, 0, &every, NULL))
		return -errno;
	ret = loop_add(&b->loop, &endpoint_source, EPOLLIN);
	if (!ret)
		ret = loop_add(&b->loop, &signal_source, EPOLLIN);
	if (!ret)
		ret = loop_add(&b->loop, &load_source, EPOLLIN);
	return ret;
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
		ret = phi_unit_register(b->phi, name, PHI_UNIT_CPU,
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

	ret = phi_endpoint_create(b->phi, &b->endpoint);
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
		say("model %u \"%s\": %u B -> %u B a row, batches of up to %u, alone %" PRIu64
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

/* A socket to systemd, as its sd_notify() would use; -1 without systemd. */
static int open_systemd(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;
	int fd;

	if (!path || (*path != '/' && *path != '@'))
		return -1;
	len = strlen(path);
	if (len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!connect(fd, (struct sockaddr *)&to,
		     offsetof(struct sockaddr_un, sun_path) + len))
		return fd;
	close(fd);
	return -1;
}

static void tell(int fd, const char *what)
{
	ssize_t len = strlen(what);

	if (fd < 0)
		return;
	if (write(fd, what, len) != len)
		say("nobody hears that it is ready: %s", strerror(errno));
	close(fd);
}

/* Answer whoever waits, end the runners, then the sessions. */
static void shut_down(struct batchd *b)
{
	uint32_t i;

	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_mutex_unlock(&b->lock);
	for (i = 0; b->options.publish && i < b->nmodels; i++)
		model_unpublish(b, b->models[i]);
	request_cancel_all(b, NULL);
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	for (i = 0; i < b->nrunners; i++) {
		if (b->runners[i]->thread)
			runner_join(b->runners[i]);
	}
	/* What a request spread over batches left behind. */
	request_cancel_all(b, NULL);
	for (i = 0; i < BATCHD_CLIENTS_MAX; i++) {
		if (b->clients[i])
			client_close(b, b->clients[i], NULL);
	}
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

static int setup(struct batchd *b, struct settings *s, struct engine **engine)
{
	char why[256] = "";
	int ret;

	ret = confine_user(s->user, s->options.publish);
	if (ret) {
		say("cannot run as %s: %s%s", s->user ? s->user : "this user",
		    strerror(-ret),
		    ret == -EPERM ? "; root must give --user NAME" : "");
		return ret;
	}
	b->phi = phi_open(0);
	if (b->phi < 0) {
		say("cannot open /dev/phi: %s%s", strerror(-b->phi),
		    b->phi == -ENOENT ? "; is phi.ko loaded?" : "");
		return b->phi;
	}
	ret = engine_new(engine, s->engine, why, sizeof(why));
	if (ret) {
		say("cannot open ONNX Runtime: %s; install libonnxruntime or give --engine FILE",
		    *why ? why : strerror(-ret));
		return ret;
	}
	say("ONNX Runtime %s", engine_version(*engine));
	ret = setup_models(b, s, *engine);
	if (ret)
		return ret;
	ret = setup_phi(b);
	if (ret)
		say("cannot set up: %s", strerror(-ret));
	return ret;
}

static int serve(struct batchd *b, struct settings *s)
{
	int systemd = open_systemd(), ret = 0;
	uint32_t i;

	for (i = 0; !ret && s->options.publish && i < b->nmodels; i++)
		ret = model_publish(b, b->models[i]);
	if (ret)
		return ret;
	ret = confine_calls();
	if (ret) {
		say("cannot give up system calls: %s", strerror(-ret));
		return ret;
	}
	say("ready: %u models, %u units", b->nmodels, b->nrunners);
	tell(s->ready_fd, "ready\n");
	tell(systemd, "READY=1");
	while (running && !ret)
		ret = loop_turn(&b->loop);
	return ret;
}

int main(int argc, char **argv)
{
	struct batchd *b = &batchd;
	struct engine *engine = NULL;
	pthread_condattr_t attr;
	struct settings settings;
	int ret;

	ret = options_parse(argc, argv, &settings);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	b->options = settings.options;
	b->phi = -1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->work, &attr);
	LIST_INIT(&b->users);
	ret = loop_init(&b->loop);
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
		model_put(b->models[--b->nmodels]);
	engine_put(engine);
	if (b->phi >= 0)
		phi_close(b->phi);
	loop_fini(&b->loop);
	return ret ? 1 : 0;
}
