// SPDX-License-Identifier: GPL-2.0-only
/* Answers of servers in XML: lists of objects, and single words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <expat.h>

#include "s3_impl.h"

#define WORD 2048 /* longest text of an element */

/**
 * struct answer - an answer that is being read
 * @parser: Of it.
 * @text: Text of the element that is open.
 * @len: Its length.
 * @too_long: It had more.
 * @wanted: Name of the one element that is asked for, or NULL.
 * @found: It was there, and @text is what it says.
 * @prefix_len: Bytes to skip at the start of keys.
 * @fn: Called for each object.
 * @arg: Its argument.
 * @now: The server's clock.
 * @inside: An object is open.
 * @key: Of that object.
 * @info: Of that object.
 * @more: Where the next page begins; "" = this is the last.
 * @err: Result of @fn.
 */
struct answer {
	XML_Parser parser;
	char text[WORD];
	size_t len;
	bool too_long;
	const char *wanted;
	bool found;
	size_t prefix_len;
	vdfs_s3_list_fn *fn;
	void *arg;
	int64_t now;
	bool inside;
	char key[WORD];
	struct vdfs_s3_info info;
	char more[WORD];
	int err;
};

static void element_begins(void *arg, const char *name, const char **attributes)
{
	struct answer *a = arg;

	(void)attributes;
	if (a->found)
		return;
	a->len = 0;
	a->text[0] = '\0';
	if (!a->wanted && !strcmp(name, "Contents")) {
		a->inside = true;
		a->key[0] = '\0';
		memset(&a->info, 0, sizeof(a->info));
	}
}

static void text_comes(void *arg, const char *text, int len)
{
	struct answer *a = arg;

	if (a->found)
		return;
	if (a->len + len >= WORD) {
		a->too_long = true;
		return;
	}
	memcpy(a->text + a->len, text, len);
	a->len += len;
	a->text[a->len] = '\0';
}

/* ETag has quotation marks in it here, and in a header. */
static void take_etag(struct answer *a)
{
	size_t n = 0, i;

	for (i = 0; i < a->len && n + 1 < sizeof(a->info.etag); i++) {
		if (a->text[i] != '"')
			a->info.etag[n++] = a->text[i];
	}
	a->info.etag[n] = '\0';
}

static void take_time(struct answer *a)
{
	struct tm tm = {};

	if (strptime(a->text, "%Y-%m-%dT%H:%M:%S", &tm))
		a->info.modified = timegm(&tm);
}

static void object_ends(struct answer *a)
{
	a->inside = false;
	a->info.now = a->now;
	if (a->err)
		return;
	if (strlen(a->key) < a->prefix_len)
		a->err = -EREMOTEIO;
	else
		a->err = a->fn(a->arg, a->key + a->prefix_len, &a->info);
}

static void element_ends(void *arg, const char *name)
{
	struct answer *a = arg;

	if (a->wanted) {
		a->found = a->found || !strcmp(name, a->wanted);
		return;
	}
	if (!strcmp(name, "NextContinuationToken"))
		stpcpy(a->more, a->text);
	else if (!strcmp(name, "Contents") && a->inside)
		object_ends(a);
	else if (a->inside && !strcmp(name, "Key"))
		stpcpy(a->key, a->text);
	else if (a->inside && !strcmp(name, "ETag"))
		take_etag(a);
	else if (a->inside && !strcmp(name, "Size"))
		a->info.size = strtoull(a->text, NULL, 10);
	else if (a->inside && !strcmp(name, "LastModified"))
		take_time(a);
}

static int parse(struct answer *a, const char *xml, size_t len)
{
	int err = 0;

	a->parser = XML_ParserCreate(NULL);
	if (!a->parser)
		return -ENOMEM;
	XML_SetUserData(a->parser, a);
	XML_SetElementHandler(a->parser, element_begins, element_ends);
	XML_SetCharacterDataHandler(a->parser, text_comes);
	if (XML_Parse(a->parser, xml, len, 1) == XML_STATUS_ERROR ||
	    a->too_long)
		err = -EREMOTEIO;
	XML_ParserFree(a->parser);
	return a->err ?: err;
}

/**
 * vdfs_s3_element() - find one word in an answer
 * @xml: The answer.
 * @len: Its length.
 * @name: Of the element.
 * @out: Out, its text.
 * @room: For so many bytes.
 *
 * Context: Any thread.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_s3_element(const char *xml, size_t len, const char *name, char *out,
		    size_t room)
{
	struct answer *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->wanted = name;
	err = xml ? parse(a, xml, len) : -ENOENT;
	if (!err)
		err = a->found ? 0 : -ENOENT;
	if (!err && a->len >= room)
		err = -EREMOTEIO;
	if (!err)
		memcpy(out, a->text, a->len + 1);
	free(a);
	return err;
}

/* The parameters are signed in the order of their names. */
static int make_query(struct vdfs_s3 *s3, const char *prefix, bool flat,
		      const char *more, char **out)
{
	char *token = curl_easy_escape(NULL, more, 0);
	char *full = NULL, *escaped = NULL, page[32] = "";
	int n = -1;

	if (s3->options.page)
		snprintf(page, sizeof(page), "max-keys=%u&", s3->options.page);
	if (asprintf(&full, "%s%s", s3->prefix, prefix) < 0)
		full = NULL;
	if (full)
		escaped = curl_easy_escape(NULL, full, 0);
	if (token && escaped)
		n = asprintf(out, "%s%s%s%slist-type=2&%sprefix=%s",
			     *more ? "continuation-token=" : "", token,
			     *more ? "&" : "", flat ? "delimiter=%2F&" : "",
			     page, escaped);
	curl_free(token);
	curl_free(escaped);
	free(full);
	return n < 0 ? -ENOMEM : 0;
}

/**
 * vdfs_s3_list() - list the objects of a bucket
 * @s3: The bucket.
 * @prefix: Their keys begin with it, behind the prefix of the URL.
 * @flat: Not those with a slash behind the prefix.
 * @fn: Called for each, in the order of keys.
 * @arg: Its argument.
 *
 * Context: Any thread; @fn may use the bucket. Waits for the network.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_s3_list(struct vdfs_s3 *s3, const char *prefix, bool flat,
		 vdfs_s3_list_fn *fn, void *arg)
{
	struct answer *a = calloc(1, sizeof(*a));
	char more[WORD] = "";
	int err;

	if (!a)
		return -ENOMEM;
	do {
		struct vdfs_s3_request rq = { .method = "GET" };
		char *query;

		err = make_query(s3, prefix, flat, more, &query);
		if (err)
			break;
		rq.query = query;
		err = vdfs_s3_do(s3, &rq);
		memset(a, 0, sizeof(*a));
		a->prefix_len = strlen(s3->prefix);
		a->now = rq.info.now;
		a->fn = fn;
		a->arg = arg;
		if (!err)
			err = parse(a, rq.text ?: "", rq.text_len);
		free(rq.text);
		free(query);
		stpcpy(more, a->more);
	} while (!err && *more);
	free(a);
	return err;
}
