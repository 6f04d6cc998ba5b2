/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_BATCH_H
#define BATCHD_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "curve.h"

/**
 * DOC: When to dispatch, and how many
 *
 * Asked each time a unit is free, so a batch is made of whoever waits then.
 * No clock and no I/O inside: times come in as numbers, and a test simulates
 * an hour in a second.
 *
 *  - Greedy: a free unit never waits for a fuller batch, unless a window is
 *    given; then the oldest input waits at most that long, and less when a
 *    deadline is near.
 *  - A batch is at most as large as the knee of the measured curve, or twice
 *    that now and then: a measurement that was unlucky is taken again.
 *  - When the whole batch would make its first input late and a smaller one
 *    would not, it is smaller.
 */

/**
 * struct batch_view - what waits for a model, as the policy sees it
 * @now_ns: The time.
 * @rows: Rows that wait.
 * @max: Most rows the model takes in a batch, at least 1.
 * @oldest_ns: When the oldest of them came.
 * @deadline_ns: Deadline of the first in line; 0 = none.
 * @window_ns: How long to wait for more, 0 = not at all.
 * @slack_ns: Time between the end of a batch and its answers' arrival.
 * @probe: Try a batch past the knee, if there are enough rows.
 * @curve: Measured on the unit that is free.
 */
struct batch_view {
	uint64_t now_ns;
	uint32_t rows;
	uint32_t max;
	uint64_t oldest_ns;
	uint64_t deadline_ns;
	uint64_t window_ns;
	uint64_t slack_ns;
	bool probe;
	const struct curve *curve;
};

/**
 * struct batch_verdict - what to do now
 * @rows: Rows to dispatch, 0 = wait.
 * @until_ns: When to ask again, if nothing comes before; 0 = never.
 */
struct batch_verdict {
	uint32_t rows;
	uint64_t until_ns;
};

struct batch_verdict batch_decide(const struct batch_view *view);
uint64_t batch_expect_ns(const struct batch_view *view, uint32_t rows,
			 uint32_t units, uint64_t busy_ns);

#endif /* BATCHD_BATCH_H */
