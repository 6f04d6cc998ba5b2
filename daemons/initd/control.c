// SPDX-License-Identifier: GPL-2.0-only
/* The socket of the phi command: one request a connection. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "initd.h"
#include "log.h"

/* A packet of rows, and one of text. */
struct rows {
	struct phi_init_answer head;
	struct phi_init_row row[PHI_INIT_ROWS_MAX];
};

struct text {
	struct phi_init_answer head;
	char data[PHI_INIT_LOG_MAX];
};

/* initd waits for no client: one that does not read gets no answer. */
static int answer(const struct init_client *c, const void *data, size_t len)
{
	return send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
		       -errno :
		       0;
}

static void finish(struct init_client *c, int error)
{
	struct phi_init_answer end = { .packet = PHI_INIT_END, .error = error };

	answer(c, &end, sizeof(end));
	phi_source_free(c->source);
	close(c->fd);
	*c = (struct init_client){ .fd = -1 };
}

static void describe(const struct initd *d, uint32_t i,
		     struct phi_init_row *row)
{
	const struct init_service *s = &d->engine.services[i];
	const struct init_run *run = &d->runs[i];
	const char *text = s->why && !run->live ? s->why : run->text;
	uint64_t now = clock_ns();

	memset(row, 0, sizeof(*row));
	row->agent = run->live ? run->agent : 0;
	row->since_ns = now > s->since ? now - s->since : 0;
	if (s->state == PHI_INIT_BACKOFF && s->due > now)
		row->next_ns = s->due - now;
	row->state = s->state;
	row->pid = run->live ? run->pid : 0;
	row->restarts = s->restarts;
	row->wanted = s->wanted;
	row->status = s->status;
	memcpy(row->name, s->config->name, sizeof(row->name));
	snprintf(row->text, sizeof(row->text), "%s", text);
	snprintf(row->description, sizeof(row->description), "%s",
		 s->config->description ?: "");
}

static int send_rows(const struct initd *d, const struct init_client *c,
		     uint32_t first, uint32_t n)
{
	struct rows rows;
	uint32_t i;
	int ret = 0;

	while (!ret && n) {
		uint32_t count = n < PHI_INIT_ROWS_MAX ? n : PHI_INIT_ROWS_MAX;

		rows.head = (struct phi_init_answer){ .packet = PHI_INIT_ROWS,
						      .count = count };
		for (i = 0; i < count; i++)
			describe(d, first + i, &rows.row[i]);
		ret = answer(c, &rows,
			     sizeof(rows.head) + count * sizeof(rows.row[0]));
		first += count;
		n -= count;
	}
	return ret;
}

static int send_log(const struct init_run *run, const struct init_client *c,
		    uint32_t lines)
{
	char *all = malloc(INIT_KEPT_MAX);
	struct text text;
	size_t at, len;
	int ret = 0;

	if (!all)
		return -ENOMEM;
	len = run->kept ? init_keep_last(run, lines, all) : 0;
	for (at = 0; !ret && at < len; at += text.head.count) {
		size_t n = len - at;

		n = n < sizeof(text.data) ? n : sizeof(text.data);
		text.head = (struct phi_init_answer){ .packet = PHI_INIT_TEXT,
						      .count = (uint32_t)n };
		memcpy(text.data, all + at, n);
		ret = answer(c, &text, sizeof(text.head) + n);
	}
	free(all);
	return ret;
}

static int find(const struct initd *d, const struct phi_init_request *r)
{
	uint32_t i;

	if (!r->agent)
		return init_engine_find(&d->engine, r->name);
	for (i = 0; i < d->engine.n; i++) {
		if (d->runs[i].live && d->runs[i].agent == r->agent)
			return (int)i;
	}
	return -ENOENT;
}

/* Change a service; the answer follows when it has settled. */
static int change(struct initd *d, struct init_client *c, uint32_t verb)
{
	struct init_engine *e = &d->engine;

	if (d->stopping)
		return -ESHUTDOWN;
	if (verb == PHI_INIT_START)
		init_engine_want(e, c->i, clock_ns());
	else if (verb == PHI_INIT_STOP)
		init_engine_unwant(e, c->i);
	else
		init_engine_cycle(e, c->i, clock_ns());
	c->verb = verb;
	phi_source_kick(d->turn);
	return 0;
}

static bool request_valid(const struct phi_init_request *r, ssize_t n)
{
	return n == sizeof(*r) && r->size == sizeof(*r) && !r->pad &&
	       r->verb >= PHI_INIT_LIST && r->verb <= PHI_INIT_LOGS &&
	       !r->name[sizeof(r->name) - 1] &&
	       (r->verb == PHI_INIT_LOGS || !r->lines);
}

static void serve(struct initd *d, struct init_client *c,
		  const struct phi_init_request *r)
{
	int ret;

	/* @c is nobody's once it has been answered. */
	if (r->verb == PHI_INIT_LIST) {
		finish(c, send_rows(d, c, 0, d->engine.n));
		return;
	}
	ret = find(d, r);
	if (ret < 0) {
		finish(c, ret);
		return;
	}
	c->i = (uint32_t)ret;
	if (r->verb == PHI_INIT_SHOW)
		finish(c, send_rows(d, c, c->i, 1));
	else if (r->verb == PHI_INIT_LOGS)
		finish(c, send_log(&d->runs[c->i], c, r->lines));
	else
		ret = change(d, c, r->verb);
	if (ret < 0)
		finish(c, ret);
}

static int on_request(void *arg, uint32_t events)
{
	struct init_client *c = arg;
	struct phi_init_request r;
	ssize_t n;

	(void)events;
	n = recv(c->fd, &r, sizeof(r), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n > 0 && !c->verb && request_valid(&r, n))
		serve(c->owner, c, &r);
	else
		finish(c, n > 0 ? -EINVAL : 0);
	return 0;
}

/* Slots for this user: none but for root and the user of initd. */
static uint32_t slots(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return 0;
	if (!cred.uid)
		return INIT_CLIENTS_MAX;
	/* Services, which are of that user, do not keep root out. */
	return cred.uid == geteuid() ? INIT_CLIENTS_MAX - INIT_CLIENTS_ROOT : 0;
}

static void take_client(struct initd *d, int fd)
{
	struct init_client *c = NULL;
	int room = 1 << 20;
	uint32_t n = slots(fd);
	uint32_t i;

	for (i = 0; !c && i < n; i++) {
		if (d->clients[i].fd < 0)
			c = &d->clients[i];
	}
	if (!c) {
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	*c = (struct init_client){ .owner = d, .fd = fd };
	if (phi_service_fd(d->loop, fd, POLLIN, on_request, c, &c->source)) {
		close(fd);
		c->fd = -1;
	}
}

static int on_connect(void *arg, uint32_t events)
{
	struct initd *d = arg;
	int fd = accept4(d->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED;
	take_client(d, fd);
	return 1;
}

/**
 * init_control_open() - listen to clients
 * @d: Daemon.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int init_control_open(struct initd *d)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t mask;
	int ret = 0;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/control", d->dir);
	d->listen = socket(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->listen < 0)
		return -errno;
	unlink(at.sun_path);
	mask = umask(0177);
	if (bind(d->listen, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(d->listen, INIT_CLIENTS_MAX))
		ret = -errno;
	umask(mask);
	return ret ? ret :
		     phi_service_fd(d->loop, d->listen, POLLIN, on_connect, d,
				    NULL);
}

/* Has the service done what the client waits for? 1, 0, or < 0: it failed. */
static int settled(const struct init_service *s, uint32_t verb)
{
	bool up = s->state == PHI_INIT_UP || s->state == PHI_INIT_DONE;

	if (s->cycle)
		return 0;
	if (s->state == PHI_INIT_FAILED)
		return verb == PHI_INIT_STOP ? 1 : -EHOSTDOWN;
	if (verb == PHI_INIT_STOP)
		return !s->wanted &&
		       (s->state == PHI_INIT_DOWN || s->state == PHI_INIT_DONE);
	if (s->state == PHI_INIT_BACKOFF && s->quick)
		return -EHOSTDOWN;
	/* Somebody has stopped it meanwhile. */
	if (!s->wanted && s->state == PHI_INIT_DOWN)
		return -ECANCELED;
	return up;
}

/**
 * init_control_settle() - answer the clients whose services have settled
 * @d: Daemon.
 *
 * Context: Main thread, after each step of the engine.
 */
void init_control_settle(struct initd *d)
{
	uint32_t k;
	int ret;

	for (k = 0; k < INIT_CLIENTS_MAX; k++) {
		struct init_client *c = &d->clients[k];

		if (c->fd < 0 || !c->verb)
			continue;
		ret = settled(&d->engine.services[c->i], c->verb);
		if (!ret)
			continue;
		send_rows(d, c, c->i, 1);
		finish(c, ret < 0 ? ret : 0);
	}
}

/**
 * init_control_close() - end all connections, and listen no more
 * @d: Daemon.
 *
 * Context: Main thread.
 */
void init_control_close(struct initd *d)
{
	char path[PATH_MAX];
	uint32_t k;

	for (k = 0; k < INIT_CLIENTS_MAX; k++) {
		if (d->clients[k].fd >= 0)
			finish(&d->clients[k], -ESHUTDOWN);
	}
	if (d->listen < 0)
		return;
	close(d->listen);
	snprintf(path, sizeof(path), "%s/control", d->dir);
	unlink(path);
}
