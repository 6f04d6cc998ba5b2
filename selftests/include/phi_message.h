/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_PHI_MESSAGE_H
#define _SELFTESTS_PHI_MESSAGE_H

/*
 * Messages as the tests send them, and threads that wait in a call.
 */

#include <ctype.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "phi_ioctl.h"

#define MS 1000000ULL

static inline int do_send_flags(int phi, uint64_t endpoint, const void *data,
				uint32_t len, uint32_t flags)
{
	struct phi_send arg = {
		.flags = flags,
		.endpoint = endpoint,
		.data = (uintptr_t)data,
		.len = len,
	};

	return PHI_DO(phi, SEND, &arg);
}

static inline int do_send(int phi, uint64_t endpoint, const void *data,
			  uint32_t len)
{
	return do_send_flags(phi, endpoint, data, len, PHI_NONBLOCK);
}

/* With one capability. */
static inline int do_send_cap(int phi, uint64_t endpoint, uint64_t cap,
			      uint32_t flags, uint32_t rights)
{
	struct phi_send arg = {
		.flags = PHI_NONBLOCK,
		.endpoint = endpoint,
		.ncaps = 1,
		.caps = { { cap, flags, rights } },
	};

	return PHI_DO(phi, SEND, &arg);
}

/* Receives without waiting. */
static inline int do_recv(int phi, uint64_t endpoint, void *data, uint32_t len,
			  struct phi_recv *arg)
{
	*arg = (struct phi_recv){
		.flags = PHI_NONBLOCK,
		.endpoint = endpoint,
		.data = (uintptr_t)data,
		.len = len,
	};
	return PHI_DO(phi, RECV, arg);
}

/* The next message, which is on its way; its sender may be slow, not absent. */
static inline int do_recv_soon(int phi, uint64_t endpoint, void *data,
			       uint32_t len, struct phi_recv *arg)
{
	*arg = (struct phi_recv){
		.endpoint = endpoint,
		.data = (uintptr_t)data,
		.len = len,
		.deadline_ns = monotonic_ns() + 100000 * MS,
	};
	return PHI_DO(phi, RECV, arg);
}

/* Take a message and forget it; the errno when there is none. */
static inline int do_take(int phi, uint64_t endpoint)
{
	char data[PHI_MSG_MAX];
	struct phi_recv arg;

	return do_recv(phi, endpoint, data, sizeof(data), &arg);
}

static inline int do_reply(int phi, uint64_t reply, const void *data,
			   uint32_t len)
{
	struct phi_reply arg = {
		.reply = reply,
		.data = (uintptr_t)data,
		.len = len,
	};

	return PHI_DO(phi, REPLY, &arg);
}

static inline int do_signal(int phi, uint64_t notify, uint64_t bits)
{
	struct phi_notify_signal arg = { .notify = notify, .bits = bits };

	return PHI_DO(phi, NOTIFY_SIGNAL, &arg);
}

/* Take bits without waiting. */
static inline int do_bits(int phi, uint64_t notify, uint64_t mask,
			  uint64_t *bits)
{
	struct phi_notify_wait arg = {
		.flags = PHI_NONBLOCK,
		.notify = notify,
		.mask = mask,
	};
	int ret = PHI_DO(phi, NOTIFY_WAIT, &arg);

	*bits = arg.bits;
	return ret;
}

/* Wait until all bits of a mask were set; a slow machine takes a while. */
static inline int do_all_bits(int phi, uint64_t notify, uint64_t mask)
{
	struct phi_notify_wait arg = {
		.notify = notify,
		.mask = mask,
		.deadline_ns = monotonic_ns() + 100000 * MS,
	};

	while (arg.mask) {
		int ret = PHI_DO(phi, NOTIFY_WAIT, &arg);

		if (ret)
			return ret;
		arg.mask &= ~arg.bits;
	}
	return 0;
}

static inline int do_endpoint_fd(int phi, uint64_t endpoint)
{
	struct phi_endpoint_fd arg = { .endpoint = endpoint };

	return PHI_DO(phi, ENDPOINT_FD, &arg) ?: arg.fd;
}

static inline int do_mint(int phi, uint64_t endpoint, uint32_t type,
			  uint32_t rights, uint64_t badge, uint64_t *out)
{
	struct phi_cap_mint arg = {
		.endpoint = endpoint,
		.type = type,
		.rights = rights,
		.badge = badge,
	};
	int ret = PHI_DO(phi, CAP_MINT, &arg);

	*out = arg.out;
	return ret;
}

/* Bits for when a capability is revoked, when it expires, when its peer dies. */
static inline int do_watch_cap(int phi, uint64_t cap, uint64_t notify,
			       uint64_t revoked, uint64_t expired,
			       uint64_t gone)
{
	struct phi_cap_watch arg = {
		.cap = cap,
		.notify = notify,
		.revoked = revoked,
		.expired = expired,
		.gone = gone,
	};

	return PHI_DO(phi, CAP_WATCH, &arg);
}

/* A child of a capability, in another cspace. */
static inline int do_give(int from, uint64_t cap, uint32_t rights, int to,
			  uint64_t *out)
{
	struct phi_token token;

	return do_seal(from, cap, rights, 0, 0, &token) ?:
		       do_unseal(to, &token, out);
}

/*
 * The two ends of an endpoint: a server that has it, and a client that may send
 * to it, each in a cspace of its own.
 */
static inline int do_ends(int *server, int *client, uint64_t *ep, uint64_t *to)
{
	*server = do_open();
	*client = do_open();
	if (*server < 0 || *client < 0)
		return *server < 0 ? *server : *client;
	return do_endpoint(*server, ep) ?:
		       do_give(*server, *ep, PHI_RIGHT_SEND, *client, to);
}

/* A call that a thread makes, and waits in. */
struct job {
	int phi;
	unsigned long cmd;
	void *arg;
	int ret;
	pid_t tid;
	pthread_t thread;
};

static inline void *job_thread(void *arg)
{
	struct job *job = arg;

	__atomic_store_n(&job->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	job->ret = ioctl(job->phi, job->cmd, job->arg) ? -errno : 0;
	return NULL;
}

/* The state in a stat file of /proc; 0 when there is none. */
static inline char stat_state(const char *path)
{
	char line[256], state = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		return 0;
	if (fgets(line, sizeof(line), f) && strrchr(line, ')'))
		state = strrchr(line, ')')[2];
	fclose(f);
	return state;
}

/* State of a thread of this process; 0 when it is gone. */
static inline char thread_state(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	return stat_state(path);
}

/* State of the first thread of a process; 0 when it is gone. */
static inline char process_state(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return stat_state(path);
}

/*
 * Wait until it sleeps, which a thread does in the call it is in: three looks
 * in a row, for locks put threads to sleep too. Return: false when it is gone.
 */
static inline bool state_sleeps(char (*state_of)(pid_t pid), pid_t pid)
{
	for (int asleep = 0; asleep < 3;) {
		char state = state_of(pid);

		if (!state || state == 'Z')
			return false;
		asleep = state == 'S' ? asleep + 1 : 0;
		usleep(2000);
	}
	return true;
}

static inline bool thread_sleeps(pid_t tid)
{
	return state_sleeps(thread_state, tid);
}

static inline bool process_sleeps(pid_t pid)
{
	return state_sleeps(process_state, pid);
}

/* Start it and see that it sleeps. Return: 0, or -1 when it came back. */
static inline int job_start(struct job *job)
{
	pid_t tid;

	job->tid = 0;
	if (pthread_create(&job->thread, NULL, job_thread, job))
		return -1;
	do {
		usleep(1000);
		tid = __atomic_load_n(&job->tid, __ATOMIC_ACQUIRE);
	} while (!tid);
	return thread_sleeps(tid) ? 0 : -1;
}

/* Return: what the call returned, 0 or a negative errno. */
static inline int job_join(struct job *job)
{
	pthread_join(job->thread, NULL);
	return job->ret;
}

#define JOB(_phi, _cmd, _arg)                  \
	({                                     \
		__typeof__(_arg) _p = (_arg);  \
		_p->size = sizeof(*_p);        \
		(struct job){                  \
			.phi = (_phi),         \
			.cmd = PHI_IOC_##_cmd, \
			.arg = _p,             \
		};                             \
	})

#endif /* _SELFTESTS_PHI_MESSAGE_H */
