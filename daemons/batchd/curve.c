// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measured service time by size of the batch, and the size past which a
 * larger batch no longer pays.
 */
#include <stddef.h>

#include "curve.h"

/* Rows are kept in this fraction, so that a mean does not stick. */
#define ROW 256

/* A batch is large enough when an input costs at most 1/KNEE more. */
#define KNEE 10

/**
 * curve_add() - learn from a batch that ran
 * @curve: Run times, changed.
 * @rows: Size of the batch, at least 1.
 * @ns: How long it took.
 *
 * Context: Under the lock that guards @curve.
 */
void curve_add(struct curve *curve, uint32_t rows, uint64_t ns)
{
	int i = 31 - __builtin_clz(rows | 1);
	struct curve_point *p =
		&curve->point[i < CURVE_POINTS ? i : CURVE_POINTS - 1];
	uint64_t scaled = (uint64_t)rows * ROW;

	if (!p->rows) {
		p->rows = scaled;
		p->ns = ns;
		return;
	}
	p->rows = (p->rows * (CURVE_WEIGHT - 1) + scaled) / CURVE_WEIGHT;
	p->ns = (p->ns * (CURVE_WEIGHT - 1) + ns) / CURVE_WEIGHT;
}

/**
 * curve_ns() - how long will a batch take?
 * @curve: Run times.
 * @rows: Size of the batch.
 *
 * Between two points it is on the line through them, past the last one an
 * input costs what it does there, below the first one as much as there.
 *
 * Context: Under the lock that guards @curve.
 * Return: Nanoseconds, 0 when nothing was measured.
 */
uint64_t curve_ns(const struct curve *curve, uint32_t rows)
{
	const struct curve_point *low = NULL, *high = NULL;
	uint64_t at = (uint64_t)rows * ROW;
	int i;

	for (i = 0; i < CURVE_POINTS && !high; i++) {
		const struct curve_point *p = &curve->point[i];

		if (!p->rows)
			continue;
		if (p->rows <= at)
			low = p;
		else
			high = p;
	}
	if (!low)
		return high ? high->ns : 0;
	if (!high)
		return (double)low->ns * (double)at / (double)low->rows;
	if (high->ns <= low->ns)
		return low->ns;
	return low->ns + (double)(high->ns - low->ns) *
				 (double)(at - low->rows) /
				 (double)(high->rows - low->rows);
}

/**
 * curve_knee() - the size of batch that is worth waiting for
 * @curve: Run times.
 * @max: Most rows in a batch.
 *
 * The smallest measured size at which an input costs at most a tenth more
 * than at the best one. A model that batching slows down has its knee at 1.
 *
 * Context: Under the lock that guards @curve.
 * Return: 1 to @max; @max when nothing was measured.
 */
uint32_t curve_knee(const struct curve *curve, uint32_t max)
{
	double best = 0;
	int i;

	for (i = 0; i < CURVE_POINTS; i++) {
		const struct curve_point *p = &curve->point[i];
		double cost;

		if (!p->rows)
			continue;
		cost = (double)p->ns / (double)p->rows;
		if (best == 0 || cost < best)
			best = cost;
	}
	for (i = 0; i < CURVE_POINTS; i++) {
		const struct curve_point *p = &curve->point[i];
		uint32_t rows = (p->rows + ROW - 1) / ROW;

		if (p->rows &&
		    (double)p->ns / (double)p->rows <= best + best / KNEE)
			return rows < max ? rows : max;
	}
	return max;
}
