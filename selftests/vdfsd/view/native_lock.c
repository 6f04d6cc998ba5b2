// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks are those of a file: over all inodes that it has for those who read and
 * write it, and whatever becomes of its content. The test is the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/charge.h"
#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define FIRST 11
#define SECOND 12
#define THIRD 13
#define WAITING 40
#define INTERRUPT 50
#define LAST INT64_MAX
#define RANGES 5000

/* An open file. */
struct opened {
	struct asker a;
	uint64_t node;
	uint64_t fh;
};

FIXTURE(lock)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker kernel;
	struct vdfs_hash hash;
	struct opened reader;
	struct opened writer;
	struct opened late;
};

/* Open "names/f", as the kernel does: a stale inode is looked up once more. */
static int open_file(FIXTURE_DATA(lock) * self, uint32_t tid, int flags,
		     struct opened *out)
{
	int i, err = -ESTALE;

	out->a = as(&self->kernel, tid);
	for (i = 0; i < 2 && err == -ESTALE; i++) {
		out->node = node_at(out->a, "names/f");
		err = open_at(out->a, out->node, flags, &out->fh);
	}
	return err;
}

static int release(const struct opened *file)
{
	return close_at(file->a, file->node, file->fh, false);
}

/* A reader, a writer, and a reader of what was written since. */
FIXTURE_SETUP(lock)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, put_bytes(self->t.store, &admin, "one", 3, 0, "f",
			       &self->hash));
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &self->kernel));
	ASSERT_EQ(0, open_file(self, FIRST, O_RDONLY, &self->reader));
	ASSERT_EQ(0, open_file(self, SECOND, O_RDWR, &self->writer));
	ASSERT_EQ(0, put_bytes(self->t.store, &admin, "two", 3, 0, "f",
			       &self->hash));
	ASSERT_EQ(0, open_file(self, THIRD, O_RDONLY, &self->late));
	ASSERT_NE(self->reader.node, self->writer.node);
	ASSERT_NE(self->reader.node, self->late.node);
}

FIXTURE_TEARDOWN(lock)
{
	vdfs_fuse_stop(self->fuse);
	close(self->kernel.fd);
	tree_remove(&self->t);
}

static struct fuse_lk_in range(const struct opened *file, uint64_t owner,
			       int type, uint64_t start, uint64_t end)
{
	return (struct fuse_lk_in){
		.fh = file->fh,
		.owner = owner,
		.lk = { start, end, (uint32_t)type, (uint32_t)owner },
	};
}

static int set_range(const struct opened *file, uint64_t owner, int type,
		     uint64_t start, uint64_t end)
{
	struct fuse_lk_in in = range(file, owner, type, start, end);
	struct asker a = file->a;

	a.node = file->node;
	return ask(a, FUSE_SETLK, &in, sizeof(in), NULL, NULL, 0);
}

static struct fuse_lk_in whole(const struct opened *file, int type)
{
	/* The owner is the open file. */
	struct fuse_lk_in in = range(file, file->fh, type, 0, LAST);

	in.lk_flags = FUSE_LK_FLOCK;
	return in;
}

static int flock_file(const struct opened *file, int type)
{
	struct fuse_lk_in in = whole(file, type);
	struct asker a = file->a;

	a.node = file->node;
	return ask(a, FUSE_SETLK, &in, sizeof(in), NULL, NULL, 0);
}

/* One that waits; its answer comes later. */
static int flock_wait(const struct opened *file, int type)
{
	struct fuse_lk_in in = whole(file, type);
	struct asker a = file->a;

	a.node = file->node;
	return tell(a, WAITING, FUSE_SETLKW, &in, sizeof(in), NULL);
}

TEST_F(lock, of_all_opens)
{
	EXPECT_EQ(0, flock_file(&self->reader, F_WRLCK));
	EXPECT_EQ(-EAGAIN, flock_file(&self->writer, F_WRLCK));
	EXPECT_EQ(-EAGAIN, flock_file(&self->writer, F_RDLCK));
	EXPECT_EQ(-EAGAIN, flock_file(&self->late, F_RDLCK));
	EXPECT_EQ(0, flock_file(&self->reader, F_WRLCK));
	EXPECT_EQ(0, flock_file(&self->reader, F_RDLCK));
	EXPECT_EQ(0, flock_file(&self->writer, F_RDLCK));
	EXPECT_EQ(0, flock_file(&self->late, F_RDLCK));
	/* Nobody has the last one yet, and asking for it lost the first. */
	EXPECT_EQ(-EAGAIN, flock_file(&self->writer, F_WRLCK));
	EXPECT_EQ(0, flock_file(&self->reader, F_UNLCK));
	EXPECT_EQ(0, flock_file(&self->late, F_WRLCK));
	EXPECT_EQ(-EAGAIN, flock_file(&self->writer, F_RDLCK));
}

TEST_F(lock, of_what_it_becomes)
{
	struct opened again, other;

	ASSERT_EQ(0, flock_file(&self->writer, F_WRLCK));
	ASSERT_EQ(0, write_at(self->writer.a, self->writer.node,
			      self->writer.fh, "new"));
	ASSERT_EQ(0, open_file(self, FIRST, O_RDONLY, &again));
	EXPECT_EQ(-EAGAIN, flock_file(&again, F_RDLCK));
	ASSERT_EQ(0, vdfs_name_rename(self->t.store, &admin, "f", "g", false));
	ASSERT_EQ(0, put_bytes(self->t.store, &admin, "other", 5, 0, "f",
			       &self->hash));
	/* Another file of that name is not locked. */
	ASSERT_EQ(0, open_file(self, THIRD, O_RDONLY, &other));
	EXPECT_EQ(0, flock_file(&other, F_WRLCK));
	EXPECT_EQ(-EAGAIN, flock_file(&again, F_RDLCK));
	/* The last descriptor takes the lock along. */
	EXPECT_EQ(0, release(&self->writer));
	EXPECT_EQ(0, flock_file(&again, F_WRLCK));
}

TEST_F(lock, ranges)
{
	struct fuse_lk_in in = range(&self->late, 3, F_WRLCK, 0, LAST);
	struct fuse_lk_out out;
	struct asker a = self->late.a;

	ASSERT_EQ(0, set_range(&self->writer, 1, F_WRLCK, 10, 29));
	EXPECT_EQ(0, set_range(&self->reader, 2, F_RDLCK, 0, 9));
	EXPECT_EQ(0, set_range(&self->reader, 2, F_RDLCK, 30, LAST));
	EXPECT_EQ(-EAGAIN, set_range(&self->reader, 2, F_RDLCK, 9, 10));
	EXPECT_EQ(-EAGAIN, set_range(&self->reader, 2, F_RDLCK, 29, 30));
	/* A hole in the middle, read by both, and what is left around it. */
	EXPECT_EQ(0, set_range(&self->writer, 1, F_RDLCK, 15, 19));
	EXPECT_EQ(0, set_range(&self->late, 3, F_RDLCK, 15, 19));
	EXPECT_EQ(-EAGAIN, set_range(&self->late, 3, F_RDLCK, 14, 14));
	EXPECT_EQ(-EAGAIN, set_range(&self->late, 3, F_RDLCK, 20, 20));
	EXPECT_EQ(-EAGAIN, set_range(&self->late, 3, F_WRLCK, 15, 15));
	EXPECT_EQ(0, set_range(&self->writer, 1, F_UNLCK, 15, LAST));
	EXPECT_EQ(0, set_range(&self->late, 3, F_WRLCK, 15, 29));
	EXPECT_EQ(0, set_range(&self->reader, 2, F_UNLCK, 0, LAST));
	a.node = self->late.node;
	ASSERT_LT(0,
		  ask(a, FUSE_GETLK, &in, sizeof(in), NULL, &out, sizeof(out)));
	EXPECT_EQ(F_WRLCK, out.lk.type);
	EXPECT_EQ(10, out.lk.start);
	EXPECT_EQ(14, out.lk.end);
	EXPECT_EQ(1, out.lk.pid);
	in.lk.start = 15;
	ASSERT_LT(0,
		  ask(a, FUSE_GETLK, &in, sizeof(in), NULL, &out, sizeof(out)));
	EXPECT_EQ(F_UNLCK, out.lk.type);
	/* These and those of flock(2) do not see each other. */
	EXPECT_EQ(0, flock_file(&self->reader, F_WRLCK));
}

/* One descriptor of a process is closed: its ranges are, others' are not. */
TEST_F(lock, of_processes)
{
	struct fuse_flush_in flush = { .fh = self->late.fh, .lock_owner = 1 };
	struct asker a = self->late.a;

	ASSERT_EQ(0, set_range(&self->writer, 1, F_WRLCK, 0, 9));
	ASSERT_EQ(0, set_range(&self->writer, 2, F_WRLCK, 10, 19));
	ASSERT_EQ(0, flock_file(&self->late, F_WRLCK));
	a.node = self->late.node;
	ASSERT_EQ(0, ask(a, FUSE_FLUSH, &flush, sizeof(flush), NULL, NULL, 0));
	/* That one is no process. */
	flush.lock_owner = self->late.fh;
	ASSERT_EQ(0, ask(a, FUSE_FLUSH, &flush, sizeof(flush), NULL, NULL, 0));
	EXPECT_EQ(0, set_range(&self->reader, 3, F_RDLCK, 0, 9));
	EXPECT_EQ(-EAGAIN, set_range(&self->reader, 3, F_RDLCK, 0, 10));
	EXPECT_EQ(-EAGAIN, flock_file(&self->reader, F_WRLCK));
	EXPECT_EQ(0, release(&self->writer));
	EXPECT_EQ(0, set_range(&self->reader, 3, F_RDLCK, 0, 10));
}

TEST_F(lock, as_many_as_there_may_be)
{
	int i, err = 0;

	for (i = 0; i < RANGES && !err; i++)
		err = set_range(&self->writer, 1, F_WRLCK, 2 * (uint64_t)i,
				2 * (uint64_t)i);
	EXPECT_EQ(-ENOLCK, err);
	EXPECT_EQ(0, set_range(&self->reader, 2, F_WRLCK, 1, 1));
	EXPECT_EQ(0, release(&self->writer));
	EXPECT_EQ(0, set_range(&self->reader, 2, F_WRLCK, 0, LAST));
}

/* More wait than there are threads, and all are served meanwhile. */
static uint64_t charged(FIXTURE_DATA(lock) * self, uint32_t uid)
{
	return vdfs_charged(self->t.store, uid, VDFS_CHARGE_LOCKS);
}

/* Over all files and owners; what takes no range more is always granted. */
TEST_F(lock, as_many_as_a_user_may_have)
{
	uint64_t most = vdfs_charge_limit(self->t.store, VDFS_CHARGE_LOCKS);
	const uint32_t uid = self->kernel.uid;
	uint64_t unique = 0;

	ASSERT_EQ(0, charged(self, uid));
	ASSERT_EQ(0,
		  vdfs_charge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 2));
	EXPECT_EQ(0, set_range(&self->reader, 7, F_RDLCK, 0, 9));
	EXPECT_EQ(0, set_range(&self->reader, 8, F_RDLCK, 0, 9));
	EXPECT_EQ(-ENOLCK, set_range(&self->reader, 9, F_RDLCK, 0, 9));
	/* What is left on both sides is a range more. */
	EXPECT_EQ(-ENOLCK, set_range(&self->reader, 7, F_UNLCK, 3, 4));
	EXPECT_EQ(0, set_range(&self->reader, 7, F_UNLCK, 5, 9));
	EXPECT_EQ(most, charged(self, uid));
	EXPECT_EQ(0, set_range(&self->reader, 7, F_UNLCK, 0, 9));
	EXPECT_EQ(most - 1, charged(self, uid));
	EXPECT_EQ(0, set_range(&self->reader, 8, F_UNLCK, 3, 4));
	EXPECT_EQ(most, charged(self, uid));
	ASSERT_EQ(0, release(&self->reader));
	EXPECT_EQ(most - 2, charged(self, uid));
	vdfs_uncharge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 2);
	/* Those that wait count, until they are answered. */
	EXPECT_EQ(0, flock_file(&self->writer, F_WRLCK));
	EXPECT_EQ(1, charged(self, uid));
	ASSERT_EQ(0,
		  vdfs_charge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 1));
	EXPECT_EQ(0, flock_wait(&self->late, F_WRLCK));
	EXPECT_EQ(-ENOLCK, hear(self->kernel, &unique, NULL, 0));
	EXPECT_EQ(WAITING, unique);
	vdfs_uncharge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 1);
}

TEST_F(lock, that_is_waited_for)
{
	struct fuse_lk_in off;
	struct asker a = self->writer.a;
	uint64_t unique;
	int i, granted = 0;

	ASSERT_EQ(0, flock_file(&self->writer, F_WRLCK));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, flock_wait(&self->reader, F_RDLCK));
	ASSERT_NE(0, node_at(self->kernel, "names/f"));
	off = whole(&self->writer, F_UNLCK);
	a.node = self->writer.node;
	ASSERT_EQ(0, tell(a, WAITING + 1, FUSE_SETLK, &off, sizeof(off), NULL));
	for (i = 0; i < 21; i++) {
		ASSERT_EQ(0, hear(a, &unique, NULL, 0));
		granted += unique == WAITING;
	}
	EXPECT_EQ(20, granted);
	EXPECT_EQ(-EAGAIN, flock_file(&self->writer, F_WRLCK));
}

#define LOOKS 20000 /* of a millisecond */

/* Ask for a range of the writer's, and wait until the request is in line. */
static int wait_as(FIXTURE_DATA(lock) * self, uint64_t unique, uint64_t owner,
		   uint64_t start, uint64_t end)
{
	const struct opened *file = &self->writer;
	struct fuse_lk_in in = range(file, owner, F_WRLCK, start, end);
	struct asker a = file->a;
	uint64_t before = charged(self, a.uid);
	int i, err;

	a.node = file->node;
	err = tell(a, unique, FUSE_SETLKW, &in, sizeof(in), NULL);
	for (i = 0; i < LOOKS && !err; i++) {
		if (charged(self, a.uid) > before)
			return 0;
		usleep(1000);
	}
	return err ?: -ETIMEDOUT;
}

#define UNLOCK 60

static int tell_unlock(const struct opened *file, uint64_t owner)
{
	struct fuse_lk_in in = range(file, owner, F_UNLCK, 0, LAST);
	struct asker a = file->a;

	a.node = file->node;
	return tell(a, UNLOCK, FUSE_SETLK, &in, sizeof(in), NULL);
}

/* The answer to an unlock, and to the one that it lets have a lock. */
static int hear_two(const struct opened *file, uint64_t granted)
{
	uint64_t first = 0, second = 0;
	int err = hear(file->a, &first, NULL, 0);

	if (!err)
		err = hear(file->a, &second, NULL, 0);
	if (err)
		return err;
	return first + second == UNLOCK + granted ? 0 : -EILSEQ;
}

/* Those that waited for different ranges are granted as they came. */
TEST_F(lock, that_is_waited_for_in_order)
{
	const struct opened *w = &self->writer;

	ASSERT_EQ(0, set_range(w, 1, F_WRLCK, 0, 9));
	ASSERT_EQ(0, set_range(w, 2, F_WRLCK, 20, 29));
	ASSERT_EQ(0, wait_as(self, WAITING, 3, 25, 30));
	ASSERT_EQ(0, wait_as(self, WAITING + 1, 4, 5, 30));
	ASSERT_EQ(0, wait_as(self, WAITING + 2, 5, 0, 25));
	ASSERT_EQ(0, set_range(w, 1, F_UNLCK, 0, 9));
	/* All of them still wait for the other. */
	EXPECT_EQ(0, set_range(&self->reader, 6, F_WRLCK, 0, 9));
	EXPECT_EQ(0, set_range(&self->reader, 6, F_UNLCK, 0, 9));
	/* Only its middle is let go. */
	ASSERT_EQ(0, set_range(w, 2, F_UNLCK, 22, 24));
	EXPECT_EQ(-EAGAIN, set_range(&self->reader, 6, F_WRLCK, 25, 25));
	ASSERT_EQ(0, tell_unlock(w, 2));
	ASSERT_EQ(0, hear_two(w, WAITING));
	ASSERT_EQ(0, tell_unlock(w, 3));
	ASSERT_EQ(0, hear_two(w, WAITING + 1));
	ASSERT_EQ(0, tell_unlock(w, 4));
	ASSERT_EQ(0, hear_two(w, WAITING + 2));
}

/* One that waits has paid for what it is granted. */
TEST_F(lock, that_is_waited_for_at_the_limit)
{
	uint64_t most = vdfs_charge_limit(self->t.store, VDFS_CHARGE_LOCKS);
	const struct opened *w = &self->writer;
	const uint32_t uid = self->kernel.uid;
	uint64_t first = 0, second = 0;
	struct fuse_lk_in in;
	struct asker a = w->a;

	ASSERT_EQ(0, set_range(w, 1, F_WRLCK, 0, 9));
	ASSERT_EQ(0, wait_as(self, WAITING, 3, 5, 9));
	ASSERT_EQ(0,
		  vdfs_charge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 2));
	/* What is left of the first is a range still. */
	in = range(w, 1, F_UNLCK, 5, 9);
	a.node = w->node;
	ASSERT_EQ(0, tell(a, UNLOCK, FUSE_SETLK, &in, sizeof(in), NULL));
	EXPECT_EQ(0, hear(a, &first, NULL, 0));
	EXPECT_EQ(0, hear(a, &second, NULL, 0));
	EXPECT_EQ(UNLOCK + WAITING, first + second);
	EXPECT_EQ(most, charged(self, uid));
	EXPECT_EQ(-EAGAIN, set_range(&self->reader, 6, F_WRLCK, 5, 9));
	EXPECT_EQ(0, set_range(w, 3, F_UNLCK, 0, 9));
	EXPECT_EQ(most - 1, charged(self, uid));
	vdfs_uncharge(self->t.store, uid, VDFS_CHARGE_LOCKS, most - 2);
	EXPECT_EQ(1, charged(self, uid));
}

TEST_F(lock, that_is_given_up)
{
	struct fuse_interrupt_in in = { .unique = WAITING };
	struct asker a = self->reader.a;
	uint64_t unique = 0;
	int i, err = 0;

	ASSERT_EQ(0, flock_file(&self->writer, F_WRLCK));
	ASSERT_EQ(0, flock_wait(&self->reader, F_RDLCK));
	/* It may overtake what it interrupts: then it is asked once more. */
	for (i = 0; i < 1000 && unique != WAITING; i++) {
		ASSERT_EQ(0, tell(a, INTERRUPT, FUSE_INTERRUPT, &in, sizeof(in),
				  NULL));
		/* So that it is answered, if it found nothing. */
		ASSERT_EQ(0, tell(as(&a, 0), INTERRUPT + 1, FUSE_STATFS, NULL,
				  0, NULL));
		while (unique != INTERRUPT + 1) {
			char out[200];

			err = hear(a, &unique, out, sizeof(out));
			if (unique == WAITING)
				break;
		}
		if (unique != WAITING)
			unique = 0;
	}
	EXPECT_EQ(WAITING, unique);
	EXPECT_EQ(-EINTR, err);
}

/* The view ends, and nobody waits any more. */
TEST_F(lock, that_is_waited_for_at_the_end)
{
	ASSERT_EQ(0, flock_file(&self->writer, F_WRLCK));
	ASSERT_EQ(0, flock_wait(&self->reader, F_RDLCK));
	ASSERT_NE(0, node_at(self->kernel, "names/f"));
}

TEST_HARNESS_MAIN
