/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_PHI_CALLS_H
#define _SELFTESTS_PHI_CALLS_H

/* Every call of /dev/phi as data, for tests that treat all of them alike. */

#include <phi.h>
#include <stddef.h>
#include <stdint.h>

/* The longest struct of a call. */
#define CALL_BYTES 320

/* One call; an offset of 0 says that it has no such field. */
struct call {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	uint32_t first; /* size of its first version, if it has grown since */
	uint32_t flags; /* that it knows */
	uint32_t pad; /* offset of its padding */
	uint32_t deadline; /* offset of its deadline */
	uint32_t target; /* offset of the handle it is about */
	uint32_t type; /* of that handle, 0 = any */
	uint32_t makes; /* offset of the handle it makes */
	uint32_t made; /* type of that handle, 0 = as the target */
};

/* clang-format off */
#define CALL(_cmd, _call, ...)                    \
	{ .name = #_call, .cmd = PHI_IOC_##_cmd,  \
	  .size = sizeof(struct phi_##_call), ##__VA_ARGS__ }
/* The field that the second version begins with. */
#define GREW(_call, _field) .first = offsetof(struct phi_##_call, _field)
#define PAD(_call) .pad = offsetof(struct phi_##_call, pad)
#define FLAGS(_flags) .flags = (_flags)
#define WAITS(_call, _field) .deadline = offsetof(struct phi_##_call, _field)
#define ON(_call, _field, _type) \
	.target = offsetof(struct phi_##_call, _field), .type = PHI_TYPE_##_type
#define ON_ANY(_call, _field) .target = offsetof(struct phi_##_call, _field)
#define MAKES(_call, _field, _type) \
	.makes = offsetof(struct phi_##_call, _field), .made = PHI_TYPE_##_type
#define MAKES_LIKE(_call, _field) .makes = offsetof(struct phi_##_call, _field)

static const struct call calls[] __attribute__((unused)) = {
	CALL(SEND, send, FLAGS(PHI_NONBLOCK), WAITS(send, deadline_ns),
	     ON(send, endpoint, ENDPOINT)),
	CALL(RECV, recv, FLAGS(PHI_NONBLOCK | PHI_RECV_NOCAPS),
	     WAITS(recv, deadline_ns), ON(recv, endpoint, ENDPOINT)),
	CALL(CALL, call, FLAGS(PHI_NONBLOCK), WAITS(call, deadline_ns),
	     ON(call, endpoint, ENDPOINT)),
	CALL(REPLY, reply, ON(reply, reply, REPLY)),
	CALL(REPLY_RECV, reply_recv, PAD(reply_recv),
	     WAITS(reply_recv, recv.deadline_ns),
	     ON(reply_recv, recv.endpoint, ENDPOINT)),
	CALL(ENDPOINT_CREATE, endpoint_create,
	     MAKES(endpoint_create, cap, ENDPOINT)),
	CALL(ENDPOINT_FD, endpoint_fd, PAD(endpoint_fd),
	     ON(endpoint_fd, endpoint, ENDPOINT)),
	CALL(ENDPOINT_WATCH, endpoint_watch,
	     ON(endpoint_watch, endpoint, ENDPOINT)),
	CALL(NOTIFY_CREATE, notify_create, MAKES(notify_create, cap, NOTIFY)),
	CALL(NOTIFY_SIGNAL, notify_signal, ON(notify_signal, notify, NOTIFY)),
	CALL(NOTIFY_WAIT, notify_wait, FLAGS(PHI_NONBLOCK),
	     WAITS(notify_wait, deadline_ns), ON(notify_wait, notify, NOTIFY)),
	CALL(NOTIFY_BIND, notify_bind, PAD(notify_bind),
	     ON(notify_bind, notify, NOTIFY)),
	CALL(CAP_DERIVE, cap_derive, PAD(cap_derive), ON_ANY(cap_derive, cap),
	     MAKES_LIKE(cap_derive, out)),
	CALL(CAP_REVOKE, cap_revoke, FLAGS(PHI_REVOKE_WAIT | PHI_REVOKE_ONE),
	     ON_ANY(cap_revoke, cap), GREW(cap_revoke, child)),
	CALL(CAP_DROP, cap_drop, ON_ANY(cap_drop, cap)),
	CALL(CAP_QUERY, cap_query, ON_ANY(cap_query, cap),
	     GREW(cap_query, ids)),
	CALL(CAP_INVOKE, cap_invoke, FLAGS(PHI_NONBLOCK), PAD(cap_invoke),
	     WAITS(cap_invoke, deadline_ns), ON_ANY(cap_invoke, cap)),
	CALL(CAP_SEAL, cap_seal, FLAGS(PHI_SEAL_AIOS), ON_ANY(cap_seal, cap)),
	CALL(CAP_UNSEAL, cap_unseal, FLAGS(PHI_SEAL_AIOS),
	     MAKES_LIKE(cap_unseal, out)),
	CALL(CAP_SAME, cap_same, PAD(cap_same), ON_ANY(cap_same, a)),
	CALL(CAP_LIST, cap_list),
	CALL(CAP_GRANT, cap_grant, ON_ANY(cap_grant, give)),
	CALL(CSPACE_SHARE, cspace_share, PAD(cspace_share)),
	CALL(CSPACE_INBOX, cspace_inbox, FLAGS(PHI_INBOX_AGENT),
	     ON(cspace_inbox, endpoint, ENDPOINT)),
	CALL(CAP_REKEY, cap_rekey, PAD(cap_rekey)),
	CALL(CAP_MINT, cap_mint, ON(cap_mint, endpoint, ENDPOINT),
	     MAKES(cap_mint, out, FILE), GREW(cap_mint, expires_ns)),
	CALL(CAP_WATCH, cap_watch, ON_ANY(cap_watch, cap)),
	CALL(REGION_CREATE, region_create, FLAGS(PHI_REGION_DMA),
	     MAKES(region_create, cap, MEMORY)),
	CALL(REGION_INFO, region_info, ON(region_info, cap, MEMORY)),
	CALL(REGION_SNAPSHOT, region_snapshot,
	     ON(region_snapshot, cap, MEMORY),
	     MAKES(region_snapshot, out, MEMORY)),
	CALL(REGION_SLICE, region_slice, PAD(region_slice),
	     ON(region_slice, cap, MEMORY), MAKES_LIKE(region_slice, out)),
	CALL(THREAD_REGISTER, thread_register, PAD(thread_register),
	     MAKES(thread_register, cap, THREAD)),
	CALL(THREAD_PLACE, thread_place, PAD(thread_place),
	     ON(thread_place, thread, THREAD)),
	CALL(THREAD_YIELD, thread_yield, PAD(thread_yield),
	     ON(thread_yield, thread, THREAD)),
	CALL(THREAD_SIGNAL, thread_signal, PAD(thread_signal),
	     ON(thread_signal, thread, THREAD)),
	CALL(THREAD_JOIN, thread_join, FLAGS(PHI_NONBLOCK), PAD(thread_join),
	     WAITS(thread_join, deadline_ns),
	     ON(thread_join, thread, THREAD)),
	CALL(THREAD_EXIT, thread_exit),
	CALL(THREAD_QUERY, thread_query, ON(thread_query, thread, THREAD)),
	CALL(THREAD_CLASS, thread_class, PAD(thread_class)),
	CALL(PROCESS_ENDOW, process_endow, FLAGS(PHI_ENDOW_SHARED),
	     PAD(process_endow)),
	CALL(REGION_ADOPT, region_adopt, FLAGS(PHI_ADOPT_PRIVATE),
	     PAD(region_adopt), MAKES(region_adopt, cap, MEMORY)),
	CALL(REGION_WAIT, region_wait, FLAGS(PHI_NONBLOCK), PAD(region_wait),
	     WAITS(region_wait, deadline_ns), ON(region_wait, cap, MEMORY)),
	CALL(REGION_WAKE, region_wake, ON(region_wake, cap, MEMORY)),
	CALL(AGENT_REGISTER, agent_register, PAD(agent_register),
	     MAKES(agent_register, cap, AGENT)),
	CALL(AGENT_KILL, agent_kill, PAD(agent_kill),
	     ON(agent_kill, agent, AGENT)),
	CALL(AGENT_QUERY, agent_query, FLAGS(PHI_AGENT_NEXT)),
	CALL(AGENT_WATCH, agent_watch, PAD(agent_watch),
	     ON(agent_watch, agent, AGENT)),
	CALL(AGENT_OPEN, agent_open, PAD(agent_open),
	     MAKES(agent_open, cap, AGENT)),
	CALL(AGENT_EVICT, agent_evict, ON(agent_evict, agent, AGENT)),
	CALL(AGENT_CHARGE, agent_charge, ON(agent_charge, agent, AGENT)),
	CALL(SESSION_CREATE, session_create,
	     MAKES(session_create, cap, SESSION)),
	CALL(CALL_CHECK, call_check, ON(call_check, session, SESSION)),
	CALL(BUDGET_CREATE, budget_create,
	     MAKES(budget_create, cap, BUDGET)),
	CALL(BUDGET_QUERY, budget_query, ON(budget_query, budget, BUDGET)),
	CALL(BUDGET_RESERVE, budget_reserve,
	     ON(budget_reserve, budget, BUDGET)),
	CALL(BUDGET_SETTLE, budget_settle),
	CALL(BUDGET_GRANT, budget_grant, ON(budget_grant, budget, BUDGET)),
	CALL(BUDGET_WATCH, budget_watch, ON(budget_watch, budget, BUDGET)),
	CALL(UNIT_REGISTER, unit_register, FLAGS(PHI_UNIT_SHARED),
	     MAKES(unit_register, cap, DEVICE)),
	CALL(UNIT_UPDATE, unit_update, ON(unit_update, cap, DEVICE)),
	CALL(UNIT_QUERY, unit_query, PAD(unit_query)),
	CALL(MODEL_REGISTER, model_register,
	     ON(model_register, endpoint, ENDPOINT),
	     MAKES(model_register, cap, MODEL)),
	CALL(MODEL_QUERY, model_query),
	CALL(INFER_BEGIN, infer_begin, ON(infer_begin, model, MODEL)),
	CALL(INFER_END, infer_end, PAD(infer_end)),
	CALL(INFER_SELECT, infer_select, ON(infer_select, model, MODEL)),
	CALL(SYSTEM_INFO, system_info),
	CALL(SYSTEM_STATS, system_stats, GREW(system_stats, quota)),
	CALL(DECISION_QUERY, decision_query,
	     FLAGS(PHI_DECISION_AFTER | PHI_DECISION_BEFORE |
		   PHI_DECISION_THREAD | PHI_DECISION_ALL)),
};

/* clang-format on */

#undef CALL
#undef PAD
#undef FLAGS
#undef WAITS
#undef ON
#undef ON_ANY
#undef MAKES
#undef MAKES_LIKE

#endif /* _SELFTESTS_PHI_CALLS_H */
