// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes that the kernel knows are charged to the user who looked them up. Of a
 * user with many, the kernel is asked to forget the oldest that nobody uses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define LIMIT 40
#define MANY (LIMIT - LIMIT / 4)

FIXTURE(cached)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker kernel;
	struct asker bob;
};

FIXTURE_SETUP(cached)
{
	struct vdfs_store *store;
	char name[16];
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	store = self->t.store;
	store->charges.limit[VDFS_CHARGE_INODES] = LIMIT;
	for (i = 0; i < 2 * LIMIT; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, put_bytes(store, &bob, name, strlen(name), 0, name,
				       NULL));
	}
	ASSERT_EQ(0, kernel_start(store, NULL, self->t.dir, &self->fuse,
				  &self->kernel));
	self->bob = by(&self->kernel, bob.uid);
	self->bob.tid = 7;
	self->bob.node = node_at(self->kernel, "names");
	ASSERT_NE(0, self->bob.node);
}

FIXTURE_TEARDOWN(cached)
{
	vdfs_fuse_stop(self->fuse);
	close(self->kernel.fd);
	EXPECT_EQ(0, vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_INODES));
	EXPECT_EQ(0, vdfs_charged(self->t.store, 0, VDFS_CHARGE_INODES));
	tree_remove(&self->t);
}

static uint64_t charged(FIXTURE_DATA(cached) * self)
{
	return vdfs_charged(self->t.store, bob.uid, VDFS_CHARGE_INODES);
}

/* Look a file up, as bob. Its inode; 0 = that was refused. */
static uint64_t look(FIXTURE_DATA(cached) * self, int i)
{
	struct fuse_entry_out entry = {};
	char name[16];
	int n;

	snprintf(name, sizeof(name), "f%d", i);
	n = ask(self->bob, FUSE_LOOKUP, NULL, 0, name, &entry, sizeof(entry));
	return n < 0 ? 0 : entry.nodeid;
}

static int forget(FIXTURE_DATA(cached) * self, uint64_t node)
{
	struct fuse_forget_in in = { .nlookup = 1 };
	struct asker a = self->bob;

	a.node = node;
	return tell(a, 900, FUSE_FORGET, &in, sizeof(in), NULL);
}

TEST_F(cached, who_looks_up_is_charged)
{
	uint64_t node[3];
	int i;

	for (i = 0; i < 3; i++) {
		node[i] = look(self, i);
		ASSERT_NE(0, node[i]);
	}
	EXPECT_EQ(3, charged(self));
	/* The same once more, for another. */
	ASSERT_NE(0, node_at(self->kernel, "names/f0"));
	EXPECT_EQ(3, charged(self));
	ASSERT_EQ(0, forget(self, node[2]));
	/* Requests of a kernel are served in turn: this one comes behind. */
	ASSERT_NE(0, look(self, 1));
	for (i = 0; i < 20000 && charged(self) > 2; i++)
		usleep(1000);
	EXPECT_EQ(2, charged(self));
}

/* Which file the kernel is asked to forget; -1 = it was something else. */
static int hear_forget(FIXTURE_DATA(cached) * self)
{
	struct {
		struct fuse_out_header head;
		struct fuse_notify_inval_entry_out in;
		char name[64];
	} m = {};
	int i;

	if (recv(self->kernel.fd, &m, sizeof(m), 0) < 0 || m.head.unique ||
	    m.head.error != FUSE_NOTIFY_INVAL_ENTRY ||
	    m.in.parent != self->bob.node)
		return -1;
	return sscanf(m.name, "f%d", &i) == 1 ? i : -1;
}

TEST_F(cached, the_oldest_go_when_there_are_many)
{
	uint64_t node[MANY];
	int i, asked;

	for (i = 0; i < MANY - 1; i++) {
		node[i] = look(self, i);
		ASSERT_NE(0, node[i]);
	}
	/* A question may come before the answer. */
	ASSERT_EQ(0, tell(self->bob, 901, FUSE_LOOKUP, NULL, 0, "f60"));
	for (i = 0, asked = -1; i < 2; i++) {
		int heard = hear_forget(self);

		asked = asked < 0 ? heard : asked;
	}
	EXPECT_EQ(0, asked);
	ASSERT_EQ(0, forget(self, node[0]));
	for (i = 0; i < 20000 && charged(self) >= MANY; i++)
		usleep(1000);
	EXPECT_EQ(MANY - 1, charged(self));
}

TEST_HARNESS_MAIN
