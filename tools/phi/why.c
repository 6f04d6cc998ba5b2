// SPDX-License-Identifier: GPL-2.0-only
/* Why a call was refused, in one sentence. */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "out.h"

/* clang-format off */
#define NAME(_call, _name) \
	[_IOC_NR(PHI_IOC_##_call)] = _name
/* clang-format on */

/* By number. */
static const char *const call_words[256] = {
	NAME(SEND, "send"),
	NAME(RECV, "recv"),
	NAME(CALL, "call"),
	NAME(REPLY, "reply"),
	NAME(REPLY_RECV, "reply_recv"),
	NAME(NOTIFY_CREATE, "notify_create"),
	NAME(NOTIFY_SIGNAL, "notify_signal"),
	NAME(NOTIFY_WAIT, "notify_wait"),
	NAME(NOTIFY_BIND, "notify_bind"),
	NAME(ENDPOINT_CREATE, "endpoint_create"),
	NAME(ENDPOINT_FD, "endpoint_fd"),
	NAME(ENDPOINT_WATCH, "endpoint_watch"),
	NAME(CAP_DERIVE, "cap_derive"),
	NAME(CAP_REVOKE, "cap_revoke"),
	NAME(CAP_GRANT, "cap_grant"),
	NAME(CAP_DROP, "cap_drop"),
	NAME(CAP_QUERY, "cap_query"),
	NAME(CAP_INVOKE, "cap_invoke"),
	NAME(CAP_SEAL, "cap_seal"),
	NAME(CAP_UNSEAL, "cap_unseal"),
	NAME(CAP_SAME, "cap_same"),
	NAME(CAP_LIST, "cap_list"),
	NAME(CSPACE_SHARE, "cspace_share"),
	NAME(CSPACE_INBOX, "cspace_inbox"),
	NAME(CAP_REKEY, "cap_rekey"),
	NAME(CAP_MINT, "cap_mint"),
	NAME(CAP_WATCH, "cap_watch"),
	NAME(REGION_CREATE, "region_create"),
	NAME(REGION_INFO, "region_info"),
	NAME(REGION_SLICE, "region_slice"),
	NAME(REGION_ADOPT, "region_adopt"),
	NAME(REGION_SNAPSHOT, "region_snapshot"),
	NAME(REGION_WAIT, "region_wait"),
	NAME(REGION_WAKE, "region_wake"),
	[PHI_NR_REGION_MAP] = "region_map",
	NAME(AGENT_REGISTER, "agent_register"),
	NAME(AGENT_KILL, "agent_kill"),
	NAME(AGENT_QUERY, "agent_query"),
	NAME(AGENT_WATCH, "agent_watch"),
	NAME(AGENT_OPEN, "agent_open"),
	NAME(AGENT_EVICT, "agent_evict"),
	NAME(AGENT_CHARGE, "agent_charge"),
	NAME(THREAD_REGISTER, "thread_register"),
	NAME(THREAD_PLACE, "thread_place"),
	NAME(THREAD_YIELD, "thread_yield"),
	NAME(THREAD_SIGNAL, "thread_signal"),
	NAME(THREAD_JOIN, "thread_join"),
	NAME(THREAD_EXIT, "thread_exit"),
	NAME(THREAD_QUERY, "thread_query"),
	NAME(THREAD_CLASS, "thread_class"),
	NAME(PROCESS_ENDOW, "process_endow"),
	NAME(BUDGET_CREATE, "budget_create"),
	NAME(BUDGET_QUERY, "budget_query"),
	NAME(BUDGET_RESERVE, "budget_reserve"),
	NAME(BUDGET_SETTLE, "budget_settle"),
	NAME(BUDGET_GRANT, "budget_grant"),
	NAME(BUDGET_WATCH, "budget_watch"),
	NAME(UNIT_REGISTER, "unit_register"),
	NAME(UNIT_UPDATE, "unit_update"),
	NAME(UNIT_QUERY, "unit_query"),
	NAME(MODEL_REGISTER, "model_register"),
	NAME(MODEL_QUERY, "model_query"),
	NAME(INFER_BEGIN, "infer_begin"),
	NAME(INFER_END, "infer_end"),
	NAME(INFER_SELECT, "infer_select"),
	NAME(CALL_CHECK, "call_check"),
	NAME(SESSION_CREATE, "session_create"),
	NAME(SYSTEM_INFO, "system_info"),
	NAME(SYSTEM_STATS, "system_stats"),
	NAME(DECISION_QUERY, "decision_query"),
};

static const char *const where_words[] = {
	[PHI_DECIDED_CALL] = "call",
	[PHI_DECIDED_HANDLE] = "handle",
	[PHI_DECIDED_TYPE] = "type",
	[PHI_DECIDED_RIGHT] = "right",
	[PHI_DECIDED_BADGE] = "badge",
	[PHI_DECIDED_REVOKED] = "revoked",
	[PHI_DECIDED_EXPIRED] = "expired",
	[PHI_DECIDED_TOKEN] = "token",
	[PHI_DECIDED_CSPACE] = "cspace",
	[PHI_DECIDED_PRIVILEGE] = "privilege",
	[PHI_DECIDED_FILE] = "file",
	[PHI_DECIDED_AGENT] = "agent",
	[PHI_DECIDED_QUOTA] = "quota",
	[PHI_DECIDED_HOOK] = "hook",
	[PHI_DECIDED_PROCESS] = "process",
	[PHI_DECIDED_BUDGET] = "budget",
};

/* A text that grows. */
struct text {
	char data[768];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text,
						      const char *fmt, ...)
{
	size_t room = sizeof(text->data) - text->len;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text->data + text->len, room, fmt, ap);
	va_end(ap);
	if (len > 0)
		text->len += (size_t)len < room ? (size_t)len : room - 1;
}

static const char *call_name(uint32_t nr)
{
	static char number[40];
	bool foreign = nr >= PHI_CALL_FOREIGN;
	const char *name = foreign ? foreign_name(nr - PHI_CALL_FOREIGN) :
			   nr < ARRAY_SIZE(call_words) ? call_words[nr] :
							 NULL;

	if (foreign)
		snprintf(number, sizeof(number), "%s (MATHIS 0x%04x)",
			 name ? name : "a call", nr - PHI_CALL_FOREIGN);
	else
		snprintf(number, sizeof(number), "call %#x", nr);
	return name && !foreign ? name : number;
}

static const char *where_name(uint32_t where)
{
	return where < ARRAY_SIZE(where_words) ? where_words[where] : "unknown";
}

const char *error_name(int32_t error)
{
	const char *name = strerrorname_np(-error);

	return name ? name : "an unknown error";
}

/* "endpoint or file": the types of a set. */
static void put_types(struct text *text, uint32_t types)
{
	const char *between = "";
	uint32_t type;

	if (types == UINT32_MAX) {
		put(text, "any type");
		return;
	}
	for (type = 1; type < 32; type++) {
		if (!(types & 1U << type) ||
		    !strcmp(type_name(type), "unknown"))
			continue;
		put(text, "%s%s", between, type_name(type));
		between = " or ";
	}
}

/* The narrowest grant, where that is a capability. */
static void put_grant(struct text *text, const struct phi_decision *d)
{
	if (!d->types)
		return;
	put(text, "; it takes a live capability of ");
	/* With a right missing, the type is right already. */
	put_types(text,
		  d->where == PHI_DECIDED_RIGHT ? 1U << d->type : d->types);
	if (d->needs)
		put(text, " with %s", rights_text(d->needs));
	if (d->where == PHI_DECIDED_BADGE)
		put(text, " and without a badge");
}

static void put_handle(struct text *text, const struct phi_decision *d)
{
	/* In a check for a client the handle is not the client's. */
	if (d->handle)
		put(text, "the capability 0x%016" PRIx64, (uint64_t)d->handle);
	else
		put(text, "the capability of the dispatcher");
	if (d->type)
		put(text, " (%s)", type_name(d->type));
}

static void put_quota(struct text *text, const struct phi_decision *d)
{
	bool units = d->kind == PHI_DECISION_UNITS;

	if (!d->asked) {
		put(text, "a quota of uid %u is spent", d->owner);
		return;
	}
	if (d->kind == PHI_DECISION_MEMLOCK) {
		put(text,
		    "%" PRIu64 " more pages than the %" PRIu64
		    " that uid %u has locked are above RLIMIT_MEMLOCK, %" PRIu64
		    "; it takes less locked, or a higher limit",
		    (uint64_t)d->asked, (uint64_t)d->used, d->owner,
		    (uint64_t)d->limit);
		return;
	}
	put(text,
	    "%" PRIu64 " more %s than the %" PRIu64
	    " in use are above the limit of uid %u, %" PRIu64
	    "; it takes less in use, or a higher %s%s",
	    (uint64_t)d->asked, units ? "units" : quota_name(d->kind),
	    (uint64_t)d->used, d->owner, (uint64_t)d->limit, "quota_",
	    units ? "units" : quota_parameter(d->kind));
}

static void put_budget(struct text *text, const struct phi_decision *d)
{
	if (d->error == -EPERM) {
		put(text, "only uid %u, which made the budget, may raise it",
		    d->owner);
		return;
	}
	put(text,
	    "%" PRIu64 " more %s than the %" PRIu64
	    " in use are above the budget that uid %u made, %" PRIu64
	    "; it takes a grant of %s=%" PRIu64,
	    (uint64_t)d->asked, budget_name(d->kind), (uint64_t)d->used,
	    d->owner, (uint64_t)d->limit, budget_name(d->kind),
	    (uint64_t)(d->asked - (d->limit - d->used)));
}

static void put_hook(struct text *text, const struct phi_decision *d)
{
	if (!d->rule) {
		put(text,
		    "a policy said no without naming its rule; phi policy list names those that may");
		return;
	}
	put(text, "the policy %.32s said no by its rule %u", d->program,
	    d->rule);
}

static void put_privilege(struct text *text, const struct phi_decision *d)
{
	put(text, "the opener of the cspace lacked ");
	if (d->kind == CAP_SYS_ADMIN)
		put(text, "CAP_SYS_ADMIN");
	else if (d->kind == CAP_NET_ADMIN)
		put(text, "CAP_NET_ADMIN");
	else
		put(text, "the privilege %u", d->kind);
	put(text, "; it takes a cspace that a process with it opened");
}

/* Why, and what would let the call through. */
static void put_reason(struct text *text, const struct phi_decision *d)
{
	switch (d->where) {
	case PHI_DECIDED_HANDLE:
		put(text, "no capability is behind ");
		if (d->handle)
			put(text, "0x%016" PRIx64, (uint64_t)d->handle);
		else
			put(text, "the handle");
		break;
	case PHI_DECIDED_TYPE:
		put_handle(text, d);
		put(text, " is of another type");
		break;
	case PHI_DECIDED_RIGHT:
		put_handle(text, d);
		put(text, " lacks %s", rights_text(d->needs & ~d->rights));
		break;
	case PHI_DECIDED_BADGE:
		put_handle(text, d);
		put(text, " has the badge %" PRIu64 " for good",
		    (uint64_t)d->badge);
		break;
	case PHI_DECIDED_REVOKED:
	case PHI_DECIDED_EXPIRED:
		put_handle(text, d);
		put(text, d->where == PHI_DECIDED_REVOKED ? " was revoked" :
							    " has expired");
		break;
	case PHI_DECIDED_TOKEN:
		put(text,
		    "the token is forged, damaged, of an old key or for another user; it takes a new one");
		break;
	case PHI_DECIDED_CSPACE:
		put(text,
		    "the cspace is another process's; it takes one of its own, or a shared one");
		break;
	case PHI_DECIDED_PRIVILEGE:
		put_privilege(text, d);
		break;
	case PHI_DECIDED_FILE:
		put(text,
		    "the cgroup's directory is not writable; it takes one that the user may write to");
		break;
	case PHI_DECIDED_AGENT:
		put(text,
		    "another agent is above the cgroup; it takes a live capability of that agent with admin, as the parent");
		break;
	case PHI_DECIDED_QUOTA:
		put_quota(text, d);
		break;
	case PHI_DECIDED_PROCESS:
		put(text,
		    "the process is no child that still runs the caller's program; it takes one right after its fork");
		break;
	case PHI_DECIDED_BUDGET:
		put_budget(text, d);
		break;
	case PHI_DECIDED_HOOK:
		put_hook(text, d);
		break;
	default:
		put(text, "the module knows no more");
	}
	put_grant(text, d);
}

static const char *sentence(const struct phi_decision *d)
{
	static struct text text;
	uint64_t now = now_ns(CLOCK_BOOTTIME);

	text.len = 0;
	put(&text, "%s", call_name(d->call));
	if (d->pid)
		put(&text, " by process %u", d->pid);
	put(&text, " of uid %u", d->uid);
	if (d->agent)
		put(&text, ", agent %" PRIu64 ",", (uint64_t)d->agent);
	put(&text, " was refused %s ago with %s: ",
	    duration_text(now > d->time_ns ? now - d->time_ns : 0),
	    error_name(d->error));
	put_reason(&text, d);
	return text.data;
}

/* CLOCK_BOOTTIME as seconds of the calendar. */
static double calendar(uint64_t ns)
{
	return ((double)now_ns(CLOCK_REALTIME) -
		(double)now_ns(CLOCK_BOOTTIME) + (double)ns) /
	       1e9;
}

static int show(const struct phi_decision *d)
{
	char program[PHI_NAME_MAX + 1];

	if (!out_json) {
		out_str("why", sentence(d));
		out_only();
		return out_end();
	}
	snprintf(program, sizeof(program), "%.32s", d->program);
	out_handle("id", d->id);
	out_real("time", calendar(d->time_ns), 3);
	out_str("call", call_name(d->call));
	out_u64("nr", d->call);
	out_str("error", error_name(d->error));
	out_str("where", where_name(d->where));
	out_u64("uid", d->uid);
	out_u64("pid", d->pid);
	out_u64("tid", d->tid);
	out_u64("agent", d->agent);
	out_handle("cap", d->handle);
	out_str("type", d->type ? type_name(d->type) : "");
	out_rights("rights", d->rights);
	out_handle("types", d->types);
	out_rights("needs", d->needs);
	out_handle("badge", d->badge);
	out_u64("kind", d->kind);
	out_u64("owner", d->owner);
	out_u64("asked", d->asked);
	out_u64("used", d->used);
	out_u64("limit", d->limit);
	out_u64("rule", d->rule);
	out_str("program", program);
	out_str("why", sentence(d));
	return out_end();
}

/* One decision: by its number, or the last one. */
static int show_one(struct args *args, uint64_t id)
{
	unsigned int flags = id ? 0 : PHI_DECISION_BEFORE;
	struct phi_decision d;
	int ret;

	if (args_option(args, "all"))
		flags |= PHI_DECISION_ALL;
	ret = phi_decision_query(args->phi, id, flags, 0, &d, NULL);
	/* The operator's may be of another user. */
	if (ret == -ENOENT && id)
		ret = phi_decision_query(args->phi, id,
					 flags | PHI_DECISION_ALL, 0, &d, NULL);
	if (ret == -ENOENT || (ret == -EPERM && id))
		return fail_because(
			"phi why --last 10m lists those of the last minutes",
			id ? "there is none of that number, or newer ones replaced it" :
			     "no call of this user was refused",
			"find the decision");
	if (ret)
		return fail(ret, "find the decision");
	return show(&d);
}

/* All of an agent, of a time, or of everybody, oldest first. */
static int show_all(struct args *args, uint64_t agent, uint64_t since)
{
	unsigned int flags = PHI_DECISION_AFTER;
	struct phi_decision d = { .id = 0 };
	int ret;

	if (args_option(args, "all"))
		flags |= PHI_DECISION_ALL;
	out_lines();
	while (!(ret = phi_decision_query(args->phi, d.id, flags, agent, &d,
					  NULL))) {
		if (d.time_ns < since)
			continue;
		ret = show(&d);
		if (ret)
			return ret;
	}
	return ret == -ENOENT ? EXIT_OK : fail(ret, "list the decisions");
}

static int why(struct args *args)
{
	uint64_t last = 0, since = 0, agent = 0, id = 0;

	if ((args->n &&
	     args_u64(args, "number", args->operand[0], UINT64_MAX, &id)) ||
	    option_u64(args, "agent", UINT64_MAX, &agent) ||
	    option_duration(args, "last", &last))
		return EXIT_USAGE;
	if (args->n && (agent || args_option(args, "last")))
		return usage_error(args,
				   "a number excludes --agent and --last");
	if (args_option(args, "last")) {
		since = now_ns(CLOCK_BOOTTIME);
		since = last < since ? since - last : 0;
	}
	if (agent || args_option(args, "last"))
		return show_all(args, agent, since);
	return show_one(args, id);
}

static const struct verb verbs[] = {
	{ "", why, "[ID] [--agent AGENT] [--last TIME] [--all]",
	  "say why a call was refused, and which grant lets it through",
	  VERB_PHI },
	{ 0 },
};

const struct noun why_noun = {
	.name = "why",
	.help = "decisions: why calls were refused",
	.verbs = verbs,
};
