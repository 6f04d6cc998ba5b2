// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread has the session with mathisd. Functions that serve calls queue a
 * letter for it and end later; it sends letters, and ends the calls that come
 * back.
 */
#include <errno.h>
#include <phi/phi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <core/upcall.h>

#include "remote.h"
#include "remote_impl.h"

#define CONSOLE_FIRST 0x0010
#define CONSOLE_LAST 0x0014
#define OPEN_NS 10000000000ULL
#define NO_WAIT 1

static void end_call(struct letter *l, enum md_status status)
{
	struct md_call *c = l->call;

	/* This may free the letter. */
	md_finish(c, status);
}

static void fail_call(struct letter *l, int code, const char *text)
{
	md_fail(l->call, code, "%s", text);
	end_call(l, MD_FAILED);
}

/* Send a letter: 0, or a negative errno of the client. */
static int send(struct remote *r, struct letter *l)
{
	switch (l->kind) {
	case LETTER_CALL:
		return mathis_client_submit(r->client, l->call->row->info->id,
					    l->value.items, l->value.n, 0,
					    l->call->task, &l->ticket);
	case LETTER_ANSWER:
		return mathis_client_answer(r->client, l->ticket, l->code,
					    &l->value);
	case LETTER_ENDED:
		return mathis_client_task_ended(r->client, l->task);
	default:
		return mathis_client_task_moved(r->client, l->task, l->ticket);
	}
}

static void was_sent(struct remote *r, struct letter *l, int ret)
{
	if (l->kind != LETTER_CALL) {
		letter_free(l);
	} else if (ret) {
		fail_call(l,
			  ret == -ENOMEM ? MATHIS_OUT_OF_MEMORY :
					   MATHIS_TOO_LARGE,
			  "the arguments cannot be sent");
	} else {
		pthread_mutex_lock(&r->lock);
		TAILQ_INSERT_TAIL(&r->sent, l, link);
		pthread_mutex_unlock(&r->lock);
	}
}

static struct letter *first(struct remote *r)
{
	struct letter *l;

	pthread_mutex_lock(&r->lock);
	l = TAILQ_FIRST(&r->letters);
	pthread_mutex_unlock(&r->lock);
	return l;
}

/* A call under way that was stopped, and mathisd does not know; or NULL. */
static struct letter *stopped(struct remote *r)
{
	struct letter *l;

	pthread_mutex_lock(&r->lock);
	TAILQ_FOREACH(l, &r->sent, link)
	{
		if (l->cancel && !l->told)
			break;
	}
	pthread_mutex_unlock(&r->lock);
	return l;
}

/* Send what there is room for: 0, or -EPIPE and the like. */
static int send_letters(struct remote *r)
{
	struct letter *l;
	int ret = 0;

	while (!ret && (l = first(r))) {
		ret = send(r, l);
		if (ret == -EAGAIN || ret == -EPIPE || ret == -EPROTO)
			break;
		pthread_mutex_lock(&r->lock);
		TAILQ_REMOVE(&r->letters, l, link);
		pthread_mutex_unlock(&r->lock);
		was_sent(r, l, ret);
		ret = 0;
	}
	while (!ret && (l = stopped(r))) {
		ret = mathis_client_cancel(r->client, l->ticket);
		l->told = !ret;
	}
	return ret == -EAGAIN ? 0 : ret;
}

static const struct mathis_item *member(const struct mathis_item *map,
					const char *key, uint32_t kind)
{
	const struct mathis_item *v =
		map->kind == MATHIS_MAP ? mathis_item_get(map, key) : NULL;

	return v && v->kind == kind ? v : NULL;
}

/* The error that mathisd describes as that of the call. */
static void take_error(struct md_call *c, const struct mathis_reply *reply)
{
	const struct mathis_item *map = &reply->value;
	const struct mathis_item *v = member(map, "message", MATHIS_STR);

	md_fail(c, reply->code, "%.*s", v ? (int)v->n : 0, v ? v->text : "");
	v = member(map, "detail", MATHIS_MAP);
	if (v)
		c->detail = mathis_item_copy(&c->pool, v);
	v = member(map, "retry_after_ms", MATHIS_INT);
	if (v)
		c->retry_after_ms = (uint32_t)v->i;
}

static void take_done(struct remote *r, const struct mathis_reply *reply)
{
	struct letter *l;

	pthread_mutex_lock(&r->lock);
	TAILQ_FOREACH(l, &r->sent, link)
	{
		if (l->ticket == reply->ticket)
			break;
	}
	if (l)
		TAILQ_REMOVE(&r->sent, l, link);
	pthread_mutex_unlock(&r->lock);
	if (!l)
		return;
	if (reply->code == MATHIS_OK)
		l->call->result =
			mathis_item_copy(&l->call->pool, &reply->value);
	else
		take_error(l->call, reply);
	end_call(l, reply->code == MATHIS_OK ? MD_DONE : MD_FAILED);
}

/* An upcall has ended. */
static void answer(struct md_upcall *u)
{
	struct letter *l = u->own;

	l->code = u->code;
	l->value = mathis_item_copy(&l->pool, &u->result);
	letter_queue(l);
}

static void take_upcall(struct remote *r, const struct mathis_reply *reply)
{
	struct letter *l = letter_new(r, LETTER_ANSWER);
	struct md_func *func = NULL;
	struct md_upcall *u;

	if (!l)
		return;
	l->ticket = reply->ticket;
	l->code = MATHIS_HANDLER;
	pthread_mutex_lock(&r->lock);
	if (reply->slot < r->n_funcs && r->funcs[reply->slot])
		func = md_func_get(r->funcs[reply->slot]);
	pthread_mutex_unlock(&r->lock);
	u = func ? md_upcall_new(func) : NULL;
	md_func_put(func);
	if (u && reply->value.kind == MATHIS_LIST &&
	    reply->value.n <= MD_UPCALL_ARGS) {
		u->n = reply->value.n;
		for (uint32_t i = 0; i < u->n; i++)
			u->args[i] = mathis_item_copy(&u->pool,
						      &reply->value.items[i]);
		u->done = answer;
		u->own = l;
		if (!md_upcall_start(u, 0))
			l = NULL;
	}
	if (u)
		md_upcall_put(u);
	if (l)
		letter_queue(l);
}

static void take_drop(struct remote *r, uint32_t slot)
{
	struct md_func *func = NULL;

	pthread_mutex_lock(&r->lock);
	if (slot < r->n_funcs) {
		func = r->funcs[slot];
		r->funcs[slot] = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	md_func_put(func);
}

/* Take the replies that came: 0, or -EPIPE and the like. */
static int take_replies(struct remote *r, struct mathis_reply *reply)
{
	int ret;

	while (!(ret = mathis_client_wait(r->client, reply, NO_WAIT))) {
		if (reply->kind == MATHIS_REPLY_DONE)
			take_done(r, reply);
		else if (reply->kind == MATHIS_REPLY_UPCALL)
			take_upcall(r, reply);
		else
			take_drop(r, reply->slot);
	}
	return ret;
}

/* No reply will come any more: end all calls, now and from here on. */
static void fail_letters(struct remote *r, struct letter_list *list)
{
	struct letter *l;

	for (;;) {
		pthread_mutex_lock(&r->lock);
		l = TAILQ_FIRST(list);
		if (l)
			TAILQ_REMOVE(list, l, link);
		pthread_mutex_unlock(&r->lock);
		if (!l)
			return;
		if (l->kind == LETTER_CALL)
			fail_call(l, MATHIS_CLOSED,
				  "mathisd has ended the session");
		else
			letter_free(l);
	}
}

static bool stops(struct remote *r)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return stop;
}

static void *run(void *arg)
{
	struct remote *r = arg;
	struct pollfd pfd[3] = { { .fd = r->event_fd, .events = POLLIN } };
	struct mathis_reply reply;
	bool gone = false;
	eventfd_t n;
	int fds[2];

	mathis_pool_init(&reply.pool, 0);
	mathis_client_fds(r->client, fds);
	pfd[1] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	pfd[2] = (struct pollfd){ .fd = fds[1] };
	for (;;) {
		int ret = 0;

		if (!gone)
			ret = send_letters(r);
		if (!gone && !ret)
			ret = take_replies(r, &reply);
		gone |= ret && ret != -EAGAIN && ret != -ETIMEDOUT &&
			ret != -EINTR;
		if (gone || stops(r)) {
			fail_letters(r, &r->letters);
			fail_letters(r, &r->sent);
		}
		if (stops(r))
			break;
		if (ret == -EAGAIN || ret == -EINTR)
			continue;
		poll(pfd, gone ? 1 : 3, -1);
		if (pfd[0].revents)
			eventfd_read(r->event_fd, &n);
	}
	mathis_pool_fini(&reply.pool);
	return NULL;
}

/* A task ended, or moved: what the session knows this by. */
static void tell_task(void *state, enum letter_kind kind, uint64_t task,
		      uint64_t to)
{
	struct remote *r = *(struct remote **)state;
	struct letter *l = r ? letter_new(r, kind) : NULL;

	if (!l)
		return;
	l->task = task;
	l->ticket = to;
	letter_queue(l);
}

static void task_ended(void *state, uint64_t task)
{
	tell_task(state, LETTER_ENDED, task, 0);
}

static void task_moved(void *state, uint64_t from, uint64_t to)
{
	tell_task(state, LETTER_MOVED, from, to);
}

static const struct md_own_kind tasks = {
	.size = sizeof(struct remote *),
	.task_ended = task_ended,
	.task_moved = task_moved,
};

/* Give up what a rule of this session denies: 0 or a negative errno. */
static int narrow(struct remote *r, const struct md_rule *rule,
		  struct mathis_reply *reply)
{
	char text[4200];
	uint64_t ticket;
	int ret;

	snprintf(text, sizeof(text), "%s%s%s", rule->right->name,
		 rule->param ? "=" : "", rule->param ?: "");
	ret = mathis_client_narrow(r->client, text, &ticket);
	if (!ret)
		ret = mathis_client_wait(r->client, reply, 0);
	if (!ret && reply->code)
		ret = -EACCES;
	if (ret)
		fprintf(stderr, "mathis: mathisd cannot deny %s: %s\n", text,
			ret == -EACCES ? mathis_code_name(reply->code) :
					 strerror(-ret));
	return ret;
}

/* Have mathisd make the calls, whatever it allows. */
static int take_over(struct remote *r)
{
	struct md_session *s = r->session;
	struct mathis_reply reply;
	struct remote **own = md_session_own(s, &tasks);
	size_t n = s->rights.n;
	int ret = own ? 0 : -ENOMEM;

	mathis_pool_init(&reply.pool, 0);
	for (size_t i = 0; i < n && !ret; i++) {
		if (s->rights.rules[i].deny)
			ret = narrow(r, &s->rights.rules[i], &reply);
	}
	mathis_pool_fini(&reply.pool);
	if (!ret)
		ret = md_rights_add(&s->rights, false, "all", NULL);
	if (ret)
		return ret;
	*own = r;
	for (size_t i = 0; i < s->core->n_rows; i++) {
		struct md_row *row = &s->core->rows[i];

		if (row->function && (row->info->id < CONSOLE_FIRST ||
				      row->info->id > CONSOLE_LAST))
			row->function = remote_forward;
	}
	return 0;
}

static int attach(struct remote *r, const char *token)
{
	struct timespec now;
	uint64_t endpoint;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &now);
	r->phi = phi_open(0);
	if (r->phi < 0)
		return r->phi;
	ret = mathis_client_token(r->phi, token, &endpoint);
	if (!ret)
		ret = mathis_client_open(r->phi, endpoint, NULL,
					 (uint64_t)now.tv_sec * 1000000000 +
						 OPEN_NS,
					 &r->client);
	return ret;
}

int remote_open(struct md_session *session, const char *token,
		struct remote **remote)
{
	struct remote *r = calloc(1, sizeof(*r));
	int ret;

	*remote = r;
	if (!r)
		return -ENOMEM;
	r->session = session;
	r->phi = -1;
	TAILQ_INIT(&r->letters);
	TAILQ_INIT(&r->sent);
	pthread_mutex_init(&r->lock, NULL);
	r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = r->event_fd < 0 ? -errno : attach(r, token);
	if (ret) {
		fprintf(stderr, "mathis: no session with mathisd: %s\n",
			strerror(-ret));
		return ret;
	}
	remote_set(r);
	ret = take_over(r);
	if (!ret)
		ret = -pthread_create(&r->thread, NULL, run, r);
	r->started = !ret;
	return ret;
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_mutex_unlock(&r->lock);
	eventfd_write(r->event_fd, 1);
	if (r->started)
		pthread_join(r->thread, NULL);
	for (size_t i = 0; i < r->n_funcs; i++)
		md_func_put(r->funcs[i]);
	free(r->funcs);
	mathis_client_close(r->client);
	if (r->phi >= 0)
		phi_close(r->phi);
	if (r->event_fd >= 0)
		close(r->event_fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
