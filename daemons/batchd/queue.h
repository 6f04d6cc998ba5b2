/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_QUEUE_H
#define BATCHD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/**
 * DOC: Requests that wait for a model
 *
 * A request is one or more rows. It waits in line by priority, first come
 * first served within one, so a client's requests of one priority keep their
 * order. Rows are bound to a batch when it starts, not before, and a request
 * may be spread over several batches.
 *
 * Every request is in exactly one state, and each change of state goes
 * through one function, so that the counters add up at any time:
 *
 *  accepted = waiting + running + done + failed + expired + dropped
 */

/* Levels of priority; 0 comes first. */
#define QUEUE_LEVELS 4

/**
 * struct queue_credit - what one client, or one user, may have in line
 * @limit: At most.
 * @used: Requests of a client, or rows of a user, that have not ended.
 */
struct queue_credit {
	uint32_t limit;
	uint32_t used;
};

/**
 * struct queue_item - one request in line
 * @link: In its level, while rows of it wait.
 * @credit: Requests of its client.
 * @share: Rows of its user.
 * @rows: All its rows, at least 1.
 * @bound: How many of them were bound to batches.
 * @running: How many of those have not ended.
 * @level: Priority.
 * @waiting: It is in line.
 * @arrived_ns: When it was accepted.
 * @started_ns: When its first row was bound; 0 = not yet.
 * @deadline_ns: 0 = none.
 * @status: 0, or the first negative errno.
 */
struct queue_item {
	TAILQ_ENTRY(queue_item) link;
	struct queue_credit *credit;
	struct queue_credit *share;
	uint32_t rows;
	uint32_t bound;
	uint32_t running;
	uint32_t level;
	bool waiting;
	uint64_t arrived_ns;
	uint64_t started_ns;
	uint64_t deadline_ns;
	int status;
};

TAILQ_HEAD(queue_line, queue_item);

/**
 * struct queue_stats - how many requests are, or ended, how
 * @accepted: Ever put in line.
 * @waiting: None of its rows was bound.
 * @running: Some were.
 * @done: Ended well.
 * @failed: Ended with an error.
 * @expired: Ended with -ETIMEDOUT before it ran.
 * @dropped: Ended with -ECANCELED, since nobody waits for it.
 * @refused: Never put in line.
 */
struct queue_stats {
	uint64_t accepted;
	uint64_t waiting;
	uint64_t running;
	uint64_t done;
	uint64_t failed;
	uint64_t expired;
	uint64_t dropped;
	uint64_t refused;
};

/**
 * struct queue - the line of one model
 * @level: Items with unbound rows, by priority.
 * @rows: Unbound rows in all levels.
 * @limit: Most of them.
 * @deficit_ns: Unit time the model may take before it is others' turn.
 * @stats: Counters.
 */
struct queue {
	struct queue_line level[QUEUE_LEVELS];
	uint32_t rows;
	uint32_t limit;
	uint64_t deficit_ns;
	struct queue_stats stats;
};

/**
 * struct queue_slice - rows of one request in one batch
 * @item: The request.
 * @first: Its first row here.
 * @count: How many.
 */
struct queue_slice {
	struct queue_item *item;
	uint32_t first;
	uint32_t count;
};

void queue_init(struct queue *q, uint32_t limit);
int queue_push(struct queue *q, struct queue_item *item, uint64_t now_ns);
struct queue_item *queue_head(const struct queue *q);
uint64_t queue_oldest_ns(const struct queue *q);
uint32_t queue_ahead(const struct queue *q, uint32_t level);
uint32_t queue_bind(struct queue *q, uint32_t rows, uint64_t now_ns,
		    struct queue_slice *slices, uint32_t *nslices);
struct queue_item *queue_expire(struct queue *q, uint64_t now_ns);
bool queue_unbind(struct queue *q, const struct queue_slice *slice, int status);
bool queue_fail(struct queue *q, struct queue_item *item, int status);
bool queue_balanced(const struct queue *q);

uint32_t queue_turn(struct queue *const *queues, const uint64_t *cost_ns,
		    uint32_t n, uint32_t *next);

#endif /* BATCHD_QUEUE_H */
