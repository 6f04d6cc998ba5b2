/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_S3_IMPL_H
#define VDFS_S3_IMPL_H

#include <pthread.h>

#include <curl/curl.h>

#include "s3.h"

#define VDFS_S3_IDLE 8 /* connections kept */
#define VDFS_S3_TEXT ((size_t)8 << 20) /* longest answer that is text */

/**
 * struct vdfs_s3 - a bucket
 * @options: How it is reached; its strings are not used any more.
 * @base: URL of the bucket, "https://HOST/BUCKET/".
 * @prefix: Of all keys: "" or "PREFIX/".
 * @user: "KEY:SECRET".
 * @token: Header with the session's token, or NULL.
 * @sign: Region and service to sign for, as curl takes them.
 * @ca: File of certificates, or NULL.
 * @lock: Of @idle and @seed.
 * @idle: Handles with their connections.
 * @n_idle: How many.
 * @seed: Of how long waits vary.
 */
struct vdfs_s3 {
	struct vdfs_s3_options options;
	char *base;
	char *prefix;
	char *user;
	char *token;
	char *sign;
	char *ca;
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
 * @at: How much was sent.
 * @status: Of HTTP.
 * @handle: Of curl.
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
	uint64_t at;
	long status;
	CURL *handle;
};

int vdfs_s3_do(struct vdfs_s3 *s3, struct vdfs_s3_request *rq);
int vdfs_s3_credentials(struct vdfs_s3 *s3, const char *path,
			const char *region);
void vdfs_s3_say(struct vdfs_s3 *s3, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The text of the first element of that name; -ENOENT when there is none. */
int vdfs_s3_element(const char *xml, size_t len, const char *name, char *out,
		    size_t room);

#endif /* VDFS_S3_IMPL_H */
