// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls and tasks that end because something else does: what an embedder
 * hears, and what the machine does without memory.
 */
#include <errno.h>
#include <string.h>

#include "started.h"

/* What an embedder heard. */
struct heard {
	int ret; /* of each call */
	int64_t calls;
	uint64_t ticket; /* of the last call */
	unsigned int cancelled;
	unsigned int ended;
	uint64_t last_ended;
	uint64_t from, to;
};

FIXTURE(call)
{
	struct heard h;
	struct mathis_host host;
	struct mathis_module *module;
	struct mathis_machine *m;
};

/* Its result is how many calls there were. */
static int make_call(void *arg, struct mathis_call *call)
{
	struct heard *h = arg;

	call->tell = true;
	call->result =
		(struct mathis_value){ .kind = MATHIS_INT, .i = ++h->calls };
	h->ticket = call->ticket;
	return h->ret;
}

static void cancel(void *arg, uint64_t ticket __attribute__((unused)))
{
	((struct heard *)arg)->cancelled++;
}

static void ended(void *arg, uint64_t task,
		  struct mathis_value value __attribute__((unused)),
		  bool failed __attribute__((unused)))
{
	struct heard *h = arg;

	h->ended++;
	h->last_ended = task;
}

static void moved(void *arg, uint64_t from, uint64_t to)
{
	struct heard *h = arg;

	h->from = from;
	h->to = to;
}

FIXTURE_SETUP(call)
{
	self->host = (struct mathis_host){ .arg = &self->h,
					   .call = make_call,
					   .cancel = cancel,
					   .ended = ended,
					   .moved = moved };
}

FIXTURE_TEARDOWN(call)
{
	mathis_machine_free(self->m);
	mathis_unload(self->module);
}

TEST_F(call, that_no_error_fits_for_ends_the_program)
{
	const struct mathis_value none = { 0 };

	START(".func main\nCONST_I64 5 SYSCALL_N 0x3000 1 RET\n.end");
	self->h.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	mathis_collect(self->m);
	self->m->limits.heap = self->m->bytes;
	EXPECT_EQ(-ENOMEM, mathis_complete(self->m, self->h.ticket, MATHIS_IO,
					   none, "broken"));
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(-ENOMEM, mathis_complete(self->m, self->h.ticket,
					   MATHIS_MEMORY_LIMIT, none, "full"));
	EXPECT_EQ(MATHIS_FAILED, mathis_run(self->m));
	EXPECT_EQ(MATHIS_MEMORY_LIMIT, mathis_error(self->m)->code);
	EXPECT_STREQ("full", mathis_error(self->m)->text);
}

#define KILLED_IN_BRANCHES                                                \
	".func forks\nAI_FORK 2 CONST_NONE SYSCALL_N 0x3000 1 AI_MERGE "  \
	"RET\n.end\n.func main\n.locals 1\nSPAWN \"forks\" SET_LOCAL 0\n" \
	"SYSCALL 0x0304 POP SYSCALL 0x0304 POP\n"                         \
	"GET_LOCAL 0 SYSCALL_N 0x0301 1 POP CONST_I64 1 RET\n.end"

TEST_F(call, of_a_branch_is_cancelled_with_its_fork)
{
	START(KILLED_IN_BRANCHES);
	self->h.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(2, self->h.calls);
	EXPECT_EQ(2, self->h.cancelled);
	EXPECT_EQ(2, self->h.ended);
	EXPECT_EQ(0, self->m->n_calls);
}

/* A branch that merged is dropped too, and heard of. */
TEST_F(call, made_by_a_branch_is_heard_of_at_its_end)
{
	START(KILLED_IN_BRANCHES);
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_EQ(2, self->h.calls);
	EXPECT_EQ(0, self->h.cancelled);
	EXPECT_EQ(2, self->h.ended);
}

TEST_F(call, of_a_branch_may_kill_the_task_that_forked)
{
	START(".globals:\nt: any\n.func forks\n"
	      "AI_FORK 2 GET_GLOBAL 0 SYSCALL_N 0x0301 1 POP CONST_I64 1\n"
	      "AI_MERGE RET\n.end\n.func main\n"
	      "TRY_START .h SPAWN \"forks\" DUP SET_GLOBAL 0 AWAIT RET\n"
	      ".h: CATCH CONST_STR \"name\" INDEX RET\n.end");
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("\"Cancelled\"");
}

/* The second has the greater result: its things are those of main. */
TEST_F(call, of_the_branch_that_is_taken_is_one_of_its_task)
{
	START(".func main\nAI_FORK 2 CONST_NONE SYSCALL_N 0x3000 1\n"
	      "AI_MERGE RET\n.end");
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
	EXPECT_RESULT("2");
	EXPECT_EQ(3, self->h.from);
	EXPECT_EQ(1, self->h.to);
	EXPECT_EQ(2, self->h.ended);
	EXPECT_EQ(1, self->h.last_ended);
}

/* Each is found, whatever order they end in. */
TEST_F(call, is_one_of_many)
{
	const struct mathis_value none = { 0 };

	START(".func main\n.locals 1\n"
	      ".l: CONST_NONE SYSCALL_N 0x7000 1 POP GET_LOCAL 0 DUP\n"
	      "CONST_NONE EQ JUMP_IF_FALSE .n POP CONST_I64 0\n"
	      ".n: CONST_I64 1 ADD DUP SET_LOCAL 0 CONST_I64 1000 LT\n"
	      "JUMP_IF_TRUE .l CONST_NONE SYSCALL_N 0x3000 1 RET\n.end");
	self->h.ret = -EINPROGRESS;
	EXPECT_EQ(MATHIS_WAITS, mathis_run(self->m));
	EXPECT_EQ(1001, self->m->n_calls);
	for (uint64_t i = 0; i < 1001; i++)
		EXPECT_EQ(0, mathis_complete(self->m, 1 + i * 5 % 1001,
					     MATHIS_OK, none, NULL));
	EXPECT_EQ(0, self->m->n_calls);
	EXPECT_EQ(-ENOENT, mathis_complete(self->m, 7, MATHIS_OK, none, NULL));
	EXPECT_EQ(MATHIS_DONE, mathis_run(self->m));
}

TEST_HARNESS_MAIN
