// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that carry no message, each with what it needs before and what
 * takes it back. CAP_REKEY is missing: it needs CAP_SYS_ADMIN.
 */

#include <sys/syscall.h>

#include "cost.h"

static int drop_cap(struct stage *s)
{
	return do_drop(s->phi, s->cap);
}

static int drop_made(struct stage *s)
{
	return do_drop(s->phi, s->made);
}

static int drop_both(struct stage *s)
{
	return drop_made(s) ?: drop_cap(s);
}

/* A child of the endpoint for the row to use up. */
static int derive_ep(struct stage *s)
{
	return do_derive(s->phi, s->ep,
			 PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			 &s->cap);
}

/* One that can receive: the endpoint counts those. */
static int derive_recv(struct stage *s)
{
	return do_derive(s->phi, s->ep, PHI_RIGHT_RECV, &s->cap);
}

static int derive_notify(struct stage *s)
{
	return do_derive(s->phi, s->notify, PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN,
			 &s->cap);
}

static int derive_region(struct stage *s)
{
	return do_derive(s->phi, s->region,
			 PHI_RIGHT_READ | PHI_RIGHT_MAP | PHI_RIGHT_ADMIN,
			 &s->cap);
}

static int derive_model(struct stage *s)
{
	return do_derive(s->phi, s->model, PHI_RIGHT_EXEC | PHI_RIGHT_SEND,
			 &s->cap);
}

static int endpoint_create(struct stage *s)
{
	return do_endpoint(s->phi, &s->made);
}

static int make_endpoint(struct stage *s)
{
	return do_endpoint(s->phi, &s->cap);
}

static int endpoint_fd(struct stage *s)
{
	s->fd = do_endpoint_fd(s->phi, s->ep);
	return s->fd < 0 ? s->fd : 0;
}

static int close_fd(struct stage *s)
{
	return close(s->fd) ? -errno : 0;
}

static int watch(struct stage *s)
{
	struct phi_endpoint_watch arg = {
		.endpoint = s->cap,
		.notify = s->notify,
		.bits = 2,
	};

	return PHI_DO(s->phi, ENDPOINT_WATCH, &arg);
}

static int watch_cap(struct stage *s)
{
	return do_watch_cap(s->phi, s->cap, s->notify, 2, 2, 2);
}

static int derive_and_watch(struct stage *s)
{
	return derive_ep(s) ?: watch(s);
}

static int notify_create(struct stage *s)
{
	return do_notify(s->phi, &s->made);
}

static int signal_bits(struct stage *s)
{
	return do_signal(s->phi, s->notify, 5);
}

static int wait_bits(struct stage *s)
{
	uint64_t bits;

	return do_bits(s->phi, s->notify, 7, &bits);
}

static int bind_to(struct stage *s, int fd)
{
	struct phi_notify_bind arg = { .notify = s->notify, .eventfd = fd };

	return PHI_DO(s->phi, NOTIFY_BIND, &arg);
}

static int bind_eventfd(struct stage *s)
{
	return bind_to(s, s->eventfd);
}

static int unbind(struct stage *s)
{
	return bind_to(s, -1);
}

static int derive(struct stage *s)
{
	return do_derive(s->phi, s->ep, PHI_RIGHT_SEND, &s->made);
}

static int derive_that_expires(struct stage *s)
{
	return do_derive_until(s->phi, s->ep, PHI_RIGHT_SEND,
			       boottime_ns() + 3600000 * MS, 0, &s->made);
}

static int derive_two(struct stage *s)
{
	return derive_ep(s) ?:
			      do_derive(s->phi, s->cap, PHI_RIGHT_SEND, &s->made);
}

static int derive_two_regions(struct stage *s)
{
	return derive_region(s) ?:
		       do_derive(s->phi, s->cap, PHI_RIGHT_READ | PHI_RIGHT_MAP,
				 &s->made);
}

static int revoke_below(struct stage *s)
{
	return do_revoke(s->phi, s->cap);
}

static int revoke_one(struct stage *s)
{
	return do_revoke_one(s->phi, s->cap, s->made);
}

static int invoke_read(struct stage *s)
{
	uint64_t offset = 0, word;
	struct phi_cap_invoke arg = {
		.cap = s->region,
		.op = PHI_OP_READ,
		.in = (uintptr_t)&offset,
		.in_len = sizeof(offset),
		.out = (uintptr_t)&word,
		.out_len = sizeof(word),
	};

	return PHI_DO(s->phi, CAP_INVOKE, &arg);
}

static int query(struct stage *s)
{
	return do_probe(s->phi, s->ep);
}

static int seal(struct stage *s)
{
	struct phi_token token;

	return do_seal(s->phi, s->cap, PHI_RIGHT_SEND, 0, 0, &token);
}

static int unseal(struct stage *s)
{
	return do_unseal(s->phi, &s->token, &s->made);
}

static int same(struct stage *s)
{
	return do_same(s->phi, s->ep, s->notify);
}

static int list(struct stage *s)
{
	uint32_t count, total;
	uint64_t handles[64];

	return do_list(s->phi, handles, 64, &count, &total);
}

static int share(struct stage *s)
{
	return do_share(s->phi, 0);
}

static int inbox(struct stage *s)
{
	struct phi_cspace_inbox arg = { .endpoint = s->ep };

	return PHI_DO(s->phi, CSPACE_INBOX, &arg);
}

static int inbox_and_pidfd(struct stage *s)
{
	s->fd = syscall(SYS_pidfd_open, getpid(), 0);
	return s->fd < 0 ? -errno : inbox(s);
}

static int grant(struct stage *s)
{
	struct phi_cap_grant arg = {
		.give = { .cap = s->notify, .rights = PHI_RIGHT_WRITE },
		.pidfd = s->fd,
	};

	return PHI_DO(s->phi, CAP_GRANT, &arg);
}

static int take_grant(struct stage *s)
{
	struct phi_recv in;

	close(s->fd);
	return do_recv(s->server, s->there, s->data, sizeof(s->data), &in) ?:
		       in.ncaps ? do_drop(s->server, in.caps[0].cap) :
				  0;
}

static int mint(struct stage *s)
{
	return do_mint(s->phi, s->ep, PHI_TYPE_FILE, PHI_RIGHT_SEND, 5,
		       &s->made);
}

static int region_create(struct stage *s)
{
	return do_region(s->phi, PAGE, 0, &s->made);
}

static int region_info(struct stage *s)
{
	struct phi_region_info arg = { .cap = s->region };

	return PHI_DO(s->phi, REGION_INFO, &arg);
}

static int region_slice(struct stage *s)
{
	return do_slice(s->phi, s->region, 0, PAGE, PHI_RIGHT_READ, &s->made);
}

static int region_snapshot(struct stage *s)
{
	return do_snapshot(s->phi, s->region, &s->made);
}

static int region_wait(struct stage *s)
{
	struct phi_region_wait arg = { .cap = s->region, .value = ~0U };

	return PHI_DO(s->phi, REGION_WAIT, &arg);
}

static int region_wake(struct stage *s)
{
	return do_wake(s->phi, s->region, 0, 1);
}

static int agent_register(struct stage *s)
{
	struct phi_agent_register arg = {
		.cgroup = s->cgroup,
		.name = "agent",
	};
	int ret = PHI_DO(s->phi, AGENT_REGISTER, &arg);

	s->made = arg.cap;
	return ret;
}

static int unit_register(struct stage *s)
{
	struct phi_unit_register arg = { UNIT_DEFAULTS };
	int ret;

	arg.flags = 0;
	ret = PHI_DO(s->phi, UNIT_REGISTER, &arg);
	s->made = arg.cap;
	return ret;
}

static int unit_update(struct stage *s)
{
	return do_unit_update(s->phi, s->unit, 10, 0, 1);
}

static int unit_query(struct stage *s)
{
	struct phi_unit_query arg;

	return do_unit_query(s->phi, s->unit_id, &arg);
}

/* The last one: numbers without a unit are passed over. */
static int unit_query_next(struct stage *s)
{
	struct phi_unit_query arg = { .id = s->unit_id + 1 };
	int ret = PHI_DO(s->phi, UNIT_QUERY, &arg);

	return ret == -ENOENT ? 0 : ret;
}

static int model_register(struct stage *s)
{
	struct phi_model_register arg = {
		.endpoint = s->ep,
		.max_batch = 8,
		.name = "model",
	};
	int ret = PHI_DO(s->phi, MODEL_REGISTER, &arg);

	s->made = arg.cap;
	return ret;
}

static int model_query(struct stage *s)
{
	struct phi_model_query arg;

	return do_model_query(s->phi, s->model_id, &arg);
}

static int model_query_next(struct stage *s)
{
	struct phi_model_query arg = { .id = s->model_id + 1 };
	int ret = PHI_DO(s->phi, MODEL_QUERY, &arg);

	return ret == -ENOENT ? 0 : ret;
}

static int begin(struct stage *s)
{
	struct phi_infer_begin arg;
	int ret = do_begin(s->phi, s->model, 2, &arg);

	s->ticket = arg.ticket;
	return ret;
}

static int end(struct stage *s)
{
	return do_end(s->phi, s->ticket, 0);
}

static int select_unit(struct stage *s)
{
	struct phi_infer_select arg;

	return do_select(s->phi, s->model, 2, &arg);
}

static int info(struct stage *s)
{
	struct phi_system_info arg = {};

	return PHI_DO(s->phi, SYSTEM_INFO, &arg);
}

static int stats(struct stage *s)
{
	struct phi_system_stats arg;

	return do_stats(s->phi, &arg);
}

/* A child of the region, mapped and touched, for the row to end. */
static int map_cap(struct stage *s, uint64_t cap)
{
	struct phi_region_info arg = { .cap = cap };
	uint64_t offset = s->offset;
	int ret = PHI_DO(s->phi, REGION_INFO, &arg);

	s->offset = arg.offset;
	ret = ret ?: row_map(s);
	s->offset = offset;
	return ret;
}

static int derive_and_map(struct stage *s)
{
	return derive_region(s) ?: map_cap(s, s->cap);
}

static int derive_two_and_map(struct stage *s)
{
	return derive_two_regions(s) ?: map_cap(s, s->made);
}

static int unmap_and_drop_both(struct stage *s)
{
	return row_unmap(s) ?: drop_both(s);
}

const struct row call_rows[] = {
	ROW("endpoint_create", endpoint_create, UNDO(drop_made)),
	ROW("endpoint_fd", endpoint_fd, UNDO(close_fd)),
	ROW("endpoint_watch", watch, NEEDS(derive_ep), UNDO(drop_cap)),
	ROW("notify_create", notify_create, UNDO(drop_made)),
	ROW("notify_signal", signal_bits, UNDO(wait_bits)),
	ROW("notify_wait", wait_bits, NEEDS(signal_bits)),
	ROW("notify_bind", bind_eventfd, UNDO(unbind)),
	ROW("cap_derive", derive, UNDO(drop_made)),
	ROW("cap_derive.expires", derive_that_expires, UNDO(drop_made)),
	ROW("cap_revoke", revoke_below, NEEDS(derive_two), UNDO(drop_both)),
	ROW("cap_revoke.one", revoke_one, NEEDS(derive_two), UNDO(drop_both)),
	ROW("cap_revoke.mapped", revoke_below, NEEDS(derive_two_and_map),
	    UNDO(unmap_and_drop_both)),
	ROW("cap_drop", drop_cap, NEEDS(derive_ep)),
	ROW("cap_drop.recv", drop_cap, NEEDS(derive_recv)),
	ROW("cap_drop.watch", drop_cap, NEEDS(derive_and_watch)),
	ROW("cap_drop.endpoint", drop_cap, NEEDS(make_endpoint)),
	ROW("cap_drop.notify", drop_cap, NEEDS(derive_notify)),
	ROW("cap_drop.region", drop_cap, NEEDS(derive_region)),
	ROW("cap_drop.mapped", drop_cap, NEEDS(derive_and_map),
	    UNDO(row_unmap)),
	ROW("cap_drop.model", drop_cap, NEEDS(derive_model)),
	ROW("cap_query", query),
	ROW("cap_invoke", invoke_read),
	ROW("cap_seal", seal, NEEDS(derive_ep), UNDO(drop_cap)),
	ROW("cap_unseal", unseal, UNDO(drop_made)),
	ROW("cap_same", same),
	ROW("cap_list", list),
	ROW("cap_mint", mint, UNDO(drop_made)),
	ROW("cap_watch", watch_cap, NEEDS(derive_ep), UNDO(drop_cap)),
	ROW("cspace_share", share),
	ROW("cspace_inbox", inbox),
	ROW("cap_grant", grant, NEEDS(inbox_and_pidfd), UNDO(take_grant),
	    .flags = TAKES),
	ROW("region_create", region_create, UNDO(drop_made)),
	ROW("region_info", region_info),
	ROW("region_slice", region_slice, UNDO(drop_made)),
	ROW("region_snapshot", region_snapshot, UNDO(drop_made)),
	ROW("region_wait", region_wait),
	ROW("region_wake", region_wake),
	ROW("agent_register", agent_register, UNDO(drop_made)),
	ROW("unit_register", unit_register, UNDO(drop_made)),
	ROW("unit_update", unit_update),
	ROW("unit_query", unit_query),
	ROW("unit_query.next", unit_query_next),
	ROW("model_register", model_register, UNDO(drop_made)),
	ROW("model_query", model_query),
	ROW("model_query.next", model_query_next),
	ROW("infer_begin", begin, UNDO(end)),
	ROW("infer_end", end, NEEDS(begin)),
	ROW("infer_select", select_unit),
	ROW("system_info", info),
	ROW("system_stats", stats),
	{},
};
