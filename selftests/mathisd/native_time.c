// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0C00 to 0x0C14: clocks, sleep, zones beside date(1), and cron.
 */
#include <core/upcall.h>
#include <kselftest_harness.h>
#include <time.h>

#include "dispatch.h"

FIXTURE(time)
{
	struct dispatch d;
};

FIXTURE_SETUP(time)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(time)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define TEXT(_text) text_is(_text)

static bool text_is(const char *text)
{
	return RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
}

TEST_F(time, clocks)
{
	int64_t before = time(NULL), mono;

	ASSERT_EQ(0, DO("time_now"));
	EXPECT_LE(before, RESULT.i / 1000);
	ASSERT_EQ(0, DO("time_now_nano"));
	EXPECT_LE(before, RESULT.i / 1000000000);
	ASSERT_EQ(0, DO("time_mono"));
	mono = RESULT.i;
	ASSERT_EQ(0, DO("time_sleep", INT(0)));
	ASSERT_EQ(0, DO("time_sleep", INT(20)));
	EXPECT_EQ(MATHIS_NONE, RESULT.kind);
	ASSERT_EQ(0, DO("time_mono"));
	EXPECT_LE(mono + 20000000, RESULT.i);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("time_sleep", INT(-1)));
	ASSERT_EQ(0, DO("time_timezone"));
	EXPECT_LT(0, RESULT.n);
}

TEST_F(time, time_sleep_is_cancelled)
{
	struct mathis_item hour = INT(3600000);
	struct md_call *c = dispatch_begin(&self->d, "time_sleep", &hour, 1);

	ASSERT_EQ(0, md_session_cancel(self->d.session, c->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, c));
	md_call_put(c);
	/* One that nobody cancels ends with the session. */
	dispatch_begin(&self->d, "time_sleep", &hour, 1);
}

TEST_F(time, time_format)
{
	ASSERT_EQ(0, DO("time_format", INT(0), STR("rfc3339")));
	EXPECT_TRUE(TEXT("1970-01-01T00:00:00Z"));
	ASSERT_EQ(0, DO("time_format", INT(-1), STR("rfc3339")));
	EXPECT_TRUE(TEXT("1969-12-31T23:59:59.999Z"));
	ASSERT_EQ(0, DO("time_format", INT(784111777000), STR("http"),
			STR("Asia/Tokyo")));
	EXPECT_TRUE(TEXT("Sun, 06 Nov 1994 08:49:37 GMT"));
	ASSERT_EQ(0, DO("time_format", INT(784111777000), STR("rfc2822"),
			STR("Asia/Kolkata")));
	EXPECT_TRUE(TEXT("Sun, 06 Nov 1994 14:19:37 +0530"));
	ASSERT_EQ(0, DO("time_format", INT(253402300799999), STR("%Y-%j %%")));
	EXPECT_TRUE(TEXT("9999-365 %"));
	EXPECT_EQ(MATHIS_FORMAT, DO("time_format", INT(0), STR("%s")));
	EXPECT_EQ(MATHIS_FORMAT, DO("time_format", INT(0), STR("%")));
	EXPECT_EQ(MATHIS_FORMAT, DO("time_format", INT(0), STR("%Ey")));
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  DO("time_format", INT(0), STR("%Y"),
		     dispatch_text(MATHIS_STR, "Europe/Paris\0x", 14)));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("time_format", INT(0), STR("%Y"),
				       STR("../../../etc/passwd")));
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  DO("time_format", INT(0), STR("%Y"), STR("Europe")));
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  DO("time_format", INT(0), STR("%Y"), STR("tzdata.zi")));
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  DO("time_format", INT(0), STR("%Y"), STR("")));
}

TEST_F(time, time_parse)
{
	static const struct {
		const char *text, *how, *zone;
		int64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00Z", "rfc3339", NULL, 0 },
		{ "1985-04-12t23:20:50.52z", "rfc3339", NULL, 482196050520 },
		{ "1996-12-19T16:39:57-08:00", "rfc3339", NULL, 851042397000 },
		{ "2026-11-30T00:00:00.0009+00:00", "rfc3339", NULL,
		  1795996800000 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", "http", "Asia/Tokyo",
		  784111777000 },
		{ "Sun, 06 Nov 1994 14:19:37 +0530", "rfc2822", NULL,
		  784111777000 },
		{ "2024-02-29", "%Y-%m-%d", NULL, 1709164800000 },
		{ "2012-03-11 02:30", "%Y-%m-%d %H:%M", "America/New_York",
		  1331449200000 },
		{ "2012-11-04 01:30", "%Y-%m-%d %H:%M", "America/New_York",
		  1352007000000 },
	};
	static const char *const wrong[][2] = {
		{ "2023-02-29T00:00:00Z", "rfc3339" },
		{ "2023-02-28T24:00:00Z", "rfc3339" },
		{ "2023-02-28T00:00:60Z", "rfc3339" },
		{ "2023-02-28T00:00:00", "rfc3339" },
		{ "2023-02-28T00:00:00Zx", "rfc3339" },
		{ "2023-02-28T00:00:00.Z", "rfc3339" },
		{ "2023-02-28T00:00:00+24:00", "rfc3339" },
		{ "2023-2-28T00:00:00Z", "rfc3339" },
		{ "", "rfc3339" },
		{ "2023-02-29", "%Y-%m-%d" },
		{ "2023-02-28 ", "%Y-%m-%d" },
		{ "2023", "%Y-%m-%d" },
		{ "0", "%s" },
		{ "UTC", "%Z" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ASSERT_EQ(0,
			  DO("time_parse", STR(good[i].text), STR(good[i].how),
			     good[i].zone ? STR(good[i].zone) : NONE))
		{
			TH_LOG("%s: %s", good[i].text, MESSAGE);
		}
		EXPECT_EQ(good[i].ms, RESULT.i)
		{
			TH_LOG("%s", good[i].text);
		}
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("time_parse", STR(wrong[i][0]), STR(wrong[i][1])))
		{
			TH_LOG("%s", wrong[i][0]);
		}
	}
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("time_parse", STR("2023"), STR("%Y"),
				       STR("Mars/Olympus")));
}

/* Each zone in all decades, as date(1) says, whose zones are the C library's. */
TEST_F(time, zones_as_date_does)
{
	static const char *const zones[] = {
		"Europe/Berlin",       "America/New_York",  "Asia/Kathmandu",
		"Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia",
		"America/Sao_Paulo",   "Asia/Tehran",	    "UTC",
		"Antarctica/Troll",    "Europe/Dublin",	    "America/Nuuk",
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++) {
		struct tm tm;
		char want[16];

		setenv("TZ", zones[i], 1);
		tzset();
		for (time_t t = -2000000000; t < 4300000000; t += 12345678) {
			ASSERT_NE(NULL, localtime_r(&t, &tm));
			strftime(want, sizeof(want), "%z", &tm);
			ASSERT_EQ(0, DO("time_format", INT(t * 1000), STR("%z"),
					STR(zones[i])));
			EXPECT_TRUE(TEXT(want))
			{
				TH_LOG("%s at %lld", zones[i], (long long)t);
			}
		}
		ASSERT_EQ(0, DO("time_timezone"));
		EXPECT_TRUE(TEXT(zones[i]));
	}
	unsetenv("TZ");
}

/* What comes first after a time; "" when nothing does. */
static const struct {
	const char *cron, *after, *next;
} steps[] = {
	{ "*/15 * * * *", "2012-07-09T14:45:00", "2012-07-09T15:00:00" },
	{ "*/15 * * * *", "2012-07-09T14:59:59", "2012-07-09T15:00:00" },
	{ "20-35/15 * * * *", "2012-07-09T14:46:00", "2012-07-09T15:20:00" },
	{ "5/20 * * * *", "2012-07-09T14:25:00", "2012-07-09T14:45:00" },
	{ "*/30 * * * * *", "2012-07-09T14:59:29", "2012-07-09T14:59:30" },
	{ "0 0 * feb mon", "2012-07-09T23:35:00", "2013-02-04T00:00:00" },
	{ "0 0 1 FEB *", "2012-07-09T23:35:00", "2013-02-01T00:00:00" },
	{ "0 0 29 2 *", "2012-07-09T23:35:00", "2016-02-29T00:00:00" },
	{ "0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00" },
	{ "0 0 31 2 *", "2012-07-09T23:35:00", "" },
	{ "0 0 * * 7", "2026-11-30T00:00:00", "2026-12-06T00:00:00" },
	{ "0 0 * * 0", "2026-11-30T00:00:00", "2026-12-06T00:00:00" },
	{ "0 0 * * 5-7", "2026-12-05T00:00:00", "2026-12-06T00:00:00" },
	/* Both days limited: either. One of them *: the other. */
	{ "0 0 13 * fri", "2026-11-30T00:00:00", "2026-12-04T00:00:00" },
	{ "0 0 13 * fri", "2026-12-11T00:00:00", "2026-12-13T00:00:00" },
	{ "0 0 13 * *", "2026-12-11T00:00:00", "2026-12-13T00:00:00" },
	{ "0 0 */2 * fri", "2026-11-30T00:00:00", "2026-12-11T00:00:00" },
	{ "59 23 31 12 *", "2026-12-31T23:59:00", "2027-12-31T23:59:00" },
	{ "@yearly", "2026-11-30T00:00:00", "2027-01-01T00:00:00" },
	{ "@monthly", "2026-11-30T00:00:00", "2026-12-01T00:00:00" },
	{ "@weekly", "2026-11-30T00:00:00", "2026-12-06T00:00:00" },
	{ "@daily", "2026-11-30T00:00:00", "2026-12-01T00:00:00" },
	{ "@hourly", "2026-11-30T00:00:00", "2026-11-30T01:00:00" },
	/* New York, 2012-03-11: 02:00 to 03:00 is left out. */
	{ "TZ=America/New_York 30 2 11 3 *", "2012-03-11T05:00:00",
	  "2012-03-11T07:00:00" },
	{ "TZ=America/New_York 0 3 * * *", "2012-03-11T05:00:00",
	  "2012-03-11T07:00:00" },
	/* 2012-11-04: 01:00 to 02:00 comes twice. */
	{ "CRON_TZ=America/New_York 30 1 * * *", "2012-11-04T04:00:00",
	  "2012-11-04T05:30:00" },
	{ "CRON_TZ=America/New_York 30 1 * * *", "2012-11-04T05:30:00",
	  "2012-11-05T06:30:00" },
	/* Apia had no 2011-12-30. */
	{ "TZ=Pacific/Apia 0 12 30 12 *", "2011-12-30T00:00:00",
	  "2011-12-30T10:00:00" },
};

static int64_t utc(const char *text)
{
	struct tm tm = { 0 };

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ?
		       (int64_t)timegm(&tm) * 1000 :
		       -1;
}

TEST_F(time, cron_parse_and_next)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		ASSERT_EQ(0, DO("cron_parse", STR(steps[i].cron)))
		{
			TH_LOG("%s: %s", steps[i].cron, MESSAGE);
		}
		EXPECT_EQ(*steps[i].next ? 0 : MATHIS_NOT_FOUND,
			  DO("cron_next", RESULT, INT(utc(steps[i].after))));
		if (*steps[i].next) {
			EXPECT_EQ(utc(steps[i].next), RESULT.i)
			{
				TH_LOG("%s after %s", steps[i].cron,
				       steps[i].after);
			}
		}
	}
}

TEST_F(time, cron_next_after_now_and_close)
{
	struct mathis_item cron;

	ASSERT_EQ(0, DO("cron_parse", STR("* * * * * *")));
	cron = RESULT;
	ASSERT_EQ(0, DO("cron_next", cron));
	EXPECT_EQ(0, RESULT.i % 1000);
	EXPECT_LT((int64_t)time(NULL) - 1, RESULT.i / 1000);
	EXPECT_EQ(0, DO("cron_close", cron));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("cron_next", cron));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("cron_close", cron));
	ASSERT_EQ(0, DO("crypto_secret_import", STR("x")));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("cron_next", RESULT));
}

TEST_F(time, cron_parse_refuses_what_crontab_does)
{
	static const char *const bad[][2] = {
		{ "", "count of fields" },
		{ "* * * *", "count of fields" },
		{ "* * * * * * *", "count of fields" },
		{ "@never", "count of fields" },
		{ "60 * * * *", "minute" },
		{ "-1 * * * *", "minute" },
		{ "5-1 * * * *", "minute" },
		{ "*/0 * * * *", "minute" },
		{ "*/-1 * * * *", "minute" },
		{ "1, * * * *", "minute" },
		{ ",1 * * * *", "minute" },
		{ "1-2-3 * * * *", "minute" },
		{ "99999999999 * * * *", "minute" },
		{ "* 24 * * *", "hour" },
		{ "* * 0 * *", "day of month" },
		{ "* * 32 * *", "day of month" },
		{ "* * * 13 *", "month" },
		{ "* * * foo *", "month" },
		{ "* * * january *", "month" },
		{ "* * * * 8", "day of week" },
		{ "* * * * fri-mon", "day of week" },
		{ "61 * * * * *", "second" },
		{ "TZ=Mars/Olympus * * * * *", "zone" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MATHIS_FORMAT, DO("cron_parse", STR(bad[i][0])))
		{
			TH_LOG("%s", bad[i][0]);
		}
		EXPECT_TRUE(mathis_item_is(
			mathis_item_get(&dispatch_last->detail, "field"),
			bad[i][1]))
		{
			TH_LOG("%s: %s", bad[i][0], MESSAGE);
		}
	}
}

/* Upcalls of a session without a program: the test ends them. */
static void wake(struct md_inbox *inbox)
{
	pthread_cond_broadcast(inbox->arg);
}

static struct md_upcall *next_run(struct dispatch *d)
{
	struct md_inbox *inbox = d->session->inbox;
	struct md_upcall *u;

	while (!(u = md_inbox_next(inbox))) {
		pthread_mutex_lock(&d->core->lock);
		if (TAILQ_EMPTY(&inbox->upcalls))
			pthread_cond_wait(inbox->arg, &d->core->lock);
		pthread_mutex_unlock(&d->core->lock);
	}
	return u;
}

static void end_run(struct md_upcall *u, int code)
{
	if (md_upcall_claim(u))
		md_upcall_done(u, code);
	md_upcall_put(u);
}

static struct mathis_item function(uint32_t slot, uint32_t arity)
{
	return (struct mathis_item){ .kind = MATHIS_FUNC,
				     .aux = arity,
				     .i = slot };
}

static int64_t member(const struct md_upcall *u, const char *name)
{
	return mathis_item_get(&u->args[0], name)->i;
}

TEST_F(time, cron_schedule)
{
	struct md_inbox *inbox = self->d.session->inbox;
	struct mathis_item cron, slow, quick;
	struct md_upcall *u, *first = NULL;
	int64_t last = 0, scheduled;
	pthread_cond_t news;
	uint32_t slot, slots = 0;

	pthread_cond_init(&news, NULL);
	inbox->arg = &news;
	inbox->wake = wake;
	ASSERT_EQ(0, DO("cron_parse", STR("* * * * * *")));
	cron = RESULT;
	ASSERT_EQ(0, DO("cron_schedule", cron, function(1, 1)));
	slow = RESULT;
	ASSERT_EQ(0, DO("cron_schedule", cron, function(2, 1)));
	quick = RESULT;
	/* Jobs keep their times. */
	ASSERT_EQ(0, DO("cron_close", cron));
	/* One job runs each time, also after errors, the other still once. */
	for (int n = 0; n < 3;) {
		u = next_run(&self->d);
		EXPECT_EQ(1, u->n);
		EXPECT_EQ(0, member(u, "scheduled") % 1000);
		EXPECT_LE(member(u, "scheduled"), member(u, "fired"));
		if (u->func->slot == 1) {
			EXPECT_EQ(NULL, first);
			EXPECT_EQ(1, member(u, "id"));
			first = u;
			continue;
		}
		EXPECT_EQ(2, member(u, "id"));
		EXPECT_LT(last, member(u, "scheduled"));
		last = member(u, "scheduled");
		end_run(u, n++ ? MATHIS_HANDLER : MATHIS_OK);
	}
	ASSERT_NE(NULL, first);
	EXPECT_EQ(0, DO("cron_cancel", quick));
	EXPECT_EQ(0, DO("cron_cancel", quick));
	/* Times that the run missed become one. */
	scheduled = member(first, "scheduled");
	end_run(first, MATHIS_OK);
	u = next_run(&self->d);
	EXPECT_EQ(1, u->func->slot);
	EXPECT_EQ(scheduled + 1000, member(u, "scheduled"));
	last = member(u, "fired");
	EXPECT_LE(scheduled + 2000, last);
	end_run(u, MATHIS_OK);
	u = next_run(&self->d);
	EXPECT_EQ(1, u->func->slot);
	EXPECT_LT(last, member(u, "scheduled"));
	/* A run that ends after its job begins no other. */
	EXPECT_EQ(0, DO("cron_cancel", slow));
	end_run(u, MATHIS_OK);
	/* The clock's thread may have the job in hand still. */
	for (int tries = 0; slots != 6 && tries < 1000; tries++) {
		while (md_inbox_drop(inbox, &slot))
			slots |= 1U << slot;
		usleep(10000);
	}
	EXPECT_EQ(6, slots);
	/* The end of the session ends a job whose run waits. */
	ASSERT_EQ(0, DO("cron_parse", STR("* * * * * *")));
	ASSERT_EQ(0, DO("cron_schedule", RESULT, function(3, 1)));
	u = next_run(&self->d);
	EXPECT_EQ(3, u->func->slot);
	md_inbox_end(inbox);
	end_run(u, MATHIS_HANDLER);
	pthread_cond_destroy(&news);
}

TEST_F(time, cron_schedule_refuses)
{
	struct mathis_item cron, never;

	ASSERT_EQ(0, DO("cron_parse", STR("* * * * *")));
	cron = RESULT;
	ASSERT_EQ(0, DO("cron_parse", STR("0 0 30 2 *")));
	never = RESULT;
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("cron_schedule", never, function(1, 1)));
	EXPECT_EQ(MATHIS_ARITY, DO("cron_schedule", cron, function(1, 0)));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("cron_schedule", cron, INT(1)));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("cron_cancel", cron));
	/* A job that has not run ends with the session. */
	EXPECT_EQ(0, DO("cron_schedule", cron, function(1, 1)));
	ASSERT_EQ(0, DO("cron_close", cron));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("cron_schedule", cron, function(1, 1)));
}

TEST_HARNESS_MAIN
