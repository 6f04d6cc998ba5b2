// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions and users of a daemon, and the order of their calls. The test takes
 * calls out of the line as a worker does; no worker runs.
 */
#include <errno.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "call.h"
#include "counts.h"
#include "daemon.h"
#include "handle.h"

#define CREDITS 8
#define PLACES 4
#define THINGS 2

enum { KIND_IDLE, KIND_STOPPED, KINDS };

/* A daemon may keep more for a user and a call. */
struct big_user {
	struct user base;
	uint64_t mine[8];
};

struct tagged_call {
	struct call base;
	uint64_t tag;
};

static const struct op wait_op = { .request = sizeof(struct wire_head) };

static unsigned int n_dropped, n_cancelled;
static int refused, dropped_with;

static const struct op *find_op(uint32_t nr)
{
	return nr == 1 ? &wait_op : NULL;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	(void)d;
	(void)op;
	(void)in;
	refused = status;
}

static void begin(struct call *c, const struct phi_msg_in *in)
{
	const struct wire_head *head = (const void *)in->data;

	((struct tagged_call *)c)->tag = head->tag;
}

static void answer(struct call *c, int status, struct stage *stage)
{
	(void)stage;
	dropped_with = status;
	n_dropped++;
	call_free(c);
}

static void cancel(void *ptr)
{
	(void)ptr;
	n_cancelled++;
}

static const struct handle_kind handles[KINDS] = {
	[KIND_IDLE] = { THINGS, count_released, NULL },
	[KIND_STOPPED] = { THINGS, count_released, cancel },
};

static const struct daemon_kind kind = {
	.session_size = sizeof(struct session),
	.user_size = sizeof(struct big_user),
	.call_size = sizeof(struct tagged_call),
	.credits = CREDITS,
	.handles = handles,
	.nhandles = KINDS,
	.op = find_op,
	.published = publishes_nothing,
	.refuse = refuse,
	.check = checks_nothing,
	.begin = begin,
	.answer = answer,
	.ended = count_ended,
	.freed = count_freed,
};

FIXTURE(session)
{
	struct daemon d;
	struct session *s[PLACES];
};

/* 0 and 2 are of one user, 1 and 3 of users of their own. */
FIXTURE_SETUP(session)
{
	static const uint32_t uid[PLACES] = { 100, 200, 100, 300 };
	uint32_t i;

	daemon_init(&self->d, &kind);
	for (i = 0; i < PLACES; i++)
		self->s[i] = seat(&self->d, i, uid[i]);
}

/* The end of a daemon frees all that a test left. */
FIXTURE_TEARDOWN(session)
{
	daemon_refuse_new(&self->d);
	daemon_end_sessions(&self->d);
	EXPECT_EQ(n_ended, n_freed);
	EXPECT_EQ(0, self->d.nsessions);
	EXPECT_TRUE(LIST_EMPTY(&self->d.users));
	EXPECT_TRUE(TAILQ_EMPTY(&self->d.turns));
	EXPECT_TRUE(TAILQ_EMPTY(&self->d.active));
	EXPECT_EQ(0, self->d.nactive);
}

static void send_to(struct daemon *d, uint64_t badge, uint64_t tag)
{
	struct wire_head head = { .op = 1, .tag = tag };
	struct phi_msg_in in = { .badge = badge,
				 .reply = 1,
				 .len = sizeof(head) };

	memcpy(in.data, &head, sizeof(head));
	dispatch(d, &in);
}

static void send(struct session *s, uint64_t tag)
{
	send_to(s->daemon, s->badge, tag);
}

/* Take the next call and leave it running; its tag, 0 = there is none. */
static uint64_t take(struct daemon *d, struct call **out)
{
	pthread_mutex_lock(&d->lock);
	*out = call_next(d);
	pthread_mutex_unlock(&d->lock);
	return *out ? ((struct tagged_call *)*out)->tag : 0;
}

/* End a call that ran so many nanoseconds, as a worker does. */
static void finish_after(struct daemon *d, struct call *c, uint64_t ns)
{
	struct session *session = c->session;

	call_free(c);
	pthread_mutex_lock(&d->lock);
	call_ran(session, ns);
	pthread_mutex_unlock(&d->lock);
}

static void finish(struct daemon *d, struct call *c)
{
	finish_after(d, c, 0);
}

TEST_F(session, begins_with_an_endpoint_alone)
{
	static const struct {
		uint32_t ncaps;
		uint32_t type;
		uint32_t rights;
		int err;
	} tries[] = {
		{ 0, PHI_TYPE_ENDPOINT, PHI_RIGHT_SEND, -EINVAL },
		{ 2, PHI_TYPE_ENDPOINT, PHI_RIGHT_SEND, -EINVAL },
		{ 1, PHI_TYPE_NOTIFY, PHI_RIGHT_SEND, -EINVAL },
		{ 1, PHI_TYPE_ENDPOINT, ~PHI_RIGHT_SEND, -EINVAL },
		/* A valid one gets as far as PHI_IOC_ENDPOINT_FD. */
		{ 1, PHI_TYPE_ENDPOINT, PHI_RIGHT_SEND, -EBADF },
	};
	struct session *out = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		struct phi_msg_in in = { .uid = 7, .ncaps = tries[i].ncaps };

		in.caps[0].type = tries[i].type;
		in.caps[0].rights = tries[i].rights;
		EXPECT_EQ(tries[i].err, session_open(&self->d, &in, &out))
		{
			TH_LOG("%zu", i);
		}
		EXPECT_EQ(NULL, out);
	}
	EXPECT_EQ(PLACES, self->d.nsessions);
	EXPECT_EQ(NULL, self->d.sessions[PLACES]);
	EXPECT_EQ(300, LIST_FIRST(&self->d.users)->uid);
}

/* A session whose client cannot be answered ends. */
TEST_F(session, ends_when_its_client_is_gone)
{
	uint64_t badge = self->s[3]->badge;

	session_welcome(self->s[3], 1, "hello", 6, "");
	EXPECT_EQ(1, n_ended);
	EXPECT_EQ(1, n_freed);
	EXPECT_EQ(NULL, session_find(&self->d, badge));
	EXPECT_EQ(PLACES - 1, self->d.nsessions);
}

TEST_F(session, is_found_by_its_own_badge)
{
	uint64_t old = self->s[1]->badge;
	struct session *next;

	EXPECT_EQ(self->s[1], session_find(&self->d, old));
	EXPECT_EQ(NULL, session_find(&self->d, old + DAEMON_SESSIONS_MAX));
	EXPECT_EQ(NULL, session_find(&self->d, PLACES));
	session_close(self->s[1], NULL);
	EXPECT_EQ(NULL, session_find(&self->d, old));
	/* The next session in its place has another badge. */
	next = seat(&self->d, 1, 200);
	EXPECT_EQ(NULL, session_find(&self->d, old));
	EXPECT_EQ(next, session_find(&self->d, next->badge));
	/* A message to the old badge does not reach it. */
	send_to(&self->d, old, 1);
	EXPECT_EQ(-EPIPE, refused);
	EXPECT_EQ(0, next->calls);
	send_to(&self->d, next->badge, 2);
	EXPECT_EQ(1, next->calls);
}

TEST_F(session, shares_its_user)
{
	struct big_user *user = (struct big_user *)self->s[0]->user;
	size_t i;

	EXPECT_EQ(&user->base, self->s[2]->user);
	EXPECT_NE(&user->base, self->s[1]->user);
	EXPECT_EQ(2, user->base.sessions);
	EXPECT_EQ(100, user->base.uid);
	for (i = 0; i < ARRAY_SIZE(user->mine); i++) {
		EXPECT_EQ(0, user->mine[i]);
	}
	user->mine[0] = 1;
	session_close(self->s[0], NULL);
	EXPECT_EQ(1, user->base.sessions);
	session_close(self->s[2], NULL);
	/* The next session of that uid gets a new user. */
	self->s[0] = seat(&self->d, 0, 100);
	EXPECT_EQ(0, ((struct big_user *)self->s[0]->user)->mine[0]);
	EXPECT_EQ(1, self->s[0]->user->sessions);
}

TEST_F(session, takes_its_own_calls_with_it)
{
	struct call *c;

	send(self->s[0], 1);
	send(self->s[2], 2);
	send(self->s[0], 3);
	send(self->s[1], 4);
	session_close(self->s[0], NULL);
	EXPECT_EQ(2, n_dropped);
	EXPECT_EQ(-EPIPE, dropped_with);
	EXPECT_EQ(1, n_freed);
	EXPECT_EQ(2, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(4, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(0, take(&self->d, &c));
}

TEST_F(session, gives_up_its_handles)
{
	struct session *s = self->s[0];
	void *got;
	__u64 id;
	int i;

	for (i = 0; i < THINGS; i++) {
		ASSERT_EQ(0, handle_add(s, KIND_IDLE, s, &id));
		ASSERT_EQ(0, handle_add(s, KIND_STOPPED, s, &id));
	}
	/* There is no place behind the last one. */
	EXPECT_EQ(0, handle_get(s, KIND_STOPPED, id, &got));
	EXPECT_EQ(-EBADF, handle_get(s, KIND_STOPPED, id + 1, &got));
	handle_put(s, KIND_STOPPED, id);
	ASSERT_EQ(0, handle_add(self->s[2], KIND_STOPPED, s, &id));
	s->refs++;
	session_close(s, NULL);
	EXPECT_TRUE(s->dead);
	/* The end cancels them, the last reference frees them. */
	EXPECT_EQ(THINGS, n_cancelled);
	EXPECT_EQ(0, n_released);
	session_put(s);
	EXPECT_EQ(2 * THINGS, n_released);
	EXPECT_EQ(THINGS, n_cancelled);
}

TEST_F(session, is_left_to_a_worker_at_its_end)
{
	struct session *s = self->s[3];

	self->d.nworkers = 1;
	session_close(s, NULL);
	EXPECT_EQ(0, n_freed);
	EXPECT_EQ(s, TAILQ_FIRST(&self->d.reap));
	self->d.nworkers = 0;
	TAILQ_REMOVE(&self->d.reap, s, reap);
	session_free(s);
	EXPECT_EQ(1, n_freed);
}

/* A user gets all workers but one, and the only one. */
TEST_F(session, leaves_a_worker_to_other_users)
{
	struct call *c[4], *none;
	uint64_t tag;

	self->d.share = 2;
	for (tag = 1; tag <= 3; tag++)
		send(self->s[0], tag);
	send(self->s[2], 4);
	EXPECT_EQ(1, take(&self->d, &c[0]));
	EXPECT_EQ(2, take(&self->d, &c[1]));
	EXPECT_EQ(0, take(&self->d, &none));
	send(self->s[1], 5);
	EXPECT_EQ(5, take(&self->d, &c[2]));
	finish(&self->d, c[1]);
	EXPECT_EQ(3, take(&self->d, &c[1]));
	EXPECT_EQ(0, take(&self->d, &none));
	finish(&self->d, c[0]);
	finish(&self->d, c[1]);
	finish(&self->d, c[2]);
	EXPECT_EQ(0, self->s[0]->user->running);
	self->d.share = 1;
	EXPECT_EQ(4, take(&self->d, &c[3]));
	finish(&self->d, c[3]);
}

/* All workers but one are a user's, until others ask too. */
TEST_F(session, shares_workers_with_active_users)
{
	struct call *c[4], *none;
	uint64_t tag;

	self->d.keep = 4;
	self->d.share = 3;
	for (tag = 1; tag <= 4; tag++)
		send(self->s[0], tag);
	for (tag = 1; tag <= 3; tag++)
		EXPECT_EQ(tag, take(&self->d, &c[tag]));
	EXPECT_EQ(0, take(&self->d, &none));
	send(self->s[1], 5);
	EXPECT_EQ(5, take(&self->d, &c[0]));
	/* Two of four, for the other one was here a moment ago. */
	finish(&self->d, c[0]);
	finish(&self->d, c[1]);
	EXPECT_EQ(0, take(&self->d, &none));
	finish(&self->d, c[2]);
	EXPECT_EQ(4, take(&self->d, &c[0]));
	send(self->s[3], 6);
	EXPECT_EQ(6, take(&self->d, &c[1]));
	finish(&self->d, c[0]);
	send(self->s[2], 7);
	EXPECT_EQ(0, take(&self->d, &none));
	/* Each has one, however many there are. */
	finish(&self->d, c[3]);
	EXPECT_EQ(7, take(&self->d, &c[0]));
	send(self->s[0], 8);
	EXPECT_EQ(0, take(&self->d, &none));
	EXPECT_EQ(3, self->d.nactive);
	/* Those who were here long ago do not count. */
	self->s[1]->user->seen = 1;
	self->s[3]->user->seen = 1;
	send(self->s[0], 9);
	EXPECT_EQ(1, self->d.nactive);
	EXPECT_EQ(8, take(&self->d, &c[2]));
	EXPECT_EQ(9, take(&self->d, &c[3]));
	for (tag = 0; tag < 4; tag++)
		finish(&self->d, c[tag]);
}

/* Also when no call comes that could say so. */
TEST_F(session, shares_workers_no_more_with_who_is_gone)
{
	struct call *c[4], *none;
	uint64_t tag;

	self->d.keep = 4;
	self->d.share = 3;
	send(self->s[1], 1);
	EXPECT_EQ(1, take(&self->d, &c[0]));
	finish(&self->d, c[0]);
	for (tag = 1; tag <= 4; tag++)
		send(self->s[0], tag);
	EXPECT_EQ(1, take(&self->d, &c[1]));
	EXPECT_EQ(2, take(&self->d, &c[2]));
	EXPECT_EQ(0, take(&self->d, &none));
	self->s[1]->user->seen = 1;
	EXPECT_EQ(3, take(&self->d, &c[3]));
	EXPECT_EQ(1, self->d.nactive);
	EXPECT_EQ(0, take(&self->d, &none));
	finish(&self->d, c[3]);
	EXPECT_EQ(4, take(&self->d, &c[0]));
	for (tag = 0; tag < 3; tag++)
		finish(&self->d, c[tag]);
}

/* Users take turns; a call that is queued again goes last. */
TEST_F(session, waits_for_its_turn)
{
	static const uint64_t order[] = { 1, 4, 6, 2, 5, 3 };
	struct call *c;
	unsigned int i;

	self->d.nworkers = 0;
	for (i = 1; i <= 3; i++)
		send(self->s[0], i);
	send(self->s[1], 4);
	send(self->s[1], 5);
	send(self->s[3], 6);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(order[i], take(&self->d, &c));
		finish(&self->d, c);
	}
	send(self->s[0], 7);
	send(self->s[0], 8);
	EXPECT_EQ(7, take(&self->d, &c));
	pthread_mutex_lock(&self->d.lock);
	call_requeue(c);
	call_ran(self->s[0], 0);
	pthread_mutex_unlock(&self->d.lock);
	EXPECT_EQ(8, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(7, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(0, take(&self->d, &c));
	EXPECT_EQ(0, self->s[0]->calls);
	EXPECT_EQ(1, self->s[0]->refs);
}

/* Turns are by time: a user of long calls waits for as much of short ones. */
TEST_F(session, pays_with_time)
{
	static const uint64_t second = 1000000000;
	struct call *c;
	uint64_t i;

	send(self->s[0], 1);
	send(self->s[0], 2);
	EXPECT_EQ(1, take(&self->d, &c));
	finish_after(&self->d, c, second);
	for (i = 10; i < 20; i++) {
		send(self->s[1], i);
		EXPECT_EQ(i, take(&self->d, &c));
		finish_after(&self->d, c, second / 10);
	}
	send(self->s[1], 20);
	EXPECT_EQ(2, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(20, take(&self->d, &c));
	finish(&self->d, c);
}

/* Who comes back has no more due than those who were here. */
TEST_F(session, saves_up_no_time)
{
	static const uint64_t second = 1000000000;
	struct call *c;

	send(self->s[0], 1);
	send(self->s[0], 2);
	send(self->s[0], 3);
	EXPECT_EQ(1, take(&self->d, &c));
	finish_after(&self->d, c, second);
	EXPECT_EQ(2, take(&self->d, &c));
	finish(&self->d, c);
	send(self->s[1], 4);
	send(self->s[1], 5);
	EXPECT_EQ(3, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(4, take(&self->d, &c));
	finish(&self->d, c);
	EXPECT_EQ(5, take(&self->d, &c));
	finish(&self->d, c);
}

TEST_HARNESS_MAIN
