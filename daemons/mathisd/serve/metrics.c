// SPDX-License-Identifier: GPL-2.0-only
/* Figures as Prometheus reads them, in a file that is always whole. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve_impl.h"

/**
 * mathisd_count() - count a call that has ended
 * @s: Server.
 * @c: The call.
 *
 * Context: Main thread.
 */
void mathisd_count(struct server *s, const struct md_call *c)
{
	int code = c->by_core ? atomic_load(&c->stop) : c->code;
	struct stats *stats = &s->stats;

	stats->calls++;
	if (c->status == MD_DONE)
		return;
	if (code == MATHIS_DENIED)
		stats->denied++;
	else if (code == MATHIS_CANCELLED || code == MATHIS_TIMEOUT)
		stats->stopped++;
	else if (code == MATHIS_LIMIT)
		stats->limited++;
	else
		stats->failed++;
}

static void put(FILE *f, const char *name, const char *type, const char *help,
		uint64_t value)
{
	fprintf(f,
		"# HELP mathisd_%s %s\n# TYPE mathisd_%s %s\nmathisd_%s %" PRIu64
		"\n",
		name, help, name, type, name, value);
}

static void put_all(FILE *f, const struct server *s)
{
	const struct stats *stats = &s->stats;

	put(f, "sessions", "gauge", "Sessions that are open.",
	    s->daemon.nsessions);
	put(f, "sessions_total", "counter", "Sessions that began.",
	    stats->sessions);
	put(f, "calls_total", "counter", "Calls that ended.", stats->calls);
	put(f, "calls_denied_total", "counter",
	    "Calls that a right or a policy of the host was missing for.",
	    stats->denied);
	put(f, "calls_limited_total", "counter",
	    "Calls that were refused because of a limit.", stats->limited);
	put(f, "calls_stopped_total", "counter",
	    "Calls that were cancelled or took too long.", stats->stopped);
	put(f, "calls_failed_total", "counter",
	    "Calls that failed for another reason.", stats->failed);
	put(f, "upcalls_total", "counter",
	    "Functions that clients were told to run.", stats->upcalls);
	put(f, "checks_total", "counter",
	    "Times that the kernel was asked about a batch of calls.",
	    stats->checks);
}

/**
 * mathisd_metrics_write() - write the figures
 * @s: Server.
 * @path: The file, which is replaced.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int mathisd_metrics_write(const struct server *s, const char *path)
{
	char temp[PATH_MAX];
	int len = snprintf(temp, sizeof(temp), "%s.new", path);
	int ret = 0;
	FILE *f;

	if (len < 0 || (size_t)len >= sizeof(temp))
		return -ENAMETOOLONG;
	f = fopen(temp, "we");
	if (!f)
		return -errno;
	put_all(f, s);
	/* The files of calls are private; this one is for others. */
	if (fchmod(fileno(f), 0644))
		ret = -errno;
	if (fclose(f) && !ret)
		ret = -errno;
	if (!ret && rename(temp, path))
		ret = -errno;
	if (ret)
		unlink(temp);
	return ret;
}

/**
 * mathisd_metrics() - write the figures, and again after a while
 * @arg: Server.
 *
 * Handler of server.metrics.
 *
 * Context: Main thread.
 * Return: 0.
 */
int mathisd_metrics(void *arg)
{
	struct server *s = arg;
	int ret = mathisd_metrics_write(s, s->options.metrics);

	if (ret && ret != s->metrics_error)
		say("cannot write %s: %s", s->options.metrics, strerror(-ret));
	s->metrics_error = ret;
	phi_source_set(s->metrics, clock_ns() + METRICS_NS);
	return 0;
}
