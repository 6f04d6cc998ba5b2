// SPDX-License-Identifier: GPL-2.0-only
/* The server as a whole: what it is made of, and its end. */
#include <errno.h>
#include <string.h>

#include "serve_impl.h"

/**
 * mathisd_init() - make a server without clients
 * @s: Zeroed server.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno, which was logged.
 */
int mathisd_init(struct server *s)
{
	struct md_misfit error = {};
	int ret;

	daemon_init(&s->daemon, &mathisd_kind);
	TAILQ_INIT(&s->turns);
	TAILQ_INIT(&s->news);
	SLIST_INIT(&s->manifests);
	pthread_mutex_init(&s->news_lock, NULL);
	/* No filter sees what io_uring does, see common/confine.c. */
	ret = phi_service_new(PHI_SERVICE_EPOLL, &s->daemon.service);
	if (!ret)
		ret = phi_service_job(s->daemon.service, mathisd_turn, s,
				      &s->turn);
	if (!ret)
		ret = md_calls_core(&s->core, &error);
	/* The filter lets nothing be executed. */
	if (!ret)
		s->core->confined = true;
	if (ret)
		say("cannot begin: %s",
		    *error.text ? error.text : strerror(-ret));
	return ret;
}

/**
 * mathisd_fini() - end all sessions, and what serves them
 * @s: Server whose loop has ended.
 *
 * Context: Main thread.
 */
void mathisd_fini(struct server *s)
{
	daemon_refuse_new(&s->daemon);
	daemon_end_sessions(&s->daemon);
	md_core_free(s->core);
	mathisd_manifests_free(&s->manifests);
	daemon_close(&s->daemon);
	pthread_mutex_destroy(&s->news_lock);
}
