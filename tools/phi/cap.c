// SPDX-License-Identifier: GPL-2.0-only
/* Capabilities: derive, revoke, look at, seal. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

int option_rights_of(const struct args *args, uint64_t cap, uint32_t *rights)
{
	struct phi_cap_query info;
	int ret;

	if (args_option(args, "rights"))
		return option_rights(args, rights);
	ret = phi_cap_query(args->phi, cap, &info);
	if (ret)
		return fail(ret, "look at 0x%016llx", (unsigned long long)cap);
	*rights = info.rights;
	return EXIT_OK;
}

static int made(const char *key, uint64_t cap)
{
	out_handle(key, cap);
	out_only();
	return out_end();
}

static int cap_derive(struct args *args)
{
	uint64_t badge = 0;
	uint64_t expires;
	uint32_t rights;
	uint64_t cap;
	uint64_t out;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_u64(args, "badge", UINT64_MAX, &badge) ||
	    option_when(args, "expires", CLOCK_BOOTTIME, &expires))
		return EXIT_USAGE;
	ret = option_rights_of(args, cap, &rights);
	if (ret)
		return ret;
	ret = phi_cap_derive(args->phi, cap, rights, expires, badge, &out);
	if (ret)
		return fail(ret, "derive from %s", args->operand[0]);
	return made("cap", out);
}

/* Kill the one capability that --only names. */
static int revoke_only(struct args *args, uint64_t cap)
{
	const char *text = args_option(args, "only");
	uint64_t child;
	int ret;

	if (args_option(args, "wait"))
		return usage_error(args, "--only does not wait");
	ret = args_u64(args, "--only", text, UINT64_MAX, &child);
	if (ret)
		return ret;
	ret = phi_cap_revoke_one(args->phi, cap, child);
	if (ret == -EINVAL)
		return fail_because("phi cap list names the capabilities",
				    "it was not derived from the other",
				    "revoke %s", text);
	if (ret)
		return fail(ret, "revoke %s", text);
	if (!out_json)
		return EXIT_OK;
	out_handle("revoked", child);
	return out_end();
}

static int cap_revoke(struct args *args)
{
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	if (args_option(args, "only"))
		return revoke_only(args, cap);
	if (args_option(args, "wait"))
		ret = phi_cap_revoke_wait(args->phi, cap);
	else
		ret = phi_cap_revoke(args->phi, cap);
	if (ret)
		return fail(ret, "revoke what was derived from %s",
			    args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("revoked", cap);
	return out_end();
}

static int cap_drop(struct args *args)
{
	uint64_t cap;
	int ret;
	int i;

	for (i = 0; i < args->n; i++) {
		if (args_handle(args, i, &cap))
			return EXIT_USAGE;
	}
	for (i = 0; i < args->n; i++) {
		args_handle(args, i, &cap);
		ret = phi_cap_drop(args->phi, cap);
		if (ret)
			return fail(ret, "drop %s", args->operand[i]);
	}
	if (!out_json)
		return EXIT_OK;
	out_u64("dropped", (uint64_t)args->n);
	return out_end();
}

static void expiry(uint64_t expires)
{
	uint64_t now = now_ns(CLOCK_BOOTTIME);

	out_u64("expires_ns", expires);
	if (!expires)
		out_text("never");
	else if (expires <= now)
		out_text("%s ago", duration_text(now - expires));
	else
		out_text("in %s", duration_text(expires - now));
}

static void cap_fields(uint64_t cap, const struct phi_cap_query *info)
{
	out_handle("cap", cap);
	out_str("type", type_name(info->type));
	out_rights("rights", info->rights);
	out_u64("depth", info->depth);
	out_u64("revoked", info->version);
	out_handle("badge", info->badge);
	if (!info->badge)
		out_text("-");
	expiry(info->expires_ns);
}

static int cap_query(struct args *args)
{
	struct phi_cap_query info;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_cap_query(args->phi, cap, &info);
	if (ret)
		return fail(ret, "look at %s", args->operand[0]);
	cap_fields(cap, &info);
	return out_end();
}

/* More may come between the count and the list. */
int caps_all(int phi, uint64_t **handles)
{
	uint32_t total = 0;
	uint32_t room;
	int n;

	*handles = NULL;
	n = phi_cap_list(phi, NULL, 0, &total);
	while (n >= 0 && (uint32_t)n < total) {
		room = total;
		free(*handles);
		*handles = calloc(room, sizeof(**handles));
		if (!*handles)
			return -ENOMEM;
		n = phi_cap_list(phi, *handles, room, &total);
		if (n >= 0 && (uint32_t)n < room)
			break;
	}
	return n;
}

/* A handle of the session, and what it is. */
struct listed {
	uint64_t cap;
	int ret;
	struct phi_cap_query info;
};

static int by_id(const void *a, const void *b)
{
	const struct listed *const *x = a;
	const struct listed *const *y = b;

	return ((*x)->info.ids[0] > (*y)->info.ids[0]) -
	       ((*x)->info.ids[0] < (*y)->info.ids[0]);
}

/* Look at all of them; @sorted has the live ones by their number. */
static size_t look_at(int phi, struct listed *caps, size_t n,
		      const struct listed **sorted)
{
	size_t live = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		caps[i].ret = phi_cap_query(phi, caps[i].cap, &caps[i].info);
		if (!caps[i].ret)
			sorted[live++] = &caps[i];
	}
	qsort(sorted, live, sizeof(*sorted), by_id);
	return live;
}

/* The way from a capability to its root, without itself. */
static void way_field(const struct phi_cap_query *info,
		      const struct listed **sorted, size_t live)
{
	uint64_t way[PHI_DEPTH_MAX] = { 0 };
	uint32_t i;

	for (i = 1; i < info->depth && i < PHI_DEPTH_MAX; i++) {
		const struct listed wanted = { .info.ids = { info->ids[i] } };
		const struct listed *key = &wanted;
		const struct listed **found;

		found = bsearch(&key, sorted, live, sizeof(*sorted), by_id);
		if (found && info->ids[i])
			way[i - 1] = (*found)->cap;
	}
	out_handles("from", way, i - 1);
}

static void list_row(const struct listed *cap, const struct listed **sorted,
		     size_t live)
{
	out_row();
	if (!cap->ret) {
		cap_fields(cap->cap, &cap->info);
		out_str("state", "live");
		way_field(&cap->info, sorted, live);
	} else {
		out_handle("cap", cap->cap);
		out_str("type", "-");
		out_str("rights", "-");
		out_unknown("depth");
		out_unknown("revoked");
		out_unknown("badge");
		out_unknown("expires_ns");
		out_str("state",
			cap->ret == -EKEYREVOKED ? "revoked" :
			cap->ret == -EKEYEXPIRED ? "expired" :
						   strerror(-cap->ret));
		out_unknown("from");
	}
	out_close();
}

static int cap_list(struct args *args)
{
	const struct listed **sorted;
	struct listed *caps;
	uint64_t *handles;
	size_t live;
	int n;
	int i;

	n = caps_all(args->phi, &handles);
	caps = calloc(n > 0 ? (size_t)n : 1, sizeof(*caps));
	sorted = calloc(n > 0 ? (size_t)n : 1, sizeof(*sorted));
	if (n >= 0 && (!caps || !sorted))
		n = -ENOMEM;
	for (i = 0; i < n; i++)
		caps[i].cap = handles[i];
	free(handles);
	if (n < 0) {
		free(sorted);
		free(caps);
		return fail(n, "list the capabilities");
	}
	live = look_at(args->phi, caps, (size_t)n, sorted);
	out_table("caps", "no capabilities in this session");
	for (i = 0; i < n; i++) {
		if (caps[i].ret != -EBADF)
			list_row(&caps[i], sorted, live);
	}
	out_close();
	free(sorted);
	free(caps);
	return out_end();
}

static int cap_same(struct args *args)
{
	uint64_t a;
	uint64_t b;
	int ret;

	if (args_handle(args, 0, &a) || args_handle(args, 1, &b))
		return EXIT_USAGE;
	ret = phi_cap_same(args->phi, a, b);
	if (ret < 0)
		return fail(ret, "compare %s and %s", args->operand[0],
			    args->operand[1]);
	out_bool("same", ret);
	out_only();
	return out_end() || !ret ? EXIT_FAILED : EXIT_OK;
}

/* --audience is a user by name or number; the call wants uid + 1. */
static int audience_of(const struct args *args, uint32_t *audience)
{
	const char *text = args_option(args, "audience");
	const struct passwd *user;
	uint64_t uid;
	int ret;

	*audience = 0;
	if (!text)
		return EXIT_OK;
	user = getpwnam(text);
	if (user) {
		*audience = user->pw_uid + 1;
		return EXIT_OK;
	}
	if (*text < '0' || *text > '9')
		return usage_error(args, "there is no user '%s'", text);
	ret = args_u64(args, "--audience", text, UINT32_MAX - 1, &uid);
	if (!ret)
		*audience = (uint32_t)uid + 1;
	return ret;
}

static int cap_seal(struct args *args)
{
	bool hex = args_option(args, "hex");
	struct phi_aios_token aios;
	struct phi_token token;
	uint32_t audience;
	uint64_t expires;
	uint32_t rights;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) || audience_of(args, &audience) ||
	    option_when(args, "expires", CLOCK_BOOTTIME, &expires))
		return EXIT_USAGE;
	ret = option_rights_of(args, cap, &rights);
	if (ret)
		return ret;
	if (args_option(args, "aios"))
		ret = phi_cap_seal_aios(args->phi, cap, rights, audience,
					expires, &aios);
	else
		ret = phi_cap_seal(args->phi, cap, rights, audience, expires,
				   &token);
	if (ret)
		return fail(ret, "seal %s", args->operand[0]);
	if (args_option(args, "aios"))
		return token_print(&aios, sizeof(aios), hex);
	return token_print(&token, sizeof(token), hex);
}

static int cap_unseal(struct args *args)
{
	uint64_t cap;
	int ret;

	ret = token_unseal(args->phi, args->n ? args->operand[0] : "-", &cap);
	return ret ? ret : made("cap", cap);
}

static int cap_rekey(struct args *args)
{
	uint32_t key;
	int ret = phi_cap_rekey(args->phi, &key);

	if (ret == -EPERM)
		return fail_because("run it as root", "it needs CAP_SYS_ADMIN",
				    "change the key of tokens");
	if (ret)
		return fail(ret, "change the key of tokens");
	out_u64("key", key);
	return out_end();
}

/* "tcp/80", or "tcp" for all ports. */
static int port_badge(const struct args *args, const char *text,
		      uint64_t *badge)
{
	uint64_t port = 0;
	uint32_t proto;
	int ret;

	if (!strncmp(text, "tcp", 3))
		proto = 6;
	else if (!strncmp(text, "udp", 3))
		proto = 17;
	else
		return usage_error(args, "--port '%s' is not like tcp/80",
				   text);
	if (text[3] == '/') {
		ret = args_u64(args, "--port", text + 4, 65535, &port);
		if (ret)
			return ret;
	} else if (text[3]) {
		return usage_error(args, "--port '%s' is not like tcp/80",
				   text);
	}
	*badge = PHI_NETWORK_BADGE(proto, port);
	return EXIT_OK;
}

int cap_mint(struct args *args)
{
	uint32_t rights = PHI_RIGHT_SEND | PHI_RIGHT_GRANT;
	const char *port = args_option(args, "port");
	uint32_t type = type_parse(args_option(args, "type"));
	uint64_t endpoint;
	uint64_t expires;
	uint64_t badge = 0;
	uint64_t cap;
	int ret;

	if (type != PHI_TYPE_FILE && type != PHI_TYPE_NETWORK)
		return usage_error(args, "--type is file or network");
	if (args_handle(args, 0, &endpoint) || option_rights(args, &rights) ||
	    option_u64(args, "badge", UINT64_MAX, &badge) ||
	    option_when(args, "expires", CLOCK_BOOTTIME, &expires) ||
	    (port && port_badge(args, port, &badge)))
		return EXIT_USAGE;
	ret = phi_cap_mint_until(args->phi, endpoint, type, rights, badge,
				 expires, &cap);
	if (ret)
		return fail(ret, "mint a %s capability on %s", type_name(type),
			    args->operand[0]);
	return made("cap", cap);
}

/* Give what --pid or --agent says. */
static int grant_to(struct args *args, const struct phi_xfer *give,
		    const char *pid, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	uint64_t receiver;
	int pidfd;
	int ret;

	if (args_u64(args, pid ? "--pid" : "--agent",
		     pid ? pid : args_option(args, "agent"),
		     pid ? INT32_MAX : UINT64_MAX, &receiver))
		return EXIT_USAGE;
	if (pid) {
		pidfd = (int)syscall(SYS_pidfd_open, (pid_t)receiver, 0);
		if (pidfd < 0)
			return fail(-errno, "find the process %s", pid);
		ret = phi_cap_grant(args->phi, pidfd, give, text, len);
		close(pidfd);
	} else {
		ret = phi_cap_grant_agent(args->phi, receiver, give, text, len);
	}
	if (ret == -EPIPE)
		return fail_because(
			pid ? "phi_cspace_inbox(3) names one there" :
			      "phi cspace inbox ENDPOINT --agent names one there",
			"the receiver has no inbox", "grant %s",
			args->operand[0]);
	return ret ? fail(ret, "grant %s", args->operand[0]) : EXIT_OK;
}

static int cap_grant(struct args *args)
{
	const char *pid = args_option(args, "pid");
	struct phi_xfer give = { .rights = PHI_RIGHT_ALL };
	uint64_t cap;
	int ret;

	if (!pid == !args_option(args, "agent"))
		return usage_error(args, "give either --pid or --agent");
	if (args_handle(args, 0, &cap) || option_rights(args, &give.rights))
		return EXIT_USAGE;
	give.cap = cap;
	if (args_option(args, "move"))
		give.flags = PHI_XFER_MOVE;
	ret = grant_to(args, &give, pid, args->n > 1 ? args->operand[1] : NULL);
	if (ret || !out_json)
		return ret;
	out_handle("granted", cap);
	return out_end();
}

static int cap_watch(struct args *args)
{
	uint64_t revoked = 0;
	uint64_t expired = 0;
	uint64_t gone = 0;
	uint64_t notify;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) || args_handle(args, 1, &notify) ||
	    option_u64(args, "revoked", UINT64_MAX, &revoked) ||
	    option_u64(args, "expired", UINT64_MAX, &expired) ||
	    option_u64(args, "gone", UINT64_MAX, &gone))
		return EXIT_USAGE;
	if (!revoked && !expired && !gone)
		return usage_error(
			args, "give bits for --revoked, --expired or --gone");
	ret = phi_cap_watch(args->phi, cap, notify, revoked, expired, gone);
	if (ret)
		return fail(ret, "watch %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("cap", cap);
	out_handle("revoked", revoked);
	out_handle("expired", expired);
	out_handle("gone", gone);
	return out_end();
}

static const struct verb verbs[] = {
	{ "derive", cap_derive,
	  "CAP [--rights LIST] [--expires TIME] [--badge BITS]",
	  "make a weaker child; rights and expiry default to the parent's",
	  HANDLES },
	{ "revoke", cap_revoke, "CAP [--only CAP] [--wait]",
	  "kill all capabilities derived from it, and their mappings; --only: this one and what is below it; --wait: return when the last page is unpinned",
	  HANDLES },
	{ "drop", cap_drop, "CAP...", "forget handles", HANDLES },
	{ "query", cap_query, "CAP", "say what a handle is", HANDLES },
	{ "list", cap_list, "", "list the capabilities of the session",
	  HANDLES },
	{ "same", cap_same, "CAP CAP",
	  "do both name one object? Exits with 1 when not", HANDLES },
	{ "seal", cap_seal,
	  "CAP [--rights LIST] [--audience USER] [--expires TIME] [--aios] [--hex]",
	  "print a token that another process can unseal: 64 bytes, or 96 with --aios, or digits on a terminal",
	  HANDLES },
	{ "unseal", cap_unseal, "[FILE]",
	  "turn a token, from a file or stdin, into a capability", HANDLES },
	{ "rekey", cap_rekey, "",
	  "make a new key for tokens; the one before stays valid once more",
	  VERB_PHI },
	{ "mint", cap_mint,
	  "ENDPOINT --type TYPE [--rights LIST] [--badge BITS] [--port PROTO/PORT] [--expires TIME]",
	  "make a file or network capability whose messages reach the endpoint",
	  HANDLES },
	{ "grant", cap_grant,
	  "CAP [DATA] [--pid PID] [--agent CAP] [--rights LIST] [--move]",
	  "give it to a process or an agent that has named an inbox", HANDLES },
	{ "invoke", cap_invoke,
	  "CAP OPERATION [DATA] [--offset N] [--length N] [--bits BITS] [--raw]",
	  "do what it is for: read, write, signal, poll, query, send, call, answer",
	  HANDLES },
	{ "watch", cap_watch,
	  "CAP NOTIFY [--revoked BITS] [--expired BITS] [--gone BITS]",
	  "signal bits of a notify when it is revoked or expires, or its endpoint dies",
	  HANDLES },
	{ 0 },
};

const struct noun cap_noun = {
	.name = "cap",
	.help = "capabilities: derive, revoke, seal and look at them",
	.verbs = verbs,
};
