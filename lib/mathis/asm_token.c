// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Words, numbers and strings of a line of the source.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "asm.h"
#include "calls.h"
#include "verify.h"

static void skip_blanks(struct mathis_asm *a)
{
	while (a->p < a->end && (isspace((unsigned char)*a->p) || *a->p == ','))
		a->p++;
	if (a->p < a->end && *a->p == ';')
		a->p = a->end;
}

bool asm_at_end(struct mathis_asm *a)
{
	skip_blanks(a);
	return a->p == a->end;
}

bool asm_peek(struct mathis_asm *a, char c)
{
	return !asm_at_end(a) && *a->p == c;
}

bool asm_accept(struct mathis_asm *a, char c)
{
	if (!asm_peek(a, c))
		return false;
	a->p++;
	return true;
}

bool asm_expect(struct mathis_asm *a, char c)
{
	if (asm_accept(a, c))
		return true;
	asm_error(a, ASM_SYNTAX, "expected \"%c\"", c);
	return false;
}

static bool in_word(char c)
{
	return !isspace((unsigned char)c) && !strchr(",;:()[]{}<>=\"'", c);
}

/* A run of letters that is not empty. */
bool asm_word(struct mathis_asm *a, struct mathis_span *word)
{
	skip_blanks(a);
	word->data = a->p;
	while (a->p < a->end && *a->p && in_word(*a->p))
		a->p++;
	word->len = a->p - word->data;
	if (word->len)
		return true;
	asm_error(a, ASM_SYNTAX, "expected a word");
	return false;
}

/* A word, or a string. */
bool asm_name(struct mathis_asm *a, struct mathis_span *name)
{
	return asm_peek(a, '"') ? asm_string(a, name) : asm_word(a, name);
}

bool asm_is(struct mathis_span text, const char *word)
{
	return text.len == strlen(word) && !memcmp(text.data, word, text.len);
}

bool asm_same(struct mathis_span a, struct mathis_span b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

/* A copy that lives as long as the assembler does. */
struct mathis_span asm_keep(struct mathis_asm *a, const void *data, size_t n)
{
	struct asm_chunk *chunk = malloc(sizeof(*chunk) + n);

	if (!chunk) {
		a->no_memory = true;
		return (struct mathis_span){ "", 0 };
	}
	chunk->next = a->chunks;
	a->chunks = chunk;
	if (n)
		memcpy(chunk->data, data, n);
	return (struct mathis_span){ chunk->data, n };
}

static void put_utf8(struct mathis_buf *b, uint32_t c)
{
	if (c < 0x80) {
		mathis_buf_put(b, c, 1);
	} else if (c < 0x800) {
		mathis_buf_put(b, 0xc0 | c >> 6, 1);
		mathis_buf_put(b, 0x80 | (c & 0x3f), 1);
	} else if (c < 0x10000) {
		mathis_buf_put(b, 0xe0 | c >> 12, 1);
		mathis_buf_put(b, 0x80 | (c >> 6 & 0x3f), 1);
		mathis_buf_put(b, 0x80 | (c & 0x3f), 1);
	} else {
		mathis_buf_put(b, 0xf0 | c >> 18, 1);
		mathis_buf_put(b, 0x80 | (c >> 12 & 0x3f), 1);
		mathis_buf_put(b, 0x80 | (c >> 6 & 0x3f), 1);
		mathis_buf_put(b, 0x80 | (c & 0x3f), 1);
	}
}

/* Hexadecimal digits, @least to @most of them. */
static bool hex(struct mathis_asm *a, int least, int most, uint32_t *value)
{
	static const char digits[] = "0123456789abcdef";
	int n = 0;

	*value = 0;
	while (n < most && a->p < a->end && isxdigit((unsigned char)*a->p)) {
		*value = *value << 4 |
			 (strchr(digits, tolower((unsigned char)*a->p)) -
			  digits);
		a->p++;
		n++;
	}
	return n >= least;
}

/* The character after a backslash. */
static bool escape(struct mathis_asm *a, struct mathis_buf *b)
{
	static const char from[] = "ntr0\\\"'";
	static const char to[] = "\n\t\r\0\\\"'";
	const char *at;
	uint32_t c;

	if (a->p == a->end)
		return false;
	if (*a->p == 'x') {
		a->p++;
		if (!hex(a, 2, 2, &c))
			return false;
		mathis_buf_put(b, c, 1);
		return true;
	}
	if (*a->p == 'u') {
		a->p++;
		if (a->p == a->end || *a->p++ != '{' || !hex(a, 1, 6, &c) ||
		    a->p == a->end || *a->p++ != '}' || c > 0x10ffff)
			return false;
		put_utf8(b, c);
		return true;
	}
	at = *a->p ? strchr(from, *a->p) : NULL;
	if (!at)
		return false;
	a->p++;
	mathis_buf_put(b, (unsigned char)to[at - from], 1);
	return true;
}

static bool quoted(struct mathis_asm *a, char quote, struct mathis_span *text)
{
	struct mathis_buf b = { 0 };

	*text = (struct mathis_span){ "", 0 };
	if (!asm_expect(a, quote))
		return false;
	while (a->p < a->end && *a->p != quote) {
		if (*a->p == '\\') {
			a->p++;
			if (!escape(a, &b)) {
				asm_error(a, ASM_SYNTAX, "unknown escape");
				mathis_buf_fini(&b);
				return false;
			}
		} else {
			mathis_buf_put(&b, (unsigned char)*a->p++, 1);
		}
	}
	a->no_memory |= b.bad;
	*text = asm_keep(a, b.data, b.size);
	mathis_buf_fini(&b);
	if (a->p == a->end) {
		asm_error(a, ASM_SYNTAX, "the text has no end");
		return false;
	}
	a->p++;
	return true;
}

/* Any bytes in quotes. */
bool asm_bytes(struct mathis_asm *a, struct mathis_span *text)
{
	return quoted(a, '"', text);
}

/* UTF-8 in quotes. */
bool asm_string(struct mathis_asm *a, struct mathis_span *text)
{
	if (!quoted(a, '"', text))
		return false;
	if (mathis_utf8(text->data, text->len))
		return true;
	asm_error(a, ASM_TYPE, "the text is no UTF-8");
	return false;
}

bool asm_char(struct mathis_asm *a, uint32_t *c)
{
	struct mathis_span t;
	static const uint8_t first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

	if (!quoted(a, '\'', &t))
		return false;
	if (!t.len || t.len > 4 || !mathis_utf8(t.data, t.len)) {
		asm_error(a, ASM_SYNTAX, "no character");
		return false;
	}
	*c = (uint8_t)t.data[0] & first[t.len];
	for (uint32_t i = 1; i < t.len; i++) {
		if (((uint8_t)t.data[i] & 0xc0) != 0x80) {
			asm_error(a, ASM_SYNTAX, "more than one character");
			return false;
		}
		*c = *c << 6 | ((uint8_t)t.data[i] & 0x3f);
	}
	if (t.len > 1 && (uint8_t)t.data[0] < 0x80) {
		asm_error(a, ASM_SYNTAX, "more than one character");
		return false;
	}
	return true;
}

/* A number's letters, zero-terminated in @text. */
static bool take_number(struct mathis_asm *a, char *text, size_t size)
{
	struct mathis_span word;

	if (!asm_at_end(a) && *a->p == '"') {
		asm_error(a, ASM_TYPE, "expected a number, found a text");
		return false;
	}
	if (!asm_word(a, &word))
		return false;
	if (word.len >= size) {
		asm_error(a, ASM_SYNTAX, "a number of %u letters", word.len);
		return false;
	}
	memcpy(text, word.data, word.len);
	text[word.len] = 0;
	return true;
}

/* An integer from @min to @max, decimal or 0x; @min is 0 or negative. */
bool asm_int(struct mathis_asm *a, int64_t min, uint64_t max, int64_t *value)
{
	char text[32];
	bool minus;
	char *digits = text;
	char *end;
	uint64_t v;

	if (!take_number(a, text, sizeof(text)))
		return false;
	minus = *digits == '-';
	digits += minus || *digits == '+';
	if (!isdigit((unsigned char)*digits)) {
		asm_error(a, ASM_TYPE, "expected a number, found \"%s\"", text);
		return false;
	}
	errno = 0;
	v = strtoull(digits, &end,
		     digits[0] == '0' && tolower(digits[1]) == 'x' ? 16 : 10);
	if (*end) {
		asm_error(a, ASM_TYPE, "\"%s\" is no whole number", text);
		return false;
	}
	if (errno || (minus ? v > -(uint64_t)min : v > max)) {
		asm_error(a, ASM_TYPE, "%s is out of range", text);
		return false;
	}
	*value = minus ? -v : v;
	return true;
}

/* A number with a fraction, or inf, nan, or bits:0x and its 64 bits. */
bool asm_float(struct mathis_asm *a, double *value)
{
	char text[512];
	char *end;

	if (!take_number(a, text, sizeof(text)))
		return false;
	if (!strcmp(text, "bits")) {
		int64_t bits;

		if (!asm_expect(a, ':') || !asm_int(a, 0, UINT64_MAX, &bits))
			return false;
		memcpy(value, &bits, sizeof(bits));
		return true;
	}
	*value = strtod(text, &end);
	if (*end || end == text) {
		asm_error(a, ASM_TYPE, "\"%s\" is no number", text);
		return false;
	}
	return true;
}

bool asm_bool(struct mathis_asm *a, bool *value)
{
	struct mathis_span word;

	if (!asm_word(a, &word))
		return false;
	*value = asm_is(word, "true");
	if (*value || asm_is(word, "false"))
		return true;
	asm_error(a, ASM_TYPE, "expected true or false");
	return false;
}

/* A call: its number, or its name, also with .result or .future behind it. */
bool asm_call(struct mathis_asm *a, int64_t *value)
{
	static const struct {
		const char *text;
		int bit;
	} ways[] = { { ".result", CALL_RESULT }, { ".future", CALL_FUTURE } };
	struct mathis_span name;
	int bits = 0;

	if (asm_at_end(a) || (*a->p >= '0' && *a->p <= '9'))
		return asm_int(a, 0, UINT16_MAX, value);
	if (!asm_word(a, &name))
		return false;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		size_t n = strlen(ways[i].text);

		if (name.len <= n ||
		    memcmp(name.data + name.len - n, ways[i].text, n))
			continue;
		name.len -= n;
		bits |= ways[i].bit;
	}
	*value = mathis_call_number(name.data, name.len);
	if (*value < 0) {
		asm_error(a, ASM_NAME, "unknown call %.*s", (int)name.len,
			  name.data);
		return false;
	}
	*value |= bits;
	return true;
}
