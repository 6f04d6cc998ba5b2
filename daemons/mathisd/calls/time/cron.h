/* SPDX-License-Identifier: GPL-2.0-only */
/* Times that come again, for those who run something then. */
#ifndef MATHISD_CALLS_TIME_CRON_H
#define MATHISD_CALLS_TIME_CRON_H

#include <stdint.h>

#include "calls/calls.h"

#define CRON_NEVER INT64_MIN

/* The first time of an object of the kind cron after another, in seconds. */
int64_t cron_after(const struct md_object *object, int64_t after);

#endif
