/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_TYPES_H
#define VDFS_TYPES_H

enum vdfs_metric {
	VDFS_L2, /* squared Euclidean distance */
	VDFS_IP, /* minus the inner product */
	VDFS_COSINE, /* 1 - cosine of the angle */
};

enum vdfs_type {
	VDFS_F32,
	VDFS_I8, /* integers -128..127, kept in one byte */
	VDFS_F16, /* IEEE half precision, up to 65504 */
};

enum vdfs_codes {
	VDFS_CODES_NONE, /* walk on the originals */
	VDFS_CODES_8, /* walk on 8 bits a dimension */
	VDFS_CODES_4,
	VDFS_CODES_1, /* for vectors of a hundred dimensions and more */
	VDFS_CODES_2,
	VDFS_CODES_3,
	VDFS_CODES_KINDS, /* how many there are */
};

#define VDFS_DIM_MAX 8192

#endif /* VDFS_TYPES_H */
