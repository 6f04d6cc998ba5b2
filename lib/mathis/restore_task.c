// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks of a snapshot. The verifier's state of the instruction at which a frame
 * stands says how many values it has, and which TRY blocks are open.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "snapshot.h"

/* The verifier's state of the instruction at which a frame stands. */
static const struct verify_state *state_of(struct restore *s,
					   const struct mathis_frame *f)
{
	const struct mathis_module *module = s->m->module;

	return &s->states[f->func - module->funcs]
			 [f->ip - module->fast - f->func->code];
}

/* The values of a frame above its parameters and locals. */
static int64_t values_of(const struct mathis_task *t, size_t i)
{
	const struct mathis_frame *f = &t->frames[i];
	uint32_t end = i + 1 < t->n_frames ? f[1].ret : t->sp;

	return (int64_t)end - f->base - f->func->arity - f->func->locals;
}

/* Where the frame of a branch came from, or VERIFY_NO_TRY. */
static uint32_t fork_of(struct restore *s, const struct mathis_frame *f)
{
	const struct verify_state *states =
		s->states[f->func - s->m->module->funcs];
	uint32_t outer = state_of(s, f)->outer;

	while (outer != VERIFY_NO_TRY &&
	       s->m->module->code[f->func->code + outer] != OP_AI_FORK)
		outer = states[outer].outer;
	return outer;
}

/* The frame's function, and an instruction of it that the verifier reached. */
static int get_place(struct restore *s, struct mathis_frame *f)
{
	const struct mathis_module *module = s->m->module;
	uint32_t func = mathis_get(&s->r, 4);
	uint32_t at = mathis_get(&s->r, 4);

	if (func >= module->n_funcs || at >= module->funcs[func].size ||
	    module->funcs[func].flags & FUNC_EXTERN)
		return restore_bad(s, "a frame is in no function");
	if (!s->states[func])
		s->states[func] = mathis_states(module, &s->m->host, func);
	if (!s->states[func])
		return mathis_fail(s->error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
	if (!s->states[func][at].begins || !s->states[func][at].reached)
		return restore_bad(s, "a frame is at no instruction");
	f->func = &module->funcs[func];
	f->ip = module->fast + f->func->code + at;
	return 0;
}

static int get_frame(struct restore *s, struct mathis_task *t)
{
	struct mathis_frame f = { 0 };
	const struct mathis_frame *below;
	int ret = get_place(s, &f);

	if (ret)
		return ret;
	f.closure = (struct mathis_closure *)restore_ref(s, KIND_FUNC, true);
	f.base = mathis_get(&s->r, 4);
	f.ret = mathis_get(&s->r, 4);
	if (s->r.bad || (f.closure ? f.closure->n : 0) != f.func->captured)
		return restore_bad(s, "a frame has another closure");
	below = t->n_frames ? mathis_top_frame(t) : NULL;
	if (f.base < f.ret || f.base > t->sp ||
	    f.func->arity + f.func->locals > t->sp - f.base ||
	    (below ? f.base - f.ret > 2 || f.ret < below->base : f.base != 0))
		return restore_bad(s, "a frame is outside of the stack");
	if (mathis_add_frame(s->m, t))
		return restore_no_room(s);
	t->frames[t->n_frames++] = f;
	if (below && fork_of(s, &f) != VERIFY_NO_TRY)
		return restore_bad(s, "a branch is called");
	return 0;
}

/* The room that the functions of all frames were entered with. */
static int make_room(struct restore *s, struct mathis_task *t)
{
	uint64_t need = t->sp;

	for (size_t i = 0; i < t->n_frames; i++) {
		const struct mathis_frame *f = &t->frames[i];
		uint64_t n = (uint64_t)f->base + f->func->arity +
			     f->func->locals + f->func->depth + 1;

		need = n > need ? n : need;
	}
	return mathis_room(s->m, t, need - t->sp) ? restore_no_room(s) : 0;
}

/* Open the TRY blocks of a frame, the outermost first. */
static int open_tries(struct restore *s, struct mathis_task *t, size_t i)
{
	struct mathis_frame *f = &t->frames[i];
	const uint8_t *code = s->m->module->fast + f->func->code;
	const struct verify_state *states =
		s->states[f->func - s->m->module->funcs];
	uint32_t chain[UINT8_MAX];
	uint32_t outer = state_of(s, f)->outer;
	size_t n = 0;

	for (; outer != VERIFY_NO_TRY && code[outer] != OP_AI_FORK;
	     outer = states[outer].outer) {
		if (n == UINT8_MAX)
			return restore_bad(s, "too many TRY blocks");
		chain[n++] = outer;
	}
	while (n--) {
		int32_t by;

		if (mathis_add_try(s->m, t))
			return restore_no_room(s);
		memcpy(&by, code + chain[n] + 1, sizeof(by));
		t->tries[t->n_tries++] = (struct mathis_try){
			.frame = i,
			.depth = f->base + f->func->arity + f->func->locals +
				 states[chain[n]].depth,
			.handler = code + chain[n] + 5 + (int32_t)le32toh(by),
		};
	}
	return 0;
}

/* The values that the top frame has beyond those the verifier knows of. */
static int64_t surplus(const struct mathis_task *t)
{
	bool calls = t->state == TASK_CALLS || t->raise;

	return t->deciding + (calls ? (int64_t)t->argc - 1 + t->drop : 0);
}

static int check_frames(struct restore *s, struct mathis_task *t)
{
	int ret = 0;

	for (size_t i = 0; i < t->n_frames && !ret; i++) {
		bool top = i + 1 == t->n_frames;
		int64_t want = state_of(s, &t->frames[i])->depth +
			       (top ? surplus(t) : -1);

		if (values_of(t, i) != want)
			return restore_bad(s, "a frame has %lld values",
					   (long long)values_of(t, i));
		ret = open_tries(s, t, i);
	}
	return ret;
}

/* How the parts of a task go together. */
static int check_state(struct restore *s, const struct mathis_task *t)
{
	const uint8_t *ip = t->n_frames ? t->frames[t->n_frames - 1].ip : NULL;
	bool calls = t->state == TASK_CALLS;
	bool good = t->id <= s->m->last_id && t->id;

	if (t->state > TASK_ENDED || t->state == TASK_RUNS)
		good = false;
	if (t->state == TASK_ENDED ? t->n_frames || t->sp :
				     !t->n_frames && (!calls || t->sp))
		good = false;
	if (t->raise && t->state != TASK_READY)
		good = false;
	if (t->drop && !calls && !t->raise)
		good = false;
	if (t->argc > UINT8_MAX)
		good = false;
	if (t->merged && (t->state != TASK_RESTS || t->n_frames != 1 ||
			  t->fork.kind != KIND_NONE ||
			  ip == s->m->module->fast || ip[-1] != OP_AI_MERGE))
		good = false;
	if (t->fork.kind != KIND_NONE &&
	    (t->fork.kind != KIND_LIST || !ip || *ip != OP_AI_FORK))
		good = false;
	if (t->deciding && t->fork.kind == KIND_NONE)
		good = false;
	return good ? 0 : restore_bad(s, "a task is in no state");
}

static void get_flags(struct restore *s, struct mathis_task *t)
{
	unsigned int flags;

	t->state = mathis_get(&s->r, 1);
	t->id = mathis_get(&s->r, 8);
	flags = mathis_get(&s->r, 1);
	t->failed = flags & SNAPSHOT_FAILED;
	t->raise = flags & SNAPSHOT_RAISE;
	t->awaited = flags & SNAPSHOT_AWAITED;
	t->yielded = flags & SNAPSHOT_YIELDED;
	t->drop = flags & SNAPSHOT_DROP;
	t->deciding = flags & SNAPSHOT_DECIDING;
	t->merged = flags & SNAPSHOT_MERGED;
	t->call = mathis_get(&s->r, 2);
	t->argc = mathis_get(&s->r, 4);
	s->r.bad |= flags & ~SNAPSHOT_ALL;
}

static int get_stack(struct restore *s, struct mathis_task *t)
{
	uint32_t n = mathis_get(&s->r, 4);
	int ret = 0;

	if (n > mathis_left(&s->r))
		return restore_bad(s, "a stack is past the end");
	if (mathis_room(s->m, t, n))
		return restore_no_room(s);
	for (uint32_t i = 0; i < n && !ret; i++) {
		ret = restore_value(s, &t->stack[i]);
		t->sp = i + 1;
	}
	return ret;
}

int restore_task(struct restore *s, struct mathis_task *t)
{
	uint32_t n;
	int ret;

	get_flags(s, t);
	t->resumer = (struct mathis_task *)restore_ref(s, KIND_TASK, true);
	ret = restore_value(s, &t->caught);
	if (!ret)
		ret = restore_value(s, &t->result);
	if (!ret)
		ret = restore_value(s, &t->fork);
	if (!ret)
		ret = get_stack(s, t);
	n = mathis_get(&s->r, 4);
	while (!ret && n-- && !s->r.bad)
		ret = get_frame(s, t);
	if (!ret && s->r.bad)
		ret = restore_bad(s, "a task is past the end");
	if (!ret)
		ret = check_state(s, t);
	if (!ret)
		ret = make_room(s, t);
	if (!ret)
		ret = check_frames(s, t);
	if (ret)
		return ret;
	if (t->state == TASK_ENDED)
		mathis_forget(t);
	s->n_ready += t->state == TASK_READY;
	if (t->state == TASK_CALLS)
		mathis_add_call(s->m, t);
	return restore_waiters(s, &t->base);
}

/* Note where the tasks stand that wait for a thing, and read past them. */
int restore_waiters(struct restore *s, struct mathis_object *o)
{
	uint32_t n;

	o->gray = (struct mathis_object *)(uintptr_t)(s->r.p - s->begin);
	n = mathis_get(&s->r, 4);
	while (n-- && !s->r.bad) {
		uint32_t i = mathis_get(&s->r, 4);

		if (i >= s->n || s->objects[i]->kind != KIND_TASK)
			s->r.bad = true;
		else
			s->waits[i]++;
	}
	return s->r.bad ? restore_bad(s, "a list of waiting tasks is wrong") :
			  0;
}

static int link_waiters(struct restore *s, struct mathis_object *o)
{
	struct mathis_wait **at =
		o->kind == KIND_TASK ? &((struct mathis_task *)o)->waiters :
				       &((struct mathis_channel *)o)->waiters;
	uint32_t n;

	s->r.p = s->begin + (uintptr_t)o->gray;
	for (n = mathis_get(&s->r, 4); n; n--) {
		uint32_t i = mathis_get(&s->r, 4);
		struct mathis_task *t = (struct mathis_task *)s->objects[i];
		struct mathis_wait *w = &t->waits[--s->waits[i]];

		*w = (struct mathis_wait){ NULL, at, t };
		*at = w;
		at = &w->next;
	}
	return 0;
}

/* Link all tasks that wait into the lists of what they wait for. */
int restore_wait_lists(struct restore *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct mathis_task *t = (struct mathis_task *)s->objects[i];
		size_t size = s->waits[i] * sizeof(*t->waits);

		if (!size)
			continue;
		if (t->state != TASK_WAITS)
			return restore_bad(s, "a task waits that runs");
		t->waits = mathis_resize(s->m, NULL, 0, size);
		if (!t->waits)
			return restore_no_room(s);
		memset(t->waits, 0, size);
		t->n_waits = s->waits[i];
	}
	for (uint32_t i = 0; i < s->n; i++) {
		struct mathis_object *o = s->objects[i];

		if (o->kind == KIND_TASK || o->kind == KIND_CHANNEL)
			link_waiters(s, o);
	}
	for (uint32_t i = 0; i < s->n; i++)
		s->objects[i]->gray = NULL;
	return 0;
}

/* A branch comes after the task that forked, and belongs to it alone. */
static int check_branch(struct restore *s, struct mathis_task *t,
			struct mathis_value v)
{
	const struct mathis_frame *top = mathis_top_frame(t);
	uint32_t fork = top->ip - s->m->module->fast - top->func->code;
	struct mathis_task *b = (struct mathis_task *)v.o;
	uint32_t of;

	if (v.kind != KIND_TASK || b->base.gray || b->id <= t->id ||
	    b == s->m->main)
		return restore_bad(s, "a branch is none");
	b->base.gray = &t->base;
	if (b->state == TASK_ENDED)
		return 0;
	if (!b->n_frames || b->frames[0].func != top->func)
		return restore_bad(s, "a branch is in another function");
	of = b->merged ? state_of(s, &b->frames[0])->outer :
			 fork_of(s, &b->frames[0]);
	if (of != (b->merged ? state_of(s, top)->outer : fork))
		return restore_bad(s, "a branch is outside of its fork");
	return 0;
}

/*
 * Check the branches of a fork, and put them into a list that nothing else
 * names: the program could change that of a snapshot.
 */
static int own_branches(struct restore *s, struct mathis_task *t)
{
	struct mathis_seq *list = mathis_seq_of(t->fork);
	struct mathis_value own;
	int ret = 0;

	if (list->n != mathis_top_frame(t)->ip[1])
		return restore_bad(s, "a fork has other branches");
	for (size_t j = 0; j < list->n && !ret; j++)
		ret = check_branch(s, t, list->items[j]);
	if (ret)
		return ret;
	if (mathis_make_seq(s->m, KIND_LIST, list->n, &own))
		return restore_no_room(s);
	memcpy(mathis_seq_of(own)->items, list->items,
	       list->n * sizeof(*list->items));
	mathis_seq_of(own)->n = list->n;
	t->fork = own;
	return 0;
}

int restore_check_tasks(struct restore *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct mathis_task *t = (struct mathis_task *)s->objects[i];
		int ret;

		if (t->base.kind != KIND_TASK || t->fork.kind == KIND_NONE)
			continue;
		ret = own_branches(s, t);
		if (ret)
			return ret;
	}
	for (uint32_t i = 0; i < s->n; i++)
		s->objects[i]->gray = NULL;
	return 0;
}

/* Calls in progress are nobody's any more: each fails. */
int restore_cancel(struct restore *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct mathis_task *t = (struct mathis_task *)s->objects[i];

		if (t->base.kind != KIND_TASK || t->state != TASK_CALLS)
			continue;
		if (mathis_end_call(s->m, t, MATHIS_CANCELLED,
				    MATHIS_V(KIND_NONE, 0),
				    "it was in progress at the snapshot"))
			return restore_no_room(s);
	}
	return 0;
}
