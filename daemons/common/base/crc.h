/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_CRC_H
#define VDFS_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t vdfs_crc32c(uint32_t crc, const void *data, size_t len);

#endif /* VDFS_CRC_H */
