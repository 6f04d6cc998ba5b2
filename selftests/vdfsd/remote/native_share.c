// SPDX-License-Identifier: GPL-2.0-only
/* Stores that share a bucket: two hosts, and all that can go wrong there. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/names/node.h"
#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/store/away.h"
#include "daemons/vdfsd/store/usage.h"
#include "vdfsd/pair.h"

#define MIB ((size_t)1 << 20)

FIXTURE(share)
{
	struct pair p;
};

FIXTURE_SETUP(share)
{
	ASSERT_EQ(0, pair_make(&self->p));
}

FIXTURE_TEARDOWN(share)
{
	pair_remove(&self->p);
}

TEST_F_TIMEOUT(share, shows_what_the_other_put, 120)
{
	static const size_t sizes[] = { 0, 5, 100000, 2 * MIB, 17 * MIB + 3 };
	static const char *const names[] = { "a", "b/c", "n/m %_\xc3\xa4/1",
					     "n/m/2", "-/_/.x" };
	struct vdfs_stat a, b;
	struct vdfs_hash hash;
	uint8_t *data;
	const char *name;
	int i;

	for (i = 0; i < 5; i++) {
		data = random_bytes(sizes[i], i);
		name = names[i];
		ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data,
				       sizes[i], 0, name, &hash));
		EXPECT_EQ(0, name_same(&self->p.there, &bob, name, data,
				       sizes[i]));
		ASSERT_EQ(0,
			  vdfs_name_stat(self->p.here.store, &bob, name, &a));
		ASSERT_EQ(0,
			  vdfs_name_stat(self->p.there.store, &bob, name, &b));
		EXPECT_EQ(a.owner, b.owner);
		EXPECT_EQ(alice.gid, b.gid);
		EXPECT_EQ(a.mode, b.mode);
		EXPECT_EQ(a.mtime_ns, b.mtime_ns);
		ASSERT_EQ(0,
			  vdfs_name_unlink(self->p.here.store, &alice, name));
		free(data);
	}
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
}

static int count(void *arg, const char *name, const struct vdfs_stat *st)
{
	(void)name;
	(void)st;
	++*(int *)arg;
	return 0;
}

TEST_F_TIMEOUT(share, follows_what_the_other_changes, 120)
{
	struct vdfs_store *here = self->p.here.store;
	struct vdfs_store *there = self->p.there.store;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	int n = 0;

	ASSERT_EQ(0, put_bytes(here, &alice, "one", 3, 0, "d/x", &hash));
	ASSERT_EQ(0, put_bytes(here, &alice, "two", 3, 0, "d/e/y", &hash));
	EXPECT_EQ(0, vdfs_name_list(there, &bob, "d", NULL, count, &n));
	EXPECT_EQ(2, n);
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "d/x", "one", 3));
	ASSERT_EQ(0, put_bytes(here, &alice, "three", 5, 0, "d/x", &hash));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "d/x", "three", 5));
	/* Whose they are holds there as here. */
	EXPECT_EQ(-EACCES, put_bytes(there, &bob, "mine", 4, 0, "d/x", &hash));
	EXPECT_EQ(0, name_same(&self->p.here, &bob, "d/x", "three", 5));
	ASSERT_EQ(0, vdfs_name_change(here, &alice, "d/e", 0700, INT64_MIN));
	pair_get_old();
	EXPECT_EQ(-EACCES, vdfs_name_stat(there, &bob, "d/e/y", &st));
	ASSERT_EQ(0, vdfs_name_change(here, &alice, "d", 01777, INT64_MIN));
	pair_get_old();
	ASSERT_EQ(0, vdfs_name_stat(there, &bob, "d", &st));
	EXPECT_EQ(S_IFDIR | 01777, st.mode);
	ASSERT_EQ(0, vdfs_name_chown(here, &admin, "d", bob.uid, 2001));
	ASSERT_EQ(0, vdfs_name_change(here, &admin, "d", 03777, INT64_MIN));
	ASSERT_EQ(0, vdfs_name_chown(here, &admin, "d/x", ~0U, VDFS_GID_NONE));
	pair_get_old();
	ASSERT_EQ(0, vdfs_name_stat(there, &bob, "d", &st));
	EXPECT_EQ(S_IFDIR | 03777, st.mode);
	EXPECT_EQ(bob.uid, st.owner);
	EXPECT_EQ(2001, st.gid);
	ASSERT_EQ(0, vdfs_name_chown(here, &admin, "d", alice.uid, ~0U));
	ASSERT_EQ(0, vdfs_name_chown(here, &admin, "d/x", bob.uid, 2001));
	pair_get_old();
	ASSERT_EQ(0, vdfs_name_stat(there, &bob, "d/x", &st));
	EXPECT_EQ(bob.uid, st.owner);
	EXPECT_EQ(2001, st.gid);
	ASSERT_EQ(0, vdfs_name_chown(here, &admin, "d/x", alice.uid, ~0U));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &alice, "d/e/y", "two", 3));
	/* A directory moves with what only the other has seen in it. */
	ASSERT_EQ(0, put_bytes(here, &alice, "four", 4, 0, "d/e/z", &hash));
	pair_get_old();
	ASSERT_EQ(0, vdfs_name_rename(there, &alice, "d/e", "d/f", true));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.here, &alice, "d/f/z", "four", 4));
	EXPECT_EQ(0, name_same(&self->p.here, &alice, "d/f/y", "two", 3));
	EXPECT_EQ(-ENOENT, vdfs_name_stat(here, &alice, "d/e/z", &st));
	ASSERT_EQ(0, vdfs_name_unlink(there, &alice, "d/x"));
	pair_get_old();
	EXPECT_EQ(-ENOENT, vdfs_name_stat(here, &alice, "d/x", &st));
	n = 0;
	EXPECT_EQ(0, vdfs_name_list(here, &alice, "d", NULL, count, &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
}

TEST_F_TIMEOUT(share, serves_what_is_here_while_nobody_answers, 120)
{
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "one", 3, 0, "x",
			       &hash));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "one", 3));
	bucket_stop(&self->p.b);
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "one", 3));
	EXPECT_EQ(-EHOSTUNREACH,
		  vdfs_name_stat(self->p.there.store, &bob, "y", &st));
	EXPECT_EQ(-EHOSTUNREACH, put_bytes(self->p.here.store, &alice, "two", 3,
					   0, "x", &hash));
	EXPECT_EQ(-EHOSTUNREACH,
		  vdfs_name_unlink(self->p.here.store, &alice, "x"));
	/* What failed has changed nothing. */
	EXPECT_EQ(0, name_same(&self->p.here, &alice, "x", "one", 3));
	EXPECT_EQ(0, no_fault(&self->p.here));
	ASSERT_EQ(0, bucket_start(&self->p.b));
	pair_get_old();
	EXPECT_EQ(0, put_bytes(self->p.here.store, &alice, "two", 3, 0, "x",
			       &hash));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "two", 3));
}

TEST_F_TIMEOUT(share, refuses_what_is_damaged, 120)
{
	char text[VDFS_HASH_TEXT], key[128];
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "one", 3, 0, "x",
			       &hash));
	vdfs_hash_print(&hash, text);
	snprintf(key, sizeof(key), "some/prefix/blob/%s", text);
	ASSERT_EQ(0, bucket_do(&self->p.b, "PUT", key, "0ne"));
	EXPECT_EQ(-EBADMSG, name_same(&self->p.there, &bob, "x", "one", 3));
	ASSERT_EQ(0, bucket_do(&self->p.b, "PUT", key, "one and more"));
	EXPECT_EQ(-EBADMSG, name_same(&self->p.there, &bob, "x", "one", 3));
	ASSERT_EQ(0, bucket_do(&self->p.b, "DELETE", key, NULL));
	EXPECT_EQ(-EIO, name_same(&self->p.there, &bob, "x", "one", 3));
	EXPECT_EQ(0, no_fault(&self->p.there));
	ASSERT_EQ(0, bucket_do(&self->p.b, "PUT", key, "one"));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "one", 3));
	/* So is a name that is none. */
	ASSERT_EQ(0, bucket_do(&self->p.b, "PUT", "some/prefix/name/z",
			       "{\"hash\": \"1\"}"));
	EXPECT_EQ(-EINVAL, vdfs_name_stat(self->p.there.store, &bob, "z", &st));
	EXPECT_NE(0, vdfs_remote_gc(self->p.there.store, NULL));
}

static int fill_names(struct sqlite3 *db, void *arg)
{
	const struct vdfs_who *who = arg;

	return vdfs_sql_run(db,
			    "UPDATE usage SET n = n + ?2\n"
			    "WHERE uid = ?1 AND kind = ?3",
			    VDFS_INT(who->uid),
			    VDFS_INT(vdfs_usage_limit(MIB, VDFS_USAGE_NAMES)),
			    VDFS_INT(VDFS_USAGE_NAMES));
}

static int head_blob(struct pair *p, const char *data)
{
	char text[VDFS_HASH_TEXT], key[80];
	struct vdfs_s3_info info;
	struct vdfs_hash hash;

	vdfs_hash_bytes(data, strlen(data), &hash);
	vdfs_hash_print(&hash, text);
	snprintf(key, sizeof(key), "blob/%s", text);
	return vdfs_s3_head(p->s3, key, &info);
}

/* The bucket gets no blob of a user who cannot have the name. */
TEST_F_TIMEOUT(share, asks_for_the_quota_first, 120)
{
	struct vdfs_store *here = self->p.here.store;
	const struct vdfs_place place = { .path = "z",
					  .mode = 0644,
					  .mtime_ns = INT64_MIN };
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, put_bytes(here, &alice, "one", 3, 0, "x", &hash));
	ASSERT_EQ(0, vdfs_quota_set(here, &admin, alice.uid, MIB));
	ASSERT_EQ(0, vdfs_meta_write(vdfs_store_meta(here), fill_names,
				     (void *)&alice));
	EXPECT_EQ(-EDQUOT, put_bytes(here, &alice, "two", 3, 0, "y", &hash));
	EXPECT_EQ(-ENOENT, head_blob(&self->p, "two"));
	EXPECT_EQ(-EDQUOT, put_at(here, &alice, "three", &place, &st));
	EXPECT_EQ(-ENOENT, head_blob(&self->p, "three"));
	/* A name that she has is given another content. */
	EXPECT_EQ(0, put_bytes(here, &alice, "four", 4, 0, "x", &hash));
	EXPECT_EQ(0, head_blob(&self->p, "four"));
}

TEST_F_TIMEOUT(share, keeps_to_its_budget, 120)
{
	struct vdfs_store_stats stats;
	struct vdfs_hash hash[6];
	uint8_t *data[6];
	char name[16];
	int i, round;

	self->p.options.budget = 5 * MIB;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.there));
	for (i = 0; i < 6; i++) {
		data[i] = random_bytes(2 * MIB, i);
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0, put_bytes(i % 2 ? self->p.here.store :
					       self->p.there.store,
				       &alice, data[i], 2 * MIB,
				       i == 4 ? VDFS_PUT_WHOLE : 0, name,
				       &hash[i]));
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 6; i++) {
			snprintf(name, sizeof(name), "n%d", i);
			EXPECT_EQ(0, name_same(&self->p.there, &alice, name,
					       data[i], 2 * MIB));
		}
	}
	ASSERT_EQ(0, vdfs_gc(self->p.there.store, NULL, NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->p.there.store, &stats));
	EXPECT_LE(stats.disk_bytes, 5 * MIB + 4096);
	EXPECT_GE(stats.disk_bytes, 2 * MIB);
	EXPECT_EQ(0, no_fault(&self->p.there));
	/* What was put here is away too, but what is kept is not. */
	ASSERT_EQ(0, vdfs_blob_keep(self->p.there.store, &alice, &hash[0]));
	for (i = 1; i < 6; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		EXPECT_EQ(0, name_same(&self->p.there, &alice, name, data[i],
				       2 * MIB));
	}
	bucket_stop(&self->p.b);
	EXPECT_EQ(0, get_same(self->p.there.store, &alice, &hash[0], data[0],
			      2 * MIB));
	EXPECT_NE(0, get_same(self->p.there.store, &alice, &hash[1], data[1],
			      2 * MIB));
	for (i = 0; i < 6; i++)
		free(data[i]);
}

static int die_first(struct vdfs_store *store,
		     const struct vdfs_name_change *change)
{
	(void)store;
	(void)change;
	raise(SIGKILL);
	return 0;
}

/* A change whose second run, the one that counts, does not come to an end. */
static const struct vdfs_name_change *real;
static int runs;
static int (*really)(struct vdfs_store *store,
		     const struct vdfs_name_change *change);

static int run_twice(struct sqlite3 *db, void *arg)
{
	if (runs++)
		raise(SIGKILL);
	return real->fn(db, arg);
}

static int die_last(struct vdfs_store *store,
		    const struct vdfs_name_change *change)
{
	struct vdfs_name_change copy = *change;

	real = change;
	copy.fn = run_twice;
	return really(store, &copy);
}

/* Put in a process that is killed behind the upload. */
static int put_and_die(struct pair *p, bool late)
{
	struct tree *t = &p->here;
	struct vdfs_away_ops ops;
	struct vdfs_name_ops names;
	struct vdfs_hash hash;
	int status;
	pid_t pid;

	vdfs_store_close(t->store);
	t->store = NULL;
	pid = fork();
	if (!pid) {
		if (pair_reopen(p, t))
			_exit(1);
		ops = *vdfs_store_away(t->store);
		names = *ops.names;
		really = names.change;
		names.change = late ? die_last : die_first;
		ops.names = &names;
		vdfs_store_set_remote(t->store, &ops,
				      vdfs_store_remote(t->store));
		put_bytes(t->store, &alice, "new", 3, 0, "x", &hash);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return -EPROTO;
	return pair_reopen(p, t);
}

TEST_F_TIMEOUT(share, survives_a_kill_between_upload_and_commit, 120)
{
	struct vdfs_remote_gc_result gc;
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "old", 3, 0, "x",
			       &hash));
	ASSERT_EQ(0, put_and_die(&self->p, false));
	EXPECT_EQ(0, name_same(&self->p.here, &bob, "x", "old", 3));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "old", 3));
	/* Nothing refers to what was uploaded, on either side. */
	EXPECT_EQ(0, vdfs_gc(self->p.here.store, NULL, NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->p.here.store, &stats));
	EXPECT_EQ(1, stats.blobs);
	ASSERT_EQ(0, vdfs_remote_gc(self->p.here.store, &gc));
	EXPECT_EQ(2, gc.blobs);
	EXPECT_EQ(1, gc.young);
	EXPECT_EQ(0, gc.deleted);
	/* Both sides agree, whichever content it is. */
	ASSERT_EQ(0, put_and_die(&self->p, true));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.here, &bob, "x", "new", 3));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", "new", 3));
	EXPECT_EQ(0, no_fault(&self->p.here));
}

TEST_F_TIMEOUT(share, collects_garbage_that_is_old, 120)
{
	struct timespec t = { .tv_sec = 3 };
	struct vdfs_remote_gc_result gc;
	struct vdfs_hash hash;

	ASSERT_EQ(0,
		  put_bytes(self->p.here.store, &alice, "a", 1, 0, "a", &hash));
	ASSERT_EQ(0,
		  put_bytes(self->p.here.store, &alice, "b", 1, 0, "b", &hash));
	ASSERT_EQ(0, vdfs_name_unlink(self->p.here.store, &alice, "b"));
	self->p.options.grace_s = 2;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.there));
	nanosleep(&t, NULL);
	ASSERT_EQ(0, vdfs_remote_gc(self->p.there.store, &gc));
	EXPECT_EQ(1, gc.names);
	EXPECT_EQ(2, gc.blobs);
	EXPECT_EQ(1, gc.deleted);
	EXPECT_EQ(1, gc.bytes);
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "a", "a", 1));
	EXPECT_EQ(0,
		  put_bytes(self->p.here.store, &alice, "b", 1, 0, "b", &hash));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "b", "b", 1));
}

TEST_HARNESS_MAIN
