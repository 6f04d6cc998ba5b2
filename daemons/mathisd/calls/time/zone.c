// SPDX-License-Identifier: GPL-2.0-only
/*
 * TZif files (RFC 9636): the times at which the offset changed, and a rule for
 * those that are still to come.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "zone.h"

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX (1 << 20)
#define DAY 86400
#define HEAD 44

/* When the offset changes in a year: Mm.w.d/time. */
struct change {
	int month, week, day;
	int time;
};

struct zone {
	unsigned char *file;
	const unsigned char *times; /* each of 8 bytes */
	const unsigned char *kinds; /* of each time */
	const unsigned char *types; /* each of 6 bytes */
	uint32_t n_times, n_types;
	bool has_rule, has_summer;
	int winter, summer; /* offsets */
	struct change begin, end; /* of the summer */
};

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int64_t get64(const unsigned char *p)
{
	return (int64_t)((uint64_t)get32(p) << 32 | get32(p + 4));
}

/* Bytes of a block behind its head, whose times have @size bytes. */
static uint64_t block_size(const unsigned char *head, unsigned int size)
{
	uint64_t utc = get32(head + 20), std = get32(head + 24);
	uint64_t leaps = get32(head + 28), times = get32(head + 32);
	uint64_t types = get32(head + 36), names = get32(head + 40);

	return times * (size + 1) + types * 6 + names + leaps * (size + 4) +
	       std + utc;
}

static int read_number(const char **p)
{
	int n = 0;

	while (isdigit((unsigned char)**p) && n < 1000)
		n = n * 10 + *(*p)++ - '0';
	return n;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static int read_time(const char **p)
{
	int sign = 1, t;

	if (**p == '+' || **p == '-')
		sign = *(*p)++ == '-' ? -1 : 1;
	t = read_number(p) * 3600;
	for (int unit = 60; **p == ':' && unit; unit /= 60) {
		++*p;
		t += read_number(p) * unit;
	}
	return sign * t;
}

static bool skip_name(const char **p)
{
	const char *begin = *p;

	if (**p == '<') {
		while (**p && **p != '>')
			++*p;
		return *(*p)++ == '>';
	}
	while (isalpha((unsigned char)**p))
		++*p;
	return *p > begin;
}

static bool read_change(const char **p, struct change *c)
{
	if (strncmp(*p, ",M", 2))
		return false;
	*p += 2;
	c->month = read_number(p);
	if (*(*p)++ != '.')
		return false;
	c->week = read_number(p);
	if (*(*p)++ != '.')
		return false;
	c->day = read_number(p);
	c->time = 7200;
	if (**p == '/') {
		++*p;
		c->time = read_time(p);
	}
	return c->month >= 1 && c->month <= 12 && c->week >= 1 &&
	       c->week <= 5 && c->day <= 6;
}

/* The rule behind the last time, such as CET-1CEST,M3.5.0,M10.5.0/3. */
static bool read_rule(struct zone *z, const char *p)
{
	if (!*p)
		return true;
	if (!skip_name(&p))
		return false;
	z->winter = -read_time(&p);
	z->has_rule = true;
	if (!*p)
		return true;
	if (!skip_name(&p))
		return false;
	z->has_summer = true;
	z->summer = *p == ',' ? z->winter + 3600 : -read_time(&p);
	return read_change(&p, &z->begin) && read_change(&p, &z->end) && !*p;
}

/* Find the parts of a file of @n bytes: whether it has them. */
static bool take_apart(struct zone *z, size_t n)
{
	unsigned char *p = z->file;
	uint64_t first, second;
	char *end;

	if (n < HEAD || memcmp(p, "TZif", 4) || p[4] < '2')
		return false;
	first = HEAD + block_size(p, 4);
	if (n < first + HEAD || memcmp(p + first, "TZif", 4))
		return false;
	p += first;
	second = block_size(p, 8);
	if (n < first + HEAD + second + 2)
		return false;
	z->n_times = get32(p + 32);
	z->n_types = get32(p + 36);
	z->times = p + HEAD;
	z->kinds = z->times + 8UL * z->n_times;
	z->types = z->kinds + z->n_times;
	for (uint32_t i = 0; i < z->n_times; i++) {
		if (z->kinds[i] >= z->n_types)
			return false;
	}
	p += HEAD + second;
	end = memchr(p + 1, '\n', n - (size_t)(p + 1 - z->file));
	if (!z->n_types || *p != '\n' || !end)
		return false;
	*end = 0;
	return read_rule(z, (char *)p + 1);
}

static bool good_name(const char *name, size_t n)
{
	if (!n || n > 64 || *name == '/' || *name == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) &&
		    !memchr("/_+-", name[i], 4))
			return false;
	}
	return true;
}

struct zone *zone_open(struct md_call *c, const char *name, size_t n)
{
	struct zone *z = calloc(1, sizeof(*z));
	struct stat st;
	char path[128];
	ssize_t got;
	int fd = -1;

	if (!z) {
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	if (good_name(name, n)) {
		snprintf(path, sizeof(path), FOLDER "%.*s", (int)n, name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size > FILE_MAX) {
		md_fail(c, MATHIS_NOT_FOUND, "no time zone has this name");
		goto bad;
	}
	z->file = malloc((size_t)st.st_size + 1);
	got = z->file ? read(fd, z->file, (size_t)st.st_size) : -1;
	if (got != st.st_size || !take_apart(z, (size_t)got)) {
		md_fail(c, MATHIS_NOT_FOUND, "the time zone cannot be read");
		goto bad;
	}
	close(fd);
	return z;
bad:
	if (fd >= 0)
		close(fd);
	zone_close(z);
	return NULL;
}

void zone_close(struct zone *z)
{
	if (z)
		free(z->file);
	free(z);
}

static int year_of(int64_t t)
{
	struct tm tm;
	time_t when = (time_t)t;

	return gmtime_r(&when, &tm) ? tm.tm_year : 0;
}

/* The local time of a change in a year, by the clock before it. */
static int64_t change_time(const struct change *c, int year)
{
	struct tm tm = { .tm_year = year,
			 .tm_mon = c->month - 1,
			 .tm_mday = 1 };
	int64_t first = timegm(&tm);
	int day = 1 + (c->day - tm.tm_wday + 7) % 7 + 7 * (c->week - 1);
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	int y = year + 1900;
	bool leap = y % 4 == 0 && (y % 100 || y % 400 == 0);

	/* Week 5 is the last one. */
	while (day > days[c->month - 1] + (c->month == 2 && leap))
		day -= 7;
	return first + (int64_t)(day - 1) * DAY + c->time;
}

static int rule_offset(const struct zone *z, int64_t t)
{
	int64_t begin, end;
	int year;

	if (!z->has_summer)
		return z->winter;
	year = year_of(t + z->winter);
	begin = change_time(&z->begin, year) - z->winter;
	end = change_time(&z->end, year) - z->summer;
	if (begin < end)
		return t >= begin && t < end ? z->summer : z->winter;
	return t >= begin || t < end ? z->summer : z->winter;
}

int zone_offset(const struct zone *z, int64_t t)
{
	uint32_t low = 0, high = z ? z->n_times : 0;

	if (!z)
		return 0;
	if (z->has_rule && (!high || t >= get64(z->times + 8UL * (high - 1))))
		return rule_offset(z, t);
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (get64(z->times + 8UL * mid) <= t)
			low = mid + 1;
		else
			high = mid;
	}
	return (int32_t)get32(z->types + 6UL * (low ? z->kinds[low - 1] : 0));
}

int64_t zone_time(const struct zone *z, int64_t local)
{
	/* No two changes are so close that a day has both. */
	int64_t a = local - zone_offset(z, local - 2 * (int64_t)DAY);
	int64_t b = local - zone_offset(z, local + 2 * (int64_t)DAY);
	int before;

	if (a + zone_offset(z, a) == local)
		return a;
	if (b + zone_offset(z, b) == local)
		return b;
	/* A gap: its end is the first second with another offset. */
	if (a > b) {
		int64_t t = a;

		a = b;
		b = t;
	}
	before = zone_offset(z, a);
	while (a + 1 < b) {
		int64_t mid = a + (b - a) / 2;

		if (zone_offset(z, mid) == before)
			a = mid;
		else
			b = mid;
	}
	return b;
}

void zone_local(char *name, size_t n)
{
	const char *tz = getenv("TZ");
	char link[256];
	ssize_t got = readlink("/etc/localtime", link, sizeof(link) - 1);
	char *at;

	link[got > 0 ? got : 0] = 0;
	at = strstr(link, "zoneinfo/");
	if (tz && *tz == ':')
		tz++;
	if (!tz || !good_name(tz, strlen(tz)) || access(FOLDER, X_OK))
		tz = at ? at + 9 : "UTC";
	snprintf(name, n, "%s", tz);
}
