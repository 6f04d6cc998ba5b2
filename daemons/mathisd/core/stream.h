/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams: values that come one by one, from any thread, and that stream_next
 * takes. All that a call gives out over time is a stream.
 */
#ifndef MATHISD_CORE_STREAM_H
#define MATHISD_CORE_STREAM_H

#include <mathis/item.h>
#include <sys/queue.h>

#include "handle.h"

#define MD_EVENT_BYTES (16UL << 20)

struct md_call;
struct md_stream;

/**
 * struct md_event - a value on its way
 * @item: The value, in @pool.
 */
struct md_event {
	TAILQ_ENTRY(md_event) link; /* of stream->events */
	struct mathis_item item;
	struct mathis_pool pool;
};

/* An event without a value, or NULL without memory. */
struct md_event *md_event_new(void);

/**
 * md_stream_new() - make a stream
 * @max: Events that wait in it at most. The next one is dropped, and a map
 *	{dropped: count} stands in its place.
 * @closed: Its reader closed it, or the session ended: no one takes values any
 *	more. Runs in any thread; NULL: no one hears of it.
 * @arg: Of @closed.
 *
 * Return: The stream, with a reference for who puts events into it; NULL
 * without memory.
 */
struct md_stream *md_stream_new(unsigned int max, void (*closed)(void *arg),
				void *arg);
void md_stream_put(struct md_stream *s);
/* Give it to the program: as md_return_handle(), with a reference of its own. */
int md_return_stream(struct md_call *c, struct md_stream *s);
/* Put an event in, which is freed; false: no one takes it any more. */
bool md_stream_add(struct md_stream *s, struct md_event *event);
/* No more events follow: MATHIS_CLOSED, or the reason of a failure. */
void md_stream_end(struct md_stream *s, int code, const char *text);

/* The calls stream_next and stream_close. */
int md_stream_take(struct md_call *c, int64_t ms);
int md_stream_shut(struct md_call *c);

#endif
