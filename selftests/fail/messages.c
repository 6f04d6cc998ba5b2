// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the calls that carry messages: "hello" with a capability that is
 * copied and two that move, answered with "re" and one that moves.
 */

#include "scene.h"

SET(send, send)
{
	arg->flags = PHI_NONBLOCK;
	arg->endpoint = s->ep;
	arg->data = (uintptr_t)"hello";
	arg->len = 5;
	arg->ncaps = 3;
	arg->caps[0] = (struct phi_xfer){ s->region, 0,
					  PHI_RIGHT_READ | PHI_RIGHT_MAP };
	arg->caps[1] =
		(struct phi_xfer){ s->notify, PHI_XFER_MOVE, PHI_RIGHT_ALL };
	arg->caps[2] =
		(struct phi_xfer){ s->badged, PHI_XFER_MOVE, PHI_RIGHT_SEND };
}

static bool is_hello(struct stage *s, const struct phi_recv *recv)
{
	return recv->len == 5 && recv->ncaps == 3 &&
	       !memcmp(s->data, "hello", 5);
}

static bool seen_send(struct stage *s)
{
	struct phi_recv recv;

	return !do_recv(s->other, s->there, s->data, sizeof(s->data), &recv) &&
	       is_hello(s, &recv);
}

SET(take, recv)
{
	arg->flags = PHI_NONBLOCK;
	arg->endpoint = s->there;
	arg->data = (uintptr_t)s->data;
	arg->len = sizeof(s->data);
}

static int set_recv(struct stage *s)
{
	int ret;

	set_send(s);
	ret = ioctl(s->phi, PHI_IOC_SEND, s->arg) ? -errno : 0;
	memset(s->arg, 0, sizeof(s->arg));
	set_take(s);
	return ret;
}

static bool seen_recv(struct stage *s)
{
	return is_hello(s, OUT(s, recv));
}

/* Answer calls, each with "re" and a notification that moves, until told. */
static void *serve(void *arg)
{
	struct stage *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		struct phi_recv recv;
		struct phi_reply reply = { .data = (uintptr_t)"re", .len = 2 };
		uint64_t notify;

		if (do_recv(s->other, s->there, s->answer, sizeof(s->answer),
			    &recv)) {
			usleep(500);
			continue;
		}
		if (do_notify(s->other, &notify))
			continue;
		reply.reply = recv.reply;
		reply.ncaps = 1;
		reply.caps[0] = (struct phi_xfer){ notify, PHI_XFER_MOVE,
						   PHI_RIGHT_ALL };
		if (PHI_DO(s->other, REPLY, &reply))
			do_drop(s->other, notify);
		for (uint32_t i = 0; i < recv.ncaps; i++)
			do_drop(s->other, recv.caps[i].cap);
	}
	return NULL;
}

SET(call_arg, call)
{
	arg->endpoint = s->ep;
	arg->data = (uintptr_t)"hello";
	arg->len = 5;
	arg->reply_data = (uintptr_t)s->data;
	arg->reply_len = sizeof(s->data);
	arg->ncaps = 1;
	arg->caps[0] = (struct phi_xfer){ s->region, 0,
					  PHI_RIGHT_READ | PHI_RIGHT_MAP };
}

static int set_call(struct stage *s)
{
	return set_call_arg(s) ?: -pthread_create(&s->server, NULL, serve, s);
}

static bool seen_call(struct stage *s)
{
	struct phi_call *call = OUT(s, call);

	return call->reply_len == 2 && call->reply_ncaps == 1 &&
	       !do_drop(s->phi, call->reply_caps[0].cap);
}

static void end_call(struct stage *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_join(s->server, NULL);
}

/* A caller waits; its message is taken. Return: its reply handle, or 0. */
static uint64_t await_answer(struct stage *s)
{
	struct phi_recv recv;

	s->call = (struct phi_call){
		.endpoint = s->ep,
		.reply_data = (uintptr_t)s->answer,
		.reply_len = sizeof(s->answer),
	};
	s->job = JOB(s->phi, CALL, &s->call);
	if (pthread_create(&s->job.thread, NULL, job_thread, &s->job) ||
	    do_recv_soon(s->other, s->there, s->data, sizeof(s->data), &recv))
		return 0;
	return recv.reply;
}

static void fill_answer(struct stage *s, struct phi_reply *reply)
{
	uint64_t notify;

	do_notify(s->other, &notify);
	reply->size = sizeof(*reply);
	reply->reply = await_answer(s);
	reply->data = (uintptr_t)"re";
	reply->len = 2;
	reply->ncaps = 1;
	reply->caps[0] =
		(struct phi_xfer){ notify, PHI_XFER_MOVE, PHI_RIGHT_WRITE };
}

SET(reply, reply)
{
	fill_answer(s, arg);
}

/* The answer arrived; without one the caller's file ends the wait. */
static bool seen_reply(struct stage *s)
{
	return !job_join(&s->job) && s->call.reply_len == 2 &&
	       s->call.reply_ncaps == 1;
}

SET(reply_recv, reply_recv)
{
	fill_answer(s, &arg->reply);
	arg->recv.size = sizeof(arg->recv);
	arg->recv.flags = PHI_NONBLOCK;
	arg->recv.endpoint = s->there;
	arg->recv.data = (uintptr_t)s->data;
	arg->recv.len = sizeof(s->data);
	do_send(s->phi, s->badged, "hello", 5);
}

const struct scene message_scenes[] = {
	SCENE(SEND, send, SEEN(send)),
	SCENE(RECV, recv, SEEN(recv), .other = true),
	SCENE(CALL, call, SEEN(call), .end = end_call),
	SCENE(REPLY, reply, SEEN(reply), .other = true),
	SCENE(REPLY_RECV, reply_recv, SEEN(reply), .other = true, .once = true),
	{},
};
