// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the calls on threads; the thread is the one that makes the calls.
 */

#include "scene.h"

SET(thread_register, thread_register)
{
	arg->endpoint = s->ep;
}

/* Register, in the place of the ticket. */
static int make_thread(struct stage *s)
{
	struct phi_thread_register arg = { .endpoint = s->ep };
	int ret = PHI_DO(s->phi, THREAD_REGISTER, &arg);

	s->ticket = arg.cap;
	return ret;
}

SET(cpus, thread_place)
{
	memset(s->data, 0xff, 8);
	arg->thread = s->ticket;
	arg->cpus = (uintptr_t)s->data;
	arg->len = 8;
}

static int set_thread_place(struct stage *s)
{
	return make_thread(s) ?: set_cpus(s);
}

SET(near, thread_place)
{
	arg->thread = s->ticket;
	arg->unit = s->unit;
}

static int set_thread_near(struct stage *s)
{
	return make_thread(s) ?: set_near(s);
}

SET(yield, thread_yield)
{
	arg->thread = s->ticket;
}

static int set_thread_yield(struct stage *s)
{
	return make_thread(s) ?: set_yield(s);
}

SET(signal, thread_signal)
{
	arg->thread = s->ticket;
	arg->data = (uintptr_t)s->data;
	arg->len = 5;
}

static int set_thread_signal(struct stage *s)
{
	return make_thread(s) ?: set_signal(s);
}

static bool seen_thread_signal(struct stage *s)
{
	return !do_take(s->phi, s->ep) && do_take(s->phi, s->ep) == -EAGAIN;
}

/* A child process, which has ended before the call. */
static int make_dead(struct stage *s)
{
	struct phi_thread_register arg = {};
	int end[2];
	int ret;

	ret = do_share(s->phi, 1);
	if (ret || pipe2(end, O_CLOEXEC))
		return ret ?: -errno;
	s->child = fork();
	if (!s->child) {
		ret = PHI_DO(s->phi, THREAD_REGISTER, &arg);
		if (ret || write(end[1], &arg.cap, sizeof(arg.cap)) < 0)
			_exit(1);
		_exit(0);
	}
	close(end[1]);
	ret = read(end[0], &s->ticket, sizeof(s->ticket)) == sizeof(s->ticket) ?
		      0 :
		      -ECHILD;
	close(end[0]);
	waitpid(s->child, NULL, 0);
	return ret;
}

SET(join, thread_join)
{
	arg->thread = s->ticket;
}

static int set_thread_join(struct stage *s)
{
	return make_dead(s) ?: set_join(s);
}

static bool seen_thread_join(struct stage *s)
{
	return OUT(s, thread_join)->how == PHI_THREAD_EXITED;
}

SET(leave, thread_exit)
{
	arg->status = 3;
}

static int set_thread_exit(struct stage *s)
{
	return make_thread(s) ?: set_leave(s);
}

SET(look, thread_query)
{
	arg->thread = s->ticket;
}

static int set_thread_query(struct stage *s)
{
	return make_thread(s) ?: set_look(s);
}

static bool seen_thread_query(struct stage *s)
{
	return OUT(s, thread_query)->pid == (uint32_t)getpid();
}

SET(class, thread_class)
{
	arg->thread = s->ticket;
	arg->class = PHI_THREAD_BACKGROUND;
}

static int set_thread_class(struct stage *s)
{
	return make_thread(s) ?: set_class(s);
}

static bool seen_thread_class(struct stage *s)
{
	struct phi_thread_query arg = { .thread = s->ticket };

	return !PHI_DO(s->phi, THREAD_QUERY, &arg) &&
	       arg.class == PHI_THREAD_BACKGROUND;
}

const struct scene thread_scenes[] = {
	SCENE(THREAD_REGISTER, thread_register),
	SCENE(THREAD_PLACE, thread_place),
	SCENE(THREAD_PLACE, thread_near),
	SCENE(THREAD_YIELD, thread_yield),
	SCENE(THREAD_SIGNAL, thread_signal, SEEN(thread_signal)),
	SCENE(THREAD_JOIN, thread_join, SEEN(thread_join)),
	SCENE(THREAD_EXIT, thread_exit),
	SCENE(THREAD_QUERY, thread_query, SEEN(thread_query)),
	SCENE(THREAD_CLASS, thread_class, SEEN(thread_class)),
	{},
};
