// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers of a bucket, and those of others. Between it and this host may be
 * proxies, caches and portals that answer by themselves: an answer without the
 * form that S3 gives it proves nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "s3_impl.h"
#include "xml_impl.h"

/*
 * A server takes no request that is signed at another time than its own, but
 * for a quarter of an hour: an answer older than that is another one's.
 */
#define SKEW 900

/**
 * vdfs_s3_number() - read a decimal number
 * @text: Digits and nothing else.
 * @out: Out.
 *
 * Context: Any.
 * Return: 0 or -EREMOTEIO.
 */
int vdfs_s3_number(const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EREMOTEIO;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end || errno ? -EREMOTEIO : 0;
}

/* The value of a header, when it is that one. */
static bool header(const char *line, size_t len, const char *name, char *out,
		   size_t room)
{
	size_t n = strlen(name);

	if (len < n + 1 || strncasecmp(line, name, n) || line[n] != ':')
		return false;
	line += n + 1;
	len -= n + 1;
	while (len && (*line == ' ' || *line == '"')) {
		line++;
		len--;
	}
	while (len && strchr("\r\n \"", line[len - 1]))
		len--;
	if (len >= room)
		return false;
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

/* Return: seconds since 1970, or 0 for text that is no time. */
static int64_t date(const char *text)
{
	time_t at = curl_getdate(text, NULL);

	return at == (time_t)-1 ? 0 : at;
}

/**
 * vdfs_s3_header() - take a line of the head of an answer
 * @rq: The request.
 * @line: The line, which does not end with a NUL.
 * @len: Its length.
 *
 * Context: The thread of the request.
 */
void vdfs_s3_header(struct vdfs_s3_request *rq, const char *line, size_t len)
{
	char value[VDFS_S3_ETAG];

	/* Lines behind the body are no part of the head. */
	if (rq->got)
		return;
	if (len >= 5 && !memcmp(line, "HTTP/", 5)) {
		/* Another answer may have come before, "100 Continue". */
		memset(&rq->info, 0, sizeof(rq->info));
		rq->sized = false;
	} else if (header(line, len, "ETag", value, sizeof(value))) {
		stpcpy(rq->info.etag, value);
	} else if (header(line, len, "Last-Modified", value, sizeof(value))) {
		rq->info.modified = date(value);
	} else if (header(line, len, "Date", value, sizeof(value))) {
		rq->info.now = date(value);
	} else if (header(line, len, "Content-Length", value, sizeof(value))) {
		rq->sized = !vdfs_s3_number(value, &rq->info.size);
	}
}

static bool is_fresh(const struct vdfs_s3_request *rq)
{
	return llabs(rq->info.now - (int64_t)time(NULL)) <= SKEW;
}

/**
 * vdfs_s3_promise() - whether an object comes, by the head of an answer
 * @rq: The request, which succeeded so far.
 *
 * Context: The thread of the request.
 * Return: 0, or -EREMOTEIO when it is not of the form.
 */
int vdfs_s3_promise(const struct vdfs_s3_request *rq)
{
	return rq->status == 200 && is_fresh(rq) && *rq->info.etag &&
			       rq->info.modified && rq->sized ?
		       0 :
		       -EREMOTEIO;
}

static bool is_head(const struct vdfs_s3_request *rq)
{
	return !strcmp(rq->method, "HEAD");
}

static int judge_success(const struct vdfs_s3_request *rq)
{
	bool good;

	if (is_head(rq))
		return vdfs_s3_promise(rq);
	if (rq->sink)
		good = !vdfs_s3_promise(rq) && rq->got == rq->info.size;
	else if (rq->source)
		/* A write is acknowledged with the mark of the object. */
		good = rq->status == 200 && !rq->text_len && *rq->info.etag;
	else if (!strcmp(rq->method, "DELETE"))
		good = rq->status == 204;
	else
		good = rq->status == 200;
	return good && is_fresh(rq) ? 0 : -EREMOTEIO;
}

/* Whether the server itself says that it has no such object. */
static bool is_absent(const struct vdfs_s3_request *rq,
		      const struct vdfs_s3_error *e)
{
	const char *key = rq->s3->prefix;
	size_t n = strlen(key);

	if (!rq->key || rq->source || !is_fresh(rq))
		return false;
	/* To this request no server says more. */
	if (is_head(rq))
		return true;
	return !strcmp(e->code, "NoSuchKey") &&
	       (!*e->bucket || !strcmp(e->bucket, rq->s3->bucket)) &&
	       (!*e->key ||
		(!strncmp(e->key, key, n) && !strcmp(e->key + n, rq->key)));
}

/**
 * vdfs_s3_judge() - say what an answer that has come means
 * @rq: The request and its answer.
 * @code: Out, room for a word that says what failed; "" = there is none.
 * @room: For so many bytes.
 *
 * -ENOENT requires S3's own error document, which names the key. An answer to
 * HEAD has no document: after a HEAD -ENOENT only means that nothing is known.
 *
 * Context: The thread of the request.
 * Return: 0, -ENOENT, -EACCES, -EREMOTEIO, or -ENOMEM.
 */
int vdfs_s3_judge(const struct vdfs_s3_request *rq, char *code, size_t room)
{
	struct vdfs_s3_error *e;
	int err = -EREMOTEIO;

	*code = '\0';
	if (rq->status >= 200 && rq->status < 300)
		return judge_success(rq);
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	vdfs_s3_error(rq->text, rq->text_len, e);
	if (rq->status == 404 && is_absent(rq, e))
		err = -ENOENT;
	else if (rq->status == 401 || rq->status == 403)
		err = -EACCES;
	if (strlen(e->code) < room)
		stpcpy(code, e->code);
	free(e);
	return err;
}
