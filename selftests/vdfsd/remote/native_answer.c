// SPDX-License-Identifier: GPL-2.0-only
/* What the client of S3 takes for an answer, when others answer too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/common/s3/s3.h"
#include "vdfsd/s3.h"
#include "vdfsd/way.h"

#define ALWAYS 1000000
#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define OLD "HTTP/1.1 200 OK\r\nDate: %O\r\nETag: \"0\"\r\n"

/* Heads: how an object comes, an error, and a list; each with its length. */
#define OBJECT(body)                                           \
	"HTTP/1.1 200 OK\r\nDate: %D\r\nLast-Modified: %D\r\n" \
	"ETag: \"0\"\r\nConnection: close\r\n" body
#define PAGE(status, more, body)                                        \
	"HTTP/1.1 " status "\r\nDate: %D\r\nConnection: close\r\n" more \
	"\r\n" body
#define MISSING(body) PAGE("404 Not Found", "", body)
#define HTML "<html><body>Please log in.</body></html>"
#define NO_KEY "<Code>NoSuchKey</Code>"
#define ERROR(code) "<Error><Code>" code "</Code></Error>"

/* What the client said, to look for secrets in. */
static char said[16384];

static void say(void *arg, const char *line)
{
	(void)arg;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n",
		 line);
	fprintf(stderr, "# %s\n", line);
}

FIXTURE(answer)
{
	struct bucket b;
	struct vdfs_s3_options options;
	struct way way;
	struct vdfs_s3 *s3;
	struct vdfs_s3 *over;
};

static int read_bytes(void *arg, void *buf, size_t len, uint64_t offset)
{
	memcpy(buf, (const char *)arg + offset, len);
	return 0;
}

static int put(struct vdfs_s3 *s3, const char *key, char *text)
{
	struct vdfs_s3_source source = { read_bytes, text, strlen(text), NULL };

	return vdfs_s3_put(s3, key, &source, NULL);
}

/* Text that comes. */
struct text {
	char data[256];
	size_t len;
};

static int text_begins(void *arg)
{
	memset(arg, 0, sizeof(struct text));
	return 0;
}

static int text_comes(void *arg, const void *data, size_t len)
{
	struct text *t = arg;

	if (t->len + len >= sizeof(t->data))
		return -ENOBUFS;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return 0;
}

static int get(struct vdfs_s3 *s3, const char *key, struct text *t)
{
	struct vdfs_s3_sink sink = { text_begins, text_comes, t, true };

	return vdfs_s3_get(s3, key, &sink, NULL);
}

FIXTURE_SETUP(answer)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, bucket_make(&self->b));
	self->options = (struct vdfs_s3_options){
		.url = self->b.url,
		.credentials = self->b.credentials,
		.http = true,
		.tries = 1,
		.say = say,
	};
	ASSERT_EQ(0, vdfs_s3_open(&self->options, &self->s3));
	ASSERT_EQ(0, put(self->s3, "d/k", "value"));
}

static void end_way(FIXTURE_DATA(answer) * self)
{
	if (self->over) {
		vdfs_s3_close(self->over);
		way_close(&self->way);
	}
	self->over = NULL;
}

FIXTURE_TEARDOWN(answer)
{
	end_way(self);
	vdfs_s3_close(self->s3);
	bucket_remove(&self->b);
	EXPECT_EQ(NULL, strstr(said, BUCKET_SECRET));
}

/* A client of the bucket over a proxy that does this. */
static int use_way(FIXTURE_DATA(answer) * self, struct way way)
{
	struct vdfs_s3_options o = self->options;
	char url[160];
	int err;

	end_way(self);
	way.bad = way.bad ? way.bad : ALWAYS;
	self->way = way;
	err = way_open(&self->way, &self->b);
	snprintf(url, sizeof(url), "s3://127.0.0.1:%u/bucket/some/prefix",
		 self->way.port);
	o.url = url;
	return err ?: vdfs_s3_open(&o, &self->over);
}

static int use_reply(FIXTURE_DATA(answer) * self, const char *reply)
{
	return use_way(self, (struct way){ .reply = reply });
}

static int disturbed(FIXTURE_DATA(answer) * self)
{
	return atomic_load(&self->way.state->disturbed);
}

TEST_F_TIMEOUT(answer, absence_is_said_by_the_server, 120)
{
	static const char *const proof[] = {
		MISSING("<Error>" NO_KEY "</Error>"),
		MISSING("<Error>" NO_KEY "<Key>some/prefix/d/k</Key></Error>"),
		MISSING("<Error><BucketName>bucket</BucketName>" NO_KEY
			"<Resource>/bucket/some/prefix/d/k</Resource></Error>"),
	};
	struct text t;
	size_t i;

	for (i = 0; i < COUNT(proof); i++) {
		ASSERT_EQ(0, use_reply(self, proof[i]));
		EXPECT_EQ(-ENOENT, get(self->over, "d/k", &t));
		EXPECT_EQ(0, vdfs_s3_delete(self->over, "d/k"));
		/* What is written is never absent. */
		EXPECT_EQ(-EREMOTEIO, put(self->over, "d/k", "other"));
		EXPECT_EQ(3, disturbed(self));
	}
	EXPECT_EQ(0, get(self->s3, "d/k", &t));
}

TEST_F_TIMEOUT(answer, absence_is_not_believed_of_others, 120)
{
	static const char *const none[] = {
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		MISSING(""),
		MISSING("not found"),
		MISSING(HTML),
		MISSING(NO_KEY),
		MISSING("<html>" NO_KEY "</html>"),
		MISSING("<Error>" NO_KEY),
		MISSING("<Error><a>" NO_KEY "</a></Error>"),
		MISSING("<Error><Code>NoSuchBucket</Code></Error>"),
		MISSING("<Error>" NO_KEY "<Key>some/prefix/k</Key></Error>"),
		MISSING("<Error>" NO_KEY "<Key>none/prefix/d/k</Key></Error>"),
		MISSING("<Error>" NO_KEY "<BucketName>b</BucketName></Error>"),
		MISSING("<!DOCTYPE Error><Error>" NO_KEY "</Error>"),
		PAGE("410 Gone", "", "<Error>" NO_KEY "</Error>"),
		"HTTP/1.1 404 Not Found\r\nDate: %O\r\nConnection: close\r\n"
		"\r\n<Error>" NO_KEY "</Error>",
		"HTTP/1.1 404 Not Found\r\nConnection: close\r\n"
		"\r\n<Error>" NO_KEY "</Error>",
	};
	struct text t;
	size_t i;

	for (i = 0; i < COUNT(none); i++) {
		ASSERT_EQ(0, use_reply(self, none[i]));
		EXPECT_EQ(-EREMOTEIO, get(self->over, "d/k", &t))
		{
			TH_LOG("%s", none[i]);
		}
		EXPECT_EQ(-EREMOTEIO, vdfs_s3_delete(self->over, "d/k"));
		EXPECT_EQ(-EREMOTEIO, put(self->over, "d/k", "other"));
		EXPECT_EQ(3, disturbed(self));
	}
	EXPECT_EQ(0, get(self->s3, "d/k", &t));
	EXPECT_STREQ("value", t.data);
}

TEST_F_TIMEOUT(answer, objects_come_whole_and_with_a_head, 120)
{
	static const char *const none[] = {
		PAGE("200 OK", "Content-Type: text/html\r\n", HTML),
		PAGE("302 Found", "Location: http://127.0.0.1/\r\n", HTML),
		PAGE("511 Network Authentication Required", "", HTML),
		PAGE("204 No Content", "", ""),
		"HTTP/1.1 206 Partial Content\r\nDate: %D\r\nETag: \"0\"\r\n"
		"Last-Modified: %D\r\nContent-Length: 4\r\n\r\nvalu",
		/* One line of the head is missing, each time another. */
		OBJECT("\r\nvalue"),
		"HTTP/1.1 200 OK\r\nDate: %D\r\nETag: \"0\"\r\n"
		"Content-Length: 5\r\n\r\nvalue",
		"HTTP/1.1 200 OK\r\nDate: %D\r\nLast-Modified: %D\r\n"
		"Content-Length: 5\r\n\r\nvalue",
		"HTTP/1.1 200 OK\r\nETag: \"0\"\r\nLast-Modified: %D\r\n"
		"Content-Length: 5\r\n\r\nvalue",
		/* Of a cache, or of a clock that is wrong. */
		OLD "Last-Modified: %O\r\nContent-Length: 5\r\n\r\nvalue",
		/* The head belongs to an answer before. */
		"HTTP/1.1 100 Continue\r\nDate: %D\r\nETag: \"0\"\r\n"
		"Last-Modified: %D\r\nContent-Length: 5\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvalue",
		OBJECT("Content-Length: 6\r\n\r\nvalue"),
		OBJECT("Content-Length: 5x\r\n\r\nvalue"),
	};
	struct vdfs_s3_info info;
	struct text t;
	size_t i;

	for (i = 0; i < COUNT(none); i++) {
		ASSERT_EQ(0, use_reply(self, none[i]));
		EXPECT_EQ(-EREMOTEIO, get(self->over, "d/k", &t))
		{
			TH_LOG("%s", none[i]);
		}
		EXPECT_EQ(1, disturbed(self));
		/* To HEAD, the one with six bytes is whole. */
		if (i + 2 != COUNT(none))
			EXPECT_EQ(-EREMOTEIO,
				  vdfs_s3_head(self->over, "d/k", &info));
	}
	ASSERT_EQ(0, use_reply(self, OBJECT("Content-Length: 5\r\n\r\nother")));
	EXPECT_EQ(0, get(self->over, "d/k", &t));
	EXPECT_STREQ("other", t.data);
	EXPECT_EQ(0, vdfs_s3_head(self->over, "d/k", &info));
	EXPECT_EQ(5, info.size);
}

TEST_F_TIMEOUT(answer, writes_are_acknowledged_by_the_server, 120)
{
	static const char *const none[] = {
		PAGE("200 OK", "Content-Type: text/html\r\n", HTML),
		OBJECT("\r\n" HTML),
		PAGE("200 OK", "Content-Length: 0\r\n", ""),
		PAGE("201 Created", "ETag: \"0\"\r\nContent-Length: 0\r\n", ""),
		PAGE("302 Found", "Location: http://127.0.0.1/\r\n", ""),
		OLD "Content-Length: 0\r\n\r\n",
	};
	struct text t;
	size_t i;

	for (i = 0; i < COUNT(none); i++) {
		ASSERT_EQ(0, use_reply(self, none[i]));
		EXPECT_EQ(-EREMOTEIO, put(self->over, "d/k", "other"))
		{
			TH_LOG("%s", none[i]);
		}
		EXPECT_EQ(-EREMOTEIO, vdfs_s3_delete(self->over, "d/k"));
	}
	ASSERT_EQ(0, use_reply(self, "HTTP/1.1 204 No Content\r\n\r\n"));
	EXPECT_EQ(-EREMOTEIO, vdfs_s3_delete(self->over, "d/k"));
	EXPECT_EQ(0, get(self->s3, "d/k", &t));
	EXPECT_STREQ("value", t.data);
}

static int count(void *arg, const char *key, const struct vdfs_s3_info *info)
{
	(void)key;
	(void)info;
	++*(int *)arg;
	return 0;
}

#define OF(bucket, prefix) "<Name>" bucket "</Name><Prefix>" prefix "</Prefix>"
#define NAMED OF("bucket", "some/prefix/d/")
#define END "<IsTruncated>false</IsTruncated>"
#define LAST "" NAMED END
#define OPEN "<Contents>"
#define KEY(key) "<Key>" key "</Key>"
#define SIZE(size) "<Size>" size "</Size>"
#define TIME "<LastModified>2026-11-29T00:00:00.000Z</LastModified>"
#define CLOSE "</Contents>"
#define ENTRY(key) "" OPEN KEY(key) SIZE("1") TIME CLOSE
#define FOLDER(key) "<CommonPrefixes><Prefix>" key "</Prefix></CommonPrefixes>"
#define TOKEN(t) "<NextContinuationToken>" t "</NextContinuationToken>"
#define LIST(body) "<ListBucketResult>" body "</ListBucketResult>"
#define K "some/prefix/d/k"

TEST_F_TIMEOUT(answer, lists_count_as_a_whole, 120)
{
	static const char *const none[] = {
		"",
		HTML,
		"<ListBucketResult>" LAST ENTRY(K),
		"<ListResult>" LAST "</ListResult>",
		"<!DOCTYPE ListBucketResult>" LIST(LAST),
		LIST(LAST) "and more",
		/* Of another bucket, of another prefix, of none. */
		LIST(OF("b", "some/prefix/d/") END),
		LIST(OF("bucket", "some/prefix/") END),
		LIST(END),
		LIST(NAMED),
		LIST(NAMED "<IsTruncated>maybe</IsTruncated>"),
		LIST(NAMED "<IsTruncated>true</IsTruncated>"),
		LIST(LAST TOKEN("t")),
		/* Keys that are no part of it, or not in order. */
		LIST(LAST ENTRY(K) ENTRY("other/prefix/d/l")),
		LIST(LAST ENTRY(K) ENTRY("some/prefix/d/j")),
		LIST(LAST ENTRY(K) ENTRY(K)),
		LIST(LAST ENTRY(K) FOLDER("x")),
		/* Objects of which something is not said. */
		LIST(LAST ENTRY(K) OPEN SIZE("1") TIME CLOSE),
		LIST(LAST OPEN KEY(K) SIZE("1") CLOSE),
		LIST(LAST OPEN KEY(K) TIME CLOSE),
		LIST(LAST OPEN KEY(K) SIZE("-1") TIME CLOSE),
	};
	char reply[1024];
	int n = 0;
	size_t i;

	for (i = 0; i < COUNT(none); i++) {
		snprintf(reply, sizeof(reply),
			 "HTTP/1.1 200 OK\r\nDate: %%D\r\n"
			 "Connection: close\r\n\r\n%s",
			 none[i]);
		ASSERT_EQ(0, use_reply(self, reply));
		EXPECT_EQ(-EREMOTEIO,
			  vdfs_s3_list(self->over, "d/", false, count, &n))
		{
			TH_LOG("%s", none[i]);
		}
		EXPECT_EQ(1, disturbed(self));
		EXPECT_EQ(0, n);
	}
	ASSERT_EQ(0, use_reply(self,
			       PAGE("200 OK", "",
				    LIST(LAST ENTRY("some/prefix/d/a")
						 ENTRY("some/prefix/d/b")))));
	EXPECT_EQ(0, vdfs_s3_list(self->over, "d/", false, count, &n));
	EXPECT_EQ(2, n);
	ASSERT_EQ(0,
		  use_reply(self, PAGE("302 Found", "Location: http://x/\r\n",
				       LIST(LAST))));
	EXPECT_EQ(-EREMOTEIO, vdfs_s3_list(self->over, "d/", false, count, &n));
}

#define MORE(t) NAMED "<IsTruncated>true</IsTruncated>" TOKEN(t)

/* Whatever comes next, it is known by now. */
TEST_F_TIMEOUT(answer, lists_end, 120)
{
	static const char *const endless[] = {
		/* The same page, again and again. */
		PAGE("200 OK", "", LIST(MORE("t") ENTRY("some/prefix/d/k"))),
		PAGE("200 OK", "", LIST(MORE("t"))),
		PAGE("200 OK", "", LIST(MORE("t") FOLDER("some/prefix/d/x/"))),
	};
	int n;
	size_t i;

	for (i = 0; i < COUNT(endless); i++) {
		n = 0;
		ASSERT_EQ(0, use_reply(self, endless[i]));
		EXPECT_EQ(-EREMOTEIO,
			  vdfs_s3_list(self->over, "d/", false, count, &n));
		EXPECT_EQ(2, disturbed(self));
		EXPECT_EQ(i == 0, n);
	}
}

/* Two tokens that lead to each other, with pages that say nothing new. */
TEST_F_TIMEOUT(answer, lists_end_that_go_round, 120)
{
	int n = 0;

	ASSERT_EQ(0, use_way(self,
			     (struct way){ .reply = PAGE("200 OK", "",
							 LIST(MORE("%N"))) }));
	EXPECT_EQ(-EREMOTEIO, vdfs_s3_list(self->over, "d/", false, count, &n));
	EXPECT_LT(2, disturbed(self));
	EXPECT_EQ(0, n);
}

TEST_F_TIMEOUT(answer, the_environment_names_no_proxy, 120)
{
	struct way way = { .answer = "503 Slow Down", .bad = ALWAYS };
	struct vdfs_s3_options o = self->options;
	struct vdfs_s3 *s3;
	char url[64];
	struct text t;

	ASSERT_EQ(0, way_open(&way, &self->b));
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", way.port);
	ASSERT_EQ(0, setenv("http_proxy", url, 1));
	ASSERT_EQ(0, setenv("all_proxy", url, 1));
	ASSERT_EQ(0, vdfs_s3_open(&o, &s3));
	EXPECT_EQ(0, get(s3, "d/k", &t));
	EXPECT_EQ(0, atomic_load(&way.state->connections));
	vdfs_s3_close(s3);
	/* An option does, and nothing takes that back. */
	ASSERT_EQ(0, setenv("no_proxy", "*", 1));
	ASSERT_EQ(0, unsetenv("http_proxy"));
	o.proxy = url;
	ASSERT_EQ(0, vdfs_s3_open(&o, &s3));
	EXPECT_EQ(-EREMOTEIO, get(s3, "d/k", &t));
	EXPECT_EQ(1, atomic_load(&way.state->connections));
	vdfs_s3_close(s3);
	way_close(&way);
}

/* What a server says goes to the log as a word, or not. */
TEST_F_TIMEOUT(answer, the_log_says_words, 120)
{
	struct text t;

	ASSERT_EQ(0, use_reply(self, PAGE("403 Forbidden", "",
					  ERROR("No&#10;forged"))));
	EXPECT_EQ(-EACCES, get(self->over, "d/k", &t));
	EXPECT_NE(NULL, strstr(said, "GET http://127.0.0.1:"));
	EXPECT_EQ(NULL, strstr(said, "forged"));
	ASSERT_EQ(0, use_reply(self, PAGE("403 Forbidden", "",
					  ERROR("AccessDenied"))));
	EXPECT_EQ(-EACCES, get(self->over, "d/k", &t));
	EXPECT_NE(NULL, strstr(said, "(AccessDenied)"));
}

TEST_HARNESS_MAIN
