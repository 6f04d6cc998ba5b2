// SPDX-License-Identifier: GPL-2.0-only
/* The daemon before its first client, and after its last. */
#include "job.h"
#include "serve_impl.h"
#include "worker.h"

/**
 * vdfsd_init() - set up a daemon without clients
 * @s: Zeroed but for its options.
 *
 * Context: Main thread, before there are others.
 */
void vdfsd_init(struct vdfsd *s)
{
	daemon_init(&s->daemon, &vdfsd_kind);
	s->daemon.verbose = s->options.common.verbose;
	LIST_INIT(&s->maps);
	TAILQ_INIT(&s->lru);
}

/**
 * vdfsd_stop() - answer the calls that wait, end jobs, workers and sessions
 * @s: Daemon; no message arrives any more.
 *
 * Context: Main thread.
 */
void vdfsd_stop(struct vdfsd *s)
{
	struct daemon *d = &s->daemon;

	atomic_store(&s->stopping, true);
	daemon_refuse_new(d);
	if (d->workers) {
		jobs_wait(d);
		workers_stop(d);
	}
	daemon_end_sessions(d);
	vdfsd_map_free_all(s);
}
