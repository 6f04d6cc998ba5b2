// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x03, 0x04 and 0x05: memory, locks and semaphores; tasks and channels in
 * programs, which say themselves what they return.
 */
#include <core/stream.h>
#include <kselftest_harness.h>
#include <program/program.h>

#include "dispatch.h"

FIXTURE(sync)
{
	struct dispatch d;
};

FIXTURE_SETUP(sync)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(sync)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

TEST_F(sync, memory_is_read_and_written_in_its_bounds)
{
	struct mathis_item m;

	ASSERT_EQ(0, DO("mem_alloc", INT(16)));
	m = RESULT;
	EXPECT_EQ(0, DO("mem_read", m, INT(12), INT(4)));
	EXPECT_TRUE(RESULT.n == 4 && !memcmp(RESULT.text, "\0\0\0\0", 4));
	EXPECT_EQ(0, DO("mem_write", m, INT(14), BYTES("ab", 2)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("mem_write", m, INT(15), BYTES("ab", 2)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("mem_read", m, INT(13), INT(4)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("mem_read", m, INT(INT64_MAX), INT(1)));
	EXPECT_EQ(0, DO("mem_read", m, INT(16), INT(0)));
	EXPECT_EQ(0, DO("mem_read", m, INT(14), INT(2)));
	EXPECT_TRUE(!memcmp(RESULT.text, "ab", 2));
	EXPECT_EQ(0, DO("mem_free", m));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("mem_free", m));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("mem_read", m, INT(0), INT(0)));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("mem_write", m, INT(0), BYTES("", 0)));
}

TEST_F(sync, memory_of_a_session_has_a_limit)
{
	struct mathis_item first;

	ASSERT_EQ(0, DO("mem_alloc", INT(64 << 20)));
	first = RESULT;
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, DO("mem_alloc", INT(64 << 20)));
	EXPECT_EQ(MATHIS_LIMIT, DO("mem_alloc", INT(1)));
	EXPECT_EQ(0, DO("mem_free", first));
	EXPECT_EQ(0, DO("mem_alloc", INT(1)));
}

/* Begin a call as a task of a program does. */
static struct md_call *as(struct dispatch *d, uint64_t task, const char *name,
			  struct mathis_item arg)
{
	struct md_call *c;

	c = md_call_new(d->session,
			(uint16_t)mathis_call_number(name, strlen(name)), 1);
	c->ticket = ++d->tickets;
	c->task = task;
	c->args[0] = arg;
	md_call_start(c);
	return c;
}

static int end_as(struct dispatch *d, uint64_t task, const char *name,
		  struct mathis_item arg)
{
	struct md_call *c = as(d, task, name, arg);
	int code = dispatch_wait(d, c);

	md_call_put(c);
	return code;
}

static bool abandoned(const struct md_call *c)
{
	return mathis_item_get(&c->result, "abandoned")->i;
}

TEST_F(sync, mutex_lock_is_first_come_first_served)
{
	struct md_call *second, *third;
	struct mathis_item m;

	ASSERT_EQ(0, DO("mutex_new"));
	m = RESULT;
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_lock", m));
	EXPECT_EQ(MATHIS_BAD_OPERATION, end_as(&self->d, 1, "mutex_lock", m));
	EXPECT_EQ(MATHIS_BAD_OPERATION, end_as(&self->d, 2, "mutex_unlock", m));
	second = as(&self->d, 2, "mutex_lock", m);
	third = as(&self->d, 3, "mutex_lock", m);
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_unlock", m));
	EXPECT_EQ(0, dispatch_wait(&self->d, second));
	EXPECT_FALSE(abandoned(second));
	EXPECT_EQ(MATHIS_BAD_OPERATION, end_as(&self->d, 3, "mutex_unlock", m));
	/* The holder ends. */
	md_session_task_ended(self->d.session, 2);
	EXPECT_EQ(0, dispatch_wait(&self->d, third));
	EXPECT_TRUE(abandoned(third));
	EXPECT_EQ(0, end_as(&self->d, 3, "mutex_unlock", m));
	EXPECT_EQ(MATHIS_BAD_OPERATION, end_as(&self->d, 3, "mutex_unlock", m));
	md_call_put(second);
	md_call_put(third);
}

TEST_F(sync, one_that_waits_for_a_mutex_is_cancelled)
{
	struct md_call *second, *third;
	struct mathis_item m;

	ASSERT_EQ(0, DO("mutex_new"));
	m = RESULT;
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_lock", m));
	second = as(&self->d, 2, "mutex_lock", m);
	third = as(&self->d, 3, "mutex_lock", m);
	EXPECT_EQ(0, md_session_cancel(self->d.session, second->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, second));
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_unlock", m));
	EXPECT_EQ(0, dispatch_wait(&self->d, third));
	md_call_put(second);
	md_call_put(third);
	/* The teardown ends the session while the lock is held, and waited for. */
	EXPECT_NE(NULL, as(&self->d, 4, "mutex_lock", m));
}

TEST_F(sync, a_task_that_ended_gets_no_mutex)
{
	struct md_call *second;
	struct mathis_item m;

	ASSERT_EQ(0, DO("mutex_new"));
	m = RESULT;
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_lock", m));
	second = as(&self->d, 2, "mutex_lock", m);
	md_session_task_ended(self->d.session, 2);
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_unlock", m));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, second));
	md_call_put(second);
	EXPECT_EQ(0, end_as(&self->d, 3, "mutex_lock", m));
}

/* A call is stopped, and what it waits for hears of that only later. */
static void stop_unheard(struct dispatch *d, struct md_call *c)
{
	c->cancel = NULL;
	md_call_stop(c, MATHIS_TIMEOUT);
	if (dispatch_wait(d, c) != MATHIS_TIMEOUT)
		abort();
	md_call_put(c);
}

TEST_F(sync, a_stopped_call_passes_a_lock_on)
{
	struct mathis_item m, s;
	struct md_call *third;

	ASSERT_EQ(0, DO("mutex_new"));
	m = RESULT;
	EXPECT_EQ(0, end_as(&self->d, 1, "mutex_lock", m));
	stop_unheard(&self->d, as(&self->d, 2, "mutex_lock", m));
	third = as(&self->d, 3, "mutex_lock", m);
	md_session_task_ended(self->d.session, 1);
	EXPECT_EQ(0, dispatch_wait(&self->d, third));
	EXPECT_TRUE(abandoned(third));
	md_call_put(third);
	EXPECT_EQ(0, end_as(&self->d, 3, "mutex_unlock", m));
	ASSERT_EQ(0, DO("sem_new", INT(0)));
	s = RESULT;
	stop_unheard(&self->d, as(&self->d, 2, "sem_acquire", s));
	EXPECT_EQ(0, DO("sem_release", s, INT(1)));
	EXPECT_EQ(0, end_as(&self->d, 3, "sem_acquire", s));
}

TEST_F(sync, a_stopped_call_passes_a_value_on)
{
	uint16_t id = (uint16_t)mathis_call_number("mutex_new", 9);
	struct md_call *c = md_call_new(self->d.session, id, 0);
	struct md_stream *stream = md_stream_new(4, NULL, NULL);
	struct md_event *e = md_event_new();

	ASSERT_EQ(0, md_return_stream(c, stream));
	stop_unheard(&self->d,
		     dispatch_begin(&self->d, "stream_next", &c->result, 1));
	e->item = INT(7);
	EXPECT_TRUE(md_stream_add(stream, e));
	EXPECT_EQ(0, DO("stream_next", c->result));
	EXPECT_EQ(7, RESULT.i);
	md_call_put(c);
	md_stream_put(stream);
}

TEST_F(sync, calls_that_wait_have_a_limit)
{
	static struct md_call *calls[MD_CALLS_MAX];
	struct mathis_item s;

	ASSERT_EQ(0, DO("sem_new", INT(0)));
	s = RESULT;
	/* The one that made it counts. */
	for (int i = 1; i < MD_CALLS_MAX; i++)
		calls[i] = as(&self->d, 1, "sem_acquire", s);
	EXPECT_EQ(MATHIS_LIMIT, end_as(&self->d, 1, "sem_acquire", s));
	/* The end of the session ends them. */
	for (int i = 1; i < MD_CALLS_MAX; i++)
		EXPECT_EQ(MD_RUNS, calls[i]->state);
}

/* Tickets are the caller's: no choice of them makes one slot long. */
TEST_F(sync, tickets_are_spread)
{
	static struct md_call *calls[MD_CALLS_MAX];
	struct md_session *s = self->d.session;
	struct mathis_item sem;
	struct md_call *c;

	ASSERT_EQ(0, DO("sem_new", INT(0)));
	sem = RESULT;
	for (int i = 1; i < MD_CALLS_MAX; i++) {
		self->d.tickets = (uint64_t)i << 20;
		calls[i] = as(&self->d, 1, "sem_acquire", sem);
	}
	for (size_t i = 0; i < s->n_slots; i++) {
		int n = 0;

		LIST_FOREACH(c, &s->slots[i], same)
		n++;
		EXPECT_GT(32, n);
	}
	EXPECT_EQ(0, md_session_cancel(s, calls[7]->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, calls[7]));
}

/* All locks of a task are passed on in one go, whoever gets which. */
TEST_F(sync, a_task_ends_with_many_locks)
{
	enum { N = 60 };
	struct mathis_item locks[N];
	struct md_call *calls[N];

	for (int i = 0; i < N; i++) {
		ASSERT_EQ(0, DO("mutex_new"));
		locks[i] = RESULT;
		EXPECT_EQ(0,
			  end_as(&self->d, 1 + i % 2, "mutex_lock", locks[i]));
		calls[i] = as(&self->d, 3 + i % 2, "mutex_lock", locks[i]);
	}
	md_session_task_ended(self->d.session, 2);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(i % 2 ? MD_ENDED : MD_RUNS, calls[i]->state);
	md_session_task_ended(self->d.session, 1);
	for (int i = 0; i < N; i++) {
		EXPECT_EQ(0, dispatch_wait(&self->d, calls[i]));
		md_call_put(calls[i]);
	}
}

TEST_F(sync, sem_acquire_takes_what_sem_release_gives)
{
	struct md_call *calls[3];
	struct mathis_item s;

	ASSERT_EQ(0, DO("sem_new", INT(1)));
	s = RESULT;
	EXPECT_EQ(0, DO("sem_acquire", s));
	for (int i = 0; i < 3; i++)
		calls[i] = dispatch_begin(&self->d, "sem_acquire", &s, 1);
	EXPECT_EQ(0, DO("sem_release", s, INT(2)));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[0]));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[1]));
	EXPECT_EQ(0, DO("sem_release", s));
	EXPECT_EQ(0, dispatch_wait(&self->d, calls[2]));
	for (int i = 0; i < 3; i++)
		md_call_put(calls[i]);
	EXPECT_EQ(0, DO("sem_release", s, INT(INT32_MAX)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("sem_release", s));
}

/* Run main of a source: its result as text, or the name of its error. */
static const char *result_of(struct dispatch *d, const char *source)
{
	static char text[128];
	struct mathis_host host = { 0 };
	struct md_session *s = md_session_new(d->core);
	struct mathis_module *module;
	struct md_program p;
	size_t size;
	void *file;

	if (mathis_assemble(source, strlen(source), "t", 0, NULL, NULL, &file,
			    &size) ||
	    mathis_load(file, size, &module, NULL) ||
	    mathis_verify(module, NULL, NULL))
		return "no program";
	free(file);
	md_program_init(&p, s, &host);
	if (mathis_machine_new(module, NULL, &host, &p.machine) ||
	    mathis_start(p.machine, "main", NULL, 0))
		abort();
	if (md_program_run(&p) == MATHIS_DONE)
		mathis_show(mathis_result(p.machine), text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s",
			 mathis_code_name(mathis_error(p.machine)->code));
	md_program_fini(&p);
	md_session_end(s);
	mathis_machine_free(p.machine);
	mathis_unload(module);
	return text;
}

#define ADD ".func add\n.arity 2\nGET_LOCAL 0 GET_LOCAL 1 ADD RET\n.end\n"
#define FAILS ".func fails\nCONST_STR \"oops\" THROW\n.end\n"
#define WAITS                                                               \
	".func waits\nCONST_I64 1 SYSCALL chan_new SYSCALL chan_recv RET\n" \
	".end\n"
#define SEND                                                                \
	".func send\n.arity 1\nGET_LOCAL 0 CONST_I64 8 SYSCALL chan_send\n" \
	"RET\n.end\n"
#define MAIN ".func main\n.locals 4\n"

static const struct {
	const char *source;
	const char *result;
} programs[] = {
	/* task_spawn, task_await */
	{ ADD MAIN "CONST_FUNC \"add\" CONST_I64 1 CONST_I64 2 MAKE_LIST 2\n"
		   "SYSCALL task_spawn SYSCALL task_await RET\n.end\n",
	  "3" },
	{ FAILS MAIN "SPAWN \"fails\" SYSCALL task_await.result\n"
		     "CONST_STR \"value\" GET_FIELD_DYN RET\n.end\n",
	  "\"oops\"" },
	{ MAIN "CONST_I64 1 SYSCALL task_await RET\n.end\n", "ArgType" },
	{ ADD MAIN "CONST_I64 1 CONST_I64 1 SPAWN \"add\"\n"
		   "SYSCALL task_await.future AWAIT RET\n.end\n",
	  "Unsupported" },
	/* task_status, task_yield, task_self */
	{ ADD MAIN "CONST_I64 1 CONST_I64 2 SPAWN \"add\" SET_LOCAL 0\n"
		   "GET_LOCAL 0 SYSCALL task_status SYSCALL task_yield POP\n"
		   "GET_LOCAL 0 SYSCALL task_status MAKE_LIST 2 RET\n.end\n",
	  "[\"ready\", \"done\"]" },
	{ WAITS FAILS MAIN
	  "SPAWN \"waits\" SET_LOCAL 0 SPAWN \"fails\" SET_LOCAL 1\n"
	  "SYSCALL task_yield POP GET_LOCAL 0 SYSCALL task_status\n"
	  "GET_LOCAL 1 SYSCALL task_status MAKE_LIST 2 RET\n.end\n",
	  "[\"waits\", \"failed\"]" },
	{ MAIN "SYSCALL task_self SYSCALL task_self EQ RET\n.end\n", "true" },
	/* task_kill: one that waits, one that is ready, main */
	{ WAITS MAIN "SPAWN \"waits\" SET_LOCAL 0 SYSCALL task_yield POP\n"
		     "GET_LOCAL 0 SYSCALL task_kill POP\n"
		     "GET_LOCAL 0 SYSCALL task_await RET\n.end\n",
	  "Cancelled" },
	{ WAITS MAIN "SPAWN \"waits\" SET_LOCAL 0 SPAWN \"waits\" POP\n"
		     "GET_LOCAL 0 SYSCALL task_kill POP\n"
		     "GET_LOCAL 0 SYSCALL task_kill POP\n"
		     "GET_LOCAL 0 SYSCALL task_status RET\n.end\n",
	  "\"failed\"" },
	/* chan_new, chan_send, chan_recv, chan_close, chan_select */
	{ MAIN "CONST_I64 2 SYSCALL chan_new SET_LOCAL 0\n"
	       "GET_LOCAL 0 CONST_I64 7 SYSCALL chan_send POP\n"
	       "GET_LOCAL 0 SYSCALL chan_recv RET\n.end\n",
	  "7" },
	{ ".func send\n.arity 1\nGET_LOCAL 0 CONST_I64 8 SYSCALL chan_send\n"
	  "RET\n.end\n" MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
	  "CONST_I64 1 SYSCALL chan_new SET_LOCAL 1\n"
	  "GET_LOCAL 1 SPAWN \"send\" POP\n"
	  "GET_LOCAL 0 GET_LOCAL 1 MAKE_LIST 2 SYSCALL chan_select\n"
	  "RET\n.end\n",
	  "(1, 8)" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
	       "GET_LOCAL 0 SYSCALL chan_close POP\n"
	       "GET_LOCAL 0 SYSCALL chan_recv RET\n.end\n",
	  "Closed" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
	       "GET_LOCAL 0 SYSCALL chan_close POP CONST_I64 5\n"
	       "GET_LOCAL 0 MAKE_LIST 1 SYSCALL chan_select.result\n"
	       "CONST_STR \"variant\" GET_FIELD_DYN MAKE_LIST 2 RET\n.end\n",
	  "[5, 1]" },
	{ MAIN "MAKE_LIST 0 SYSCALL chan_select RET\n.end\n", "ArgRange" },
	/* A wait that has an end. */
	{ MAIN "CONST_I64 1 SYSCALL chan_new CONST_I64 1\n"
	       "SYSCALL_N chan_recv 2 RET\n.end\n",
	  "none" },
	{ SEND MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
		    "GET_LOCAL 0 SPAWN \"send\" POP GET_LOCAL 0\n"
		    "CONST_I64 2147483647 SYSCALL_N chan_recv 2 RET\n.end\n",
	  "8" },
	{ SEND MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
		    "GET_LOCAL 0 SPAWN \"send\" SYSCALL task_await POP\n"
		    "GET_LOCAL 0 CONST_I64 0 SYSCALL_N chan_recv 2 RET\n.end\n",
	  "8" },
	{ ADD MAIN "CONST_I64 1 SYSCALL chan_new CONST_I64 1 CONST_I64 2\n"
		   "SPAWN \"add\" SYSCALL_N chan_recv 2 RET\n.end\n",
	  "none" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new CONST_I64 -1\n"
	       "SYSCALL_N chan_recv.result 2 CONST_STR \"variant\"\n"
	       "GET_FIELD_DYN RET\n.end\n",
	  "1" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new CONST_I64 -1\n"
	       "SYSCALL_N chan_recv 2 RET\n.end\n",
	  "ArgRange" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new CONST_STR \"1\"\n"
	       "SYSCALL_N chan_recv 2 RET\n.end\n",
	  "ArgType" },
	{ MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0 GET_LOCAL 0\n"
	       "SYSCALL chan_close POP GET_LOCAL 0 CONST_I64 9\n"
	       "SYSCALL_N chan_recv 2 RET\n.end\n",
	  "Closed" },
	{ WAITS MAIN "SPAWN \"waits\" CONST_I64 1 SYSCALL_N task_await 2\n"
		     "RET\n.end\n",
	  "Timeout" },
	{ ADD MAIN
	  "CONST_I64 1 CONST_I64 2 SPAWN \"add\" CONST_I64 2147483647\n"
	  "SYSCALL_N task_await 2 RET\n.end\n",
	  "3" },
	{ FAILS MAIN "SPAWN \"fails\" CONST_I64 2147483647\n"
		     "SYSCALL_N task_await.result 2\n"
		     "CONST_STR \"value\" GET_FIELD_DYN RET\n.end\n",
	  "\"oops\"" },
	{ MAIN "CONST_I64 1 CONST_I64 1 SYSCALL_N task_await 2 RET\n.end\n",
	  "ArgType" },
	/* Each one sleeps no longer than its wait: no 4096 calls are under way. */
	{ SEND MAIN "CONST_I64 1 SYSCALL chan_new SET_LOCAL 0\n"
		    "CONST_I64 0 SET_LOCAL 1\n.l: GET_LOCAL 0 SPAWN \"send\"\n"
		    "POP GET_LOCAL 0 CONST_I64 2147483647\n"
		    "SYSCALL_N chan_recv 2 POP GET_LOCAL 1 CONST_I64 1 ADD\n"
		    "DUP SET_LOCAL 1 CONST_I64 5000 LT JUMP_IF_TRUE .l\n"
		    "GET_LOCAL 1 RET\n.end\n",
	  "5000" },
	/* mem_stats, gc_collect */
	{ MAIN "SYSCALL gc_collect POP SYSCALL mem_stats CONST_STR \"limit\"\n"
	       "INDEX RET\n.end\n",
	  "268435456" },
	/* future_await, future_cancel */
	{ MAIN "CONST_I64 1 SYSCALL sem_new.future SYSCALL future_await\n"
	       "SYSCALL sem_acquire RET\n.end\n",
	  "none" },
	{ MAIN "CONST_I64 0 SYSCALL sem_new SYSCALL sem_acquire.future\n"
	       "SET_LOCAL 0 GET_LOCAL 0 SYSCALL future_cancel POP\n"
	       "GET_LOCAL 0 SYSCALL future_await RET\n.end\n",
	  "Cancelled" },
	{ MAIN "CONST_I64 1 SYSCALL sem_new SYSCALL sem_acquire.future\n"
	       "SYSCALL future_cancel RET\n.end\n",
	  "false" },
	/* A task that is killed in a call, and one that ends with a lock. */
	{ ".func takes\n.arity 1\nGET_LOCAL 0 SYSCALL sem_acquire RET\n.end\n" MAIN
	  "CONST_I64 0 SYSCALL sem_new SET_LOCAL 1\n"
	  "GET_LOCAL 1 SPAWN \"takes\" SET_LOCAL 0 SYSCALL task_yield POP\n"
	  "GET_LOCAL 0 SYSCALL task_status GET_LOCAL 0 SYSCALL task_kill\n"
	  "POP GET_LOCAL 0 SYSCALL task_status MAKE_LIST 2 RET\n.end\n",
	  "[\"calls\", \"failed\"]" },
	{ ".func locks\n.arity 1\nGET_LOCAL 0 SYSCALL mutex_lock RET\n.end\n" MAIN
	  "SYSCALL mutex_new SET_LOCAL 1\n"
	  "GET_LOCAL 1 SPAWN \"locks\" SYSCALL task_await POP\n"
	  "GET_LOCAL 1 SYSCALL mutex_lock CONST_STR \"abandoned\" INDEX\n"
	  "RET\n.end\n",
	  "true" },
	/* What a branch locked, the task unlocks that goes on as it. */
	{ MAIN "SYSCALL mutex_new SET_LOCAL 1\n"
	       "AI_FORK 1 GET_LOCAL 1 SYSCALL mutex_lock POP CONST_I64 1\n"
	       "AI_MERGE POP GET_LOCAL 1 SYSCALL mutex_unlock RET\n.end\n",
	  "none" },
};

TEST_F(sync, programs_with_tasks_and_channels)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		EXPECT_STREQ(programs[i].result,
			     result_of(&self->d, programs[i].source))
		{
			TH_LOG("%s", programs[i].source);
		}
	}
}

TEST_HARNESS_MAIN
