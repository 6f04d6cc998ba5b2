// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0F00, 0x0F01: lines of JSON for the log.
 */
#include <stdio.h>
#include <time.h>

#include "calls/io/print.h"
#include "calls/serial/json.h"
#include "observe.h"

#define LINE_MAX_BYTES 131072

static const char *const levels[] = { "debug", "info", "warn", "error",
				      "critical" };

#define N_LEVELS ((int)(sizeof(levels) / sizeof(*levels)))

/* Of a session; no line depends on another, so races lose nothing. */
struct log {
	atomic_int least; /* level; 0 is the first one */
	atomic_ulong dropped;
};

static void init(void *state)
{
	struct log *log = state;

	atomic_init(&log->least, 1);
}

static const struct md_own_kind kind = {
	.size = sizeof(struct log),
	.init = init,
};

/* The level of the first argument, or -1, reported. */
static int level_of(struct md_call *c)
{
	const struct mathis_item *arg = &c->args[0];

	if (arg->kind == MATHIS_INT)
		return (int)arg->i;
	for (int i = 0; i < N_LEVELS; i++) {
		if (mathis_item_is(arg, levels[i]))
			return i;
	}
	return md_fail(c, MATHIS_ARG_RANGE,
		       "levels are debug, info, warn, error and critical");
}

static void put_time(yyjson_mut_doc *doc, yyjson_mut_val *line)
{
	struct timespec now;
	char text[64];
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%FT%T", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03ldZ", now.tv_nsec / 1000000);
	yyjson_mut_obj_add_strcpy(doc, line, "ts", text);
}

/* The document of a line, or NULL, reported. */
static yyjson_mut_doc *make_line(struct md_call *c, int level,
				 const yyjson_alc *memory,
				 unsigned long dropped)
{
	const struct mathis_item *text = &c->args[1];
	yyjson_mut_doc *doc = yyjson_mut_doc_new(memory);
	yyjson_mut_val *line = yyjson_mut_obj(doc), *fields;
	struct span_ids ids;

	if (!line) {
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	yyjson_mut_doc_set_root(doc, line);
	put_time(doc, line);
	yyjson_mut_obj_add_str(doc, line, "level", levels[level]);
	yyjson_mut_obj_add_strn(doc, line, "msg", text->text, text->n);
	if (md_given(c, 2)) {
		fields = json_value(c, doc, &c->args[2]);
		if (!fields)
			return NULL;
		yyjson_mut_obj_add_val(doc, line, "fields", fields);
	}
	if (span_now(c, &ids)) {
		yyjson_mut_obj_add_strcpy(doc, line, "trace_id", ids.trace);
		yyjson_mut_obj_add_strcpy(doc, line, "span_id", ids.span);
	}
	if (dropped)
		yyjson_mut_obj_add_uint(doc, line, "dropped", dropped);
	return doc;
}

int md_log(struct md_call *c)
{
	struct log *log = md_session_own(c->session, &kind);
	yyjson_alc memory = json_memory(c);
	int level = level_of(c);
	unsigned long dropped;
	yyjson_mut_doc *doc;
	size_t n = 0;
	char *text;

	if (level < 0)
		return MD_FAILED;
	if (!log)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (level < atomic_load(&log->least))
		return MD_DONE;
	dropped = atomic_exchange(&log->dropped, 0);
	doc = make_line(c, level, &memory, dropped);
	text = doc ? yyjson_mut_write_opts(doc, YYJSON_WRITE_NEWLINE_AT_END,
					   &memory, &n, NULL) :
		     NULL;
	if (text && n <= LINE_MAX_BYTES) {
		if (!print_line(c, text, n))
			atomic_fetch_add(&log->dropped, dropped + 1);
		return MD_DONE;
	}
	atomic_fetch_add(&log->dropped, dropped);
	if (text)
		return md_fail(c, MATHIS_TOO_LARGE, "a line of %zu bytes", n);
	return doc ? md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory") : MD_FAILED;
}

int md_log_set_level(struct md_call *c)
{
	struct log *log = md_session_own(c->session, &kind);
	int level = level_of(c);

	if (level < 0)
		return MD_FAILED;
	if (!log)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	atomic_store(&log->least, level);
	return MD_DONE;
}
