// SPDX-License-Identifier: GPL-2.0-only
/* Puts that become the content of one name, of a store with a bucket. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "vdfsd/pair.h"

FIXTURE(place)
{
	struct pair p;
	struct vdfs_stat st;
};

static int put_new(struct tree *t, const char *path, const char *text,
		   struct vdfs_stat *st)
{
	struct vdfs_place new = { .path = path,
				  .mode = 0640,
				  .mtime_ns = INT64_MIN };

	return put_at(t->store, &alice, text, &new, st);
}

static int put_there(struct tree *t, const struct vdfs_stat *at,
		     const char *text, struct vdfs_stat *st)
{
	struct vdfs_place there = { .ino = at->ino, .mtime_ns = INT64_MIN };

	return put_at(t->store, &alice, text, &there, st);
}

static int text_same(struct tree *t, const char *name, const char *text)
{
	return name_same(t, &alice, name, text, strlen(text));
}

FIXTURE_SETUP(place)
{
	ASSERT_EQ(0, pair_make(&self->p));
	ASSERT_EQ(0, vdfs_name_mkdir(self->p.here.store, &alice, "dir", 0755));
	ASSERT_EQ(0, put_new(&self->p.here, "dir/file", "one", &self->st));
}

FIXTURE_TEARDOWN(place)
{
	if (self->p.here.store)
		EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
	pair_remove(&self->p);
}

/*
 * One host is told of a name what the other is, but for its number and when it
 * changed there.
 */
static int told_alike(struct pair *p, const char *name)
{
	struct vdfs_stat a, b;
	int err;

	pair_get_old();
	err = vdfs_name_stat(p->here.store, &alice, name, &a);
	if (!err)
		err = vdfs_name_stat(p->there.store, &alice, name, &b);
	a.ino = b.ino;
	a.ctime_ns = b.ctime_ns;
	return err ?: memcmp(&a, &b, sizeof(a)) ? -EILSEQ : 0;
}

TEST_F_TIMEOUT(place, seen_by_the_other, 120)
{
	struct vdfs_stat st, now;

	EXPECT_EQ(S_IFREG | 0640, self->st.mode);
	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "one"));
	EXPECT_EQ(0, told_alike(&self->p, "dir/file"));
	ASSERT_EQ(0, put_there(&self->p.here, &self->st, "second", &st));
	EXPECT_EQ(self->st.ino, st.ino);
	EXPECT_EQ(6, st.size);
	ASSERT_EQ(0,
		  vdfs_name_stat(self->p.here.store, &alice, "dir/file", &now));
	EXPECT_EQ(0, memcmp(&st, &now, sizeof(st)));
	EXPECT_EQ(0, told_alike(&self->p, "dir/file"));
	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "second"));
	/* By its number also where it goes. */
	ASSERT_EQ(0, vdfs_name_rename(self->p.here.store, &alice, "dir",
				      "moved", false));
	ASSERT_EQ(0, put_there(&self->p.here, &self->st, "third", &st));
	pair_get_old();
	EXPECT_EQ(0, text_same(&self->p.there, "moved/file", "third"));
	EXPECT_EQ(-ENOENT, text_same(&self->p.there, "dir/file", "third"));
	/* And back. */
	ASSERT_EQ(0, vdfs_name_stat(self->p.there.store, &alice, "moved/file",
				    &now));
	ASSERT_EQ(0, put_there(&self->p.there, &now, "fourth", &st));
	EXPECT_EQ(0, told_alike(&self->p, "moved/file"));
	EXPECT_EQ(0, text_same(&self->p.here, "moved/file", "fourth"));
}

TEST_F_TIMEOUT(place, new_to_the_other_too, 120)
{
	struct vdfs_stat st;

	/* What was learned may hold for long, but not for this. */
	self->p.options.fresh_ms = 600000;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.there));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.there.store, &alice, "dir/new", &st));
	ASSERT_EQ(0, put_new(&self->p.here, "dir/new", "here", &st));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.there.store, &alice, "dir/new", &st));
	EXPECT_EQ(-EEXIST, put_new(&self->p.there, "dir/new", "there", &st));
	EXPECT_EQ(0, text_same(&self->p.there, "dir/new", "here"));
	pair_get_old();
	EXPECT_EQ(0, text_same(&self->p.here, "dir/new", "here"));
}

TEST_F_TIMEOUT(place, refused_as_without_a_bucket, 120)
{
	struct vdfs_place there = { .ino = self->st.ino,
				    .mtime_ns = INT64_MIN };
	struct vdfs_stat st;

	EXPECT_EQ(-EEXIST, put_new(&self->p.here, "dir/file", "x", &st));
	EXPECT_EQ(-EEXIST, put_new(&self->p.here, "", "x", &st));
	EXPECT_EQ(-EINVAL, put_new(&self->p.here, "dir/../file", "x", &st));
	EXPECT_EQ(-ENOENT, put_new(&self->p.here, "nowhere/file", "x", &st));
	EXPECT_EQ(-EACCES, put_at(self->p.here.store, &bob, "x", &there, &st));
	ASSERT_EQ(0, vdfs_name_stat(self->p.here.store, &alice, "dir", &st));
	EXPECT_EQ(-EISDIR, put_there(&self->p.here, &st, "x", &st));
	st.ino = 1;
	EXPECT_EQ(-EISDIR, put_there(&self->p.here, &st, "x", &st));
	st.ino = 123456;
	EXPECT_EQ(-ESTALE, put_there(&self->p.here, &st, "x", &st));
	ASSERT_EQ(0, vdfs_name_unlink(self->p.here.store, &alice, "dir/file"));
	EXPECT_EQ(-ESTALE,
		  put_at(self->p.here.store, &alice, "x", &there, &st));
	pair_get_old();
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.there.store, &alice, "dir/file", &st));
}

TEST_F_TIMEOUT(place, taken_away_by_the_other, 120)
{
	struct vdfs_stat st;

	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "one"));
	ASSERT_EQ(0, vdfs_name_rename(self->p.there.store, &alice, "dir/file",
				      "dir/other", false));
	pair_get_old();
	EXPECT_EQ(-ESTALE, put_there(&self->p.here, &self->st, "lost", &st));
	EXPECT_EQ(0, text_same(&self->p.here, "dir/other", "one"));
	EXPECT_EQ(0, text_same(&self->p.there, "dir/other", "one"));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.here.store, &alice, "dir/file", &st));
}

TEST_F_TIMEOUT(place, unchanged_while_nobody_answers, 120)
{
	struct vdfs_stat st, now;

	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "one"));
	bucket_stop(&self->p.b);
	pair_get_old();
	EXPECT_EQ(-EHOSTUNREACH,
		  put_there(&self->p.here, &self->st, "two", &st));
	EXPECT_EQ(-EHOSTUNREACH, put_new(&self->p.here, "dir/new", "x", &st));
	ASSERT_EQ(0,
		  vdfs_name_stat(self->p.here.store, &alice, "dir/file", &now));
	EXPECT_EQ(0, memcmp(&self->st, &now, sizeof(now)));
	EXPECT_EQ(0, text_same(&self->p.here, "dir/file", "one"));
	ASSERT_EQ(0, bucket_start(&self->p.b));
	pair_get_old();
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->p.here.store, &alice, "dir/new", &st));
	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "one"));
	EXPECT_EQ(0, put_there(&self->p.here, &self->st, "two", &st));
	pair_get_old();
	EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "two"));
}

#define ROUNDS 12

/* One of two hosts that write the same name again and again. */
struct writer {
	struct tree *t;
	const char *prefix;
	int err;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;
	char text[32];
	struct vdfs_stat st;
	int i;

	for (i = 0; !w->err && i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "%s %d", w->prefix, i);
		w->err = vdfs_name_stat(w->t->store, &alice, "dir/file", &st);
		if (!w->err)
			w->err = put_there(w->t, &st, text, &st);
	}
	return NULL;
}

TEST_F_TIMEOUT(place, written_by_both, 120)
{
	struct writer w[2] = { { &self->p.here, "here", 0 },
			       { &self->p.there, "there", 0 } };
	pthread_t thread[2];
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, write_on, &w[i]));
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, w[i].err);
	}
	/* The last of one of them, and the same for both. */
	EXPECT_EQ(0, told_alike(&self->p, "dir/file"));
	if (text_same(&self->p.here, "dir/file", "here 11")) {
		EXPECT_EQ(0, text_same(&self->p.here, "dir/file", "there 11"));
		EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "there 11"));
	} else {
		EXPECT_EQ(0, text_same(&self->p.there, "dir/file", "here 11"));
	}
}

/* A bucket knows paths: those that begin elsewhere are told from the root. */
TEST_F_TIMEOUT(place, paths_from_a_directory, 120)
{
	struct tree *here = &self->p.here;
	struct vdfs_who from = alice, name = alice;
	struct vdfs_place new = { .path = "new", .mtime_ns = INT64_MIN };
	struct vdfs_stat dir, st;

	ASSERT_EQ(0, vdfs_name_stat(here->store, &alice, "dir", &dir));
	ASSERT_EQ(0,
		  vdfs_name_rename(here->store, &alice, "dir", "moved", false));
	from.at = dir.ino;
	new.dir = dir.ino;
	name.at = self->st.ino;
	ASSERT_EQ(0, put_at(here->store, &alice, "new", &new, &st));
	ASSERT_EQ(0, vdfs_name_change(here->store, &name, "", 0600, INT64_MIN));
	ASSERT_EQ(0, vdfs_name_mkdir(here->store, &from, "sub", 0755));
	ASSERT_EQ(0, vdfs_name_rename_to(here->store, &from, "new", 0, "top",
					 false));
	ASSERT_EQ(0, vdfs_name_stat(here->store, &from, "file", &st));
	EXPECT_EQ(self->st.ino, st.ino);
	EXPECT_EQ(S_IFREG | 0600, st.mode);
	pair_get_old();
	EXPECT_EQ(0, told_alike(&self->p, "moved/file"));
	EXPECT_EQ(0, vdfs_name_stat(self->p.there.store, &alice, "moved/sub",
				    &st));
	EXPECT_EQ(0, told_alike(&self->p, "top"));
	EXPECT_EQ(0, vdfs_name_unlink(here->store, &from, "file"));
	EXPECT_EQ(-ESTALE, vdfs_name_stat(here->store, &name, "", &st));
	EXPECT_EQ(-ESTALE,
		  vdfs_name_change(here->store, &name, "", 0644, INT64_MIN));
}

TEST_HARNESS_MAIN
