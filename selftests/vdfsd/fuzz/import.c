// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the importers: the first byte says which format, the rest is the
 * file. What they give is what items may be, however the file ends.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/phi/vectors/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vdfs_import *im, const struct vdfs_item *item)
{
	size_t len = strlen(item->key);
	uint32_t i;

	if (!len || len > VDFS_KEY_MAX)
		abort();
	if (!item->dim || item->dim > VDFS_DIM_MAX ||
	    item->dim != vdfs_import_dim(im))
		abort();
	for (i = 0; i < item->dim; i++) {
		if (!isfinite(item->vector[i]))
			abort();
	}
	if (item->metadata && strlen(item->metadata) > VDFS_METADATA_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vdfs_import_options options = {};
	const struct vdfs_item *items;
	struct vdfs_import *im;
	size_t n, i;
	int fd, ret;

	if (!size)
		return 0;
	options.format = data[0] % (VDFS_FORMAT_JSONL + 1);
	options.unique = data[0] & 0x80;
	fd = memfd_create("import", 0);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1 ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	ret = vdfs_import_open(fd, &options, &im);
	while (!ret) {
		ret = vdfs_import_next(im, &items, &n);
		if (ret || !n)
			break;
		for (i = 0; i < n; i++)
			check(im, &items[i]);
	}
	if (ret && im && !vdfs_import_why(im))
		abort();
	vdfs_import_close(im);
	close(fd);
	return 0;
}
