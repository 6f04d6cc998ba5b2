// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why calls were refused.
 */

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "decision.h"
#include "dispatch.h"
#include "hook.h"
#include "main.h"
#include "quota.h"

/* Logs that a search for one to replace looks at. */
#define PHI_LOG_SEARCH 32

/**
 * struct phi_record - a decision as its log keeps it
 * @seq: Its number in the log; 0 = none yet.
 * @error: Result of the call, a negative errno.
 * @call: Number of the call.
 * @time_ns: CLOCK_BOOTTIME.
 * @asker: The thread that was refused.
 * @why: The reason.
 */
struct phi_record {
	u64 seq;
	int error;
	u32 call;
	u64 time_ns;
	struct phi_asker asker;
	struct phi_refusal why;
};

/**
 * struct phi_log - the decisions on one user
 * @lock: Guards the rest.
 * @uid: The user.
 * @seq: Number of the last decision: one whose lower half is 0 has none.
 * @total: How many there were.
 * @gone: Taken out of the table; nothing is recorded any more.
 * @rcu: Frees it.
 * @ring: The last of them, by number.
 */
struct phi_log {
	spinlock_t lock; /* leaf; see main.h */
	kuid_t uid;
	u64 seq;
	u64 total;
	bool gone;
	struct rcu_head rcu;
	struct phi_record ring[PHI_DECISIONS_KEPT];
};

/* By uid in the initial user namespace. */
static DEFINE_XARRAY(phi_logs);
static atomic_t phi_log_count;
static u32 phi_log_max __ro_after_init;
/* Where the search for a log to replace goes on. */
static unsigned long phi_log_hand;

/*
 * The reason that an errno alone tells: a waiter learns from its waker that its
 * capability died. Return: false when it is no refusal.
 */
static bool phi_refusal_of(const struct phi_hook_call *call, int error,
			   struct phi_refusal *why)
{
	struct phi_cap *cap = NULL;
	int gone = 0;

	*why = (struct phi_refusal){};
	switch (error) {
	case -EPERM:
		break;
	case -EDQUOT:
		why->where = PHI_DECIDED_QUOTA;
		why->owner = phi_cspace_uid(call->cs);
		break;
	case -EKEYREJECTED:
		why->where = PHI_DECIDED_TOKEN;
		break;
	case -EKEYREVOKED:
		why->where = PHI_DECIDED_REVOKED;
		break;
	case -EKEYEXPIRED:
		why->where = PHI_DECIDED_EXPIRED;
		break;
	case -EBADF:
		/* The handle was dropped meanwhile, or it is a descriptor's. */
		why->where = PHI_DECIDED_HANDLE;
		break;
	default:
		return false;
	}
	if (call->handle)
		gone = phi_cspace_glance(call->cs, call->handle, &cap);
	/* A client learns nothing of a capability of who asks for it. */
	if (cap && !call->asker) {
		why->type = cap->type;
		why->rights = cap->rights;
		why->types = BIT(cap->type);
		why->needs = cap->rights;
		why->badge = cap->badge;
	}
	phi_cap_put(cap);
	return error != -EBADF || gone == -EBADF;
}

static void phi_log_remove(struct phi_log *log)
{
	/* One remover alone finds it in the table. */
	if (xa_cmpxchg(&phi_logs, __kuid_val(log->uid), log, NULL, 0) != log)
		return;
	scoped_guard(spinlock, &log->lock)
		log->gone = true;
	atomic_dec(&phi_log_count);
	kvfree_rcu(log, rcu);
}

/* Remove the log of a user that has no account. False when none was found. */
static bool phi_log_make_room(void)
{
	for (u32 i = 0; i < PHI_LOG_SEARCH; i++) {
		unsigned long at = READ_ONCE(phi_log_hand);
		struct phi_log *log;

		guard(rcu)();
		log = xa_find(&phi_logs, &at, U32_MAX, XA_PRESENT);
		WRITE_ONCE(phi_log_hand, log ? at + 1 : 0);
		if (!log || phi_user_exists(log->uid))
			continue;
		phi_log_remove(log);
		return true;
	}
	return false;
}

/* Make the log of a user that has none. */
static void phi_log_make(kuid_t uid)
{
	struct phi_log *log;

	if (atomic_read(&phi_log_count) >= phi_log_max &&
	    !phi_log_make_room() && !uid_eq(uid, GLOBAL_ROOT_UID))
		return;
	log = kvzalloc(sizeof(*log), GFP_KERNEL_ACCOUNT);
	if (!log)
		return;
	spin_lock_init(&log->lock);
	log->uid = uid;
	atomic_inc(&phi_log_count);
	/* Another thread of the user may have been first. */
	if (xa_insert(&phi_logs, __kuid_val(uid), log, GFP_KERNEL_ACCOUNT)) {
		atomic_dec(&phi_log_count);
		kvfree(log);
	}
}

/* Put a record into the log of its user, if that has one. */
static bool phi_log_add(struct phi_record *record)
{
	struct phi_log *log;

	guard(rcu)();
	log = xa_load(&phi_logs, __kuid_val(record->asker.uid));
	if (!log)
		return false;
	guard(spinlock)(&log->lock);
	if (log->gone)
		return false;
	/* A lower half of 0 is where a log begins. */
	if (!lower_32_bits(++log->seq))
		log->seq++;
	record->seq = log->seq;
	log->ring[log->total++ % PHI_DECISIONS_KEPT] = *record;
	return true;
}

/**
 * phi_asker_self() - let the current thread be who is refused
 * @asker: Out.
 * @uid: The user of its cspace.
 * @agent: Number of its agent, 0 = none.
 *
 * Context: Process context.
 */
void phi_asker_self(struct phi_asker *asker, kuid_t uid, u64 agent)
{
	*asker = (struct phi_asker){
		.uid = uid,
		.agent = agent,
		.host = { task_tgid_nr(current), task_pid_nr(current) },
		.own = { task_tgid_vnr(current), task_pid_vnr(current) },
		.ns = task_active_pid_ns(current)->ns.inum,
		.start_ns = current->start_boottime,
	};
}

static void phi_record_add(const struct phi_asker *asker, u32 nr, int error,
			   const struct phi_refusal *why)
{
	struct phi_record record = {
		.error = error,
		.call = nr,
		.time_ns = ktime_get_boottime_ns(),
		.asker = *asker,
		.why = *why,
	};

	if (!phi_log_add(&record)) {
		phi_log_make(asker->uid);
		phi_log_add(&record);
	}
}

/**
 * phi_decide() - record why a call failed, if it was refused
 * @call: The call, from phi_hook_enter().
 * @draft: Holds the refusal noted last while it ran.
 * @error: Its result, a negative errno.
 *
 * Context: Process context. May sleep.
 */
void phi_decide(const struct phi_hook_call *call, const struct phi_draft *draft,
		int error)
{
	const struct phi_asker *asker = call->asker;
	struct phi_asker self;
	struct phi_refusal why;

	/* A refusal that the call went on after has another errno. */
	if (draft->error == error)
		why = draft->why;
	else if (!phi_refusal_of(call, error, &why))
		return;
	if (!why.named)
		why.handle = call->handle;
	if (asker) {
		why.handle = 0;
		why.badge = 0;
		why.rights = 0;
	} else {
		phi_asker_self(&self, phi_cspace_uid(call->cs), call->agent);
		asker = &self;
	}
	phi_record_add(asker, call->nr, error, &why);
}

/**
 * phi_decide_foreign() - record that a cspace is another process's
 * @nr: Number of the call.
 *
 * The record goes to the user that tried, not to the owner of the cspace.
 *
 * Context: Process context. May sleep.
 * Return: -EPERM.
 */
int phi_decide_foreign(u32 nr)
{
	struct phi_asker self;

	phi_asker_self(&self, current_euid(), phi_agent_current(NULL));
	phi_record_add(&self, nr, -EPERM,
		       &(struct phi_refusal){ .where = PHI_DECIDED_CSPACE });
	return -EPERM;
}

/* The decisions that a query reads. */
struct phi_reader {
	u32 flags;
	/* Number of an agent, or 0 for any. */
	u64 agent;
};

static u64 phi_record_id(const struct phi_log *log,
			 const struct phi_record *record)
{
	return (u64)__kuid_val(log->uid) << 32 | lower_32_bits(record->seq);
}

/*
 * Where in a log a reader stands: 0 = before all of it, U64_MAX = after. An id
 * holds the lower 32 bits of a record's number. Of the numbers assigned so far
 * that have these bits, the id means the greatest.
 */
static u64 phi_log_place(const struct phi_log *log,
			 const struct phi_reader *reader, u64 id)
{
	u64 seq = lower_32_bits(id);

	if (!id && reader->flags & PHI_DECISION_BEFORE)
		return U64_MAX;
	if (upper_32_bits(id) != __kuid_val(log->uid))
		return upper_32_bits(id) < __kuid_val(log->uid) ? 0 : U64_MAX;
	if (!seq)
		return 0;
	seq |= log->seq & ~(u64)U32_MAX;
	return seq > log->seq && upper_32_bits(seq) ? seq - BIT_ULL(32) : seq;
}

/* Is it on the current thread, not on an ended one that had its number? */
static bool phi_record_mine(const struct phi_record *record)
{
	return record->asker.host.tid == task_pid_nr(current) &&
	       record->asker.start_ns == current->start_boottime;
}

/* May the reader see it, and does it stand where the reader looks? */
static bool phi_record_fits(const struct phi_reader *reader, u64 place,
			    const struct phi_record *record)
{
	if (!record->seq)
		return false;
	if (reader->agent && record->asker.agent != reader->agent)
		return false;
	if (reader->flags & PHI_DECISION_THREAD && !phi_record_mine(record))
		return false;
	if (reader->flags & PHI_DECISION_AFTER)
		return record->seq > place;
	if (reader->flags & PHI_DECISION_BEFORE)
		return record->seq < place;
	return record->seq == place;
}

/* The numbers of a thread as the current process knows it: 0 = not at all. */
static struct phi_tasks phi_record_tasks(const struct phi_record *record)
{
	const struct pid_namespace *ns = task_active_pid_ns(current);

	if (ns == &init_pid_ns)
		return record->asker.host;
	if (ns->ns.inum == record->asker.ns)
		return record->asker.own;
	return (struct phi_tasks){};
}

static void phi_record_show(const struct phi_log *log,
			    const struct phi_record *record,
			    struct phi_decision *out)
{
	struct phi_tasks tasks = phi_record_tasks(record);
	const struct phi_refusal *why = &record->why;
	struct user_namespace *ns = current_user_ns();

	*out = (struct phi_decision){
		.id = phi_record_id(log, record),
		.time_ns = record->time_ns,
		.agent = record->asker.agent,
		.handle = why->handle,
		.badge = why->badge,
		.asked = why->asked,
		.used = why->used,
		.limit = why->limit,
		.call = record->call,
		.error = record->error,
		.where = why->where,
		.uid = from_kuid_munged(ns, log->uid),
		.pid = tasks.pid,
		.tid = tasks.tid,
		.type = why->type,
		.rights = why->rights,
		.types = why->types,
		.needs = why->needs,
		.kind = why->kind,
		.owner = from_kuid_munged(ns, why->owner),
		.rule = why->rule,
	};
	memcpy(out->program, why->program, sizeof(out->program));
}

/* Look for the nearest decision in one log. */
static bool phi_log_read(struct phi_log *log, const struct phi_reader *reader,
			 struct phi_decision_query *cmd)
{
	const struct phi_record *best = NULL;
	u64 place;

	guard(spinlock)(&log->lock);
	place = phi_log_place(log, reader, cmd->id);
	for (u32 i = 0; i < PHI_DECISIONS_KEPT && !log->gone; i++) {
		const struct phi_record *record = &log->ring[i];

		if (!phi_record_fits(reader, place, record))
			continue;
		if (!best || (reader->flags & PHI_DECISION_AFTER ?
				      record->seq < best->seq :
				      record->seq > best->seq))
			best = record;
	}
	if (!best)
		return false;
	phi_record_show(log, best, &cmd->decision);
	/* All agents of the user share its log: of the others one learns none. */
	cmd->lost = !reader->agent && log->total > PHI_DECISIONS_KEPT ?
			    log->total - PHI_DECISIONS_KEPT :
			    0;
	return true;
}

/* Look through the log of a user. */
static int phi_decision_own(kuid_t uid, const struct phi_reader *reader,
			    struct phi_decision_query *cmd)
{
	struct phi_log *log;

	guard(rcu)();
	log = xa_load(&phi_logs, __kuid_val(uid));
	return log && phi_log_read(log, reader, cmd) ? 0 : -ENOENT;
}

/* The next log at or after a uid, or before it. NULL when there is none. */
static struct phi_log *phi_log_next(unsigned long *at, bool back)
{
	struct phi_log *log = NULL;
	unsigned long last = *at;

	if (!back)
		return xa_find(&phi_logs, at, U32_MAX, XA_PRESENT);
	/* There is no search backwards: halve the way. */
	for (unsigned long low = 0, high = *at; low <= high;) {
		unsigned long mid = low + (high - low) / 2;
		unsigned long found = mid;
		struct phi_log *one =
			xa_find(&phi_logs, &found, high, XA_PRESENT);

		if (!one && !mid)
			break;
		if (!one) {
			high = mid - 1;
			continue;
		}
		log = one;
		last = found;
		low = found + 1;
	}
	*at = last;
	return log;
}

/* Look through the logs of all users. */
static int phi_decision_all(const struct phi_reader *reader,
			    struct phi_decision_query *cmd)
{
	bool back = reader->flags & PHI_DECISION_BEFORE;
	unsigned long at = cmd->id >> 32;
	struct phi_log *log;

	if (!(reader->flags & (PHI_DECISION_AFTER | PHI_DECISION_BEFORE)))
		return phi_decision_own(KUIDT_INIT(at), reader, cmd);
	if (back && !cmd->id)
		at = U32_MAX;
	do {
		scoped_guard(rcu) {
			log = phi_log_next(&at, back);
			if (log && phi_log_read(log, reader, cmd))
				return 0;
		}
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (log && (back ? at-- > 0 : at++ < U32_MAX));
	return -ENOENT;
}

/**
 * phi_decision_query() - PHI_IOC_DECISION_QUERY
 * @cs: The caller's cspace.
 * @arg: struct phi_decision_query.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_decision_query(struct phi_cspace *cs, void *arg)
{
	const u32 ways = PHI_DECISION_AFTER | PHI_DECISION_BEFORE;
	struct phi_decision_query *cmd = arg;
	struct phi_reader reader = { .flags = cmd->flags };

	if (cmd->flags & ~(ways | PHI_DECISION_THREAD | PHI_DECISION_ALL))
		return -EOPNOTSUPP;
	if ((cmd->flags & ways) == ways)
		return -EINVAL;
	if (cmd->flags & PHI_DECISION_ALL &&
	    !phi_cspace_capable(cs, CAP_SYS_ADMIN))
		return phi_refuse_as(PHI_DECIDED_PRIVILEGE, CAP_SYS_ADMIN);
	if (cmd->agent) {
		struct phi_cap *agent __free(phi_cap_put) = phi_cspace_lookup(
			cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_ADMIN);
		if (IS_ERR(agent))
			return PTR_ERR(agent);
		reader.agent = phi_agent_id(agent->obj);
	} else if (!(cmd->flags & PHI_DECISION_ALL)) {
		reader.agent = phi_agent_current(NULL);
	}
	if (cmd->agent || cmd->flags & PHI_DECISION_ALL)
		return phi_decision_all(&reader, cmd);
	return phi_decision_own(phi_cspace_uid(cs), &reader, cmd);
}

/**
 * phi_decision_init() - make ready for decisions
 *
 * Context: Module load.
 * Return: 0.
 */
int __init phi_decision_init(void)
{
	phi_log_max = max_t(u64, 1,
			    ((u64)totalram_pages() << PAGE_SHIFT) / 64 /
				    sizeof(struct phi_log));
	return 0;
}

/**
 * phi_decision_exit() - forget all decisions
 *
 * Context: Module unload, or failed load; no call is running.
 */
void phi_decision_exit(void)
{
	struct phi_log *log;
	unsigned long uid;

	xa_for_each(&phi_logs, uid, log)
		phi_log_remove(log);
	xa_destroy(&phi_logs);
}
