// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzes the reader of items off the wire: what it accepts lies within. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/vdfsd/serve/record_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *data, size_t size, const struct vdfs_item *item)
{
	const char *end = data + size;
	size_t len = strlen(item->key);

	if (!len || item->key < data || item->key + len >= end)
		abort();
	if (!item->dim != !item->vector ||
	    (item->vector &&
	     ((const char *)item->vector < data ||
	      (const char *)(item->vector + item->dim) > item->key)))
		abort();
	if (item->metadata && (!item->metadata[0] ||
			       item->metadata + strlen(item->metadata) >= end))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ?: 1);
	struct vdfs_item *items = NULL;
	size_t n = 0, i;

	if (!copy)
		abort();
	/* Of its exact length, so that nobody looks behind it unseen. */
	memcpy(copy, data, size);
	if (!vdfsd_records_read(copy, size, &items, &n)) {
		for (i = 0; i < n; i++)
			check(copy, size, &items[i]);
		free(items);
	}
	free(copy);
	return 0;
}
