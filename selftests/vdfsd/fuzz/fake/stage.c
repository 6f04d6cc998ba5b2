// SPDX-License-Identifier: GPL-2.0-only
/*
 * common/stage.c with walls: behind each piece that is gathered ASan sees
 * whoever reads on. Regions that were revoked cannot be read or written.
 */
#include "daemons/common/stage.h"

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "phi.h"

#define STAGES 8
#define WALL 256

/* Kept for the next, for their walls stand for ever. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stage free_stages[STAGES];

int stage_init(struct stage *stage, size_t len)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < STAGES && free_stages[i].len != len; i++)
		;
	if (i < STAGES) {
		*stage = free_stages[i];
		free_stages[i].len = 0;
	}
	pthread_mutex_unlock(&lock);
	if (i < STAGES)
		return 0;
	stage->fd = -1;
	stage->len = len;
	stage->mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stage->mem == MAP_FAILED)
		abort();
	return 0;
}

void stage_fini(struct stage *stage)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < STAGES && free_stages[i].len; i++)
		;
	if (i == STAGES)
		abort();
	free_stages[i] = *stage;
	pthread_mutex_unlock(&lock);
}

static bool gone(const struct iovec *iov)
{
	struct fake_region *region = fake_region_at(iov->iov_base);

	return !region || region->revoked;
}

void stage_gather(struct stage *stage, size_t at, const struct iovec *from,
		  int n, bool *bad)
{
	char *to = (char *)stage->mem + at;
	int i;

	for (i = 0; i < n; i++, to += from[i - 1].iov_len) {
		/* A text is given its end there. */
		ASAN_UNPOISON_MEMORY_REGION(to, from[i].iov_len + 1);
		bad[i] = gone(&from[i]);
		if (bad[i])
			memset(to, 0, from[i].iov_len);
		else
			memcpy(to, from[i].iov_base, from[i].iov_len);
		/* A window of a put has no room for a wall. */
		if (stage->fd < 0)
			ASAN_POISON_MEMORY_REGION(to + from[i].iov_len + 1,
						  WALL);
	}
}

void stage_scatter(struct stage *stage, size_t at, const struct iovec *to,
		   int n, bool *bad)
{
	const char *from = (const char *)stage->mem + at;
	int i;

	for (i = 0; i < n; i++, from += to[i - 1].iov_len) {
		bad[i] = gone(&to[i]);
		if (!bad[i])
			memcpy(to[i].iov_base, from, to[i].iov_len);
	}
}
