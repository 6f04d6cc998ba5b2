// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "endpoint.h"

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
	phi_object_put(&caller->ep->obj);
	kfree(caller);
}

static void phi_caller_free(struct phi_object *obj)
{
	struct phi_caller *caller = phi_caller_of(obj);

	scoped_guard(spinlock, &caller->ep->lock) {
		if (caller->state == PHI_CALLER_WAITS)
			phi_waiter_fail(&caller->w, -EPIPE);
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
 * @cap: What the handle led to; the caller keeps its reference.
 *
 * Context: Process context. May sleep.
 * Return: The call, with a reference for the thread and one to its object; or
 * ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct phi_caller *phi_caller_new(struct phi_cspace *cs, u64 handle,
				  struct phi_cap *cap)
{
	struct phi_caller *caller =
		kzalloc(sizeof(*caller), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!caller)
		return ERR_PTR(-ENOMEM);
	ret = phi_object_init(&caller->obj, &phi_caller_ops, cs->user);
	if (ret) {
		kfree(caller);
		return ERR_PTR(ret);
	}
	refcount_set(&caller->ref, 2);
	caller->ep = phi_endpoint_behind(cap);
	phi_object_get(&caller->ep->obj);
	phi_waiter_init(&caller->w, cs, handle, cap, PHI_TYPES_SEND,
			PHI_RIGHT_SEND);
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

/*
 * What the server has seen cannot be asked again, so only a signal ends this.
 * Other work that the kernel has for this thread, say io_uring's completions,
 * ends any wait that can be begun anew; here it is put off until the call
 * returns. To a worker of io_uring it says that the call is cancelled.
 */
static bool phi_caller_put_off(struct phi_caller *caller)
{
	lockdep_assert_held(&caller->ep->lock);
	if (caller->message || task_sigpending(current) ||
	    current->flags & PF_IO_WORKER)
		return false;
	clear_notify_signal();
	return true;
}

/**
 * phi_caller_wait() - wait for the answer
 * @caller: The call, whose message was posted.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * Whatever comes first is the outcome; but an answer that is on its way
 * already has taken capabilities from the server, so the thread stays for it:
 * it is a matter of a moment.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or a negative errno.
 */
int phi_caller_wait(struct phi_caller *caller, u64 deadline_ns)
{
	struct phi_endpoint *ep = caller->ep;
	struct phi_message *message = NULL;
	struct phi_waiter *w = &caller->w;
	bool put_off = false;
	int ret = 0;

	spin_lock(&ep->lock);
	while (caller->state != PHI_CALLER_ANSWERED) {
		if (caller->state == PHI_CALLER_ANSWERING) {
			spin_unlock(&ep->lock);
			wait_event(w->wq, READ_ONCE(caller->state) !=
						  PHI_CALLER_ANSWERING);
			spin_lock(&ep->lock);
			continue;
		}
		ret = w->error ?: ret;
		if (ret)
			break;
		ret = phi_waiter_block(w, &ep->callers, &ep->lock, deadline_ns);
		if (ret == -ERESTARTSYS && phi_caller_put_off(caller)) {
			put_off = true;
			ret = 0;
		}
	}
	list_del_init(&w->node);
	if (caller->state == PHI_CALLER_ANSWERED) {
		ret = w->error;
	} else {
		caller->state = PHI_CALLER_LEFT;
		message = caller->message;
		if (!phi_queue_withdraw(ep, message))
			message = NULL;
		/* What the server has seen must not come a second time. */
		if (ret == -ERESTARTSYS && !message)
			ret = -EINTR;
	}
	spin_unlock(&ep->lock);
	if (put_off)
		set_thread_flag(TIF_NOTIFY_SIGNAL);
	phi_message_free(message);
	return ret;
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
	guard(spinlock)(&caller->ep->lock);
	if (caller->state != PHI_CALLER_WAITS || caller->w.error)
		return -EPIPE;
	caller->state = PHI_CALLER_ANSWERING;
	return 0;
}

/**
 * phi_caller_settle() - hand the answer over
 * @caller: The call, which phi_caller_claim() reserved.
 * @answer: The answer; or NULL to let the caller wait on.
 *
 * Context: Process context.
 */
void phi_caller_settle(struct phi_caller *caller, struct phi_message *answer)
{
	guard(spinlock)(&caller->ep->lock);
	caller->answer = answer;
	WRITE_ONCE(caller->state,
		   answer ? PHI_CALLER_ANSWERED : PHI_CALLER_WAITS);
	phi_waiter_wake(&caller->w);
}
