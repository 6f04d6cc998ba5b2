// SPDX-License-Identifier: GPL-2.0-only
/*
 * Results and errors of calls, and how they wait.
 */
#include <errno.h>
#include <mathis/buf.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "call.h"
#include "core.h"
#include "session.h"

int md_fail(struct md_call *c, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->message, sizeof(c->message), fmt, args);
	va_end(args);
	c->code = code;
	return MD_FAILED;
}

static int code_of(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return MATHIS_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return MATHIS_EXISTS;
	case EXDEV:
	case ELOOP:
		return MATHIS_POLICY;
	case EBUSY:
	case ETXTBSY:
		return MATHIS_BUSY;
	case EPIPE:
		return MATHIS_CLOSED;
	case ENOMEM:
		return MATHIS_OUT_OF_MEMORY;
	case EMFILE:
	case ENFILE:
		return MATHIS_LIMIT;
	default:
		return MATHIS_IO;
	}
}

int md_fail_errno(struct md_call *c, int err, const char *what)
{
	md_detail(c, "errno", mathis_item_int(err));
	return md_fail(c, code_of(err), "%s: %s", what, strerror(err));
}

void md_detail(struct md_call *c, const char *key, struct mathis_item value)
{
	if (c->detail.kind != MATHIS_MAP)
		c->detail = mathis_item_seq(&c->pool, MATHIS_MAP, 4);
	if (c->detail.kind == MATHIS_MAP)
		mathis_item_put(&c->pool, &c->detail, key, value);
}

int md_return(struct md_call *c, struct mathis_item item)
{
	c->result = item;
	return MD_DONE;
}

int md_return_int(struct md_call *c, int64_t i)
{
	return md_return(c, mathis_item_int(i));
}

int md_return_bool(struct md_call *c, bool b)
{
	return md_return(c, mathis_item_bool(b));
}

int md_return_float(struct md_call *c, double f)
{
	return md_return(c, mathis_item_float(f));
}

int md_return_str(struct md_call *c, const char *data, size_t n)
{
	if (!mathis_utf8(data, n))
		return md_fail(c, MATHIS_ENCODING, "it is no UTF-8");
	return md_return(c, mathis_item_text(&c->pool, MATHIS_STR, data, n));
}

int md_return_own(struct md_call *c, uint32_t kind, const char *data, size_t n)
{
	if (kind == MATHIS_STR && !mathis_utf8(data, n))
		return md_fail(c, MATHIS_ENCODING, "it is no UTF-8");
	return md_return(c, (struct mathis_item){ .kind = kind,
						  .n = (uint32_t)n,
						  .text = data });
}

int md_return_bytes(struct md_call *c, const void *data, size_t n)
{
	return md_return(c, md_bytes(c, data, n));
}

struct mathis_item md_text(struct md_call *c, const char *text)
{
	return mathis_item_text(&c->pool, MATHIS_STR, text, strlen(text));
}

struct mathis_item md_bytes(struct md_call *c, const void *data, size_t n)
{
	return mathis_item_text(&c->pool, MATHIS_BYTES, data, n);
}

void *md_alloc(struct md_call *c, size_t n)
{
	void *p = mathis_pool_alloc(&c->pool, n);

	if (!p)
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return p;
}

const char *md_cstr(struct md_call *c, unsigned int i)
{
	const struct mathis_item *arg = &c->args[i];
	char *text;

	if (memchr(arg->text, 0, arg->n)) {
		md_fail(c, MATHIS_ARG_RANGE, "argument %u has a zero byte",
			i + 1);
		return NULL;
	}
	text = md_alloc(c, arg->n + 1UL);
	if (!text)
		return NULL;
	memcpy(text, arg->text, arg->n);
	text[arg->n] = 0;
	return text;
}

static const char *stop_text(int code)
{
	return code == MATHIS_TIMEOUT	? "its deadline has passed" :
	       code == MATHIS_CANCELLED ? "it was cancelled" :
					  "no memory";
}

bool md_stopped(struct md_call *c)
{
	int code = atomic_load(&c->stop);

	if (code)
		md_fail(c, code, "%s", stop_text(code));
	return code;
}

/* The file that says when to stop, or -1. */
static int stop_fd(struct md_call *c)
{
	struct md_core *core = c->session->core;
	int fd;

	pthread_mutex_lock(&core->lock);
	if (c->stop_fd < 0)
		c->stop_fd = eventfd(!!atomic_load(&c->stop), EFD_CLOEXEC);
	fd = c->stop_fd;
	pthread_mutex_unlock(&core->lock);
	return fd;
}

int md_wait(struct md_call *c, int fd, short events, int ms)
{
	struct pollfd fds[2] = { { stop_fd(c), POLLIN, 0 }, { fd, events, 0 } };
	uint64_t until = md_now() + (uint64_t)(ms < 0 ? 0 : ms) * 1000000;
	int ret;

	if (fds[0].fd < 0)
		return md_fail(c, MATHIS_LIMIT, "no file to wait with");
	do {
		uint64_t now = md_now();
		int left = ms < 0 ? -1 :
			   now >= until ?
				    0 :
				    (int)((until - now + 999999) / 1000000);

		ret = poll(fds, 2, left);
	} while (ret < 0 && errno == EINTR);
	if (md_stopped(c))
		return MD_FAILED;
	if (ret < 0)
		return md_fail_errno(c, errno, "poll");
	return fds[1].revents ? MD_DONE : MD_LATER;
}

struct mathis_item md_error_item(struct md_call *c, struct mathis_pool *pool)
{
	struct mathis_item map = mathis_item_seq(pool, MATHIS_MAP, 16);
	const char *name = c->row ? c->row->info->name : "call";
	int code = c->by_core ? atomic_load(&c->stop) : c->code;
	const char *why = c->by_core ? stop_text(code) : c->message;
	const char *code_name = mathis_code_name(code);
	uint32_t after = c->by_core ? 0 : c->retry_after_ms;
	char text[300];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "%s: %s", name, why);
	/* A message that was cut may end within a character. */
	while (n && !mathis_utf8(text, n))
		n--;
	mathis_item_put(pool, &map, "code", mathis_item_int(code));
	mathis_item_put(pool, &map, "name",
			mathis_item_text(pool, MATHIS_STR, code_name,
					 strlen(code_name)));
	mathis_item_put(pool, &map, "call",
			mathis_item_text(pool, MATHIS_STR, name, strlen(name)));
	mathis_item_put(pool, &map, "message",
			mathis_item_text(pool, MATHIS_STR, text, n));
	if (!c->by_core && c->detail.kind == MATHIS_MAP)
		mathis_item_put(pool, &map, "detail", c->detail);
	mathis_item_put(pool, &map, "retryable",
			mathis_item_bool(after || code == MATHIS_BUSY ||
					 code == MATHIS_TIMEOUT));
	if (after)
		mathis_item_put(pool, &map, "retry_after_ms",
				mathis_item_int(after));
	return map;
}
