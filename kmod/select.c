// SPDX-License-Identifier: GPL-2.0-only
/*
 * The built-in choice of a unit. Compiles in the kernel and in user space:
 * nothing here may need more than select.h.
 */

#include <phi/infer.h>

#include "select.h"

/* Sums and products stop at the largest number rather than wrap. */
static __u64 add(__u64 a, __u64 b)
{
	__u64 sum;

	return __builtin_add_overflow(a, b, &sum) ? ~0ULL : sum;
}

static __u64 mul(__u64 a, __u64 b)
{
	__u64 product;

	return __builtin_mul_overflow(a, b, &product) ? ~0ULL : product;
}

/* How far @value is on the way from @from to @to, as a share of @ns. */
static __u64 share(__u64 ns, __u32 value, __u32 from, __u32 to, __u32 whole)
{
	if (value == PHI_UNIT_UNKNOWN || value <= from)
		return 0;
	if (value > to)
		value = to;
	return mul(ns, value - from) / whole;
}

/* @mean moved towards @sample. */
static __u64 move(__u64 mean, __u64 sample)
{
	if (sample >= mean)
		return mean + (sample - mean) / PHI_PACE_SHARE;
	return mean - (mean - sample) / PHI_PACE_SHARE;
}

/**
 * phi_select_learn() - take a batch into the means
 * @pace: The means; all 0 makes this batch the first.
 * @run_ns: How long it ran.
 * @batch: Inputs in it, at least 1.
 *
 * Run time and inputs are averaged apart, so that a batch weighs as much as
 * it has inputs: the fixed cost of a small one does not count in full as the
 * cost of an input.
 *
 * Context: Any.
 */
void phi_select_learn(struct phi_pace *pace, __u64 run_ns, __u32 batch)
{
	__u64 inputs = (__u64)batch * PHI_PACE_PARTS;

	if (run_ns > PHI_PACE_MAX_NS)
		run_ns = PHI_PACE_MAX_NS;
	if (!pace->inputs) {
		pace->run_ns = run_ns;
		pace->inputs = inputs;
		return;
	}
	pace->run_ns = move(pace->run_ns, run_ns);
	pace->inputs = move(pace->inputs, inputs);
}

/**
 * phi_select_average() - run time per input
 * @pace: The means.
 *
 * Context: Any.
 * Return: Nanoseconds, at least 1; 0 when the model never ran there.
 */
__u64 phi_select_average(const struct phi_pace *pace)
{
	__u64 average;

	if (!pace->inputs)
		return 0;
	average = mul(pace->run_ns, PHI_PACE_PARTS) / pace->inputs;
	return average ? average : 1;
}

/* Were its batches about as large as this one, or larger? */
static int knows(const struct phi_candidate *unit, __u32 batch)
{
	return unit->average_ns &&
	       unit->pace.inputs * 2 >= (__u64)batch * PHI_PACE_PARTS;
}

/**
 * phi_select_fill() - give units an average where theirs says nothing
 * @units: The candidates.
 * @n: How many.
 * @batch: Inputs in the batch, at least 1.
 *
 * Those that never ran the model get the mean of the others. So do those that
 * ran only small batches of it and would look slow for that alone: if the
 * guess is too good, the batches they are given will show it, while one too
 * bad would keep batches away.
 *
 * Context: Any.
 */
void phi_select_fill(struct phi_candidate *units, __u32 n, __u32 batch)
{
	__u64 sum = 0, known = 0;
	__u32 ran = 0, know = 0;
	__u64 mean;
	__u32 i;

	for (i = 0; i < n; i++) {
		sum = add(sum, units[i].average_ns);
		ran += !!units[i].average_ns;
		if (!knows(&units[i], batch))
			continue;
		known = add(known, units[i].average_ns);
		know++;
	}
	if (know)
		mean = known / know;
	else
		mean = ran ? sum / ran : PHI_GUESS_NS;
	for (i = 0; i < n; i++) {
		struct phi_candidate *unit = &units[i];
		__u64 least = unit->pace.run_ns / batch;

		if (!unit->average_ns)
			unit->average_ns = mean;
		if (!know || knows(unit, batch) || unit->average_ns <= mean)
			continue;
		unit->average_ns = least > mean ? least : mean;
	}
}

/**
 * phi_select_passed() - count a batch given to another unit
 * @passed: How many before.
 *
 * Context: Any.
 * Return: One more, unless that is more than can be counted.
 */
__u32 phi_select_passed(__u32 passed)
{
	return passed == ~0U ? passed : passed + 1;
}

/**
 * phi_select_score() - score one unit for a batch
 * @unit: The unit, its average filled in.
 * @wish: The batch.
 *
 * Context: Any.
 * Return: Nanoseconds, lower is better.
 */
__u64 phi_select_score(const struct phi_candidate *unit,
		       const struct phi_wish *wish)
{
	__u64 run = mul(unit->average_ns, wish->batch);
	__u64 score = run;

	/* With this batch, so many wait while the unit runs @capacity. */
	if (unit->in_flight >= unit->capacity)
		score = add(score,
			    mul(run, unit->in_flight + 1ULL - unit->capacity) /
				    unit->capacity);
	score = add(score, share(run, unit->load, PHI_LOAD_FULL, PHI_LOAD_MAX,
				 PHI_LOAD_FULL));
	score = add(score, share(run, unit->temperature, PHI_HEAT_FROM,
				 PHI_HEAT_MAX, PHI_HEAT_MAX - PHI_HEAT_FROM));

	/* All of the above delays the end; what follows is only taste. */
	if (wish->deadline_ns && add(wish->now_ns, score) > wish->deadline_ns)
		score = add(score, mul(run, 10));
	if (unit->node != PHI_UNIT_UNKNOWN && wish->node != PHI_UNIT_UNKNOWN &&
	    unit->node != wish->node)
		score = add(score, run / 10);
	if (wish->wanted != PHI_UNIT_ANY && unit->kind != wish->wanted)
		score = add(score, run / 10);

	/* The longer a unit is passed over, the lower its score. */
	if (unit->passed > PHI_PASSED_FREE && unit->in_flight < unit->capacity)
		score = mul(score, PHI_PASSED_FREE) / unit->passed;
	return score;
}

/**
 * phi_select_best() - choose the unit with the lowest score
 * @units: The candidates, in the order of their ids, averages filled in.
 * @n: How many.
 * @wish: The batch.
 * @score_ns: Out, the score of the one chosen; untouched when there is none.
 *
 * Context: Any.
 * Return: Index into @units, or -1 when @n is 0. The first of equals wins.
 */
int phi_select_best(const struct phi_candidate *units, __u32 n,
		    const struct phi_wish *wish, __u64 *score_ns)
{
	__u64 lowest = 0;
	int best = -1;
	__u32 i;

	for (i = 0; i < n; i++) {
		__u64 score = phi_select_score(&units[i], wish);

		if (best >= 0 && score >= lowest)
			continue;
		lowest = score;
		best = i;
	}
	if (best >= 0)
		*score_ns = lowest;
	return best;
}
