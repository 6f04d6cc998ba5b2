// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0F00 to 0x0F24: logs, metrics and traces.
 */
#include <fcntl.h>
#include <kselftest_harness.h>
#include <math.h>

#include "dispatch.h"

FIXTURE(observe)
{
	struct dispatch d;
	int err[2];
	char line[140000];
};

FIXTURE_SETUP(observe)
{
	ASSERT_TRUE(dispatch_init(&self->d));
	ASSERT_EQ(0, pipe2(self->err, O_CLOEXEC));
	self->d.session->console[2] = self->err[1];
}

FIXTURE_TEARDOWN(observe)
{
	dispatch_fini(&self->d);
	close(self->err[0]);
	close(self->err[1]);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

/* A map of text to text, or more. */
static struct mathis_item map_of(unsigned int n, struct mathis_item *items)
{
	return (struct mathis_item){ .kind = MATHIS_MAP,
				     .n = n / 2,
				     .items = items };
}

#define MAP(...)                                               \
	map_of(sizeof((struct mathis_item[]){ __VA_ARGS__ }) / \
		       sizeof(struct mathis_item),             \
	       (struct mathis_item[]){ __VA_ARGS__ })
#define EMPTY map_of(0, NULL)

/* The next line of the log. */
static const char *next_line(FIXTURE_DATA(observe) * self)
{
	size_t n = 0;

	while (n < sizeof(self->line) - 1 &&
	       read(self->err[0], self->line + n, 1) == 1 &&
	       self->line[n] != '\n')
		n++;
	self->line[n] = 0;
	return self->line;
}

static bool contains(const char *text, const char *part)
{
	bool found = strstr(text, part);

	if (!found)
		printf("# %s\n# lacks %s\n", text, part);
	return found;
}

/* Whether a text is the result, from its first byte to its last. */
static bool result_is(const char *text)
{
	bool same = RESULT.n == strlen(text) &&
		    !memcmp(RESULT.text, text, RESULT.n);

	if (!same)
		printf("# %.*s\n", (int)RESULT.n, RESULT.text);
	return same;
}

TEST_F(observe, log)
{
	EXPECT_EQ(0, DO("log", STR("info"), STR("a \"b\"\n")));
	next_line(self);
	EXPECT_EQ(0, strncmp(self->line, "{\"ts\":\"2", 8));
	EXPECT_TRUE(
		contains(self->line,
			 "Z\",\"level\":\"info\",\"msg\":\"a \\\"b\\\"\\n\"}"));
	EXPECT_EQ(0, DO("log", INT(4), STR("x"),
			MAP(STR("n"), INT(3), STR("t"), BOOL(true))));
	EXPECT_TRUE(contains(
		next_line(self),
		"\"critical\",\"msg\":\"x\",\"fields\":{\"n\":3,\"t\":true}}"));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("log", STR("loud"), STR("x")));
	EXPECT_EQ(MATHIS_ARG_TYPE,
		  DO("log", INT(3), STR("x"), MAP(STR("b"), BYTES("x", 1))));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("log", INT(3), STR("x"), MAP(STR("f"), FLOAT(NAN))));
}

TEST_F(observe, log_set_level)
{
	EXPECT_EQ(0, DO("log", STR("debug"), STR("unseen")));
	EXPECT_EQ(0, DO("log_set_level", STR("debug")));
	EXPECT_EQ(0, DO("log", STR("debug"), STR("seen")));
	EXPECT_TRUE(contains(next_line(self), "\"seen\""));
	EXPECT_EQ(0, DO("log_set_level", INT(3)));
	EXPECT_EQ(0, DO("log", STR("warn"), STR("unseen")));
	EXPECT_EQ(0, DO("log", STR("error"), STR("last")));
	EXPECT_TRUE(contains(next_line(self), "\"last\""));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("log_set_level", STR("loud")));
}

TEST_F(observe, log_never_waits_and_counts_what_it_drops)
{
	static char text[60000];
	int lines = 0;

	memset(text, 'x', sizeof(text));
	EXPECT_EQ(4096, fcntl(self->err[1], F_SETPIPE_SZ, 4096));
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, DO("log", INT(1),
				dispatch_text(MATHIS_STR, text, 60000)));
	/* Some lines wait; the others are gone, and the next one says so. */
	do {
		next_line(self);
		lines++;
		EXPECT_EQ(NULL, strstr(self->line, "dropped"));
		if (lines == 1)
			EXPECT_EQ(0, DO("log", INT(1), STR("full")));
	} while (lines < 4);
	for (int i = 0; i < 3 && !strstr(self->line, "dropped"); i++) {
		EXPECT_EQ(0, DO("log", INT(1), STR("after")));
		next_line(self);
	}
	EXPECT_TRUE(contains(self->line, "\"dropped\":"));
}

TEST_F(observe, metric_counter_and_gauge)
{
	EXPECT_EQ(0, DO("metric_counter", STR("b_total"), EMPTY, INT(1)));
	EXPECT_EQ(0, DO("metric_counter", STR("b_total"), EMPTY, FLOAT(.5)));
	EXPECT_EQ(0,
		  DO("metric_counter", STR("b_total"),
		     MAP(STR("z"), STR("1"), STR("a"), STR("\"\\\n")), INT(7)));
	EXPECT_EQ(0, DO("metric_gauge", STR("a:g"), EMPTY, INT(5)));
	EXPECT_EQ(0, DO("metric_gauge", STR("a:g"), EMPTY, FLOAT(-.1)));
	EXPECT_EQ(0, DO("metric_gauge", STR("c"), EMPTY, FLOAT(-INFINITY)));
	EXPECT_EQ(0, DO("metrics_text"));
	EXPECT_TRUE(result_is("# TYPE a:g gauge\na:g -0.1\n"
			      "# TYPE b_total counter\nb_total 1.5\n"
			      "b_total{a=\"\\\"\\\\\\n\",z=\"1\"} 7\n"
			      "# TYPE c gauge\nc -Inf\n"));
	EXPECT_EQ(0, DO("metrics_text", STR("openmetrics")));
	EXPECT_TRUE(result_is("# TYPE a:g gauge\na:g -0.1\n"
			      "# TYPE b counter\nb_total 1.5\n"
			      "b_total{a=\"\\\"\\\\\\n\",z=\"1\"} 7\n"
			      "# TYPE c gauge\nc -Inf\n# EOF\n"));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("metrics_text", STR("json")));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("metric_counter", STR("b_total"), EMPTY, INT(-1)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("metric_counter", STR("b_total"), EMPTY, FLOAT(NAN)));
	EXPECT_EQ(MATHIS_CONFLICT,
		  DO("metric_gauge", STR("b_total"), EMPTY, INT(1)));
}

TEST_F(observe, metric_histogram)
{
	struct mathis_item bounds[] = { FLOAT(1), FLOAT(2.5) };
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 2,
				    .items = bounds };

	EXPECT_EQ(0, DO("metric_histogram", STR("h"), EMPTY, INT(1), list));
	EXPECT_EQ(0, DO("metric_histogram", STR("h"), EMPTY, FLOAT(1.5)));
	EXPECT_EQ(0, DO("metric_histogram", STR("h"), EMPTY, INT(9)));
	EXPECT_EQ(0, DO("metrics_text"));
	EXPECT_TRUE(
		result_is("# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"
			  "h_bucket{le=\"2.5\"} 2\nh_bucket{le=\"+Inf\"} 3\n"
			  "h_sum 11.5\nh_count 3\n"));
	EXPECT_EQ(0, DO("metric_histogram", STR("i"), MAP(STR("k"), STR("v")),
			INT(20)));
	EXPECT_EQ(0, DO("metrics_text", STR("openmetrics")));
	EXPECT_TRUE(contains(RESULT.text, "h_bucket{le=\"1.0\"} 1\n"));
	EXPECT_TRUE(contains(RESULT.text, "i_bucket{k=\"v\",le=\"10.0\"} 0\n"
					  "i_bucket{k=\"v\",le=\"+Inf\"} 1\n"));
	bounds[1] = FLOAT(1);
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("metric_histogram", STR("j"), EMPTY, INT(1), list));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("metric_histogram", STR("j"), EMPTY, FLOAT(NAN)));
	EXPECT_EQ(MATHIS_CONFLICT,
		  DO("metric_counter", STR("h_sum"), EMPTY, INT(1)));
	EXPECT_EQ(0, DO("metric_gauge", STR("k_count"), EMPTY, INT(1)));
	EXPECT_EQ(MATHIS_CONFLICT,
		  DO("metric_histogram", STR("k"), EMPTY, INT(1)));
	EXPECT_EQ(0, DO("metric_counter", STR("l"), EMPTY, INT(1)));
	EXPECT_EQ(MATHIS_CONFLICT,
		  DO("metric_gauge", STR("l_total"), EMPTY, INT(1)));
}

TEST_F(observe, metric_names_and_labels)
{
	static const char *const bad[] = { "1a", "a-b", "a b", "\303\251" };
	static char text[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MATHIS_ARG_RANGE,
			  DO("metric_gauge", STR(bad[i]), EMPTY, INT(1)));
		EXPECT_EQ(MATHIS_ARG_RANGE,
			  DO("metric_gauge", STR("a"),
			     MAP(STR(bad[i]), STR("x")), INT(1)));
	}
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("metric_gauge", STR("a"),
				       MAP(STR("a:b"), STR("x")), INT(1)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("metric_gauge", STR("a"),
				       MAP(STR("__a"), STR("x")), INT(1)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("metric_gauge", STR("a"),
				       MAP(STR("le"), STR("x")), INT(1)));
	EXPECT_EQ(MATHIS_ARG_TYPE,
		  DO("metric_gauge", STR("a"), MAP(STR("b"), INT(1)), INT(1)));
	memset(text, 'x', 257);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("metric_gauge", STR("a"),
				       MAP(STR("b"), STR(text)), INT(1)));
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ASSERT_EQ(0, DO("metric_gauge", STR("a"),
				MAP(STR("b"), STR(text)), INT(1)));
	}
	EXPECT_EQ(MATHIS_LIMIT, DO("metric_gauge", STR("a"),
				   MAP(STR("b"), STR("x")), INT(1)));
	EXPECT_EQ(MATHIS_LIMIT, DO("metric_gauge", STR("c"), EMPTY, INT(1)));
	EXPECT_EQ(0, DO("metric_gauge", STR("a"), MAP(STR("b"), STR("7")),
			INT(2)));
}

/* The text of the result behind a key of JSON, n bytes. */
static const char *after(const char *key, char *out, size_t n)
{
	const char *at = strstr(RESULT.text, key);

	snprintf(out, n + 1, "%s", at ? at + strlen(key) : "");
	return out;
}

TEST_F(observe, span_start_and_end_and_trace_context)
{
	static const char parent[] =
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	struct mathis_item outer, inner;
	char context[60], id[20];

	EXPECT_EQ(0, DO("trace_context"));
	EXPECT_EQ(MATHIS_NONE, RESULT.kind);
	ASSERT_EQ(0, DO("span_start", STR("outer"),
			MAP(STR("i"), INT(1), STR("s"), STR("x"), STR("f"),
			    FLOAT(.5)),
			STR(parent)));
	outer = RESULT;
	EXPECT_EQ(0, DO("trace_context"));
	ASSERT_EQ(55, RESULT.n);
	EXPECT_EQ(0, memcmp(RESULT.text, parent, 36));
	snprintf(context, sizeof(context), "%.16s", RESULT.text + 36);
	ASSERT_EQ(0, DO("span_start", STR("inner")));
	inner = RESULT;
	EXPECT_EQ(0, DO("log", INT(1), STR("in")));
	EXPECT_TRUE(
		contains(next_line(self),
			 "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""));
	EXPECT_EQ(0, DO("span_end", inner, STR("broke")));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("span_end", inner));
	EXPECT_EQ(0, DO("trace_context"));
	EXPECT_EQ(0, memcmp(RESULT.text + 36, context, 16));
	EXPECT_EQ(0, DO("span_end", outer));
	ASSERT_EQ(0, DO("otlp_text"));
	EXPECT_STREQ(context, after("\"parentSpanId\":\"", id, 16));
	EXPECT_TRUE(contains(RESULT.text, "\"name\":\"inner\""));
	EXPECT_TRUE(contains(RESULT.text,
			     "\"status\":{\"code\":2,\"message\":\"broke\"}"));
	EXPECT_TRUE(contains(RESULT.text,
			     "{\"key\":\"i\",\"value\":{\"intValue\":\"1\"}}"));
	EXPECT_TRUE(
		contains(RESULT.text,
			 "{\"key\":\"f\",\"value\":{\"doubleValue\":0.5}}"));
	EXPECT_TRUE(
		contains(RESULT.text, "\"parentSpanId\":\"b7ad6b7169203331\""));
	ASSERT_EQ(0, DO("otlp_text"));
	EXPECT_TRUE(contains(RESULT.text, "\"spans\":[]"));
}

TEST_F(observe, span_limits_and_bad_parents)
{
	static const char *const bad[] = {
		"",
		"00",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("span_start", STR("x"), EMPTY, STR(bad[i])));
	EXPECT_EQ(MATHIS_ARG_TYPE,
		  DO("span_start", STR("x"), MAP(STR("a"), EMPTY)));
	for (int i = 0; i < 256; i++)
		ASSERT_EQ(0, DO("span_start", STR("x")));
	EXPECT_EQ(MATHIS_LIMIT, DO("span_start", STR("x")));
}

TEST_F(observe, spans_end_with_their_task)
{
	struct md_call *c;
	struct mathis_item name = STR("lost");

	c = md_call_new(self->d.session, 0x0F20, 1);
	ASSERT_NE(NULL, c);
	c->task = 7;
	c->args[0] = name;
	EXPECT_EQ(MD_DONE, md_call_start(c));
	EXPECT_TRUE(c->tell);
	md_call_put(c);
	md_session_task_moved(self->d.session, 7, 8);
	md_session_task_ended(self->d.session, 7);
	ASSERT_EQ(0, DO("otlp_text"));
	EXPECT_TRUE(contains(RESULT.text, "\"spans\":[]"));
	md_session_task_ended(self->d.session, 8);
	ASSERT_EQ(0, DO("otlp_text"));
	EXPECT_TRUE(contains(RESULT.text, "its task has ended"));
}

TEST_HARNESS_MAIN
