// SPDX-License-Identifier: GPL-2.0-only
/* Agents: processes that policies know by one number. */
#include <errno.h>
#include <fcntl.h>
#include <phi/agents.h>
#include <phi/init_wire.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

#define PATH_LEN 4096
#define CGROUPS "/sys/fs/cgroup"
/* Agents below each other that a tree shows. */
#define TREE_DEPTH 16

static int agent_register(struct args *args)
{
	const char *path = args_option(args, "cgroup");
	uint64_t parent = 0;
	uint64_t cap;
	uint64_t id;
	int dir;
	int ret;

	if (option_u64(args, "parent", UINT64_MAX, &parent))
		return EXIT_USAGE;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_because("give a directory below " CGROUPS,
				    strerror(errno), "open the cgroup %s",
				    path);
	ret = phi_agent_register(args->phi, dir, args->operand[0], parent, &id,
				 &cap);
	close(dir);
	if (ret)
		return fail(ret, "make %s the agent %s", path,
			    args->operand[0]);
	out_u64("agent", id);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int agent_open(struct args *args)
{
	const char *path = args_option(args, "cgroup");
	uint64_t cap;
	uint64_t id;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (dir < 0)
		return fail(-errno, "open the cgroup %s", path);
	ret = phi_agent_open(args->phi, dir, &id, &cap);
	close(dir);
	if (ret)
		return fail(ret, "open the agent of %s", path);
	out_u64("agent", id);
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int agent_watch(struct args *args)
{
	uint64_t bits = 1;
	uint64_t notify;
	uint64_t agent;
	uint32_t runs = 0;
	int ret;

	if (args_handle(args, 0, &agent) || args_handle(args, 1, &notify) ||
	    option_u64(args, "bits", UINT64_MAX, &bits) ||
	    option_u32(args, "runs", UINT32_MAX, &runs))
		return EXIT_USAGE;
	ret = phi_agent_watch(args->phi, agent, notify, bits, runs);
	if (ret)
		return fail(ret, "watch %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("agent", agent);
	out_handle("bits", bits);
	return out_end();
}

static int agent_evict(struct args *args)
{
	uint64_t agent;
	int ret;

	if (args_handle(args, 0, &agent))
		return EXIT_USAGE;
	ret = phi_agent_evict(args->phi, agent);
	if (ret)
		return fail(ret, "take the inbox from %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("agent", agent);
	return out_end();
}

static int agent_charge(struct args *args)
{
	uint64_t agent, budget = 0;
	int ret;

	if (args_handle(args, 0, &agent) ||
	    (args->n > 1 && args_handle(args, 1, &budget)))
		return EXIT_USAGE;
	ret = phi_agent_charge(args->phi, agent, budget);
	return ret ? fail(ret, "charge the agent to that budget") : EXIT_OK;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[PHI_AGENT_EMPTY] = "empty",
		[PHI_AGENT_RUNS] = "runs",
		[PHI_AGENT_KILLED] = "killed",
	};

	return state < ARRAY_SIZE(names) && names[state] ? names[state] :
							   "hidden";
}

static void agent_fields(const struct phi_agent_query *agent, const char *path)
{
	out_u64("agent", agent->id);
	out_name("name", agent->name);
	out_str("state", state_name(agent->state));
	out_u64("uid", agent->uid);
	out_u64("parent", agent->parent);
	out_u64("runs", agent->runs);
	out_u64("cspaces", agent->cspaces);
	out_u64("gifts", agent->gifts);
	out_str("cgroup", path);
}

/* An agent that this process can see; -ENOENT for one that it cannot. */
static int agent_look(int phi, uint64_t id, char path[PATH_LEN],
		      struct phi_agent_query *agent)
{
	int ret = phi_agent_query(phi, id, 0, path, PATH_LEN, agent);

	return !ret && agent->state == PHI_AGENT_HIDDEN ? -ENOENT : ret;
}

static int agent_list(struct args *args)
{
	struct phi_agent_query agent;
	char path[PATH_LEN];
	uint64_t id = 0;
	int ret;

	out_table("agents", "none; start one with phi agent run");
	while (!(ret = phi_agent_query(args->phi, id, PHI_AGENT_NEXT, path,
				       sizeof(path), &agent))) {
		id = agent.id + 1;
		if (agent.state == PHI_AGENT_HIDDEN)
			continue;
		out_row();
		agent_fields(&agent, path);
		out_close();
	}
	out_close();
	if (ret != -ENOENT)
		return fail(ret, "list the agents");
	return out_end();
}

/* The agents below one, each before those below it. */
static void tree_rows(int phi, uint64_t parent, unsigned int depth)
{
	struct phi_agent_query agent;
	char path[PATH_LEN];
	uint64_t id = parent + 1;

	/* A parent was registered before, so that its number is lower. */
	while (!phi_agent_query(phi, id, PHI_AGENT_NEXT, path, sizeof(path),
				&agent)) {
		id = agent.id + 1;
		if (agent.state == PHI_AGENT_HIDDEN || agent.parent != parent)
			continue;
		out_row();
		out_u64("agent", agent.id);
		out_text("%*s%llu", (int)depth * 2, "",
			 (unsigned long long)agent.id);
		out_name("name", agent.name);
		out_str("state", state_name(agent.state));
		out_u64("parent", agent.parent);
		out_u64("cspaces", agent.cspaces);
		out_u64("gifts", agent.gifts);
		out_str("cgroup", path);
		out_close();
		if (depth < TREE_DEPTH)
			tree_rows(phi, agent.id, depth + 1);
	}
}

static int agent_tree(struct args *args)
{
	out_table("agents", "none; start one with phi agent run");
	tree_rows(args->phi, 0, 0);
	out_close();
	return out_end();
}

static int agent_show(struct args *args)
{
	struct phi_agent_query agent;
	char path[PATH_LEN];
	uint64_t id;
	int ret;

	if (args_u64(args, "agent", args->operand[0], UINT64_MAX, &id))
		return EXIT_USAGE;
	ret = agent_look(args->phi, id, path, &agent);
	if (ret)
		return fail(ret, "look at agent %s", args->operand[0]);
	agent_fields(&agent, path);
	return out_end();
}

static int print_receipt(const struct phi_agent_query *agent,
			 const struct phi_agent_kill *receipt)
{
	out_u64("agent", agent->id);
	out_name("name", agent->name);
	out_u64("agents", receipt->agents);
	out_u64("cspaces", receipt->cspaces);
	out_u64("handles", receipt->handles);
	out_u64("given", receipt->given);
	out_u64("mappings", receipt->mappings);
	out_u64("calls", receipt->calls);
	out_u64("endpoints", receipt->endpoints);
	return out_end();
}

static int agent_kill(struct args *args)
{
	struct phi_agent_query agent;
	struct phi_agent_kill receipt;
	char path[PATH_LEN];
	char full[PATH_LEN + sizeof(CGROUPS)];
	uint64_t until = 0;
	uint64_t cap;
	uint64_t id;
	int dir;
	int ret;

	if (args_u64(args, "agent", args->operand[0], UINT64_MAX, &id) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &until))
		return EXIT_USAGE;
	ret = agent_look(args->phi, id, path, &agent);
	if (ret)
		return fail(ret, "look at agent %s", args->operand[0]);
	snprintf(full, sizeof(full), CGROUPS "%s", path);
	dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(-errno, "open the cgroup %s", full);
	ret = phi_agent_open(args->phi, dir, NULL, &cap);
	if (!ret) {
		ret = phi_agent_kill(args->phi, cap, dir, until, &receipt);
		/* In a session it would keep the agent. */
		phi_cap_drop(args->phi, cap);
	}
	close(dir);
	if (ret)
		return fail(ret, "kill agent %s", args->operand[0]);
	return print_receipt(&agent, &receipt);
}

/* Of the agents of initd; those of phi agent run write where it does. */
static int agent_logs(struct args *args)
{
	struct phi_init_request request = { 0 };

	if (args_u64(args, "agent", args->operand[0], UINT64_MAX,
		     &request.agent))
		return EXIT_USAGE;
	if (!request.agent)
		return usage_error(args, "no agent has the number 0");
	return init_logs_of(args, &request);
}

static const struct verb verbs[] = {
	{ "register", agent_register, "NAME --cgroup DIR [--parent AGENT]",
	  "make the processes of a cgroup one agent, as long as the handle lasts",
	  HANDLES },
	{ "run", agent_run,
	  "NAME [--cap CAPS]... [--env VAR]... [--budget BUDGET] [--cgroup DIR] [--parent AGENT] CMD [ARG]...",
	  "run a command as an agent in a cgroup of its own; its number is in PHI_AGENT",
	  VERB_PHI },
	{ "list", agent_list, "", "list the agents", VERB_PHI },
	{ "tree", agent_tree, "", "list the agents, each below its parent",
	  VERB_PHI },
	{ "show", agent_show, "NUMBER", "show an agent", VERB_PHI },
	{ "kill", agent_kill, "NUMBER [--timeout TIME]",
	  "end an agent, all agents below it and their processes; tell what ended",
	  VERB_PHI },
	{ "logs", agent_logs, "NUMBER [--lines N]",
	  "print the last lines that an agent of initd has written", 0 },
	{ "open", agent_open, "--cgroup DIR",
	  "get a handle to the agent that a cgroup is", HANDLES },
	{ "watch", agent_watch, "AGENT NOTIFY [--bits N] [--runs N]",
	  "signal a notification when the last process of an agent ends",
	  HANDLES },
	{ "charge", agent_charge, "AGENT [BUDGET]",
	  "charge what an agent does to a budget, or to none any more",
	  HANDLES },
	{ "evict", agent_evict, "AGENT", "take the inbox from an agent",
	  HANDLES },
	{ 0 },
};

const struct noun agent_noun = {
	.name = "agent",
	.help = "processes that policies know by one number",
	.verbs = verbs,
};
