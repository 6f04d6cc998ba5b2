/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_S3_IMPL_H
#define VDFS_S3_IMPL_H

#include <pthread.h>

#include <curl/curl.h>

#include "s3.h"

#define VDFS_S3_IDLE 8 /* connections kept */
#define VDFS_S3_TEXT ((size_t)8 << 20) /* longest answer that is text */
#define VDFS_S3_SMALL ((uint64_t)64 << 10) /* longest body of a short request */
#define VDFS_S3_RATE 8192 /* bytes a second, the least */

/**
 * struct vdfs_s3 - a bucket
 * @options: How it is reached; its strings are not used any more.
 * @base: URL of the bucket, "https://HOST/BUCKET/".
 * @bucket: Its name.
 * @prefix: Of all keys: "" or "PREFIX/".
 * @user: "KEY:SECRET".
 * @token: Header with the session's token, or NULL.
 * @sign: Region and service to sign for, as curl takes them.
 * @ca: File of certificates, or NULL.
 * @proxy: Proxy, or "" = none.
 * @lock: Of @idle and @seed.
 * @idle: Handles with their connections.
 * @n_idle: How many.
 * @seed: Of how long waits vary.
 */
struct vdfs_s3 {
	struct vdfs_s3_options options;
	char *base;
	char *bucket;
	char *prefix;
	char *user;
	char *token;
	char *sign;
	char *ca;
	char *proxy;
	pthread_mutex_t lock; /* innermost */
	void *idle[VDFS_S3_IDLE];
	unsigned int n_idle;
	unsigned int seed;
};

/**
 * struct vdfs_s3_request - one request, and what came of it
 * @method: GET, PUT, HEAD or DELETE.
 * @key: Of the object; NULL = of the bucket.
 * @query: Behind the question mark, or NULL.
 * @source: Source of the body, or NULL.
 * @sink: Where the answer goes, or NULL: to @text.
 * @info: Out, what the headers say.
 * @text: Out, an answer that is text, ends with NUL; to be freed.
 * @text_len: Its length.
 * @err: Why source or sink failed.
 * @limit: Why this side gave up.
 * @at: How much was sent.
 * @got: How much of the body has come.
 * @sized: The headers say how long it is.
 * @status: Of HTTP.
 * @end: All tries are over by then, ms; 0 = each has its own time.
 * @until: This try is too slow then, ms.
 * @moved: How much had moved when that was found.
 * @handle: Of curl.
 * @s3: The bucket.
 */
struct vdfs_s3_request {
	const char *method;
	const char *key;
	const char *query;
	const struct vdfs_s3_source *source;
	const struct vdfs_s3_sink *sink;
	struct vdfs_s3_info info;
	char *text;
	size_t text_len;
	int err;
	int limit;
	uint64_t at;
	uint64_t got;
	bool sized;
	long status;
	int64_t end;
	int64_t until;
	uint64_t moved;
	CURL *handle;
	struct vdfs_s3 *s3;
};

/* http.c */
int vdfs_s3_do(struct vdfs_s3 *s3, struct vdfs_s3_request *rq);

/* answer.c: what counts as one */
int vdfs_s3_number(const char *text, uint64_t *out);
void vdfs_s3_header(struct vdfs_s3_request *rq, const char *line, size_t len);
int vdfs_s3_promise(const struct vdfs_s3_request *rq);
int vdfs_s3_judge(const struct vdfs_s3_request *rq, char *code, size_t room);

/* limit.c: how long it may take */
int64_t vdfs_s3_clock(void);
void vdfs_s3_begin(struct vdfs_s3_request *rq);
void vdfs_s3_start(struct vdfs_s3_request *rq);
int vdfs_s3_limit(struct vdfs_s3_request *rq);
int vdfs_s3_wait(struct vdfs_s3_request *rq, unsigned int ms);

/* s3.c */
int vdfs_s3_credentials(struct vdfs_s3 *s3, const char *path,
			const char *region);
void vdfs_s3_say(struct vdfs_s3 *s3, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* VDFS_S3_IMPL_H */
