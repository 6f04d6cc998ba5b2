// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: what is restored, what an embedder gives again, and bytes that
 * no machine wrote. That each program goes on as it was, native_run shows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "started.h"

/* One of everything that a snapshot holds, alive at its last instruction. */
static const char everything[] =
	".types:\n.struct S\nx: i64\ny: any\n.end\n.enum E\nA\nB(v: i64)\n.end\n"
	".globals:\nkept: any\nother: any\n"
	".func up\nGET_UPVALUE 0 RET\n.end\n"
	".func gen\n.locals 1\nCONST_I64 7 SET_LOCAL 0 TRY_START .h\n"
	"TRY_START .g GET_LOCAL 0 YIELD TRY_END TRY_END GET_LOCAL 0 RET\n"
	".g: CATCH THROW\n.h: CATCH RET\n.end\n"
	".func recv\n.arity 1\nGET_LOCAL 0 CHANNEL_RECV RET\n.end\n"
	".func deep\n.arity 1\nGET_LOCAL 0 CONST_I64 0 EQ JUMP_IF_TRUE .e\n"
	"CONST_STR \"frame\" GET_LOCAL 0 CONST_I64 1 SUB CALL \"deep\" 1\n"
	"POP RET\n.e: TRY_START .h\n"
	"AI_FORK 3 CONST_I64 1 CALL \"branch\" 1 AI_MERGE\n"
	"TRY_END RET\n.h: CATCH RET\n.end\n"
	".func branch\n.arity 1\nYIELD_LOOP\n.end\n"
	".func main\n.locals 3\n"
	"CONST_I64 2 SYSCALL 0x0500 SET_LOCAL 0\n"
	"GET_LOCAL 0 CONST_STR \"in\" CHANNEL_SEND\n"
	"SPAWN \"gen\" SET_LOCAL 1 GET_LOCAL 1 CONST_NONE RESUME POP\n"
	"CONST_I64 1 SYSCALL 0x0500 SPAWN \"recv\" SET_LOCAL 2\n"
	"CONST_I64 3 MAKE_CLOSURE \"up\" 1\n"
	"CONST_I64 16 ALLOC DUP CONST_I64 77 MEM_STORE 8\n"
	"CONST_I64 1 CONST_STR \"y\" MAKE_STRUCT \"S\" 2\n"
	"CONST_I64 0 CAST \"E\" CONST_F64 2.5 CONST_TRUE CONST_NONE\n"
	"CONST_I64 122 CAST \"char\" CONST_STR \"b\" CAST \"bytes\"\n"
	"CONST_I64 1 CONST_I64 2 MAKE_TUPLE 2 DUP CONST_STR \"v\" MAKE_MAP 1\n"
	"CONST_STR \"k\" MAKE_SET 1 DUP ITER_START\n"
	"MAKE_LIST 13 SET_GLOBAL 0 GET_LOCAL 1 GET_LOCAL 2 GET_LOCAL 0\n"
	"MAKE_LIST 3 SET_GLOBAL 1 CONST_I64 5 CALL \"deep\" 1\n"
	"GET_LOCAL 1 AWAIT GET_LOCAL 0 CHANNEL_RECV GET_GLOBAL 0\n"
	"MAKE_TUPLE 4 RET\n.end\n";

/* A call that the embedder keeps for itself, and handles. */
static int make_call(void *arg __attribute__((unused)),
		     struct mathis_call *call)
{
	if (call->id == 0x3001) {
		call->result = (struct mathis_value){ .kind = MATHIS_HANDLE,
						      .i = 5,
						      .aux = 3 };
		return 0;
	}
	return -EINPROGRESS;
}

/* Handle 5 becomes 50, all others stay dead. */
static int give_handle(void *arg __attribute__((unused)),
		       struct mathis_value *handle)
{
	if (handle->i != 5 || handle->aux != 3)
		return -ENOENT;
	handle->i = 50;
	handle->aux = 1;
	return 0;
}

FIXTURE(snapshot)
{
	struct mathis_host host;
	struct mathis_module *module;
	struct mathis_machine *m;
	struct mathis_error error;
	void *data;
	size_t size;
};

FIXTURE_SETUP(snapshot)
{
	self->host.call = make_call;
}

FIXTURE_TEARDOWN(snapshot)
{
	mathis_machine_free(self->m);
	mathis_unload(self->module);
	free(self->data);
}

/* Save the machine, and put one into its place that is restored. */
static int restore(FIXTURE_DATA(snapshot) * self)
{
	int ret = mathis_snapshot(self->m, &self->data, &self->size);

	mathis_machine_free(self->m);
	self->m = NULL;
	return ret   ?:
		       mathis_restore(self->module, NULL, &self->host,
				      self->data, self->size, &self->m,
				      &self->error);
}

TEST_F(snapshot, cancels_calls_in_progress)
{
	START(".func main\n.locals 2\n"
	      "CONST_NONE SYSCALL_N 0x7000 1 SET_LOCAL 0\n"
	      "TRY_START .h CONST_NONE SYSCALL_N 0x3000 1 RET\n"
	      ".h: CATCH CONST_STR \"name\" INDEX SET_LOCAL 1\n"
	      "TRY_START .g GET_LOCAL 0 AWAIT RET\n"
	      ".g: CATCH CONST_STR \"name\" INDEX GET_LOCAL 1\n"
	      "MAKE_TUPLE 2 RET\n.end");
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("(\"Cancelled\", \"Cancelled\")");
}

TEST_F(snapshot, cancels_a_call_that_gives_a_result)
{
	START(".func main\nCONST_NONE SYSCALL_N 0xb000 1 GET_FIELD 0 RET\n"
	      ".end");
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("1");
}

#define HANDLES                                                          \
	".func main\n.locals 1\nSYSCALL_N 0x3001 0 SET_LOCAL 0\n"        \
	"TRY_START .h SYSCALL_N 0x3000 0 RET\n.h: CATCH POP GET_LOCAL 0" \
	" RET\n.end"

TEST_F(snapshot, lets_handles_die)
{
	START(HANDLES);
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(MATHIS_HANDLE, mathis_result(self->m).kind);
	EXPECT_EQ(0, mathis_result(self->m).i);
	EXPECT_EQ(0, mathis_result(self->m).aux);
}

TEST_F(snapshot, gets_handles_again)
{
	self->host.handle = give_handle;
	START(HANDLES);
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(50, mathis_result(self->m).i);
	EXPECT_EQ(1, mathis_result(self->m).aux);
}

TEST_F(snapshot, is_of_a_program_that_runs)
{
	ASSERT_EQ(0, sample_load(".func main\nCONST_NONE RET\n.end",
				 &self->module));
	ASSERT_EQ(0, mathis_machine_new(self->module, NULL, NULL, &self->m));
	EXPECT_EQ(-EINVAL, mathis_snapshot(self->m, &self->data, &self->size));
	ASSERT_EQ(0, mathis_start(self->m, NULL, NULL, 0));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(-EINVAL, mathis_snapshot(self->m, &self->data, &self->size));
	EXPECT_EQ(NULL, self->data);
}

TEST_F(snapshot, has_no_more_fuel_than_the_limit)
{
	const struct mathis_limits limits = { .fuel = 9 };

	START(".func main\nNOP CONST_NONE RET\n.end");
	ASSERT_EQ(0, mathis_snapshot(self->m, &self->data, &self->size));
	mathis_machine_free(self->m);
	ASSERT_EQ(0, mathis_restore(self->module, &limits, &self->host,
				    self->data, self->size, &self->m, NULL));
	EXPECT_EQ(9, mathis_fuel(self->m));
}

/* Make the checksum right. */
static void repair(uint8_t *data, size_t size)
{
	struct mathis_buf b = { .data = data, .size = size };

	mathis_buf_set(&b, size - 4, mathis_crc32(data, size - 4), 4);
}

TEST_F(snapshot, refuses_another_file)
{
	static const struct {
		size_t at;
		bool repaired;
		int ret;
	} changes[] = {
		{ 0, true, -EBADMSG },	 { 4, true, -EOPNOTSUPP },
		{ 8, true, -ESTALE },	 { 12, true, -ESTALE },
		{ 20, false, -EBADMSG },
	};
	struct mathis_machine *m;
	uint8_t *data;

	START(".func main\nNOP CONST_NONE RET\n.end");
	ASSERT_EQ(0, mathis_snapshot(self->m, &self->data, &self->size));
	data = self->data;
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		data[changes[i].at] ^= 1;
		if (changes[i].repaired)
			repair(data, self->size);
		EXPECT_EQ(changes[i].ret,
			  mathis_restore(self->module, NULL, &self->host, data,
					 self->size, &m, &self->error))
		{
			TH_LOG("%zu: %s", changes[i].at, self->error.text);
		}
		data[changes[i].at] ^= 1;
		repair(data, self->size);
	}
	for (size_t n = 0; n < self->size; n++)
		EXPECT_EQ(-EBADMSG,
			  mathis_restore(self->module, NULL, &self->host, data,
					 n, &m, &self->error));
}

/* Run to a place where there is one of everything. */
static int run_to_the_middle(FIXTURE_DATA(snapshot) * self)
{
	char source[8192];
	const char *at = strstr(everything, "YIELD_LOOP");

	snprintf(source, sizeof(source), "%.*s%s%s", (int)(at - everything),
		 everything,
		 ".l: CONST_NONE YIELD GET_LOCAL 0 CONST_I64 1 ADD DUP\n"
		 "SET_LOCAL 0 CONST_I64 9 LT JUMP_IF_TRUE .l GET_LOCAL 0 RET",
		 at + strlen("YIELD_LOOP"));
	if (sample_load(source, &self->module) ||
	    mathis_machine_new(self->module, NULL, &self->host, &self->m) ||
	    mathis_start(self->m, "main", NULL, 0))
		return -EINVAL;
	self->m->fuel = 180;
	return mathis_run(self->m);
}

TEST_F(snapshot, holds_everything)
{
	ASSERT_EQ(MATHIS_NO_FUEL, run_to_the_middle(self));
	ASSERT_EQ(0, restore(self))
	{
		TH_LOG("%s", self->error.text);
	}
	mathis_fuel_add(self->m, 10000);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT(
		"(\"frame\", 7, \"in\", [func 0, ptr, struct(1, \"y\"), enum 0, 2.5, true, none, '\\u{7a}', bytes(1), (1, 2), {(1, 2): \"v\"}, {\"k\"}, iterator])");
}

/* A snapshot of a snapshot is the same. */
TEST_F(snapshot, is_the_same_again)
{
	void *first;
	size_t size;

	ASSERT_EQ(MATHIS_NO_FUEL, run_to_the_middle(self));
	ASSERT_EQ(0, mathis_snapshot(self->m, &first, &size));
	ASSERT_EQ(0, restore(self));
	free(self->data);
	ASSERT_EQ(0, mathis_snapshot(self->m, &self->data, &self->size));
	EXPECT_EQ(size, self->size);
	EXPECT_EQ(0, memcmp(first, self->data, size));
	free(first);
}

TEST_F(snapshot, fails_when_memory_runs_out)
{
	struct mathis_machine *m;
	unsigned long n = 0;
	bool failed;
	void *data;
	size_t size;
	int ret;

	ASSERT_EQ(MATHIS_NO_FUEL, run_to_the_middle(self));
	ASSERT_EQ(0, mathis_snapshot(self->m, &self->data, &self->size));
	do {
		sample_requests = 0;
		sample_fail_at = ++n;
		ret = mathis_snapshot(self->m, &data, &size);
		free(data);
		if (!ret)
			ret = mathis_restore(self->module, NULL, &self->host,
					     self->data, self->size, &m, NULL);
		failed = sample_requests >= n;
		sample_fail_at = 0;
		EXPECT_EQ(failed ? -ENOMEM : 0, ret);
		if (!ret)
			mathis_machine_free(m);
	} while (failed);
	EXPECT_LE(50, n);
}

TEST_F(snapshot, keeps_the_limits)
{
	const struct mathis_limits little = { .heap = 5000 };
	const struct mathis_limits flat = { .stack = 10 };
	struct mathis_machine *m;

	ASSERT_EQ(MATHIS_NO_FUEL, run_to_the_middle(self));
	ASSERT_EQ(0, mathis_snapshot(self->m, &self->data, &self->size));
	EXPECT_EQ(-E2BIG, mathis_restore(self->module, &little, &self->host,
					 self->data, self->size, &m, NULL));
	EXPECT_EQ(-E2BIG, mathis_restore(self->module, &flat, &self->host,
					 self->data, self->size, &m, NULL));
}

/* Let a global name what only a hostile snapshot lets the program reach. */
static void lend(FIXTURE_DATA(snapshot) * self, bool list)
{
	struct mathis_value fork = self->m->main->fork;

	self->m->globals[0] = list ? fork : mathis_seq_of(fork)->items[0];
}

/* The first branch merges; the others await a task that does harm. */
#define FORK_AND_HARM(_harm)                                        \
	".globals:\nlent: any\nn: i64 = 0\n.func harm\n"            \
	"TRY_START .h CONST_NONE SYSCALL_N 0x3000 1 RET\n"          \
	".h: CATCH POP GET_GLOBAL 0 " _harm " POP CONST_NONE RET\n" \
	".end\n.func main\n.locals 1\nSPAWN \"harm\" SET_LOCAL 0\n" \
	"AI_FORK 3 GET_GLOBAL 1 CONST_I64 1 ADD DUP SET_GLOBAL 1\n" \
	"CONST_I64 1 EQ JUMP_IF_TRUE .m GET_LOCAL 0 AWAIT POP\n"    \
	".m: CONST_I64 7 AI_MERGE RET\n.end"

TEST_F(snapshot, keeps_the_branches_of_a_fork_to_itself)
{
	START(FORK_AND_HARM("CONST_I64 0 CONST_I64 4660 INDEX_SET"));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	lend(self, true);
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("7");
}

TEST_F(snapshot, loses_a_merged_branch_that_is_killed)
{
	START(FORK_AND_HARM("SYSCALL_N 0x0301 1"));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	lend(self, false);
	ASSERT_EQ(0, restore(self));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("7");
}

/* A merged branch has forked no other: it would have a value too many. */
TEST_F(snapshot, refuses_a_merged_branch_that_forks)
{
	struct mathis_task *b;

	START(FORK_AND_HARM("DUP"));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	lend(self, false);
	b = (struct mathis_task *)self->m->globals[0].o;
	ASSERT_TRUE(b->merged);
	b->fork = self->m->main->fork;
	EXPECT_EQ(-EBADMSG, restore(self));
}

TEST_F(snapshot, drops_the_result_of_a_call_alone)
{
	START(".func main\nNOP CONST_NONE RET\n.end");
	self->m->main->drop = true;
	EXPECT_EQ(-EBADMSG, restore(self));
}

TEST_F(snapshot, throws_the_error_of_a_call_without_a_result)
{
	START(".func main\nTRY_START .h CONST_STR \"a\" AI_LOG 1\n"
	      "CONST_NONE RET\n.h: CATCH CONST_STR \"name\" INDEX RET\n.end");
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	ASSERT_EQ(0, restore(self));
	free(self->data);
	ASSERT_EQ(0, restore(self)); /* its error is not thrown yet */
	EXPECT_TRUE(self->m->main->raise);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_FALSE(self->m->main->drop);
	EXPECT_RESULT("\"Cancelled\"");
}

static uint64_t state = 1;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % n;
}

/* Change a byte or a number, and repair the checksum. */
static void change(uint8_t *data, size_t size)
{
	for (unsigned int i = chance(3) + 1; i; i--) {
		uint8_t *p = data + 20 + chance(size - 28);

		switch (chance(4)) {
		case 0:
			*p = chance(256);
			break;
		case 1:
			*p += chance(3) - 1;
			break;
		case 2:
			memset(p, chance(2) ? 0xff : 0, 1 + chance(4));
			break;
		default:
			memcpy(p, data + 20 + chance(size - 28), 4);
		}
	}
	repair(data, size);
}

/* The sanitizers judge what a machine does that was restored. */
static void restore_changed(FIXTURE_DATA(snapshot) * self,
			    unsigned int *restored)
{
	const struct mathis_limits limits = { .heap = 1 << 20,
					      .stack = 3000,
					      .fuel = 3000 };
	uint8_t *copy = malloc(self->size);
	struct mathis_machine *m;

	memcpy(copy, self->data, self->size);
	change(copy, self->size);
	if (!mathis_restore(self->module, &limits, &self->host, copy,
			    self->size, &m, NULL)) {
		++*restored;
		m->stress = !chance(8);
		if (mathis_run(m) == MATHIS_NO_FUEL) {
			mathis_fuel_add(m, 3000);
			mathis_run(m);
		}
		mathis_machine_free(m);
	}
	free(copy);
}

TEST_F(snapshot, changed_by_chance_does_no_harm)
{
	unsigned int restored = 0;

	ASSERT_EQ(MATHIS_NO_FUEL, run_to_the_middle(self));
	for (int place = 0; place < 20; place++) {
		free(self->data);
		ASSERT_EQ(0,
			  mathis_snapshot(self->m, &self->data, &self->size));
		for (int i = 0; i < 1000; i++)
			restore_changed(self, &restored);
		mathis_fuel_add(self->m, 5);
		ASSERT_EQ(MATHIS_NO_FUEL, mathis_run(self->m));
	}
	EXPECT_LE(500, restored);
	TH_LOG("%u of 20000 restored", restored);
}

TEST_HARNESS_MAIN
