/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_DISPATCH_RECORD_H
#define VDFSD_DISPATCH_RECORD_H

#include <phi/vdfs_wire.h>
#include <stddef.h>

#include "collection/collection.h"

int vdfsd_record_read(char *at, size_t len, struct vdfs_item *item,
		      size_t *bytes);
int vdfsd_records_read(char *data, size_t len, struct vdfs_item **out,
		       size_t *n);

#endif /* VDFSD_DISPATCH_RECORD_H */
