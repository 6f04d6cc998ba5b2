// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor under all daemons: from a message to a call, users in turn, to an
 * answer; handles; jobs. The daemon here has three calls, and no kernel's phi.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "call.h"
#include "counts.h"
#include "daemon.h"
#include "handle.h"
#include "job.h"
#include "worker.h"

#define CREDITS 4
#define ANSWERS 64

enum { OP_READ = 1, OP_WRITE, OP_TAKE, OP_NOW, OP_OPEN, OP_NEWS, OPS };
enum { KIND_THING, KIND_JOB, KINDS };

#define THINGS 3

/* Flags of a request. */
#define HOLD 1 /* wait until the gate is opened */

struct thing_call {
	struct call base;
	struct wire_head head;
};

/* What became of calls, in the order in which they ran and were answered. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t started, gate, answered;
static uint64_t order[ANSWERS];
static int status_of[ANSWERS];
static unsigned int n_ran, n_answered;
static int refused;
static unsigned int n_refused, n_now;

static const struct op ops[OPS];

static const struct op *find_op(uint32_t nr)
{
	return nr < OPS && ops[nr].request ? &ops[nr] : NULL;
}

static bool serve_now(struct session *session, const struct phi_msg_in *in)
{
	(void)session;
	(void)in;
	n_now++;
	return true;
}

static const struct op ops[OPS] = {
	[OP_READ] = { .request = sizeof(struct wire_head) },
	[OP_WRITE] = { .request = sizeof(struct wire_head), .writes = true },
	[OP_TAKE] = { .request = sizeof(struct wire_head), .takes = true },
	[OP_NOW] = { .request = sizeof(struct wire_head), .now = serve_now },
	[OP_OPEN] = { .request = sizeof(struct wire_head), .attach = true },
	[OP_NEWS] = { .request = sizeof(struct wire_head) },
};

static bool published(struct daemon *d, const struct phi_msg_in *in)
{
	(void)d;
	return in->badge == 1;
}

static int attach(struct daemon *d, const struct phi_msg_in *in, bool *taken)
{
	(void)d;
	(void)in;
	(void)taken;
	return -EHWPOISON;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	(void)d;
	(void)op;
	(void)in;
	refused = status;
	n_refused++;
}

static int check(struct session *session, const struct op *op,
		 const struct phi_msg_in *in)
{
	(void)session;
	(void)op;
	return in->uid == 666 ? -EPERM : 0;
}

static void begin(struct call *c, const struct phi_msg_in *in)
{
	memcpy(&((struct thing_call *)c)->head, in->data,
	       sizeof(struct wire_head));
}

static struct job *the_job;
static struct job_news news;

static int run(struct call *base, struct stage *stage)
{
	struct thing_call *c = (struct thing_call *)base;

	(void)stage;
	pthread_mutex_lock(&lock);
	order[n_ran++ % ANSWERS] = c->head.tag;
	pthread_mutex_unlock(&lock);
	sem_post(&started);
	if (c->head.flags & HOLD)
		sem_wait(&gate);
	if (c->head.op == OP_NEWS)
		return job_wait(the_job, base, &news);
	return -(int)c->head.tag;
}

static void answer(struct call *base, int status, struct stage *stage)
{
	struct thing_call *c = (struct thing_call *)base;

	(void)stage;
	pthread_mutex_lock(&lock);
	status_of[c->head.tag] = status;
	n_answered++;
	pthread_mutex_unlock(&lock);
	call_free(base);
	sem_post(&answered);
}

static void cancel(void *job)
{
	job_cancel(job);
}

static const struct handle_kind handles[KINDS] = {
	[KIND_THING] = { THINGS, count_released, NULL },
	[KIND_JOB] = { 1, count_released, cancel },
};

static const struct daemon_kind kind = {
	.session_size = sizeof(struct session),
	.user_size = sizeof(struct user),
	.call_size = sizeof(struct thing_call),
	.stage_len = 4096,
	.credits = CREDITS,
	.handles = handles,
	.nhandles = KINDS,
	.op = find_op,
	.published = published,
	.attach = attach,
	.refuse = refuse,
	.check = check,
	.begin = begin,
	.run = run,
	.answer = answer,
	.ended = count_ended,
	.freed = count_freed,
};

FIXTURE(floor)
{
	struct daemon d;
	struct session *s[3];
};

FIXTURE_SETUP(floor)
{
	n_ran = 0;
	n_answered = 0;
	n_freed = 0;
	n_ended = 0;
	n_released = 0;
	n_refused = 0;
	n_now = 0;
	refused = 0;
	the_job = NULL;
	memset(status_of, 0, sizeof(status_of));
	sem_init(&started, 0, 0);
	sem_init(&gate, 0, 0);
	sem_init(&answered, 0, 0);
	daemon_init(&self->d, &kind);
	self->s[0] = seat(&self->d, 0, 100);
	self->s[1] = seat(&self->d, 1, 200);
	self->s[2] = seat(&self->d, 2, 100);
}

/* All that was begun is answered and freed by then. */
FIXTURE_TEARDOWN(floor)
{
	daemon_refuse_new(&self->d);
	if (self->d.workers) {
		jobs_wait(&self->d);
		workers_stop(&self->d);
	}
	daemon_end_sessions(&self->d);
	EXPECT_EQ(n_ended, n_freed);
	EXPECT_EQ(0, self->d.nsessions);
	EXPECT_TRUE(LIST_EMPTY(&self->d.users));
	EXPECT_TRUE(TAILQ_EMPTY(&self->d.turns));
	EXPECT_TRUE(TAILQ_EMPTY(&self->d.reap));
}

static void send_len(struct daemon *d, uint64_t badge, uint32_t op,
		     uint32_t flags, uint64_t tag, uint32_t len)
{
	struct wire_head head = { .op = op, .flags = flags, .tag = tag };
	struct phi_msg_in in = { .badge = badge, .reply = 1, .len = len };

	memcpy(in.data, &head, sizeof(head));
	dispatch(d, &in);
}

static void send(struct session *s, uint32_t op, uint32_t flags, uint64_t tag)
{
	send_len(s->daemon, s->badge, op, flags, tag, sizeof(struct wire_head));
}

static void wait_for(sem_t *sem, unsigned int n)
{
	while (n--)
		sem_wait(sem);
}

TEST_F(floor, refuses_what_is_no_call)
{
	struct phi_msg_in in = { .badge = self->s[0]->badge,
				 .len = sizeof(struct wire_head) };
	struct wire_head head = { .op = OP_READ };

	send(self->s[0], 0, 0, 1);
	EXPECT_EQ(-EINVAL, refused);
	send(self->s[0], OPS, 0, 1);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, self->s[0]->badge, OP_READ, 0, 1,
		 sizeof(struct wire_head) - 1);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, self->s[0]->badge, OP_READ, 0, 1,
		 sizeof(struct wire_head) + 1);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, self->s[0]->badge, OP_READ, 0, 1, 0);
	EXPECT_EQ(-EINVAL, refused);
	/* A session begins no session, and without one nothing else is done. */
	send(self->s[0], OP_OPEN, 0, 1);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, 1, OP_READ, 0, 1, sizeof(struct wire_head));
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, 1, OP_OPEN, 0, 1, 3);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, 1, OP_OPEN, 0, 1, sizeof(struct wire_head) + 1);
	EXPECT_EQ(-EINVAL, refused);
	send_len(&self->d, 1, OP_OPEN, 0, 1, sizeof(struct wire_head));
	EXPECT_EQ(-EHWPOISON, refused);
	/* A capability that has to come does not. */
	send(self->s[0], OP_TAKE, 0, 1);
	EXPECT_EQ(-EINVAL, refused);
	EXPECT_EQ(11, n_refused);
	/* Nobody waits for an answer. */
	memcpy(in.data, &head, sizeof(head));
	dispatch(&self->d, &in);
	in.badge = 1;
	head.op = OP_OPEN;
	memcpy(in.data, &head, sizeof(head));
	dispatch(&self->d, &in);
	EXPECT_EQ(11, n_refused);
	EXPECT_EQ(0, self->s[0]->calls);
}

TEST_F(floor, refuses_what_the_session_may_not)
{
	struct phi_msg_in in = { .badge = self->s[0]->badge,
				 .reply = 1,
				 .uid = 666,
				 .len = sizeof(struct wire_head) };
	struct wire_head head = { .op = OP_READ };

	self->s[0]->read_only = true;
	send(self->s[0], OP_WRITE, 0, 1);
	EXPECT_EQ(-EROFS, refused);
	memcpy(in.data, &head, sizeof(head));
	dispatch(&self->d, &in);
	EXPECT_EQ(-EPERM, refused);
	send_len(&self->d, self->s[0]->badge + DAEMON_SESSIONS_MAX, OP_READ, 0,
		 1, sizeof(struct wire_head));
	EXPECT_EQ(-EPIPE, refused);
	send_len(&self->d, 3 * DAEMON_SESSIONS_MAX - 1, OP_READ, 0, 1,
		 sizeof(struct wire_head));
	EXPECT_EQ(-EPIPE, refused);
	EXPECT_EQ(0, self->s[0]->calls);
	EXPECT_EQ(4, n_refused);
	send(self->s[0], OP_NOW, 0, 1);
	EXPECT_EQ(1, n_now);
	EXPECT_EQ(4, n_refused);
}

TEST_F(floor, a_session_has_so_many_credits)
{
	unsigned int i;

	for (i = 0; i < CREDITS; i++)
		send(self->s[0], OP_READ, 0, i + 1);
	EXPECT_EQ(0, n_refused);
	send(self->s[0], OP_READ, 0, 9);
	EXPECT_EQ(-EAGAIN, refused);
	/* Another session of the same user has its own. */
	send(self->s[2], OP_READ, 0, 10);
	EXPECT_EQ(1, n_refused);
	ASSERT_EQ(0, workers_start(&self->d, 1));
	wait_for(&answered, CREDITS + 1);
	EXPECT_EQ(-1, status_of[1]);
	EXPECT_EQ(-CREDITS, status_of[CREDITS]);
	EXPECT_EQ(-10, status_of[10]);
	EXPECT_EQ(0, status_of[9]);
	send(self->s[0], OP_READ, 0, 11);
	wait_for(&answered, 1);
	EXPECT_EQ(-11, status_of[11]);
	EXPECT_EQ(1, n_refused);
}

TEST_F(floor, users_take_turns)
{
	/* Two sessions of one user are one user. */
	send(self->s[0], OP_READ, 0, 1);
	send(self->s[0], OP_READ, 0, 2);
	send(self->s[2], OP_READ, 0, 3);
	send(self->s[2], OP_READ, 0, 4);
	send(self->s[1], OP_READ, 0, 5);
	send(self->s[1], OP_READ, 0, 6);
	ASSERT_EQ(0, workers_start(&self->d, 1));
	wait_for(&answered, 6);
	EXPECT_EQ(1, order[0]);
	EXPECT_EQ(5, order[1]);
}

TEST_F(floor, one_user_leaves_a_worker_to_others)
{
	ASSERT_EQ(0, workers_start(&self->d, 2));
	send(self->s[0], OP_READ, HOLD, 1);
	wait_for(&started, 1);
	send(self->s[2], OP_READ, HOLD, 2);
	/* Were the second worker taken, this one would not be answered. */
	send(self->s[1], OP_READ, 0, 3);
	wait_for(&answered, 1);
	EXPECT_EQ(-3, status_of[3]);
	EXPECT_EQ(2, n_ran);
	sem_post(&gate);
	sem_post(&gate);
	wait_for(&answered, 2);
	EXPECT_EQ(-2, status_of[2]);
}

/* Others can hold all workers, and a user without any gets one more. */
TEST_F(floor, a_user_waits_for_no_other)
{
	struct session *more[4];
	uint32_t i;

	ASSERT_EQ(0, workers_start(&self->d, 2));
	send(self->s[0], OP_READ, HOLD, 1);
	wait_for(&started, 1);
	send(self->s[1], OP_READ, HOLD, 2);
	wait_for(&started, 1);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = seat(&self->d, 3 + i, 300 + i);
		send(more[i], OP_READ, HOLD, 3 + i);
	}
	wait_for(&started, ARRAY_SIZE(more));
	send(self->s[0], OP_READ, 0, 20);
	send(more[0], OP_READ, 0, 21);
	EXPECT_EQ(6, n_ran);
	for (i = 0; i < 6; i++)
		sem_post(&gate);
	wait_for(&answered, 8);
	EXPECT_EQ(-21, status_of[21]);
	/* No more threads stay than were asked for. */
	do {
		pthread_mutex_lock(&self->d.lock);
		i = self->d.nworkers;
		pthread_mutex_unlock(&self->d.lock);
	} while (i > 2);
	send(self->s[0], OP_READ, HOLD, 1);
	send(self->s[1], OP_READ, HOLD, 2);
	send(more[1], OP_READ, HOLD, 3);
	wait_for(&started, 5);
	for (i = 0; i < 3; i++)
		sem_post(&gate);
}

TEST_F(floor, a_session_that_ends_answers_what_waits)
{
	ASSERT_EQ(0, workers_start(&self->d, 1));
	send(self->s[0], OP_READ, HOLD, 1);
	wait_for(&started, 1);
	send(self->s[0], OP_READ, 0, 2);
	send(self->s[1], OP_READ, 0, 3);
	session_close(self->s[0], NULL);
	EXPECT_EQ(NULL, session_find(&self->d, self->s[1]->badge - 1));
	wait_for(&answered, 1);
	EXPECT_EQ(-EPIPE, status_of[2]);
	EXPECT_EQ(1, n_ended);
	/* What runs keeps it. */
	EXPECT_EQ(0, n_freed);
	sem_post(&gate);
	wait_for(&answered, 2);
	EXPECT_EQ(-1, status_of[1]);
	EXPECT_EQ(-3, status_of[3]);
}

TEST_F(floor, handles_are_never_used_twice)
{
	struct session *s = self->s[0];
	__u64 id[THINGS + 1], job;
	void *got;
	int i;

	for (i = 0; i < THINGS; i++) {
		ASSERT_EQ(0, handle_add(s, KIND_THING, &id[i], &id[i]));
	}
	EXPECT_EQ(-ENOSPC, handle_add(s, KIND_THING, s, &id[THINGS]));
	ASSERT_EQ(0, handle_add(s, KIND_JOB, &job, &job));
	EXPECT_EQ(0, handle_get(s, KIND_THING, id[1], &got));
	EXPECT_EQ(&id[1], got);
	handle_put(s, KIND_THING, id[1]);
	EXPECT_EQ(-EBADF, handle_get(s, KIND_THING, 0, &got));
	EXPECT_EQ(-EBADF, handle_get(s, KIND_THING, job, &got));
	EXPECT_EQ(-EBADF, handle_get(s, KIND_JOB, id[0], &got));
	EXPECT_EQ(-EBADF, handle_get(s, KIND_THING, id[0] + THINGS, &got));
	EXPECT_EQ(-EBADF, handle_get(self->s[1], KIND_THING, id[1], &got));

	ASSERT_EQ(0, handle_get_alone(s, KIND_THING, id[1], &got));
	handle_remove(s, KIND_THING, id[1]);
	EXPECT_EQ(-EBADF, handle_get(s, KIND_THING, id[1], &got));
	ASSERT_EQ(0, handle_add(s, KIND_THING, s, &id[THINGS]));
	EXPECT_NE(id[1], id[THINGS]);
	EXPECT_EQ(-EBADF, handle_get(s, KIND_THING, id[1], &got));
	/* The session's end releases what it holds, the job as well. */
	the_job = calloc(1, sizeof(*the_job));
	ASSERT_EQ(0, handle_get_alone(s, KIND_JOB, job, &got));
	handle_remove(s, KIND_JOB, job);
	ASSERT_EQ(0, handle_add(s, KIND_JOB, the_job, &job));
	session_close(s, NULL);
	EXPECT_EQ(THINGS + 1, n_released);
	EXPECT_TRUE(atomic_load(&the_job->stop));
	EXPECT_EQ(1, n_freed);
	free(the_job);
}

TEST_F(floor, a_handle_is_used_alone_or_beside_others)
{
	struct session *s = self->s[0];
	void *got;
	__u64 id;

	ASSERT_EQ(0, handle_add(s, KIND_THING, s, &id));
	EXPECT_EQ(0, handle_get(s, KIND_THING, id, &got));
	EXPECT_EQ(0, handle_get(s, KIND_THING, id, &got));
	EXPECT_EQ(-EBUSY, handle_get_alone(s, KIND_THING, id, &got));
	handle_put(s, KIND_THING, id);
	EXPECT_EQ(-EBUSY, handle_get_alone(s, KIND_THING, id, &got));
	handle_put(s, KIND_THING, id);
	EXPECT_EQ(0, handle_get_alone(s, KIND_THING, id, &got));
	EXPECT_EQ(-EBUSY, handle_get(s, KIND_THING, id, &got));
	EXPECT_EQ(-EBUSY, handle_get_alone(s, KIND_THING, id, &got));
	handle_put(s, KIND_THING, id);
	EXPECT_EQ(0, handle_get(s, KIND_THING, id, &got));
	handle_put(s, KIND_THING, id);
}

static sem_t job_gate;

static int work_hard(struct job *job)
{
	sem_wait(&job_gate);
	job_report(job, "one");
	job_report(job, "two");
	sem_wait(&job_gate);
	return job_progress(job, 7, 9) ? -EDOM : -ECANCELED;
}

/* Each job is one of its own: one call at a time asks for its news. */
static struct job *job_new(struct session *s)
{
	struct job *job = calloc(1, sizeof(*job));

	sem_init(&job_gate, 0, 0);
	job_init(job, s, work_hard, NULL);
	return job;
}

TEST_F(floor, a_job_tells_its_news)
{
	char text[8];

	ASSERT_EQ(0, workers_start(&self->d, 1));
	the_job = job_new(self->s[0]);
	job_start(the_job);
	EXPECT_EQ(1, self->d.jobs);
	news = (struct job_news){ .text = text, .room = 6 };
	/* Parked until there is a line; then in line again. */
	send(self->s[0], OP_NEWS, 0, 1);
	wait_for(&started, 1);
	sem_post(&job_gate);
	wait_for(&answered, 1);
	EXPECT_EQ(-EINPROGRESS, status_of[1]);
	/* Whole lines only. */
	ASSERT_EQ(4, news.len);
	EXPECT_EQ(0, memcmp("one\n", text, 4));
	news.len = 0;
	send(self->s[0], OP_NEWS, 0, 2);
	wait_for(&answered, 1);
	EXPECT_EQ(-EINPROGRESS, status_of[2]);
	ASSERT_EQ(4, news.len);
	EXPECT_EQ(0, memcmp("two\n", text, 4));
	news.len = 0;
	sem_post(&job_gate);
	do {
		send(self->s[0], OP_NEWS, 0, 3);
		wait_for(&answered, 1);
	} while (status_of[3] == -EINPROGRESS);
	EXPECT_EQ(0, status_of[3]);
	EXPECT_EQ(-EDOM, the_job->status);
	EXPECT_EQ(7, news.done);
	EXPECT_EQ(9, news.total);
	jobs_wait(&self->d);
	job_fini(the_job);
	free(the_job);
}

TEST_F(floor, a_job_ends_with_its_session)
{
	struct session *s = self->s[0];
	__u64 id;

	ASSERT_EQ(0, workers_start(&self->d, 1));
	the_job = job_new(s);
	ASSERT_EQ(0, handle_add(s, KIND_JOB, the_job, &id));
	job_start(the_job);
	session_close(s, NULL);
	EXPECT_EQ(0, n_freed);
	sem_post(&job_gate);
	sem_post(&job_gate);
	jobs_wait(&self->d);
	workers_stop(&self->d);
	EXPECT_EQ(1, n_freed);
	EXPECT_EQ(-ECANCELED, the_job->status);
	job_fini(the_job);
	free(the_job);
}

TEST_F(floor, a_job_that_cannot_start_is_finished)
{
	struct session *s = self->s[0];
	struct job *job = job_new(s);

	s->user->jobs = USER_JOBS_MAX;
	job_start(job);
	EXPECT_TRUE(job->finished);
	EXPECT_EQ(-EAGAIN, job->status);
	s->user->jobs = 0;
	self->d.jobs = JOBS_MAX;
	job_start(job);
	EXPECT_EQ(-EAGAIN, job->status);
	self->d.jobs = 0;
	daemon_refuse_new(&self->d);
	job_start(job);
	EXPECT_EQ(-ECANCELED, job->status);
	EXPECT_EQ(1, s->refs);
	job_fini(job);
	free(job);
}

TEST_HARNESS_MAIN
