/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_STORM_H
#define _SELFTESTS_STORM_H

#include <liburing.h>

#include "fuzz.h"

#define STORM_STEPS 24
#define STORM_MAPS 8

/* An input: what to do, one number a step. The same numbers do the same. */
struct storm_program {
	uint32_t steps[STORM_STEPS];
};

/* What the threads of a process that runs programs share. */
struct storm {
	struct world world;
	void *maps[STORM_MAPS]; /* of regions; two pages each */
	bool mortal; /* a step may kill the process */
	int wrong; /* 0, or the errno of a promise that was broken */
};

/* One thread of it. */
struct storm_thread {
	struct storm *storm;
	struct io_uring ring;
	bool has_ring;
};

int storm_world(struct storm *storm);
int storm_enter(struct storm_thread *thread, struct storm *storm);
void storm_leave(struct storm_thread *thread);
void storm_step(struct storm_thread *thread, uint32_t step);

#endif /* _SELFTESTS_STORM_H */
