// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * AI_FORK and AI_MERGE: the function that runs goes on in several branches,
 * each a task with a copy of its locals and its values. The task that forked
 * waits until each branch has come to its AI_MERGE or has failed, and then goes
 * on as the best of them. Objects are shared, as by all tasks.
 *
 * The verifier has proved that a branch comes to AI_MERGE in the function that
 * forked, and never returns from it.
 */
#include <string.h>

#include "machine.h"

/* A branch, or NULL: the list is that of this task alone. */
static struct mathis_task *branch(struct mathis_task *t, size_t i)
{
	struct mathis_seq *list = mathis_seq_of(t->fork);

	if (i >= list->n || list->items[i].kind != KIND_TASK)
		return NULL;
	return (struct mathis_task *)list->items[i].o;
}

/* A branch that is at its AI_MERGE; one that was killed there is not. */
static bool has_merged(const struct mathis_task *b)
{
	return b && b->merged && b->state == TASK_RESTS;
}

/* A task ends, wherever it is; who awaits it gets none as its error. */
static void kill(struct mathis_machine *m, struct mathis_task *t)
{
	if (t->state == TASK_CALLS)
		mathis_cancel(m, t, true);
	mathis_unpark(t);
	mathis_forget(t);
	mathis_free_stack(m, t);
	t->result = MATHIS_V(KIND_NONE, 0);
	t->failed = true;
	t->merged = false;
	if (t->told && m->host.ended)
		m->host.ended(m->host.arg, t->id, t->result, true);
	mathis_wake(m, &t->waiters);
}

/* All branches end, and those of branches, which are linked to be next. */
void mathis_drop_fork(struct mathis_machine *m, struct mathis_task *t)
{
	struct mathis_object *forked = NULL;

	while (t) {
		size_t n = t->fork.kind == KIND_NONE ?
				   0 :
				   mathis_seq_of(t->fork)->n;

		for (size_t i = 0; i < n; i++) {
			struct mathis_task *b = branch(t, i);

			if (!b || b->state == TASK_ENDED)
				continue;
			kill(m, b);
			b->base.gray = forked;
			forked = &b->base;
		}
		t->fork = MATHIS_V(KIND_NONE, 0);
		t->deciding = false;
		t = (struct mathis_task *)forked;
		forked = forked ? forked->gray : NULL;
	}
}

/* Give a branch the function of @t, behind AI_FORK, with all its values. */
static int copy_frame(struct mathis_machine *m, struct mathis_task *b,
		      struct mathis_task *t)
{
	struct mathis_frame *from = mathis_top_frame(t);
	size_t n = t->sp - from->base;

	if (mathis_room(m, b, n + from->func->depth + 1) ||
	    mathis_add_frame(m, b))
		return RUN_THROWS;
	if (n)
		memcpy(b->stack, t->stack + from->base, n * sizeof(*b->stack));
	b->sp = n;
	b->awaited = true;
	b->frames[b->n_frames++] = (struct mathis_frame){
		.func = from->func,
		.ip = from->ip,
		.closure = from->closure,
	};
	return 0;
}

static int begin(struct mathis_machine *m, struct mathis_task *t,
		 unsigned int n)
{
	struct mathis_value list;
	int ret = 0;

	if (mathis_make_seq(m, KIND_LIST, n, &list))
		return RUN_THROWS;
	t->fork = list;
	for (unsigned int i = 0; i < n && !ret; i++) {
		struct mathis_task *b;

		if (mathis_new_task(m, &b))
			return RUN_THROWS;
		mathis_seq_of(list)->items[i] = mathis_ref(KIND_TASK, b);
		mathis_seq_of(list)->n = i + 1;
		ret = copy_frame(m, b, t);
	}
	for (unsigned int i = 0; i < n && !ret; i++)
		mathis_make_ready(m, branch(t, i));
	return ret;
}

/* Go on as branch @i. */
static int take(struct mathis_machine *m, struct mathis_task *t, size_t i)
{
	struct mathis_frame *frame = mathis_top_frame(t);
	struct mathis_task *b = branch(t, i);

	/* Both run one function: there is room. */
	memcpy(t->stack + frame->base, b->stack, b->sp * sizeof(*b->stack));
	t->sp = frame->base + b->sp;
	frame->ip = b->frames[0].ip;
	if (b->told && m->host.moved)
		m->host.moved(m->host.arg, b->id, t->id);
	t->told |= b->told;
	b->told = false;
	mathis_drop_fork(m, t);
	return 0;
}

static bool is_number(struct mathis_value v)
{
	return v.kind == KIND_INT || v.kind == KIND_FLOAT;
}

static long double number_of(struct mathis_value v)
{
	return v.kind == KIND_INT ? (long double)v.i : (long double)v.f;
}

/* The first of the greatest numbers; -1 when not all results are numbers. */
static int greatest(struct mathis_task *t)
{
	int best = -1;

	for (size_t i = 0; i < mathis_seq_of(t->fork)->n; i++) {
		struct mathis_task *b = branch(t, i);

		if (!has_merged(b))
			continue;
		if (!is_number(b->result))
			return -1;
		if (best < 0 ||
		    number_of(b->result) > number_of(branch(t, best)->result))
			best = i;
	}
	return best;
}

/* Ask ai_decide for the index of the best result. */
static int decide(struct mathis_machine *m, struct mathis_task *t,
		  unsigned int n)
{
	struct mathis_value list;

	if (mathis_room(m, t, 1) || mathis_make_seq(m, KIND_LIST, n, &list))
		return RUN_THROWS;
	for (size_t i = 0; i < mathis_seq_of(t->fork)->n; i++) {
		if (has_merged(branch(t, i)))
			mathis_seq_of(list)->items[mathis_seq_of(list)->n++] =
				branch(t, i)->result;
	}
	t->stack[t->sp++] = list;
	t->deciding = true;
	mathis_top_frame(t)->ip = m->ip; /* the reply is for AI_FORK */
	return mathis_do_call(m, CALL_DECIDE, 1);
}

/* The reply of ai_decide, an index among the branches that did not fail. */
static int decided(struct mathis_machine *m, struct mathis_task *t)
{
	struct mathis_value v = TOP(0);
	int64_t left = v.i;

	t->sp--;
	for (size_t i = 0;
	     v.kind == KIND_INT && v.i >= 0 && i < mathis_seq_of(t->fork)->n;
	     i++) {
		if (has_merged(branch(t, i)) && !left--)
			return take(m, t, i);
	}
	return mathis_throw(m, MATHIS_ARG_RANGE,
			    "ai_decide chose no branch that there is");
}

int op_ai_fork(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	struct mathis_wait **lists[UINT8_MAX];
	unsigned int run = 0, merged = 0;
	struct mathis_task *first;
	size_t last = 0;

	if (t->deciding)
		return decided(m, t);
	if (t->fork.kind == KIND_NONE && begin(m, t, *arg))
		return RUN_THROWS;
	for (size_t i = 0; i < *arg; i++) {
		struct mathis_task *b = branch(t, i);

		if (has_merged(b)) {
			merged++;
			last = i;
		} else if (b && b->state != TASK_ENDED) {
			lists[run++] = &b->waiters;
		}
	}
	if (run)
		return mathis_park(m, lists, run);
	first = branch(t, 0);
	if (!merged)
		return mathis_raise(m, first ? first->result :
					       MATHIS_V(KIND_NONE, 0));
	if (merged == 1)
		return take(m, t, last);
	if (greatest(t) >= 0)
		return take(m, t, greatest(t));
	return decide(m, t, merged);
}

/* AI_MERGE: the branch rests until all others have come to theirs. */
int op_ai_merge(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;

	(void)arg;
	t->result = TOP(0);
	t->state = TASK_RESTS;
	t->merged = true;
	mathis_wake(m, &t->waiters);
	return RUN_SWITCH;
}

/* AI_DECIDE: the call ai_decide with a list of the options. */
int op_ai_decide(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value list;
	unsigned int n = *arg;

	if (mathis_make_seq(m, KIND_LIST, n, &list))
		return RUN_THROWS;
	memcpy(mathis_seq_of(list)->items, m->task->stack + m->task->sp - n,
	       n * sizeof(list));
	mathis_seq_of(list)->n = n;
	mathis_replace(m, n, list);
	return mathis_do_call(m, CALL_DECIDE, 1);
}
