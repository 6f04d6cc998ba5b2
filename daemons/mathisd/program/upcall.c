// SPDX-License-Identifier: GPL-2.0-only
/*
 * Upcalls of a program: each runs in a task of its machine.
 */
#include <errno.h>
#include <mathis/upcall.h>
#include <stdlib.h>

#include "core/core.h"
#include "core/session.h"
#include "core/upcall.h"
#include "program.h"
#include "upcall_impl.h"

/* An upcall whose task runs, also when it has ended by its deadline. */
struct md_run {
	TAILQ_ENTRY(md_run) link;
	struct md_upcall *upcall; /* with a reference */
	uint64_t task;
	uint32_t slot; /* holds the task */
};

/* End an upcall that has not ended, and let go of it. */
static void fail(struct md_upcall *u, int code)
{
	if (md_upcall_claim(u))
		md_upcall_done(u, code);
	md_upcall_put(u);
}

static int begin(struct md_program *p, struct md_upcall *u, struct md_run *run)
{
	struct mathis_value args[MD_UPCALL_ARGS];

	for (unsigned int i = 0; i < u->n; i++) {
		int ret = mathis_from_item(p->machine, &u->args[i], &args[i]);

		if (ret)
			return ret == -EINVAL ? MATHIS_ARG_TYPE :
						MATHIS_MEMORY_LIMIT;
	}
	switch (mathis_handle(p->machine, u->func->slot, args, u->n, &run->task,
			      &run->slot)) {
	case 0:
		return MATHIS_OK;
	case -EINVAL:
		return MATHIS_ARITY;
	default:
		return MATHIS_MEMORY_LIMIT;
	}
}

void md_program_upcalls(struct md_program *p)
{
	struct md_inbox *inbox = p->session->inbox;
	struct md_upcall *u;
	uint32_t slot;

	while ((u = md_inbox_next(inbox))) {
		struct md_run *run = calloc(1, sizeof(*run));
		int code = run ? begin(p, u, run) : MATHIS_OUT_OF_MEMORY;

		if (code != MATHIS_OK) {
			free(run);
			fail(u, code);
			continue;
		}
		run->upcall = u;
		TAILQ_INSERT_TAIL(&p->runs, run, link);
	}
	while (md_inbox_drop(inbox, &slot))
		mathis_drop(p->machine, slot);
}

/* The value of a task as the result of its upcall. */
static int take_result(struct md_program *p, struct md_upcall *u,
		       struct mathis_value value, bool failed)
{
	int ret = mathis_to_item(p->machine, value, &u->pool, true, &u->result);

	md_program_drop_funcs(p->machine, &u->result);
	if (failed)
		return MATHIS_HANDLER;
	return !ret	      ? MATHIS_OK :
	       ret == -EINVAL ? MATHIS_ARG_TYPE :
				MATHIS_LIMIT;
}

void md_program_task_ended(void *arg, uint64_t task, struct mathis_value value,
			   bool failed)
{
	struct md_program *p = arg;
	struct md_run *run;

	TAILQ_FOREACH(run, &p->runs, link)
	{
		if (run->task == task)
			break;
	}
	if (!run) {
		md_session_task_ended(p->session, task);
		return;
	}
	TAILQ_REMOVE(&p->runs, run, link);
	mathis_drop(p->machine, run->slot);
	if (md_upcall_claim(run->upcall))
		md_upcall_done(run->upcall,
			       take_result(p, run->upcall, value, failed));
	md_upcall_put(run->upcall);
	free(run);
}

void md_program_end_upcalls(struct md_program *p)
{
	struct md_run *run;

	while ((run = TAILQ_FIRST(&p->runs))) {
		TAILQ_REMOVE(&p->runs, run, link);
		fail(run->upcall, MATHIS_HANDLER);
		free(run);
	}
}
