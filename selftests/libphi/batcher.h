/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_LIBPHI_BATCHER_H
#define SELFTESTS_LIBPHI_BATCHER_H

/* A batcher that runs in a thread of the test, and has vices. */

#include <phi/batch.h>
#include <phi/service.h>
#include <pthread.h>

#define CREDITS 12
#define LIVES 16 /* sessions in all */
#define SIDES 10 /* numbers in an output */

/* What the batcher does wrong. */
enum vice {
	HONEST,
	WRONG_LENGTH,
	NO_CAP,
	WRONG_TYPE,
	NO_CREDIT,
	NO_SHAPE,
	SILENT,
	RING_LENGTH,
	RING_UNASKED,
	RING_DIES,
};

/* The batcher, in a thread with a cspace of its own. */
struct batcher {
	enum vice vice;
	pthread_t thread;
	int phi;
	struct phi_service *s;
	uint64_t ep;
	uint64_t model;
	struct phi_token token;
	uint64_t badge; /* of the last session */
	struct life {
		struct batcher *b;
		struct phi_source *source; /* NULL once it ended */
		int fd;
	} lives[LIVES];
	int gone; /* sessions that ended */
	struct {
		char *mem;
		size_t len;
		uint64_t cap;
	} slot[PHI_BATCH_SLOTS];
	uint64_t ring_cap;
	uint64_t bell;
	int bell_fd;
	struct phi_ring *ring;
	int result;
	pthread_barrier_t ready;
	struct phi_source *quit;
};

/* The thread; its argument is a struct batcher. */
void *batcher(void *arg);

#endif /* SELFTESTS_LIBPHI_BATCHER_H */
