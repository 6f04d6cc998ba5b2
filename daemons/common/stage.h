/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_STAGE_H
#define COMMON_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/**
 * DOC: Data on its way between clients and a daemon
 *
 * A client may revoke its region at any moment; touching the mapping then is
 * SIGBUS. So a daemon never touches a client's pages itself: its own copy
 * lies in a memfd, and pieces go in and out of it by pwritev() and preadv(),
 * one call for many. Where a page is gone the kernel stops short, which tells
 * whose piece it was, and all others go on. No signal handler is needed.
 */

/**
 * struct stage - memory of a daemon
 * @fd: The memfd.
 * @mem: All of it, mapped.
 * @len: Its length.
 */
struct stage {
	int fd;
	void *mem;
	size_t len;
};

int stage_init(struct stage *stage, size_t len);
void stage_fini(struct stage *stage);
void stage_gather(struct stage *stage, size_t at, const struct iovec *from,
		  int n, bool *bad);
void stage_scatter(struct stage *stage, size_t at, const struct iovec *to,
		   int n, bool *bad);

#endif /* COMMON_STAGE_H */
