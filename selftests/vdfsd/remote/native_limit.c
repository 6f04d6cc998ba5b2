// SPDX-License-Identifier: GPL-2.0-only
/* How long a bucket may take, and who ends it before. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/common/s3/s3.h"
#include "vdfsd/s3.h"
#include "vdfsd/way.h"

#define ALWAYS 1000000
#define LARGE ((size_t)1 << 20)

/* Heads of answers that drip from then on. */
#define OBJECT                                                 \
	"HTTP/1.1 200 OK\r\nDate: %D\r\nLast-Modified: %D\r\n" \
	"ETag: \"0\"\r\nContent-Length: 1000000\r\n\r\n"
#define LIST "HTTP/1.1 200 OK\r\nDate: %D\r\n\r\n<ListBucketResult>"
#define HEAD "HTTP/1.1 200 OK\r\nX-Long: "

/* The client has said that something failed. */
static atomic_bool told;

static void say(void *arg, const char *line)
{
	(void)arg;
	atomic_store(&told, true);
	fprintf(stderr, "# %s\n", line);
}

FIXTURE(limit)
{
	struct bucket b;
	struct vdfs_s3_options options;
	struct way way;
	struct vdfs_s3 *s3;
};

FIXTURE_SETUP(limit)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, bucket_make(&self->b));
	self->options = (struct vdfs_s3_options){
		.credentials = self->b.credentials,
		.http = true,
		.connect_ms = 1000,
		.stall_s = 1,
		.answer_s = 1,
		.tries = 1,
		.say = say,
	};
}

static void end_way(FIXTURE_DATA(limit) * self)
{
	if (self->s3) {
		vdfs_s3_close(self->s3);
		way_close(&self->way);
	}
	self->s3 = NULL;
}

FIXTURE_TEARDOWN(limit)
{
	end_way(self);
	bucket_remove(&self->b);
}

static int use_way(FIXTURE_DATA(limit) * self, struct way way)
{
	char url[160];
	int err;

	end_way(self);
	way.bad = ALWAYS;
	self->way = way;
	err = way_open(&self->way, &self->b);
	snprintf(url, sizeof(url), "s3://127.0.0.1:%u/bucket/some/prefix",
		 self->way.port);
	self->options.url = url;
	self->options.stop_arg = self->way.state;
	return err ?: vdfs_s3_open(&self->options, &self->s3);
}

static int use_drip(FIXTURE_DATA(limit) * self, const char *reply)
{
	return use_way(self, (struct way){ .reply = reply, .drip = 1 });
}

static int begin(void *arg)
{
	(void)arg;
	return 0;
}

static int take(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return 0;
}

static int get(struct vdfs_s3 *s3, bool small)
{
	struct vdfs_s3_sink sink = { begin, take, NULL, small };

	return vdfs_s3_get(s3, "k", &sink, NULL);
}

static int zeros(void *arg, void *buf, size_t len, uint64_t offset)
{
	(void)arg;
	(void)offset;
	memset(buf, 0, len);
	return 0;
}

static int put(struct vdfs_s3 *s3, size_t len)
{
	struct vdfs_s3_source source = { zeros, NULL, len, NULL };

	return vdfs_s3_put(s3, "k", &source, NULL);
}

static int count(void *arg, const char *key, const struct vdfs_s3_info *info)
{
	(void)key;
	(void)info;
	++*(int *)arg;
	return 0;
}

/* Bytes do come, all the time. */
TEST_F_TIMEOUT(limit, what_is_short_has_little_time, 120)
{
	struct vdfs_s3_info info;
	int n = 0;

	/* What moves is enough for the other limits. */
	self->options.stall_s = 1000;
	ASSERT_EQ(0, use_drip(self, OBJECT));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, true));
	EXPECT_EQ(-ETIMEDOUT, put(self->s3, 100));
	ASSERT_EQ(0, use_drip(self, LIST));
	EXPECT_EQ(-ETIMEDOUT, vdfs_s3_list(self->s3, "", false, count, &n));
	ASSERT_EQ(0, use_drip(self, HEAD));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, true));
	EXPECT_EQ(-ETIMEDOUT, vdfs_s3_head(self->s3, "k", &info));
	EXPECT_EQ(-ETIMEDOUT, vdfs_s3_delete(self->s3, "k"));
	/* That is for all tries together. */
	self->options.tries = ALWAYS;
	ASSERT_EQ(0, use_drip(self, HEAD));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, true));
	ASSERT_EQ(0, use_way(self, (struct way){ .answer = "503 Slow Down" }));
	EXPECT_NE(0, get(self->s3, true));
	EXPECT_LT(1, atomic_load(&self->way.state->disturbed));
}

TEST_F_TIMEOUT(limit, what_is_long_has_to_move, 120)
{
	self->options.answer_s = 1000;
	ASSERT_EQ(0, use_drip(self, OBJECT));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, false));
	ASSERT_EQ(0, use_drip(self, HEAD));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, false));
	/* What was fast before does not count any more. */
	EXPECT_EQ(-ETIMEDOUT, put(self->s3, LARGE));
	/* It may be tried again. */
	self->options.tries = 2;
	ASSERT_EQ(0, use_drip(self, OBJECT));
	EXPECT_EQ(-ETIMEDOUT, get(self->s3, false));
	EXPECT_EQ(2, atomic_load(&self->way.state->disturbed));
}

/* Somebody waits until the server has heard so often of a request. */
static bool was_asked(void *arg)
{
	struct way_state *state = arg;

	return atomic_load(&state->disturbed) >= 2;
}

static bool was_told(void *arg)
{
	(void)arg;
	return atomic_load(&told);
}

TEST_F_TIMEOUT(limit, who_waits_may_give_up, 120)
{
	int n = 0;

	self->options.stall_s = 1000;
	self->options.answer_s = 1000;
	self->options.stop = was_asked;
	self->options.tries = ALWAYS;
	/* While it is asked, */
	ASSERT_EQ(0, use_drip(self, OBJECT));
	atomic_store(&self->way.state->disturbed, 1);
	EXPECT_EQ(-ESHUTDOWN, get(self->s3, false));
	EXPECT_EQ(-ESHUTDOWN, put(self->s3, LARGE));
	EXPECT_EQ(-ESHUTDOWN, vdfs_s3_list(self->s3, "", false, count, &n));
	EXPECT_LE(2, atomic_load(&self->way.state->disturbed));
	/* and before it is asked again. */
	self->options.stop = was_told;
	ASSERT_EQ(0, use_way(self, (struct way){ .answer = "503 Slow Down" }));
	atomic_store(&told, false);
	EXPECT_EQ(-ESHUTDOWN, get(self->s3, false));
	EXPECT_EQ(1, atomic_load(&self->way.state->disturbed));
}

#define PAGE                                                                 \
	"HTTP/1.1 200 OK\r\nDate: %D\r\nConnection: close\r\n\r\n"           \
	"<ListBucketResult><Name>bucket</Name><Prefix>some/prefix/</Prefix>" \
	"<IsTruncated>true</IsTruncated><NextContinuationToken>%N"           \
	"</NextContinuationToken><CommonPrefixes><Prefix>some/prefix/%N"     \
	"</Prefix></CommonPrefixes></ListBucketResult>"

/* A list that would go on has no end but this. */
TEST_F_TIMEOUT(limit, who_lists_may_give_up, 120)
{
	int n = 0;

	self->options.stop = was_asked;
	ASSERT_EQ(0, use_way(self, (struct way){ .reply = PAGE }));
	EXPECT_EQ(-ESHUTDOWN, vdfs_s3_list(self->s3, "", true, count, &n));
	EXPECT_LE(2, atomic_load(&self->way.state->disturbed));
	EXPECT_EQ(0, n);
}

TEST_HARNESS_MAIN
