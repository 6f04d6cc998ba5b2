/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_CHUNK_H
#define VDFS_CHUNK_H

#include <stddef.h>
#include <stdint.h>

size_t vdfs_chunk_cut(const uint8_t *data, size_t len);
#define VDFS_CHUNK_MAX ((size_t)256 << 10)

#endif /* VDFS_CHUNK_H */
