// SPDX-License-Identifier: GPL-2.0-only
/* A store keeps what it knows while others answer in the place of its bucket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <kselftest_harness.h>

#include "vdfsd/pair.h"
#include "vdfsd/way.h"

#define ALWAYS 1000000
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define HEAD(status) "HTTP/1.1 " status "\r\nDate: %D\r\nConnection: close\r\n"
#define OBJECT                                 \
	HEAD("200 OK")                         \
	"Last-Modified: %D\r\nETag: \"0\"\r\n" \
	"Content-Type: text/html\r\n"

#define EMPTY                                                           \
	HEAD("200 OK")                                                  \
	"\r\n<ListBucketResult><Name>bucket</Name><Prefix>some/prefix/" \
	"name/</Prefix><IsTruncated>false</IsTruncated></ListBucketResult>"

/* What proxies, portals and bad lines say. */
static const char *const others[] = {
	HEAD("404 Not Found") "\r\nno such page",
	HEAD("404 Not Found") "Content-Type: application/xml\r\n\r\n"
			      "<Error><Code>NoSuchKey</Code>",
	HEAD("404 Not Found") "\r\n<Error><Code>NoSuchKey</Code>\n"
			      "<Key>some/prefix/name/other</Key></Error>",
	HEAD("302 Found") "Location: http://127.0.0.1/login\r\n\r\n",
	HEAD("200 OK") "\r\n<html><body>Please log in.</body></html>",
	OBJECT "Content-Length: 13\r\n\r\n<html></html>",
	OBJECT "Content-Length: 100\r\n\r\n{\"hash\":",
	HEAD("200 OK") "\r\n<ListBucketResult><Name>bucket</Name>\n"
		       "<Prefix>some/prefix/name/</Prefix>",
	HEAD("204 No Content") "\r\n",
	("HTTP/1.1 404 Not Found\r\nDate: %O\r\nConnection: close\r\n\r\n"
	 "<Error><Code>NoSuchKey</Code></Error>"),
};

FIXTURE(believe)
{
	struct pair p;
	struct vdfs_hash hash;
	char url[128];
	struct way way;
};

FIXTURE_SETUP(believe)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, pair_make(&self->p));
	stpcpy(self->url, self->p.b.url);
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "one", 3, 0, "d/x",
			       &self->hash));
	ASSERT_EQ(0, vdfs_attr_set(self->p.here.store, &alice, "d/x",
				   "user.kept", "yes", 3));
}

FIXTURE_TEARDOWN(believe)
{
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
	pair_remove(&self->p);
}

/* Let a host use the bucket over a proxy that does this. */
static int use_way(FIXTURE_DATA(believe) * self, struct tree *t, struct way way)
{
	int err;

	way.bad = ALWAYS;
	self->way = way;
	err = way_open(&self->way, &self->p.b);
	snprintf(self->p.b.url, sizeof(self->p.b.url),
		 "s3://127.0.0.1:%u/bucket/some/prefix", self->way.port);
	return err ?: pair_reopen(&self->p, t);
}

static int end_way(FIXTURE_DATA(believe) * self, struct tree *t)
{
	way_close(&self->way);
	stpcpy(self->p.b.url, self->url);
	return pair_reopen(&self->p, t);
}

static int count(void *arg, const char *name, const struct vdfs_stat *st)
{
	(void)name;
	(void)st;
	++*(int *)arg;
	return 0;
}

/* Whether all is here that was, with all that belongs to it. */
static int all_kept(struct tree *t)
{
	char value[8] = "";
	int n = 0, err;

	err = name_same(t, &alice, "d/x", "one", 3);
	if (!err)
		err = vdfs_name_list(t->store, &alice, "d", NULL, count, &n);
	if (!err && n != 1)
		err = -ENOTEMPTY;
	if (!err && (vdfs_attr_get(t->store, &alice, "d/x", "user.kept", value,
				   sizeof(value)) != 3 ||
		     strcmp(value, "yes")))
		err = -ENODATA;
	return err;
}

TEST_F_TIMEOUT(believe, what_is_known_stays, 300)
{
	struct tree *here = &self->p.here;
	struct vdfs_stat st;
	struct vdfs_hash hash;
	size_t i;

	for (i = 0; i < COUNT(others); i++) {
		ASSERT_EQ(0, use_way(self, here,
				     (struct way){ .reply = others[i] }));
		EXPECT_EQ(0, all_kept(here))
		{
			TH_LOG("%s", others[i]);
		}
		EXPECT_LT(0, atomic_load(&self->way.state->disturbed));
		pair_get_old();
		/* What is not known is not said to be nowhere. */
		EXPECT_NE(-ENOENT,
			  vdfs_name_stat(here->store, &alice, "d/y", &st));
		pair_get_old();
		EXPECT_NE(0, put_bytes(here->store, &alice, "two", 3, 0, "d/x",
				       &hash));
		pair_get_old();
		EXPECT_NE(0, vdfs_name_unlink(here->store, &alice, "d/x"));
		pair_get_old();
		EXPECT_NE(0, vdfs_remote_gc(here->store, NULL));
		EXPECT_EQ(0, all_kept(here));
		ASSERT_EQ(0, end_way(self, here));
	}
	EXPECT_EQ(0, all_kept(here));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "d/x", "one", 3));
}

/* The host that has nothing yet is not told wrong things either. */
TEST_F_TIMEOUT(believe, nothing_is_learned_of_others, 300)
{
	struct tree *there = &self->p.there;
	size_t i;

	for (i = 0; i < COUNT(others); i++) {
		ASSERT_EQ(0, use_way(self, there,
				     (struct way){ .reply = others[i] }));
		EXPECT_NE(0, name_same(there, &bob, "d/x", "one", 3));
		pair_get_old();
		/* Nor of blobs, when the names are the bucket's. */
		ASSERT_EQ(0, end_way(self, there));
		ASSERT_EQ(0, use_way(self, there,
				     (struct way){ .reply = others[i],
						   .match = "prefix/blob/" }));
		EXPECT_NE(0, name_same(there, &bob, "d/x", "one", 3));
		EXPECT_LT(0, atomic_load(&self->way.state->disturbed));
		ASSERT_EQ(0, end_way(self, there));
	}
	EXPECT_EQ(0, name_same(there, &bob, "d/x", "one", 3));
}

/*
 * An answer to HEAD proves little: one that says no has the blob sent, and one
 * that says yes counts when it describes this blob as it is now.
 */
TEST_F_TIMEOUT(believe, a_blob_is_sent_unless_it_is_there, 120)
{
	static const char *const heads[] = {
		HEAD("404 Not Found") "\r\n",
		OBJECT "Content-Length: 4\r\n\r\n",
		HEAD("200 OK") "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
			       "ETag: \"0\"\r\nContent-Length: 3\r\n\r\n",
		/* By a clock that is ahead. */
		HEAD("200 OK") "Last-Modified: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
			       "ETag: \"0\"\r\nContent-Length: 3\r\n\r\n",
	};
	struct tree *here = &self->p.here;
	char name[8], text[4];
	struct vdfs_hash hash;
	size_t i;

	for (i = 0; i < COUNT(heads); i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		snprintf(text, sizeof(text), "t%zu.", i);
		ASSERT_EQ(0, use_way(self, here,
				     (struct way){ .reply = heads[i],
						   .match = "HEAD " }));
		EXPECT_EQ(0, put_bytes(here->store, &alice, text, 3, 0, name,
				       &hash));
		EXPECT_LT(0, atomic_load(&self->way.state->disturbed));
		ASSERT_EQ(0, end_way(self, here));
		EXPECT_EQ(0, name_same(&self->p.there, &bob, name, text, 3));
	}
}

/* A list that is well formed and leaves a name out. */
TEST_F_TIMEOUT(believe, blobs_of_known_names_stay, 120)
{
	struct tree *here = &self->p.here;
	struct timespec t = { .tv_sec = 3 };
	struct vdfs_remote_gc_result gc;
	struct vdfs_hash hash;

	/* The other host has taken this away; here that is not known. */
	ASSERT_EQ(0, put_bytes(here->store, &alice, "gone", 4, 0, "d/gone",
			       &hash));
	ASSERT_EQ(0, vdfs_name_unlink(self->p.there.store, &alice, "d/gone"));
	self->p.options.grace_s = 1;
	ASSERT_EQ(0, use_way(self, here,
			     (struct way){ .reply = EMPTY,
					   .match = "prefix%2Fname%2F" }));
	nanosleep(&t, NULL);
	ASSERT_EQ(0, vdfs_remote_gc(here->store, &gc));
	EXPECT_EQ(1, atomic_load(&self->way.state->disturbed));
	EXPECT_EQ(1, gc.deleted);
	EXPECT_EQ(4, gc.bytes);
	ASSERT_EQ(0, end_way(self, here));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "d/x", "one", 3));
}

TEST_HARNESS_MAIN
