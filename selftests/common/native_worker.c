// SPDX-License-Identifier: GPL-2.0-only
/* Threads that run the calls of a daemon find what may run, also by themselves. */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "call.h"
#include "counts.h"
#include "daemon.h"
#include "handle.h"
#include "worker.h"

#define TOGETHER 3

static const struct op any_op = { .request = sizeof(struct wire_head) };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static unsigned int there;
static sem_t answered;

static const struct op *find_op(uint32_t nr)
{
	return nr <= 2 ? &any_op : NULL;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	(void)d;
	(void)op;
	(void)in;
	(void)status;
}

static void begin(struct call *c, const struct phi_msg_in *in)
{
	(void)c;
	(void)in;
}

/* Those of user 100 end when so many of them run. */
static int run(struct call *c, struct stage *stage)
{
	(void)stage;
	if (c->session->uid != 100)
		return 0;
	pthread_mutex_lock(&lock);
	there++;
	pthread_cond_broadcast(&more);
	while (there < TOGETHER)
		pthread_cond_wait(&more, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}

static void answer(struct call *c, int status, struct stage *stage)
{
	(void)status;
	(void)stage;
	call_free(c);
	sem_post(&answered);
}

static const struct daemon_kind kind = {
	.session_size = sizeof(struct session),
	.user_size = sizeof(struct user),
	.call_size = sizeof(struct call),
	.stage_len = 4096,
	.credits = 8,
	.op = find_op,
	.published = publishes_nothing,
	.refuse = refuse,
	.check = checks_nothing,
	.begin = begin,
	.run = run,
	.answer = answer,
	.ended = count_ended,
	.freed = count_freed,
};

static void send(struct session *s)
{
	struct wire_head head = { .op = 1 };
	struct phi_msg_in in = { .badge = s->badge,
				 .reply = 1,
				 .len = sizeof(head) };

	memcpy(in.data, &head, sizeof(head));
	dispatch(s->daemon, &in);
}

/* Two of four are its part beside another, and three when that one is gone. */
TEST(a_user_has_more_workers_when_another_is_gone)
{
	struct session *s[2];
	static struct daemon d;
	int i;

	sem_init(&answered, 0, 0);
	daemon_init(&d, &kind);
	ASSERT_EQ(0, workers_start(&d, 4));
	s[0] = seat(&d, 0, 100);
	s[1] = seat(&d, 1, 200);
	send(s[1]);
	for (i = 0; i < TOGETHER; i++)
		send(s[0]);
	for (i = 0; i < 1 + TOGETHER; i++)
		sem_wait(&answered);
	EXPECT_EQ(TOGETHER, there);
	daemon_refuse_new(&d);
	workers_stop(&d);
	daemon_end_sessions(&d);
	EXPECT_EQ(0, d.nsessions);
}

TEST_HARNESS_MAIN
