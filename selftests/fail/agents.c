// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the calls on processes, agents and sessions.
 */

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "file.h"
#include "scene.h"

/* A child that waits, and ends with the test. */
static int set_process_endow(struct stage *s)
{
	struct phi_process_endow *arg = (void *)s->arg;
	static struct phi_endowment caps[2];

	s->child = fork();
	if (!s->child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	close(s->file);
	s->file = syscall(SYS_pidfd_open, s->child, 0);
	caps[0] = (struct phi_endowment){ .cap = s->ep,
					  .rights = PHI_RIGHT_SEND,
					  .badge = 3 };
	caps[1] = (struct phi_endowment){ .cap = s->region,
					  .rights = PHI_RIGHT_READ };
	*arg = (struct phi_process_endow){ .size = sizeof(*arg),
					   .flags = PHI_ENDOW_SHARED,
					   .pidfd = s->file,
					   .ncaps = 2,
					   .caps = (uintptr_t)caps };
	return 0;
}

static bool seen_process_endow(struct stage *s)
{
	int fd = OUT(s, process_endow)->fd;

	return !do_probe(fd, PHI_ENDOWED(1)) && !close(fd);
}

static void end_process_endow(struct stage *s)
{
	kill(s->child, SIGKILL);
	waitpid(s->child, NULL, 0);
}

SET(agent, agent_register)
{
	close(s->file);
	mkdir("/sys/fs/cgroup/phi-fail", 0755);
	s->file = open("/sys/fs/cgroup/phi-fail", O_RDONLY | O_CLOEXEC);
	*arg = (struct phi_agent_register){ .size = sizeof(*arg),
					    .cgroup = s->file,
					    .name = "agent" };
}

/* An agent; the last handle to it ends it. */
static int make_agent(struct stage *s, uint64_t *cap)
{
	struct phi_agent_register *arg = (void *)s->arg;
	int ret = set_agent(s) ?: PHI_DO(s->phi, AGENT_REGISTER, arg);

	*cap = arg->cap;
	memset(s->arg, 0, sizeof(s->arg));
	return ret;
}

static int set_agent_kill(struct stage *s)
{
	struct phi_agent_kill *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap);

	*arg = (struct phi_agent_kill){ .size = sizeof(*arg), .agent = cap };
	return ret;
}

static int set_agent_watch(struct stage *s)
{
	struct phi_agent_watch *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap);

	*arg = (struct phi_agent_watch){ .size = sizeof(*arg),
					 .agent = cap,
					 .notify = s->notify,
					 .bits = 1 };
	return ret;
}

static int set_agent_open(struct stage *s)
{
	struct phi_agent_open *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap);

	*arg = (struct phi_agent_open){ .size = sizeof(*arg),
					.cgroup = s->file };
	return ret;
}

static int set_agent_query(struct stage *s)
{
	struct phi_agent_query *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap);

	*arg = (struct phi_agent_query){ .size = sizeof(*arg),
					 .flags = PHI_AGENT_NEXT,
					 .path = (uintptr_t)s->data,
					 .room = sizeof(s->data) };
	return ret;
}

/* This process names the inbox of its own agent, and leaves that. */
static int set_agent_evict(struct stage *s)
{
	struct phi_cspace_inbox inbox = { .flags = PHI_INBOX_AGENT,
					  .endpoint = s->ep };
	struct phi_agent_evict *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap);

	if (!ret)
		ret = put_text("/sys/fs/cgroup/phi-fail/cgroup.procs", "0");
	if (!ret)
		ret = PHI_DO(s->phi, CSPACE_INBOX, &inbox);
	put_text("/sys/fs/cgroup/cgroup.procs", "0");
	*arg = (struct phi_agent_evict){ .size = sizeof(*arg), .agent = cap };
	return ret;
}

/* The agent outlives the call, as the budget does. */
static int set_agent_charge(struct stage *s)
{
	struct phi_budget_create budget = { .amount = { 10 } };
	struct phi_agent_charge *arg = (void *)s->arg;
	uint64_t cap;
	int ret = make_agent(s, &cap) ?: PHI_DO(s->phi, BUDGET_CREATE, &budget);

	*arg = (struct phi_agent_charge){ .size = sizeof(*arg),
					  .agent = cap,
					  .budget = budget.cap };
	return ret;
}

SET(session_create, session_create)
{
}

/* Two checks by a session of this process. */
static int set_call_check(struct stage *s)
{
	struct phi_session_create make = {};
	struct phi_call_check *arg = (void *)s->arg;
	struct phi_check *checks = (void *)s->data;
	int ret = PHI_DO(s->phi, SESSION_CREATE, &make);

	checks[0] = (struct phi_check){ .call = 1, .cap = s->notify };
	checks[1] = (struct phi_check){ .call = 2, .result = -1 };
	*arg = (struct phi_call_check){ .size = sizeof(*arg),
					.session = make.cap,
					.checks = (uintptr_t)checks,
					.count = 2 };
	return ret;
}

static bool seen_call_check(struct stage *s)
{
	return !OUT(s, call_check)->refused &&
	       !((struct phi_check *)(void *)s->data)[1].result;
}

static void end_agent(struct stage *s)
{
	(void)s;
	rmdir("/sys/fs/cgroup/phi-fail");
}

const struct scene agent_scenes[] = {
	SCENE(PROCESS_ENDOW, process_endow, SEEN(process_endow),
	      .end = end_process_endow),
	SCENE(AGENT_REGISTER, agent, .end = end_agent),
	SCENE(AGENT_KILL, agent_kill, .end = end_agent),
	SCENE(AGENT_QUERY, agent_query, .end = end_agent),
	SCENE(AGENT_WATCH, agent_watch, .end = end_agent),
	SCENE(AGENT_OPEN, agent_open, .end = end_agent),
	SCENE(AGENT_EVICT, agent_evict, .end = end_agent),
	SCENE(AGENT_CHARGE, agent_charge, .end = end_agent),
	SCENE(SESSION_CREATE, session_create),
	SCENE(CALL_CHECK, call_check, SEEN(call_check)),
	{},
};
