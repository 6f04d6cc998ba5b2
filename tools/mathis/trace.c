// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis run --trace: a line for each call that ended, as strace prints it:
 *
 *	12:30:45.678901 io_println("Hello") = none <0.000012>
 *
 * Of a call whose types name handle<secret>, no text or bytes are shown that
 * could be one.
 */
#include <stdio.h>
#include <time.h>

#include <core/call.h>
#include <core/core.h>
#include <core/session.h>

#include "cli.h"
#include "trace.h"

#define SHOWN_BYTES 32 /* of a text */
#define SHOWN_ITEMS 8 /* of a container */
#define SHOWN_NEST 3

static void put_text(FILE *f, const struct mathis_item *v, bool hide)
{
	if (hide) {
		fprintf(f, "<%u bytes>", v->n);
		return;
	}
	fputc('"', f);
	for (uint32_t i = 0; i < v->n && i < SHOWN_BYTES; i++) {
		unsigned char c = v->text[i];

		if (c == '\n')
			fputs("\\n", f);
		else if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputs(v->n > SHOWN_BYTES ? "\"..." : "\"", f);
}

static void put_item(FILE *f, const struct mathis_item *v, bool hide, int depth)
{
	/* Of a map, a key and a value are two items. */
	uint32_t n = v->kind == MATHIS_MAP ? 2 * v->n : v->n;

	switch (v->kind) {
	case MATHIS_NONE:
		fputs("none", f);
		break;
	case MATHIS_BOOL:
		fputs(v->i ? "true" : "false", f);
		break;
	case MATHIS_INT:
		fprintf(f, "%lld", (long long)v->i);
		break;
	case MATHIS_FLOAT:
		fprintf(f, "%.17g", v->f);
		break;
	case MATHIS_CHAR:
		fprintf(f, "'\\u{%x}'", (unsigned int)v->i);
		break;
	case MATHIS_STR:
	case MATHIS_BYTES:
		put_text(f, v, hide);
		break;
	case MATHIS_LIST ... MATHIS_TUPLE:
	case MATHIS_STRUCT:
	case MATHIS_ENUM:
		fputc('[', f);
		for (uint32_t i = 0; i < n; i++) {
			fputs(i ? ", " : "", f);
			if (depth == SHOWN_NEST || i == SHOWN_ITEMS) {
				fputs("...", f);
				break;
			}
			put_item(f, &v->items[i], hide, depth + 1);
		}
		fputc(']', f);
		break;
	case MATHIS_HANDLE:
		fprintf(f, "handle %lld", (long long)v->i);
		break;
	default:
		fputs("func", f);
	}
}

static void put_args(FILE *f, const struct md_call *c)
{
	const struct md_type *type = c->row ? c->row->args : NULL;

	for (unsigned int i = 0; i < c->argc; i++) {
		/* A str alone names an algorithm or a kind of key. */
		bool name = type && type->kind == MATHIS_STR && !type->other;

		fputs(i ? ", " : "", f);
		put_item(f, &c->args[i], c->row && c->row->secret && !name, 0);
		type = type ? type->next : NULL;
	}
}

/* The reason of a failure: what the function says that was stopped is not it. */
static void put_error(FILE *f, struct md_call *c)
{
	if (c->by_core) {
		fputs(mathis_code_name(atomic_load(&c->stop)), f);
		return;
	}
	fprintf(f, "%s (", mathis_code_name(c->code));
	print_text(f, c->message);
	fputc(')', f);
}

void trace_call(struct md_session *session, struct md_call *c)
{
	uint64_t spent = (md_now() - c->began) / 1000;
	struct timespec now;
	struct tm tm;

	(void)session;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	fprintf(stderr, "%02d:%02d:%02d.%06ld %s(", tm.tm_hour, tm.tm_min,
		tm.tm_sec, now.tv_nsec / 1000,
		c->row ? c->row->info->name : "?");
	put_args(stderr, c);
	fputs(") = ", stderr);
	if (c->status == MD_DONE)
		put_item(stderr, &c->result, c->row && c->row->secret, 0);
	else
		put_error(stderr, c);
	fprintf(stderr, " <%llu.%06llu>\n", (unsigned long long)spent / 1000000,
		(unsigned long long)spent % 1000000);
}
