/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KENDPOINT_H
#define _PHI_KENDPOINT_H

#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "message.h"
#include "object.h"
#include "wait.h"

/**
 * DOC: Mailboxes
 *
 * Each cspace that sends to an endpoint has a credit there, with a queue of
 * its own, which keeps its messages in order. The receiver serves the users
 * that have messages in turn, one message each, and among the cspaces of one
 * user goes round in the same way: neither a long queue nor many cspaces make
 * another user wait longer.
 *
 * Messages are in the queues, in the hand of a receiver that copies one out, or
 * gone. Code that takes messages out in bulk (death, revoke) unlinks one at a
 * time and frees it without the lock.
 */

struct phi_frame;

/* Types to call or send through: an endpoint or what leads to one. */
#define PHI_TYPES_SEND (PHI_TYPES(ENDPOINT) | PHI_TYPES_SERVICE)

/**
 * struct phi_endpoint - a mailbox
 * @obj: Object of ENDPOINT capabilities.
 * @lock: Guards the rest, and the credits and callers.
 * @dead: Nobody can receive any more; stays true.
 * @recvs: Live capabilities with RECV that are in slots, those @counted.
 * @active: Users with messages, struct phi_turn, the next to be served first.
 * @turns: All users with a credit, by uid.
 * @credits: All credits, by id of the cspace.
 * @idle: Credits that nobody counts on, the oldest first: a client that calls
 *        again needs no new one.
 * @idles: How many are @idle.
 * @receivers: Threads in RECV.
 * @callers: Threads in CALL whose message is in a queue, or was taken.
 * @files: All files to poll it with, struct phi_poller.
 * @pollers: Those that were polled since they were last woken for a message,
 *           or that somebody still waits on.
 * @late_in: Those of @pollers that are still to be woken.
 * @late_out: The same for credit.
 * @late_work: Wakes those.
 * @watches: Notifies to signal at death.
 * @watch_work: Hands those to the workers of who made them, with a reference
 *              while it is queued or runs.
 * @services: Service objects that hear of its death; kmod/service.c, under
 *            the services lock.
 * @rcu: Frees it: who looks at @dead, or takes @lock, under RCU may be late.
 */
struct phi_endpoint {
	struct phi_object obj;
	spinlock_t lock; /* see main.h */
	bool dead;
	u32 recvs;
	struct list_head active;
	struct xarray turns;
	struct xarray credits;
	struct list_head idle;
	u32 idles;
	struct list_head receivers;
	struct list_head callers;
	struct list_head files;
	struct list_head pollers;
	struct list_head late_in;
	struct list_head late_out;
	struct work_struct late_work;
	struct list_head watches;
	struct work_struct watch_work;
	struct list_head services;
	struct rcu_head rcu;
};

/**
 * struct phi_turn - what one user may still send to one endpoint
 * @uid: Of the user.
 * @ref: Its credits.
 * @active: In the endpoint's list of that name while @credits is not empty.
 * @credits: Its credits with messages, the next to be served first.
 */
struct phi_turn {
	kuid_t uid;
	u32 ref;
	struct list_head active;
	struct list_head credits;
};

/**
 * struct phi_credit - what one cspace may still send to one endpoint
 * @id: Of the cspace.
 * @turn: Of its user.
 * @ref: Messages, senders and files that count on it.
 * @used: Messages of it that are queued or in a receiver's hand.
 * @active: In the credits of @turn while @queue has messages, in the idle ones
 *          while @ref is 0.
 * @queue: Its messages.
 * @senders: Threads that wait for credit.
 * @pollers: Files that were polled since they were last woken for credit, or
 *           that somebody still waits on; struct phi_poller.
 */
struct phi_credit {
	u64 id;
	struct phi_turn *turn;
	u32 ref;
	u32 used;
	struct list_head active;
	struct list_head queue;
	struct list_head senders;
	struct list_head pollers;
};

/**
 * struct phi_poller - a file to poll an endpoint with
 * @w: Its place in the files of the endpoint; poll() waits on its queue.
 *     Neither it nor @ep is referenced: both are there until the capability has
 *     left its slot or died, which cuts the tie.
 * @in: In the pollers of the endpoint, or late; with RECV.
 * @out: In the pollers of @credit, or late.
 * @credit: NULL without SEND.
 * @ep: The endpoint; NULL once the poller has left it. Written under its lock,
 *      and read under RCU to take that.
 * @hup: The endpoint was dead when the poller left it.
 * @ref: The file, and @late_work while it is queued or runs. They keep the
 *       memory, no more.
 * @late: Events that @late_work wakes for.
 * @late_work: Wakes those who poll the file when they are many.
 */
struct phi_poller {
	struct phi_waiter w;
	struct list_head in;
	struct list_head out;
	struct phi_credit *credit;
	struct phi_endpoint *ep;
	bool hup;
	refcount_t ref;
	atomic_t late;
	struct work_struct late_work;
};

/**
 * struct phi_watch - a wish to hear of an end
 * @node: In the watches of the endpoint, or of the one that frees it.
 * @told: In the list of its user, from its event until a worker has signalled.
 * @tie: To @through.
 * @through: Of an endpoint's death: the capability that was shown, referenced.
 *           With it goes the watch. NULL when the end of a capability is
 *           watched, which lists its watches by number.
 * @notify: Notify capability to signal; referenced.
 * @bits: Bits to set there, when the endpoint dies or the capability is
 *        revoked; from the event on, those to set for that one.
 * @expired: Bits to set when the capability that is watched expires.
 * @id: Number of a watch of a capability, else 0.
 * @next: Number of the next one of the same capability, or 0. Under the watch
 *        lock.
 * @user: The account it is charged to, as a capability is; referenced.
 */
struct phi_watch {
	struct list_head node;
	struct llist_node told;
	struct phi_tie tie;
	struct phi_cap *through;
	struct phi_cap *notify;
	u64 bits;
	u64 expired;
	u32 id;
	u32 next;
	struct phi_user *user;
};

/* The longest answer that a call keeps. */
#define PHI_ANSWER_SHORT 64U

/**
 * enum phi_caller_state - how far a call is
 * @PHI_CALLER_WAITS: No answer yet.
 * @PHI_CALLER_ANSWERING: An answer is certain; its capabilities are moving.
 * @PHI_CALLER_ANSWERED: The answer is there.
 * @PHI_CALLER_LEFT: The thread does not wait any more.
 */
enum phi_caller_state {
	PHI_CALLER_WAITS,
	PHI_CALLER_ANSWERING,
	PHI_CALLER_ANSWERED,
	PHI_CALLER_LEFT,
};

/**
 * struct phi_caller - a call, and the REPLY object that answers it
 * @obj: Object of the REPLY capability. It goes with the last capability, and
 *       the thread knows then that nobody can answer.
 * @ref: The thread, and @obj.
 * @ep: Where it called, NULL once nobody waits for the answer. Its lock guards
 *      the rest, and is taken under RCU but by the thread. Not referenced: the
 *      thread pins its capability, or that is tied to the call.
 * @w: The thread.
 * @parked: The thread is away, and pins nothing.
 * @withdrawn: Its message came back, and nobody has seen it.
 * @state: How far it is.
 * @message: Its message while that is queued, or NULL.
 * @answer: The answer, or NULL.
 * @kept: The answer is @data.
 * @len: Bytes of that.
 * @data: A short answer, which needs no message.
 */
struct phi_caller {
	struct phi_object obj;
	refcount_t ref;
	struct phi_endpoint *ep;
	struct phi_waiter w;
	bool parked;
	bool withdrawn;
	enum phi_caller_state state;
	struct phi_message *message;
	struct phi_message *answer;
	bool kept;
	u32 len;
	u64 data[PHI_ANSWER_SHORT / sizeof(u64)];
};

struct phi_endpoint *phi_endpoint_of(struct phi_object *obj);
struct phi_endpoint *phi_endpoint_behind(struct phi_cap *cap);
struct phi_endpoint *phi_mailbox_new(struct phi_user *user);
bool phi_endpoint_dead(struct phi_object *obj);
void phi_endpoint_cut(struct phi_object *obj, struct phi_cap *cap, int error);

/* Queues and credits; kmod/queue.c. */
struct phi_credit *phi_credit_get(struct phi_endpoint *ep,
				  struct phi_cspace *cs);
void phi_credit_put(struct phi_endpoint *ep, struct phi_credit *credit);
void phi_credits_free(struct phi_endpoint *ep);
bool phi_credit_left(const struct phi_credit *credit);
int phi_queue_post(struct phi_endpoint *ep, struct phi_waiter *w,
		   struct phi_message *msg, const struct phi_moves *moves,
		   u32 flags, u64 deadline_ns);
struct phi_message *phi_queue_take(struct phi_endpoint *ep,
				   struct phi_waiter *w, u32 room, u32 flags,
				   u64 deadline_ns);
void phi_queue_return(struct phi_endpoint *ep, struct phi_message *msg);
void phi_queue_done(struct phi_endpoint *ep, struct phi_message *msg);
void phi_queue_flush(struct phi_endpoint *ep);
struct phi_message *phi_queue_recall(struct phi_endpoint *ep,
				     struct phi_cap *cap);
bool phi_queue_mayleave(const struct phi_message *msg);
bool phi_queue_withdraw(struct phi_endpoint *ep, struct phi_message *msg);

/* Calls and their answers; kmod/caller.c. */
struct phi_caller *phi_caller_of(struct phi_object *obj);
struct phi_caller *phi_caller_new(struct phi_cspace *cs, u64 handle,
				  struct phi_cap *cap);
void phi_caller_put(struct phi_caller *caller);
void phi_caller_queued(struct phi_message *msg);
void phi_caller_taken(struct phi_message *msg);
void phi_caller_fail(struct phi_message *msg, int error);
int phi_caller_wait(struct phi_caller *caller, u64 deadline_ns);
int phi_caller_claim(struct phi_caller *caller);
void phi_caller_end(struct phi_caller *caller);
void phi_caller_rest(struct phi_caller *caller);
void phi_caller_return(struct phi_caller *caller);
void phi_caller_leave(struct phi_caller *caller);
int phi_caller_answer(struct phi_caller *caller, const u64 *data, u32 len);
bool phi_caller_settle(struct phi_caller *caller, struct phi_message *answer);

DEFINE_FREE(phi_caller_end, struct phi_caller *, phi_caller_end(_T))

/* Calls whose thread comes back; kmod/park.c. */
bool phi_park(struct phi_cspace *cs, struct phi_frame *frame,
	      struct phi_caller *caller);
struct phi_caller *phi_park_resume(struct phi_cspace *cs,
				   struct phi_frame *frame);
bool phi_park_due(void);

/* Files to poll with; kmod/poller.c. */
void phi_pollers_wake_in(struct phi_endpoint *ep);
void phi_pollers_wake_out(struct phi_endpoint *ep, struct phi_credit *credit);
bool phi_pollers_hang_up(struct phi_endpoint *ep);
void phi_pollers_late(struct work_struct *work);
struct file *phi_poller_open(struct phi_cspace *cs, u64 handle,
			     struct phi_cap *cap);

/* Watches; kmod/watch.c. */
struct phi_watch *phi_watch_new(struct phi_user *user, struct phi_cap *through,
				struct phi_cap *notify, u64 bits);
int phi_watch_add(struct phi_endpoint *ep, struct phi_watch *watch,
		  const struct phi_waiter *w);
void phi_watches_fire(struct list_head *watches);
void phi_watches_hand(struct work_struct *work);
void phi_watches_bury(struct phi_endpoint *ep);
void phi_watch_free(struct phi_watch *watch);
void phi_watches_free(struct list_head *watches);

DEFINE_FREE(phi_watch_free, struct phi_watch *, phi_watch_free(_T))

#endif /* _PHI_KENDPOINT_H */
