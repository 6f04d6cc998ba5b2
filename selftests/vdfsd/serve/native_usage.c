// SPDX-License-Identifier: GPL-2.0-only
/* The figures of a user are those that it is charged, with their limits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/serve/serve_impl.h"
#include "daemons/vdfsd/store/charge.h"
#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define QUOTA (64U << 20)

FIXTURE(usage)
{
	struct tree t;
	struct vdfsd *s;
};

FIXTURE_SETUP(usage)
{
	struct vdfs_store_options options = { .quota = QUOTA };

	ASSERT_EQ(0, tree_make(&self->t, &options));
	self->s = calloc(1, sizeof(*self->s));
	ASSERT_NE(NULL, self->s);
	vdfsd_init(self->s);
	self->s->store = self->t.store;
}

FIXTURE_TEARDOWN(usage)
{
	free(self->s);
	tree_remove(&self->t);
}

static int have_items(struct sqlite3 *db, void *arg)
{
	struct vdfs_usage items = { .n = 2, .bytes = 500 };
	struct vdfs_usage values = { .n = 3, .bytes = 600 };
	int err;

	(void)arg;
	err = vdfs_usage_add(db, NULL, bob.uid, VDFS_USAGE_ITEMS, items);
	return err   ?:
		       vdfs_usage_add(db, NULL, bob.uid, VDFS_USAGE_VALUES,
				      values);
}

TEST_F(usage, shows_every_charge_and_limit)
{
	struct vdfs_store *store = self->t.store;
	uint8_t *data = random_bytes(12U << 20, 1);
	struct phi_vdfs_usage u = {};
	struct vdfs_hash hash;
	struct vdfs_put *put;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, put_bytes(store, &bob, "one", 3, 0, "d/one", &hash));
	ASSERT_EQ(0, vdfs_attr_set(store, &bob, "d/one", "a", "value", 5));
	ASSERT_EQ(0, vdfs_meta_write(store->meta, have_items, NULL));
	ASSERT_EQ(0, vdfs_put_begin(store, &bob, 0, &put));
	ASSERT_EQ(0, vdfs_put_write(put, data, 12U << 20));
	ASSERT_EQ(0, vdfs_charge(store, bob.uid, VDFS_CHARGE_FILES, 3));
	ASSERT_EQ(0, vdfs_charge(store, bob.uid, VDFS_CHARGE_DIRS, 4));
	ASSERT_EQ(0, vdfs_charge(store, bob.uid, VDFS_CHARGE_LOCKS, 5));
	ASSERT_EQ(0, vdfs_charge(store, bob.uid, VDFS_CHARGE_INODES, 7));

	ASSERT_EQ(0, vdfsd_usage_of(self->s, bob.uid, &u));
	EXPECT_EQ(QUOTA, u.quota);
	EXPECT_EQ(3 + 64 + 6 + 500 + 600, u.used);
	EXPECT_LE(8U << 20, u.staged);
	EXPECT_EQ(2, u.names);
	EXPECT_EQ(1024 + QUOTA / 4096, u.names_max);
	EXPECT_EQ(1, u.attrs);
	EXPECT_EQ(64 + 6, u.attr_bytes);
	EXPECT_EQ(2, u.items);
	EXPECT_EQ(500, u.item_bytes);
	EXPECT_LT(4U << 20, u.memory);
	EXPECT_LT(u.memory, u.memory_max);
	EXPECT_EQ(1, u.puts);
	EXPECT_LT(1, u.puts_max);
	EXPECT_EQ(3, u.files);
	EXPECT_LT(3, u.files_max);
	EXPECT_EQ(4, u.dirs);
	EXPECT_LT(4, u.dirs_max);
	EXPECT_EQ(5, u.locks);
	EXPECT_LT(5, u.locks_max);
	EXPECT_EQ(7, u.inodes);
	EXPECT_LT(7, u.inodes_max);
	EXPECT_EQ(600, u.value_bytes);
	EXPECT_EQ(0, u.sessions);
	EXPECT_LT(0, u.sessions_max);
	EXPECT_LT(0, u.jobs_max);
	EXPECT_LT(u.sessions_max, u.calls_max);

	vdfs_put_abort(put);
	u = (struct phi_vdfs_usage){};
	ASSERT_EQ(0, vdfsd_usage_of(self->s, alice.uid, &u));
	EXPECT_EQ(0, u.used);
	EXPECT_EQ(0, u.staged);
	EXPECT_EQ(0, u.files);
	EXPECT_EQ(QUOTA, u.quota);
	free(data);
}

TEST_F(usage, keeps_the_totals_from_users)
{
	struct vdfsd_session session = { .base.daemon = &self->s->daemon,
					 .who = bob };
	struct vdfsd_call c = { .base.session = &session.base };
	struct phi_vdfs_stats none = {};
	struct vdfs_hash hash;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "one", 3, 0, "one", &hash));
	EXPECT_EQ(-EACCES, vdfsd_stats(&c));
	EXPECT_EQ(0, memcmp(&none, &c.answer.stats, sizeof(none)));
	session.who.admin = true;
	EXPECT_EQ(0, vdfsd_stats(&c));
	EXPECT_EQ(1, c.answer.stats.blobs);
}

TEST_HARNESS_MAIN
