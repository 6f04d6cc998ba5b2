// SPDX-License-Identifier: GPL-2.0-only
/* initd: starts services as agents, and keeps them running. See DESIGN. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "confine.h"
#include "initd.h"
#include "log.h"

static struct initd initd;

static int on_turn(void *arg)
{
	struct initd *d = arg;
	uint64_t due = init_engine_step(&d->engine, clock_ns());

	phi_source_set(d->timer, due);
	init_control_settle(d);
	if (d->stopping && init_engine_idle(&d->engine))
		phi_service_exit(d->loop, 0);
	return 0;
}

static int on_child(void *arg, uint32_t events)
{
	struct initd *d = arg;
	struct signalfd_siginfo info;

	(void)events;
	/* Signals of several children may have become one. */
	while (read(d->sigchld, &info, sizeof(info)) > 0)
		;
	return init_run_reap(d);
}

static void on_stop(void *arg)
{
	struct initd *d = arg;
	uint32_t i;

	say("stopping on a signal");
	d->stopping = true;
	for (i = 0; i < d->engine.n; i++)
		init_engine_unwant(&d->engine, i);
	phi_source_kick(d->turn);
}

static int watch_children(struct initd *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	d->sigchld = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->sigchld < 0)
		return -errno;
	/* Orphans of services come to us, as they do to process 1. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		return -errno;
	return phi_service_fd(d->loop, d->sigchld, POLLIN, on_child, d, NULL);
}

static int setup_loop(struct initd *d)
{
	int ret = phi_service_new(PHI_SERVICE_EPOLL, &d->loop);

	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	ret = phi_service_signals(d->loop, NULL, NULL);
	if (!ret)
		ret = watch_children(d);
	if (!ret)
		ret = phi_service_timer(d->loop, on_turn, d, &d->timer);
	if (!ret)
		ret = phi_service_job(d->loop, on_turn, d, &d->turn);
	if (!ret)
		ret = init_control_open(d);
	if (!ret)
		phi_service_on_stop(d->loop, on_stop, d, INIT_STOP_NS);
	return ret;
}

/* As the user that it stays; the cgroup is that user's. */
static int setup(struct initd *d, const struct init_options *o)
{
	int ret;

	if (!geteuid() && o->common.user) {
		if (!o->cgroup) {
			say("root gives a cgroup with --cgroup, for %s",
			    o->common.user);
			return -EINVAL;
		}
		ret = init_cgroup_delegate(o->cgroup, o->common.user);
		if (ret)
			return ret;
	}
	ret = confine_user(o->common.user, &o->run, 1);
	if (!ret)
		ret = confine_privileges();
	if (ret)
		return ret;
	d->services = init_cgroup_open(o->cgroup);
	if (d->services < 0)
		return d->services;
	ret = init_cgroup_clear(d->services);
	if (ret)
		return ret;
	d->phi = phi_open(0);
	if (d->phi < 0) {
		say("cannot open /dev/phi: %s%s", strerror(-d->phi),
		    d->phi == -ENOENT ? "; is phi.ko loaded?" : "");
		return d->phi;
	}
	ret = setup_loop(d);
	if (ret)
		say("cannot set up: %s", strerror(-ret));
	return ret;
}

static int serve(struct initd *d, const struct init_options *o)
{
	uint32_t i;
	int ret;

	for (i = 0; i < d->engine.n; i++) {
		if (!d->engine.services[i].config->manual)
			init_engine_want(&d->engine, i, clock_ns());
	}
	phi_source_kick(d->turn);
	say("ready: %u services", d->engine.n);
	ret = phi_service_ready(o->common.ready_fd);
	unsetenv("NOTIFY_SOCKET");
	if (ret < 0)
		say("cannot tell that it is ready: %s", strerror(-ret));
	ret = phi_service_run(d->loop);
	if (!ret && !init_engine_idle(&d->engine)) {
		say("services have not ended in time");
		ret = -ETIMEDOUT;
	}
	return ret;
}

static void tear_down(struct initd *d)
{
	uint32_t i;

	if (d->loop)
		init_control_close(d);
	/* Those that did not end in time do not stay without initd. */
	if (d->services >= 0)
		init_cgroup_kill_all(d->services);
	for (i = 0; i < d->engine.n; i++)
		free(d->runs[i].kept);
	phi_service_free(d->loop);
	if (d->phi >= 0)
		phi_close(d->phi);
	free(d->objects);
	init_unload(&d->engine);
}

int main(int argc, char **argv)
{
	struct initd *d = &initd;
	struct init_options o;
	uint32_t i;
	int ret;

	ret = init_options_read(argc, argv, &o);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	*d = (struct initd){ .phi = -1,
			     .services = -1,
			     .listen = -1,
			     .dir = o.run,
			     .verbose = o.common.verbose };
	d->engine.ops = &init_run_ops;
	d->engine.arg = d;
	for (i = 0; i < INIT_SERVICES_MAX; i++)
		d->runs[i] =
			(struct init_run){ .note = -1, .out = -1, .in = -1 };
	for (i = 0; i < INIT_CLIENTS_MAX; i++)
		d->clients[i].fd = -1;
	if (init_load(&d->engine, o.config))
		return 2;
	if (o.check) {
		printf("%u services\n", d->engine.n);
		init_unload(&d->engine);
		return 0;
	}
	ret = setup(d, &o);
	if (!ret)
		ret = serve(d, &o);
	tear_down(d);
	return ret ? 1 : 0;
}
