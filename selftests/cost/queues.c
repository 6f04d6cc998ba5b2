// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of things that wait in a queue: messages, and threads in a call. */

#include <limits.h>

#include "cost.h"

/* What a cspace may have queued while senders are measured. */
#define CREDITS 4096

static int send_through(struct other *o, int i)
{
	return do_send(o->fds[i], o->eps[i], "hello", 5);
}

/* The things send in turn. */
static int send_next(struct other *o)
{
	int i = o->next;

	o->next = (i + 1) % o->n;
	return send_through(o, i);
}

/* Another cspace with a handle of the endpoint, and a message there. */
static int add_sender(struct other *o)
{
	int i = o->n, ret;

	o->fds[i] = do_open();
	if (o->fds[i] < 0)
		return o->fds[i];
	ret = do_unseal(o->fds[i], &o->shared->ep, &o->eps[i]);
	o->n += !ret;
	return ret ?: send_through(o, i);
}

static int make_credits(struct other *o, int n)
{
	int ret = 0;

	for (int i = 0; i < n && !ret; i++)
		ret = add_sender(o);
	return ret;
}

/* Each of another user, as one may have who has subordinate uids. */
static int make_users(struct other *o, int n)
{
	int ret = 0;

	for (int i = 0; i < n && !ret; i++) {
		if (setresuid(USERS + i, USERS + i, 0))
			return -errno;
		ret = add_sender(o);
		if (setresuid(0, 0, 0))
			return -errno;
	}
	return ret;
}

/* All of one cspace, in one queue. */
static int make_messages(struct other *o, int n)
{
	int ret = n ? add_sender(o) : 0;

	for (int i = 1; i < n && !ret; i++)
		ret = send_through(o, 0);
	return ret;
}

const struct kind message_kinds[] = {
	KIND(messages, make_messages, .refill = send_next),
	KIND(credits, make_credits, .refill = send_next),
	KIND(users, make_users, .refill = send_next, .flags = AS_ROOT),
	{},
};

/* How many threads are about to make their call. */
static int started;

static void start(void)
{
	__atomic_add_fetch(&started, 1, __ATOMIC_ACQ_REL);
}

/* Start n threads, and wait until all are in their calls. */
static int make_threads(struct other *o, int n, void *(*run)(void *arg))
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 16384);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < n; i++) {
		ret = -pthread_create(&thread, &attr, run, o);
		if (ret)
			return ret;
	}
	while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) < n)
		usleep(100000);
	/* Far longer than it takes from there into the call. */
	return n ? usleep(5000000) : 0;
}

static void *run_call(void *arg)
{
	struct other *o = arg;
	char answer[8];
	struct phi_call call = {
		.endpoint = o->ep,
		.data = (uintptr_t)"hello",
		.len = 5,
		.reply_data = (uintptr_t)answer,
		.reply_len = sizeof(answer),
	};

	start();
	PHI_DO(o->phi, CALL, &call);
	return NULL;
}

static int make_callers(struct other *o, int n)
{
	return make_threads(o, n, run_call);
}

/* It goes on receiving whatever comes. */
static void *run_recv(void *arg)
{
	struct other *o = arg;
	char data[PHI_MSG_MAX];
	struct phi_recv recv;
	int ret;

	start();
	do {
		recv = (struct phi_recv){
			.endpoint = o->ep,
			.data = (uintptr_t)data,
			.len = sizeof(data),
		};
		ret = PHI_DO(o->phi, RECV, &recv);
		if (!ret && recv.reply)
			ret = do_drop(o->phi, recv.reply);
	} while (!ret);
	return NULL;
}

static int make_receivers(struct other *o, int n)
{
	return make_threads(o, n, run_recv);
}

/* It waits for a bit that nobody sets. */
static void *run_wait(void *arg)
{
	struct other *o = arg;
	struct phi_notify_wait wait = {
		.notify = o->notify,
		.mask = 1ULL << 63,
	};

	start();
	PHI_DO(o->phi, NOTIFY_WAIT, &wait);
	return NULL;
}

static int make_waiters(struct other *o, int n)
{
	return make_threads(o, n, run_wait);
}

/* It goes on sending while it can. */
static void *run_send(void *arg)
{
	struct other *o = arg;

	start();
	while (!do_send_flags(o->phi, o->ep, "hello", 5, 0))
		;
	return NULL;
}

/* Few enough to use up, more than the rows leave of the measured user's. */
static int prepare_senders(struct shared *shared, int root, int n)
{
	(void)shared;
	(void)root;
	(void)n;
	return do_limit("credits", CREDITS);
}

static int make_senders(struct other *o, int n)
{
	int ret;

	if (!n)
		return 0;
	while (!(ret = do_send(o->phi, o->ep, "hello", 5)))
		;
	return ret == -EAGAIN ? make_threads(o, n, run_send) : ret;
}

const struct kind thread_kinds[] = {
	KIND(callers, make_callers, .flags = CALLS),
	KIND(parked, make_callers, .flags = CALLS | STOPPED),
	KIND(receivers, make_receivers, .flags = STEALS),
	KIND(waiters, make_waiters),
	KIND(senders, make_senders, .prepare = prepare_senders),
	{},
};
