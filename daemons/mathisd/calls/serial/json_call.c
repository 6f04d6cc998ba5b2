// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1300 to 0x1303: JSON read, written, pointed into (RFC 6901) and patched
 * (RFC 6902).
 */
#include "json.h"

int md_json_parse(struct md_call *c)
{
	const struct mathis_item *text = &c->args[0];
	const struct mathis_item *opts = &c->args[1];
	const struct mathis_item *big =
		opts->kind == MATHIS_MAP ? mathis_item_get(opts, "bignum") :
					   NULL;
	yyjson_alc memory = json_memory(c);
	yyjson_read_err err = { 0 };
	struct json_how how = { .big = big && mathis_item_is(big, "str"),
				.unique = serial_flag(opts, "unique") };
	struct mathis_item item;
	yyjson_doc *doc;

	if (big && big->kind == MATHIS_STR && !how.big)
		return md_fail(c, MATHIS_ARG_RANGE, "bignum is str");
	doc = yyjson_read_opts((char *)text->text, text->n,
			       YYJSON_READ_BIGNUM_AS_RAW, &memory, &err);
	if (c->pool.bad)
		return MD_FAILED;
	if (!doc) {
		md_detail(c, "offset", mathis_item_int((int64_t)err.pos));
		return md_fail(c, MATHIS_FORMAT, "byte %zu: %s", err.pos,
			       err.msg);
	}
	if (json_item(c, yyjson_doc_get_root(doc), how, 0, &item))
		return MD_FAILED;
	return md_return(c, item);
}

int md_json_stringify(struct md_call *c)
{
	const struct mathis_item *opts = &c->args[1];
	yyjson_write_flag flags =
		(serial_flag(opts, "pretty") ? YYJSON_WRITE_PRETTY_TWO_SPACES :
					       0) |
		(serial_flag(opts, "ascii") ? YYJSON_WRITE_ESCAPE_UNICODE : 0);
	yyjson_alc memory = json_memory(c);
	yyjson_mut_doc *doc = yyjson_mut_doc_new(&memory);
	yyjson_mut_val *v = doc ? json_value(c, doc, &c->args[0]) : NULL;
	size_t n = 0;
	char *text;

	if (!v)
		return MD_FAILED;
	text = yyjson_mut_val_write_opts(v, flags, &memory, &n, NULL);
	if (!text)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return md_return_own(c, MATHIS_STR, text, n);
}

/* An index of a list: digits, and no zero before others. */
static bool index_of(const char *key, size_t n, uint32_t *index)
{
	uint64_t i = 0;

	if (!n || n > 10 || (n > 1 && *key == '0'))
		return false;
	while (n--) {
		if (*key < '0' || *key > '9')
			return false;
		i = i * 10 + (uint64_t)(*key++ - '0');
	}
	*index = i < UINT32_MAX ? (uint32_t)i : UINT32_MAX;
	return true;
}

/* One step of a pointer: the part that is called @key, or NULL. */
static const struct mathis_item *step(const struct mathis_item *at,
				      const char *key, size_t n)
{
	uint32_t i;

	if (at->kind == MATHIS_LIST || at->kind == MATHIS_TUPLE)
		return index_of(key, n, &i) && i < at->n ? &at->items[i] : NULL;
	for (i = 0; at->kind == MATHIS_MAP && i < at->n; i++) {
		const struct mathis_item *k = &at->items[2UL * i];

		if (k->kind == MATHIS_STR && k->n == n &&
		    (!n || !memcmp(k->text, key, n)))
			return k + 1;
	}
	return NULL;
}

/* Read ~0 and ~1 of a step: its bytes, or -1 for another ~. */
static ssize_t unescape(char *out, const char *p, size_t n)
{
	size_t made = 0;

	for (size_t i = 0; i < n; i++) {
		char ch = p[i];

		if (ch == '~') {
			if (++i == n || (p[i] != '0' && p[i] != '1'))
				return -1;
			ch = p[i] == '0' ? '~' : '/';
		}
		out[made++] = ch;
	}
	return (ssize_t)made;
}

int md_json_pointer(struct md_call *c)
{
	const struct mathis_item *at = &c->args[0];
	const char *p = c->args[1].text, *end = p + c->args[1].n;
	char *key = md_alloc(c, c->args[1].n + 1UL);

	if (!key)
		return MD_FAILED;
	while (p < end) {
		const char *next;
		ssize_t n;

		if (*p++ != '/')
			return md_fail(c, MATHIS_FORMAT,
				       "a pointer begins with /");
		next = memchr(p, '/', (size_t)(end - p)) ?: end;
		n = unescape(key, p, (size_t)(next - p));
		if (n < 0)
			return md_fail(c, MATHIS_FORMAT,
				       "behind ~ comes 0 or 1");
		at = at ? step(at, key, (size_t)n) : NULL;
		p = next;
	}
	if (!at)
		return md_fail(c, MATHIS_NOT_FOUND,
			       "the value has no such part");
	return md_return(c, mathis_item_copy(&c->pool, at));
}

static int patch_code(yyjson_patch_code code)
{
	return code == YYJSON_PATCH_ERROR_EQUAL	  ? MATHIS_CONFLICT :
	       code == YYJSON_PATCH_ERROR_POINTER ? MATHIS_NOT_FOUND :
						    MATHIS_FORMAT;
}

int md_json_patch(struct md_call *c)
{
	yyjson_alc memory = json_memory(c);
	yyjson_mut_doc *doc = yyjson_mut_doc_new(&memory);
	yyjson_mut_val *v = doc ? json_value(c, doc, &c->args[0]) : NULL;
	yyjson_mut_val *patch = v ? json_value(c, doc, &c->args[1]) : NULL;
	yyjson_patch_err err = { 0 };
	struct mathis_item item;
	yyjson_doc *done;

	if (!patch)
		return MD_FAILED;
	v = yyjson_mut_patch(doc, v, patch, &err);
	if (c->pool.bad)
		return MD_FAILED;
	if (!v) {
		md_detail(c, "step", mathis_item_int((int64_t)err.idx));
		return md_fail(c, patch_code(err.code), "step %zu: %s", err.idx,
			       err.msg);
	}
	done = yyjson_mut_val_imut_copy(v, &memory);
	if (!done || json_item(c, yyjson_doc_get_root(done),
			       (struct json_how){ 0 }, 0, &item))
		return MD_FAILED;
	return md_return(c, item);
}
