/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_EXPORT_H
#define VDFS_EXPORT_H

#include "import.h"

/**
 * DOC: Export
 *
 * Items to a file, as import.h reads them: .jsonl has all of an item, .fvecs
 * and .npy the vectors alone. An .npy file has to be a file, not a pipe, for
 * how many there are is written at its beginning when the last has come.
 * Beside the errors of write(2):
 *   EINVAL     a format that is not written
 *   EILSEQ     a key that is no UTF-8, which JSON cannot hold
 */

struct vdfs_export;

int vdfs_export_open(int fd, enum vdfs_format format, uint32_t dim,
		     struct vdfs_export **out);
/* For vdfs_collection_walk(), with the export as its argument. */
vdfs_item_fn vdfs_export_item;
/* Writes what is left, then forgets it all, also when that fails. */
int vdfs_export_close(struct vdfs_export *ex);

#endif /* VDFS_EXPORT_H */
