// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0C04: times read from text.
 */
#include <ctype.h>
#include <time.h>

#include "zone.h"

static int bad(struct md_call *c)
{
	return md_fail(c, MATHIS_FORMAT, "the text has another format");
}

/* Whether a text begins with the same kinds of characters: 0 is any digit. */
static bool looks(const char *text, const char *like)
{
	for (; *like; like++, text++) {
		if (*like == '0' ? !isdigit((unsigned char)*text) :
				   toupper((unsigned char)*text) != *like)
			return false;
	}
	return true;
}

static int two(const char *p)
{
	return (p[0] - '0') * 10 + p[1] - '0';
}

/* Seconds of fields, which have to be those of a real day and time. */
static bool seconds(struct tm tm, int64_t *t)
{
	struct tm real = tm;

	real.tm_isdst = 0;
	*t = timegm(&real);
	return real.tm_mday == tm.tm_mday && real.tm_mon == tm.tm_mon &&
	       real.tm_hour == tm.tm_hour && real.tm_min == tm.tm_min &&
	       real.tm_sec == tm.tm_sec;
}

/* RFC 3339, whose fraction has any count of digits, of which three count. */
static bool rfc3339(const char *p, int64_t *ms)
{
	struct tm tm = { 0 };
	int scale = 100, part = 0, sign;
	int64_t t;

	if (!looks(p, "0000-00-00T00:00:00"))
		return false;
	tm.tm_year = two(p) * 100 + two(p + 2) - 1900;
	tm.tm_mon = two(p + 5) - 1;
	tm.tm_mday = two(p + 8);
	tm.tm_hour = two(p + 11);
	tm.tm_min = two(p + 14);
	tm.tm_sec = two(p + 17);
	if (!seconds(tm, &t))
		return false;
	p += 19;
	if (*p == '.' && isdigit((unsigned char)p[1])) {
		for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
			part += (*p - '0') * scale;
	}
	if (toupper((unsigned char)*p) == 'Z') {
		p++;
	} else {
		sign = *p == '-' ? -1 : 1;
		if ((*p != '+' && *p != '-') || !looks(p + 1, "00:00") ||
		    two(p + 1) > 23 || two(p + 4) > 59)
			return false;
		t -= sign * (two(p + 1) * 3600 + two(p + 4) * 60);
		p += 6;
	}
	*ms = t * 1000 + part;
	return !*p;
}

int md_time_parse(struct md_call *c)
{
	const struct mathis_item *name = &c->args[2];
	const char *text = md_cstr(c, 0), *how = md_cstr(c, 1), *end;
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };
	bool has_zone;
	struct zone *z = NULL;
	int64_t t;

	if (!text || !how)
		return MD_FAILED;
	if (!strcmp(how, "rfc3339"))
		return rfc3339(text, &t) ? md_return_int(c, t) : bad(c);
	if (!strcmp(how, "http"))
		how = "%a, %d %b %Y %H:%M:%S GMT";
	else if (!strcmp(how, "rfc2822"))
		how = "%a, %d %b %Y %H:%M:%S %z";
	/* Seconds since 1970 and names of zones would ask the C library's zone. */
	if (strstr(how, "%s") || strstr(how, "%Z"))
		return md_fail(c, MATHIS_FORMAT, "it has neither %%s nor %%Z");
	end = strptime(text, how, &tm);
	if (!end || *end || !seconds(tm, &t))
		return bad(c);
	has_zone = strstr(how, "%z") || strstr(how, "GMT");
	if (has_zone || name->kind != MATHIS_STR)
		return md_return_int(c, (t - tm.tm_gmtoff) * 1000);
	z = zone_open(c, name->text, name->n);
	if (!z)
		return MD_FAILED;
	t = zone_time(z, t);
	zone_close(z);
	return md_return_int(c, t * 1000);
}
