// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine and its embedder: calls that take their time, events, fuel,
 * places of errors, and memory that runs out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "started.h"

static struct mathis_value number(int64_t i)
{
	return (struct mathis_value){ .kind = MATHIS_INT, .i = i };
}

/* An embedder that notes what happens. */
struct embedder {
	uint64_t ticket;
	int ret;
	struct mathis_value arg;
	int64_t choice; /* of ai_decide */
	char events[512];
};

static int make_call(void *arg, struct mathis_call *call)
{
	struct embedder *e = arg;

	e->ticket = call->ticket;
	e->arg = call->args[0];
	if (call->id == 0x3001)
		return mathis_call_fail(call, MATHIS_CLOSED, "no %d", 7);
	if (call->id == 0x3002)
		return -EIO;
	if (call->id == 0x3003)
		return mathis_new_str(call->machine, "made", 4, &call->result);
	if (call->id == 0x0a03)
		call->result = number(e->choice);
	return e->ret;
}

/* lib:double */
static int make_native(void *arg, struct mathis_call *call)
{
	struct embedder *e = arg;

	e->ticket = call->ticket;
	if (strcmp(call->native, "lib:double"))
		return mathis_call_fail(call, MATHIS_NOT_FOUND, "no such one");
	call->result = call->args[0];
	call->result.i *= 2;
	return e->ret;
}

static void hear(void *arg, enum mathis_event event, const char *text)
{
	struct embedder *e = arg;
	size_t n = strlen(e->events);

	snprintf(e->events + n, sizeof(e->events) - n, "%d:%s ", event, text);
}

FIXTURE(machine)
{
	struct embedder e;
	struct mathis_host host;
	struct mathis_module *module;
	struct mathis_machine *m;
};

FIXTURE_SETUP(machine)
{
	self->host = (struct mathis_host){ .arg = &self->e,
					   .call = make_call,
					   .native = make_native,
					   .event = hear };
}

FIXTURE_TEARDOWN(machine)
{
	mathis_machine_free(self->m);
	mathis_unload(self->module);
}

TEST_F(machine, waits_for_a_call)
{
	START(".func main\nCONST_I64 5 SYSCALL_N 0x3000 1 CONST_I64 1 ADD RET\n"
	      ".end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(5, self->e.arg.i);
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(-ENOENT, mathis_complete(self->m, 99, 0, number(1), NULL));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(41), NULL));
	EXPECT_EQ(-ENOENT, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
					   number(41), NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("42");
}

TEST_F(machine, catches_the_failure_of_a_call_it_waited_for)
{
	START(".func main\nTRY_START .h CONST_I64 5 SYSCALL_N 0x3000 1 RET\n"
	      ".h: CATCH DUP CONST_STR \"code\" INDEX SWAP\n"
	      "CONST_STR \"message\" INDEX MAKE_TUPLE 2 RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_IO,
				     number(0), "broken"));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(31, \"broken\")");
}

TEST_F(machine, gets_a_result_of_a_call_it_waited_for)
{
	START(".func main\nCONST_I64 5 SYSCALL_N 0xb000 1\n"
	      "CONST_I64 6 SYSCALL_N 0xb000 1 GET_FIELD 1\n"
	      "CONST_STR \"message\" INDEX MAKE_TUPLE 2 RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(7), NULL));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_IO,
				     number(0), "broken"));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(Ok(7), \"broken\")");
}

TEST_F(machine, awaits_calls_that_are_futures)
{
	uint64_t first;

	START(".func main\n.locals 1\nCONST_I64 1 SYSCALL_N 0x7000 1\n"
	      "SET_LOCAL 0 CONST_I64 2 SYSCALL_N 0x7000 1 AWAIT\n"
	      "GET_LOCAL 0 AWAIT MAKE_TUPLE 2 RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(2, self->e.arg.i);
	first = self->e.ticket - 1;
	EXPECT_EQ(0,
		  mathis_complete(self->m, first, MATHIS_OK, number(10), NULL));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(20), NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(20, 10)");
}

TEST_F(machine, drops_the_result_of_a_log_it_waited_for)
{
	START(".func main\nCONST_I64 3 CONST_STR \"m\" AI_LOG 2 RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(2, self->e.arg.i);
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(0), NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("3");
}

TEST_F(machine, runs_other_tasks_while_one_calls)
{
	START(".func other\nCONST_I64 5 RET\n.end\n"
	      ".func caller\nCONST_NONE SYSCALL_N 0x3000 1 RET\n.end\n"
	      ".func main\nSPAWN \"caller\" SPAWN \"other\" AWAIT SWAP AWAIT\n"
	      "MAKE_TUPLE 2 RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(6), NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(5, 6)");
}

/* An error waits in a task while another one collects. */
TEST_F(machine, keeps_an_error_that_is_not_thrown)
{
	uint64_t first;

	START(".func busy\nCONST_NONE SYSCALL_N 0x3000 1 POP MAKE_LIST 0 RET\n"
	      ".end\n.func main\nSPAWN \"busy\" POP\n"
	      "TRY_START .h CONST_I64 5 SYSCALL_N 0x3000 1 RET\n"
	      ".h: CATCH CONST_STR \"message\" INDEX RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	first = self->e.ticket - 1;
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(0), NULL));
	EXPECT_EQ(0, mathis_complete(self->m, first, MATHIS_IO, number(0),
				     "broken"));
	self->m->stress = true;
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("\"broken\"");
}

#define THREE_TEXTS                                                     \
	".globals:\nn: i64 = 0\n.func main\n.locals 1\nCONST_I64 8\n"   \
	"AI_FORK 3 GET_GLOBAL 0 CONST_I64 1 ADD DUP SET_GLOBAL 0\n"     \
	"SET_LOCAL 0 CONST_STR \"b\" GET_LOCAL 0 CAST \"str\" CONCAT\n" \
	"AI_MERGE GET_LOCAL 0 MAKE_TUPLE 3 RET\n.end"

TEST_F(machine, goes_on_as_the_branch_that_is_chosen)
{
	self->e.choice = 1;
	START(THREE_TEXTS);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(8, \"b2\", 2)");
}

TEST_F(machine, goes_on_as_the_branch_it_waited_for)
{
	START(THREE_TEXTS);
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	mathis_collect(self->m);
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_OK,
				     number(2), NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(8, \"b3\", 3)");
}

TEST_F(machine, refuses_a_branch_that_is_not_there)
{
	self->e.choice = 3;
	START(THREE_TEXTS);
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_EQ(MATHIS_ARG_RANGE, mathis_error(self->m)->code);
}

/* Branches that wait for calls are dropped with the fork. */
TEST_F(machine, drops_branches_when_none_is_chosen)
{
	START(".func main\nTRY_START .h AI_FORK 2 CONST_STR \"a\" AI_MERGE RET\n"
	      ".h: CATCH POP AI_FORK 2 CONST_I64 4 AI_MERGE RET\n.end");
	self->e.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(0, mathis_complete(self->m, self->e.ticket, MATHIS_IO,
				     number(0), "broken"));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("4");
}

TEST_F(machine, calls_native_functions)
{
	START(".func double\n.arity 1\n.extern \"lib\" \"double\"\n.end\n"
	      ".func none\n.extern \"lib\" \"none\"\n.end\n"
	      ".func main\nCONST_I64 21 NATIVE_CALL \"double\"\n"
	      "TRY_START .h NATIVE_CALL \"none\" RET\n"
	      ".h: CATCH CONST_STR \"message\" INDEX MAKE_TUPLE 2 RET\n.end");
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(42, \"lib:none: no such one\")");
}

TEST_F(machine, says_why_a_call_failed)
{
	START(".func main\nCONST_NONE SYSCALL_N 0x3001 1 RET\n.end");
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_EQ(MATHIS_CLOSED, mathis_error(self->m)->code);
	EXPECT_STREQ("call 0x3001: no 7", mathis_error(self->m)->text);
}

TEST_F(machine, says_that_a_call_failed_without_a_reason)
{
	START(".func main\nCONST_NONE SYSCALL_N 0x3002 1 RET\n.end");
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_EQ(MATHIS_IO, mathis_error(self->m)->code);
}

TEST_F(machine, keeps_what_a_call_made)
{
	START(".func main\nCONST_NONE SYSCALL_N 0x3003 1 CONST_NONE\n"
	      "SYSCALL_N 0xb003 1 MAKE_TUPLE 2 RET\n.end");
	self->m->stress = true;
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(\"made\", Ok(\"made\"))");
}

TEST_F(machine, hears_events)
{
	self->host.trace = true;
	START(".func f\nCONST_I64 1 TRACE RET\n.end\n"
	      ".func bad\nCONST_STR \"by_zero\" THROW\n.end\n"
	      ".func main\nCALL \"f\" 0 POP PROFILE_START \"p\" BREAKPOINT\n"
	      "SPAWN \"bad\" POP CONST_NONE YIELD CONST_NONE RET\n.end");
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_STREQ("0:main 0:f 2:1 1:f 5:p 3: 0:bad 7:\"by_zero\" 1:main ",
		     self->e.events);
}

TEST_F(machine, finds_the_place_of_an_error)
{
	START(".func f\nCONST_I64 1\nCONST_I64 0\nDIV RET\n.end\n"
	      ".func main\nNOP\nCALL \"f\" 0\nRET\n.end");
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_STREQ("f", mathis_error(self->m)->function);
	EXPECT_EQ(18, mathis_error(self->m)->offset);
	EXPECT_EQ(4, mathis_error(self->m)->line);
	EXPECT_STREQ("sample.masm", mathis_error(self->m)->file);
}

TEST_F(machine, spends_a_unit_an_instruction)
{
	const struct mathis_limits limits = { .fuel = 3 };

	START_LIMITED(".func main\nNOP NOP NOP NOP CONST_I64 9 RET\n.end",
		      &limits);
	EXPECT_EQ(3, mathis_fuel(self->m));
	EXPECT_EQ(MATHIS_NO_FUEL, mathis_run(self->m));
	EXPECT_EQ(0, mathis_fuel(self->m));
	EXPECT_EQ(MATHIS_NO_FUEL, mathis_run(self->m));
	mathis_fuel_add(self->m, 2);
	EXPECT_EQ(MATHIS_NO_FUEL, mathis_run(self->m));
	mathis_fuel_add(self->m, 5);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(4, mathis_fuel(self->m));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("9");
	mathis_fuel_add(self->m, UINT64_MAX);
	EXPECT_EQ(INT64_MAX, mathis_fuel(self->m));
}

TEST_F(machine, spends_fuel_for_bytes)
{
	const struct mathis_limits limits = { .fuel = 1000000 };
	int64_t left;

	START_LIMITED(
		".func main\nCONST_I64 64000 ALLOC POP CONST_NONE RET\n.end",
		&limits);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	left = mathis_fuel(self->m);
	EXPECT_GE(1000000 - 1000, left);
	EXPECT_LE(1000000 - 1100, left);
}

TEST_F(machine, spends_fuel_for_what_a_collection_keeps)
{
	const struct mathis_limits limits = { .fuel = 1000000 };

	START_LIMITED(
		".func main\nCONST_I64 640000 ALLOC CONST_I64 640000 ALLOC HALT\n"
		".end",
		&limits);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	/* Two pieces, and the collection before the second. */
	EXPECT_GE(1000000 - 30000, mathis_fuel(self->m));
}

TEST_F(machine, starts_what_there_is)
{
	struct mathis_value args[2] = { number(1), number(2) };

	ASSERT_EQ(0,
		  sample_load(".func other\n.arity 2\nGET_LOCAL 1 RET\n.end\n"
			      ".func main\nCONST_NONE RET\n.end",
			      &self->module));
	ASSERT_EQ(0, mathis_machine_new(self->module, NULL, &self->host,
					&self->m));
	EXPECT_EQ(-EINVAL, mathis_run(self->m));
	EXPECT_EQ(-ENOENT, mathis_start(self->m, "none", NULL, 0));
	EXPECT_EQ(-EINVAL, mathis_start(self->m, "other", args, 1));
	EXPECT_EQ(0, mathis_start(self->m, "other", args, 2));
	EXPECT_EQ(-EBUSY, mathis_start(self->m, "other", args, 2));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("2");
}

TEST_F(machine, runs_only_what_was_verified)
{
	struct sample s;

	sample_assemble(&s, ".func main\nCONST_NONE RET\n.end", 0);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &self->module, NULL));
	sample_fini(&s);
	EXPECT_EQ(-EINVAL,
		  mathis_machine_new(self->module, NULL, NULL, &self->m));
	ASSERT_EQ(0, mathis_verify(self->module, NULL, NULL));
	self->host.arity = (int (*)(void *, uint16_t))(void *)hear;
	EXPECT_EQ(-EINVAL, mathis_machine_new(self->module, NULL, &self->host,
					      &self->m));
}

TEST_F(machine, makes_values)
{
	struct mathis_value list, text, v;
	size_t n;

	START(".func main\nCONST_NONE RET\n.end");
	self->m->stress = true;
	ASSERT_EQ(0, mathis_new_list(self->m, &list));
	ASSERT_EQ(0, mathis_new_str(self->m, "ab", 2, &text));
	EXPECT_EQ(-EILSEQ, mathis_new_str(self->m, "\xff", 1, &v));
	EXPECT_EQ(0, mathis_list_add(self->m, list, text));
	EXPECT_EQ(-EINVAL, mathis_list_add(self->m, text, text));
	EXPECT_EQ(0, mathis_list_at(list, 0, &v));
	EXPECT_STREQ("ab", mathis_text(v, &n));
	EXPECT_EQ(2, n);
	EXPECT_EQ(-ERANGE, mathis_list_at(list, 1, &v));
	EXPECT_EQ(-EINVAL, mathis_list_at(text, 0, &v));
	EXPECT_EQ(NULL, mathis_text(list, &n));
}

TEST_F(machine, shows_as_much_as_fits)
{
	struct mathis_value text;
	char out[8];

	START(".func main\nCONST_NONE RET\n.end");
	ASSERT_EQ(0, mathis_new_str(self->m, "abcdefgh", 8, &text));
	mathis_show(text, out, sizeof(out));
	EXPECT_STREQ("\"abc...", out);
	mathis_show(number(1234567), out, sizeof(out));
	EXPECT_STREQ("1234567", out);
}

#define DUP5 "DUP DUP DUP DUP DUP "
#define WIDE DUP5 DUP5 DUP5 "MAKE_LIST 16\n"

TEST_F(machine, prints_no_more_than_is_read)
{
	const struct mathis_limits limits = { .fuel = 1000 };

	START_LIMITED(".func main\nCONST_I64 7\n" WIDE WIDE WIDE WIDE WIDE
		      "TRACE DUP AI_LEARN \"x\" THROW\n.end",
		      &limits);
	sample_largest = 0;
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_GE(10000, sample_largest);
	EXPECT_EQ(0, strncmp("[[[[[...], [", mathis_error(self->m)->text, 12));
}

TEST_F(machine, spends_fuel_for_what_it_prints)
{
	const struct mathis_limits limits = { .fuel = 1000 };

	START_LIMITED(
		".func main\nCONST_I64 7\n" WIDE WIDE WIDE
		"TRACE TRACE TRACE TRACE TRACE TRACE TRACE TRACE HALT\n.end",
		&limits);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	/* 58 instructions, 3 lists of 5 units, 8 texts of 3 units. */
	EXPECT_GE(1000 - 58 - 15 - 24, mathis_fuel(self->m));
}

TEST_F(machine, spends_fuel_for_the_names_of_fields)
{
	const struct mathis_limits limits = { .fuel = 100000 };
	char source[8192] = ".types:\n.struct S\n";

	for (int i = 0; i < 100; i++)
		sprintf(source + strlen(source), "field%02d: any\n", i);
	strcat(source, ".end\n.func main\n.locals 1\nCONST_NONE\n");
	for (int i = 1; i < 100; i++)
		strcat(source, i % 20 ? "DUP " : "DUP\n");
	strcat(source, "MAKE_STRUCT \"S\" 100 SET_LOCAL 0\n");
	for (int i = 0; i < 10; i++)
		strcat(source,
		       "GET_LOCAL 0 CONST_STR \"field99\" GET_FIELD_DYN POP\n");
	strcat(source, "HALT\n.end");
	START_LIMITED(source, &limits);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	/* Ten searches among 100 fields of 16 bytes or more. */
	EXPECT_GE(100000 - 142 - 250, mathis_fuel(self->m));
}

TEST_F(machine, spends_fuel_for_a_panic)
{
	const struct mathis_limits limits = { .fuel = 100 };

	START_LIMITED(".func main\nCONST_STR \"why\" PANIC\n.end", &limits);
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_STREQ("why", mathis_error(self->m)->text);
	EXPECT_EQ(100 - 2 - 4, mathis_fuel(self->m));
}

/* Who could not wait for a task does not keep others from it. */
TEST_F(machine, resumes_after_a_resume_that_failed)
{
	static const char source[] =
		".func g\nCONST_I64 7 YIELD CONST_NONE RET\n.end\n"
		".func other\n.arity 1\nGET_LOCAL 0 CONST_NONE RESUME RET\n"
		".end\n.func main\n.locals 1\nSPAWN \"g\" SET_LOCAL 0\n"
		"TRY_START .h GET_LOCAL 0 CONST_NONE RESUME RET\n"
		".h: CATCH POP GET_LOCAL 0 SPAWN \"other\" AWAIT RET\n.end";
	unsigned long n = 0;
	unsigned int caught = 0;
	bool failed;

	ASSERT_EQ(0, sample_load(source, &self->module));
	do {
		char shown[64] = "";
		int state = MATHIS_FAILED;

		sample_requests = 0;
		sample_fail_at = ++n;
		if (!mathis_machine_new(self->module, NULL, NULL, &self->m) &&
		    !mathis_start(self->m, "main", NULL, 0))
			state = mathis_run(self->m);
		sample_fail_at = 0;
		failed = sample_requests >= n;
		if (state == MATHIS_DONE) {
			mathis_show(mathis_result(self->m), shown,
				    sizeof(shown));
			EXPECT_STREQ("7", shown);
			caught += failed;
		} else if (self->m && mathis_error(self->m)->code) {
			EXPECT_EQ(MATHIS_OUT_OF_MEMORY,
				  mathis_error(self->m)->code);
		}
		mathis_machine_free(self->m);
		self->m = NULL;
	} while (failed);
	EXPECT_LE(1, caught);
}

/* Everything from the source to the end: 0, or the request that failed. */
static int all(void)
{
	struct mathis_module *m = NULL;
	struct sample s;
	char *text = NULL;
	int ret;

	sample_assemble(&s, sample_all, 0);
	ret = s.ret;
	if (!ret)
		ret = mathis_load(s.file, s.size, &m, NULL);
	if (!ret)
		ret = mathis_disassemble(m, &text);
	if (!ret)
		ret = mathis_verify(m, NULL, NULL);
	if (!ret)
		ret = sample_run(m);
	free(text);
	mathis_unload(m);
	sample_fini(&s);
	return ret;
}

/* Each request for memory fails once. */
TEST(memory_that_runs_out_is_an_error)
{
	unsigned long n = 0;
	int ret;

	sample_requests = 0;
	EXPECT_EQ(MATHIS_FAILED, all()); /* a call is denied at its end */
	EXPECT_LE(200, sample_requests);
	do {
		sample_fail_at = ++n;
		sample_requests = 0;
		ret = all();
		EXPECT_TRUE(ret == -ENOMEM || ret == MATHIS_FAILED)
		{
			TH_LOG("request %lu: %d", n, ret);
		}
	} while (sample_requests >= n);
	sample_fail_at = 0;
	EXPECT_LE(200, n);
}

TEST_HARNESS_MAIN
