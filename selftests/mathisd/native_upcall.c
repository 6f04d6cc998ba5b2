// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions of a program that are run while it waits, and streams.
 */
#include <core/stream.h>
#include <core/upcall.h>
#include <fcntl.h>
#include <kselftest_harness.h>
#include <mathis/upcall.h>
#include <program/program.h>

#include "dispatch.h"

static const char source[] =
	".func twice\n.arity 1\nGET_LOCAL 0 CONST_I64 2 MUL RET\n.end\n"
	".func fails\nCONST_STR \"oops\" THROW\n.end\n"
	".func waits\nCONST_I64 1 SYSCALL 0x0500 CHANNEL_RECV RET\n.end\n"
	".func prints\nCONST_STR \"up\" SYSCALL io_println RET\n.end\n"
	".func gives\nCONST_FUNC \"fails\" MAKE_LIST 1 RET\n.end\n"
	".func task\nSPAWN \"fails\" RET\n.end\n"
	".func main\nSYSCALL io_input RET\n.end\n";

enum { TWICE, FAILS, WAITS, PRINTS, GIVES, TASK };

FIXTURE(upcall)
{
	struct dispatch d;
	struct mathis_module *module;
	struct mathis_host host;
	struct md_program program;
	struct md_func *funcs[TASK + 1];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	int in[2];
	int out[2];
	bool running;
};

static struct md_func *take(FIXTURE_DATA(upcall) * self, uint32_t index,
			    unsigned int arity)
{
	struct mathis_value v = { .kind = MATHIS_FUNC, .aux = index };
	struct md_call *c = md_call_new(self->d.session, 0x0520, 1);
	struct md_func *f;
	uint32_t slot;

	if (mathis_hold(self->program.machine, v, &slot))
		abort();
	c->args[0] = (struct mathis_item){ .kind = MATHIS_FUNC,
					   .aux = arity,
					   .i = slot };
	f = md_func_take(c, &c->args[0]);
	md_call_put(c);
	return f;
}

static void *run(void *arg)
{
	return (void *)(intptr_t)md_program_run(arg);
}

FIXTURE_SETUP(upcall)
{
	size_t size;
	void *file;

	ASSERT_TRUE(dispatch_init(&self->d));
	ASSERT_EQ(0, pipe(self->in) | pipe(self->out));
	self->d.session->console[0] = self->in[0];
	self->d.session->console[1] = self->out[1];
	ASSERT_EQ(0, mathis_assemble(source, strlen(source), "t", 0, NULL, NULL,
				     &file, &size));
	ASSERT_EQ(0, mathis_load(file, size, &self->module, NULL));
	free(file);
	ASSERT_EQ(0, mathis_verify(self->module, NULL, NULL));
	md_program_init(&self->program, self->d.session, &self->host);
	ASSERT_EQ(0, mathis_machine_new(self->module, NULL, &self->host,
					&self->program.machine));
	ASSERT_EQ(0, mathis_start(self->program.machine, "main", NULL, 0));
	for (uint32_t i = 0; i <= TASK; i++)
		self->funcs[i] = take(self, i, i == TWICE);
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->ended, NULL);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, run, &self->program));
	self->running = true;
}

/* The program ends, and says how. */
static int end(FIXTURE_DATA(upcall) * self)
{
	void *state;

	if (!self->running)
		return -1;
	self->running = false;
	if (write(self->in[1], "x\n", 2) != 2)
		abort();
	pthread_join(self->thread, &state);
	md_program_fini(&self->program);
	return (int)(intptr_t)state;
}

FIXTURE_TEARDOWN(upcall)
{
	end(self);
	for (int i = 0; i <= TASK; i++)
		md_func_put(self->funcs[i]);
	mathis_machine_free(self->program.machine);
	mathis_unload(self->module);
	dispatch_fini(&self->d);
}

/* An upcall of a test, and whether it has ended. */
struct one {
	FIXTURE_DATA(upcall) * self;
	int done;
};

static void done(struct md_upcall *u)
{
	struct one *one = u->own;

	pthread_mutex_lock(&one->self->lock);
	one->done++;
	pthread_cond_broadcast(&one->self->ended);
	pthread_mutex_unlock(&one->self->lock);
}

static struct md_upcall *begin(FIXTURE_DATA(upcall) * self, struct one *one,
			       int func, uint64_t ms)
{
	struct md_upcall *u = md_upcall_new(self->funcs[func]);

	*one = (struct one){ .self = self };
	u->own = one;
	u->done = done;
	if (func == TWICE)
		u->args[u->n++] = INT(21);
	if (md_upcall_start(u, ms))
		abort();
	return u;
}

static int wait_for(struct md_upcall *u)
{
	struct one *one = u->own;

	pthread_mutex_lock(&one->self->lock);
	while (!one->done)
		pthread_cond_wait(&one->self->ended, &one->self->lock);
	pthread_mutex_unlock(&one->self->lock);
	return u->code;
}

TEST_F(upcall, runs_while_the_program_waits)
{
	struct md_upcall *u;
	char text[8];
	struct one one;

	for (int i = 0; i < 100; i++) {
		u = begin(self, &one, TWICE, 0);
		EXPECT_EQ(MATHIS_OK, wait_for(u));
		EXPECT_EQ(42, u->result.i);
		md_upcall_put(u);
	}
	u = begin(self, &one, PRINTS, 60000);
	EXPECT_EQ(MATHIS_OK, wait_for(u));
	md_upcall_put(u);
	EXPECT_EQ(3, read(self->out[0], text, sizeof(text)));
	EXPECT_EQ(MATHIS_DONE, end(self));
}

TEST_F(upcall, runs_while_another_prints_to_a_full_pipe)
{
	struct md_upcall *prints, *twice;
	struct one one, other;
	char page[4096] = "";
	ssize_t n = 0;

	ASSERT_EQ(4096, fcntl(self->out[1], F_SETPIPE_SZ, 4096));
	ASSERT_EQ(4096, write(self->out[1], page, sizeof(page)));
	prints = begin(self, &one, PRINTS, 0);
	/* It begins after the other, which waits. */
	for (int i = 0; i < 100; i++) {
		twice = begin(self, &other, TWICE, 0);
		EXPECT_EQ(MATHIS_OK, wait_for(twice));
		md_upcall_put(twice);
	}
	EXPECT_EQ(0, one.done);
	while (n < 4096)
		n += read(self->out[0], page, sizeof(page) - n);
	EXPECT_EQ(3, read(self->out[0], page, sizeof(page)));
	EXPECT_EQ(0, memcmp(page, "up\n", 3));
	EXPECT_EQ(MATHIS_OK, wait_for(prints));
	md_upcall_put(prints);
	EXPECT_EQ(MATHIS_DONE, end(self));
}

TEST_F(upcall, tells_the_error_of_the_function)
{
	struct md_upcall *u;
	struct one one;

	u = begin(self, &one, FAILS, 0);
	EXPECT_EQ(MATHIS_HANDLER, wait_for(u));
	EXPECT_TRUE(mathis_item_is(&u->result, "oops"));
	md_upcall_put(u);
	/* Results that cannot leave the machine. */
	u = begin(self, &one, TASK, 0);
	EXPECT_EQ(MATHIS_ARG_TYPE, wait_for(u));
	md_upcall_put(u);
	u = begin(self, &one, GIVES, 0);
	EXPECT_EQ(MATHIS_OK, wait_for(u));
	EXPECT_EQ(-1, u->result.items[0].i);
	md_upcall_put(u);
	EXPECT_EQ(MATHIS_DONE, end(self));
}

TEST_F(upcall, refuses_another_count_of_values)
{
	struct md_upcall *u = md_upcall_new(self->funcs[TWICE]);
	struct one one = { .self = self };

	u->own = &one;
	u->done = done;
	EXPECT_EQ(0, md_upcall_start(u, 0));
	EXPECT_EQ(MATHIS_ARITY, wait_for(u));
	md_upcall_put(u);
}

TEST_F(upcall, ends_at_its_deadline)
{
	struct md_upcall *u;
	struct one one;

	u = begin(self, &one, WAITS, 1);
	EXPECT_EQ(MATHIS_TIMEOUT, wait_for(u));
	md_upcall_put(u);
	u = begin(self, &one, TWICE, 0);
	EXPECT_EQ(MATHIS_OK, wait_for(u));
	md_upcall_put(u);
	EXPECT_EQ(1, one.done);
}

TEST_F(upcall, ends_with_the_program)
{
	struct one ones[8];
	struct md_upcall *us[8];

	for (int i = 0; i < 8; i++)
		us[i] = begin(self, &ones[i], WAITS, 0);
	EXPECT_EQ(MATHIS_DONE, end(self));
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(MATHIS_HANDLER, wait_for(us[i]));
		EXPECT_EQ(1, ones[i].done);
		EXPECT_EQ(-EPIPE, md_upcall_start(us[i], 0));
		md_upcall_put(us[i]);
	}
}

TEST_F(upcall, has_a_limit)
{
	struct one one = { .self = self };
	int n = 0, ret = 0;

	while (!ret && n <= MD_UPCALLS_MAX) {
		struct md_upcall *u = md_upcall_new(self->funcs[WAITS]);

		u->own = &one;
		u->done = done;
		ret = md_upcall_start(u, 0);
		n += !ret;
		md_upcall_put(u);
	}
	EXPECT_EQ(-EBUSY, ret);
	EXPECT_EQ(MD_UPCALLS_MAX, n);
	EXPECT_EQ(MATHIS_DONE, end(self));
	EXPECT_EQ(n, one.done);
}

FIXTURE(stream)
{
	struct dispatch d;
	struct md_stream *s;
	struct mathis_item h;
	int closed;
};

static void closed(void *arg)
{
	(*(int *)arg)++;
}

FIXTURE_SETUP(stream)
{
	struct md_call *c;

	ASSERT_TRUE(dispatch_init(&self->d));
	self->s = md_stream_new(2, closed, &self->closed);
	c = md_call_new(self->d.session, 0x0520, 0);
	ASSERT_EQ(MD_DONE, md_return_stream(c, self->s));
	self->h = c->result;
	md_call_put(c);
}

FIXTURE_TEARDOWN(stream)
{
	md_stream_put(self->s);
	dispatch_fini(&self->d);
}

static bool add(struct md_stream *s, int64_t i)
{
	struct md_event *e = md_event_new();

	e->item = INT(i);
	return md_stream_add(s, e);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

TEST_F(stream, stream_next_takes_values_in_order)
{
	EXPECT_TRUE(add(self->s, 1));
	EXPECT_TRUE(add(self->s, 2));
	EXPECT_TRUE(add(self->s, 3));
	EXPECT_TRUE(add(self->s, 4));
	EXPECT_EQ(0, DO("stream_next", self->h));
	EXPECT_EQ(1, RESULT.i);
	EXPECT_EQ(0, DO("stream_next", self->h, INT(0)));
	EXPECT_EQ(2, RESULT.i);
	/* It had room for two. */
	EXPECT_EQ(0, DO("stream_next", self->h));
	EXPECT_EQ(2, mathis_item_get(&RESULT, "dropped")->i);
	EXPECT_EQ(0, DO("stream_next", self->h, INT(0)));
	EXPECT_EQ(MATHIS_NONE, RESULT.kind);
	EXPECT_EQ(0, DO("stream_next", self->h, INT(1)));
	EXPECT_EQ(MATHIS_NONE, RESULT.kind);
}

TEST_F(stream, stream_next_waits)
{
	struct md_call *calls[3];
	struct mathis_item args[] = { self->h, INT(60000) };

	for (int i = 0; i < 3; i++)
		calls[i] = dispatch_begin(&self->d, "stream_next", args,
					  1 + i % 2);
	EXPECT_TRUE(add(self->s, 1));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[0]));
	EXPECT_EQ(1, calls[0]->result.i);
	EXPECT_EQ(0, md_session_cancel(self->d.session, calls[1]->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, calls[1]));
	EXPECT_TRUE(add(self->s, 2));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[2]));
	EXPECT_EQ(2, calls[2]->result.i);
	for (int i = 0; i < 3; i++)
		md_call_put(calls[i]);
}

TEST_F(stream, stream_close_ends_those_that_wait)
{
	struct md_call *c;

	c = dispatch_begin(&self->d, "stream_next", &self->h, 1);
	EXPECT_EQ(0, DO("stream_close", self->h));
	EXPECT_EQ(MATHIS_CLOSED, dispatch_wait(&self->d, c));
	md_call_put(c);
	EXPECT_EQ(1, self->closed);
	EXPECT_FALSE(add(self->s, 1));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("stream_next", self->h));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("stream_close", self->h));
}

TEST_F(stream, an_end_comes_behind_the_values)
{
	struct md_call *c;

	EXPECT_TRUE(add(self->s, 1));
	EXPECT_EQ(0, DO("stream_next", self->h));
	c = dispatch_begin(&self->d, "stream_next", &self->h, 1);
	EXPECT_TRUE(add(self->s, 2));
	EXPECT_TRUE(add(self->s, 3));
	md_stream_end(self->s, MATHIS_IO, "the source broke");
	EXPECT_EQ(0, dispatch_wait(&self->d, c));
	md_call_put(c);
	EXPECT_EQ(0, DO("stream_next", self->h));
	EXPECT_EQ(3, RESULT.i);
	EXPECT_EQ(MATHIS_IO, DO("stream_next", self->h));
	EXPECT_STREQ("the source broke", MESSAGE);
	EXPECT_EQ(0, self->closed);
}

TEST_F(stream, the_session_ends_while_a_call_waits)
{
	/* The teardown cancels it, and then puts it. */
	EXPECT_NE(NULL, dispatch_begin(&self->d, "stream_next", &self->h, 1));
}

TEST_HARNESS_MAIN
