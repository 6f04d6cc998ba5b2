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

/**
 * phi_select_average() - move an average towards a new sample
 * @average_ns: The average so far; 0 = none.
 * @sample_ns: Run time per input just measured.
 *
 * Context: Any.
 * Return: The sample when there was no average, else the average plus an
 * eighth of the difference; never 0, at most PHI_AVERAGE_MAX_NS.
 */
__u64 phi_select_average(__u64 average_ns, __u64 sample_ns)
{
	if (sample_ns > PHI_AVERAGE_MAX_NS)
		sample_ns = PHI_AVERAGE_MAX_NS;
	if (!sample_ns)
		sample_ns = 1;
	if (!average_ns)
		return sample_ns;
	if (sample_ns >= average_ns)
		return average_ns +
		       (sample_ns - average_ns) / PHI_AVERAGE_SHARE;
	return average_ns - (average_ns - sample_ns) / PHI_AVERAGE_SHARE;
}

/**
 * phi_select_fill() - give units that never ran the model an average
 * @units: The candidates.
 * @n: How many.
 *
 * They get the mean of those that have, or PHI_GUESS_NS when none has.
 *
 * Context: Any.
 */
void phi_select_fill(struct phi_candidate *units, __u32 n)
{
	__u64 sum = 0;
	__u64 mean;
	__u32 ran = 0;
	__u32 i;

	for (i = 0; i < n; i++) {
		if (!units[i].average_ns)
			continue;
		sum += units[i].average_ns;
		ran++;
	}
	mean = ran ? sum / ran : PHI_GUESS_NS;
	for (i = 0; i < n; i++) {
		if (!units[i].average_ns)
			units[i].average_ns = mean;
	}
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
