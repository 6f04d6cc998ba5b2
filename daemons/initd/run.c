// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service while it runs: a cgroup that is an agent, a process in it that
 * starts with its endowment, and the end of all that.
 */
#include <errno.h>
#include <fcntl.h>
#include <phi/agents.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "initd.h"
#include "log.h"

/* Children that are reaped before it is another source's turn. */
#define REAP_MAX 64

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Undo open_run(). */
static void close_run(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	const char *name = d->engine.services[i].config->name;
	int ret;

	init_keep_close(d, i);
	init_note_close(d, i);
	if (run->watch)
		phi_source_free(run->watch);
	run->watch = NULL;
	if (run->cap)
		phi_cap_drop(d->phi, run->cap);
	run->cap = 0;
	run->agent = 0;
	close_fd(&run->pidfd);
	close_fd(&run->events);
	close_fd(&run->cgroup);
	run->live = false;
	ret = init_cgroup_remove(d->services, name);
	if (ret)
		say("%s: its cgroup stays: %s", name, strerror(-ret));
}

/* Nothing of the service runs any more: the engine says how it goes on. */
static void gone(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	int status = run->status;

	close_run(d, i);
	init_engine_gone(&d->engine, i, status, clock_ns());
	phi_source_kick(d->turn);
}

static void check_gone(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];

	if (run->live && !run->pid && !init_cgroup_populated(run->events))
		gone(d, i);
}

/* cgroup.events has changed. */
static int on_events(void *arg, uint32_t events)
{
	struct init_run *run = arg;
	struct initd *d = run->owner;

	(void)events;
	check_gone(d, (uint32_t)(run - d->runs));
	return 0;
}

/* End the agent and all that it gave away, then its processes. */
static void end_all(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	const char *name = d->engine.services[i].config->name;
	struct phi_agent_kill receipt;
	int ret;

	ret = phi_agent_kill(d->phi, run->cap, -1, 0, &receipt);
	if (ret && ret != -ESRCH)
		say("%s: cannot end its agent: %s", name, strerror(-ret));
	else if (!ret && d->verbose)
		say("%s: ended %u cspaces, %u handles, %u mappings, %u calls",
		    name, receipt.cspaces, receipt.handles, receipt.mappings,
		    receipt.calls);
	ret = init_cgroup_kill(run->cgroup);
	if (ret)
		say("%s: cannot kill its processes: %s", name, strerror(-ret));
}

static void stop_service(void *arg, uint32_t i, bool hard)
{
	struct initd *d = arg;
	struct init_run *run = &d->runs[i];

	if (hard || !run->pid)
		end_all(d, i);
	else
		syscall(SYS_pidfd_send_signal, run->pidfd,
			d->engine.services[i].config->signal, NULL, 0);
}

static int open_run(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	const struct init_config *c = d->engine.services[i].config;
	int ret;

	run->pid = 0;
	run->cgroup = init_cgroup_make(d->services, c);
	if (run->cgroup < 0)
		return run->cgroup;
	run->live = true;
	run->owner = d;
	run->pidfd = -1;
	run->text[0] = '\0';
	run->events =
		openat(run->cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
	ret = run->events < 0 ? -errno : 0;
	if (!ret)
		ret = phi_service_fd(d->loop, run->events, POLLPRI, on_events,
				     run, &run->watch);
	if (!ret)
		ret = phi_agent_register(d->phi, run->cgroup, c->name, 0,
					 &run->agent, &run->cap);
	if (!ret)
		ret = init_keep_open(d, i);
	if (!ret && c->type == INIT_NOTIFY)
		ret = init_note_open(d, i);
	if (ret)
		close_run(d, i);
	return ret;
}

static int spawn(struct initd *d, uint32_t i, int out)
{
	struct init_run *run = &d->runs[i];
	const struct init_config *c = d->engine.services[i].config;
	struct phi_spawn how = PHI_SPAWN_INIT;
	struct phi_endowment caps[PHI_ENDOW_MAX];
	const char *names[PHI_ENDOW_MAX];
	char *envp[INIT_WORDS_MAX + 3];
	char agent[32], note[128];
	struct phi_spawned spawned;
	int n = c->envc;
	int ret;

	ret = init_endow(d, c, caps, names);
	if (ret)
		return ret;
	memcpy(envp, c->envp, (size_t)n * sizeof(*envp));
	snprintf(agent, sizeof(agent), "PHI_AGENT=%llu",
		 (unsigned long long)run->agent);
	envp[n++] = agent;
	if (run->note >= 0) {
		snprintf(note, sizeof(note), "NOTIFY_SOCKET=%s/%s.notify",
			 d->dir, c->name);
		envp[n++] = note;
	}
	envp[n] = NULL;
	how.path = c->argv[0];
	how.argv = c->argv;
	how.envp = envp;
	how.sha256 = c->hashed ? c->sha256 : NULL;
	how.caps = caps;
	how.names = names;
	how.ncaps = c->ncaps;
	how.stdio[1] = out;
	how.stdio[2] = out;
	how.cgroup = run->cgroup;
	ret = phi_spawn(d->phi, &how, &spawned);
	init_endow_end(d, c, caps, c->ncaps);
	if (ret)
		return ret;
	run->pid = spawned.pid;
	run->pidfd = spawned.pidfd;
	return 0;
}

static int start_service(void *arg, uint32_t i)
{
	struct initd *d = arg;
	struct init_run *run = &d->runs[i];
	const char *name = d->engine.services[i].config->name;
	int out;
	int ret;

	ret = open_run(d, i);
	if (ret) {
		say("%s: cannot set up its cgroup: %s", name, strerror(-ret));
		return ret;
	}
	out = run->in;
	ret = spawn(d, i, out);
	close_fd(&run->in);
	if (ret) {
		say("%s: cannot start: %s", name, strerror(-ret));
		close_run(d, i);
		return ret;
	}
	say("%s: started as agent %llu, process %d", name,
	    (unsigned long long)run->agent, (int)run->pid);
	return 0;
}

const struct init_ops init_run_ops = {
	.start = start_service,
	.stop = stop_service,
};

static void note_end(struct initd *d, uint32_t i, int status)
{
	struct init_run *run = &d->runs[i];
	const char *name = d->engine.services[i].config->name;

	run->pid = 0;
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) :
					  128 + WTERMSIG(status);
	if (WIFEXITED(status))
		say("%s: ended with status %d", name, run->status);
	else
		say("%s: ended by signal %d", name, WTERMSIG(status));
	init_engine_ending(&d->engine, i, clock_ns());
	end_all(d, i);
	check_gone(d, i);
}

/**
 * init_run_reap() - reap children, those of services and orphans
 * @d: Daemon.
 *
 * Context: Main thread, outside of the engine.
 * Return: 1 when there may be more, else 0.
 */
int init_run_reap(struct initd *d)
{
	int n, status;
	uint32_t i;
	pid_t pid;

	for (n = 0; n < REAP_MAX; n++) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return 0;
		for (i = 0; i < d->engine.n; i++) {
			if (d->runs[i].live && d->runs[i].pid == pid) {
				note_end(d, i, status);
				break;
			}
		}
	}
	return 1;
}
