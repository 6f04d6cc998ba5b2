// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jobs: the lines and the progress that calls learn, and the end of a job. The
 * test asks for news as a worker does; no worker runs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "call.h"
#include "daemon.h"
#include "job.h"

#define LINES 40000 /* more than a job keeps */
#define LINE_BYTES 17 /* no divisor of the room for lines */

static const struct daemon_kind kind = {
	.session_size = sizeof(struct session),
	.user_size = sizeof(struct user),
	.call_size = sizeof(struct call),
};

static unsigned int n_ran, n_lines;

/* The job that pthread_create() frees as soon as its thread has ended. */
static struct job *short_lived;

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);

/*
 * In front of the library's: a thread that has just started can be over, and
 * its job freed by a call that saw the end, before this returns.
 */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		   void *(*run)(void *), void *arg)
{
	create_fn *create = (create_fn *)dlsym(RTLD_NEXT, "pthread_create");
	struct job *job = short_lived;
	int ret = create(thread, attr, run, arg);

	if (!ret && job) {
		jobs_wait(job->session->daemon);
		job_fini(job);
		free(job);
	}
	return ret;
}

static void ran(struct job *job)
{
	(void)job;
	n_ran++;
}

static int report_lines(struct job *job)
{
	char line[2 * LINE_BYTES];
	unsigned int i;

	for (i = 0; i < n_lines; i++) {
		snprintf(line, sizeof(line), "a line %09u", i);
		job_report(job, line);
	}
	return -EDOM;
}

FIXTURE(job)
{
	struct daemon d;
	struct session *s;
	struct job job;
	struct call call[2];
};

FIXTURE_SETUP(job)
{
	struct session *s = calloc(1, sizeof(*s));

	daemon_init(&self->d, &kind);
	s->daemon = &self->d;
	s->refs = 1;
	s->life_fd = -1;
	s->user = user_get(&self->d, 100);
	self->d.sessions[0] = s;
	self->d.nsessions = 1;
	self->s = s;
	self->call[0].session = s;
	self->call[1].session = s;
	job_init(&self->job, s, report_lines, ran);
}

FIXTURE_TEARDOWN(job)
{
	daemon_refuse_new(&self->d);
	jobs_wait(&self->d);
	EXPECT_EQ(0, self->s->user->jobs);
	EXPECT_EQ(1, self->s->refs);
	daemon_end_sessions(&self->d);
	EXPECT_TRUE(LIST_EMPTY(&self->d.users));
	job_fini(&self->job);
}

/* The call that is in line, taken out; or NULL. */
static struct call *woken(struct session *s)
{
	struct call *c = TAILQ_FIRST(&s->user->waiting);

	if (c)
		call_unqueue(c);
	return c;
}

static void run_to_its_end(struct daemon *d, struct job *job)
{
	job_start(job);
	jobs_wait(d);
}

TEST_F(job, wakes_the_call_that_waits)
{
	struct job_news news = {};
	char text[16];

	EXPECT_EQ(CALL_PARKED, job_wait(&self->job, &self->call[0], &news));
	EXPECT_EQ(-EBUSY, job_wait(&self->job, &self->call[1], &news));
	EXPECT_EQ(NULL, woken(self->s));
	job_report(&self->job, "hello");
	EXPECT_EQ(&self->call[0], woken(self->s));
	/* Once: a second line wakes nobody. */
	job_report(&self->job, "there");
	EXPECT_EQ(NULL, woken(self->s));
	news.text = text;
	news.room = sizeof(text);
	EXPECT_EQ(-EINPROGRESS, job_wait(&self->job, &self->call[1], &news));
	ASSERT_EQ(12, news.len);
	EXPECT_EQ(0, memcmp("hello\nthere\n", text, 12));
	/* Progress is news when the last is old enough. */
	self->job.told_ns = 0;
	news.len = 0;
	self->job.waiter = &self->call[1];
	EXPECT_TRUE(job_progress(&self->job, 3, 4));
	EXPECT_EQ(&self->call[1], woken(self->s));
	EXPECT_EQ(-EINPROGRESS, job_wait(&self->job, &self->call[1], &news));
	EXPECT_EQ(3, news.done);
	EXPECT_EQ(4, news.total);
	EXPECT_EQ(0, news.len);
	EXPECT_EQ(CALL_PARKED, job_wait(&self->job, &self->call[1], &news));
	job_cancel(&self->job);
	EXPECT_FALSE(job_progress(&self->job, 4, 4));
	/* What asks alone hears the same, and is no news. */
	EXPECT_FALSE(job_progress(&self->job, 0, 0));
	EXPECT_EQ(4, self->job.total);
}

TEST_F(job, gives_whole_lines)
{
	struct job_news news = {};
	char text[2 * LINE_BYTES];
	unsigned int i;

	n_lines = 5;
	run_to_its_end(&self->d, &self->job);
	EXPECT_EQ(1, n_ran);
	EXPECT_TRUE(self->job.finished);
	EXPECT_EQ(-EDOM, self->job.status);
	/* One line at a time where two do not fit, until none is left. */
	for (i = 0; i < 5; i++) {
		news = (struct job_news){ .text = text,
					  .room = 2 * LINE_BYTES - 1 };
		EXPECT_EQ(i < 4 ? -EINPROGRESS : 0,
			  job_wait(&self->job, &self->call[0], &news));
		EXPECT_EQ(LINE_BYTES, news.len);
	}
}

/* Each line is whole, or counted by the last one. */
TEST_F(job, counts_the_lines_that_it_lost)
{
	char *text = calloc(1, LINES * LINE_BYTES + 1), *line;
	struct job_news news = {};
	unsigned int n = 0, lost = 0;
	size_t len = 0;
	int ret;
	char want[2 * LINE_BYTES];

	n_lines = LINES;
	run_to_its_end(&self->d, &self->job);
	do {
		news = (struct job_news){ .text = text + len, .room = 5000 };
		ret = job_wait(&self->job, &self->call[0], &news);
		len += news.len;
	} while (ret == -EINPROGRESS && len + 5000 < LINES * LINE_BYTES);
	EXPECT_EQ(0, ret);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "%u more lines were lost", &lost) == 1)
			break;
		snprintf(want, sizeof(want), "a line %09u", n);
		ASSERT_STREQ(want, line);
		n++;
	}
	EXPECT_LT(0, lost);
	EXPECT_EQ(LINES, n + lost);
	EXPECT_EQ(NULL, strtok(NULL, "\n"));
	free(text);
}

TEST_F(job, that_cannot_start_wakes_its_call)
{
	struct job_news news = {};

	EXPECT_EQ(CALL_PARKED, job_wait(&self->job, &self->call[0], &news));
	self->s->user->jobs = USER_JOBS_MAX;
	job_start(&self->job);
	self->s->user->jobs = 0;
	EXPECT_EQ(1, n_ran);
	EXPECT_EQ(-EAGAIN, self->job.status);
	EXPECT_EQ(&self->call[0], woken(self->s));
	EXPECT_EQ(0, job_wait(&self->job, &self->call[0], &news));
}

/* The last job that a user, and the daemon, may have. */
TEST_F(job, starts_when_there_is_room_for_one)
{
	self->s->user->jobs = USER_JOBS_MAX - 1;
	self->d.jobs = JOBS_MAX - 1;
	n_lines = 1;
	job_start(&self->job);
	pthread_mutex_lock(&self->d.lock);
	self->s->user->jobs -= USER_JOBS_MAX - 1;
	self->d.jobs -= JOBS_MAX - 1;
	pthread_mutex_unlock(&self->d.lock);
	jobs_wait(&self->d);
	EXPECT_TRUE(self->job.finished);
	EXPECT_EQ(-EDOM, self->job.status);
	EXPECT_EQ(1, n_ran);
	EXPECT_EQ(LINE_BYTES, self->job.text_len);
}

TEST_F(job, is_left_alone_once_it_runs)
{
	struct job *job = calloc(1, sizeof(*job));

	ASSERT_NE(NULL, job);
	job_init(job, self->s, report_lines, ran);
	n_ran = 0;
	short_lived = job;
	job_start(job);
	short_lived = NULL;
	EXPECT_EQ(1, n_ran);
}

TEST_HARNESS_MAIN
