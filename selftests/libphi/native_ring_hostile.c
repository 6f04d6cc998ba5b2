// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings whose other side writes what it likes, and indices that wrap. Looks
 * inside the ring, so it takes in its source. Needs no module.
 */
#include "lib/ring.c"

#include <pthread.h>
#include <sys/mman.h>

#include "kselftest_harness.h"

#define ENTRIES_HERE 8
#define BYTES_HERE 512

/* A ring between two pages that kill whoever strays. */
FIXTURE(hostile)
{
	size_t len;
	size_t room;
	char *block;
	atomic_uint *mem;
	struct phi_ring *side[2];
};

/* Make a ring in the memory of the test, and attach the other side to it. */
static int make_sides(FIXTURE_DATA(hostile) * self)
{
	struct phi_bell none = { .fd = -1 };
	int ret;

	ret = phi_ring_create(self->mem, self->len, ENTRIES_HERE, BYTES_HERE,
			      &none, -1, &self->side[0]);
	if (ret)
		return ret;
	return phi_ring_attach(self->mem, self->len, &none, -1, &self->side[1]);
}

FIXTURE_SETUP(hostile)
{

	self->len = phi_ring_size(ENTRIES_HERE, BYTES_HERE);
	self->room = round_up(self->len, 4096);
	self->block = mmap(NULL, self->room + 8192, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->block);
	ASSERT_EQ(0, mprotect(self->block + 4096, self->room,
			      PROT_READ | PROT_WRITE));
	/* The ring ends where the guard page begins. */
	self->mem =
		(atomic_uint *)(self->block + 4096 + self->room - self->len);
	ASSERT_EQ(0, make_sides(self));
}

FIXTURE_TEARDOWN(hostile)
{
	phi_ring_free(self->side[0]);
	phi_ring_free(self->side[1]);
	munmap(self->block, self->room + 8192);
}

TEST_F(hostile, tail_beyond_the_ring)
{
	const void *p;
	uint32_t len;

	self->side[0]->tx.lane->tail = ENTRIES_HERE + 1;
	EXPECT_EQ(-EPROTO, phi_ring_peek(self->side[1], &p, &len));
	/* For good, though it is sane again. */
	self->side[0]->tx.lane->tail = 1;
	EXPECT_EQ(-EPROTO, phi_ring_peek(self->side[1], &p, &len));
	EXPECT_EQ(PHI_RING_IN, phi_ring_wait(self->side[1], PHI_RING_IN, 1));
}

TEST_F(hostile, tail_goes_back)
{
	char buf[8];

	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, 8));
	ASSERT_EQ(8, phi_ring_recv(self->side[1], buf, 8));
	self->side[0]->tx.lane->tail = 0;
	EXPECT_EQ(-EPROTO, phi_ring_recv(self->side[1], buf, 8));
}

TEST_F(hostile, head_takes_what_is_not_there)
{
	char buf[8] = "";
	int ret = 0;

	self->side[1]->rx.lane->head = 1;
	for (int i = 0; i < ENTRIES_HERE + 1 && !ret; i++) {
		ret = phi_ring_send(self->side[0], buf, 8);
		self->side[1]->rx.lane->head = (uint32_t)i + 3;
	}
	EXPECT_EQ(-EPROTO, ret);
	EXPECT_EQ(-EPROTO, phi_ring_send(self->side[0], buf, 0));
	EXPECT_EQ(PHI_RING_OUT, phi_ring_wait(self->side[0], PHI_RING_OUT, 1));
}

TEST_F(hostile, head_goes_back)
{
	char buf[8] = "";
	int ret = 0;

	for (int i = 0; i < ENTRIES_HERE; i++) {
		ASSERT_EQ(0, phi_ring_send(self->side[0], buf, 8));
		ASSERT_EQ(8, phi_ring_recv(self->side[1], buf, 8));
	}
	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, 8));
	self->side[1]->rx.lane->head = 0;
	for (int i = 0; i < ENTRIES_HERE && !ret; i++)
		ret = phi_ring_send(self->side[0], buf, 8);
	EXPECT_EQ(-EPROTO, ret);
}

TEST_F(hostile, descriptors_outside)
{
	static const uint64_t bad[] = {
		BYTES_HERE + 1, /* too long */
		(uint64_t)BYTES_HERE << 32 | 1, /* begins at the end */
		(uint64_t)(BYTES_HERE - 16) << 32 | 17, /* reaches past it */
		(uint64_t)UINT32_MAX << 32 | 1,
		(uint64_t)0xfffffff0 << 32 | 32, /* wraps to 16 */
		UINT32_MAX,
		UINT64_MAX,
		(uint64_t)8 << 32 | 8, /* not aligned */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const void *p;
		uint32_t len;

		ASSERT_EQ(0, phi_ring_send(self->side[0], &i, 8));
		self->side[0]->tx.lane->desc[0] = bad[i];
		EXPECT_EQ(-EPROTO, phi_ring_peek(self->side[1], &p, &len));
		EXPECT_EQ(-EPROTO, phi_ring_peek(self->side[1], &p, &len));
		phi_ring_free(self->side[0]);
		phi_ring_free(self->side[1]);
		ASSERT_EQ(0, make_sides(self));
	}
}

/* Use whatever the ring hands out, byte by byte. */
static int use(struct phi_ring *r, unsigned int *seed, unsigned int *sum)
{
	const void *in;
	uint32_t len = (uint32_t)rand_r(seed) % 300;
	void *out;
	int ok = 0;

	if (!phi_ring_reserve(r, len, &out)) {
		memset(out, 0x5a, len);
		ok += !phi_ring_commit(r);
	}
	if (!phi_ring_peek(r, &in, &len)) {
		const unsigned char *byte = in;

		for (uint32_t i = 0; i < len; i++)
			*sum += byte[i];
		ok += !phi_ring_release(r);
	}
	phi_ring_arm(r, PHI_RING_IN | PHI_RING_OUT);
	return ok;
}

/* Between any two steps of one side, random words change. */
TEST_F(hostile, scribbling_between_steps)
{
	unsigned int seed = 1, sum = 0, done = 0, broken = 0;
	size_t words = self->len / 4;

	for (int n = 0; n < 100000; n++) {
		struct phi_ring *r = self->side[n & 1];

		for (int i = rand_r(&seed) % 3; i > 0; i--) {
			/* Aim at the control words as often as at the rest */
			size_t at = (size_t)rand_r(&seed) %
				    (rand_r(&seed) % 2 ? words : 400);
			uint32_t small = (uint32_t)rand_r(&seed) % 20;

			if (at < 32)
				continue;
			self->mem[at] = rand_r(&seed) % 3 ?
						small :
						(uint32_t)rand_r(&seed) * 2;
		}
		done += (unsigned int)use(r, &seed, &sum);
		if (!r->tx.broken || !r->rx.broken)
			continue;
		broken++;
		phi_ring_free(self->side[0]);
		phi_ring_free(self->side[1]);
		ASSERT_EQ(0, make_sides(self));
	}
	EXPECT_LT(1000, done);
	EXPECT_LT(100, broken);
	EXPECT_NE(0, sum);
}

struct vandal {
	atomic_uint *mem;
	size_t words;
	atomic_int stop;
};

static void *scribble(void *arg)
{
	struct vandal *v = arg;
	unsigned int seed = 7;

	while (!v->stop) {
		size_t at = 32 + (size_t)rand_r(&seed) % (v->words - 32);

		v->mem[at] = (uint32_t)rand_r(&seed) %
			     (rand_r(&seed) % 2 ? 16 : UINT32_MAX);
	}
	return NULL;
}

/* The other side writes at the very same time, under each check. */
TEST_F(hostile, scribbling_all_the_time)
{
	struct vandal v = { self->mem, self->len / 4, 0 };
	struct phi_bell none = { .fd = -1 };
	unsigned int seed = 3, sum = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &v));
	for (int n = 0; n < 200000; n++) {
		struct phi_ring *r = self->side[n & 1];

		use(r, &seed, &sum);
		if (!r->tx.broken || !r->rx.broken)
			continue;
		phi_ring_free(r);
		if (n & 1) {
			ASSERT_EQ(0,
				  phi_ring_attach(self->mem, self->len, &none,
						  -1, &self->side[1]));
		} else {
			ASSERT_EQ(0,
				  phi_ring_create(self->mem, self->len,
						  ENTRIES_HERE, BYTES_HERE,
						  &none, -1, &self->side[0]));
		}
	}
	v.stop = 1;
	EXPECT_NE(0, sum);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* All indices start just below 2^32, then wrap. */
TEST_F(hostile, indices_wrap)
{
	uint32_t last = UINT32_MAX - 40;
	uint32_t data = UINT32_MAX - 1023;
	uint32_t sent = 0, got = 0, v;

	for (int i = 0; i < 2; i++) {
		struct ring_tx *tx = &self->side[i]->tx;
		struct ring_rx *rx = &self->side[!i]->rx;

		tx->tail = last;
		tx->head_seen = last;
		tx->data_tail = data;
		tx->data_head = data;
		tx->lane->tail = last;
		tx->lane->head = last;
		rx->head = last;
		rx->tail_seen = last;
		rx->told = last;
	}
	while (got < 3000) {
		char buf[100];

		while (!phi_ring_send(self->side[0], &sent, sizeof(sent)))
			sent++;
		ASSERT_LT(got, sent);
		ASSERT_GE(ENTRIES_HERE, sent - got);
		for (int i = 0; i < 1 + (int)(got % 3) && got < sent; i++) {
			ASSERT_EQ(4, phi_ring_recv(self->side[1], &v, 4));
			ASSERT_EQ(got, v);
			got++;
		}
		/* Longer ones the other way, so that bytes wrap as well. */
		memset(buf, (int)got, sizeof(buf));
		ASSERT_EQ(0, phi_ring_send(self->side[1], buf, 100));
		ASSERT_EQ(100, phi_ring_recv(self->side[0], buf, 100));
		ASSERT_EQ((char)got, buf[99]);
	}
	EXPECT_GT(last, self->side[0]->tx.tail);
	EXPECT_GT(data, self->side[0]->tx.data_tail);
	EXPECT_GT(data, self->side[1]->tx.data_tail);
}

TEST_HARNESS_MAIN
