// SPDX-License-Identifier: GPL-2.0-only
#include "batch.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Until when may the unit stay idle for a fuller batch? */
static uint64_t window_end(const struct batch_view *view)
{
	uint64_t end = view->oldest_ns + view->window_ns;
	uint64_t need;

	if (!view->deadline_ns)
		return end;
	need = curve_ns(view->curve, view->rows) + view->slack_ns;
	if (view->deadline_ns < need)
		return 0;
	return end < view->deadline_ns - need ? end : view->deadline_ns - need;
}

/* The largest batch, by halving, that keeps the first deadline. */
static uint32_t in_time(const struct batch_view *view, uint32_t rows)
{
	uint64_t spent = view->now_ns + view->slack_ns;
	uint32_t n;

	if (!view->deadline_ns)
		return rows;
	for (n = rows; n; n /= 2) {
		if (spent + curve_ns(view->curve, n) <= view->deadline_ns)
			return n;
	}
	/* It is late whatever we do: the others had better not wait. */
	return rows;
}

/**
 * batch_decide() - what should a free unit do for a model?
 * @view: The line of the model, and its run times.
 *
 * Context: Under the lock that guards @view->curve.
 * Return: How many rows to dispatch now, or how long to wait.
 */
struct batch_verdict batch_decide(const struct batch_view *view)
{
	struct batch_verdict verdict = {};
	uint32_t full;

	if (!view->rows)
		return verdict;
	full = curve_knee(view->curve, view->max);
	if (view->rows < full && view->window_ns) {
		uint64_t end = window_end(view);

		if (view->now_ns < end) {
			verdict.until_ns = end;
			return verdict;
		}
	}
	if (view->probe)
		full = least(2 * full, view->max);
	verdict.rows = in_time(view, least(view->rows, full));
	return verdict;
}

/**
 * batch_expect_ns() - when would a new request be answered?
 * @view: The line before the request: @rows, @max, @slack_ns, @curve count.
 * @rows: Its own rows.
 * @units: Units that work on the line, at least 1.
 * @busy_ns: Until one of them is free.
 *
 * Context: Under the lock that guards @view->curve.
 * Return: Nanoseconds from now, as far as is known; 0 before anything was
 * measured.
 */
uint64_t batch_expect_ns(const struct batch_view *view, uint32_t rows,
			 uint32_t units, uint64_t busy_ns)
{
	uint32_t full = curve_knee(view->curve, view->max);
	uint64_t total = (uint64_t)view->rows + rows;
	uint64_t batches = total / full;
	uint64_t ns = curve_ns(view->curve, full) * (batches / units);

	/* The last round: a whole batch, or what is left over. */
	if (batches % units)
		ns += curve_ns(view->curve, full);
	else if (total % full)
		ns += curve_ns(view->curve, total % full);
	return ns ? ns + busy_ns + view->slack_ns : 0;
}
