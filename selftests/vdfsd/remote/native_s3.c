// SPDX-License-Identifier: GPL-2.0-only
/* The client of S3, with a server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "daemons/common/s3/s3.h"
#include "vdfsd/s3.h"
#include "vdfsd/store.h"
#include "vdfsd/way.h"

#define MIB ((size_t)1 << 20)

/* What the client said, to look for secrets in. */
static char said[8192];

static void say(void *arg, const char *line)
{
	(void)arg;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n",
		 line);
	fprintf(stderr, "# %s\n", line);
}

FIXTURE(s3)
{
	struct bucket b;
	struct vdfs_s3_options options;
	struct vdfs_s3 *s3;
};

FIXTURE_SETUP(s3)
{
	self->s3 = NULL;
	ASSERT_EQ(0, bucket_make(&self->b));
	self->options = (struct vdfs_s3_options){
		.url = self->b.url,
		.credentials = self->b.credentials,
		.http = true,
		.tries = 2,
		.say = say,
	};
	ASSERT_EQ(0, vdfs_s3_open(&self->options, &self->s3));
}

FIXTURE_TEARDOWN(s3)
{
	vdfs_s3_close(self->s3);
	bucket_remove(&self->b);
	EXPECT_EQ(NULL, strstr(said, BUCKET_SECRET));
}

static int read_bytes(void *arg, void *buf, size_t len, uint64_t offset)
{
	memcpy(buf, (const uint8_t *)arg + offset, len);
	return 0;
}

/* Bytes that come. */
struct bytes {
	uint8_t *data;
	size_t len;
	size_t room;
};

static int bytes_begin(void *arg)
{
	struct bytes *b = arg;

	b->len = 0;
	return 0;
}

static int bytes_take(void *arg, const void *data, size_t len)
{
	struct bytes *b = arg;

	if (b->len + len > b->room)
		return -ENOBUFS;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

static int put(struct vdfs_s3 *s3, const char *key, uint8_t *data, size_t len)
{
	struct vdfs_s3_source source = { read_bytes, data, len, NULL };

	return vdfs_s3_put(s3, key, &source, NULL);
}

static int same(struct vdfs_s3 *s3, const char *key, uint8_t *data, size_t len)
{
	struct bytes b = { malloc(len + 1), 0, len + 1 };
	struct vdfs_s3_sink sink = { bytes_begin, bytes_take, &b, false };
	int err = vdfs_s3_get(s3, key, &sink, NULL);

	if (!err && (b.len != len || memcmp(b.data, data, len)))
		err = -EILSEQ;
	free(b.data);
	return err;
}

TEST_F_TIMEOUT(s3, keeps_what_is_put, 120)
{
	static const size_t sizes[] = { 0, 1, 1000, 8 * MIB };
	struct vdfs_s3_info info;
	uint8_t *data = random_bytes(8 * MIB, 1);
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, put(self->s3, "a/b_2F-c.d", data, sizes[i]));
		EXPECT_EQ(0, same(self->s3, "a/b_2F-c.d", data, sizes[i]));
		ASSERT_EQ(0, vdfs_s3_head(self->s3, "a/b_2F-c.d", &info));
		EXPECT_EQ(sizes[i], info.size);
		EXPECT_NE('\0', info.etag[0]);
		EXPECT_LE(llabs(info.now - info.modified), 60);
	}
	ASSERT_EQ(0, vdfs_s3_delete(self->s3, "a/b_2F-c.d"));
	EXPECT_EQ(-ENOENT, vdfs_s3_head(self->s3, "a/b_2F-c.d", &info));
	EXPECT_EQ(-ENOENT, same(self->s3, "a/b_2F-c.d", data, 0));
	EXPECT_EQ(0, vdfs_s3_delete(self->s3, "a/b_2F-c.d"));
	free(data);
}

static int fail_late(void *arg, void *buf, size_t len, uint64_t offset)
{
	memset(buf, 0, len);
	return offset + len > *(uint64_t *)arg ? -EBADMSG : 0;
}

TEST_F_TIMEOUT(s3, leaves_nothing_of_what_cannot_be_read, 120)
{
	struct vdfs_hash hash = { { 1 } };
	uint64_t good = 12 * MIB;
	struct vdfs_s3_source source = { fail_late, &good, 20 * MIB, &hash };
	struct vdfs_s3_info info;

	EXPECT_EQ(-EBADMSG, vdfs_s3_put(self->s3, "x", &source, NULL));
	EXPECT_EQ(-ENOENT, vdfs_s3_head(self->s3, "x", &info));
	/* Nor read to be hashed. */
	source.hash = NULL;
	EXPECT_EQ(-EBADMSG, vdfs_s3_put(self->s3, "x", &source, NULL));
	good = 100;
	source.size = 1000;
	EXPECT_EQ(-EBADMSG, vdfs_s3_put(self->s3, "x", &source, NULL));
	EXPECT_EQ(-ENOENT, vdfs_s3_head(self->s3, "x", &info));
}

TEST_F_TIMEOUT(s3, refuses_what_is_not_its_hash, 120)
{
	struct vdfs_hash hash = { { 1 } };
	struct vdfs_s3_source source = { read_bytes, "abc", 3, &hash };
	struct vdfs_s3_info info;

	EXPECT_NE(0, vdfs_s3_put(self->s3, "x", &source, NULL));
	EXPECT_EQ(-ENOENT, vdfs_s3_head(self->s3, "x", &info));
}

/* Keys that were listed. */
struct listed {
	int n;
	char last[64];
};

static int count(void *arg, const char *key, const struct vdfs_s3_info *info)
{
	struct listed *l = arg;

	if (strcmp(l->last, key) >= 0 || info->size != 1 || !info->modified ||
	    !*info->etag || !info->now)
		return -EILSEQ;
	snprintf(l->last, sizeof(l->last), "%s", key);
	l->n++;
	return 0;
}

TEST_F_TIMEOUT(s3, lists_page_by_page, 120)
{
	struct listed l = { 0 };
	struct vdfs_s3 *pages;
	char key[32];
	int i;

	for (i = 0; i < 7; i++) {
		snprintf(key, sizeof(key), "d/k%d", i);
		ASSERT_EQ(0, put(self->s3, key, (uint8_t *)"x", 1));
	}
	ASSERT_EQ(0, put(self->s3, "d/sub/k", (uint8_t *)"x", 1));
	ASSERT_EQ(0, put(self->s3, "e/k", (uint8_t *)"x", 1));
	self->options.page = 3;
	ASSERT_EQ(0, vdfs_s3_open(&self->options, &pages));
	EXPECT_EQ(0, vdfs_s3_list(pages, "d/", false, count, &l));
	EXPECT_EQ(8, l.n);
	EXPECT_STREQ("d/sub/k", l.last);
	memset(&l, 0, sizeof(l));
	EXPECT_EQ(0, vdfs_s3_list(pages, "d/", true, count, &l));
	EXPECT_EQ(7, l.n);
	memset(&l, 0, sizeof(l));
	EXPECT_EQ(0, vdfs_s3_list(pages, "none/", false, count, &l));
	EXPECT_EQ(0, l.n);
	vdfs_s3_close(pages);
}

static int write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	fputs(text, file);
	return fclose(file) || chmod(path, mode) ? -EIO : 0;
}

TEST_F_TIMEOUT(s3, says_why_it_cannot, 120)
{
	struct vdfs_s3_options o = self->options;
	struct vdfs_s3_info info;
	char path[128], url[160];
	struct vdfs_s3 *s3;

	snprintf(path, sizeof(path), "%s/other", self->b.dir);
	ASSERT_EQ(0, write_file(path,
				"access_key_id=0555b35654ad1656d804\n"
				"secret_access_key = wrong\n",
				0600));
	o.credentials = path;
	ASSERT_EQ(0, vdfs_s3_open(&o, &s3));
	EXPECT_EQ(-EACCES, put(s3, "x", (uint8_t *)"x", 1));
	EXPECT_EQ(-EACCES, vdfs_s3_head(s3, "x", &info));
	EXPECT_NE(NULL, strstr(said, "SignatureDoesNotMatch"));
	vdfs_s3_close(s3);
	ASSERT_EQ(0, chmod(path, 0644));
	EXPECT_EQ(-EPERM, vdfs_s3_open(&o, &s3));
	ASSERT_EQ(0, write_file(path, "access_key_id=x\n", 0600));
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	o.credentials = "/nonexistent";
	EXPECT_EQ(-ENOENT, vdfs_s3_open(&o, &s3));
	o = self->options;
	o.url = "http://127.0.0.1/bucket";
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	/* Keys do not belong there, and are not logged. */
	o.url = "s3://key:" BUCKET_SECRET "@127.0.0.1/bucket";
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	o.url = "s4://127.0.0.1/bucket";
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	o.url = "s3://127.0.0.1";
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	o.url = "s3://127.0.0.1/b?x";
	EXPECT_EQ(-EINVAL, vdfs_s3_open(&o, &s3));
	snprintf(url, sizeof(url), "s3://127.0.0.1:%u/no-such-bucket",
		 self->b.port);
	o.url = url;
	ASSERT_EQ(0, vdfs_s3_open(&o, &s3));
	EXPECT_EQ(-EREMOTEIO, same(s3, "x", NULL, 0));
	EXPECT_NE(NULL, strstr(said, "NoSuchBucket"));
	vdfs_s3_close(s3);
	/* TLS where there is none. */
	o = self->options;
	o.http = false;
	ASSERT_EQ(0, vdfs_s3_open(&o, &s3));
	EXPECT_EQ(-EPROTO, vdfs_s3_head(s3, "x", &info));
	vdfs_s3_close(s3);
	bucket_stop(&self->b);
	EXPECT_EQ(-EHOSTUNREACH, vdfs_s3_head(self->s3, "x", &info));
}

TEST_F_TIMEOUT(s3, goes_on_when_the_server_is_back, 120)
{
	uint8_t *data = random_bytes(1000, 3);

	ASSERT_EQ(0, put(self->s3, "k", data, 1000));
	bucket_stop(&self->b);
	EXPECT_EQ(-EHOSTUNREACH, put(self->s3, "k2", data, 1000));
	ASSERT_EQ(0, bucket_start(&self->b));
	EXPECT_EQ(0, same(self->s3, "k", data, 1000));
	EXPECT_EQ(0, put(self->s3, "k2", data, 1000));
	EXPECT_EQ(0, same(self->s3, "k2", data, 1000));
	free(data);
}

/* A client of the bucket over a proxy that runs. */
static int use_way(FIXTURE_DATA(s3) * self, const struct way *way,
		   unsigned int tries, struct vdfs_s3 **out)
{
	struct vdfs_s3_options o = self->options;
	char url[160];

	snprintf(url, sizeof(url), "s3://127.0.0.1:%u/bucket/some/prefix",
		 way->port);
	o.url = url;
	o.tries = tries;
	return vdfs_s3_open(&o, out);
}

/* A proxy, and a client of the bucket over it. */
static int open_way(FIXTURE_DATA(s3) * self, struct way *way,
		    unsigned int tries, struct vdfs_s3 **out)
{
	return way_open(way, &self->b) ?: use_way(self, way, tries, out);
}

/* A server that is asked too much, or is not well, may answer later. */
TEST_F_TIMEOUT(s3, tries_again_where_that_may_help, 120)
{
	static const char *const answers[] = { "429 Too Many Requests",
					       "503 Slow Down",
					       "500 Internal Error" };
	uint8_t *data = random_bytes(1000, 5);
	struct vdfs_s3 *s3;
	char key[8];
	int i;

	for (i = 0; i < 3; i++) {
		struct way way = { .bad = 2, .answer = answers[i] };

		snprintf(key, sizeof(key), "k%d", i);
		ASSERT_EQ(0, open_way(self, &way, 3, &s3));
		EXPECT_EQ(0, put(s3, key, data, 1000));
		EXPECT_EQ(3, atomic_load(&way.state->connections));
		vdfs_s3_close(s3);
		way_close(&way);
		EXPECT_EQ(0, same(self->s3, key, data, 1000));
		/* So often, and no more. */
		way.bad = 100;
		ASSERT_EQ(0, open_way(self, &way, 3, &s3));
		EXPECT_EQ(-EREMOTEIO, put(s3, key, data, 1000));
		EXPECT_EQ(3, atomic_load(&way.state->connections));
		vdfs_s3_close(s3);
		way_close(&way);
	}
	free(data);
}

/* A connection that was kept may be at its end: curl sends the body again. */
TEST_F_TIMEOUT(s3, sends_again_what_nobody_heard, 30)
{
	uint8_t *data = random_bytes(1000, 7);
	struct way way = { .bad = 1, .step = 1100, .upward = 1 };
	struct vdfs_s3 *s3;

	ASSERT_EQ(0, open_way(self, &way, 1, &s3));
	EXPECT_EQ(0, put(s3, "k", data, 1000));
	EXPECT_EQ(0, put(s3, "k2", data, 1000));
	EXPECT_EQ(2, atomic_load(&way.state->connections));
	EXPECT_EQ(0, same(self->s3, "k2", data, 1000));
	vdfs_s3_close(s3);
	way_close(&way);
	free(data);
}

/* Each client keeps its connection: the proxy serves them beside each other. */
TEST_F_TIMEOUT(s3, two_clients_over_one_way, 30)
{
	uint8_t *data = random_bytes(1000, 6);
	struct vdfs_s3 *first, *second;
	struct way way = { .bad = 0 };

	ASSERT_EQ(0, open_way(self, &way, 1, &first));
	ASSERT_EQ(0, use_way(self, &way, 1, &second));
	EXPECT_EQ(0, put(first, "k", data, 1000));
	EXPECT_EQ(0, same(second, "k", data, 1000));
	EXPECT_EQ(0, same(first, "k", data, 1000));
	EXPECT_EQ(2, atomic_load(&way.state->connections));
	vdfs_s3_close(first);
	vdfs_s3_close(second);
	way_close(&way);
	free(data);
}

TEST_F_TIMEOUT(s3, asks_once_where_it_is_refused, 120)
{
	static const struct {
		const char *answer;
		int err;
	} refused[] = { { "400 Bad Request", -EREMOTEIO },
			{ "401 Unauthorized", -EACCES },
			{ "403 Forbidden", -EACCES },
			{ "404 Not Found", -EREMOTEIO },
			{ "412 Precondition Failed", -EREMOTEIO } };
	struct vdfs_s3_info info;
	struct vdfs_s3 *s3;
	int i;

	for (i = 0; i < 5; i++) {
		struct way way = { .bad = 100, .answer = refused[i].answer };

		ASSERT_EQ(0, open_way(self, &way, 3, &s3));
		EXPECT_EQ(refused[i].err, vdfs_s3_head(s3, "x", &info));
		EXPECT_EQ(1, atomic_load(&way.state->connections));
		vdfs_s3_close(s3);
		way_close(&way);
	}
}

FIXTURE(tls)
{
	struct bucket b;
	struct vdfs_s3_options options;
};

FIXTURE_SETUP(tls)
{
	ASSERT_EQ(0, bucket_make_tls(&self->b));
	self->options = (struct vdfs_s3_options){
		.url = self->b.url,
		.credentials = self->b.credentials,
		.ca = self->b.ca,
		.tries = 2,
		.say = say,
	};
}

FIXTURE_TEARDOWN(tls)
{
	bucket_remove(&self->b);
	EXPECT_EQ(NULL, strstr(said, BUCKET_SECRET));
}

/* Put and get with these options. */
static int round_trip(const struct vdfs_s3_options *options)
{
	uint8_t *data = random_bytes(9 * MIB, 4);
	struct vdfs_s3 *s3 = NULL;
	int err;

	said[0] = '\0';
	err = vdfs_s3_open(options, &s3);
	if (!err)
		err = put(s3, "k", data, 9 * MIB);
	if (!err)
		err = same(s3, "k", data, 9 * MIB);
	vdfs_s3_close(s3);
	free(data);
	return err;
}

TEST_F_TIMEOUT(tls, trusts_whom_it_is_told_to, 120)
{
	struct vdfs_s3_options o = self->options;
	char path[128], url[128];

	EXPECT_EQ(0, round_trip(&o));
	EXPECT_STREQ("", said);
	/* The system does not know this one. */
	o.ca = NULL;
	EXPECT_EQ(-EPROTO, round_trip(&o));
	EXPECT_NE(NULL, strstr(said, "certificate"));
	/* One that is trusted, and did not sign this. */
	snprintf(path, sizeof(path), "%s/other", self->b.dir);
	o.ca = path;
	EXPECT_EQ(-EPROTO, round_trip(&o));
	EXPECT_NE(NULL, strstr(said, "certificate"));
	/* The server under a name that its certificate does not have. */
	o.ca = self->b.ca;
	snprintf(url, sizeof(url), "s3://127.0.0.1:%u/bucket",
		 self->b.tls_port);
	o.url = url;
	EXPECT_EQ(-EPROTO, round_trip(&o));
	EXPECT_NE(NULL, strstr(said, "127.0.0.1"));
	o.url = self->b.url;
	/* No connection falls back to none. */
	o.http = true;
	EXPECT_NE(0, round_trip(&o));
	o.http = false;
	o.ca = "/nonexistent";
	EXPECT_EQ(-ENOENT, round_trip(&o));
	o.ca = self->b.credentials;
	EXPECT_EQ(-EPROTO, round_trip(&o));
	/* None of this was the server's fault. */
	EXPECT_EQ(0, round_trip(&self->options));
}

TEST_HARNESS_MAIN
