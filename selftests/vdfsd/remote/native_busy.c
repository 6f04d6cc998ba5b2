// SPDX-License-Identifier: GPL-2.0-only
/* Nobody waits for what the bucket owes another one. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <kselftest_harness.h>

#include "vdfsd/pair.h"
#include "vdfsd/way.h"

#define NAME "/bucket/some/prefix/name/"
#define BLOB "/bucket/some/prefix/blob/"
#define READERS 5 /* more than there are fetches for one who reads */

FIXTURE(busy)
{
	struct pair p;
	struct vdfs_hash hash;
	struct way way;
};

static int put_as(struct tree *t, const struct vdfs_who *who, const char *name,
		  const char *text)
{
	struct vdfs_hash hash;

	return put_bytes(t->store, who, text, strlen(text), 0, name, &hash);
}

static int put(struct tree *t, const char *name, const char *text)
{
	return put_as(t, &alice, name, text);
}

static int same(struct tree *t, const char *name, const char *text)
{
	return name_same(t, &alice, name, text, strlen(text));
}

FIXTURE_SETUP(busy)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, pair_make(&self->p));
	ASSERT_EQ(0, put(&self->p.here, "a/x", "one"));
	ASSERT_EQ(0, put(&self->p.here, "b/y", "one"));
	ASSERT_EQ(0, same(&self->p.there, "a/x", "one"));
}

FIXTURE_TEARDOWN(busy)
{
	way_close(&self->way);
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
	pair_remove(&self->p);
}

/* Let a host use the bucket over a proxy that holds the answers to these. */
static int hold(FIXTURE_DATA(busy) * self, const char *match, int most)
{
	int err;

	self->way = (struct way){
		.bad = INT_MAX, .match = match, .most = most, .hold = 1
	};
	err = way_open(&self->way, &self->p.b);
	snprintf(self->p.b.url, sizeof(self->p.b.url),
		 "s3://127.0.0.1:%u/bucket/some/prefix", self->way.port);
	/* No time ends what is held. */
	self->p.options.s3.stall_s = 10000;
	self->p.options.s3.answer_s = 10000;
	return err ?: pair_reopen(&self->p, &self->p.here);
}

static void let_go(FIXTURE_DATA(busy) * self)
{
	atomic_store(&self->way.state->quiet, 1);
}

/* One who does something to a name, in a thread of its own. */
struct other {
	pthread_t thread;
	struct tree *t;
	const struct vdfs_who *who; /* NULL = alice */
	const char *name;
	const char *text; /* to put there; NULL = only look */
	const char *to; /* or where to move it */
	const char *same; /* or what it has to be */
	uint64_t ino; /* with text: of the name, wherever it is */
	uint64_t dir; /* of where the name is new */
	atomic_bool done;
	int err;
};

static void *work(void *arg)
{
	struct other *o = arg;
	const struct vdfs_who *who = o->who ? o->who : &alice;
	struct vdfs_place there = { .ino = o->ino,
				    .dir = o->dir,
				    .path = o->name,
				    .mode = 0600,
				    .mtime_ns = INT64_MIN };
	struct vdfs_stat st;

	if (o->ino || o->dir)
		o->err = put_at(o->t->store, who, o->text, &there, &st);
	else if (o->text)
		o->err = put_as(o->t, who, o->name, o->text);
	else if (o->same)
		o->err =
			name_same(o->t, who, o->name, o->same, strlen(o->same));
	else if (o->to)
		o->err = vdfs_name_rename(o->t->store, who, o->name, o->to,
					  false);
	else
		o->err = vdfs_name_stat(o->t->store, who, o->name, &st);
	atomic_store(&o->done, true);
	return NULL;
}

static int start(struct other *o, struct tree *t)
{
	o->t = t;
	return pthread_create(&o->thread, NULL, work, o);
}

/* Until as many answers are held; false after half a minute without them. */
static bool wait_held(FIXTURE_DATA(busy) * self, int n)
{
	struct timespec t = { .tv_nsec = 10000000 };
	int i;

	for (i = 0; i < 3000; i++) {
		if (atomic_load(&self->way.state->disturbed) >= n)
			return true;
		nanosleep(&t, NULL);
	}
	return false;
}

static int count(void *arg, const char *name, const struct vdfs_stat *st)
{
	(void)name;
	(void)st;
	++*(int *)arg;
	return 0;
}

/* All that one may do with names that nobody else has. */
static int use_names(struct tree *t, const char *dir)
{
	char x[32], y[32];
	struct vdfs_stat st;
	int n = 0, err;

	snprintf(x, sizeof(x), "%s/sub/x", dir);
	snprintf(y, sizeof(y), "%s/sub/y", dir);
	err = put(t, x, "mine");
	if (!err)
		err = same(t, x, "mine");
	if (!err)
		err = vdfs_name_rename(t->store, &alice, x, y, false);
	if (!err)
		err = vdfs_name_list(t->store, &alice, dir, NULL, count, &n);
	if (!err)
		err = vdfs_name_unlink(t->store, &alice, y);
	if (!err)
		err = vdfs_name_stat(t->store, &alice, y, &st) == -ENOENT ?
			      0 :
			      -EEXIST;
	return err;
}

TEST_F_TIMEOUT(busy, while_another_one_looks, 120)
{
	struct other o = { .name = "a/x" };

	ASSERT_EQ(0, hold(self, "GET " NAME "a/x", 0));
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	EXPECT_EQ(0, use_names(&self->p.here, "b"));
	EXPECT_EQ(0, use_names(&self->p.here, "new"));
	EXPECT_EQ(0, same(&self->p.here, "b/y", "one"));
	EXPECT_FALSE(atomic_load(&o.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(0, o.err);
}

/* A content of several users is one of each: none gets that of another. */
TEST_F_TIMEOUT(busy, while_others_fetch_the_same, 60)
{
	static const char *const names[READERS] = { "n0", "n1", "n2", "n3",
						    "n4" };
	struct vdfs_who who[READERS];
	struct other o[READERS];
	int i;

	for (i = 0; i < READERS; i++) {
		who[i] = (struct vdfs_who){ .uid = 2000 + i, .gid = 2000 };
		o[i] = (struct other){ .who = &who[i],
				       .name = names[i],
				       .same = "five" };
		ASSERT_EQ(0, put_as(&self->p.there, &who[i], names[i], "five"));
	}
	ASSERT_EQ(0, hold(self, "GET " BLOB, 0));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, start(&o[i], &self->p.here));
	EXPECT_TRUE(wait_held(self, READERS));
	let_go(self);
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(o[i].thread, NULL));
		EXPECT_EQ(0, o[i].err);
	}
}

TEST_F_TIMEOUT(busy, while_another_one_changes, 120)
{
	struct other o = { .name = "a/x", .text = "two" };

	ASSERT_EQ(0, hold(self, "PUT " NAME "a/x ", 0));
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	EXPECT_EQ(0, use_names(&self->p.here, "a/xx"));
	EXPECT_EQ(0, use_names(&self->p.here, "b"));
	EXPECT_EQ(0, use_names(&self->p.here, "new"));
	/* The name itself is what it was, until it has changed. */
	EXPECT_EQ(0, same(&self->p.here, "a/x", "one"));
	EXPECT_FALSE(atomic_load(&o.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(0, o.err);
	EXPECT_EQ(0, same(&self->p.here, "a/x", "two"));
	pair_get_old();
	EXPECT_EQ(0, same(&self->p.there, "a/x", "two"));
}

/* Two changes of one name, or of a directory with it, go one by one. */
TEST_F_TIMEOUT(busy, changes_of_one_name_in_turn, 120)
{
	struct other first = { .name = "a/x", .text = "two" };
	struct other second = { .name = "a/x", .text = "three" };
	struct timespec t = { .tv_nsec = 300000000 };
	struct vdfs_stat st;

	ASSERT_EQ(0, hold(self, "PUT " NAME "a/x", 1));
	ASSERT_EQ(0, start(&first, &self->p.here));
	wait_held(self, 1);
	ASSERT_EQ(0, start(&second, &self->p.here));
	/* Time enough to overtake it. */
	nanosleep(&t, NULL);
	EXPECT_FALSE(atomic_load(&first.done));
	EXPECT_FALSE(atomic_load(&second.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(first.thread, NULL));
	ASSERT_EQ(0, pthread_join(second.thread, NULL));
	EXPECT_EQ(0, first.err);
	EXPECT_EQ(0, second.err);
	EXPECT_EQ(0, same(&self->p.here, "a/x", "three"));
	pair_get_old();
	EXPECT_EQ(0, same(&self->p.there, "a/x", "three"));
	ASSERT_EQ(0, vdfs_name_rename(self->p.here.store, &alice, "a", "c",
				      false));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.here.store, &alice, "a/x", &st));
	pair_get_old();
	EXPECT_EQ(0, same(&self->p.there, "c/x", "three"));
}

/* The second waits until the first has ended, and then is done. */
static void in_turn(struct __test_metadata *_metadata,
		    FIXTURE_DATA(busy) * self, const char *match,
		    struct other *first, struct other *second)
{
	struct timespec t = { .tv_nsec = 300000000 };

	ASSERT_EQ(0, hold(self, match, 1));
	ASSERT_EQ(0, start(first, &self->p.here));
	wait_held(self, 1);
	ASSERT_EQ(0, start(second, &self->p.here));
	nanosleep(&t, NULL);
	EXPECT_FALSE(atomic_load(&second->done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(first->thread, NULL));
	ASSERT_EQ(0, pthread_join(second->thread, NULL));
	EXPECT_EQ(0, first->err);
	pair_get_old();
}

TEST_F_TIMEOUT(busy, nothing_comes_below_a_name_meanwhile, 120)
{
	struct other first = { .name = "a/n", .text = "new" };
	struct other second = { .name = "a/n/m", .text = "below" };

	in_turn(_metadata, self, "PUT " NAME "a/n", &first, &second);
	EXPECT_EQ(-ENOTDIR, second.err);
	EXPECT_EQ(0, same(&self->p.here, "a/n", "new"));
	EXPECT_EQ(0, same(&self->p.there, "a/n", "new"));
}

TEST_F_TIMEOUT(busy, a_directory_does_not_move_meanwhile, 120)
{
	struct other first = { .name = "a/x", .text = "two" };
	struct other second = { .name = "a", .to = "c" };

	in_turn(_metadata, self, "PUT " NAME "a/x", &first, &second);
	EXPECT_EQ(0, second.err);
	EXPECT_EQ(0, same(&self->p.here, "c/x", "two"));
	EXPECT_EQ(0, same(&self->p.there, "c/x", "two"));
}

/* The second knows the file by its number, and finds where it went. */
TEST_F_TIMEOUT(busy, a_file_that_moves_is_followed, 120)
{
	struct other first = { .name = "a/x", .to = "a/y" };
	struct other second = { .text = "two" };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_stat(self->p.here.store, &alice, "a/x", &st));
	second.ino = st.ino;
	in_turn(_metadata, self, "PUT " NAME "a/y", &first, &second);
	EXPECT_EQ(0, second.err);
	EXPECT_EQ(0, same(&self->p.here, "a/y", "two"));
	EXPECT_EQ(0, same(&self->p.there, "a/y", "two"));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.there.store, &alice, "a/x", &st));
}

/* Another one may be where the directory was. */
TEST_F_TIMEOUT(busy, a_directory_that_moves_is_followed, 120)
{
	struct other first = { .name = "a", .to = "c" };
	struct other second = { .name = "n", .text = "new" };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_stat(self->p.here.store, &alice, "a", &st));
	second.dir = st.ino;
	in_turn(_metadata, self, "PUT " NAME "c/x", &first, &second);
	EXPECT_EQ(0, second.err);
	EXPECT_EQ(0, same(&self->p.here, "c/n", "new"));
	EXPECT_EQ(0, same(&self->p.there, "c/n", "new"));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.there.store, &alice, "a", &st));
}

TEST_F_TIMEOUT(busy, a_new_directory_is_the_first_ones, 120)
{
	struct other first = { .name = "n/a", .text = "first" };
	struct other second = { .who = &bob, .name = "n/b", .text = "second" };
	struct vdfs_stat st;

	in_turn(_metadata, self, "PUT " NAME "n_", &first, &second);
	EXPECT_EQ(-EACCES, second.err);
	ASSERT_EQ(0, vdfs_name_stat(self->p.here.store, &bob, "n", &st));
	EXPECT_EQ(alice.uid, st.owner);
	ASSERT_EQ(0, vdfs_name_stat(self->p.there.store, &bob, "n", &st));
	EXPECT_EQ(alice.uid, st.owner);
}

/* The directory that the second was to be in went: it makes another. */
TEST_F_TIMEOUT(busy, a_directory_that_moves_is_made_again, 120)
{
	struct other first = { .name = "a", .to = "c" };
	struct other second = { .name = "a/z", .text = "new" };
	struct vdfs_s3_info info;

	in_turn(_metadata, self, "PUT " NAME "c_", &first, &second);
	EXPECT_EQ(0, second.err);
	EXPECT_EQ(0, same(&self->p.here, "c/x", "one"));
	EXPECT_EQ(0, same(&self->p.there, "c/x", "one"));
	EXPECT_EQ(0, same(&self->p.there, "a/z", "new"));
	EXPECT_EQ(0, vdfs_s3_head(self->p.s3, "name/a_", &info));
}

/* An answer from before a change does not take it back. */
static void be_late(struct __test_metadata *_metadata,
		    FIXTURE_DATA(busy) * self)
{
	struct other o = { .name = "a/x" };

	/* What is learned holds for long. */
	self->p.options.fresh_ms = 600000;
	ASSERT_EQ(0, hold(self, "GET " NAME "a/x", 1));
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	EXPECT_EQ(0, put(&self->p.here, "a/x", "ours"));
	EXPECT_FALSE(atomic_load(&o.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(0, same(&self->p.here, "a/x", "ours"));
	pair_get_old();
	EXPECT_EQ(0, same(&self->p.there, "a/x", "ours"));
}

TEST_F_TIMEOUT(busy, an_old_answer_changes_nothing, 120)
{
	ASSERT_EQ(0, put(&self->p.there, "a/x", "theirs"));
	be_late(_metadata, self);
}

TEST_F_TIMEOUT(busy, an_old_answer_takes_nothing_away, 120)
{
	ASSERT_EQ(0, vdfs_name_unlink(self->p.there.store, &alice, "a/x"));
	be_late(_metadata, self);
}

/* Nor when all that was learned before the change was known already. */
TEST_F_TIMEOUT(busy, an_old_answer_is_told_by_the_change_alone, 120)
{
	struct other o = { .name = "a/x" };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_stat(self->p.there.store, &alice, "a/x", &st));
	ASSERT_EQ(0, put(&self->p.there, "a/x", "theirs"));
	self->p.options.fresh_ms = 600000;
	ASSERT_EQ(0, hold(self, "GET " NAME "a/x", 1));
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	/* It is again what it was. */
	ASSERT_EQ(0, put(&self->p.there, "a/x", "one"));
	ASSERT_EQ(0, vdfs_name_change(self->p.there.store, &alice, "a/x", ~0U,
				      st.mtime_ns));
	EXPECT_EQ(0, put(&self->p.here, "a/x", "ours"));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(0, same(&self->p.here, "a/x", "ours"));
}

TEST_F_TIMEOUT(busy, of_two_answers_the_newer_counts, 120)
{
	struct other o = { .name = "a/x" };

	ASSERT_EQ(0, put(&self->p.there, "a/x", "theirs"));
	self->p.options.fresh_ms = 600000;
	ASSERT_EQ(0, hold(self, "GET " NAME "a/x", 1));
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	ASSERT_EQ(0, put(&self->p.there, "a/x", "newer"));
	EXPECT_EQ(0, same(&self->p.here, "a/x", "newer"));
	EXPECT_FALSE(atomic_load(&o.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	EXPECT_EQ(0, same(&self->p.here, "a/x", "newer"));
}

/* Of a bucket that is down one finds out whether it is back. */
TEST_F_TIMEOUT(busy, only_one_asks_what_does_not_answer, 120)
{
	struct other o = { .name = "a/x" };
	struct vdfs_stat st;
	int i;

	ASSERT_EQ(0, hold(self, "GET " NAME, 0));
	bucket_stop(&self->p.b);
	EXPECT_EQ(0, same(&self->p.here, "a/x", "one"));
	EXPECT_NE(0, vdfs_name_stat(self->p.here.store, &alice, "n", &st));
	ASSERT_EQ(0, bucket_start(&self->p.b));
	pair_get_old();
	atomic_store(&self->way.state->disturbed, 0);
	ASSERT_EQ(0, start(&o, &self->p.here));
	wait_held(self, 1);
	for (i = 0; i < 3; i++) {
		pair_get_old();
		EXPECT_EQ(0, same(&self->p.here, "a/x", "one"));
		EXPECT_EQ(0, same(&self->p.here, "b/y", "one"));
	}
	EXPECT_EQ(1, atomic_load(&self->way.state->disturbed));
	EXPECT_FALSE(atomic_load(&o.done));
	let_go(self);
	ASSERT_EQ(0, pthread_join(o.thread, NULL));
	pair_get_old();
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.here.store, &alice, "n", &st));
}

TEST_HARNESS_MAIN
