// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "endpoint.h"

static uint phi_credits = 64;
module_param_named(credits, phi_credits, uint, 0644);
MODULE_PARM_DESC(credits,
		 "messages that one cspace may have queued at one endpoint");

/* How many idle credits an endpoint keeps. */
#define PHI_IDLES_MAX 16

static struct phi_credit *phi_credit_new(u64 id)
{
	struct phi_credit *credit =
		kzalloc(sizeof(*credit), GFP_KERNEL_ACCOUNT);

	if (!credit)
		return NULL;
	credit->id = id;
	INIT_LIST_HEAD(&credit->active);
	INIT_LIST_HEAD(&credit->queue);
	INIT_LIST_HEAD(&credit->senders);
	INIT_LIST_HEAD(&credit->pollers);
	return credit;
}

static void phi_credit_hold(struct phi_endpoint *ep, struct phi_credit *credit)
{
	if (!credit->ref++ && !list_empty(&credit->active)) {
		list_del_init(&credit->active);
		ep->idles--;
	}
}

static void phi_turn_put(struct phi_endpoint *ep, struct phi_turn *turn)
{
	if (--turn->ref)
		return;
	xa_erase(&ep->turns, __kuid_val(turn->uid));
	kfree(turn);
}

static void phi_credit_free(struct phi_endpoint *ep, struct phi_credit *credit)
{
	list_del(&credit->active);
	ep->idles--;
	xa_erase(&ep->credits, credit->id);
	phi_turn_put(ep, credit->turn);
	kfree(credit);
}

static struct phi_turn *phi_turn_new(kuid_t uid)
{
	struct phi_turn *turn = kzalloc(sizeof(*turn), GFP_KERNEL_ACCOUNT);

	if (!turn)
		return NULL;
	turn->uid = uid;
	INIT_LIST_HEAD(&turn->active);
	INIT_LIST_HEAD(&turn->credits);
	return turn;
}

/* Put what @made has into the tables, where places were reserved for it. */
static struct phi_credit *phi_credit_add(struct phi_endpoint *ep,
					 struct phi_credit *made,
					 struct phi_turn **fresh)
{
	unsigned long uid = __kuid_val((*fresh)->uid);
	struct phi_turn *turn = xa_load(&ep->turns, uid);

	if (!turn &&
	    !xa_is_err(xa_store(&ep->turns, uid, *fresh, GFP_NOWAIT))) {
		turn = *fresh;
		*fresh = NULL;
	}
	if (!turn)
		return NULL;
	turn->ref++;
	if (xa_is_err(xa_store(&ep->credits, made->id, made, GFP_NOWAIT))) {
		phi_turn_put(ep, turn);
		return NULL;
	}
	made->turn = turn;
	return made;
}

/* Reserve places in the tables; those that stay unused are given back. */
static bool phi_credit_reserve(struct phi_endpoint *ep, struct phi_cspace *cs)
{
	unsigned long uid = __kuid_val(phi_cspace_uid(cs));

	if (xa_reserve(&ep->turns, uid, GFP_KERNEL_ACCOUNT))
		return false;
	if (!xa_reserve(&ep->credits, cs->id, GFP_KERNEL_ACCOUNT))
		return true;
	xa_release(&ep->turns, uid);
	return false;
}

/**
 * phi_credit_get() - the credit of a cspace at an endpoint
 * @ep: The endpoint.
 * @cs: The cspace.
 *
 * Context: Process context. May sleep.
 * Return: The credit with a reference for the caller, or ERR_PTR(-ENOMEM).
 */
struct phi_credit *phi_credit_get(struct phi_endpoint *ep,
				  struct phi_cspace *cs)
{
	struct phi_credit *fresh __free(kfree) = NULL;
	struct phi_turn *turn __free(kfree) = NULL;
	struct phi_credit *credit;

	for (;;) {
		scoped_guard(spinlock, &ep->lock) {
			credit = xa_load(&ep->credits, cs->id);
			/* Needs no memory: the places were reserved. */
			if (!credit && fresh && turn) {
				credit = phi_credit_add(ep, fresh, &turn);
				if (credit)
					retain_and_null_ptr(fresh);
			}
			if (credit) {
				phi_credit_hold(ep, credit);
				return credit;
			}
		}
		/* Again, if another thread used and freed the place. */
		if (!fresh)
			fresh = phi_credit_new(cs->id);
		if (!turn)
			turn = phi_turn_new(phi_cspace_uid(cs));
		if (!fresh || !turn || !phi_credit_reserve(ep, cs))
			return ERR_PTR(-ENOMEM);
	}
}

/**
 * phi_credit_put() - give back a reference to a credit
 * @ep: Its endpoint; its lock is held.
 * @credit: The credit.
 *
 * Context: Any but interrupts.
 */
void phi_credit_put(struct phi_endpoint *ep, struct phi_credit *credit)
{
	lockdep_assert_held(&ep->lock);
	if (--credit->ref)
		return;
	list_add_tail(&credit->active, &ep->idle);
	if (++ep->idles > PHI_IDLES_MAX)
		phi_credit_free(ep,
				list_first_entry(&ep->idle, struct phi_credit,
						 active));
}

/**
 * phi_credits_free() - free the idle credits of an endpoint
 * @ep: The endpoint; nobody uses it any more.
 *
 * Context: Any but interrupts.
 */
void phi_credits_free(struct phi_endpoint *ep)
{
	struct phi_credit *credit, *next;

	list_for_each_entry_safe(credit, next, &ep->idle, active)
		phi_credit_free(ep, credit);
}

/**
 * phi_credit_left() - may another message be sent?
 * @credit: The credit; the endpoint's lock is held.
 *
 * Context: Any but interrupts.
 * Return: True when one more fits.
 */
bool phi_credit_left(const struct phi_credit *credit)
{
	return credit->used < READ_ONCE(phi_credits);
}

static void phi_credit_use(struct phi_credit *credit)
{
	credit->used++;
	credit->ref++;
}

static void phi_credit_unuse(struct phi_endpoint *ep, struct phi_credit *credit)
{
	struct phi_waiter *w;

	credit->used--;
	if (!list_empty(&credit->pollers))
		phi_pollers_wake_out(ep, credit);
	list_for_each_entry(w, &credit->senders, node) {
		if (!w->woken) {
			phi_waiter_wake(w);
			break;
		}
	}
	phi_credit_put(ep, credit);
}

/* Wake one receiver that nobody has woken yet. */
static void phi_queue_kick(struct phi_endpoint *ep)
{
	struct phi_waiter *w;

	if (list_empty(&ep->active))
		return;
	list_for_each_entry(w, &ep->receivers, node) {
		if (!w->woken) {
			phi_waiter_wake(w);
			break;
		}
	}
}

static void phi_queue_link(struct phi_endpoint *ep, struct phi_message *msg,
			   bool first)
{
	struct phi_credit *credit = msg->credit;
	struct phi_turn *turn = credit->turn;

	if (list_empty(&turn->credits))
		list_add_tail(&turn->active, &ep->active);
	if (list_empty(&credit->queue))
		list_add_tail(&credit->active, &turn->credits);
	if (first) {
		list_add(&msg->node, &credit->queue);
		list_move(&credit->active, &turn->credits);
		list_move(&turn->active, &ep->active);
	} else {
		list_add_tail(&msg->node, &credit->queue);
	}
	hlist_add_head(&msg->post, &msg->via->posts);
	phi_caller_queued(msg);
}

static void phi_queue_unlink(struct phi_message *msg)
{
	struct phi_credit *credit = msg->credit;

	list_del_init(&msg->node);
	hlist_del_init(&msg->post);
	if (list_empty(&credit->queue))
		list_del_init(&credit->active);
	if (list_empty(&credit->turn->credits))
		list_del_init(&credit->turn->active);
	phi_caller_taken(msg);
}

/* The message will not be received: its sender may send another. */
static void phi_queue_lose(struct phi_endpoint *ep, struct phi_message *msg,
			   int error)
{
	phi_caller_fail(msg, error);
	phi_credit_unuse(ep, msg->credit);
	msg->credit = NULL;
}

/* Return: 0, or why nothing more is accepted through this capability. */
static int phi_queue_closed(const struct phi_endpoint *ep,
			    const struct phi_cap *via)
{
	if (ep->dead)
		return -EPIPE;
	return phi_cap_live(via);
}

/* Return: 0, or why a message may not arrive; expiry is too late for that. */
static int phi_queue_barred(const struct phi_endpoint *ep,
			    const struct phi_message *msg)
{
	int closed = phi_queue_closed(ep, msg->via);

	return closed == -EKEYEXPIRED ? 0 : closed;
}

/* Has the inbox of a grant gone? phi_inbox_free() takes the lock after that. */
static int phi_queue_uninvited(const struct phi_message *msg)
{
	return msg->grant && READ_ONCE(msg->via->ended) ? -EPIPE : 0;
}

/* Take one unit of credit, when there is one. */
static int phi_queue_wait(struct phi_endpoint *ep, struct phi_waiter *w,
			  struct phi_credit *credit, u32 flags, u64 deadline_ns)
{
	int ret = 0;

	for (;;) {
		int closed = w->error ?: phi_queue_closed(ep, w->cap);

		if (closed) {
			ret = closed;
			break;
		}
		if (phi_credit_left(credit)) {
			phi_credit_use(credit);
			ret = 0;
			break;
		}
		if (ret)
			break;
		ret = -EAGAIN;
		if (!(flags & PHI_NONBLOCK))
			ret = phi_waiter_block(w, &credit->senders, &ep->lock,
					       deadline_ns);
	}
	phi_waiter_unlink(w);
	/* This one does not use its wake-up: wake the first in line instead. */
	if (ret && w->woken && !list_empty(&credit->senders))
		phi_waiter_wake(list_first_entry(&credit->senders,
						 struct phi_waiter, node));
	return ret;
}

/* Hand a message over to the queue. Return: false when it must be freed. */
static bool phi_queue_accept(struct phi_endpoint *ep, struct phi_message *msg)
{
	int barred = phi_queue_barred(ep, msg) ?: phi_queue_uninvited(msg);

	if (barred) {
		phi_queue_lose(ep, msg, barred);
		return false;
	}
	phi_queue_link(ep, msg, false);
	phi_queue_kick(ep);
	if (!list_empty(&ep->pollers))
		phi_pollers_wake_in(ep);
	return true;
}

/**
 * phi_queue_post() - queue a message
 * @ep: The endpoint.
 * @w: The sender, not in a list.
 * @msg: The message; when it returns 0 it belongs to the queue.
 * @moves: Capabilities that leave the sender with it.
 * @flags: PHI_NONBLOCK or 0.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * The message counts as sent once it has credit and what moves has left the
 * sender. Should the endpoint die right then, it is lost like any other in the
 * queue.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or a negative errno.
 */
int phi_queue_post(struct phi_endpoint *ep, struct phi_waiter *w,
		   struct phi_message *msg, const struct phi_moves *moves,
		   u32 flags, u64 deadline_ns)
{
	struct phi_credit *credit = phi_credit_get(ep, w->cs);
	bool accepted;
	int ret;

	if (IS_ERR(credit))
		return PTR_ERR(credit);
	spin_lock(&ep->lock);
	ret = phi_queue_uninvited(msg) ?:
		      phi_queue_wait(ep, w, credit, flags, deadline_ns);
	if (!ret)
		msg->credit = credit;
	if (!ret && moves->count) {
		spin_unlock(&ep->lock);
		ret = phi_message_move(w->cs, msg, moves);
		spin_lock(&ep->lock);
		if (ret) {
			msg->credit = NULL;
			phi_credit_unuse(ep, credit);
		}
	}
	accepted = !ret && phi_queue_accept(ep, msg);
	phi_credit_put(ep, credit);
	spin_unlock(&ep->lock);
	if (!ret && !accepted)
		phi_message_free(msg);
	return ret;
}

static struct phi_message *phi_queue_first(struct phi_endpoint *ep)
{
	struct phi_turn *turn =
		list_first_entry_or_null(&ep->active, struct phi_turn, active);
	struct phi_credit *credit;

	if (!turn)
		return NULL;
	credit = list_first_entry(&turn->credits, struct phi_credit, active);
	return list_first_entry(&credit->queue, struct phi_message, node);
}

/**
 * phi_queue_take() - take the next message into one's hand
 * @ep: The endpoint.
 * @w: The receiver, not in a list.
 * @room: The longest message that may be taken.
 * @flags: PHI_NONBLOCK or 0.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: The message, for phi_queue_done() or phi_queue_return(); or
 * ERR_PTR(), -EMSGSIZE for one that is too long and stays first.
 */
struct phi_message *phi_queue_take(struct phi_endpoint *ep,
				   struct phi_waiter *w, u32 room, u32 flags,
				   u64 deadline_ns)
{
	struct phi_message *msg = NULL;
	int ret = 0;

	guard(spinlock)(&ep->lock);
	for (;;) {
		int closed = w->error ?: phi_queue_closed(ep, w->cap);

		if (closed) {
			ret = closed;
			break;
		}
		msg = phi_queue_first(ep);
		if (msg) {
			ret = msg->len > room ? -EMSGSIZE : 0;
			break;
		}
		if (ret)
			break;
		ret = -EAGAIN;
		if (!(flags & PHI_NONBLOCK))
			ret = phi_waiter_block(w, &ep->receivers, &ep->lock,
					       deadline_ns);
	}
	phi_waiter_unlink(w);
	if (!ret) {
		struct phi_credit *credit = msg->credit;
		struct phi_turn *turn = credit->turn;

		/* The next of the user is another cspace, after all users. */
		phi_queue_unlink(msg);
		if (!list_empty(&credit->active))
			list_move_tail(&credit->active, &turn->credits);
		if (!list_empty(&turn->active))
			list_move_tail(&turn->active, &ep->active);
	}
	/* The next one is for the next receiver, which may be asleep. */
	phi_queue_kick(ep);
	return ret ? ERR_PTR(ret) : msg;
}

/**
 * phi_queue_return() - put a message back that could not be received
 * @ep: The endpoint.
 * @msg: Message from phi_queue_take(); it is the next again.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_queue_return(struct phi_endpoint *ep, struct phi_message *msg)
{
	int barred;

	scoped_guard(spinlock, &ep->lock) {
		barred = phi_queue_barred(ep, msg);
		if (barred) {
			phi_queue_lose(ep, msg, barred);
		} else {
			phi_queue_link(ep, msg, true);
			phi_queue_kick(ep);
		}
	}
	if (barred)
		phi_message_free(msg);
}

/**
 * phi_queue_done() - a message has arrived
 * @ep: The endpoint.
 * @msg: Message from phi_queue_take(); it is freed.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_queue_done(struct phi_endpoint *ep, struct phi_message *msg)
{
	scoped_guard(spinlock, &ep->lock)
		phi_credit_unuse(ep, msg->credit);
	msg->credit = NULL;
	phi_message_free(msg);
}

/**
 * phi_queue_mayleave() - has nobody seen a message yet?
 * @msg: The message of a caller while it is queued, or NULL. The endpoint's
 *       lock is held.
 *
 * A capability that moved cannot go back to where it was, so the message stays.
 *
 * Context: Any but interrupts.
 * Return: True when phi_queue_withdraw() would succeed.
 */
bool phi_queue_mayleave(const struct phi_message *msg)
{
	return msg && !msg->moved;
}

/**
 * phi_queue_withdraw() - take back a message that nobody has taken
 * @ep: The endpoint; its lock is held.
 * @msg: The message of a caller that gives up.
 *
 * Context: Any but interrupts.
 * Return: True when the message is the caller's again.
 */
bool phi_queue_withdraw(struct phi_endpoint *ep, struct phi_message *msg)
{
	lockdep_assert_held(&ep->lock);
	if (!phi_queue_mayleave(msg))
		return false;
	phi_queue_unlink(msg);
	phi_credit_unuse(ep, msg->credit);
	msg->credit = NULL;
	return true;
}

static void phi_queue_doom(struct phi_endpoint *ep, struct phi_message *msg,
			   int error)
{
	phi_queue_unlink(msg);
	phi_queue_lose(ep, msg, error);
}

/**
 * phi_queue_recall() - take a message back that a revoked capability sent
 * @ep: The endpoint; its lock is held.
 * @cap: The capability. Nothing more is queued through it.
 *
 * Context: Any but interrupts.
 * Return: The message, to be freed, or NULL when there is none.
 */
struct phi_message *phi_queue_recall(struct phi_endpoint *ep,
				     struct phi_cap *cap)
{
	struct phi_message *msg;

	lockdep_assert_held(&ep->lock);
	if (hlist_empty(&cap->posts))
		return NULL;
	msg = hlist_entry(cap->posts.first, struct phi_message, post);
	phi_queue_doom(ep, msg, -EKEYREVOKED);
	return msg;
}

/* Flush a step of a dead endpoint's credit. Return: true when it is done. */
static bool phi_credit_flush(struct phi_endpoint *ep, struct phi_credit *credit,
			     struct phi_message **msg)
{
	bool more = phi_waiters_fail(&credit->senders, -EPIPE);

	*msg = list_first_entry_or_null(&credit->queue, struct phi_message,
					node);
	if (*msg)
		phi_queue_doom(ep, *msg, -EPIPE);
	return !*msg && !more;
}

/**
 * phi_queue_flush() - end what waits to be received from a dead endpoint
 * @ep: The endpoint. Messages and those who wait to send them go.
 *
 * No new ones come in: each is checked under the lock.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_queue_flush(struct phi_endpoint *ep)
{
	struct phi_message *msg = NULL;
	struct phi_credit *credit;
	unsigned long id = 0;

	for (;;) {
		scoped_guard(spinlock, &ep->lock) {
			credit = xa_find(&ep->credits, &id, ULONG_MAX,
					 XA_PRESENT);
			if (!credit)
				return;
			if (phi_credit_flush(ep, credit, &msg))
				id++;
		}
		phi_message_free(msg);
		cond_resched();
	}
}
