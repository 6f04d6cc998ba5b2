// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user deletes or gives up is its own until it is collected; the daemon
 * does so before the user is refused anything for it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/gc_impl.h"
#include "daemons/vdfsd/store/quota.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define QUOTA (4 * MIB)
#define BIG (3 * MIB)

FIXTURE(sweep)
{
	struct tree t;
	uint8_t *data;
};

FIXTURE_SETUP(sweep)
{
	const struct vdfs_store_options options = { .quota = QUOTA };

	ASSERT_EQ(0, tree_make(&self->t, &options));
	ASSERT_EQ(0, vdfs_store_sweep(self->t.store));
	self->data = random_bytes(BIG + 64, 11);
}

FIXTURE_TEARDOWN(sweep)
{
	tree_remove(&self->t);
	free(self->data);
}

static uint64_t staged(FIXTURE_DATA(sweep) * self)
{
	return vdfs_charged(self->t.store, alice.uid, VDFS_CHARGE_STAGED);
}

/* Put contents of which no piece is in another. */
static int put(FIXTURE_DATA(sweep) * self, int i, uint32_t flags,
	       struct vdfs_hash *hash)
{
	size_t at;

	for (at = i % 7; at < BIG; at += 512)
		self->data[at] ^= (uint8_t)(i + 1);
	return put_bytes(self->t.store, &alice, self->data, BIG, flags, NULL,
			 hash);
}

static int put_and_drop(FIXTURE_DATA(sweep) * self, int i, uint32_t flags)
{
	struct vdfs_hash hash;
	int err = put(self, i, flags, &hash);

	return err ?: vdfs_blob_drop(self->t.store, &alice, &hash);
}

static int give_up(FIXTURE_DATA(sweep) * self, size_t len)
{
	struct vdfs_put *put;
	int err;

	err = vdfs_put_begin(self->t.store, &alice, 0, &put);
	if (err)
		return err;
	err = vdfs_put_write(put, self->data, len);
	vdfs_put_abort(put);
	return err;
}

TEST_F(sweep, what_is_deleted_stays_charged)
{
	uint64_t quota, used;

	vdfs_gc_stop(self->t.store);
	ASSERT_EQ(0, put_and_drop(self, 0, 0));
	EXPECT_EQ(BIG, staged(self));
	ASSERT_EQ(0, vdfs_quota_get(self->t.store, alice.uid, &quota, &used));
	EXPECT_EQ(0, used);
	vdfs_gc_allow(self->t.store);
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, staged(self));
}

TEST_F(sweep, what_is_given_up_stays_charged)
{
	vdfs_gc_stop(self->t.store);
	ASSERT_EQ(0, give_up(self, BIG));
	EXPECT_LE(2 * MIB, staged(self));
	vdfs_gc_allow(self->t.store);
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, staged(self));
	/* Of a small one nothing is on the disk. */
	ASSERT_EQ(0, give_up(self, 100));
	EXPECT_EQ(0, staged(self));
}

/* Others are not charged, nor does a blob count that another user has. */
TEST_F(sweep, what_another_has_is_no_litter)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, MIB, 0, "a",
			       &hash));
	ASSERT_EQ(0, vdfs_name_link(self->t.store, &bob, "b", &hash));
	vdfs_gc_stop(self->t.store);
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &alice, "a"));
	EXPECT_EQ(0, staged(self));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &bob, "b"));
	EXPECT_EQ(MIB,
		  vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_STAGED));
	vdfs_gc_allow(self->t.store);
}

/* The charge moves with the name, or stays where it is. */
TEST_F(sweep, a_name_that_is_given_away_leaves_no_litter)
{
	struct vdfs_store *store = self->t.store;
	uint64_t quota, used;

	ASSERT_EQ(0, put_bytes(store, &bob, self->data + 1, BIG, 0, "b", NULL));
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, MIB, 0, "a", NULL));
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, BIG, 0, "c", NULL));
	vdfs_gc_stop(store);
	EXPECT_EQ(-EDQUOT, vdfs_name_chown(store, &admin, "c", bob.uid, ~0U));
	EXPECT_EQ(0, staged(self));
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "a", 1009, ~0U));
	EXPECT_EQ(0, staged(self));
	ASSERT_EQ(0, vdfs_quota_get(store, alice.uid, &quota, &used));
	EXPECT_EQ(BIG, used);
	ASSERT_EQ(0, vdfs_quota_get(store, 1009, &quota, &used));
	EXPECT_EQ(MIB, used);
	EXPECT_EQ(0, vdfs_charged(store, 1009, VDFS_CHARGE_STAGED));
	vdfs_gc_allow(store);
}

/* The quota holds a third more than one of them. */
TEST_F(sweep, deleting_makes_room)
{
	struct vdfs_fsck_result r = { 0 };
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, put_and_drop(self, i, i & 1 ? VDFS_PUT_WHOLE : 0));
		ASSERT_EQ(0, give_up(self, BIG));
	}
	ASSERT_EQ(0, vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r));
	EXPECT_EQ(0, r.faults);
	EXPECT_GE(3 * QUOTA, r.garbage);
}

/**
 * struct dropping - a reference that is dropped, as often as it is tried
 * @store: The store.
 * @hash: Of the blob.
 * @tries: How often it was tried.
 * @err: What comes of it.
 */
struct dropping {
	struct vdfs_store *store;
	struct vdfs_hash hash;
	int tries;
	int err;
};

static int drop(struct sqlite3 *db, void *arg)
{
	struct dropping *d = arg;
	struct vdfs_object object;
	int err = vdfs_ref_find(db, alice.uid, &d->hash, true, &object);

	d->tries++;
	if (!err)
		err = vdfs_ref_drop(db, d->store, alice.uid, &object);
	return err ?: d->err;
}

/* A change that is undone, as one that is tried again, has deleted nothing. */
TEST_F(sweep, what_is_not_deleted_is_no_litter)
{
	struct dropping d = { .store = self->t.store, .err = -EDQUOT };
	struct vdfs_meta *meta = vdfs_store_meta(self->t.store);
	int i;

	ASSERT_EQ(0, put(self, 0, 0, &d.hash));
	vdfs_gc_stop(self->t.store);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EDQUOT, vdfs_meta_write(meta, drop, &d));
	EXPECT_EQ(3, d.tries);
	EXPECT_EQ(0, staged(self));
	d.err = 0;
	EXPECT_EQ(0, vdfs_meta_write(meta, drop, &d));
	EXPECT_EQ(BIG, staged(self));
	vdfs_gc_allow(self->t.store);
}

/* Somebody has it open: it is on the disk still, and its owner pays. */
TEST_F(sweep, what_is_open_stays_charged)
{
	struct vdfs_blob *blob;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put(self, 0, 0, &hash));
	ASSERT_EQ(0, vdfs_blob_open(self->t.store, &alice, &hash, &blob));
	ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &hash));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(BIG, staged(self));
	vdfs_blob_close(blob);
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, staged(self));
}

/* The old content goes with the change that brings the new one. */
TEST_F(sweep, a_name_is_given_other_content)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->t.store, &bob, self->data + 1, BIG, 0, "b",
			       &hash));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, BIG, 0, "a",
			       NULL));
	vdfs_gc_stop(self->t.store);
	EXPECT_EQ(0, vdfs_name_link(self->t.store, &alice, "a", &hash));
	vdfs_gc_allow(self->t.store);
}

struct waiter {
	FIXTURE_DATA(sweep) * self;
	int err;
};

static void *put_later(void *arg)
{
	struct waiter *w = arg;
	struct vdfs_hash hash;

	w->err = put(w->self, 1, 0, &hash);
	return NULL;
}

TEST_F(sweep, a_put_waits_for_room)
{
	struct vdfs_sweep *sweep = &self->t.store->sweep;
	struct waiter w = { .self = self, .err = 1 };
	pthread_t thread;
	bool asked;

	vdfs_gc_stop(self->t.store);
	ASSERT_EQ(0, put_and_drop(self, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, put_later, &w));
	/* Until a collection has been asked for. */
	for (;;) {
		pthread_mutex_lock(&sweep->lock);
		asked = sweep->wanted || sweep->busy;
		pthread_mutex_unlock(&sweep->lock);
		if (asked)
			break;
		sched_yield();
	}
	vdfs_gc_allow(self->t.store);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, w.err);
	EXPECT_EQ(0, staged(self));
}

static void *hold(void *arg)
{
	vdfs_gc_hold(arg);
	vdfs_gc_release(arg);
	return NULL;
}

/* A check holds collections up: what was deleted is not in the way meanwhile. */
TEST_F(sweep, nobody_waits_for_a_check)
{
	vdfs_gc_hold(self->t.store);
	ASSERT_EQ(0, put_and_drop(self, 0, 0));
	ASSERT_LT(0, staged(self));
	EXPECT_EQ(0, put_and_drop(self, 1, 0));
	EXPECT_FALSE(vdfs_sweep_for(self->t.store, alice.uid));
	vdfs_gc_release(self->t.store);
	/* The collection that was asked for may be over already. */
	vdfs_sweep_for(self->t.store, alice.uid);
	EXPECT_EQ(0, staged(self));
}

static void *wait_for_room(void *arg)
{
	struct waiter *w = arg;

	w->err = vdfs_sweep_for(w->self->t.store, alice.uid);
	return NULL;
}

/* Nor does one who waits already when it begins. */
TEST_F(sweep, a_check_ends_a_wait)
{
	struct vdfs_sweep *sweep = &self->t.store->sweep;
	struct waiter w = { .self = self, .err = -1 };
	pthread_t thread, check;
	bool asked;

	vdfs_gc_stop(self->t.store);
	vdfs_litter(self->t.store, alice.uid, 2 * QUOTA, false);
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_room, &w));
	do {
		sched_yield();
		pthread_mutex_lock(&sweep->lock);
		asked = sweep->wanted || sweep->busy;
		pthread_mutex_unlock(&sweep->lock);
	} while (!asked);
	ASSERT_EQ(0, pthread_create(&check, NULL, hold, self->t.store));
	/* The collection is held up still. */
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(false, w.err);
	vdfs_gc_allow(self->t.store);
	ASSERT_EQ(0, pthread_join(check, NULL));
}

/* Live bytes are the user's own: then there is no room to wait for. */
TEST_F(sweep, what_is_kept_is_refused_at_once)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, put(self, 0, 0, &hash));
	EXPECT_EQ(-EDQUOT, put(self, 1, 0, &hash));
}

TEST_HARNESS_MAIN
