/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_WAY_H
#define SELFTESTS_VDFSD_WAY_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

struct bucket;

/**
 * struct way_state - what a proxy and the test that started it share
 * @connections: How many were accepted.
 * @disturbed: How many of them were disturbed.
 * @quiet: None is disturbed any more.
 */
struct way_state {
	atomic_int connections;
	atomic_int disturbed;
	atomic_int quiet;
};

/**
 * struct way - a proxy in front of a bucket's server that disturbs it
 * @pid: The proxy.
 * @port: Where it listens, on the loopback.
 * @state: What it has done, and is to do.
 * @bad: The first so many connections are disturbed, the others are not.
 * @step: Connection number i is cut after i times so many bytes, of what the
 *        server says, or
 * @upward: of what the client says.
 * @answer: Or each is answered so, with this status and text, and the server
 *          hears nothing of it; NULL = not. Or
 * @reply: with all these bytes, where %D stands for the date, %O for an old
 *         one, and %N for the number of the connection; NULL = not.
 * @drip: @reply is followed by one byte ten times a second, without an end.
 * @hold: What the server says is handed on when @state is quiet.
 * @most: Only so many requests are disturbed; 0 = any.
 * @match: Only requests are disturbed whose first line has this in it. Then
 *         each has a connection of its own. NULL = all.
 * @from: Or in what the server says this becomes
 * @to: that, as long; NULL = not.
 */
struct way {
	pid_t pid;
	unsigned int port;
	struct way_state *state;
	int bad;
	size_t step;
	int upward;
	const char *answer;
	const char *reply;
	int drip;
	int hold;
	int most;
	const char *match;
	const char *from;
	const char *to;
};

int way_open(struct way *way, const struct bucket *b);
void way_close(struct way *way);

#endif /* SELFTESTS_VDFSD_WAY_H */
