// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathisd: serves the calls of programs that can do nothing else. See DESIGN.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "serve_impl.h"

static struct server server;

/* Each session has two files, and those that its calls open. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int setup_phi(struct server *s)
{
	const struct publish *publish = &s->options.common.publish;
	struct daemon *d = &s->daemon;
	int ret;

	ret = phi_endpoint_create(d->phi, &d->endpoint);
	if (!ret)
		ret = phi_cap_derive(d->phi, d->endpoint,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
				     BADGE_OPEN, &s->published);
	if (!ret)
		ret = daemon_listen(d);
	if (!ret && publish->dir)
		ret = publish_token(publish, d->phi, s->published, TOKEN_NAME);
	if (ret)
		say("cannot set up: %s", strerror(-ret));
	return ret;
}

static int setup(struct server *s)
{
	const char *const dirs[] = { s->options.common.publish.dir };
	int ret;

	ret = confine_user(s->options.common.user, dirs, 1);
	if (!ret)
		ret = confine_privileges();
	/* A folder is given only where this user can go. */
	if (!ret)
		ret = mathisd_manifests_load(&s->manifests,
					     s->options.manifests);
	if (ret)
		return ret;
	umask(077);
	if (chdir("/"))
		return -errno;
	s->daemon.uid = geteuid();
	ret = daemon_open(&s->daemon, "; is phi.ko loaded?");
	if (!ret)
		ret = daemon_signals(&s->daemon);
	if (!ret && s->options.metrics)
		ret = phi_service_timer(s->daemon.service, mathisd_metrics, s,
					&s->metrics);
	if (!ret && s->metrics)
		mathisd_metrics(s);
	return ret ?: setup_phi(s);
}

static int serve(struct server *s)
{
	const struct publish *publish = &s->options.common.publish;
	char what[64];
	int ret;

	snprintf(what, sizeof(what), "%zu calls", s->core->n_rows);
	ret = daemon_run(&s->daemon, &s->options.common, what);
	if (publish->dir)
		publish_remove(publish, TOKEN_NAME);
	return ret;
}

int main(int argc, char **argv)
{
	struct server *s = &server;
	int ret;

	ret = mathisd_options_read(argc, argv, &s->options);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	ret = mathisd_init(s);
	s->daemon.verbose = s->options.common.verbose;
	if (!ret)
		ret = setup(s);
	if (!ret)
		ret = serve(s);
	mathisd_fini(s);
	return ret ? 1 : 0;
}
