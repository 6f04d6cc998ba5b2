// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions of batchd: a region stays mapped until its last request ended, and
 * a client that leaves its ring full loses its session.
 */
#include <errno.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "rig.h"

#define SESSIONS RIG_CLIENTS

FIXTURE(client)
{
	struct rig rig;
	struct client *c;
	struct phi_batch_request wire;
	uint64_t expected;
};

FIXTURE_SETUP(client)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_init(rig));
	self->c = rig->client[0];
	rig_fill(&self->wire, 5, 1, rig->in, rig->out);
}

FIXTURE_TEARDOWN(client)
{
	EXPECT_TRUE(rig_fini(&self->rig));
}

static bool mapped(const void *addr, size_t len)
{
	return !msync((void *)addr, len, MS_ASYNC);
}

/* A refused capability takes no slot. */
TEST_F(client, takes_no_capability_that_it_cannot_read)
{
	static const struct {
		uint32_t type;
		uint32_t rights;
		int err;
	} tries[] = {
		{ PHI_TYPE_NOTIFY, PHI_RIGHT_READ | PHI_RIGHT_MAP, -EINVAL },
		{ PHI_TYPE_ENDPOINT, ~0U, -EINVAL },
		{ PHI_TYPE_MEMORY, 0, -EPERM },
		{ PHI_TYPE_MEMORY, PHI_RIGHT_READ, -EPERM },
		{ PHI_TYPE_MEMORY, PHI_RIGHT_MAP, -EPERM },
		{ PHI_TYPE_MEMORY, PHI_RIGHT_MAP | PHI_RIGHT_WRITE, -EPERM },
		/* A valid one gets as far as the mapping. */
		{ PHI_TYPE_MEMORY, PHI_RIGHT_MAP | PHI_RIGHT_READ, -EBADF },
	};
	uint32_t index = 99;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		struct phi_xferred cap = { .cap = 1,
					   .type = tries[i].type,
					   .rights = tries[i].rights };

		EXPECT_EQ(tries[i].err, client_map(self->c, &cap, &index))
		{
			TH_LOG("%zu", i);
		}
		EXPECT_EQ(99, index);
		EXPECT_EQ(NULL, client_slot(self->c, 2));
		EXPECT_EQ(0, self->c->slots[2].cap);
	}
}

TEST_F(client, has_so_many_slots)
{
	struct phi_xferred cap = { .cap = 1,
				   .type = PHI_TYPE_MEMORY,
				   .rights = PHI_RIGHT_READ | PHI_RIGHT_MAP };
	struct rig_region more[PHI_BATCH_SLOTS];
	uint32_t index, i;

	for (i = 2; i < PHI_BATCH_SLOTS; i++) {
		ASSERT_EQ(0, rig_region(&self->rig, 0, 1, PHI_RIGHT_READ,
					&more[i]));
	}
	EXPECT_EQ(&self->c->slots[PHI_BATCH_SLOTS - 1],
		  client_slot(self->c, PHI_BATCH_SLOTS - 1));
	EXPECT_EQ(NULL, client_slot(self->c, PHI_BATCH_SLOTS));
	EXPECT_EQ(NULL, client_slot(self->c, UINT32_MAX));
	EXPECT_EQ(-ENOSPC, client_map(self->c, &cap, &index));
	/* With a free slot it gets as far as the mapping. */
	EXPECT_EQ(0, client_forget(self->c, PHI_BATCH_SLOTS - 1, 0, 0));
	EXPECT_EQ(-EBADF, client_map(self->c, &cap, &index));
	for (i = 2; i < PHI_BATCH_SLOTS; i++)
		rig_region_fini(&more[i]);
}

TEST_F(client, forgets_an_idle_region_at_once)
{
	struct slot *slot = &self->c->slots[0];
	void *addr = slot->addr;
	struct rig_region next;

	EXPECT_TRUE(mapped(addr, self->rig.in->len));
	ASSERT_EQ(0, client_forget(self->c, 0, 0, 0));
	EXPECT_FALSE(mapped(addr, self->rig.in->len));
	EXPECT_EQ(0, slot->cap);
	EXPECT_EQ(-EBADF, client_forget(self->c, 0, 0, 0));
	EXPECT_EQ(-EBADF, client_forget(self->c, PHI_BATCH_SLOTS, 0, 0));
	EXPECT_EQ(-EBADF,
		  request_submit(self->c, &self->wire, 0, &self->expected));
	/* The next region takes the slot. */
	ASSERT_EQ(0, rig_region(&self->rig, 0, 1, PHI_RIGHT_READ, &next));
	EXPECT_EQ(0, next.slot);
	EXPECT_EQ(slot, client_slot(self->c, 0));
	rig_region_fini(&next);
}

TEST_F(client, keeps_a_region_while_requests_use_it)
{
	struct slot *slot = &self->c->slots[0];
	void *addr = slot->addr;
	struct phi_batch_answer a;

	self->rig.in->mem[1] = 8;
	ASSERT_EQ(0, request_submit(self->c, &self->wire, 0, &self->expected));
	ASSERT_EQ(0, request_submit(self->c, &self->wire, 0, &self->expected));
	ASSERT_EQ(0, client_forget(self->c, 0, 0, 0));
	/* New requests and a second FORGET fail; those in line run. */
	EXPECT_EQ(NULL, client_slot(self->c, 0));
	EXPECT_EQ(-EBADF, client_forget(self->c, 0, 0, 0));
	EXPECT_EQ(-EBADF,
		  request_submit(self->c, &self->wire, 0, &self->expected));
	EXPECT_EQ(2, slot->uses);
	rig_ticket(&self->rig, self->c->model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	ASSERT_EQ(0, rig_answer(&self->rig, 0, &a));
	EXPECT_EQ(0, a.status);
	EXPECT_EQ(8, self->rig.out->mem[1]);
	EXPECT_EQ(1, slot->uses);
	EXPECT_TRUE(mapped(addr, self->rig.in->len));
	rig_ticket(&self->rig, self->c->model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_EQ(0, slot->cap);
	EXPECT_EQ(0, slot->uses);
	EXPECT_FALSE(mapped(addr, self->rig.in->len));
	EXPECT_TRUE(mapped(self->c->slots[1].addr, self->rig.out->len));
}

TEST_F(client, gives_all_back_at_its_end)
{
	void *addr[2] = { self->c->slots[0].addr, self->c->slots[1].addr };
	struct queue *q = &self->rig.models[0].queue;
	struct daemon *d = &self->rig.b.daemon;
	struct phi_batch_answer a;

	ASSERT_EQ(0, request_submit(self->c, &self->wire, 0, &self->expected));
	session_close(&self->c->base, NULL);
	EXPECT_EQ(1, q->stats.dropped);
	EXPECT_EQ(0, q->rows);
	EXPECT_FALSE(mapped(addr[0], self->rig.in->len));
	EXPECT_FALSE(mapped(addr[1], self->rig.out->len));
	EXPECT_EQ(SESSIONS - 1, d->nsessions);
	EXPECT_EQ(NULL, d->sessions[0]);
	/* The other session of its user stays. */
	EXPECT_EQ(1, user_of(self->rig.client[2])->base.sessions);
	EXPECT_EQ(0, user_of(self->rig.client[2])->share.used);
	/* A session that ended gets no answer. */
	EXPECT_EQ(-EAGAIN, rig_answer(&self->rig, 0, &a));
}

/* Rows that run keep the regions and the user. */
TEST_F(client, outlives_its_session_while_rows_run)
{
	struct queue *q = &self->rig.models[0].queue;
	void *addr = self->c->slots[1].addr;
	struct queue_slice slice;
	uint32_t n;

	ASSERT_EQ(0, request_submit(self->c, &self->wire, 0, &self->expected));
	ASSERT_EQ(1, queue_bind(q, 1, clock_ns(), &slice, &n));
	session_close(&self->c->base, NULL);
	EXPECT_TRUE(self->c->base.dead);
	EXPECT_EQ(1, self->c->base.refs);
	EXPECT_TRUE(mapped(addr, self->rig.out->len));
	EXPECT_EQ(2, self->c->base.user->sessions);
	ASSERT_TRUE(queue_unbind(q, &slice, 0));
	request_end(slice.item);
	EXPECT_FALSE(mapped(addr, self->rig.out->len));
	EXPECT_EQ(1, user_of(self->rig.client[2])->base.sessions);
}

static int leave(void *arg)
{
	phi_service_exit(arg, 0);
	return 0;
}

/* One answer more than the ring holds ends the session, and no other. */
TEST_F(client, empties_its_ring_or_goes)
{
	struct phi_batch_answer a = { .tag = 1 };
	struct daemon *d = &self->rig.b.daemon;
	struct phi_source *last;
	int i;

	for (i = 0; i < RIG_ENTRIES; i++)
		channel_send(self->c, &a);
	EXPECT_FALSE(self->c->ring_broken);
	EXPECT_EQ(0, channel_reap(&self->rig.b));
	channel_send(self->c, &a);
	EXPECT_TRUE(self->c->ring_broken);
	EXPECT_EQ(SESSIONS, d->nsessions);
	/* The loop runs channel_reap() by itself. */
	ASSERT_EQ(0, phi_service_job(d->service, leave, d->service, &last));
	phi_source_wake(last);
	EXPECT_EQ(0, phi_service_run(d->service));
	EXPECT_EQ(SESSIONS - 1, d->nsessions);
	EXPECT_EQ(NULL, d->sessions[0]);
	EXPECT_EQ(0, channel_reap(&self->rig.b));
	/* The answers before that one are whole. */
	for (i = 0; i < RIG_ENTRIES; i++) {
		EXPECT_EQ(0, rig_answer(&self->rig, 0, &a));
		EXPECT_EQ(1, a.tag);
	}
	EXPECT_EQ(-EAGAIN, rig_answer(&self->rig, 0, &a));
}

TEST_HARNESS_MAIN
