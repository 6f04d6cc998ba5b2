// SPDX-License-Identifier: GPL-2.0-only

#include <sys/eventfd.h>

#include "cost.h"

/* A token of a child of a capability, which the child keeps good. */
static int hand_out(int phi, uint64_t cap, uint32_t rights, uint64_t badge,
		    struct phi_token *token)
{
	uint64_t child;

	return do_derive_until(phi, cap, rights, 0, badge, &child) ?:
		       do_seal(phi, child, rights, 0, 0, token);
}

static int make_model(struct stage *s)
{
	struct phi_model_register arg = {
		.endpoint = s->ep,
		.max_batch = 8,
		.name = "model",
	};
	int ret = PHI_DO(s->phi, MODEL_REGISTER, &arg);

	s->model = arg.cap;
	s->model_id = arg.id;
	return ret;
}

static int make_unit(struct stage *s)
{
	struct phi_unit_register arg = { UNIT_DEFAULTS };
	int ret;

	arg.flags = 0;
	ret = PHI_DO(s->phi, UNIT_REGISTER, &arg);
	s->unit = arg.cap;
	s->unit_id = arg.id;
	return ret;
}

static int make_region(struct stage *s)
{
	struct phi_region_info info = {};
	int ret = do_region(s->phi, BYTES, 0, &s->region);

	info.cap = s->region;
	ret = ret ?: PHI_DO(s->phi, REGION_INFO, &info);
	s->offset = info.offset;
	return ret;
}

/* What the measured user has for itself. */
static int make_own(struct stage *s)
{
	int ret = do_endpoint(s->phi, &s->ep);

	if (!ret)
		ret = do_notify(s->phi, &s->notify);
	if (!ret)
		ret = make_region(s);
	if (!ret)
		ret = make_model(s);
	if (!ret)
		ret = make_unit(s);
	if (!ret)
		ret = do_seal(s->phi, s->notify, PHI_RIGHT_WRITE, 0, 0,
			      &s->token);
	if (!ret)
		ret = do_give(s->phi, s->ep, PHI_RIGHT_RECV, s->server,
			      &s->there);
	s->polled = ret ?: do_endpoint_fd(s->phi, s->ep);
	return s->polled < 0 ? s->polled : 0;
}

/* What it gives to the other user, and to root. */
static int give_away(struct stage *s)
{
	const uint32_t ep_rights = PHI_RIGHT_SEND | PHI_RIGHT_RECV |
				   PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT;
	const uint32_t region_rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE |
				       PHI_RIGHT_MAP | PHI_RIGHT_ADMIN |
				       PHI_RIGHT_GRANT;
	const uint32_t notify_rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE |
				       PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT;
	struct shared *shared = s->shared;
	int ret = hand_out(s->phi, s->ep, ep_rights, BADGE, &shared->ep);

	if (!ret)
		ret = hand_out(s->phi, s->ep, ep_rights, 0, &shared->unbadged);
	if (!ret)
		ret = hand_out(s->phi, s->region, region_rights, 0,
			       &shared->region);
	if (!ret)
		ret = hand_out(s->phi, s->notify, notify_rights, 0,
			       &shared->notify);
	if (!ret)
		ret = hand_out(s->phi, s->model, MODEL_RIGHTS, 0,
			       &shared->model);
	return ret;
}

static void *wait_for_answer(void *arg)
{
	struct stage *s = arg;
	char answer[8];
	struct phi_call call = {
		.reply_data = (uintptr_t)answer,
		.reply_len = sizeof(answer),
	};

	if (!do_give(s->phi, s->ep, PHI_RIGHT_SEND, s->callers,
		     (uint64_t *)&call.endpoint))
		PHI_DO(s->callers, CALL, &call);
	return NULL;
}

/* Threads that wait for an answer, and the handles to answer them with. */
static int make_replies(struct stage *s)
{
	struct phi_recv recv;
	pthread_t thread;
	int ret;

	for (int i = 0; i < POOL; i++) {
		ret = -pthread_create(&thread, NULL, wait_for_answer, s);
		if (!ret)
			ret = do_recv_soon(s->phi, s->ep, s->data,
					   sizeof(s->data), &recv);
		if (ret)
			return ret;
		pthread_detach(thread);
		s->replies[i] = recv.reply;
	}
	return 0;
}

/* Make everything that any row needs. Return: 0 or a negative errno. */
int stage_make(struct stage *s, struct shared *shared)
{
	int ret;

	s->shared = shared;
	s->phi = do_open();
	s->server = do_open();
	s->callers = do_open();
	s->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->cgroup = open(CGROUP_MINE, O_RDONLY | O_CLOEXEC);
	if (s->phi < 0 || s->server < 0 || s->callers < 0)
		return -ENODEV;
	if (s->eventfd < 0 || s->cgroup < 0)
		return -errno;
	ret = make_own(s);
	if (!ret)
		ret = make_replies(s);
	return ret ?: give_away(s);
}

/* Receive the calls of the other user, for good. */
int stage_take_calls(struct stage *s, int n)
{
	struct phi_recv recv;

	for (int i = 0; i < n; i++) {
		int ret = do_recv_soon(s->server, s->there, s->data,
				       sizeof(s->data), &recv);

		if (ret)
			return ret;
	}
	return 0;
}
