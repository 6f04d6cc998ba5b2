// SPDX-License-Identifier: GPL-2.0-only
/* Keys and searches as file names; see query_impl.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query_impl.h"

#define K_DEFAULT 10

/**
 * vdfs_key_encode() - a key as a file name
 * @key: Key.
 * @name: Out: the key with %XX for slash, percent and a leading dot.
 * @room: Of @name, VDFS_KEY_MAX * 3 + 1 is enough.
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int vdfs_key_encode(const char *key, char *name, size_t room)
{
	size_t at = 0, i;

	for (i = 0; key[i]; i++) {
		bool plain = key[i] != '/' && key[i] != '%' &&
			     (i || key[i] != '.');

		if (at + (plain ? 1 : 3) >= room)
			return -ENAMETOOLONG;
		if (plain)
			name[at++] = key[i];
		else
			at += (size_t)sprintf(name + at, "%%%02X",
					      (unsigned char)key[i]);
	}
	name[at] = '\0';
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/**
 * vdfs_key_decode() - undo %XX
 * @name: Text.
 * @len: Bytes of it.
 * @key: Out.
 * @room: Of @key.
 *
 * Return: 0, -EINVAL for a percent sign without a number or with that of
 * NUL, or nothing at all; -ENAMETOOLONG.
 */
int vdfs_key_decode(const char *name, size_t len, char *key, size_t room)
{
	size_t at = 0, i;

	for (i = 0; i < len; i++) {
		int c = (unsigned char)name[i];

		if (c == '%') {
			int high = i + 2 < len ? hex(name[i + 1]) : -1;
			int low = high >= 0 ? hex(name[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = high * 16 + low;
			i += 2;
		}
		if (!c)
			return -EINVAL;
		if (at + 1 >= room)
			return -ENAMETOOLONG;
		key[at++] = (char)c;
	}
	key[at] = '\0';
	return at ? 0 : -EINVAL;
}

static int parse_number(const char *text, size_t len, uint32_t max,
			uint32_t *out)
{
	uint64_t n = 0;
	size_t i;

	if (!len || len > 9)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (!n || n > max)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

/* One finite decimal number that ends at @end. */
static int parse_float(const char *text, const char *end, float *out)
{
	char *stop;

	/* strtof() takes blanks, hexadecimal numbers and words as well. */
	if (text + strspn(text, "+-.0123456789eE") < end || text == end)
		return -EINVAL;
	*out = strtof(text, &stop);
	return stop == end && isfinite(*out) ? 0 : -EINVAL;
}

static int parse_vector(const char *text, size_t len, struct vdfs_ask *ask)
{
	const char *end = text + len, *stop;
	uint32_t room = 1;
	size_t i;
	int err = 0;

	for (i = 0; i < len; i++)
		room += text[i] == ';';
	if (room > VDFS_DIM_MAX)
		return -EMSGSIZE;
	ask->vector = calloc(room, sizeof(float));
	if (!ask->vector)
		return -ENOMEM;
	while (!err && ask->dim < room) {
		stop = memchr(text, ';', (size_t)(end - text));
		err = parse_float(text, stop ? stop : end,
				  &ask->vector[ask->dim++]);
		if (stop)
			text = stop + 1;
	}
	return err;
}

static int parse_filter(const char *text, size_t len, struct vdfs_ask *ask)
{
	ask->filter = malloc(len + 1);
	if (!ask->filter)
		return -ENOMEM;
	return vdfs_key_decode(text, len, ask->filter, len + 1);
}

/* Is this the option? Then skip its name. */
static bool is(const char *name, const char **at, size_t *len)
{
	size_t n = strlen(name);

	if (*len < n || memcmp(*at, name, n))
		return false;
	*at += n;
	*len -= n;
	return true;
}

/* Whether there is an option of this name already, or one that excludes it. */
static bool comes_twice(const struct vdfs_ask *ask, const char *at, size_t len)
{
	bool place = ask->key[0] || ask->from[0] || ask->vector;

	return (ask->k && is("k=", &at, &len)) ||
	       (ask->ef && is("ef=", &at, &len)) ||
	       (ask->recall != 0 && is("recall=", &at, &len)) ||
	       (place && (is("key=", &at, &len) || is("from=", &at, &len) ||
			  is("vector=", &at, &len)));
}

static int parse_option(const char *at, size_t len, struct vdfs_ask *ask)
{
	ask->twice = comes_twice(ask, at, len);
	if (ask->twice)
		return -EINVAL;
	if (is("k=", &at, &len))
		return parse_number(at, len, VDFS_K_MAX, &ask->k);
	if (is("ef=", &at, &len))
		return parse_number(at, len, VDFS_EF_MAX, &ask->ef);
	if (is("recall=", &at, &len)) {
		int err = parse_float(at, at + len, &ask->recall);

		if (err || ask->recall <= 0 || ask->recall > 1)
			return -EINVAL;
		return 0;
	}
	if (is("key=", &at, &len))
		return vdfs_key_decode(at, len, ask->key, sizeof(ask->key));
	if (is("from=", &at, &len))
		return vdfs_key_decode(at, len, ask->from, sizeof(ask->from));
	if (is("vector=", &at, &len))
		return parse_vector(at, len, ask);
	return -EINVAL;
}

/**
 * vdfs_ask_parse() - understand the name of a search
 * @query: The name.
 * @ask: Out; vdfs_ask_fini() is due when this succeeds, else @bad says which
 *       option is wrong.
 *
 * Return: 0, -EINVAL, -EMSGSIZE for too long a vector, -ENAMETOOLONG for a
 * key or path, or -ENOMEM.
 */
int vdfs_ask_parse(const char *query, struct vdfs_ask *ask)
{
	const char *at = query;
	int err = 0;

	memset(ask, 0, sizeof(*ask));
	while (!err && at) {
		size_t len = strlen(at);
		const char *comma;

		ask->bad = at;
		ask->bad_len = len;
		if (is("filter=", &at, &len)) {
			err = parse_filter(at, len, ask);
			break;
		}
		comma = strchr(at, ',');
		if (comma)
			ask->bad_len = (size_t)(comma - at);
		err = parse_option(at, ask->bad_len, ask);
		at = comma ? comma + 1 : NULL;
	}
	if (!err)
		ask->bad = NULL;
	if (!err && !ask->key[0] && !ask->from[0] && !ask->vector)
		err = -EINVAL;
	if (!ask->k)
		ask->k = K_DEFAULT;
	if (err)
		vdfs_ask_fini(ask);
	return err;
}

/**
 * vdfs_ask_fini() - free what belongs to a search
 * @ask: Which.
 */
void vdfs_ask_fini(struct vdfs_ask *ask)
{
	free(ask->vector);
	free(ask->filter);
	ask->vector = NULL;
	ask->filter = NULL;
}
