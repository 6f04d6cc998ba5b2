// SPDX-License-Identifier: GPL-2.0-only
#include "hex.h"

#define KEEP_MAX 4096

static void *kept[KEEP_MAX];
static size_t n_kept;

static char *keep(size_t n)
{
	char *p = malloc(n + 1);

	if (!p || n_kept == KEEP_MAX)
		abort();
	kept[n_kept++] = p;
	return p;
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

struct mathis_item hex_bytes(const char *const *digits)
{
	size_t n = 0;
	char *p;

	for (int i = 0; digits[i]; i++)
		n += strlen(digits[i]) / 2;
	p = keep(n);
	for (n = 0; *digits; digits++) {
		for (const char *d = *digits; *d; d += 2)
			p[n++] = (char)(digit(d[0]) << 4 | digit(d[1]));
	}
	return BYTES(p, n);
}

struct mathis_item hex_repeat(int byte, size_t n)
{
	char *p = keep(n);

	memset(p, byte, n);
	return BYTES(p, n);
}

void hex_free(void)
{
	while (n_kept)
		free(kept[--n_kept]);
}

bool hex_are(const struct mathis_item *item, const char *const *digits)
{
	struct mathis_item want = hex_bytes(digits);

	return hex_same(item, &want);
}

bool hex_same(const struct mathis_item *a, const struct mathis_item *b)
{
	return a->n == b->n && !memcmp(a->text, b->text, a->n);
}

struct mathis_item hex_keep(const struct mathis_item *item)
{
	struct mathis_item copy = *item;
	char *p = keep(item->n);

	memcpy(p, item->text, item->n);
	copy.text = p;
	return copy;
}

struct mathis_item hex_part(unsigned int i)
{
	struct mathis_item *item = &RESULT.items[i];

	if (RESULT.kind != MATHIS_TUPLE || i >= RESULT.n)
		abort();
	return item->kind == MATHIS_BYTES ? hex_keep(item) : *item;
}

struct mathis_item hex_load(struct dispatch *d, const char *name)
{
	if (CALL(d, "io_read_file_bin", STR(name)))
		abort();
	return hex_keep(&RESULT);
}

void hex_save(struct dispatch *d, const char *name, struct mathis_item data)
{
	if (CALL(d, "io_write_file_bin", STR(name), data))
		abort();
}
