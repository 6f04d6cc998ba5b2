// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of those who ask: the one that a request names, and those of the
 * thread that waits for its answer. The test is the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define STAFF 2001
#define OTHER 2002

FIXTURE(group)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker kernel;
	struct asker alice;
	struct asker bob;
	pid_t pid;
};

/* A process of bob's, who is in STAFF, that lives as long as the test. */
static pid_t member(void)
{
	static const gid_t groups[] = { 5, STAFF };
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setgroups(2, groups) || setgid(bob.gid) ||
		    setuid(bob.uid) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

FIXTURE_SETUP(group)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->pid = member();
	ASSERT_LT(0, self->pid);
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &self->kernel));
	self->alice = by(&self->kernel, alice.uid);
	self->bob = by(&self->kernel, bob.uid);
	self->bob.tid = (uint32_t)self->pid;
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "one", 3, 0, "d/f", &hash));
}

FIXTURE_TEARDOWN(group)
{
	vdfs_fuse_stop(self->fuse);
	close(self->kernel.fd);
	tree_remove(&self->t);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
}

static int give(FIXTURE_DATA(group) * self, const char *path, uint32_t gid,
		uint32_t mode)
{
	int err = vdfs_name_chown(self->t.store, &admin, path, ~0U, gid);

	return err   ?:
		       vdfs_name_change(self->t.store, &admin, path, mode,
					INT64_MIN);
}

static int try_open(struct asker a, uint64_t node, int flags)
{
	uint64_t fh;
	int err = open_at(a, node, flags, &fh);

	return err ?: close_at(a, node, fh, false);
}

static int chown_at(struct asker a, uint64_t node, uint32_t valid, uint32_t uid,
		    uint32_t gid)
{
	return set_attr(a, node,
			(struct fuse_setattr_in){
				.valid = valid, .uid = uid, .gid = gid });
}

TEST_F(group, of_the_thread_that_asks)
{
	uint64_t node = node_at(self->alice, "names/d/f");
	struct asker a = self->bob;

	ASSERT_EQ(0, give(self, "d/f", STAFF, 0640));
	EXPECT_EQ(0, try_open(a, node, O_RDONLY));
	EXPECT_EQ(-EACCES, try_open(a, node, O_WRONLY));
	/* Of another user, or with another group, it is another thread. */
	a.uid = carol.uid;
	EXPECT_EQ(-EACCES, try_open(a, node, O_RDONLY));
	a = self->bob;
	a.gid = carol.gid;
	EXPECT_EQ(-EACCES, try_open(a, node, O_RDONLY));
	/* One that this daemon cannot see has the group of the request. */
	a = self->bob;
	a.tid = 0;
	EXPECT_EQ(-EACCES, try_open(a, node, O_RDONLY));
	ASSERT_EQ(0, give(self, "d/f", bob.gid, 0640));
	EXPECT_EQ(0, try_open(a, node, O_RDONLY));
	ASSERT_EQ(0, give(self, "d/f", OTHER, 0640));
	EXPECT_EQ(-EACCES, try_open(self->bob, node, O_RDONLY));
	ASSERT_EQ(0, give(self, "d/f", STAFF, 0604));
	EXPECT_EQ(-EACCES, try_open(self->bob, node, O_RDONLY));
	EXPECT_EQ(-EACCES, try_open(a, node, O_RDONLY));
	a.tid = (uint32_t)self->pid;
	a.uid = carol.uid;
	EXPECT_EQ(-EACCES, try_open(a, node, O_RDONLY));
	ASSERT_EQ(0, give(self, "d/f", OTHER, 0604));
	EXPECT_EQ(0, try_open(self->bob, node, O_RDONLY));
}

/* In the store, where names are made and taken away. */
TEST_F(group, of_a_directory)
{
	struct fuse_entry_out entry;
	struct fuse_made made;
	struct asker a = self->bob;
	uint64_t dir = node_at(self->alice, "names/d");

	a.node = dir;
	ASSERT_EQ(0, give(self, "d", STAFF, 02770));
	EXPECT_EQ(0, walk_to(a, "f", &entry));
	ASSERT_EQ(0, create_at(a, dir, "new", 0640, &made));
	EXPECT_EQ(bob.uid, made.entry.attr.uid);
	EXPECT_EQ(STAFF, made.entry.attr.gid);
	EXPECT_EQ(0, write_at(a, made.entry.nodeid, made.open.fh, "text"));
	EXPECT_EQ(0, close_at(a, made.entry.nodeid, made.open.fh, true));
	a.node = dir;
	EXPECT_EQ(0, ask(a, FUSE_UNLINK, NULL, 0, "f", NULL, 0));
	a.tid = 0;
	EXPECT_EQ(-EACCES, walk_to(a, "new", &entry));
	EXPECT_EQ(-EACCES, ask(a, FUSE_UNLINK, NULL, 0, "new", NULL, 0));
}

TEST_F(group, is_shown_and_changed)
{
	struct fuse_setattr_in mode = { .valid = FATTR_MODE,
					.mode = S_IFDIR | 02775 };
	struct fuse_attr attr;
	uint64_t dir, root = node_at(self->alice, "names");

	/* What has none shows nobody's, who gains nothing by that. */
	ASSERT_EQ(0, attr_of(self->alice, root, &attr));
	EXPECT_EQ(65534, attr.gid);
	ASSERT_EQ(0, vdfs_name_mkdir(self->t.store, &bob, "b", 0755));
	dir = node_at(self->bob, "names/b");
	ASSERT_EQ(0, attr_of(self->bob, dir, &attr));
	EXPECT_EQ(bob.gid, attr.gid);
	EXPECT_EQ(-EPERM, chown_at(self->bob, dir, FATTR_GID, 0, OTHER));
	EXPECT_EQ(-EPERM, chown_at(self->alice, dir, FATTR_GID, 0, STAFF));
	EXPECT_EQ(-EPERM, chown_at(self->alice, dir, FATTR_UID, bob.uid, 0));
	EXPECT_EQ(0, chown_at(self->bob, dir, FATTR_UID | FATTR_GID, bob.uid,
			      STAFF));
	EXPECT_EQ(0, set_attr(self->bob, dir, mode));
	ASSERT_EQ(0, attr_of(self->bob, dir, &attr));
	EXPECT_EQ(STAFF, attr.gid);
	EXPECT_EQ(S_IFDIR | 02775, attr.mode);
	EXPECT_EQ(-EPERM, chown_at(self->bob, dir, FATTR_UID, alice.uid, 0));
	EXPECT_EQ(0, chown_at(self->kernel, dir, FATTR_UID | FATTR_GID,
			      alice.uid, OTHER));
	ASSERT_EQ(0, attr_of(self->bob, dir, &attr));
	EXPECT_EQ(alice.uid, attr.uid);
	EXPECT_EQ(OTHER, attr.gid);
	/* Set-group-ID is dropped where she is not in the group. */
	EXPECT_EQ(0, set_attr(self->alice, dir, mode));
	ASSERT_EQ(0, attr_of(self->alice, dir, &attr));
	EXPECT_EQ(S_IFDIR | 0775, attr.mode);
}

/* A file that is open goes on being written by whom it was opened by. */
TEST_F(group, of_a_file_that_is_given_away)
{
	struct vdfs_stat st;
	uint64_t node = node_at(self->alice, "names/d/f"), fh;

	ASSERT_EQ(0, give(self, "d/f", STAFF, 0660));
	ASSERT_EQ(0, open_at(self->bob, node, O_WRONLY, &fh));
	EXPECT_EQ(0, write_at(self->bob, node, fh, "two"));
	EXPECT_EQ(0, chown_at(self->kernel, node, FATTR_UID | FATTR_GID,
			      carol.uid, OTHER));
	EXPECT_EQ(0, close_at(self->bob, node, fh, true));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &carol, "d/f", &st));
	EXPECT_EQ(0, get_same(self->t.store, &carol, &st.hash, "two", 3));
	EXPECT_EQ(carol.uid, st.owner);
	EXPECT_EQ(OTHER, st.gid);
}

TEST_HARNESS_MAIN
