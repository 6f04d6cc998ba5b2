/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_BENCH_MEDIAN_H
#define _SELFTESTS_BENCH_MEDIAN_H

#include <stdint.h>
#include <stdlib.h>

#include "phi_ioctl.h"

/* Batches that are timed, and how often each runs what is measured. */
#define BATCHES 41
#define BATCH 20

static inline int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * Nanoseconds that one @run takes, of the median batch: what else runs on the
 * machine meanwhile does not count.
 */
static inline double median(void (*run)(void))
{
	uint64_t times[BATCHES];

	for (int i = -3; i < BATCHES; i++) {
		uint64_t start = monotonic_ns();

		for (int n = 0; n < BATCH; n++)
			run();
		/* The first ones warm up. */
		if (i >= 0)
			times[i] = monotonic_ns() - start;
	}
	qsort(times, BATCHES, sizeof(*times), by_value);
	return (double)times[BATCHES / 2] / BATCH;
}

#endif /* _SELFTESTS_BENCH_MEDIAN_H */
