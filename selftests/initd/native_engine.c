// SPDX-License-Identifier: GPL-2.0-only
/*
 * When services start and stop: order, groups, backoff and limits, with a
 * clock of the test's own. Real processes are in initd.sh.
 */
#include <kselftest_harness.h>

#include <errno.h>
#include <stdlib.h>

#include "engine.h"

#define MS 1000000ULL
#define RUN "[Service]\nExecStart=/bin/true\n"

/* The first part of the fixture: a start fails with this error, unless 0. */
struct refusal {
	int error;
};

/* Letters say what the engine asked for: +a start, -a stop, !a kill. */
FIXTURE(engine)
{
	struct refusal refuse;
	struct init_engine e;
	struct init_fault fault;
	uint64_t now;
	char said[1024];
};

static void note(FIXTURE_DATA(engine) * self, char what, uint32_t i)
{
	size_t n = strlen(self->said);

	snprintf(self->said + n, sizeof(self->said) - n, "%c%s", what,
		 self->e.services[i].config->name);
}

static int start(void *arg, uint32_t i)
{
	note(arg, '+', i);
	return ((struct refusal *)arg)->error;
}

static void stop(void *arg, uint32_t i, bool hard)
{
	note(arg, hard ? '!' : '-', i);
}

static const struct init_ops ops = { .start = start, .stop = stop };

FIXTURE_SETUP(engine)
{
	memset(&self->e, 0, sizeof(self->e));
	self->e.ops = &ops;
	self->e.arg = self;
	self->now = 1000 * MS;
	self->said[0] = '\0';
	self->refuse.error = 0;
}

FIXTURE_TEARDOWN(engine)
{
	while (self->e.n)
		init_config_free(self->e.services[--self->e.n].config);
}

/* A service of that name, whose file has this beside its command. */
static uint32_t add(FIXTURE_DATA(engine) * self, const char *name,
		    const char *text)
{
	char path[64], all[512];

	snprintf(path, sizeof(path), "%s.service", name);
	snprintf(all, sizeof(all), RUN "%s", text);
	self->e.services[self->e.n].config =
		init_config_parse(path, all, &self->fault);
	return self->e.n++;
}

static uint64_t step(FIXTURE_DATA(engine) * self)
{
	return init_engine_step(&self->e, self->now);
}

static void want_all(FIXTURE_DATA(engine) * self)
{
	uint32_t i;

	for (i = 0; i < self->e.n; i++)
		init_engine_want(&self->e, i, self->now);
	step(self);
}

/* Its process ends, and all others of it. */
static void end(FIXTURE_DATA(engine) * self, uint32_t i, int status)
{
	init_engine_ending(&self->e, i, self->now);
	init_engine_gone(&self->e, i, status, self->now);
	step(self);
}

static void ready(FIXTURE_DATA(engine) * self, uint32_t i)
{
	init_engine_ready(&self->e, i, self->now);
	step(self);
}

#define SAID(_text)                              \
	do {                                     \
		EXPECT_STREQ(_text, self->said); \
		self->said[0] = '\0';            \
	} while (0)
#define STATE(_i) (self->e.services[_i].state)

TEST_F(engine, starts_in_order_and_stops_in_the_other)
{
	add(self, "c", "[Unit]\nAfter=b\n");
	add(self, "a", "");
	add(self, "b", "Type=notify\n[Unit]\nAfter=a\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	SAID("+a+b");
	ready(self, 2);
	SAID("+c");
	init_engine_unwant(&self->e, 0);
	init_engine_unwant(&self->e, 1);
	init_engine_unwant(&self->e, 2);
	step(self);
	SAID("-c");
	end(self, 0, 143);
	SAID("-b");
	end(self, 2, 143);
	SAID("-a");
	EXPECT_FALSE(init_engine_idle(&self->e));
	end(self, 1, 143);
	SAID("");
	EXPECT_TRUE(init_engine_idle(&self->e));
	EXPECT_EQ(PHI_INIT_DOWN, STATE(0));
}

/* One that ends by itself while it waits for its turn to stop. */
TEST_F(engine, an_end_before_the_turn_to_stop_is_no_failure)
{
	add(self, "a", "Restart=always\n");
	add(self, "b", "[Unit]\nAfter=a\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	init_engine_unwant(&self->e, 0);
	init_engine_unwant(&self->e, 1);
	step(self);
	SAID("+a+b-b");
	end(self, 0, 1);
	EXPECT_EQ(PHI_INIT_DOWN, STATE(0));
	EXPECT_EQ(0, self->e.services[0].restarts);
	end(self, 1, 143);
	EXPECT_TRUE(init_engine_idle(&self->e));
}

TEST_F(engine, names_a_cycle)
{
	add(self, "a", "[Unit]\nAfter=b\n");
	add(self, "b", "[Unit]\nAfter=c\n");
	add(self, "c", "[Unit]\nAfter=b\n");
	EXPECT_EQ(-ELOOP, init_order(&self->e, &self->fault));
	EXPECT_NE(NULL, strstr(self->fault.text, "b after c after b") ?:
				strstr(self->fault.text, "c after b after c"));
}

TEST_F(engine, refuses_an_unknown_name)
{
	add(self, "a", "[Unit]\nRequires=b\n");
	EXPECT_EQ(-ENOENT, init_order(&self->e, &self->fault));
	EXPECT_STREQ("a.service: there is no service b to come after",
		     self->fault.text);
}

TEST_F(engine, doubles_the_delay_and_begins_again_after_a_long_run)
{
	uint64_t due;

	add(self, "a",
	    "Restart=always\nRestartSec=10ms\nRestartMaxDelaySec=50ms\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	SAID("+a");
	end(self, 0, 0);
	EXPECT_EQ(PHI_INIT_BACKOFF, STATE(0));
	due = step(self);
	EXPECT_EQ(self->now + 10 * MS, due);
	self->now = due - 1;
	EXPECT_EQ(due, step(self));
	SAID("");
	self->now = due;
	step(self);
	SAID("+a");
	end(self, 0, 1);
	EXPECT_EQ(self->now + 20 * MS, step(self));
	self->now += 20 * MS;
	step(self);
	end(self, 0, 1);
	EXPECT_EQ(self->now + 40 * MS, step(self));
	self->now += 40 * MS;
	step(self);
	end(self, 0, 1);
	EXPECT_EQ(self->now + 50 * MS, step(self));
	self->now += 50 * MS;
	step(self);
	self->now += 50 * MS;
	end(self, 0, 1);
	EXPECT_EQ(self->now + 10 * MS, step(self));
	EXPECT_EQ(5, self->e.services[0].restarts);
}

TEST_F(engine, gives_up_after_too_many_starts)
{
	int i;

	add(self, "a",
	    "RestartSec=1ms\n[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	for (i = 0; i < 3; i++) {
		end(self, 0, 1);
		self->now += 10 * MS;
		step(self);
	}
	SAID("+a+a+a");
	EXPECT_EQ(PHI_INIT_FAILED, STATE(0));
	EXPECT_FALSE(self->e.services[0].wanted);
	/* By hand it starts again, with all its starts. */
	init_engine_want(&self->e, 0, self->now);
	step(self);
	SAID("+a");
	EXPECT_EQ(PHI_INIT_UP, STATE(0));
	/* Starts that are further apart are not too many. */
	for (i = 0; i < 10; i++) {
		end(self, 0, 1);
		self->now += 1000 * MS;
		step(self);
	}
	EXPECT_EQ(PHI_INIT_UP, STATE(0));
}

TEST_F(engine, restarts_what_its_file_says)
{
	static const struct {
		const char *text;
		int status;
		enum phi_init_state state;
	} rows[] = {
		{ "Restart=no\n", 0, PHI_INIT_DONE },
		{ "Restart=no\n", 1, PHI_INIT_FAILED },
		{ "Restart=on-failure\n", 0, PHI_INIT_DONE },
		{ "Restart=on-failure\n", 137, PHI_INIT_BACKOFF },
		{ "Restart=always\n", 0, PHI_INIT_BACKOFF },
		{ "Type=oneshot\n", 0, PHI_INIT_DONE },
		{ "Type=oneshot\n", 1, PHI_INIT_BACKOFF },
	};
	char name[] = "a";
	uint32_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		name[0] = (char)('a' + i);
		add(self, name, rows[i].text);
	}
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	for (i = 0; i < self->e.n; i++) {
		end(self, i, rows[i].status);
		EXPECT_EQ(rows[i].state, STATE(i));
		EXPECT_EQ(rows[i].status, self->e.services[i].status);
	}
}

TEST_F(engine, a_oneshot_is_ready_when_it_has_ended)
{
	add(self, "a", "Type=oneshot\n");
	add(self, "b", "[Unit]\nRequires=a\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	SAID("+a");
	ready(self, 1); /* of one that does not start: nothing */
	SAID("");
	end(self, 0, 0);
	SAID("+b");
	/* Wanted again by b alone, it does not run again. */
	end(self, 1, 0);
	init_engine_want(&self->e, 1, self->now);
	step(self);
	SAID("+b");
	init_engine_want(&self->e, 0, self->now);
	step(self);
	SAID("+a");
}

TEST_F(engine, one_for_all)
{
	add(self, "a", "[Agent]\nGroup=g\nStrategy=one_for_all\n");
	add(self, "b", "[Unit]\nAfter=a\n[Agent]\nGroup=g\n");
	add(self, "c", "");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	SAID("+a+b+c");
	end(self, 0, 1);
	SAID("-b");
	/* Its time has come, but not all of the group has ended. */
	self->now += 200 * MS;
	step(self);
	SAID("");
	end(self, 1, 143);
	SAID("+a+b");
	EXPECT_EQ(PHI_INIT_UP, STATE(1));
	EXPECT_EQ(0, self->e.services[1].restarts);
	/* The end of b is its own: one_for_one. */
	end(self, 1, 1);
	SAID("");
	EXPECT_EQ(PHI_INIT_UP, STATE(0));
}

TEST_F(engine, a_requirement_that_fails_takes_those_along_that_wait)
{
	add(self, "a", "Type=notify\nRestart=no\n");
	add(self, "b", "[Unit]\nRequires=a\n");
	add(self, "c", "[Unit]\nAfter=a\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	SAID("+a");
	end(self, 0, 1);
	SAID("+c");
	EXPECT_EQ(PHI_INIT_FAILED, STATE(1));
	EXPECT_STREQ("a service that it requires has failed",
		     self->e.services[1].why);
}

TEST_F(engine, start_and_stop_take_along_what_is_required)
{
	add(self, "a", "[Agent]\nManual=yes\n");
	add(self, "b", "[Unit]\nRequires=a\n");
	add(self, "c", "[Unit]\nRequires=b\n");
	add(self, "d", "[Unit]\nAfter=a\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	init_engine_want(&self->e, 3, self->now);
	step(self);
	SAID("+d");
	init_engine_want(&self->e, 2, self->now);
	step(self);
	SAID("+a+b+c");
	init_engine_unwant(&self->e, 0);
	step(self);
	SAID("-c");
	end(self, 2, 0);
	SAID("-b");
	end(self, 1, 0);
	SAID("-a");
	end(self, 0, 0);
	EXPECT_EQ(PHI_INIT_UP, STATE(3));
}

TEST_F(engine, kills_what_does_not_stop)
{
	uint64_t due;

	add(self, "a", "TimeoutStopSec=100ms\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	want_all(self);
	init_engine_unwant(&self->e, 0);
	due = step(self);
	SAID("+a-a");
	EXPECT_EQ(self->now + 100 * MS, due);
	self->now = due;
	EXPECT_EQ(0, step(self));
	SAID("!a");
	step(self);
	SAID("");
	end(self, 0, 137);
	EXPECT_EQ(PHI_INIT_DOWN, STATE(0));
}

TEST_F(engine, kills_what_is_not_ready_in_time)
{
	uint64_t due;

	add(self, "a", "Type=notify\nTimeoutStartSec=100ms\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	init_engine_want(&self->e, 0, self->now);
	due = step(self);
	EXPECT_EQ(self->now + 100 * MS, due);
	self->now = due;
	step(self);
	SAID("+a!a");
	/* It has status 0, and has failed in spite of that. */
	end(self, 0, 0);
	EXPECT_EQ(PHI_INIT_BACKOFF, STATE(0));
	EXPECT_STREQ("it was not ready in time", self->e.services[0].why);
}

TEST_F(engine, a_start_that_fails_is_a_failure)
{
	add(self, "a", "RestartSec=1ms\n");
	add(self, "b", "Restart=no\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	self->refuse.error = -ENOENT;
	want_all(self);
	SAID("+a+b");
	EXPECT_EQ(PHI_INIT_BACKOFF, STATE(0));
	EXPECT_EQ(-ENOENT, self->e.services[0].status);
	EXPECT_EQ(PHI_INIT_FAILED, STATE(1));
}

TEST_F(engine, restart_by_hand)
{
	add(self, "a", "");
	add(self, "b", "");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	init_engine_want(&self->e, 0, self->now);
	step(self);
	init_engine_cycle(&self->e, 0, self->now);
	init_engine_cycle(&self->e, 1, self->now);
	step(self);
	SAID("+a-a+b");
	end(self, 0, 1);
	SAID("+a");
	EXPECT_EQ(0, self->e.services[0].restarts);
	/* Wanted while it stops, it starts again. */
	init_engine_unwant(&self->e, 0);
	step(self);
	init_engine_want(&self->e, 0, self->now);
	step(self);
	SAID("-a");
	end(self, 0, 143);
	SAID("+a");
	/* Stopped while it waits to be started again, it does not run. */
	end(self, 1, 1);
	init_engine_unwant(&self->e, 1);
	step(self);
	EXPECT_EQ(PHI_INIT_DOWN, STATE(1));
	self->now += 1000 * MS;
	step(self);
	SAID("");
}

/* Any events in any order end at rest, and no service runs twice. */
TEST_F(engine, any_events)
{
	unsigned int seed = 7;
	uint32_t i;
	int n;

	add(self, "a", "Type=notify\n[Agent]\nGroup=g\nStrategy=one_for_all\n");
	add(self, "b",
	    "Restart=always\n[Unit]\nRequires=a\n[Agent]\nGroup=g\n");
	add(self, "c", "Type=oneshot\n[Unit]\nAfter=b\n");
	add(self, "d", "[Unit]\nRequires=c a\nStartLimitBurst=4\n");
	ASSERT_EQ(0, init_order(&self->e, &self->fault));
	for (n = 0; n < 100000; n++) {
		i = (uint32_t)rand_r(&seed) % self->e.n;
		self->now += (uint64_t)rand_r(&seed) % (50 * MS);
		switch (rand_r(&seed) % 6) {
		case 0:
			init_engine_want(&self->e, i, self->now);
			break;
		case 1:
			init_engine_unwant(&self->e, i);
			break;
		case 2:
			init_engine_cycle(&self->e, i, self->now);
			break;
		case 3:
			init_engine_ready(&self->e, i, self->now);
			break;
		default:
			if (STATE(i) == PHI_INIT_STARTING ||
			    STATE(i) == PHI_INIT_UP ||
			    STATE(i) == PHI_INIT_STOPPING)
				end(self, i, rand_r(&seed) % 2);
		}
		step(self);
		self->said[0] = '\0';
	}
	for (n = 0; n < 100 && !init_engine_idle(&self->e); n++) {
		for (i = 0; i < self->e.n; i++)
			init_engine_unwant(&self->e, i);
		step(self);
		for (i = 0; i < self->e.n; i++) {
			if (STATE(i) == PHI_INIT_STOPPING)
				end(self, i, 0);
		}
	}
	EXPECT_TRUE(init_engine_idle(&self->e));
}

TEST_HARNESS_MAIN
