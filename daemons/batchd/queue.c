// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "queue.h"

/**
 * queue_init() - make an empty line
 * @q: Line, set up.
 * @limit: Most rows that may wait.
 *
 * Context: Before anyone else knows @q. All other functions are called under
 * the lock that guards it.
 */
void queue_init(struct queue *q, uint32_t limit)
{
	int i;

	memset(q, 0, sizeof(*q));
	q->limit = limit;
	for (i = 0; i < QUEUE_LEVELS; i++)
		TAILQ_INIT(&q->level[i]);
}

/**
 * queue_push() - put a request in line
 * @q: The line.
 * @item: The request: credit, share, rows, level and deadline are set.
 * @now_ns: The time.
 *
 * Context: Under the lock of @q.
 * Return: 0; -EINVAL for no rows or an unknown level; -EDQUOT when the
 * client's credit or the user's share is spent; -EAGAIN when the line is full.
 */
int queue_push(struct queue *q, struct queue_item *item, uint64_t now_ns)
{
	struct queue_credit *credit = item->credit;
	struct queue_credit *share = item->share;
	int ret = 0;

	if (!item->rows || item->level >= QUEUE_LEVELS)
		ret = -EINVAL;
	else if (credit->used >= credit->limit ||
		 item->rows > share->limit - share->used)
		ret = -EDQUOT;
	else if (item->rows > q->limit - q->rows)
		ret = -EAGAIN;
	if (ret) {
		q->stats.refused++;
		return ret;
	}
	item->bound = 0;
	item->running = 0;
	item->status = 0;
	item->waiting = true;
	item->arrived_ns = now_ns;
	item->started_ns = 0;
	credit->used++;
	share->used += item->rows;
	q->rows += item->rows;
	q->stats.accepted++;
	q->stats.waiting++;
	TAILQ_INSERT_TAIL(&q->level[item->level], item, link);
	return 0;
}

/**
 * queue_head() - who is first in line?
 * @q: The line.
 *
 * Context: Under the lock of @q.
 * Return: The request, or NULL.
 */
struct queue_item *queue_head(const struct queue *q)
{
	int i;

	for (i = 0; i < QUEUE_LEVELS; i++) {
		if (!TAILQ_EMPTY(&q->level[i]))
			return TAILQ_FIRST(&q->level[i]);
	}
	return NULL;
}

/**
 * queue_oldest_ns() - when did the one who waits longest come?
 * @q: The line.
 *
 * Context: Under the lock of @q.
 * Return: Its arrival, or UINT64_MAX when nobody waits.
 */
uint64_t queue_oldest_ns(const struct queue *q)
{
	uint64_t oldest = UINT64_MAX;
	int i;

	/* The levels are in order of arrival. */
	for (i = 0; i < QUEUE_LEVELS; i++) {
		struct queue_item *item = TAILQ_FIRST(&q->level[i]);

		if (item && item->arrived_ns < oldest)
			oldest = item->arrived_ns;
	}
	return oldest;
}

/**
 * queue_ahead() - how many rows would be served before a new request?
 * @q: The line.
 * @level: Priority of the new one.
 *
 * Context: Under the lock of @q.
 * Return: Rows that wait at that or a higher priority.
 */
uint32_t queue_ahead(const struct queue *q, uint32_t level)
{
	struct queue_item *item;
	uint32_t rows = 0;
	uint32_t i;

	/* Nearly always one level is in use, and all of it is ahead. */
	for (i = level + 1; i < QUEUE_LEVELS; i++) {
		TAILQ_FOREACH(item, &q->level[i], link)
		rows += item->rows - item->bound;
	}
	return q->rows - rows;
}

/* Out of the line: no row of it waits any more. */
static void leave_line(struct queue *q, struct queue_item *item)
{
	TAILQ_REMOVE(&q->level[item->level], item, link);
	q->rows -= item->rows - item->bound;
	item->waiting = false;
}

/* The request ended with its status; its owner may free it now. */
static void end(struct queue *q, struct queue_item *item)
{
	if (item->started_ns)
		q->stats.running--;
	else
		q->stats.waiting--;
	item->credit->used--;
	item->share->used -= item->rows;
	switch (item->status) {
	case 0:
		q->stats.done++;
		break;
	case -ETIMEDOUT:
		q->stats.expired++;
		break;
	case -ECANCELED:
		q->stats.dropped++;
		break;
	default:
		q->stats.failed++;
	}
}

/**
 * queue_bind() - take rows for a batch that starts now
 * @q: The line.
 * @rows: Most rows to take.
 * @now_ns: The time.
 * @slices: Out, room for @rows.
 * @nslices: Out, slices written.
 *
 * Context: Under the lock of @q. Call queue_expire() before, until it finds
 * nothing.
 * Return: Rows taken, less than @rows only when no more wait.
 */
uint32_t queue_bind(struct queue *q, uint32_t rows, uint64_t now_ns,
		    struct queue_slice *slices, uint32_t *nslices)
{
	struct queue_item *item;
	uint32_t taken = 0;

	*nslices = 0;
	while (taken < rows && (item = queue_head(q))) {
		struct queue_slice *slice = &slices[(*nslices)++];
		uint32_t left = item->rows - item->bound;

		slice->item = item;
		slice->first = item->bound;
		slice->count = left < rows - taken ? left : rows - taken;
		if (!item->started_ns) {
			item->started_ns = now_ns ? now_ns : 1;
			q->stats.waiting--;
			q->stats.running++;
		}
		item->bound += slice->count;
		item->running += slice->count;
		q->rows -= slice->count;
		taken += slice->count;
		if (item->bound == item->rows)
			leave_line(q, item);
	}
	return taken;
}

/**
 * queue_expire() - take out one request whose deadline passed
 * @q: The line.
 * @now_ns: The time.
 *
 * Only the first of each level are looked at, since those would run next;
 * one that has started is run to its end.
 *
 * Context: Under the lock of @q.
 * Return: A request that ended with -ETIMEDOUT, or NULL.
 */
struct queue_item *queue_expire(struct queue *q, uint64_t now_ns)
{
	int i;

	for (i = 0; i < QUEUE_LEVELS; i++) {
		struct queue_item *item = TAILQ_FIRST(&q->level[i]);

		if (!item || item->started_ns || !item->deadline_ns ||
		    item->deadline_ns > now_ns)
			continue;
		leave_line(q, item);
		item->status = -ETIMEDOUT;
		end(q, item);
		return item;
	}
	return NULL;
}

/**
 * queue_unbind() - rows of a request have run
 * @q: The line.
 * @slice: As queue_bind() gave it.
 * @status: 0 or a negative errno; after an error no more rows of it run.
 *
 * Context: Under the lock of @q.
 * Return: true when the request ended with this, with its status set.
 */
bool queue_unbind(struct queue *q, const struct queue_slice *slice, int status)
{
	struct queue_item *item = slice->item;

	item->running -= slice->count;
	if (status && !item->status)
		item->status = status;
	if (item->status && item->waiting)
		leave_line(q, item);
	if (item->waiting || item->running)
		return false;
	end(q, item);
	return true;
}

/**
 * queue_fail() - run nothing more of a request
 * @q: The line.
 * @item: A request that has not ended.
 * @status: Negative errno, which stands unless it has one already.
 *
 * Context: Under the lock of @q.
 * Return: true when the request ended with this; false when rows of it run,
 * and it ends with them.
 */
bool queue_fail(struct queue *q, struct queue_item *item, int status)
{
	if (item->waiting)
		leave_line(q, item);
	if (!item->status)
		item->status = status;
	if (item->running)
		return false;
	end(q, item);
	return true;
}

/**
 * queue_balanced() - do the counters add up?
 * @q: The line.
 *
 * Context: Under the lock of @q.
 * Return: true when they do, as they always must.
 */
bool queue_balanced(const struct queue *q)
{
	const struct queue_stats *s = &q->stats;
	struct queue_item *item;
	uint64_t rows = 0;
	int i;

	for (i = 0; i < QUEUE_LEVELS; i++) {
		TAILQ_FOREACH(item, &q->level[i], link)
		rows += item->rows - item->bound;
	}
	return rows == q->rows &&
	       s->accepted == s->waiting + s->running + s->done + s->failed +
				      s->expired + s->dropped;
}

/**
 * queue_turn() - which model may use a unit next? (deficit round robin)
 * @queues: All of them.
 * @cost_ns: Unit time of each model's next batch; 0 = it has none now.
 * @n: How many.
 * @next: In and out, whose turn it is.
 *
 * A model that has a batch at hand gets, each time round, as much unit time
 * as the costliest batch takes; one that has nothing keeps nothing.
 *
 * Context: Under the lock of all @queues.
 * Return: An index, or @n when there is nothing to do. Its cost is charged.
 */
uint32_t queue_turn(struct queue *const *queues, const uint64_t *cost_ns,
		    uint32_t n, uint32_t *next)
{
	uint64_t quantum = 0;
	uint32_t i, tries;

	for (i = 0; i < n; i++) {
		if (!cost_ns[i])
			queues[i]->deficit_ns = 0;
		if (cost_ns[i] > quantum)
			quantum = cost_ns[i];
	}
	if (!quantum)
		return n;
	/* After one time round everyone's deficit covers its cost. */
	for (tries = 0; tries < 2 * n; tries++) {
		i = *next % n;
		if (cost_ns[i] && queues[i]->deficit_ns >= cost_ns[i]) {
			queues[i]->deficit_ns -= cost_ns[i];
			return i;
		}
		*next = (i + 1) % n;
		if (cost_ns[*next])
			queues[*next]->deficit_ns += quantum;
	}
	return n;
}
