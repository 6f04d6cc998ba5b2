// SPDX-License-Identifier: GPL-2.0-only
/* Having the blobs behind s3://. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "offline_impl.h"
#include "serve_impl.h"
#include "remote_impl.h"

static void say_line(void *arg, const char *line)
{
	(void)arg;
	say("%s", line);
}

/* Threads that wait for the bucket ask whether to go on. */
static bool gives_up(void *arg)
{
	struct vdfsd *s = arg;

	return atomic_load(&s->stopping) ||
	       (vdfsd_offline_wanted(s) && vdfsd_offline_signalled());
}

static const char *advice(int ret)
{
	switch (ret) {
	case -ESHUTDOWN:
		return "; a signal ended it";
	case -EACCES:
		return "; are the credentials right, and for us alone to read?";
	case -ENOENT:
		return "; is the bucket there, and the file of credentials?";
	case -EHOSTUNREACH:
	case -ETIMEDOUT:
		return "; is the server up?";
	case -EPROTO:
		return "; certificates of your own take --remote-ca, no TLS --remote-http";
	default:
		return "";
	}
}

/**
 * vdfsd_remote_attach() - make the store a cache of a bucket, if one was given
 * @s: Daemon with its store just opened.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno, which was said.
 */
int vdfsd_remote_attach(struct vdfsd *s)
{
	struct vdfsd_options *o = &s->options;
	int ret;

	if (!o->remote)
		return 0;
	/* The keys of the bucket are to be in no core. */
	if (prctl(PR_SET_DUMPABLE, 0))
		return -errno;
	o->remote_options.s3.say = say_line;
	o->remote_options.s3.stop = gives_up;
	o->remote_options.s3.stop_arg = s;
	ret = vdfs_remote_attach(s->store, o->remote, &o->remote_options);
	if (ret)
		say("cannot attach %s: %s%s", o->remote, strerror(-ret),
		    advice(ret));
	return ret;
}

/**
 * vdfsd_remote_collect() - do what --remote-gc asks for
 * @s: Daemon with a bucket, that serves nobody.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno, which was said.
 */
int vdfsd_remote_collect(struct vdfsd *s)
{
	struct vdfs_remote_gc_result r = {};
	int ret = vdfs_remote_gc(s->store, &r);

	if (ret) {
		say("cannot collect garbage in %s: %s%s", s->options.remote,
		    strerror(-ret), advice(ret));
		return ret;
	}
	printf("%" PRIu64 " names, %" PRIu64 " blobs, %" PRIu64
	       " young ones without a name kept, %" PRIu64 " deleted, %" PRIu64
	       " bytes\n",
	       r.names, r.blobs, r.young, r.deleted, r.bytes);
	return 0;
}
