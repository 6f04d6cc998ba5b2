/* SPDX-License-Identifier: GPL-2.0-only */
/* The metrics of a session. */
#ifndef MATHISD_CALLS_OBSERVE_METRIC_H
#define MATHISD_CALLS_OBSERVE_METRIC_H

#include "calls/calls.h"

#define SERIES_MAX 1000 /* of a session */
#define BOUNDS_MAX 32

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

/* Values of one set of labels. */
struct series {
	char *labels; /* as text, without braces; "" */
	double value; /* of a histogram: the sum */
	uint64_t count; /* of a histogram */
	uint64_t in[BOUNDS_MAX + 1]; /* of its buckets, not added up */
};

/* All series of a name, in the order of their labels. */
struct family {
	char *name;
	enum metric_type type;
	unsigned int n_bounds;
	double bounds[BOUNDS_MAX];
	struct series **series;
	size_t n;
};

struct metrics {
	pthread_mutex_t lock; /* guards the rest */
	struct family **families; /* in the order of their names */
	size_t n;
	size_t n_series;
};

/* The metrics of the session of a call, or NULL, reported. */
struct metrics *metrics_of(struct md_call *c);

#endif
