// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inferences: what runs between INFER_BEGIN and INFER_END. A ticket refers to
 * its model and unit by number, so that either may die meanwhile.
 */

#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/xarray.h>
#include <phi.h>

#include "charge.h"
#include "cspace.h"
#include "dispatch.h"
#include "hook.h"
#include "model.h"
#include "quota.h"
#include "select.h"
#include "trace.h"
#include "unit.h"

/* Units can vanish between choice and charge: so often is it tried again. */
#define PHI_CHOICES_MAX 4

/**
 * struct phi_ticket - an inference in flight
 * @infer: The batch, as the hooks see it.
 * @start_ns: CLOCK_MONOTONIC at INFER_BEGIN.
 * @serial: Serial of the unit that runs it.
 * @shares: Batches that its user has in flight; lives as long as the cspace.
 * @charge: Time of the unit, taken from the budget of its agent.
 * @pid: The thread that began it, in the initial pid namespace.
 * @teaches: The model's owner began it, so its run time counts.
 * @again: It tries a unit again that was passed over for long.
 * @undone: INFER_BEGIN failed after all: no batch has failed.
 */
struct phi_ticket {
	struct phi_hook_infer infer;
	u64 start_ns;
	u64 serial;
	struct phi_share *shares;
	struct phi_charge charge;
	pid_t pid;
	bool teaches;
	bool again;
	bool undone;
};

/**
 * struct phi_choice - room to choose a unit in; too large for the stack
 * @n: Candidates.
 * @why: Out, PHI_CHOSEN_*.
 * @score_ns: Out, score of the one chosen.
 * @units: The candidates, in the order of their ids.
 */
struct phi_choice {
	u32 n;
	u32 why;
	u64 score_ns;
	struct phi_candidate units[PHI_UNITS_MAX];
};

static atomic64_t phi_tickets;

/* By pid: how many inferences the thread has in flight, as values. */
static DEFINE_XARRAY(phi_runners);

/**
 * phi_infer_running() - is a thread inside an inference
 * @pid: The thread, in the initial pid namespace.
 *
 * Context: Any.
 * Return: Inferences it has begun and that have not ended.
 */
u32 phi_infer_running(pid_t pid)
{
	void *entry = xa_load(&phi_runners, pid);

	return entry ? xa_to_value(entry) : 0;
}

/* Count a thread's inferences up or down, whoever else counts meanwhile. */
static int phi_runner_count(pid_t pid, bool up)
{
	void *seen = xa_load(&phi_runners, pid);
	void *old;

	do {
		unsigned long n = seen ? xa_to_value(seen) : 0;
		void *entry;

		n = up ? n + 1 : n - 1;
		entry = n ? xa_mk_value(n) : NULL;
		old = seen;
		seen = xa_cmpxchg(&phi_runners, pid, old, entry, GFP_KERNEL);
		if (xa_is_err(seen))
			return xa_err(seen);
	} while (seen != old);
	return 0;
}

/* Describe the batch for the hooks; refuses what the model cannot take. */
static int phi_infer_describe(struct phi_hook_infer *infer,
			      const struct phi_model *model,
			      struct phi_cspace *cs, u32 batch, u32 wanted,
			      u64 deadline_ns)
{
	if (!batch || batch > model->max_batch)
		return -EINVAL;
	*infer = (struct phi_hook_infer){
		.model = model->id,
		.batch = batch,
		.wanted = wanted,
		.uid = from_kuid(&init_user_ns, phi_cspace_uid(cs)),
		.node = numa_node_id(),
		.agent = phi_agent_current(NULL),
		.deadline_ns = deadline_ns,
	};
	static_assert(sizeof(infer->name) == sizeof(model->name));
	memcpy(infer->name, model->name, sizeof(infer->name));
	return 0;
}

/* Figures of a model on a unit; they start at 0 for another unit. */
static struct phi_average *phi_average_of(struct phi_model *model, u32 id,
					  u64 serial)
{
	struct phi_average *average =
		&model->average[array_index_nospec(id, PHI_UNITS_MAX)];

	lockdep_assert_held(&phi_units_lock);
	if (average->serial != serial) {
		WRITE_ONCE(average->ns, 0);
		average->pace = (struct phi_pace){};
		average->passed = 0;
		WRITE_ONCE(average->serial, serial);
	}
	return average;
}

/* Snapshot the units open to a user, with the model's averages on them. */
static void phi_choice_gather(struct phi_choice *choice,
			      struct phi_model *model, struct phi_user *user,
			      u64 *mask)
{
	const struct phi_share *shares = READ_ONCE(user->shares);
	u32 id;

	choice->n = 0;
	*mask = 0;
	guard(spinlock)(&phi_units_lock);
	for (id = 0; id < PHI_UNITS_MAX; id++) {
		const struct phi_unit *unit = phi_unit_get_locked(id);
		const struct phi_average *average;

		if (!unit || !phi_unit_open(unit, user->uid))
			continue;
		average = phi_average_of(model, id, unit->serial);
		choice->units[choice->n++] = (struct phi_candidate){
			.id = id,
			.kind = unit->kind,
			.node = unit->node,
			.capacity = unit->capacity,
			.in_flight = phi_unit_seen(unit, shares),
			.load = unit->load,
			.temperature = unit->temperature,
			.passed = average->passed,
			.average_ns = average->ns,
			.pace = average->pace,
		};
		*mask |= BIT_ULL(id);
	}
}

/* The candidate a policy asked for by number + 1, or NULL. */
static const struct phi_candidate *
phi_choice_find(const struct phi_choice *choice, int verdict)
{
	for (u32 i = 0; verdict > 0 && i < choice->n; i++) {
		if (choice->units[i].id == verdict - 1)
			return &choice->units[i];
	}
	return NULL;
}

/* Choose a unit for @infer, and ask the policy about it. */
static int phi_infer_choose(struct phi_choice *choice, struct phi_model *model,
			    struct phi_user *user, struct phi_hook_infer *infer)
{
	struct phi_wish wish = {
		.batch = infer->batch,
		.wanted = infer->wanted,
		.node = infer->node,
		.now_ns = ktime_get_ns(),
		.deadline_ns = infer->deadline_ns,
	};
	const struct phi_candidate *asked;
	int best, verdict;

	phi_choice_gather(choice, model, user, &infer->units);
	phi_select_fill(choice->units, choice->n, infer->batch);
	best = phi_select_best(choice->units, choice->n, &wish,
			       &choice->score_ns);
	if (best < 0)
		return -ENOENT;
	infer->unit = choice->units[best].id;
	choice->why = PHI_CHOSEN_BUILTIN;

	verdict = phi_hook_unit_ask(infer, READ_ONCE(user->shares));
	if (verdict < 0)
		return verdict;
	asked = phi_choice_find(choice, verdict);
	if (asked) {
		infer->unit = asked->id;
		choice->why = PHI_CHOSEN_POLICY;
		choice->score_ns = phi_select_score(asked, &wish);
	}
	return 0;
}

/* Remember which candidates were passed over for unit @id. */
static void phi_choice_note(const struct phi_choice *choice,
			    struct phi_model *model, u32 id)
{
	u32 i;

	lockdep_assert_held(&phi_units_lock);
	for (i = 0; i < choice->n; i++) {
		u32 other = choice->units[i].id;
		const struct phi_unit *unit = phi_unit_get_locked(other);
		struct phi_average *average;

		if (!unit)
			continue;
		average = phi_average_of(model, other, unit->serial);
		average->passed =
			other == id ? 0 : phi_select_passed(average->passed);
	}
}

/* Charge the chosen unit, unless it has closed meanwhile. */
static int phi_ticket_charge(struct phi_ticket *ticket,
			     const struct phi_choice *choice,
			     struct phi_model *model, struct phi_user *user)
{
	u32 id = ticket->infer.unit;
	struct phi_unit *unit;

	guard(spinlock)(&phi_units_lock);
	unit = phi_unit_get_locked(id);
	if (!unit || !phi_unit_open(unit, user->uid))
		return -EAGAIN;
	phi_unit_begin(unit, ticket->shares);
	model->in_flight++;
	ticket->serial = unit->serial;
	if (!ticket->teaches)
		return 0;
	ticket->again = phi_average_of(model, id, unit->serial)->passed >
			PHI_PASSED_FREE;
	phi_choice_note(choice, model, id);
	return 0;
}

/* Choose until the chosen unit can be charged. */
static int phi_ticket_place(struct phi_ticket *ticket,
			    struct phi_choice *choice, struct phi_model *model,
			    struct phi_user *user)
{
	for (int i = 0; i < PHI_CHOICES_MAX; i++) {
		int ret = phi_infer_choose(choice, model, user, &ticket->infer);

		if (ret)
			return ret;
		if (!phi_ticket_charge(ticket, choice, model, user))
			return 0;
	}
	return -ENOENT;
}

/* Take a batch that ended well into the averages of its unit. */
static void phi_ticket_learn(const struct phi_ticket *ticket,
			     struct phi_model *model)
{
	const struct phi_hook_infer *infer = &ticket->infer;
	struct phi_average *average =
		phi_average_of(model, infer->unit, ticket->serial);

	if (ticket->again)
		average->pace = (struct phi_pace){};
	phi_select_learn(&average->pace, infer->run_ns, infer->batch);
	WRITE_ONCE(average->ns, phi_select_average(&average->pace));
}

/* Release what phi_ticket_charge() charged, and learn from the run. */
static void phi_ticket_release(const struct phi_ticket *ticket)
{
	const struct phi_hook_infer *infer = &ticket->infer;
	struct phi_model *model;
	struct phi_unit *unit;

	guard(rcu)();
	guard(spinlock)(&phi_units_lock);
	unit = phi_unit_get_locked(infer->unit);
	if (unit && unit->serial != ticket->serial)
		unit = NULL;
	if (unit)
		phi_unit_end(unit, ticket->shares);
	if (unit && !infer->result) {
		WRITE_ONCE(unit->batches, unit->batches + 1);
		WRITE_ONCE(unit->items, unit->items + infer->batch);
		WRITE_ONCE(unit->run_ns, unit->run_ns + infer->run_ns);
	}
	model = phi_model_find(infer->model);
	if (!model)
		return;
	model->in_flight--;
	if (infer->result) {
		model->failed += !ticket->undone;
		return;
	}
	model->batches++;
	model->items += infer->batch;
	model->run_ns += infer->run_ns;
	if (unit && ticket->teaches)
		phi_ticket_learn(ticket, model);
}

/* End an inference; the ticket is no longer in the cspace. */
static void phi_ticket_end(struct phi_cspace *cs, struct phi_ticket *ticket,
			   int result)
{
	if (!ticket->infer.run_ns)
		ticket->infer.run_ns = ktime_get_ns() - ticket->start_ns;
	ticket->infer.result = result;
	phi_ticket_release(ticket);
	phi_charge_timed(&ticket->charge,
			 ticket->undone ? 0 : ticket->infer.run_ns);
	phi_runner_count(ticket->pid, false);
	phi_hook_infer_told(&ticket->infer);
	phi_quota_uncharge(cs->user, PHI_QUOTA_TICKETS, 1);
	kfree(ticket);
}

/*
 * Take a ticket and leave @entry in its place: nothing, or XA_ZERO_ENTRY as
 * long as the ticket may come back. A place that is kept so is not erased by
 * another thread, for then the ticket could not come back. Return: the ticket,
 * or NULL when there is none or another thread has taken it.
 */
static struct phi_ticket *phi_ticket_take(struct phi_cspace *cs, u64 number,
					  void *entry)
{
	struct phi_ticket *ticket = xa_load(&cs->tickets, number);

	if (!ticket || xa_cmpxchg(&cs->tickets, number, ticket, entry,
				  GFP_KERNEL_ACCOUNT) != ticket)
		return NULL;
	return ticket;
}

/* All of INFER_BEGIN after the arguments; the ticket is charged already. */
static int phi_ticket_begin(struct phi_cspace *cs, struct phi_ticket *ticket,
			    struct phi_model *model,
			    struct phi_infer_begin *cmd)
{
	u64 number;
	int ret;

	struct phi_choice *choice __free(kfree) =
		kmalloc(sizeof(*choice), GFP_KERNEL_ACCOUNT);
	if (!choice)
		return -ENOMEM;
	ret = phi_hook_infer_ask(&ticket->infer);
	if (ret)
		return ret;
	ret = phi_shares_make(cs->user);
	if (ret)
		return ret;
	/* Another thread may try to set it, in vain. */
	ticket->shares = READ_ONCE(cs->user->shares);
	ticket->teaches = uid_eq(model->uid, cs->user->uid);
	ticket->pid = current->pid;
	ret = phi_runner_count(ticket->pid, true);
	if (ret)
		return ret;
	ret = phi_ticket_place(ticket, choice, model, cs->user);
	if (ret) {
		phi_runner_count(ticket->pid, false);
		return ret;
	}

	cmd->batch = ticket->infer.batch;
	cmd->unit = ticket->infer.unit;
	cmd->why = choice->why;
	cmd->score_ns = choice->score_ns;
	ticket->start_ns = ktime_get_ns();
	ret = phi_charge_time(&ticket->charge,
			      cmd->batch *
				      phi_model_average(model->id, cmd->unit));
	if (!ret)
		phi_trace(phi_infer_begin, &ticket->infer, choice->why);

	/* From here on INFER_END may come, in another thread of the caller. */
	number = atomic64_inc_return(&phi_tickets);
	ret = ret   ?:
		      xa_insert(&cs->tickets, number, ticket,
				GFP_KERNEL_ACCOUNT);
	if (ret) {
		ticket->infer.result = ret;
		ticket->undone = true;
		phi_ticket_release(ticket);
		phi_runner_count(ticket->pid, false);
		phi_charge_timed(&ticket->charge, 0);
		return ret;
	}
	cmd->ticket = number;
	return 0;
}

/**
 * phi_infer_begin() - PHI_IOC_INFER_BEGIN
 * @cs: The caller.
 * @arg: struct phi_infer_begin.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_infer_begin(struct phi_cspace *cs, void *arg)
{
	struct phi_infer_begin *cmd = arg;
	struct phi_ticket *ticket;
	struct phi_model *model;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->wanted > PHI_UNIT_TPU)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->model, PHI_TYPES(MODEL), PHI_RIGHT_EXEC);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	model = phi_model_of(cap);

	ticket = kzalloc(sizeof(*ticket), GFP_KERNEL_ACCOUNT);
	if (!ticket)
		return -ENOMEM;
	ret = phi_infer_describe(&ticket->infer, model, cs, cmd->batch,
				 cmd->wanted, cmd->deadline_ns);
	if (!ret)
		ret = phi_quota_charge(cs->user, PHI_QUOTA_TICKETS, 1);
	if (!ret) {
		ticket->infer.queued_ns = cmd->queued_ns;
		ret = phi_ticket_begin(cs, ticket, model, cmd);
		if (ret)
			phi_quota_uncharge(cs->user, PHI_QUOTA_TICKETS, 1);
	}
	if (ret)
		kfree(ticket);
	return ret;
}

/**
 * phi_infer_begin_settle() - end an inference whose ticket nobody knows
 * @cs: The caller.
 * @arg: struct phi_infer_begin.
 * @told: The caller knows the ticket.
 *
 * Context: Process context. May sleep.
 */
void phi_infer_begin_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_infer_begin *cmd = arg;
	struct phi_ticket *ticket;

	if (told)
		return;
	ticket = phi_ticket_take(cs, cmd->ticket, NULL);
	if (!ticket)
		return;
	ticket->undone = true;
	phi_ticket_end(cs, ticket, -EFAULT);
}

/**
 * phi_infer_end() - PHI_IOC_INFER_END
 * @cs: The caller.
 * @arg: struct phi_infer_end.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_infer_end(struct phi_cspace *cs, void *arg)
{
	struct phi_infer_end *cmd = arg;
	struct phi_ticket *ticket;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->result > 0 || cmd->result < -MAX_ERRNO)
		return -EINVAL;
	ticket = phi_ticket_take(cs, cmd->ticket, XA_ZERO_ENTRY);
	if (!ticket)
		return -ENOENT;
	ticket->infer.run_ns = ktime_get_ns() - ticket->start_ns;
	cmd->run_ns = ticket->infer.run_ns;
	phi_frame_of(arg)->ticket = ticket;
	return 0;
}

/**
 * phi_infer_end_settle() - end the inference, or put its ticket back
 * @cs: The caller.
 * @arg: struct phi_infer_end.
 * @told: The caller knows how long it ran.
 *
 * Context: Process context. May sleep.
 */
void phi_infer_end_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_infer_end *cmd = arg;
	struct phi_ticket *ticket = phi_frame_of(arg)->ticket;

	if (!told)
		ticket->infer.run_ns = 0;
	/* The place is reserved: this needs no memory. */
	xa_cmpxchg(&cs->tickets, cmd->ticket, XA_ZERO_ENTRY,
		   told ? NULL : ticket, GFP_KERNEL_ACCOUNT);
	if (told)
		phi_ticket_end(cs, ticket, cmd->result);
}

/**
 * phi_infer_select() - PHI_IOC_INFER_SELECT
 * @cs: The caller.
 * @arg: struct phi_infer_select.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_infer_select(struct phi_cspace *cs, void *arg)
{
	struct phi_infer_select *cmd = arg;
	struct phi_hook_infer infer;
	struct phi_model *model;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->wanted > PHI_UNIT_TPU)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->model, PHI_TYPES(MODEL), PHI_RIGHT_EXEC);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	model = phi_model_of(cap);
	ret = phi_infer_describe(&infer, model, cs, cmd->batch, cmd->wanted,
				 cmd->deadline_ns);
	if (ret)
		return ret;

	struct phi_choice *choice __free(kfree) =
		kmalloc(sizeof(*choice), GFP_KERNEL_ACCOUNT);
	if (!choice)
		return -ENOMEM;
	ret = phi_infer_choose(choice, model, cs->user, &infer);
	if (ret)
		return ret;
	cmd->unit = infer.unit;
	cmd->why = choice->why;
	cmd->score_ns = choice->score_ns;
	return 0;
}

/**
 * phi_infer_close() - end what a cspace has in flight, as failed
 * @cs: The cspace, at its release or at the end of its owner.
 *
 * A ticket that an INFER_END in progress puts back ends at the release.
 *
 * Context: Process context. May sleep.
 */
void phi_infer_close(struct phi_cspace *cs)
{
	struct phi_ticket *ticket;
	unsigned long number;

	xa_for_each(&cs->tickets, number, ticket) {
		ticket = phi_ticket_take(cs, number, NULL);
		if (ticket)
			phi_ticket_end(cs, ticket, -ECANCELED);
		cond_resched();
	}
}
