// SPDX-License-Identifier: GPL-2.0-only
/* A daemon and the host: its cspace, signals, readiness, and the loop. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "daemon.h"
#include "log.h"

/**
 * daemon_open() - open the daemon's cspace
 * @d: Daemon.
 * @hint: Text for the log when there is no /dev/phi.
 *
 * Context: Main thread, as the user that the daemon serves as.
 * Return: 0 or a negative errno, which was logged.
 */
int daemon_open(struct daemon *d, const char *hint)
{
	d->phi = phi_open(0);
	if (d->phi >= 0)
		return 0;
	say("cannot open /dev/phi: %s%s", strerror(-d->phi),
	    d->phi == -ENOENT ? hint : "");
	return d->phi;
}

static void on_stop(void *arg)
{
	struct daemon *d = arg;

	/* Calls that wait are answered when the loop has ended. */
	say("stopping on a signal");
	phi_service_exit(d->service, 0);
}

/**
 * daemon_signals() - end the loop on SIGTERM and SIGINT
 * @d: Daemon; its service is made.
 *
 * Context: Main thread, before there are others, which inherit its mask.
 * Return: 0 or a negative errno.
 */
int daemon_signals(struct daemon *d)
{
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = phi_service_signals(d->service, NULL, NULL);
	if (!ret)
		phi_service_on_stop(d->service, on_stop, d, 0);
	return ret;
}

static int take_message(void *arg, struct phi_msg_in *in)
{
	if (!in) {
		say("cannot receive: the endpoint is gone");
		return -EPIPE;
	}
	dispatch(arg, in);
	return 0;
}

/**
 * daemon_listen() - take the messages that arrive at the endpoint
 * @d: Daemon; its endpoint is made.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int daemon_listen(struct daemon *d)
{
	return phi_service_endpoint(d->service, d->phi, d->endpoint,
				    take_message, d, NULL);
}

/**
 * daemon_run() - report that the daemon is ready, and serve until it ends
 * @d: Daemon, set up.
 * @o: The options that all daemons have.
 * @what: Its service in a few words, for the log.
 *
 * Context: Main thread.
 * Return: 0 after a signal, or a negative errno, which was logged.
 */
int daemon_run(struct daemon *d, const struct daemon_options *o,
	       const char *what)
{
	int ret;

	/* systemd's socket is out of reach once system calls are given up. */
	ret = phi_service_tell("READY=1");
	if (ret < 0)
		say("cannot notify systemd: %s", strerror(-ret));
	unsetenv("NOTIFY_SOCKET");
	ret = d->kind->confine(d);
	if (ret) {
		say("cannot give up system calls: %s", strerror(-ret));
		return ret;
	}
	say("ready: %s", what);
	ret = phi_service_ready(o->ready_fd);
	if (ret < 0)
		say("cannot write readiness to --ready-fd: %s", strerror(-ret));
	ret = phi_service_run(d->service);
	if (ret)
		say("cannot go on: %s", strerror(-ret));
	return ret;
}

/**
 * daemon_close() - undo daemon_open(), and free the loop
 * @d: Daemon without sessions.
 *
 * Context: Main thread, last.
 */
void daemon_close(struct daemon *d)
{
	if (d->phi >= 0)
		phi_close(d->phi);
	phi_service_free(d->service);
}
