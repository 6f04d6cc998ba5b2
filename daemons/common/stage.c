// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stage.h"

/**
 * stage_init() - make room for pieces
 * @stage: Stage to set up.
 * @len: Bytes, not 0.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int stage_init(struct stage *stage, size_t len)
{
	int ret;

	stage->len = len;
	stage->fd = memfd_create("stage", MFD_CLOEXEC);
	if (stage->fd < 0)
		return -errno;
	if (ftruncate(stage->fd, len))
		goto close_fd;
	stage->mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED,
			  stage->fd, 0);
	if (stage->mem != MAP_FAILED)
		return 0;
close_fd:
	ret = -errno;
	close(stage->fd);
	return ret;
}

/**
 * stage_fini() - undo stage_init()
 * @stage: Stage to take down.
 *
 * Context: Any thread, when nobody uses it.
 */
void stage_fini(struct stage *stage)
{
	munmap(stage->mem, stage->len);
	close(stage->fd);
}

static ssize_t copy(struct stage *stage, bool in, const struct iovec *iov,
		    int n, size_t at)
{
	if (n > IOV_MAX)
		n = IOV_MAX;
	return in ? pwritev(stage->fd, iov, n, at) :
		    preadv(stage->fd, iov, n, at);
}

/*
 * Copy @n pieces that lie one behind the other in the stage. A call that
 * stops short did so in the piece where the count ends; it is tried once
 * more from its start, since a signal also makes a call stop short.
 */
static void copy_all(struct stage *stage, size_t at, const struct iovec *iov,
		     int n, bool in, bool *bad)
{
	int first = 0, again = -1;

	memset(bad, 0, n * sizeof(*bad));
	while (first < n) {
		ssize_t got = copy(stage, in, iov + first, n - first, at);
		int before = first;

		if (got < 0 && errno == EINTR)
			continue;
		while (first < n && got >= (ssize_t)iov[first].iov_len) {
			got -= iov[first].iov_len;
			at += iov[first++].iov_len;
		}
		/* A whole call's worth (IOV_MAX) is not short. */
		if (first == n || (got == 0 && first > before))
			continue;
		if (again != first) {
			again = first;
			continue;
		}
		bad[first] = true;
		if (in)
			memset((char *)stage->mem + at, 0, iov[first].iov_len);
		at += iov[first++].iov_len;
	}
}

/**
 * stage_gather() - copy pieces into the stage
 * @stage: Where to.
 * @at: Offset of the first; each follows the one before.
 * @from: The pieces, in memory that may be taken away at any time.
 * @n: How many.
 * @bad: Out, @n of them: which pieces could not be read. Their place is
 *       zeroed, so that nobody computes on another's row.
 *
 * Context: Any thread; the caller keeps the address ranges mapped.
 */
void stage_gather(struct stage *stage, size_t at, const struct iovec *from,
		  int n, bool *bad)
{
	copy_all(stage, at, from, n, true, bad);
}

/**
 * stage_scatter() - copy pieces out of the stage
 * @stage: Where from.
 * @at: Offset of the first; each follows the one before.
 * @to: The pieces, in memory that may be taken away at any time.
 * @n: How many.
 * @bad: Out, @n of them: which pieces could not be written.
 *
 * Context: Any thread; the caller keeps the address ranges mapped.
 */
void stage_scatter(struct stage *stage, size_t at, const struct iovec *to,
		   int n, bool *bad)
{
	copy_all(stage, at, to, n, false, bad);
}
