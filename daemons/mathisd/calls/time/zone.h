/* SPDX-License-Identifier: GPL-2.0-only */
/* Time zones of the system's tzdata, several at once. */
#ifndef MATHISD_CALLS_TIME_ZONE_H
#define MATHISD_CALLS_TIME_ZONE_H

#include <stdint.h>

#include "calls/calls.h"

struct zone;

/* The zone with a name, or NULL: the call failed with NotFound or Format. */
struct zone *zone_open(struct md_call *c, const char *name, size_t n);
void zone_close(struct zone *z);
/* Seconds that local time is ahead of UTC at a time; of NULL, UTC itself, 0. */
int zone_offset(const struct zone *z, int64_t t);
/*
 * Convert a local time to UTC. A local time that occurs twice gives the earlier
 * time; one that clocks skip gives the end of the gap.
 */
int64_t zone_time(const struct zone *z, int64_t local);
/* The name of the system's zone, which has room for @n bytes. */
void zone_local(char *name, size_t n);

#endif
