// SPDX-License-Identifier: GPL-2.0-only
/* A check or a collection of garbage while nobody is served. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "serve_impl.h"
#include "offline_impl.h"
#include "remote_impl.h"

/**
 * struct teller - who is told how far it is
 * @terminal: Somebody is there.
 * @next: When to say it next, seconds.
 * @shown: There is a line to be cleared.
 */
struct teller {
	bool terminal;
	time_t next;
	bool shown;
};

/**
 * vdfsd_offline_signalled() - did a signal come that ends the daemon?
 *
 * Signals are blocked, and no loop runs that would take them.
 *
 * Context: Main thread, while nobody is served.
 * Return: Whether one waits.
 */
bool vdfsd_offline_signalled(void)
{
	sigset_t set;

	return !sigpending(&set) &&
	       (sigismember(&set, SIGTERM) || sigismember(&set, SIGINT));
}

static const char *reason(int ret)
{
	return ret == -ECANCELED ? "a signal ended it" : strerror(-ret);
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void clear(struct teller *t)
{
	if (t->shown)
		fputs("\r\033[K", stderr);
	t->shown = false;
}

static bool progress(void *arg, uint64_t done, uint64_t total)
{
	struct teller *t = arg;

	if (t->terminal && seconds() >= t->next) {
		t->next = seconds() + 1;
		t->shown = true;
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " ", done, total);
	}
	return !vdfsd_offline_signalled();
}

static void report(void *arg, const char *line)
{
	clear(arg);
	puts(line);
}

static int run_check(struct vdfsd *s, struct teller *t)
{
	uint32_t flags = s->options.repair ? VDFS_FSCK_REPAIR : 0;
	struct vdfs_fsck_result r = {};
	int ret;

	ret = vdfs_fsck(s->store, flags, report, progress, t, &r);
	clear(t);
	if (ret) {
		say("cannot check: %s", reason(ret));
		return ret;
	}
	printf("%" PRIu64 " blobs, %" PRIu64 " bytes, %" PRIu64
	       " damaged; %" PRIu64 " faults, %" PRIu64 " repaired; %" PRIu64
	       " bytes of garbage\n",
	       r.blobs, r.bytes, r.damaged, r.faults, r.repaired, r.garbage);
	return r.faults > r.repaired ? -EBADMSG : 0;
}

static int run_gc(struct vdfsd *s, struct teller *t)
{
	struct vdfs_gc_result r = {};
	int ret;

	ret = vdfs_gc(s->store, progress, t, &r);
	clear(t);
	if (ret) {
		say("cannot collect garbage: %s", reason(ret));
		return ret;
	}
	printf("%" PRIu64 " blobs, %" PRIu64 " objects, %" PRIu64
	       " bytes given back\n",
	       r.blobs, r.objects, r.bytes);
	return 0;
}

static int run_rebuild(struct vdfsd *s, struct teller *t)
{
	struct vdfs_rebuild_result r = {};
	int ret;

	ret = vdfs_rebuild(s->store, s->daemon.uid, progress, t, &r);
	clear(t);
	if (ret) {
		say("cannot rebuild: %s", strerror(-ret));
		return ret;
	}
	printf("%" PRIu64 " records and %" PRIu64
	       " files found, kept by this user; %" PRIu64
	       " found elsewhere, %" PRIu64 " damaged; %" PRIu64
	       " bytes read\n",
	       r.records, r.files, r.moved, r.damaged, r.bytes);
	return 0;
}

/**
 * vdfsd_offline_wanted() - is the daemon to do something and end?
 * @s: Daemon.
 *
 * Context: Any thread.
 * Return: Whether there is work for vdfsd_offline_run().
 */
bool vdfsd_offline_wanted(const struct vdfsd *s)
{
	return s->options.check || s->options.gc || s->options.remote_gc ||
	       s->options.store_options.rebuild;
}

/**
 * vdfsd_offline_run() - do what --check, --rebuild, --gc, --remote-gc ask for
 * @s: Daemon with an open store that serves nobody.
 *
 * Context: Main thread.
 * Return: 0; -EBADMSG when faults are left; or another negative errno. The
 * reason was reported.
 */
int vdfsd_offline_run(struct vdfsd *s)
{
	struct teller t = { .terminal = isatty(STDERR_FILENO) };
	int ret = 0;

	t.next = seconds() + 1;
	if (s->options.store_options.rebuild)
		ret = run_rebuild(s, &t);
	if (!ret && s->options.check)
		ret = run_check(s, &t);
	if (!ret && s->options.gc)
		ret = run_gc(s, &t);
	if (!ret && s->options.remote_gc)
		ret = vdfsd_remote_collect(s);
	if (fflush(stdout) && !ret)
		ret = -EIO;
	return ret;
}
