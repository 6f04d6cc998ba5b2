/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_PEER_H
#define _SELFTESTS_PEER_H

/* A thread of the test that registers, and ends when it is told to. */

#include <phi/threads.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "phi_ioctl.h"

struct peer {
	int phi;
	uint64_t endpoint;
	uint64_t badge;
	uint32_t signo;
	int64_t status; /* to leave; 0 leaves none */
	uint64_t cap;
	int ret; /* of the registration */
	int ready;
	int gate;
	pthread_t thread;
};

static inline int do_register(int phi, uint64_t endpoint, uint64_t *cap)
{
	struct phi_thread_register arg = { .endpoint = endpoint };
	int ret = PHI_DO(phi, THREAD_REGISTER, &arg);

	*cap = arg.cap;
	return ret;
}

static inline int do_exit(int phi, int64_t status)
{
	struct phi_thread_exit arg = { .status = status };

	return PHI_DO(phi, THREAD_EXIT, &arg);
}

static inline int do_join(int phi, uint64_t cap, uint32_t flags,
			  struct phi_thread_join *arg)
{
	*arg = (struct phi_thread_join){ .flags = flags, .thread = cap };
	return PHI_DO(phi, THREAD_JOIN, arg);
}

static inline int do_thread_query(int phi, uint64_t cap,
				  struct phi_thread_query *arg)
{
	*arg = (struct phi_thread_query){ .thread = cap };
	return PHI_DO(phi, THREAD_QUERY, arg);
}

/* Read or write an eventfd, whatever interrupts that. */
static inline void gate_pass(int gate)
{
	uint64_t one;

	while (read(gate, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static inline void gate_open(int gate)
{
	uint64_t one = 1;

	if (write(gate, &one, sizeof(one)) < 0)
		abort();
}

static inline void *peer_main(void *arg)
{
	struct peer *peer = arg;

	peer->ret = phi_thread_register(peer->phi, peer->endpoint, peer->badge,
					peer->signo, &peer->cap);
	gate_open(peer->ready);
	gate_pass(peer->gate);
	if (peer->status && phi_thread_exit(peer->phi, peer->status))
		abort();
	return NULL;
}

/* Start one: what its registration returned. */
static inline int peer_start(struct peer *peer, int phi)
{
	peer->phi = phi;
	peer->ready = eventfd(0, EFD_CLOEXEC);
	peer->gate = eventfd(0, EFD_CLOEXEC);
	if (pthread_create(&peer->thread, NULL, peer_main, peer))
		return -EAGAIN;
	gate_pass(peer->ready);
	return peer->ret;
}

/* Let it end, and wait for that. */
static inline void peer_stop(struct peer *peer)
{
	struct phi_thread_join join;

	gate_open(peer->gate);
	pthread_join(peer->thread, NULL);
	/* 6.12 tells the C library of an end before it tells the module. */
	do_join(peer->phi, peer->cap, 0, &join);
	close(peer->gate);
	close(peer->ready);
}

#endif /* _SELFTESTS_PEER_H */
