// SPDX-License-Identifier: GPL-2.0-only
/* Objects of a bucket, sent whole or in parts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3_impl.h"

#define PARTS_MAX 10000
#define PART "<Part><PartNumber>%u</PartNumber><ETag>\"%s\"</ETag></Part>"

/**
 * struct parts - an object that is sent in parts
 * @s3: The bucket.
 * @key: Of the object.
 * @id: Of the upload, fit for a query.
 * @source: The object.
 * @list: XML that names the parts, grows.
 * @list_len: Its length.
 */
struct parts {
	struct vdfs_s3 *s3;
	const char *key;
	char *id;
	const struct vdfs_s3_source *source;
	char *list;
	size_t list_len;
};

static int read_text(void *arg, void *buf, size_t len, uint64_t offset)
{
	memcpy(buf, (const char *)arg + offset, len);
	return 0;
}

static int parts_begin(struct parts *p)
{
	struct vdfs_s3_request rq = { .method = "POST",
				      .key = p->key,
				      .query = "uploads=" };
	char id[1024];
	char *escaped;
	int err;

	err = vdfs_s3_do(p->s3, &rq);
	if (!err)
		err = vdfs_s3_element(rq.text, rq.text_len, "UploadId", id,
				      sizeof(id));
	free(rq.text);
	if (err)
		return err == -ENOENT ? -EREMOTEIO : err;
	escaped = curl_easy_escape(NULL, id, 0);
	p->id = escaped ? strdup(escaped) : NULL;
	curl_free(escaped);
	return p->id ? 0 : -ENOMEM;
}

static int parts_add(struct parts *p, const char *format, unsigned int number,
		     const char *etag)
{
	char line[256];
	char *list;
	int n;

	n = snprintf(line, sizeof(line), format, number, etag);
	list = realloc(p->list, p->list_len + n + 1);
	if (!list)
		return -ENOMEM;
	memcpy(list + p->list_len, line, n + 1);
	p->list = list;
	p->list_len += n;
	return 0;
}

static int parts_send(struct parts *p, unsigned int number, uint64_t from,
		      uint64_t len)
{
	struct vdfs_s3_request rq = { .method = "PUT",
				      .key = p->key,
				      .source = p->source,
				      .from = from,
				      .len = len };
	char *query;
	int err;

	if (asprintf(&query, "partNumber=%u&uploadId=%s", number, p->id) < 0)
		return -ENOMEM;
	rq.query = query;
	err = vdfs_s3_do(p->s3, &rq);
	free(query);
	free(rq.text);
	if (!err && (!*rq.info.etag || strpbrk(rq.info.etag, "<&")))
		err = -EREMOTEIO;
	return err ?: parts_add(p, PART, number, rq.info.etag);
}

/* A server may say 200 and only then find that it failed. */
static int parts_end(struct parts *p)
{
	struct vdfs_s3_source text = { .read = read_text,
				       .arg = p->list,
				       .size = p->list_len };
	struct vdfs_s3_request rq = { .method = "POST",
				      .key = p->key,
				      .source = &text,
				      .len = p->list_len };
	char *query, why[128];
	int err;

	if (asprintf(&query, "uploadId=%s", p->id) < 0)
		return -ENOMEM;
	rq.query = query;
	err = vdfs_s3_do(p->s3, &rq);
	if (!err && (!rq.text || strstr(rq.text, "<Error>"))) {
		if (!rq.text || vdfs_s3_element(rq.text, rq.text_len, "Code",
						why, sizeof(why)))
			stpcpy(why, "no answer");
		vdfs_s3_say(p->s3, "cannot join the parts of %s: %s", p->key,
			    why);
		err = -EREMOTEIO;
	}
	free(query);
	free(rq.text);
	return err;
}

static void parts_abort(struct parts *p)
{
	struct vdfs_s3_request rq = { .method = "DELETE", .key = p->key };
	char *query;

	if (asprintf(&query, "uploadId=%s", p->id) < 0)
		return;
	rq.query = query;
	vdfs_s3_do(p->s3, &rq);
	free(query);
	free(rq.text);
}

static int put_parts(struct parts *p)
{
	uint64_t size = p->source->size, step = p->s3->options.part_bytes;
	unsigned int number = 0;
	uint64_t at, n;
	int err;

	if (size / step >= PARTS_MAX)
		step = size / (PARTS_MAX - 1) + 1;
	err = parts_begin(p);
	if (err)
		return err;
	err = parts_add(p, "<CompleteMultipartUpload>", 0, "");
	for (at = 0; !err && at < size; at += n) {
		n = size - at < step ? size - at : step;
		err = parts_send(p, ++number, at, n);
	}
	if (!err)
		err = parts_add(p, "</CompleteMultipartUpload>", 0, "");
	if (!err)
		err = parts_end(p);
	if (err)
		parts_abort(p);
	return err;
}

/**
 * vdfs_s3_put() - write an object
 * @s3: The bucket.
 * @key: Of the object.
 * @source: Its bytes, which are read twice where their hash is not known.
 * @info: Out, what the server says, without the size; NULL = nobody asks.
 *
 * It is there as a whole or not at all.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_s3_put(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_source *source, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "PUT",
				      .key = key,
				      .source = source,
				      .len = source->size };
	struct parts p = { .s3 = s3, .key = key, .source = source };
	int err;

	if (source->size > s3->options.part_bytes) {
		err = put_parts(&p);
		free(p.id);
		free(p.list);
		return err;
	}
	err = vdfs_s3_do(s3, &rq);
	free(rq.text);
	if (info)
		*info = rq.info;
	return err;
}

/**
 * vdfs_s3_get() - read an object
 * @s3: The bucket.
 * @key: Of the object.
 * @sink: Where its bytes go.
 * @info: Out, what the server says; NULL = nobody asks.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_s3_get(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_sink *sink, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "GET",
				      .key = key,
				      .sink = sink };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	if (info)
		*info = rq.info;
	return err;
}

/**
 * vdfs_s3_head() - ask about an object
 * @s3: The bucket.
 * @key: Of the object.
 * @info: Out, what the server says.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_s3_head(struct vdfs_s3 *s3, const char *key, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "HEAD", .key = key };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	*info = rq.info;
	return err;
}

/**
 * vdfs_s3_delete() - delete an object
 * @s3: The bucket.
 * @key: Of the object.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, also when there was none, or a negative errno.
 */
int vdfs_s3_delete(struct vdfs_s3 *s3, const char *key)
{
	struct vdfs_s3_request rq = { .method = "DELETE", .key = key };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	return err == -ENOENT ? 0 : err;
}
