/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_STAGE_H
#define BATCHD_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/**
 * DOC: Rows on their way between clients and an engine
 *
 * A client may revoke its region at any moment; touching the mapping then is
 * SIGBUS. So batchd never touches a client's pages itself: the batch lies in
 * a memfd, and rows go in and out of it by pwritev() and preadv(), one call
 * a batch. Where a page is gone the kernel stops short, which tells whose row
 * it was, and everyone else's rows go on. No signal handler is needed.
 */

/**
 * struct stage - memory of a batch
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

#endif /* BATCHD_STAGE_H */
