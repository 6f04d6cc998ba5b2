// SPDX-License-Identifier: GPL-2.0-only
/*
 * Structs for random calls: mostly fields that a call can go far with, now and
 * then noise.
 */

#include "kselftest.h"

#include <signal.h>

#include "fuzz.h"

/* xorshift64*, so that a seed means the same everywhere. */
uint32_t any(struct fuzzer *f)
{
	f->state ^= f->state >> 12;
	f->state ^= f->state << 25;
	f->state ^= f->state >> 27;
	return (f->state * 0x2545f4914f6cdd1dULL) >> 32;
}

bool one_in(struct fuzzer *f, uint32_t n)
{
	return any(f) % n == 0;
}

/* A handle of some type, at times spoilt, foreign or made up; 0 = any type. */
uint64_t a_handle(struct fuzzer *f, uint32_t type)
{
	int which = one_in(f, 16) ? !f->which : f->which;
	uint64_t handle;
	int slot;

	if (!type || one_in(f, 32))
		type = 1 + any(f) % PHI_TYPE_SESSION;
	f->type = type;
	/* One is liked best, so that senders and receivers meet. */
	slot = one_in(f, 4) ? any(f) % POOL : 0;
	handle = __atomic_load_n(&f->world->pool[which][type][slot],
				 __ATOMIC_RELAXED);
	if (one_in(f, 32))
		return handle ^ 1ULL << any(f) % 64;
	if (one_in(f, 64))
		return (uint64_t)any(f) << 32 | any(f);
	return handle;
}

uint64_t any_pointer(struct fuzzer *f)
{
	uint64_t at = any(f) % (PAGES * 4096);

	if (one_in(f, 32))
		return (uint64_t)any(f) << 32 | any(f);
	/* Mostly with room behind it, in a page that is accessible. */
	if (!one_in(f, 8))
		at = at & ~0x3fffULL;
	return (uintptr_t)f->world->memory + at;
}

static uint32_t small(struct fuzzer *f)
{
	static const uint32_t some[] = { 0,    1,	2,	  3,   4,
					 6,    17,	255,	  256, 257,
					 4096, 1 << 16, 1U << 31, ~0U };

	return one_in(f, 2) ? any(f) % 8 : some[any(f) % ARRAY_SIZE(some)];
}

/* One 8-byte field: a handle, a pointer, two small numbers, or noise. */
static uint64_t any_field(struct fuzzer *f)
{
	switch (any(f) % 8) {
	case 0:
	case 1:
		return a_handle(f, 0);
	case 2:
	case 3:
		return any_pointer(f);
	case 4:
		return 0;
	case 5:
		return (uint64_t)small(f) << 32 | small(f);
	case 6:
		return 4096ULL * (any(f) % 40);
	default:
		return 1ULL << any(f) % 64;
	}
}

static void aim_message(struct fuzzer *f, uint64_t *data, uint32_t *len,
			uint32_t *ncaps, struct phi_xfer *caps)
{
	*data = any_pointer(f);
	*len = any(f) % (PHI_MSG_MAX + 2);
	*ncaps = one_in(f, 2) ? 0 : any(f) % (PHI_MSG_CAPS_MAX + 1);
	memset(caps, 0, PHI_MSG_CAPS_MAX * sizeof(*caps));
	for (uint32_t i = 0; i < *ncaps; i++)
		caps[i] = (struct phi_xfer){ a_handle(f, 0), any(f) % 2,
					     PHI_RIGHT_ALL };
}

static void aim_recv(struct fuzzer *f, struct phi_recv *recv)
{
	recv->data = any_pointer(f);
	recv->len = PHI_MSG_MAX;
}

static void aim_call(struct fuzzer *f, struct phi_call *call)
{
	aim_message(f, (uint64_t *)&call->data, &call->len, &call->ncaps,
		    call->caps);
	call->reply_data = any_pointer(f);
	call->reply_len = PHI_MSG_MAX;
}

static void aim_derive(struct fuzzer *f, struct phi_cap_derive *arg)
{
	arg->badge = one_in(f, 8);
	arg->expires_ns = one_in(f, 4) ? boottime_ns() + any(f) % 1000000000 :
					 0;
}

static void aim_model(struct fuzzer *f, struct phi_infer_begin *arg)
{
	*arg = (struct phi_infer_begin){ .batch = 1 + any(f) % 8 };
}

/* Calls that carry messages and bits. */
static void aim_ipc(struct fuzzer *f, unsigned int cmd, void *arg)
{
	struct world *w = f->world;

	switch (cmd) {
	case PHI_IOC_SEND: {
		struct phi_send *send = arg;

		aim_message(f, (uint64_t *)&send->data, &send->len,
			    &send->ncaps, send->caps);
		break;
	}
	case PHI_IOC_REPLY: {
		struct phi_reply *reply = arg;

		aim_message(f, (uint64_t *)&reply->data, &reply->len,
			    &reply->ncaps, reply->caps);
		break;
	}
	case PHI_IOC_CALL:
		aim_call(f, arg);
		break;
	case PHI_IOC_RECV:
		aim_recv(f, arg);
		break;
	case PHI_IOC_REPLY_RECV: {
		struct phi_reply_recv *both = arg;

		aim_ipc(f, PHI_IOC_REPLY, &both->reply);
		aim_recv(f, &both->recv);
		both->reply.size = sizeof(both->reply);
		both->reply.flags = 0;
		both->reply.reply = a_handle(f, PHI_TYPE_REPLY);
		both->recv.size = sizeof(both->recv);
		both->recv.flags = any(f) & (PHI_NONBLOCK | PHI_RECV_NOCAPS);
		break;
	}
	case PHI_IOC_ENDPOINT_WATCH:
		((struct phi_endpoint_watch *)arg)->notify =
			a_handle(f, PHI_TYPE_NOTIFY);
		break;
	case PHI_IOC_CAP_WATCH:
		*(struct phi_cap_watch *)arg = (struct phi_cap_watch){
			.notify = a_handle(f, PHI_TYPE_NOTIFY),
			.revoked = any(f) % 4,
			.expired = any(f) % 4,
			.gone = any(f) % 2,
		};
		break;
	case PHI_IOC_CAP_GRANT: {
		struct phi_cap_grant *grant = arg;

		grant->give.flags = any(f) % 2;
		grant->give.rights = PHI_RIGHT_ALL;
		grant->agent = one_in(f, 4) ? a_handle(f, PHI_TYPE_AGENT) : 0;
		grant->data = any_pointer(f);
		grant->len = any(f) % (PHI_MSG_MAX + 2);
		grant->pidfd = grant->agent ? -1 : w->self;
		break;
	}
	case PHI_IOC_NOTIFY_BIND:
		((struct phi_notify_bind *)arg)->eventfd =
			w->files[any(f) % ARRAY_SIZE(w->files)];
		break;
	}
}

/* An operation that its type has, mostly, with lengths that fit. */
static void aim_invoke(struct fuzzer *f, struct phi_cap_invoke *arg)
{
	static const struct {
		uint32_t type, op, in_len, out_len;
	} some[] = {
		{ PHI_TYPE_MEMORY, PHI_OP_READ, 8, 256 },
		{ PHI_TYPE_MEMORY, PHI_OP_WRITE, 64, 0 },
		{ PHI_TYPE_MEMORY, PHI_OP_QUERY, 0, 256 },
		{ PHI_TYPE_NOTIFY, PHI_OP_SIGNAL, 8, 0 },
		{ PHI_TYPE_NOTIFY, PHI_OP_POLL, 8, 8 },
		{ PHI_TYPE_DEVICE, PHI_OP_QUERY, 0, 256 },
		{ PHI_TYPE_MODEL, PHI_OP_QUERY, 0, 256 },
		{ PHI_TYPE_AGENT, PHI_OP_QUERY, 0, 256 },
		{ PHI_TYPE_ENDPOINT, PHI_OP_SEND, 17, 0 },
		{ PHI_TYPE_FILE, PHI_OP_CALL, 17, 256 },
		{ PHI_TYPE_REPLY, PHI_OP_ANSWER, 17, 0 },
	};
	uint32_t i = any(f) % ARRAY_SIZE(some);
	uint32_t op = one_in(f, 16) ? any(f) % 16 : some[i].op;
	bool waits = op == PHI_OP_SEND || op == PHI_OP_CALL;

	*arg = (struct phi_cap_invoke){
		.size = sizeof(*arg),
		.flags = waits ? any(f) & PHI_NONBLOCK : 0,
		.cap = a_handle(f, some[i].type),
		.op = op,
		.in_len = one_in(f, 16) ? any(f) % 300 : some[i].in_len,
		.in = any_pointer(f),
		.out = any_pointer(f),
		.out_len = one_in(f, 16) ? any(f) % 300 : some[i].out_len,
		.deadline_ns = waits ? monotonic_ns() + any(f) % 99999 : 0,
	};
}

static void aim_adopt(struct fuzzer *f, struct phi_region_adopt *arg)
{
	bool private = arg->flags & PHI_ADOPT_PRIVATE;

	arg->start = private ? any_pointer(f) & ~0xfffULL : 0;
	arg->bytes = one_in(f, 8) ? 4096ULL * (any(f) % 4) : 4096;
	arg->fd = private ? -1 : f->world->files[3];
}

static void aim_endow(struct fuzzer *f, struct phi_process_endow *arg)
{
	f->give = (struct phi_endowment){ .cap = a_handle(f, 0) };
	*arg = (struct phi_process_endow){
		.size = sizeof(*arg),
		.flags = any(f) & PHI_ENDOW_SHARED,
		.pidfd = one_in(f, 8) ? f->world->self : f->world->child,
		.ncaps = any(f) % 2,
		.caps = (uintptr_t)&f->give,
	};
}

/* Calls on budgets, with small amounts that some have left, and checks. */
static void aim_budget(struct fuzzer *f, unsigned int cmd, void *arg)
{
	uint64_t amount[PHI_BUDGET_KINDS];

	for (unsigned int i = 0; i < PHI_BUDGET_KINDS; i++)
		amount[i] = any(f) % 8;
	switch (cmd) {
	case PHI_IOC_BUDGET_CREATE: {
		struct phi_budget_create *create = arg;

		create->parent = one_in(f, 2) ? a_handle(f, PHI_TYPE_BUDGET) :
						0;
		for (unsigned int i = 0; i < PHI_BUDGET_KINDS; i++)
			create->amount[i] = create->parent ? amount[i] : 1000;
		break;
	}
	case PHI_IOC_BUDGET_RESERVE:
		memcpy(((struct phi_budget_reserve *)arg)->amount, amount,
		       sizeof(amount));
		break;
	case PHI_IOC_BUDGET_SETTLE: {
		struct phi_budget_settle *settle = arg;

		settle->reservation =
			f->world->pool[f->which][0][any(f) % POOL];
		memcpy(settle->amount, amount, sizeof(amount));
		break;
	}
	case PHI_IOC_BUDGET_GRANT: {
		struct phi_budget_grant *grant = arg;

		grant->parent = a_handle(f, PHI_TYPE_BUDGET);
		memcpy(grant->amount, amount, sizeof(amount));
		break;
	}
	case PHI_IOC_AGENT_CHARGE:
		((struct phi_agent_charge *)arg)->budget =
			one_in(f, 4) ? 0 : a_handle(f, PHI_TYPE_BUDGET);
		break;
	case PHI_IOC_CALL_CHECK:
		((struct phi_call_check *)arg)->checks = any_pointer(f);
		((struct phi_call_check *)arg)->count = 1 + any(f) % 4;
		break;
	case PHI_IOC_BUDGET_WATCH:
		*(struct phi_budget_watch *)arg = (struct phi_budget_watch){
			.notify = a_handle(f, PHI_TYPE_NOTIFY),
			.low = any(f) % 4,
			.spent = 4 + any(f) % 4,
		};
		break;
	}
}

static void aim_thread(struct fuzzer *f, unsigned int cmd, void *arg)
{
	switch (cmd) {
	case PHI_IOC_THREAD_REGISTER:
		*(struct phi_thread_register *)arg =
			(struct phi_thread_register){
				.endpoint =
					one_in(f, 4) ?
						0 :
						a_handle(f, PHI_TYPE_ENDPOINT),
				.signo = any(f) % 2 ? SIGWINCH : 0,
			};
		break;
	case PHI_IOC_THREAD_PLACE:
		*(struct phi_thread_place *)arg = (struct phi_thread_place){
			.cpus = any_pointer(f),
			.len = 8 * (1 + any(f) % 4),
		};
		if (one_in(f, 4))
			*(struct phi_thread_place *)arg =
				(struct phi_thread_place){
					.unit = a_handle(f, PHI_TYPE_DEVICE),
				};
		break;
	case PHI_IOC_THREAD_SIGNAL:
		((struct phi_thread_signal *)arg)->data = any_pointer(f);
		((struct phi_thread_signal *)arg)->len =
			any(f) % (PHI_MSG_MAX + 2);
		break;
	case PHI_IOC_THREAD_CLASS:
		*(struct phi_thread_class *)arg = (struct phi_thread_class){
			.thread = one_in(f, 4) ? 0 :
						 a_handle(f, PHI_TYPE_THREAD),
			.class = any(f) % 3,
			.deadline_ns = any(f) % 2 ? monotonic_ns() : 0,
		};
		break;
	}
}

/* No signal may come that ends the process. */
static void tame(struct phi_thread_register *arg)
{
	if (arg->signo && arg->signo < 32)
		arg->signo = SIGWINCH;
}

/* What random fields would seldom hit: make the call likely to go far. */
static void aim(struct fuzzer *f, unsigned int cmd, void *arg)
{
	struct world *w = f->world;

	aim_ipc(f, cmd, arg);
	aim_budget(f, cmd, arg);
	aim_thread(f, cmd, arg);
	switch (cmd) {
	case PHI_IOC_CAP_DERIVE:
		aim_derive(f, arg);
		break;
	case PHI_IOC_CAP_REVOKE:
		((struct phi_cap_revoke *)arg)->child = 0;
		break;
	case PHI_IOC_CAP_SEAL:
		*(struct phi_cap_seal *)arg = (struct phi_cap_seal){
			.token = (uintptr_t)&w->token,
		};
		break;
	case PHI_IOC_CAP_UNSEAL:
		((struct phi_cap_unseal *)arg)->token = (uintptr_t)&w->token;
		f->type = w->token.type;
		break;
	case PHI_IOC_CAP_MINT:
		*(struct phi_cap_mint *)arg = (struct phi_cap_mint){
			.type = PHI_TYPE_FILE + any(f) % 2,
			.rights = PHI_RIGHT_ALL,
			.badge = PHI_NETWORK_BADGE(6, any(f) % 4),
			.expires_ns = one_in(f, 4) ? boottime_ns() + any(f) : 0,
		};
		break;
	case PHI_IOC_REGION_CREATE:
		((struct phi_region_create *)arg)->bytes =
			4096ULL * (any(f) % 600);
		break;
	case PHI_IOC_REGION_SLICE:
		*(struct phi_region_slice *)arg = (struct phi_region_slice){
			.offset = 4096ULL * (any(f) % 8),
			.bytes = 4096ULL * (any(f) % 600),
			.rights = PHI_RIGHT_READ | PHI_RIGHT_MAP,
		};
		break;
	case PHI_IOC_AGENT_REGISTER:
		*(struct phi_agent_register *)arg = (struct phi_agent_register){
			.cgroup = w->files[4],
			.name = "fuzz",
		};
		break;
	case PHI_IOC_AGENT_WATCH:
		*(struct phi_agent_watch *)arg = (struct phi_agent_watch){
			.notify = a_handle(f, PHI_TYPE_NOTIFY),
			.bits = 1 + any(f) % 4,
			.runs = any(f) % 2,
		};
		break;
	case PHI_IOC_AGENT_OPEN:
		((struct phi_agent_open *)arg)->cgroup = w->files[4];
		break;
	case PHI_IOC_UNIT_REGISTER:
		*(struct phi_unit_register *)arg = (struct phi_unit_register){
			.kind = 1 + any(f) % 3,
			.capacity = 1 + any(f) % 4,
			.name = "fuzz",
		};
		break;
	case PHI_IOC_UNIT_UPDATE:
		((struct phi_unit_update *)arg)->healthy = !one_in(f, 4);
		break;
	case PHI_IOC_MODEL_REGISTER:
		*(struct phi_model_register *)arg = (struct phi_model_register){
			.max_batch = 8,
			.name = "fuzz",
		};
		break;
	case PHI_IOC_INFER_BEGIN:
		aim_model(f, arg);
		break;
	case PHI_IOC_INFER_SELECT:
		((struct phi_infer_select *)arg)->batch = 1 + any(f) % 8;
		((struct phi_infer_select *)arg)->wanted = any(f) % 4;
		break;
	case PHI_IOC_INFER_END:
		*(struct phi_infer_end *)arg = (struct phi_infer_end){
			.ticket = f->world->pool[f->which][0][any(f) % POOL],
			.result = one_in(f, 4) ? -EIO : 0,
		};
		break;
	}
}

/* Rights that the capability has, mostly. */
static uint32_t some_rights(struct fuzzer *f, uint64_t handle)
{
	struct phi_cap_query query;

	if (one_in(f, 8) || do_query(f->world->phi[f->which], handle, &query))
		return any(f) & PHI_RIGHT_ALL;
	return query.rights & (any(f) | any(f));
}

/* What a revoke is to kill alone: often the capability itself. */
static void aim_child(struct fuzzer *f, struct phi_cap_revoke *arg)
{
	if (arg->flags & PHI_REVOKE_ONE)
		arg->child = one_in(f, 4) ? arg->cap : a_handle(f, f->type);
}

/* No call may wait for long, and most sizes and flags are right ones. */
void fill(struct fuzzer *f, const struct call *call, uint64_t *arg)
{
	uint32_t head[2] = { call->size, 0 };

	for (unsigned int i = 1; i < CALL_BYTES / 8; i++)
		arg[i] = any_field(f);
	if (!one_in(f, 8)) {
		aim(f, call->cmd, arg);
		if (call->pad)
			memset((uint8_t *)arg + call->pad, 0, 4);
		if (call->target)
			arg[call->target / 8] = a_handle(f, call->type);
		if (call->cmd == PHI_IOC_CAP_DERIVE) {
			struct phi_cap_derive *derive = (void *)arg;

			derive->rights = some_rights(f, derive->cap);
		} else if (call->cmd == PHI_IOC_CAP_SEAL) {
			struct phi_cap_seal *seal = (void *)arg;

			seal->rights = some_rights(f, seal->cap);
		}
	}
	if (one_in(f, 64))
		head[0] = small(f);
	if (call->flags)
		head[1] = any(f) & call->flags;
	if (one_in(f, 64))
		head[1] = any(f);
	memcpy(arg, head, sizeof(head));
	if (call->cmd == PHI_IOC_CAP_REVOKE)
		aim_child(f, (void *)arg);
	if (call->cmd == PHI_IOC_THREAD_REGISTER)
		tame((void *)arg);
	if (one_in(f, 16)) {
		/* As random as it is. */
	} else if (call->cmd == PHI_IOC_CAP_INVOKE) {
		aim_invoke(f, (void *)arg);
		return;
	} else if (call->cmd == PHI_IOC_REGION_ADOPT) {
		/* Seldom: pins make the kernel drain the lists of all CPUs. */
		if (one_in(f, 8))
			aim_adopt(f, (void *)arg);
	} else if (call->cmd == PHI_IOC_PROCESS_ENDOW) {
		aim_endow(f, (void *)arg);
	}
	if (call->deadline)
		arg[call->deadline / 8] =
			monotonic_ns() +
			any(f) % (one_in(f, 4) ? 4000000 : 99999);
}
