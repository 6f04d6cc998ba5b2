// SPDX-License-Identifier: LGPL-2.1-or-later
/* The basic calls of PhiOS and libnyx, over the rest of the library. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <phi/nyx.h>
#include <phi/spawn.h>
#include <phi/threads.h>

#include "internal.h"

/* The cspace, and the process whose it is above it; 0 = none yet. */
static uint64_t own;

/* The thread was started by phi_nyx_create_thread(). */
static _Thread_local bool inside;

/* A thread that is being started. */
struct start {
	int phi;
	int64_t (*run)(void *arg);
	void *arg;
	uint64_t cap;
	int ret;
	sem_t begun;
};

/* The one that the parent gave, unless that is of a process that forked. */
static int cspace_open(void)
{
	int phi = phi_endowment(NULL, NULL);

	return phi >= 0 && phi_cap_list(phi, NULL, 0, NULL) >= 0 ? phi :
								   phi_open(0);
}

int phi_nyx_cspace(void)
{
	uint64_t seen = __atomic_load_n(&own, __ATOMIC_ACQUIRE);
	uint64_t pid = (uint64_t)getpid();
	int phi;

	if (seen >> 32 == pid)
		return (int)(uint32_t)seen;
	phi = cspace_open();
	if (phi < 0)
		return phi;
	if (__atomic_compare_exchange_n(&own, &seen, pid << 32 | (uint32_t)phi,
					false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return phi;
	/* Another thread was first. */
	if (phi != (int)(uint32_t)seen)
		phi_close(phi);
	return (int)(uint32_t)seen;
}

static void *begin(void *arg)
{
	struct start *start = arg;
	int64_t (*run)(void *arg) = start->run;
	void *data = start->arg;
	int ret = phi_thread_register(start->phi, 0, 0, 0, &start->cap);

	start->ret = ret;
	/* The creator goes on, and @start is gone. */
	sem_post(&start->begun);
	if (!ret) {
		inside = true;
		phi_nyx_exit(run(data));
	}
	return NULL;
}

/* The thread frees itself: who joins it does so by its capability. */
static int start_detached(struct start *start)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret = -pthread_attr_init(&attr);

	if (ret)
		return ret;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, begin, start);
	pthread_attr_destroy(&attr);
	return ret;
}

int phi_nyx_create_thread(int64_t (*run)(void *arg), void *arg, uint64_t *cap)
{
	struct start start = { .run = run, .arg = arg };
	int ret;

	start.phi = phi_nyx_cspace();
	if (start.phi < 0)
		return start.phi;
	sem_init(&start.begun, 0, 0);
	ret = start_detached(&start);
	if (!ret) {
		while (sem_wait(&start.begun))
			;
		ret = start.ret;
	}
	sem_destroy(&start.begun);
	if (!ret)
		*cap = start.cap;
	return ret;
}

int phi_nyx_thread_join(uint64_t cap, int64_t *status)
{
	int phi = phi_nyx_cspace();
	int64_t result;
	uint32_t how;
	int ret;

	if (phi < 0)
		return phi;
	ret = phi_thread_join(phi, cap, 0, 0, &how, &result);
	if (ret)
		return ret;
	if (status)
		*status = how == PHI_THREAD_KILLED ? 128 + result : result;
	return phi_cap_drop(phi, cap);
}

void phi_nyx_exit(int64_t status)
{
	if (!inside)
		exit((int)(status & 0xff));
	phi_thread_exit(phi_nyx_cspace(), status);
	pthread_exit(NULL);
}

int phi_nyx_yield(void)
{
	sched_yield();
	return 0;
}

int phi_nyx_sleep(uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ns / 1000000000);
	until.tv_nsec += (long)(ns % 1000000000);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
	       EINTR)
		;
	return 0;
}

int phi_nyx_map_memory(uint64_t cap, int prot, void **addr, size_t *len)
{
	int phi = phi_nyx_cspace();

	return phi < 0 ? phi : phi_region_map(phi, cap, prot, addr, len);
}

int phi_nyx_unmap_memory(void *addr, size_t len)
{
	return phi_region_unmap(addr, len);
}

int phi_nyx_send(uint64_t cap, const void *data, size_t len)
{
	struct phi_msg msg = { .data = data, .len = (uint32_t)len };
	int phi = phi_nyx_cspace();

	if (len > PHI_MSG_MAX)
		return -EINVAL;
	return phi < 0 ? phi : phi_send(phi, cap, &msg, 0, 0);
}

int phi_nyx_receive(uint64_t cap, void *data, size_t room, uint64_t *reply)
{
	int phi = phi_nyx_cspace();
	struct phi_msg_in in;
	int ret;

	if (phi < 0)
		return phi;
	ret = phi_recv(phi, cap, &in, PHI_RECV_NOCAPS, 0);
	if (ret)
		return ret;
	if (in.reply && (!reply || in.len > room)) {
		phi_cap_drop(phi, in.reply);
		in.reply = 0;
	}
	if (in.len > room)
		return -EMSGSIZE;
	memcpy(data, in.data, in.len);
	if (reply)
		*reply = in.reply;
	return (int)in.len;
}

int phi_nyx_cap_invoke(uint64_t cap, uint32_t op, const void *in, size_t inlen,
		       void *out, size_t outlen)
{
	int phi = phi_nyx_cspace();
	int ret;

	if (phi < 0)
		return phi;
	ret = phi_cap_invoke(phi, cap, op, in, inlen, out,
			     out ? &outlen : NULL);
	if (ret)
		return ret;
	return out ? (int)outlen : 0;
}

int phi_nyx_process_spawn(const char *path, char *const argv[],
			  const struct phi_endowment *caps, uint32_t ncaps,
			  int *pidfd)
{
	struct phi_spawn how = PHI_SPAWN_INIT;
	struct phi_spawned out;
	int phi = phi_nyx_cspace();
	int ret;

	if (phi < 0)
		return phi;
	how.path = path;
	how.argv = argv;
	how.caps = caps;
	how.ncaps = ncaps;
	for (int i = 0; i < 3; i++)
		how.stdio[i] = i;
	ret = phi_spawn(phi, &how, &out);
	if (!ret)
		*pidfd = out.pidfd;
	return ret;
}

int phi_nyx_process_wait(int pidfd, int *status)
{
	int ret = phi_process_wait(pidfd, 0, status);

	if (!ret)
		close(pidfd);
	return ret;
}

void phi_nyx_process_exit(int status)
{
	exit(status);
}
