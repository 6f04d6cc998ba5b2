// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0C10, 0x0C11: times that come again and again, as crontab(5) writes them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "cron.h"
#include "zone.h"

#define DAY 86400
#define DAYS_MAX (28 * 366)

enum { SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, FIELDS };

struct cron {
	struct md_object object;
	uint64_t set[FIELDS]; /* bits of the values that fit */
	bool star[FIELDS]; /* it begins with * */
	struct zone *zone;
};

static const struct field {
	const char *name;
	int min, max;
	const char *words; /* each of three letters, from @min */
} fields[FIELDS] = {
	{ "second", 0, 59, "" },
	{ "minute", 0, 59, "" },
	{ "hour", 0, 23, "" },
	{ "day of month", 1, 31, "" },
	{ "month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
	{ "day of week", 0, 7, "sunmontuewedthufrisat" },
};

static void free_cron(struct md_object *object)
{
	struct cron *cron = (struct cron *)object;

	zone_close(cron->zone);
	free(cron);
}

/* A number or word of a field, or -1. */
static int value(const char **p, const struct field *f)
{
	int n = 0, digits = 0;

	for (int i = 0; f->words[3 * i]; i++) {
		if (!strncasecmp(*p, f->words + 3 * i, 3)) {
			*p += 3;
			return f->min + i;
		}
	}
	for (; isdigit((unsigned char)**p) && digits < 4; digits++)
		n = n * 10 + *(*p)++ - '0';
	return digits ? n : -1;
}

/* One item of a list: "*", "A", "A-B", each with "/STEP" or without. */
static bool read_item(const char **p, const struct field *f, uint64_t *set)
{
	int from = f->min, to = f->max, step = 1;

	if (**p == '*') {
		++*p;
		/* Both 0 and 7 are Sunday. */
		to -= f->max == 7;
	} else {
		from = value(p, f);
		if (**p == '-') {
			++*p;
			to = value(p, f);
		} else if (**p != '/') {
			to = from;
		}
	}
	if (**p == '/') {
		++*p;
		if (!isdigit((unsigned char)**p))
			return false;
		step = value(p, f);
	}
	if (from < f->min || to > f->max || from > to || step < 1)
		return false;
	for (int i = from; i <= to; i += step)
		*set |= 1ULL << i;
	return true;
}

static bool read_field(const char **p, const struct field *f, uint64_t *set,
		       bool *star)
{
	*star = **p == '*';
	for (;;) {
		if (!read_item(p, f, set))
			return false;
		if (**p != ',')
			break;
		++*p;
	}
	if (f->max == 7 && *set & 1 << 7)
		*set |= 1;
	return **p == ' ' || !**p;
}

static const char *macro(const char *text)
{
	static const char *const all[][2] = {
		{ "@yearly", "0 0 1 1 *" },  { "@annually", "0 0 1 1 *" },
		{ "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
		{ "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" },
		{ "@hourly", "0 * * * *" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!strcmp(text, all[i][0]))
			return all[i][1];
	}
	return text;
}

static int count_fields(const char *p)
{
	int n = 0;

	for (; *p; p++)
		n += *p != ' ' && (p[1] == ' ' || !p[1]);
	return n;
}

static int bad_field(struct md_call *c, const char *name)
{
	md_detail(c, "field", md_text(c, name));
	return md_fail(c, MATHIS_FORMAT, "the %s cannot be read", name);
}

static int read_cron(struct md_call *c, const char *text, struct cron *cron)
{
	int first, n;

	for (const char *const *prefix =
		     (const char *const[]){ "CRON_TZ=", "TZ=", NULL };
	     *prefix; prefix++) {
		size_t size = strlen(*prefix), len;

		if (strncmp(text, *prefix, size))
			continue;
		text += size;
		len = strcspn(text, " ");
		cron->zone = zone_open(c, text, len);
		if (!cron->zone)
			return bad_field(c, "zone");
		text += len;
		break;
	}
	text += strspn(text, " ");
	text = macro(text);
	n = count_fields(text);
	if (n != 5 && n != 6)
		return bad_field(c, "count of fields");
	first = n == 6 ? SECOND : MINUTE;
	cron->set[SECOND] = 1;
	for (int i = first; i < FIELDS; i++) {
		text += strspn(text, " ");
		if (!read_field(&text, &fields[i], &cron->set[i],
				&cron->star[i]))
			return bad_field(c, fields[i].name);
	}
	return MD_DONE;
}

int md_cron_parse(struct md_call *c)
{
	const char *text = md_cstr(c, 0);
	struct cron *cron = text ? calloc(1, sizeof(*cron)) : NULL;

	if (!text)
		return MD_FAILED;
	if (!cron)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_object_init(&cron->object, free_cron);
	if (read_cron(c, text, cron)) {
		md_object_put(&cron->object);
		return MD_FAILED;
	}
	return md_return_handle(c, MD_KIND_cron, &cron->object);
}

static bool has(uint64_t set, int i)
{
	return set >> i & 1;
}

static bool fits_day(const struct cron *cron, const struct tm *tm)
{
	bool month_day = has(cron->set[DAY_OF_MONTH], tm->tm_mday);
	bool week_day = has(cron->set[DAY_OF_WEEK], tm->tm_wday);

	if (!has(cron->set[MONTH], tm->tm_mon + 1))
		return false;
	/* Two days that are both limited mean either, as in crontab(5). */
	if (!cron->star[DAY_OF_MONTH] && !cron->star[DAY_OF_WEEK])
		return month_day || week_day;
	return month_day && week_day;
}

/* The first second of a day, from @from on, that fits, or -1. */
static int fits_second(const struct cron *cron, int from)
{
	for (int h = from / 3600; h < 24; h++) {
		for (int m = 0; m < 60 && has(cron->set[HOUR], h); m++) {
			for (int s = 0; s < 60 && has(cron->set[MINUTE], m);
			     s++) {
				int at = h * 3600 + m * 60 + s;

				if (has(cron->set[SECOND], s) && at >= from)
					return at;
			}
		}
	}
	return -1;
}

int64_t cron_after(const struct md_object *object, int64_t after)
{
	const struct cron *cron = (const struct cron *)object;
	int64_t local = after + 1 + zone_offset(cron->zone, after);
	int64_t day = local - ((local % DAY) + DAY) % DAY;
	int from = (int)(local - day);

	for (int i = 0; i < DAYS_MAX; i++, day += DAY, from = 0) {
		time_t begin = (time_t)day;
		struct tm tm;

		if (!gmtime_r(&begin, &tm) || !fits_day(cron, &tm))
			continue;
		for (from = fits_second(cron, from); from >= 0;
		     from = fits_second(cron, from + 1)) {
			int64_t t = zone_time(cron->zone, day + from);

			/* A local time that comes twice ran at the first. */
			if (t > after)
				return t;
		}
	}
	return CRON_NEVER;
}

int md_cron_next(struct md_call *c)
{
	struct md_object *cron = md_handle_get(c, MD_KIND_cron, &c->args[0]);
	struct timespec now;
	int64_t ms, t;

	if (!cron)
		return MD_FAILED;
	clock_gettime(CLOCK_REALTIME, &now);
	ms = md_given(c, 1) ? c->args[1].i : (int64_t)now.tv_sec * 1000;
	t = cron_after(cron, ms / 1000 - (ms % 1000 < 0));
	md_object_put(cron);
	return t == CRON_NEVER ?
		       md_fail(c, MATHIS_NOT_FOUND, "it never comes") :
		       md_return_int(c, t * 1000);
}

int md_cron_close(struct md_call *c)
{
	return md_handle_close(c, MD_KIND_cron, &c->args[0]);
}
