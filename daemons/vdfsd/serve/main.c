// SPDX-License-Identifier: GPL-2.0-only
/*
 * vdfsd: blobs by their content, names, and vector search, for clients that
 * do not trust each other. See DESIGN.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "offline_impl.h"
#include "open.h"
#include "remote_impl.h"
#include "serve.h"
#include "serve_impl.h"
#include "view_impl.h"
#include "worker.h"

/* The tokens, by what they give. */
static const char *const token_names[] = { "vdfs", "vdfs-read" };

static struct vdfsd server;

#define FILES 65536

static int setup_store(struct vdfsd *s)
{
	const char *dir = s->options.store;
	char path[4096];
	int ret;

	ret = vdfs_store_open(dir, &s->options.store_options, &s->store);
	if (ret) {
		say("cannot open the store %s: %s%s", dir, strerror(-ret),
		    ret == -EBUSY ? "; another vdfsd has it" : "");
		return ret;
	}
	ret = s->options.store_options.read_only ? 0 : vdfsd_remote_attach(s);
	if (ret || vdfsd_offline_wanted(s))
		return ret;
	ret = vdfs_store_sweep(s->store);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/graph", dir);
	ret = vdfs_db_open(vdfs_store_meta(s->store), path,
			   s->options.build_threads, &s->db);
	if (ret)
		say("cannot open the collections of %s: %s", dir,
		    strerror(-ret));
	if (ret)
		return ret;
	vdfs_db_set_store(s->db, s->store);
	vdfs_db_set_budget(s->db, s->options.index_budget);
	return 0;
}

/* Everything that clients can see, tokens last. */
static int setup_phi(struct vdfsd *s)
{
	const struct publish *publish = &s->options.common.publish;
	struct daemon *d = &s->daemon;
	uint32_t i;
	int ret;

	ret = phi_endpoint_create(d->phi, &d->endpoint);
	for (i = 0; !ret && i < 2; i++)
		ret = phi_cap_derive(d->phi, d->endpoint,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
				     BADGE_FULL + i, &s->published[i]);
	if (!ret)
		ret = daemon_listen(d);
	if (!ret)
		ret = workers_start(d, s->options.threads);
	for (i = 0; !ret && publish->dir && i < 2; i++) {
		ret = publish_token(publish, d->phi, s->published[i],
				    token_names[i]);
		if (ret)
			say("cannot publish a token in %s: %s", publish->dir,
			    strerror(-ret));
	}
	return ret;
}

static int setup(struct vdfsd *s)
{
	const char *const dirs[] = { s->options.store,
				     s->options.common.publish.dir };
	bool offline = vdfsd_offline_wanted(s);
	int ret;

	if (s->options.mount && !offline) {
		ret = vdfsd_view_mount(s);
		if (ret)
			return ret;
	}
	/* A check makes no directory. */
	ret = confine_user(s->options.common.user, dirs,
			   s->options.store_options.read_only ? 0 : 2);
	/* An ordinary user mounts by fusermount3, which has a privilege. */
	if (!ret && !vdfsd_view_needs_privilege())
		ret = confine_privileges();
	if (ret)
		return ret;
	s->daemon.uid = geteuid();
	/* The store is private; tokens are for others. */
	umask(077);
	if (!s->options.store_options.read_only &&
	    chmod(s->options.store, 0700)) {
		ret = -errno;
		say("cannot make %s private: %s", s->options.store,
		    strerror(-ret));
		return ret;
	}
	if (!s->options.no_phi && !offline) {
		ret = daemon_open(
			&s->daemon,
			"; is phi.ko loaded? --no-phi serves without");
		if (ret)
			return ret;
	}
	ret = daemon_signals(&s->daemon);
	if (!ret)
		ret = setup_store(s);
	if (ret || offline)
		return ret;
	ret = s->options.mount ? vdfsd_view_start(s) : 0;
	if (!ret && s->daemon.phi >= 0) {
		ret = setup_phi(s);
		if (ret)
			say("cannot set up: %s", strerror(-ret));
	}
	return ret;
}

/* Open files are limited by user, and all users together by this. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES)
		return;
	limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max : FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(struct vdfsd *s)
{
	const char *mount = s->options.mount;
	char what[PATH_MAX];

	snprintf(what, sizeof(what), "%s%s%s", s->options.store,
		 mount ? ", mounted at " : "", mount ? mount : "");
	return daemon_run(&s->daemon, &s->options.common, what);
}

static void shut_down(struct vdfsd *s)
{
	const struct publish *publish = &s->options.common.publish;
	uint32_t i;

	for (i = 0; s->daemon.endpoint && publish->dir && i < 2; i++)
		publish_remove(publish, token_names[i]);
	vdfsd_stop(s);
	vdfsd_view_stop(s);
	vdfs_db_close(s->db);
	vdfs_store_close(s->store);
	daemon_close(&s->daemon);
}

int main(int argc, char **argv)
{
	struct vdfsd *s = &server;
	int ret;

	ret = vdfsd_options_read(argc, argv, &s->options);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	vdfsd_init(s);
	/* No filter sees what io_uring does, see common/confine.c. */
	ret = phi_service_new(PHI_SERVICE_EPOLL, &s->daemon.service);
	if (!ret)
		ret = setup(s);
	if (!ret && vdfsd_offline_wanted(s))
		ret = vdfsd_offline_run(s);
	else if (!ret)
		ret = serve(s);
	shut_down(s);
	return ret ? 1 : 0;
}
