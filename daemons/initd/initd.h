/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INITD_H
#define INITD_H

#include <phi/phi.h>
#include <phi/service.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine.h"
#include "options.h"

/* Bytes of what a service writes that initd keeps. */
#define INIT_KEPT_MAX 65536
/* Clients at a time. */
#define INIT_CLIENTS_MAX 32
/* Those of them that only root has. */
#define INIT_CLIENTS_ROOT 2

/**
 * struct init_options - the command line
 * @common: Options that all daemons have.
 * @config: Directory with the files of the services.
 * @run: Directory for the sockets.
 * @cgroup: Cgroup v2 directory to use, NULL = that of this process.
 * @check: Read the files, and end.
 */
struct init_options {
	struct daemon_options common;
	const char *config;
	const char *run;
	const char *cgroup;
	bool check;
};

/**
 * struct init_object - an object that services share
 * @name: Its name.
 * @type: PHI_TYPE_*.
 * @bytes: Size of a MEMORY object.
 * @cap: Handle.
 */
struct init_object {
	char name[PHI_INIT_NAME_MAX];
	uint32_t type;
	uint64_t bytes;
	uint64_t cap;
};

struct initd;

/**
 * struct init_run - the part of a service that the kernel knows
 * @owner: The daemon.
 * @live: It has a cgroup; all below is valid.
 * @pid: Its first process, 0 once that is reaped.
 * @pidfd: The same.
 * @status: How that ended.
 * @cgroup: Its cgroup.
 * @events: cgroup.events there.
 * @watch: Source for @events.
 * @agent: Number of its agent.
 * @cap: AGENT handle.
 * @note: Socket that it reports to, or -1.
 * @noted: Source for @note.
 * @out: Pipe that it writes to, or -1.
 * @in: The other end, while the service is started, or -1.
 * @writes: Source for @out.
 * @text: The last STATUS= that it sent.
 * @kept: The last bytes it has written, a ring of INIT_KEPT_MAX, or NULL.
 * @nkept: Bytes ever written to @kept.
 */
struct init_run {
	struct initd *owner;
	bool live;
	pid_t pid;
	int pidfd;
	int status;
	int cgroup;
	int events;
	struct phi_source *watch;
	uint64_t agent;
	uint64_t cap;
	int note;
	struct phi_source *noted;
	int out;
	int in;
	struct phi_source *writes;
	char text[PHI_INIT_TEXT_MAX];
	char *kept;
	uint64_t nkept;
};

/**
 * struct init_client - one that waits for an answer
 * @owner: The daemon.
 * @fd: Its connection, or -1.
 * @source: Source for @fd.
 * @verb: The request that it waits for; 0 = none has come.
 * @i: The service.
 */
struct init_client {
	struct initd *owner;
	int fd;
	struct phi_source *source;
	uint32_t verb;
	uint32_t i;
};

/**
 * struct initd - the daemon
 * @engine: Its services.
 * @runs: The rest of each.
 * @loop: The loop.
 * @timer: For the engine.
 * @turn: Job that steps the engine.
 * @phi: Cspace.
 * @services: The cgroup that the services are in.
 * @dir: The directory of the sockets.
 * @sigchld: Signalfd.
 * @listen: Socket of the clients.
 * @objects: Objects that services share.
 * @nobjects: How many.
 * @clients: Those connected.
 * @stopping: All services are to stop, and then initd.
 * @verbose: Log what services write, too.
 */
struct initd {
	struct init_engine engine;
	struct init_run runs[INIT_SERVICES_MAX];
	struct phi_service *loop;
	struct phi_source *timer;
	struct phi_source *turn;
	int phi;
	int services;
	const char *dir;
	int sigchld;
	int listen;
	struct init_object *objects;
	uint32_t nobjects;
	struct init_client clients[INIT_CLIENTS_MAX];
	bool stopping;
	bool verbose;
};

/* options.c */
int init_options_read(int argc, char **argv, struct init_options *o);

/* load.c */
int init_load(struct init_engine *e, const char *path);
void init_unload(struct init_engine *e);

/* cgroup.c */
int init_cgroup_delegate(const char *path, const char *user);
int init_cgroup_open(const char *path);
int init_cgroup_clear(int services);
int init_cgroup_make(int services, const struct init_config *c);
int init_cgroup_kill(int cgroup);
int init_cgroup_kill_all(int services);
int init_cgroup_remove(int services, const char *name);
int init_cgroup_populated(int events);

/* endow.c */
int init_endow(struct initd *d, const struct init_config *c,
	       struct phi_endowment *caps, const char **names);
void init_endow_end(struct initd *d, const struct init_config *c,
		    const struct phi_endowment *caps, uint32_t n);

/* run.c */
extern const struct init_ops init_run_ops;
int init_run_reap(struct initd *d);

/* note.c */
int init_note_open(struct initd *d, uint32_t i);
void init_note_close(struct initd *d, uint32_t i);

/* keep.c */
int init_keep_open(struct initd *d, uint32_t i);
void init_keep_close(struct initd *d, uint32_t i);
size_t init_keep_last(const struct init_run *run, uint32_t lines,
		      char out[INIT_KEPT_MAX]);

/* control.c */
int init_control_open(struct initd *d);
void init_control_settle(struct initd *d);
void init_control_close(struct initd *d);

#endif /* INITD_H */
