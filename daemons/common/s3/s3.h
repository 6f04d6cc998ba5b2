/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_S3_H
#define VDFS_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: A client of S3
 *
 * The part that stores of many makers have in common: objects with keys in a bucket,
 * over HTTP, each request signed (version 4). A request that may be asked
 * again is, a few times, after a wait that doubles and varies.
 *
 * An answer counts only in the form that S3 gives it (answer.c): answers of
 * proxies, portals and caches are EREMOTEIO. ENOENT is the server's own error,
 * except after vdfs_s3_head(): an answer to HEAD has no error document, and its
 * caller should only conclude that it must write the object again.
 *
 * Every request ends (limit.c): a long one must move 8 KiB a second on average,
 * a short one has @answer_s for all its tries.
 *
 * Keys consist of letters, digits, ".", "-", "_" and "/": what else there is
 * gets signed differently by different programs.
 *
 * Errors:
 *   ENOENT        there is no such object
 *   EACCES        the credentials are wrong, or do not allow it
 *   EHOSTUNREACH  nobody answers there
 *   ETIMEDOUT     the answer takes too long
 *   ESHUTDOWN     the caller is to end
 *   EREMOTEIO     the server failed, or said what is not understood
 *   EPROTO        no secure connection is possible
 *   EBADMSG       what has come is not what the server says it sent
 */

struct vdfs_s3;
struct vdfs_hash;

#define VDFS_S3_ETAG 128

/**
 * struct vdfs_s3_options - how a bucket is reached
 * @url: s3://HOST[:PORT]/BUCKET[/PREFIX]
 * @credentials: File with access_key_id, secret_access_key and, if there are,
 *               session_token and region, each "NAME = VALUE", as other
 *               clients have it. NULL = "s3" in $CREDENTIALS_DIRECTORY.
 * @region: NULL = as the credentials say, or else us-east-1.
 * @ca: PEM file of the CA certificates to verify the server by; NULL = the
 *      system's.
 * @http: Without TLS.
 * @page: Objects listed by one request; 0 = as many as the server likes.
 * @connect_ms: Longest wait for a connection; 0 = 10 s.
 * @stall_s: Longest wait without a byte moving; 0 = 30 s.
 * @answer_s: Longest wait, all tries together, for what is short: a list's
 *            page, or an object of which the caller says so; 0 = 20 s.
 * @proxy: URL of a proxy; NULL = none, whatever the environment names.
 * @stop: Asked several times a second while something is under way, by the
 *        thread that waits: true = give it up. NULL = never.
 * @stop_arg: Its argument.
 * @tries: How often something is tried; 0 = 5.
 * @say: Takes a line about what failed; NULL = nobody.
 * @arg: Its argument.
 */
struct vdfs_s3_options {
	const char *url;
	const char *credentials;
	const char *region;
	const char *ca;
	bool http;
	uint32_t page;
	uint32_t connect_ms;
	uint32_t stall_s;
	uint32_t answer_s;
	const char *proxy;
	bool (*stop)(void *arg);
	void *stop_arg;
	uint32_t tries;
	void (*say)(void *arg, const char *line);
	void *arg;
};

/**
 * struct vdfs_s3_source - what is to be sent
 * @read: Copies @len bytes from @offset on to @buf; 0 or a negative errno.
 * @arg: Its argument.
 * @size: All bytes.
 * @hash: Of all of them, or NULL.
 */
struct vdfs_s3_source {
	int (*read)(void *arg, void *buf, size_t len, uint64_t offset);
	void *arg;
	uint64_t size;
	const struct vdfs_hash *hash;
};

/**
 * struct vdfs_s3_sink - where what comes goes
 * @begin: Forget what has come so far: it comes again from the start.
 * @write: Take the next bytes. Both return 0 or a negative errno.
 * @arg: Their argument.
 * @small: It is short: no more than a few KiB are waited for.
 */
struct vdfs_s3_sink {
	int (*begin)(void *arg);
	int (*write)(void *arg, const void *data, size_t len);
	void *arg;
	bool small;
};

/**
 * struct vdfs_s3_info - what a server says of an object
 * @size: Bytes.
 * @modified: When it was written, seconds, by the server's clock.
 * @now: That clock, when it was asked.
 * @etag: Changes with the object; "" when there is none.
 */
struct vdfs_s3_info {
	uint64_t size;
	int64_t modified;
	int64_t now;
	char etag[VDFS_S3_ETAG];
};

/**
 * typedef vdfs_s3_list_fn - one object of a list
 * @arg: The caller's.
 * @key: Its key, without the prefix of the URL.
 * @info: Its length and time.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int vdfs_s3_list_fn(void *arg, const char *key,
			    const struct vdfs_s3_info *info);

int vdfs_s3_open(const struct vdfs_s3_options *options, struct vdfs_s3 **out);
void vdfs_s3_close(struct vdfs_s3 *s3);
int vdfs_s3_put(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_source *source, struct vdfs_s3_info *info);
int vdfs_s3_get(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_sink *sink, struct vdfs_s3_info *info);
int vdfs_s3_head(struct vdfs_s3 *s3, const char *key,
		 struct vdfs_s3_info *info);
int vdfs_s3_delete(struct vdfs_s3 *s3, const char *key);
/* In the order of keys; @flat: not those with a slash behind the prefix. */
int vdfs_s3_list(struct vdfs_s3 *s3, const char *prefix, bool flat,
		 vdfs_s3_list_fn *fn, void *arg);

#endif /* VDFS_S3_H */
