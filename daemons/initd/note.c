// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services report by datagrams that they are ready, as sd_notify(3) sends
 * them. Those of the service's first process count; the kernel says who sent
 * one.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "initd.h"
#include "log.h"

/* Datagrams of one service that are read in a turn. */
#define NOTES_MAX 16

static int note_path(const struct initd *d, uint32_t i, struct sockaddr_un *at)
{
	int n;

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(at->sun_path, sizeof(at->sun_path), "%s/%s.notify", d->dir,
		     d->engine.services[i].config->name);
	return n < (int)sizeof(at->sun_path) ? 0 : -ENAMETOOLONG;
}

static void take_line(struct initd *d, uint32_t i, const char *line)
{
	struct init_run *run = &d->runs[i];

	if (!strncmp(line, "STATUS=", 7)) {
		snprintf(run->text, sizeof(run->text), "%s", line + 7);
	} else if (!strcmp(line, "READY=1")) {
		if (d->engine.services[i].state == PHI_INIT_STARTING)
			say("%s: ready", d->engine.services[i].config->name);
		init_engine_ready(&d->engine, i, clock_ns());
		phi_source_kick(d->turn);
	}
}

/* Read the sender from SCM_CREDENTIALS. Return: its pid, 0 without any. */
static pid_t sender(struct msghdr *msg)
{
	struct cmsghdr *c;
	struct ucred cred;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		return cred.pid;
	}
	return 0;
}

/* Descriptors that are sent along do not fit the room, and are closed. */
static int take_note(struct initd *d, uint32_t i)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char text[1024];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };
	ssize_t n =
		recvmsg(d->runs[i].note, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	char *at, *line;

	if (n < 0)
		return -errno;
	if (!d->runs[i].pid || sender(&msg) != d->runs[i].pid)
		return 0;
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &at); line;
	     line = strtok_r(NULL, "\n", &at))
		take_line(d, i, line);
	return 0;
}

static int on_note(void *arg, uint32_t events)
{
	struct init_run *run = arg;
	struct initd *d = run->owner;
	int n;

	(void)events;
	for (n = 0; n < NOTES_MAX; n++) {
		if (take_note(d, (uint32_t)(run - d->runs)))
			return 0;
	}
	return 1;
}

/**
 * init_note_open() - listen to what a service reports
 * @d: Daemon.
 * @i: Service that is about to start.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int init_note_open(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	struct sockaddr_un at;
	int on = 1;
	int ret = note_path(d, i, &at);

	if (ret)
		return ret;
	run->note =
		socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (run->note < 0)
		return -errno;
	unlink(at.sun_path);
	if (setsockopt(run->note, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    bind(run->note, (struct sockaddr *)&at, sizeof(at)))
		ret = -errno;
	if (!ret)
		ret = phi_service_fd(d->loop, run->note, POLLIN, on_note, run,
				     &run->noted);
	if (ret)
		init_note_close(d, i);
	return ret;
}

/**
 * init_note_close() - undo init_note_open()
 * @d: Daemon.
 * @i: Service.
 *
 * Context: Main thread.
 */
void init_note_close(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	struct sockaddr_un at;

	if (run->note < 0)
		return;
	if (run->noted)
		phi_source_free(run->noted);
	run->noted = NULL;
	close(run->note);
	run->note = -1;
	if (!note_path(d, i, &at))
		unlink(at.sun_path);
}
