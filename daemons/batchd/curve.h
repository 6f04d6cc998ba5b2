/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_CURVE_H
#define BATCHD_CURVE_H

#include <stdint.h>

/* One point for batches of 2^i to 2^(i+1) - 1 rows. */
#define CURVE_POINTS 17

/* The last samples of a point count this many times less than its past. */
#define CURVE_WEIGHT 8

/**
 * struct curve_point - batches of about one size
 * @rows: Their mean size in 1/256 row; 0 = none seen.
 * @ns: Their mean run time.
 */
struct curve_point {
	uint64_t rows;
	uint64_t ns;
};

/**
 * struct curve - how long a model's batches take on a unit
 * @point: By size of the batch, means that follow what is measured.
 *
 * All zero is a curve that knows nothing yet.
 */
struct curve {
	struct curve_point point[CURVE_POINTS];
};

void curve_add(struct curve *curve, uint32_t rows, uint64_t ns);
uint64_t curve_ns(const struct curve *curve, uint32_t rows);
uint32_t curve_knee(const struct curve *curve, uint32_t max);

#endif /* BATCHD_CURVE_H */
