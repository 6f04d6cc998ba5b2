// SPDX-License-Identifier: GPL-2.0-only
/* Requests: signed, sent, understood, and tried again where that may help. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "s3_impl.h"

#define WAIT_FIRST 200 /* ms before the second try */
#define WAIT_LONGEST 5000

static size_t send_body(char *buf, size_t size, size_t n, void *arg)
{
	struct vdfs_s3_request *rq = arg;
	size_t len = size * n;

	if (len > rq->source->size - rq->at)
		len = rq->source->size - rq->at;
	if (!len)
		return 0;
	rq->err = rq->source->read(rq->source->arg, buf, len, rq->at);
	if (rq->err)
		return CURL_READFUNC_ABORT;
	rq->at += len;
	return len;
}

/* When the connection breaks, curl starts over by itself. */
static int seek_body(void *arg, curl_off_t offset, int origin)
{
	struct vdfs_s3_request *rq = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > rq->source->size)
		return CURL_SEEKFUNC_CANTSEEK;
	rq->at = offset;
	return CURL_SEEKFUNC_OK;
}

static int add_text(struct vdfs_s3_request *rq, const char *data, size_t len)
{
	char *text;

	if (rq->text_len + len > VDFS_S3_TEXT)
		return -EREMOTEIO;
	text = realloc(rq->text, rq->text_len + len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text + rq->text_len, data, len);
	rq->text = text;
	rq->text_len += len;
	text[rq->text_len] = '\0';
	return 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct vdfs_s3_request *rq = arg;
	size_t len = size * n;
	long status = 0;

	curl_easy_getinfo(rq->handle, CURLINFO_RESPONSE_CODE, &status);
	rq->status = status;
	rq->got += len;
	/* Of a request that failed the body says why. */
	if (!rq->sink || status < 200 || status >= 300)
		rq->err = add_text(rq, data, len);
	else if (vdfs_s3_promise(rq) || rq->got > rq->info.size)
		rq->err = -EREMOTEIO;
	else
		rq->err = rq->sink->write(rq->sink->arg, data, len);
	return rq->err ? CURL_WRITEFUNC_ERROR : len;
}

static size_t take_header(char *line, size_t size, size_t n, void *arg)
{
	vdfs_s3_header(arg, line, size * n);
	return size * n;
}

static int look_after(void *arg, curl_off_t down_all, curl_off_t down,
		      curl_off_t up_all, curl_off_t up)
{
	struct vdfs_s3_request *rq = arg;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	rq->limit = vdfs_s3_limit(rq);
	return rq->limit != 0;
}

static CURL *get_handle(struct vdfs_s3 *s3)
{
	CURL *handle = NULL;

	pthread_mutex_lock(&s3->lock);
	if (s3->n_idle)
		handle = s3->idle[--s3->n_idle];
	pthread_mutex_unlock(&s3->lock);
	return handle ?: curl_easy_init();
}

static void put_handle(struct vdfs_s3 *s3, CURL *handle)
{
	curl_easy_reset(handle);
	pthread_mutex_lock(&s3->lock);
	if (s3->n_idle < VDFS_S3_IDLE) {
		s3->idle[s3->n_idle++] = handle;
		handle = NULL;
	}
	pthread_mutex_unlock(&s3->lock);
	if (handle)
		curl_easy_cleanup(handle);
}

/* SHA-256 of what is sent, so that the server can compare. */
static int body_hash(const struct vdfs_s3_request *rq, struct vdfs_hash *out)
{
	const struct vdfs_s3_source *source = rq->source;
	uint64_t at, size = source ? source->size : 0;
	size_t room = (size_t)1 << 20, n;
	struct evp_md_ctx_st *ctx;
	char *buf;
	int err;

	if (source && source->hash) {
		*out = *source->hash;
		return 0;
	}
	ctx = vdfs_hash_new();
	buf = malloc(room);
	err = ctx && buf ? 0 : -ENOMEM;
	for (at = 0; !err && at < size; at += n) {
		n = size - at < room ? size - at : room;
		err = source->read(source->arg, buf, n, at);
		if (!err)
			err = vdfs_hash_more(ctx, buf, n);
	}
	if (!err)
		err = vdfs_hash_end(ctx, out);
	vdfs_hash_free(ctx);
	free(buf);
	return err;
}

static int add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

static int make_headers(struct vdfs_s3 *s3, struct vdfs_s3_request *rq,
			struct curl_slist **list)
{
	char text[VDFS_HASH_TEXT], line[128];
	struct vdfs_hash hash;
	int err;

	err = body_hash(rq, &hash);
	if (err)
		return err;
	vdfs_hash_print(&hash, text);
	snprintf(line, sizeof(line), "x-amz-content-sha256: %s", text);
	err = add_header(list, line);
	if (!err)
		err = add_header(list, "Expect:");
	if (!err)
		err = add_header(list,
				 "Content-Type: application/octet-stream");
	if (!err && s3->token)
		err = add_header(list, s3->token);
	return err;
}

static int set_method(CURL *h, struct vdfs_s3_request *rq)
{
	if (!strcmp(rq->method, "HEAD"))
		return curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
	if (!strcmp(rq->method, "DELETE"))
		return curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, "DELETE");
	if (!strcmp(rq->method, "GET"))
		return 0;
	curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h, CURLOPT_READFUNCTION, send_body);
	curl_easy_setopt(h, CURLOPT_READDATA, rq);
	curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(h, CURLOPT_SEEKDATA, rq);
	return curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE,
				(curl_off_t)rq->source->size);
}

static int set_options(struct vdfs_s3 *s3, struct vdfs_s3_request *rq, CURL *h,
		       const char *url, struct curl_slist *headers)
{
	const struct vdfs_s3_options *o = &s3->options;
	int bad = 0;

	bad |= curl_easy_setopt(h, CURLOPT_URL, url);
	bad |= curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR,
				o->http ? "http" : "https");
	/* Not what the environment names. */
	bad |= curl_easy_setopt(h, CURLOPT_PROXY, s3->proxy);
	bad |= curl_easy_setopt(h, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	bad |= curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(h, CURLOPT_AWS_SIGV4, s3->sign);
	bad |= curl_easy_setopt(h, CURLOPT_USERPWD, s3->user);
	bad |= curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	bad |= curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
				(long)o->connect_ms);
	bad |= curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
	bad |= curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)o->stall_s);
	bad |= curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	bad |= curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, look_after);
	bad |= curl_easy_setopt(h, CURLOPT_XFERINFODATA, rq);
	/* Nor a resolver that does not answer. */
	bad |= curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	bad |= curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L << 10);
	bad |= curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
	bad |= curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	bad |= curl_easy_setopt(h, CURLOPT_WRITEDATA, rq);
	bad |= curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header);
	bad |= curl_easy_setopt(h, CURLOPT_HEADERDATA, rq);
	if (s3->ca) {
		bad |= curl_easy_setopt(h, CURLOPT_CAINFO, s3->ca);
		/* No others beside them. */
		bad |= curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
	bad |= set_method(h, rq);
	return bad ? -EREMOTEIO : 0;
}

static int curl_errno(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return -EHOSTUNREACH;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return -EPROTO;
	default:
		return -EREMOTEIO;
	}
}

/* Say what went wrong, but for what callers ask to find out. */
static void complain(const struct vdfs_s3_request *rq, const char *url, int err,
		     const char *detail, const char *code)
{
	char status[80] = "";

	if (!err || err == -ENOENT || err == -ESHUTDOWN)
		return;
	if (!*detail && !rq->limit && *code)
		snprintf(status, sizeof(status), " (%s)", code);
	else if (!*detail && !rq->limit &&
		 (rq->status == 429 || rq->status >= 500))
		snprintf(status, sizeof(status), " (HTTP %ld)", rq->status);
	else if (!*detail && !rq->limit && err == -EREMOTEIO)
		snprintf(status, sizeof(status),
			 " (HTTP %ld, no answer of S3; is it a proxy's?)",
			 rq->status);
	vdfs_s3_say(rq->s3, "%s %s: %s%s", rq->method, url,
		    *detail && !rq->limit ? detail : strerror(-err), status);
}

static int perform(struct vdfs_s3 *s3, struct vdfs_s3_request *rq,
		   const char *url, bool *again)
{
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OK;
	char why[64] = "", detail[CURL_ERROR_SIZE] = "";
	int err;

	*again = false;
	rq->handle = get_handle(s3);
	if (!rq->handle)
		return -ENOMEM;
	err = make_headers(s3, rq, &headers);
	if (!err)
		err = set_options(s3, rq, rq->handle, url, headers);
	if (!err) {
		curl_easy_setopt(rq->handle, CURLOPT_ERRORBUFFER, detail);
		vdfs_s3_start(rq);
		code = curl_easy_perform(rq->handle);
		curl_easy_getinfo(rq->handle, CURLINFO_RESPONSE_CODE,
				  &rq->status);
		err = rq->err ?: rq->limit;
		if (!err)
			err = code ? curl_errno(code) :
				     vdfs_s3_judge(rq, why, sizeof(why));
		*again = !rq->err && err && err != -EPROTO &&
			 err != -ESHUTDOWN &&
			 (code || rq->status >= 500 || rq->status == 429);
		if (!rq->err || rq->err == -EREMOTEIO)
			complain(rq, url, err, rq->err ? "" : detail, why);
	}
	curl_slist_free_all(headers);
	put_handle(s3, rq->handle);
	return err;
}

/* How long to wait before a try, ms: longer each time, and never the same. */
static unsigned int pause_of(struct vdfs_s3 *s3, unsigned int attempt)
{
	unsigned int ms = WAIT_FIRST << (attempt < 8 ? attempt : 8);

	if (ms > WAIT_LONGEST)
		ms = WAIT_LONGEST;
	pthread_mutex_lock(&s3->lock);
	ms = ms / 2 + rand_r(&s3->seed) % (ms / 2 + 1);
	pthread_mutex_unlock(&s3->lock);
	return ms;
}

static void forget(struct vdfs_s3_request *rq)
{
	free(rq->text);
	rq->text = NULL;
	rq->text_len = 0;
	rq->at = 0;
	rq->got = 0;
	rq->sized = false;
	rq->status = 0;
	rq->limit = 0;
	rq->err = rq->sink ? rq->sink->begin(rq->sink->arg) : 0;
	memset(&rq->info, 0, sizeof(rq->info));
}

/**
 * vdfs_s3_do() - ask a server for something
 * @s3: The bucket.
 * @rq: Request. Its text is to be freed, whatever happens.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_s3_do(struct vdfs_s3 *s3, struct vdfs_s3_request *rq)
{
	unsigned int attempt;
	char *url;
	bool again;
	int err, enough;

	rq->s3 = s3;
	vdfs_s3_begin(rq);
	if (asprintf(&url, "%s%s%s%s%s", s3->base, rq->key ? s3->prefix : "",
		     rq->key ?: "", rq->query ? "?" : "", rq->query ?: "") < 0)
		return -ENOMEM;
	for (attempt = 0;; attempt++) {
		forget(rq);
		again = false;
		err = rq->err ?: perform(s3, rq, url, &again);
		if (!again || attempt + 1 >= s3->options.tries)
			break;
		enough = vdfs_s3_wait(rq, pause_of(s3, attempt));
		if (enough == -ESHUTDOWN)
			err = enough;
		if (enough)
			break;
	}
	free(url);
	return err;
}
