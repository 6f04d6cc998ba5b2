/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/**
 * clock_ns() - read the clock of deadlines
 *
 * Context: Any thread.
 * Return: CLOCK_MONOTONIC in nanoseconds.
 */
static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

#endif /* COMMON_CLOCK_H */
