// SPDX-License-Identifier: GPL-2.0-only
/* Lists of objects, page by page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3_impl.h"
#include "xml_impl.h"

#define PAGES (1U << 20) /* at most, a thousand keys each */
#define EMPTY 100 /* pages one after the other that may say nothing */

/**
 * struct listing - a list that is being read
 * @s3: The bucket.
 * @prefix: Of all its keys, with that of the URL.
 * @flat: Not those with a slash behind the prefix.
 * @fn: Called for each object.
 * @arg: Its argument.
 * @more: Where the next page begins; "" = at the start.
 * @key: The last one of the pages before; "" = none yet.
 * @folder: The last common prefix of these.
 */
struct listing {
	struct vdfs_s3 *s3;
	char *prefix;
	bool flat;
	vdfs_s3_list_fn *fn;
	void *arg;
	char more[VDFS_S3_WORD];
	char key[VDFS_S3_WORD];
	char folder[VDFS_S3_WORD];
};

/**
 * struct page - one page of a list
 * @list: The list.
 * @now: The server's clock.
 * @calls: It is well formed, and its objects are what the caller waits for.
 * @named: It is a page of this bucket,
 * @fits: of this prefix,
 * @ended: and says whether there is more.
 * @truncated: There is.
 * @inside: An object is open.
 * @keyed: It has said its key,
 * @sized: its size,
 * @timed: and when it was written.
 * @says: It has said anything.
 * @info: Of that object.
 * @more: Where the next page begins.
 * @key: The last one so far.
 * @folder: The last common prefix so far.
 */
struct page {
	struct listing *list;
	int64_t now;
	bool calls;
	bool named;
	bool fits;
	bool ended;
	bool truncated;
	bool inside;
	bool keyed;
	bool sized;
	bool timed;
	bool says;
	struct vdfs_s3_info info;
	char more[VDFS_S3_WORD];
	char key[VDFS_S3_WORD];
	char folder[VDFS_S3_WORD];
};

static void element_begins(void *arg, unsigned int depth, const char *name)
{
	struct page *p = arg;

	if (depth == 1) {
		p->inside = !strcmp(name, "Contents");
		p->keyed = false;
		p->sized = false;
		p->timed = false;
		memset(&p->info, 0, sizeof(p->info));
	}
}

/* ETag has quotation marks in it here, and in a header. */
static void take_etag(struct page *p, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < sizeof(p->info.etag); text++) {
		if (*text != '"')
			p->info.etag[n++] = *text;
	}
	p->info.etag[n] = '\0';
}

static void take_time(struct page *p, const char *text)
{
	struct tm tm = {};

	if (strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
		p->info.modified = timegm(&tm);
		p->timed = true;
	}
}

static void take_size(struct page *p, const char *text)
{
	p->sized = !vdfs_s3_number(text, &p->info.size);
}

/* Each is below the prefix, and behind the one before: none comes twice. */
static int take_word(struct page *p, char *last, const char *text)
{
	size_t n = strlen(p->list->prefix);

	if (strncmp(text, p->list->prefix, n) || strcmp(last, text) >= 0)
		return -EREMOTEIO;
	stpcpy(last, text);
	p->says = true;
	return 0;
}

static int object_ends(struct page *p)
{
	p->info.now = p->now;
	if (!p->keyed || !p->sized || !p->timed)
		return -EREMOTEIO;
	if (!p->calls)
		return 0;
	return p->list->fn(p->list->arg, p->key + strlen(p->list->s3->prefix),
			   &p->info);
}

static int object_says(struct page *p, const char *name, const char *text)
{
	if (!strcmp(name, "Key")) {
		p->keyed = true;
		return take_word(p, p->key, text);
	}
	if (!strcmp(name, "ETag"))
		take_etag(p, text);
	else if (!strcmp(name, "Size"))
		take_size(p, text);
	else if (!strcmp(name, "LastModified"))
		take_time(p, text);
	return 0;
}

static void take_end(struct page *p, const char *text)
{
	p->truncated = !strcmp(text, "true");
	p->ended = p->truncated || !strcmp(text, "false");
}

static int element_ends(void *arg, unsigned int depth, const char *name,
			const char *text)
{
	struct page *p = arg;

	if (depth == 2 && p->inside)
		return object_says(p, name, text);
	if (depth == 2 && !strcmp(name, "Prefix"))
		return take_word(p, p->folder, text);
	if (depth != 1)
		return 0;
	if (!strcmp(name, "Contents"))
		return object_ends(p);
	if (!strcmp(name, "Name"))
		p->named = !strcmp(text, p->list->s3->bucket);
	else if (!strcmp(name, "Prefix"))
		p->fits = !strcmp(text, p->list->prefix);
	else if (!strcmp(name, "NextContinuationToken"))
		stpcpy(p->more, text);
	else if (!strcmp(name, "IsTruncated"))
		take_end(p, text);
	return 0;
}

static int read_page(struct page *p, const struct vdfs_s3_request *rq)
{
	const struct vdfs_s3_reader reader = { .root = "ListBucketResult",
					       .begins = element_begins,
					       .ends = element_ends,
					       .arg = p };

	stpcpy(p->key, p->list->key);
	stpcpy(p->folder, p->list->folder);
	return vdfs_s3_xml(rq->text, rq->text_len, &reader);
}

/* A page counts as a whole: only then are its objects told to the caller. */
static int take_page(struct page *p, const struct vdfs_s3_request *rq)
{
	struct listing *list = p->list;
	int err;

	p->now = rq->info.now;
	err = read_page(p, rq);
	if (!err &&
	    (!p->named || !p->fits || !p->ended || p->truncated != !!*p->more ||
	     (p->truncated && !strcmp(p->more, list->more))))
		err = -EREMOTEIO;
	if (err) {
		vdfs_s3_say(list->s3, "GET %s: this is no list of %s",
			    list->s3->base, list->prefix);
		return err;
	}
	p->calls = true;
	err = read_page(p, rq);
	stpcpy(list->more, p->more);
	stpcpy(list->key, p->key);
	stpcpy(list->folder, p->folder);
	return err;
}

/* The parameters are signed in the order of their names. */
static int make_query(const struct listing *list, char **out)
{
	char *token = curl_easy_escape(NULL, list->more, 0);
	char *escaped = curl_easy_escape(NULL, list->prefix, 0);
	uint32_t most = list->s3->options.page;
	char page[32] = "";
	int n = -1;

	if (most)
		snprintf(page, sizeof(page), "max-keys=%u&", most);
	if (token && escaped)
		n = asprintf(out, "%s%s%s%slist-type=2&%sprefix=%s",
			     *list->more ? "continuation-token=" : "", token,
			     *list->more ? "&" : "",
			     list->flat ? "delimiter=%2F&" : "", page, escaped);
	curl_free(token);
	curl_free(escaped);
	return n < 0 ? -ENOMEM : 0;
}

static int next_page(struct listing *list, struct page *p)
{
	struct vdfs_s3_request rq = { .method = "GET" };
	char *query = NULL;
	int err;

	memset(p, 0, sizeof(*p));
	p->list = list;
	err = make_query(list, &query);
	if (err)
		return err;
	rq.query = query;
	err = vdfs_s3_do(list->s3, &rq);
	if (!err)
		err = take_page(p, &rq);
	free(rq.text);
	free(query);
	return err;
}

static int read_pages(struct listing *list, struct page *p)
{
	unsigned int page, empty = 0;
	int err;

	for (page = 0; page < PAGES && empty < EMPTY; page++) {
		err = next_page(list, p);
		if (err || !p->truncated)
			return err;
		empty = p->says ? 0 : empty + 1;
	}
	vdfs_s3_say(list->s3, "GET %s: the list of %s does not end",
		    list->s3->base, list->prefix);
	return -EREMOTEIO;
}

/**
 * vdfs_s3_list() - list the objects of a bucket
 * @s3: The bucket.
 * @prefix: Their keys begin with it, behind the prefix of the URL.
 * @flat: Not those with a slash behind the prefix.
 * @fn: Called for each, in the order of keys.
 * @arg: Its argument.
 *
 * A page that is not whole, is of another bucket or prefix, or says something
 * once more, ends it.
 *
 * Context: Any thread; @fn may use the bucket. Waits for the network.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_s3_list(struct vdfs_s3 *s3, const char *prefix, bool flat,
		 vdfs_s3_list_fn *fn, void *arg)
{
	struct listing *list = calloc(1, sizeof(*list));
	struct page *page = calloc(1, sizeof(*page));
	int err = -ENOMEM;

	if (list && page) {
		list->s3 = s3;
		list->flat = flat;
		list->fn = fn;
		list->arg = arg;
		if (asprintf(&list->prefix, "%s%s", s3->prefix, prefix) < 0)
			list->prefix = NULL;
		if (list->prefix)
			err = read_pages(list, page);
		free(list->prefix);
	}
	free(page);
	free(list);
	return err;
}
