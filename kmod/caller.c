// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "main.h"

static struct kmem_cache *phi_callers;

/* As for messages: nothing is zeroed that is written anyway. */
static void phi_caller_blank(void *caller)
{
}

/**
 * phi_caller_init() - make the cache of calls
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_caller_init(void)
{
	phi_callers = kmem_cache_create("phi_caller", sizeof(struct phi_caller),
					0, SLAB_ACCOUNT, phi_caller_blank);
	return phi_callers ? 0 : -ENOMEM;
}

/**
 * phi_caller_exit() - give the cache back
 *
 * Context: Module unload, or failed load. No call is left.
 */
void phi_caller_exit(void)
{
	kmem_cache_destroy(phi_callers);
}

/**
 * phi_caller_of() - the call that a REPLY object answers
 * @obj: An object of type REPLY.
 *
 * Context: Any.
 * Return: The call.
 */
struct phi_caller *phi_caller_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_caller, obj);
}

/**
 * phi_caller_put() - give back a reference to a call
 * @caller: The call, or NULL, or an ERR_PTR().
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_caller_put(struct phi_caller *caller)
{
	if (IS_ERR_OR_NULL(caller) || !refcount_dec_and_test(&caller->ref))
		return;
	kmem_cache_free(phi_callers, caller);
}

/*
 * Lock the endpoint of a call, under RCU, which keeps the memory of one that
 * goes at this moment. Return: NULL when nobody waits for the answer.
 */
static struct phi_endpoint *phi_caller_lock(const struct phi_caller *caller)
{
	struct phi_endpoint *ep;

	/* Pairs with phi_caller_detach(). */
	ep = smp_load_acquire(&caller->ep);
	if (!ep)
		return NULL;
	spin_lock(&ep->lock);
	if (caller->ep)
		return ep;
	spin_unlock(&ep->lock);
	return NULL;
}

/* Nobody waits for the answer any more. */
static void phi_caller_detach(struct phi_caller *caller)
{
	lockdep_assert_held(&caller->ep->lock);
	phi_waiter_unlink(&caller->w);
	if (caller->state != PHI_CALLER_ANSWERED)
		WRITE_ONCE(caller->state, PHI_CALLER_LEFT);
	/* Last; pairs with phi_caller_lock(). */
	smp_store_release(&caller->ep, NULL);
}

static void phi_caller_cut(struct phi_tie *tie, int error,
			   struct list_head *loose)
{
	struct phi_caller *caller = container_of(tie, struct phi_caller, w.tie);

	phi_waiter_fail(&caller->w, error);
	if (caller->parked)
		phi_caller_detach(caller);
}

static void phi_caller_free(struct phi_object *obj)
{
	struct phi_caller *caller = phi_caller_of(obj);
	struct phi_endpoint *ep;

	scoped_guard(rcu) {
		ep = phi_caller_lock(caller);
		if (ep) {
			if (caller->state == PHI_CALLER_WAITS)
				phi_waiter_fail(&caller->w, -EPIPE);
			spin_unlock(&ep->lock);
		}
	}
	phi_object_fini(obj);
	phi_caller_put(caller);
}

static const struct phi_object_ops phi_caller_ops = {
	.type = PHI_TYPE_REPLY,
	.free = phi_caller_free,
};

/**
 * phi_caller_new() - make a call
 * @cs: The caller's cspace.
 * @handle: The handle it calls through.
 * @cap: Capability of @handle; the call owns it when this succeeds.
 *
 * Context: Process context. May sleep.
 * Return: The call, with a reference for the thread and one to its object; or
 * ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct phi_caller *phi_caller_new(struct phi_cspace *cs, u64 handle,
				  struct phi_cap *cap)
{
	struct phi_caller *caller =
		kmem_cache_alloc(phi_callers, GFP_KERNEL_ACCOUNT);
	int ret;

	if (!caller)
		return ERR_PTR(-ENOMEM);
	ret = phi_object_init(&caller->obj, &phi_caller_ops, cs->user);
	if (ret) {
		kmem_cache_free(phi_callers, caller);
		return ERR_PTR(ret);
	}
	refcount_set(&caller->ref, 2);
	caller->parked = false;
	caller->withdrawn = false;
	caller->state = PHI_CALLER_WAITS;
	caller->message = NULL;
	caller->answer = NULL;
	caller->kept = false;
	caller->ep = phi_endpoint_behind(cap);
	phi_waiter_init(&caller->w, cs, handle, cap, PHI_TYPES_SEND,
			PHI_RIGHT_SEND);
	caller->w.tie.cut = phi_caller_cut;
	return caller;
}

/**
 * phi_caller_queued() - the message of a call is in a queue
 * @msg: Any message; the endpoint's lock is held.
 *
 * Context: Any but interrupts.
 */
void phi_caller_queued(struct phi_message *msg)
{
	if (msg->reply)
		phi_caller_of(msg->reply->obj)->message = msg;
}

/**
 * phi_caller_taken() - the message of a call has left the queue
 * @msg: Any message; the endpoint's lock is held.
 *
 * Context: Any but interrupts.
 */
void phi_caller_taken(struct phi_message *msg)
{
	if (msg->reply)
		phi_caller_of(msg->reply->obj)->message = NULL;
}

/**
 * phi_caller_fail() - the message of a call will never be received
 * @msg: Any message; the endpoint's lock is held.
 * @error: Why, a negative errno.
 *
 * Context: Any but interrupts.
 */
void phi_caller_fail(struct phi_message *msg, int error)
{
	if (msg->reply)
		phi_waiter_fail(&phi_caller_of(msg->reply->obj)->w, error);
}

/* The thread leaves. Return: its message, if nobody has seen it, to free. */
static struct phi_message *phi_caller_quit(struct phi_caller *caller)
{
	struct phi_message *message = caller->message;
	struct phi_endpoint *ep = caller->ep;

	phi_caller_detach(caller);
	caller->withdrawn = phi_queue_withdraw(ep, message);
	return caller->withdrawn ? message : NULL;
}

/*
 * An answer is on its way: it has taken capabilities from the server, so the
 * thread stays for it unless it is killed.
 */
static int phi_caller_await(struct phi_caller *caller)
{
	struct phi_endpoint *ep = caller->ep;
	int killed;

	spin_unlock(&ep->lock);
	killed = wait_event_killable(
		caller->w.wq, READ_ONCE(caller->state) != PHI_CALLER_ANSWERING);
	spin_lock(&ep->lock);
	return killed ? -EINTR : 0;
}

/* Return: 0 when there is an answer, or why the wait ends. */
static int phi_caller_sleep(struct phi_caller *caller, u64 deadline_ns)
{
	struct phi_waiter *w = &caller->w;
	int ret = 0;

	while (caller->state != PHI_CALLER_ANSWERED) {
		if (caller->state == PHI_CALLER_ANSWERING) {
			ret = phi_caller_await(caller);
			if (ret)
				return ret;
			continue;
		}
		ret = w->error ?: ret;
		if (ret)
			return ret;
		ret = phi_waiter_block(w, &caller->ep->callers,
				       &caller->ep->lock, deadline_ns);
	}
	return w->error;
}

/**
 * phi_caller_wait() - wait for the answer
 * @caller: The call, whose message was posted.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * The first event is the outcome. A message that the server has not seen is
 * taken back when a signal comes, and sent again. One that it has seen must not
 * come a second time: a signal ends the call then only when a handler runs.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or a negative errno. With -ERESTARTNOHAND the call goes on, and
 * the thread comes back to it.
 */
int phi_caller_wait(struct phi_caller *caller, u64 deadline_ns)
{
	struct phi_endpoint *ep = caller->ep;
	struct phi_message *message = NULL;
	int ret;

	/* The capability came to its end while the thread was away. */
	if (!ep)
		return caller->w.error;
	spin_lock(&ep->lock);
	ret = phi_caller_sleep(caller, deadline_ns);
	if (caller->state == PHI_CALLER_ANSWERED) {
		phi_caller_detach(caller);
		ret = caller->w.error;
	} else if (ret == -ERESTARTSYS &&
		   !phi_queue_mayleave(caller->message) && phi_park_due()) {
		ret = -ERESTARTNOHAND;
	} else {
		message = phi_caller_quit(caller);
		if (ret == -ERESTARTSYS && !message)
			ret = -EINTR;
	}
	spin_unlock(&ep->lock);
	phi_message_free(message);
	return ret;
}

/**
 * phi_caller_end() - the thread of a call is done with it
 * @caller: The call, or an ERR_PTR(); the reference of the thread is given
 *          back.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_caller_end(struct phi_caller *caller)
{
	if (IS_ERR_OR_NULL(caller))
		return;
	if (!caller->parked)
		phi_cap_put(caller->w.cap);
	phi_caller_put(caller);
}

/**
 * phi_caller_rest() - the thread of a call leaves for a moment
 * @caller: The call, which goes on as phi_caller_wait() said.
 *
 * However long that takes, it does not keep a capability that ends, nor the
 * endpoint.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_caller_rest(struct phi_caller *caller)
{
	struct phi_cap *cap = caller->w.cap;

	scoped_guard(spinlock, &caller->ep->lock) {
		caller->parked = true;
		/* It was cut since: nothing keeps the endpoint but the pin. */
		if (hlist_unhashed(&caller->w.tie.node))
			phi_caller_detach(caller);
	}
	phi_cap_put(cap);
}

/**
 * phi_caller_return() - the thread of a call comes back
 * @caller: The call, after phi_caller_rest().
 *
 * Context: Process context.
 */
void phi_caller_return(struct phi_caller *caller)
{
	struct phi_endpoint *ep;

	guard(rcu)();
	ep = phi_caller_lock(caller);
	if (!ep)
		return;
	/* As the tie is not cut, the capability has not ended. */
	phi_cap_get(caller->w.cap);
	caller->parked = false;
	spin_unlock(&ep->lock);
}

/**
 * phi_caller_leave() - give up a call that goes on
 * @caller: The call; the reference of the thread is given back.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_caller_leave(struct phi_caller *caller)
{
	struct phi_message *message = NULL;
	struct phi_endpoint *ep;

	scoped_guard(rcu) {
		ep = phi_caller_lock(caller);
		if (ep) {
			message = phi_caller_quit(caller);
			spin_unlock(&ep->lock);
		}
	}
	phi_message_free(message);
	phi_message_free(caller->answer);
	phi_caller_end(caller);
}

/**
 * phi_caller_claim() - reserve a call for one answer
 * @caller: The call.
 *
 * Context: Process context. phi_caller_settle() follows soon.
 * Return: 0, or -EPIPE when the caller has gone.
 */
int phi_caller_claim(struct phi_caller *caller)
{
	struct phi_endpoint *ep;
	int ret = -EPIPE;

	guard(rcu)();
	ep = phi_caller_lock(caller);
	if (!ep)
		return ret;
	if (caller->state == PHI_CALLER_WAITS && !caller->w.error) {
		WRITE_ONCE(caller->state, PHI_CALLER_ANSWERING);
		ret = 0;
	}
	spin_unlock(&ep->lock);
	return ret;
}

/**
 * phi_caller_answer() - give a call a short answer, which it keeps
 * @caller: The call.
 * @data: The answer.
 * @len: Its bytes, at most PHI_ANSWER_SHORT.
 *
 * In place of phi_caller_claim() and phi_caller_settle(): no capability moves,
 * and no message is made.
 *
 * Context: Process context.
 * Return: 0, or -EPIPE when the caller has gone.
 */
int phi_caller_answer(struct phi_caller *caller, const u64 *data, u32 len)
{
	struct phi_endpoint *ep;
	int ret = -EPIPE;

	guard(rcu)();
	ep = phi_caller_lock(caller);
	if (!ep)
		return ret;
	if (caller->state == PHI_CALLER_WAITS && !caller->w.error) {
		for (u32 i = 0; i < DIV_ROUND_UP(len, sizeof(*data)); i++)
			caller->data[i] = data[i];
		caller->len = len;
		caller->kept = true;
		WRITE_ONCE(caller->state, PHI_CALLER_ANSWERED);
		phi_waiter_wake(&caller->w);
		ret = 0;
	}
	spin_unlock(&ep->lock);
	return ret;
}

/**
 * phi_caller_settle() - hand the answer over
 * @caller: The call, which phi_caller_claim() reserved.
 * @answer: The answer; or NULL to let the caller wait on.
 *
 * Context: Process context.
 * Return: False when the caller was killed; @answer is still the server's.
 */
bool phi_caller_settle(struct phi_caller *caller, struct phi_message *answer)
{
	struct phi_endpoint *ep;
	bool waits;

	guard(rcu)();
	ep = phi_caller_lock(caller);
	if (!ep)
		return false;
	waits = caller->state == PHI_CALLER_ANSWERING;
	if (waits) {
		caller->answer = answer;
		WRITE_ONCE(caller->state,
			   answer ? PHI_CALLER_ANSWERED : PHI_CALLER_WAITS);
		phi_waiter_wake(&caller->w);
	}
	spin_unlock(&ep->lock);
	return waits;
}
