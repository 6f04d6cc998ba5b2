// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1322: XML, read by expat. The parser refuses every document that declares
 * an entity, and therefore expands no entity.
 */
#include <expat.h>

#include "serial.h"

#if XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION < 9
#define XML_GetCurrentLineNumber64 XML_GetCurrentLineNumber
#endif

#define STEP 65536 /* bytes between two looks whether the call is to stop */

/* An element whose end has not come. */
struct element {
	struct mathis_item name;
	struct mathis_item attrs;
	struct mathis_item children;
};

struct xml {
	struct md_call *c;
	XML_Parser parser;
	bool trim;
	bool failed; /* which was reported */
	struct mathis_buf text; /* since the last tag */
	int depth;
	struct element open[SERIAL_DEPTH];
	struct mathis_item root;
};

static void stop(struct xml *x)
{
	x->failed = true;
	XML_StopParser(x->parser, XML_FALSE);
}

/* Without memory nothing more is read. */
static void check_memory(struct xml *x)
{
	if (!x->c->pool.bad && !x->text.bad)
		return;
	if (!x->failed)
		md_fail(x->c, MATHIS_OUT_OF_MEMORY, "no memory");
	stop(x);
}

static bool is_blank(const struct mathis_buf *b)
{
	for (size_t i = 0; i < b->size; i++) {
		if (!memchr(" \t\r\n", b->data[i], 4))
			return false;
	}
	return true;
}

/* The text since the last tag becomes a child. */
static void end_text(struct xml *x)
{
	if (x->depth && x->text.size && !(x->trim && is_blank(&x->text)))
		mathis_item_add(&x->c->pool, &x->open[x->depth - 1].children,
				mathis_item_text(&x->c->pool, MATHIS_STR,
						 x->text.data, x->text.size));
	x->text.size = 0;
}

static void XMLCALL begin(void *arg, const char *name, const char **attrs)
{
	struct xml *x = arg;
	struct element *e;

	/* One more may come after the parser was stopped. */
	if (x->failed)
		return;
	end_text(x);
	if (x->depth == SERIAL_DEPTH) {
		md_fail(x->c, MATHIS_TOO_LARGE, "elements nest deeper than %d",
			SERIAL_DEPTH);
		stop(x);
		return;
	}
	e = &x->open[x->depth++];
	e->name = md_text(x->c, name);
	e->attrs = mathis_item_seq(&x->c->pool, MATHIS_MAP, 2);
	e->children = mathis_item_seq(&x->c->pool, MATHIS_LIST, 2);
	for (; *attrs; attrs += 2)
		mathis_item_put(&x->c->pool, &e->attrs, attrs[0],
				md_text(x->c, attrs[1]));
	check_memory(x);
}

static void XMLCALL end(void *arg, const char *name)
{
	struct xml *x = arg;
	struct element *e;
	struct mathis_item map;

	(void)name;
	if (x->failed)
		return;
	end_text(x);
	e = &x->open[--x->depth];
	map = mathis_item_seq(&x->c->pool, MATHIS_MAP, 3);
	mathis_item_put(&x->c->pool, &map, "name", e->name);
	mathis_item_put(&x->c->pool, &map, "attrs", e->attrs);
	mathis_item_put(&x->c->pool, &map, "children", e->children);
	if (x->depth)
		mathis_item_add(&x->c->pool, &x->open[x->depth - 1].children,
				map);
	else
		x->root = map;
	check_memory(x);
}

static void XMLCALL text(void *arg, const char *data, int n)
{
	struct xml *x = arg;

	if (x->failed)
		return;
	mathis_buf_add(&x->text, data, (size_t)n);
	check_memory(x);
}

static void XMLCALL doctype(void *arg, const char *name, const char *system,
			    const char *public, int internal)
{
	struct xml *x = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	md_fail(x->c, MATHIS_POLICY, "the document has a DTD");
	stop(x);
}

static int read_all(struct xml *x)
{
	const struct mathis_item *data = &x->c->args[0];
	uint32_t at = 0;

	do {
		uint32_t n = data->n - at < STEP ? data->n - at : STEP;

		if (md_stopped(x->c))
			return MD_FAILED;
		if (XML_Parse(x->parser, data->text + at, (int)n,
			      at + n == data->n) != XML_STATUS_OK) {
			long line = (long)XML_GetCurrentLineNumber64(x->parser);

			if (x->failed)
				return MD_FAILED;
			md_detail(x->c, "line", mathis_item_int(line));
			return md_fail(
				x->c, MATHIS_FORMAT, "line %ld: %s", line,
				XML_ErrorString(XML_GetErrorCode(x->parser)));
		}
		at += n;
	} while (at < data->n);
	return md_return(x->c, x->root);
}

int md_xml_parse(struct md_call *c)
{
	struct xml *x = md_alloc(c, sizeof(*x));
	int ret;

	if (!x)
		return MD_FAILED;
	memset(x, 0, sizeof(*x));
	x->c = c;
	x->trim = serial_flag(&c->args[1], "trim");
	/* A str is UTF-8, whatever the document says of itself. */
	x->parser = XML_ParserCreate(c->args[0].kind == MATHIS_STR ? "UTF-8" :
								     NULL);
	if (!x->parser)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, begin, end);
	XML_SetCharacterDataHandler(x->parser, text);
	XML_SetStartDoctypeDeclHandler(x->parser, doctype);
	ret = read_all(x);
	XML_ParserFree(x->parser);
	mathis_buf_fini(&x->text);
	return ret;
}
