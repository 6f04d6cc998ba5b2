// SPDX-License-Identifier: GPL-2.0-only
/*
 * vdfsd: blobs by their content, names, and vector search, for clients that
 * do not trust each other. See DESIGN.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "offline_impl.h"
#include "open.h"
#include "remote_impl.h"
#include "serve.h"
#include "serve_impl.h"
#include "view_impl.h"

/* The tokens, by what they give. */
static const char *const token_names[] = { "vdfs", "vdfs-read" };

static struct server server;

static int take_message(void *arg, struct phi_msg_in *in)
{
	if (!in) {
		say("cannot receive: the endpoint is gone");
		return -EPIPE;
	}
	dispatch(arg, in);
	return 0;
}

static void stop(void *arg)
{
	struct server *s = arg;

	/* Who waits is answered by shut_down(). */
	say("stopping on a signal");
	phi_service_exit(s->service, 0);
}

static int setup_store(struct server *s)
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
	ret = remote_attach(s);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/graph", dir);
	ret = vdfs_db_open(vdfs_store_meta(s->store), path,
			   s->options.build_threads, &s->db);
	if (ret)
		say("cannot open the collections of %s: %s", dir,
		    strerror(-ret));
	else
		vdfs_db_set_budget(s->db, s->options.index_budget);
	return ret;
}

static int setup_phi(struct server *s)
{
	uint32_t i;
	int ret;

	ret = phi_endpoint_create(s->phi, &s->endpoint);
	for (i = 0; !ret && i < 2; i++)
		ret = phi_cap_derive(s->phi, s->endpoint,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
				     BADGE_FULL + i, &s->published[i]);
	if (!ret)
		ret = phi_service_endpoint(s->service, s->phi, s->endpoint,
					   take_message, s, NULL);
	if (!ret)
		ret = workers_start(s);
	for (i = 0; !ret && s->options.publish.dir && i < 2; i++) {
		ret = publish_token(&s->options.publish, s->phi,
				    s->published[i], token_names[i]);
		if (ret)
			say("cannot publish a token in %s: %s",
			    s->options.publish.dir, strerror(-ret));
	}
	return ret;
}

static int setup(struct server *s)
{
	const char *const dirs[] = { s->options.store, s->options.publish.dir };
	bool offline = offline_wanted(s);
	int ret;

	if (s->options.mount && !offline) {
		ret = view_mount(s);
		if (ret)
			return ret;
	}
	ret = confine_user(s->options.user, dirs, 2);
	/* An ordinary user mounts by fusermount3, which has a privilege. */
	if (!ret && !view_needs_privilege())
		ret = confine_privileges();
	if (ret)
		return ret;
	s->uid = geteuid();
	/* What is stored is for us alone, tokens are for others. */
	umask(077);
	if (chmod(s->options.store, 0700)) {
		ret = -errno;
		say("cannot make %s private: %s", s->options.store,
		    strerror(-ret));
		return ret;
	}
	if (!s->options.no_phi && !offline) {
		s->phi = phi_open(0);
		if (s->phi < 0) {
			say("cannot open /dev/phi: %s%s", strerror(-s->phi),
			    s->phi == -ENOENT ?
				    "; is phi.ko loaded? --no-phi serves without" :
				    "");
			return s->phi;
		}
	}
	ret = phi_service_signals(s->service, NULL, NULL);
	if (!ret)
		ret = setup_store(s);
	if (ret || offline)
		return ret;
	phi_service_on_stop(s->service, stop, s, 0);
	ret = s->options.mount ? view_start(s) : 0;
	if (!ret && s->phi >= 0) {
		ret = setup_phi(s);
		if (ret)
			say("cannot set up: %s", strerror(-ret));
	}
	return ret;
}

static int serve(struct server *s)
{
	int ret, told;

	/* systemd's socket can be reached only before. */
	told = phi_service_tell("READY=1");
	if (told < 0)
		say("cannot tell systemd: %s", strerror(-told));
	unsetenv("NOTIFY_SOCKET");
	ret = server_confine(s->options.remote);
	if (ret) {
		say("cannot give up system calls: %s", strerror(-ret));
		return ret;
	}
	say("ready: %s%s%s", s->options.store,
	    s->options.mount ? ", mounted at " : "",
	    s->options.mount ? s->options.mount : "");
	told = phi_service_ready(s->options.ready_fd);
	if (told < 0)
		say("nobody hears that it is ready: %s", strerror(-told));
	ret = phi_service_run(s->service);
	if (ret)
		say("cannot go on: %s", strerror(-ret));
	return ret;
}

static void shut_down(struct server *s)
{
	uint32_t i;

	for (i = 0; s->endpoint && s->options.publish.dir && i < 2; i++)
		publish_remove(&s->options.publish, token_names[i]);
	server_stop(s);
	view_stop(s);
	vdfs_db_close(s->db);
	vdfs_store_close(s->store);
	if (s->phi >= 0)
		phi_close(s->phi);
	phi_service_free(s->service);
}

int main(int argc, char **argv)
{
	struct server *s = &server;
	int ret;

	ret = options_parse(argc, argv, &s->options);
	if (ret)
		return ret < 0 ? 2 : 0;
	setvbuf(stderr, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	server_init(s);
	/* What io_uring does passes by seccomp, see common/confine.c. */
	ret = phi_service_new(PHI_SERVICE_EPOLL, &s->service);
	if (!ret)
		ret = setup(s);
	if (!ret && offline_wanted(s))
		ret = offline_run(s);
	else if (!ret)
		ret = serve(s);
	shut_down(s);
	return ret ? 1 : 0;
}
