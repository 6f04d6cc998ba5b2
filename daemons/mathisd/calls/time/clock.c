// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0C00 to 0x0C06: the clocks, sleep, and times as text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "zone.h"

static int64_t nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int md_time_now(struct md_call *c)
{
	return md_return_int(c, nanoseconds(CLOCK_REALTIME) / 1000000);
}

int md_time_now_nano(struct md_call *c)
{
	return md_return_int(c, nanoseconds(CLOCK_REALTIME));
}

int md_time_mono(struct md_call *c)
{
	return md_return_int(c, nanoseconds(CLOCK_MONOTONIC));
}

struct sleep {
	struct md_timer timer; /* first */
	struct md_call *call;
};

static void wake(struct md_timer *timer)
{
	md_finish(((struct sleep *)timer)->call, MD_DONE);
}

static void cancel(struct md_call *c)
{
	struct sleep *s = c->own;

	if (md_timer_remove(c->session->core, &s->timer))
		md_finish(c, MD_FAILED);
}

int md_time_sleep(struct md_call *c)
{
	struct sleep *s = md_alloc(c, sizeof(*s));
	uint64_t until = md_now() + (uint64_t)c->args[0].i * 1000000;

	if (!s)
		return MD_FAILED;
	*s = (struct sleep){ .timer = { .fire = wake }, .call = c };
	if (md_later(c, cancel, s) != MD_LATER)
		return MD_FAILED;
	if (md_timer_add(c->session->core, &s->timer, until))
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no timer");
	return MD_LATER;
}

int md_time_timezone(struct md_call *c)
{
	char name[256];

	zone_local(name, sizeof(name));
	return md_return_str(c, name, strlen(name));
}

/* Write a time, which is local by @offset: its bytes, 0 on failure. */
static size_t format(char *out, size_t n, const char *how, int64_t ms,
		     int offset)
{
	int64_t s = ms / 1000 - (ms % 1000 < 0);
	time_t local = (time_t)(s + offset);
	int left = (int)(ms - s * 1000), minutes = offset / 60;
	char zone[16];
	struct tm tm;
	size_t at;

	if (!gmtime_r(&local, &tm))
		return 0;
	tm.tm_gmtoff = offset;
	if (!strcmp(how, "http"))
		return strftime(out, n, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!strcmp(how, "rfc2822"))
		return strftime(out, n, "%a, %d %b %Y %H:%M:%S %z", &tm);
	if (strcmp(how, "rfc3339"))
		return strftime(out, n, how, &tm);
	snprintf(zone, sizeof(zone), "%c%02d:%02d", minutes < 0 ? '-' : '+',
		 abs(minutes) / 60, abs(minutes) % 60);
	at = strftime(out, n, "%Y-%m-%dT%H:%M:%S", &tm);
	if (left)
		at += (size_t)snprintf(out + at, n - at, ".%03d", left);
	return at +
	       (size_t)snprintf(out + at, n - at, "%s", offset ? zone : "Z");
}

/* Whether a format has only conversions that no locale or zone changes. */
static bool good_format(const char *how)
{
	for (; *how; how++) {
		if (*how == '%' &&
		    !strchr("aAbBCdDeFgGhHIjklmMnpPrRStTuUVwWyYz%", *++how))
			return false;
		if (!*how)
			return false;
	}
	return true;
}

int md_time_format(struct md_call *c)
{
	const struct mathis_item *name = &c->args[2];
	const char *how = md_cstr(c, 1);
	struct zone *z = NULL;
	char out[1024];
	int offset;
	size_t n;

	if (!how)
		return MD_FAILED;
	if (!good_format(how))
		return md_fail(c, MATHIS_FORMAT,
			       "the format has an unknown %%");
	if (name->kind == MATHIS_STR) {
		z = zone_open(c, name->text, name->n);
		if (!z)
			return MD_FAILED;
	}
	/* HTTP has times of UTC alone. */
	offset = strcmp(how, "http") ? zone_offset(z, c->args[0].i / 1000) : 0;
	zone_close(z);
	n = format(out, sizeof(out), how, c->args[0].i, offset);
	if (!n && *how)
		return md_fail(c, MATHIS_FORMAT, "the text is too long");
	return md_return_str(c, out, n);
}
