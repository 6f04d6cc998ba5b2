/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_WAY_H
#define SELFTESTS_VDFSD_WAY_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

struct bucket;

/**
 * struct way - a proxy in front of a bucket's server that disturbs it
 * @pid: The proxy.
 * @port: Where it listens, on the loopback.
 * @connections: How many it has accepted; shared with the proxy.
 * @bad: The first so many connections are disturbed, the others are not.
 * @step: Connection number i is cut after i times so many bytes, of what the
 *        server says, or
 * @upward: of what the client says.
 * @answer: Or each is answered so, with this status and text, and the server
 *          hears nothing of it; NULL = not.
 */
struct way {
	pid_t pid;
	unsigned int port;
	atomic_int *connections;
	int bad;
	size_t step;
	int upward;
	const char *answer;
};

int way_open(struct way *way, const struct bucket *b);
void way_close(struct way *way);

#endif /* SELFTESTS_VDFSD_WAY_H */
