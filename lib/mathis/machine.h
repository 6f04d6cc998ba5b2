/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine: one program, its objects, its tasks, the one that runs.
 *
 * An instruction that needs more than a few lines is a function of ops.def.
 * It finds its values on the stack of the task and leaves them there until
 * nothing can fail or collect any more; it returns 0, RUN_SWITCH when the task
 * stops running, or RUN_THROWS after mathis_throw().
 */
#ifndef MATHIS_MACHINE_H
#define MATHIS_MACHINE_H

#include "opcode.h"
#include "value.h"
#include "verify.h"

#define RUN_SWITCH 1
#define RUN_THROWS (-1)

#define STACK_DEFAULT 65536
#define HEAP_DEFAULT (256ULL << 20)
#define FUEL_BYTES 64 /* of native work for a unit of fuel */
#define PINS 8
#define FEW_CALLS 64 /* slots for calls in progress, at first */

struct mathis_frame {
	const struct mathis_func *func;
	const uint8_t *ip; /* of the next instruction */
	struct mathis_closure *closure; /* or NULL */
	uint32_t base; /* of its parameters and locals */
	uint32_t ret; /* depth of the stack below its result */
};

struct mathis_try {
	uint32_t frame;
	uint32_t depth;
	const uint8_t *handler;
};

enum mathis_task_state {
	TASK_READY,
	TASK_RUNS,
	TASK_WAITS, /* for a task or channel, to run its instruction again */
	TASK_CALLS, /* mathis_complete() ends its call */
	TASK_RESTS, /* a coroutine between two RESUMEs */
	TASK_ENDED,
};

/* One thing that a task waits for: a link in the list of the thing. */
struct mathis_wait {
	struct mathis_wait *next;
	struct mathis_wait **prev;
	struct mathis_task *task;
};

struct mathis_task {
	struct mathis_object base;
	struct mathis_task *next; /* of all that have not ended */
	struct mathis_task **prev;
	struct mathis_task *next_ready;
	enum mathis_task_state state;
	uint64_t id;

	struct mathis_value *stack;
	size_t room;
	size_t sp;
	struct mathis_frame *frames;
	size_t n_frames;
	size_t room_frames;
	struct mathis_try *tries;
	size_t n_tries;
	size_t room_tries;

	struct mathis_value caught; /* for CATCH, or to be thrown */
	struct mathis_value result; /* or the error, or what was yielded */
	bool failed;
	bool raise; /* throw @caught when it runs */
	bool awaited; /* by one that wants its end alone: YIELD goes on */
	bool yielded; /* @result is for the next RESUME */
	struct mathis_task *resumer; /* waits for its YIELD or its end */
	struct mathis_wait *waiters; /* for its end, or its YIELD */
	struct mathis_wait *waits; /* what it waits for */
	size_t n_waits;
	uint16_t call; /* in progress, with the bits of its result */
	unsigned int argc;
	bool drop; /* the result of the call */
	bool told; /* the embedder hears of its end */
	struct mathis_task *next_call; /* in progress, in its slot */
	struct mathis_task **prev_call;

	struct mathis_value fork; /* its branches, a list, or none */
	bool deciding; /* which of them, on top of the stack */
	bool merged; /* a branch at its AI_MERGE */
};

struct mathis_channel {
	struct mathis_object base;
	struct mathis_value *items; /* a ring of @room */
	size_t room;
	size_t first;
	size_t n;
	bool closed;
	struct mathis_wait *waiters;
};

struct mathis_machine {
	const struct mathis_module *module;
	struct mathis_host host;
	struct mathis_limits limits;
	int64_t fuel;
	enum mathis_state state;

	struct mathis_object *objects;
	uint64_t bytes;
	uint64_t threshold; /* bytes at which the next collection begins */
	bool stress; /* collect at each allocation, for tests */
	struct mathis_value *consts; /* as many as the module has */
	struct mathis_value *globals;
	struct mathis_value pins[PINS]; /* of the instruction that runs */
	unsigned int n_pins;
	struct mathis_value *holds; /* of the embedder, by slot */
	size_t n_holds; /* slots that were used */
	size_t room_holds;
	uint32_t free_hold; /* the first slot that is free, plus 1 */
	size_t n_held; /* slots in use */
	struct mathis_value *kept; /* made by the embedder */
	size_t n_kept;
	size_t room_kept;

	struct mathis_task *tasks; /* that have not ended */
	struct mathis_task *ready;
	struct mathis_task **last_ready;
	struct mathis_task *task; /* that runs, or NULL */
	struct mathis_task *main;
	uint64_t last_id;
	size_t n_calls; /* tasks whose call is in progress */
	struct mathis_task **calls; /* these by ticket, if there are many */
	size_t room_calls;
	struct mathis_task *few_calls[FEW_CALLS];

	const uint8_t *ip; /* of the instruction that runs */
	struct mathis_error error; /* the last one thrown */
	struct mathis_value thrown; /* by THROW, if @has_thrown */
	bool has_thrown;
};

typedef int mathis_op_fn(struct mathis_machine *m, const uint8_t *arg);

/* heap.c */
void *mathis_alloc(struct mathis_machine *m, size_t size, uint8_t kind);
void *mathis_resize(struct mathis_machine *m, void *p, size_t old, size_t size);
void mathis_collect(struct mathis_machine *m);
void mathis_free_objects(struct mathis_machine *m);

/* error.c, throw.c */
int mathis_throw(struct mathis_machine *m, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int mathis_type_error(struct mathis_machine *m, const char *what,
		      struct mathis_value v);
int mathis_work_error(struct mathis_machine *m, int ret);
int mathis_panic(struct mathis_machine *m, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int mathis_unwind(struct mathis_machine *m);
int mathis_raise(struct mathis_machine *m, struct mathis_value error);
int mathis_error_value(struct mathis_machine *m, int code, const char *text,
		       struct mathis_value *value);

/* Objects; each returns 0 or RUN_THROWS. */
int mathis_make_text(struct mathis_machine *m, uint8_t kind, const void *data,
		     size_t n, struct mathis_value *v);
int mathis_make_seq(struct mathis_machine *m, uint8_t kind, size_t n,
		    struct mathis_value *v);
int mathis_make_map(struct mathis_machine *m, uint8_t kind,
		    struct mathis_value *v);
int mathis_make_enum(struct mathis_machine *m, uint32_t type, int64_t number,
		     struct mathis_value *v);
int mathis_keep(struct mathis_machine *m, struct mathis_value v);
int mathis_seq_add(struct mathis_machine *m, struct mathis_seq *list,
		   struct mathis_value v);
int mathis_map_set(struct mathis_machine *m, struct mathis_map *map,
		   struct mathis_value key, struct mathis_value value);
int mathis_map_put(struct mathis_machine *m, struct mathis_map *map,
		   const char *key, struct mathis_value value);
int mathis_map_get(struct mathis_machine *m, struct mathis_map *map,
		   struct mathis_value key, struct mathis_entry **entry);

/* frame.c: push and pop what a function needs; @t is the task. */
int mathis_enter(struct mathis_machine *m, struct mathis_task *t, uint32_t func,
		 struct mathis_closure *closure, uint32_t ret);
int mathis_add_try(struct mathis_machine *m, struct mathis_task *t);
int mathis_add_frame(struct mathis_machine *m, struct mathis_task *t);
int mathis_room(struct mathis_machine *m, struct mathis_task *t, size_t n);
#define MATHIS_NATIVE_NAME 256 /* bytes of "MODULE:SYMBOL" */
void mathis_import_name(const struct mathis_module *module,
			const struct mathis_func *f, char *name, size_t size);

/* task.c */
int mathis_new_task(struct mathis_machine *m, struct mathis_task **task);
int mathis_begin(struct mathis_machine *m, struct mathis_task *t,
		 struct mathis_value func, const struct mathis_value *args,
		 unsigned int argc);
void mathis_make_ready(struct mathis_machine *m, struct mathis_task *t);
void mathis_end_task(struct mathis_machine *m, struct mathis_task *t,
		     struct mathis_value result, bool failed);
int mathis_park(struct mathis_machine *m, struct mathis_wait ***lists,
		size_t n);
int mathis_await_either(struct mathis_machine *m, struct mathis_task *t,
			struct mathis_task *other);
void mathis_wake(struct mathis_machine *m, struct mathis_wait **list);
void mathis_unpark(struct mathis_task *t);
void mathis_forget(struct mathis_task *t);
void mathis_free_stack(struct mathis_machine *m, struct mathis_task *t);

/* fork.c */
void mathis_drop_fork(struct mathis_machine *m, struct mathis_task *t);

/* channel.c */
int mathis_make_channel(struct mathis_machine *m, struct mathis_value room,
			struct mathis_value *v);
int mathis_close_channel(struct mathis_machine *m, struct mathis_value v);

/* call_own.c: calls that the machine makes itself */
#define CALL_TASK_YIELD 0x0304
#define CALL_SLEEP 0x0c02
struct mathis_own;
const struct mathis_own *mathis_find_own(uint16_t id, unsigned int argc);
int mathis_run_own(struct mathis_machine *m, const struct mathis_own *own,
		   bool future);

/* ticket.c */
void mathis_add_call(struct mathis_machine *m, struct mathis_task *t);
void mathis_remove_call(struct mathis_machine *m, struct mathis_task *t);
struct mathis_task *mathis_find_call(struct mathis_machine *m, uint64_t ticket);

/* call_host.c */
void mathis_cancel(struct mathis_machine *m, struct mathis_task *t, bool gone);
#define CALL_LOG 0x0f00
#define CALL_COMPLETE 0x0a01
#define CALL_DECIDE 0x0a03
#define CALL_EMBED 0x0a10
#define CALL_SIMILARITY 0x0a12
int mathis_end_call(struct mathis_machine *m, struct mathis_task *t, int code,
		    struct mathis_value value, const char *text);
int mathis_do_call(struct mathis_machine *m, uint16_t id, unsigned int argc);
void mathis_event(struct mathis_machine *m, enum mathis_event event,
		  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* loop.c: RUN_SWITCH, or RUN_NO_FUEL when the fuel is spent */
#define RUN_NO_FUEL 2
int mathis_loop(struct mathis_machine *m);

/* Instructions: rows of ops.def. */
#include "ops.def"

/* The values on top of the stack: TOP(0) is the last one pushed. */
#define TOP(_i) ((m)->task->stack[(m)->task->sp - 1 - (_i)])

/* Charge native work. */
static inline void mathis_charge(struct mathis_machine *m, uint64_t bytes)
{
	m->fuel -= bytes / FUEL_BYTES;
}

/* Bytes that one instruction may compare or hash: enough for all values. */
static inline uint64_t mathis_most_work(const struct mathis_machine *m)
{
	return m->limits.heap > UINT64_MAX / 4 ? UINT64_MAX :
						 4 * m->limits.heap;
}

static inline void mathis_pin(struct mathis_machine *m, struct mathis_value v)
{
	m->pins[m->n_pins++] = v;
}

/* Replace the last @n values by @v. */
static inline int mathis_replace(struct mathis_machine *m, size_t n,
				 struct mathis_value v)
{
	m->task->sp -= n;
	m->task->stack[m->task->sp++] = v;
	return 0;
}

static inline uint16_t mathis_arg16(const uint8_t *arg)
{
	return arg[0] | arg[1] << 8;
}

static inline struct mathis_frame *mathis_top_frame(struct mathis_task *t)
{
	return &t->frames[t->n_frames - 1];
}

#endif
