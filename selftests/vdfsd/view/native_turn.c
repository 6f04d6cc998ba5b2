// SPDX-License-Identifier: GPL-2.0-only
/* Requests of a user that wait hold up nobody else's. The test is the kernel. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "sql/meta.h"
#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

/* More than the threads that serve when one user asks. */
#define MANY 20

/* A thread that writes to a store until the gate is opened. */
struct hold {
	struct vdfs_store *store;
	pthread_t thread;
	sem_t holds;
	sem_t gate;
};

FIXTURE(turn)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker root;
	struct hold hold;
	uint64_t dir;
	uint64_t posted;
};

static int hold(struct sqlite3 *db, void *arg)
{
	struct hold *h = arg;

	(void)db;
	sem_post(&h->holds);
	sem_wait(&h->gate);
	return 0;
}

static void *write_long(void *arg)
{
	struct hold *h = arg;

	vdfs_meta_write(vdfs_store_meta(h->store), hold, h);
	return NULL;
}

FIXTURE_SETUP(turn)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, vdfs_name_mkdir(self->t.store, &admin, "d", 0777));
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &self->root));
	self->dir = node_at(self->root, "names/d");
	ASSERT_NE(0, self->dir);
}

FIXTURE_TEARDOWN(turn)
{
	vdfs_fuse_stop(self->fuse);
	close(self->root.fd);
	tree_remove(&self->t);
}

/* Return: 0 when nobody else can write to the store, or an errno. */
static int hold_store(FIXTURE_DATA(turn) * self)
{
	int err;

	self->hold.store = self->t.store;
	sem_init(&self->hold.holds, 0, 0);
	sem_init(&self->hold.gate, 0, 0);
	err = pthread_create(&self->hold.thread, NULL, write_long, &self->hold);
	if (!err)
		sem_wait(&self->hold.holds);
	return err;
}

/* Ask for a directory, and wait for no answer. */
static int post_mkdir(FIXTURE_DATA(turn) * self, uint32_t uid)
{
	struct fuse_mkdir_in arg = { .mode = 0755 };
	struct fuse_in_header in = {
		.opcode = FUSE_MKDIR,
		.unique = 10 + 2 * ++self->posted,
		.nodeid = self->dir,
		.uid = uid,
		.gid = uid,
		.pid = (uint32_t)(1000 + self->posted),
	};
	char name[32];
	struct iovec to[] = { { &in, sizeof(in) },
			      { &arg, sizeof(arg) },
			      { name, sizeof(name) } };

	memset(name, 0, sizeof(name));
	snprintf(name, sizeof(name), "%u-%u", uid, (uint32_t)self->posted);
	to[2].iov_len = strlen(name) + 1;
	in.len = (uint32_t)(sizeof(in) + sizeof(arg) + to[2].iov_len);
	return writev(self->root.fd, to, 3) < 0 ? -errno : 0;
}

/* Open the gate. Return: how many of the requests are served well. */
static unsigned int served(FIXTURE_DATA(turn) * self)
{
	struct {
		struct fuse_out_header head;
		struct fuse_entry_out entry;
	} reply;
	unsigned int good = 0;

	sem_post(&self->hold.gate);
	pthread_join(self->hold.thread, NULL);
	for (uint64_t i = 0; i < self->posted; i++)
		good += read(self->root.fd, &reply, sizeof(reply)) ==
				sizeof(reply) &&
			!reply.head.error;
	return good;
}

TEST_F(turn, one_user_leaves_threads_to_others)
{
	struct asker other = by(&self->root, 300);
	struct fuse_attr attr;

	ASSERT_EQ(0, hold_store(self));
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(0, post_mkdir(self, 100));
	EXPECT_EQ(0, attr_of(other, self->dir, &attr));
	EXPECT_EQ(MANY, served(self));
}

/* However many users there are, and more than there are threads. */
TEST_F(turn, many_users_leave_threads_to_others)
{
	struct asker other = by(&self->root, 300);
	struct fuse_attr attr;

	ASSERT_EQ(0, hold_store(self));
	for (uint32_t uid = 100; uid < 100 + MANY; uid++) {
		ASSERT_EQ(0, post_mkdir(self, uid));
		ASSERT_EQ(0, post_mkdir(self, uid));
	}
	EXPECT_EQ(0, attr_of(other, self->dir, &attr));
	EXPECT_EQ(2 * MANY, served(self));
	/* The threads that were started for them end, and one serves on. */
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(0, attr_of(other, self->dir, &attr));
}

/* The kernel closes files as root, and they are not root's. */
TEST_F(turn, files_are_closed_in_the_turn_of_their_user)
{
	struct asker user = by(&self->root, 100);
	struct fuse_release_in in[MANY] = {};
	struct fuse_made made[MANY];
	struct fuse_out_header head;
	struct fuse_attr attr;
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, create_at(user, self->dir, name, 0644, &made[i]));
		ASSERT_EQ(0, write_at(user, made[i].entry.nodeid,
				      made[i].open.fh, "x"));
		in[i].fh = made[i].open.fh;
	}
	ASSERT_EQ(0, hold_store(self));
	for (int i = 0; i < MANY; i++) {
		struct asker a = self->root;

		a.node = made[i].entry.nodeid;
		ASSERT_EQ(0, tell(a, 100 + 2 * (uint64_t)i, FUSE_RELEASE,
				  &in[i], sizeof(in[i]), NULL));
	}
	EXPECT_EQ(0, attr_of(self->root, self->dir, &attr));
	EXPECT_EQ(0, served(self));
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(sizeof(head),
			  read(self->root.fd, &head, sizeof(head)));
}

TEST_HARNESS_MAIN
