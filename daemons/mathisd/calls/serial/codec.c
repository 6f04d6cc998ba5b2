// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1324 to 0x1327, 0x132A and 0x132B: bytes as text, in base64 (RFC 4648), hex
 * and percents (RFC 3986).
 */
#include "serial.h"

static const char plain[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char safe[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int md_base64_encode(struct md_call *c)
{
	const unsigned char *p = (const unsigned char *)c->args[0].text;
	const char *digits = c->args[1].i ? safe : plain;
	size_t n = c->args[0].n, made = 0;
	char *out = md_alloc(c, (n + 2) / 3 * 4 + 1);

	if (!out)
		return MD_FAILED;
	for (size_t i = 0; i < n; i += 3) {
		size_t some = n - i < 3 ? n - i : 3;
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < some ? p[i + k] : 0);
		for (size_t k = 0; k < 4; k++) {
			if (k <= some)
				out[made++] = digits[bits >> (18 - 6 * k) & 63];
			else if (digits == plain)
				out[made++] = '=';
		}
	}
	return md_return_own(c, MATHIS_STR, out, made);
}

static int bad_at(struct md_call *c, size_t at, const char *text)
{
	md_detail(c, "offset", mathis_item_int((int64_t)at));
	return md_fail(c, MATHIS_FORMAT, "byte %zu: %s", at, text);
}

int md_base64_decode(struct md_call *c)
{
	const char *p = c->args[0].text, *digits = c->args[1].i ? safe : plain;
	size_t n = c->args[0].n, made = 0, i;
	char *out = md_alloc(c, n / 4 * 3 + 3);
	uint32_t bits = 0;

	if (!out)
		return MD_FAILED;
	/* Padding, which the URL's alphabet does without. */
	if (n && n % 4 == 0 && p[n - 1] == '=')
		n -= p[n - 2] == '=' ? 2 : 1;
	else if (digits == plain && n % 4)
		return bad_at(c, n, "it ends too early");
	for (i = 0; i < n; i++) {
		const char *digit = p[i] ? strchr(digits, p[i]) : NULL;

		if (!digit)
			return bad_at(c, i, "this is no digit of base64");
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (i % 4)
			out[made++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	if (n % 4 == 1 || (n % 4 && (bits & (n % 4 == 2 ? 15 : 3))))
		return bad_at(c, n - 1, "bits are left at the end");
	return md_return_own(c, MATHIS_BYTES, out, made);
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int md_hex_encode(struct md_call *c)
{
	size_t n = c->args[0].n;
	char *out = md_alloc(c, n * 2 + 1);

	if (!out)
		return MD_FAILED;
	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)c->args[0].text[i];

		out[2 * i] = "0123456789abcdef"[b >> 4];
		out[2 * i + 1] = "0123456789abcdef"[b & 15];
	}
	return md_return_own(c, MATHIS_STR, out, n * 2);
}

int md_hex_decode(struct md_call *c)
{
	const char *p = c->args[0].text;
	size_t n = c->args[0].n;
	char *out = md_alloc(c, n / 2 + 1);

	if (!out)
		return MD_FAILED;
	if (n % 2)
		return bad_at(c, n, "half of a byte is missing");
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return bad_at(c, i, "this is no digit of hex");
		out[i / 2] = (char)(i % 2 ? out[i / 2] | digit : digit << 4);
	}
	return md_return_own(c, MATHIS_BYTES, out, n / 2);
}

int md_url_encode(struct md_call *c)
{
	static const char stay[] = "-._~";
	size_t n = c->args[0].n, made = 0;
	char *out = md_alloc(c, n * 3 + 1);

	if (!out)
		return MD_FAILED;
	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)c->args[0].text[i];

		if (b < 0x80 && (memchr(plain, b, 62) || memchr(stay, b, 4))) {
			out[made++] = (char)b;
			continue;
		}
		out[made++] = '%';
		out[made++] = "0123456789ABCDEF"[b >> 4];
		out[made++] = "0123456789ABCDEF"[b & 15];
	}
	return md_return_own(c, MATHIS_STR, out, made);
}

int md_url_decode(struct md_call *c)
{
	const char *p = c->args[0].text;
	size_t n = c->args[0].n, made = 0;
	char *out = md_alloc(c, n + 1);

	if (!out)
		return MD_FAILED;
	for (size_t i = 0; i < n; i++) {
		int high, low;

		if (p[i] == '+' && c->args[1].i) {
			out[made++] = ' ';
			continue;
		}
		if (p[i] != '%') {
			out[made++] = p[i];
			continue;
		}
		high = n - i > 2 ? hex_digit(p[i + 1]) : -1;
		low = high >= 0 ? hex_digit(p[i + 2]) : -1;
		if (low < 0)
			return bad_at(c, i, "two digits belong behind %");
		out[made++] = (char)(high << 4 | low);
		i += 2;
	}
	return md_return_own(c, MATHIS_BYTES, out, made);
}
