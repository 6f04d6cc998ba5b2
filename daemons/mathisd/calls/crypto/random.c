// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0940 to 0x0943: random bytes, numbers and UUIDs (RFC 9562).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "crypto.h"

static int fill(struct md_call *c, void *data, size_t n)
{
	char *p = data;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return md_fail_errno(c, errno, "getrandom");
		p += got;
		n -= (size_t)got;
	}
	return MD_DONE;
}

int md_crypto_random_bytes(struct md_call *c)
{
	size_t n = (size_t)c->args[0].i;
	char *data = md_alloc(c, n);

	if (!data || fill(c, data, n))
		return MD_FAILED;
	return md_return_own(c, MATHIS_BYTES, data, n);
}

int md_crypto_random_int(struct md_call *c)
{
	int64_t min = c->args[0].i, max = c->args[1].i;
	uint64_t last = (uint64_t)max - (uint64_t)min;
	uint64_t r;
	/* The values above it would make the first remainders more likely. */
	uint64_t fair = UINT64_MAX;

	if (min > max)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the most is below the least");
	if (last != UINT64_MAX)
		fair -= (UINT64_MAX % (last + 1) + 1) % (last + 1);
	do {
		if (fill(c, &r, sizeof(r)))
			return MD_FAILED;
	} while (r > fair);
	if (last != UINT64_MAX)
		r %= last + 1;
	return md_return_int(c, (int64_t)((uint64_t)min + r));
}

static int return_uuid(struct md_call *c, unsigned char u[16], int version)
{
	char text[37];
	int at = 0;

	u[6] = (unsigned char)((u[6] & 0x0f) | version << 4);
	u[8] = (u[8] & 0x3f) | 0x80;
	for (int i = 0; i < 16; i++) {
		at += sprintf(text + at, "%s%02x",
			      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      u[i]);
	}
	return md_return_str(c, text, (size_t)at);
}

int md_crypto_uuid_v4(struct md_call *c)
{
	unsigned char u[16];

	return fill(c, u, sizeof(u)) ?: return_uuid(c, u, 4);
}

/*
 * The time of a version 7, and its counter of 12 bits: above those of every one
 * before, also where the clock went back.
 */
static void next_v7(uint64_t *ms, unsigned int *count, unsigned int start)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned int last_count;
	static uint64_t last_ms;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	pthread_mutex_lock(&lock);
	if (*ms > last_ms) {
		last_ms = *ms;
		last_count = start & 0x7ff;
	} else if (++last_count > 0xfff) {
		last_ms++;
		last_count = start & 0x7ff;
	}
	*ms = last_ms;
	*count = last_count;
	pthread_mutex_unlock(&lock);
}

int md_crypto_uuid_v7(struct md_call *c)
{
	unsigned char u[16];
	unsigned int count;
	uint64_t ms;

	if (fill(c, u, sizeof(u)))
		return MD_FAILED;
	next_v7(&ms, &count, (unsigned int)u[6] << 8 | u[7]);
	for (int i = 0; i < 6; i++)
		u[i] = (unsigned char)(ms >> (40 - 8 * i));
	u[6] = (unsigned char)(count >> 8);
	u[7] = (unsigned char)count;
	return return_uuid(c, u, 7);
}
