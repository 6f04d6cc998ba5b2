/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_HASH_H
#define VDFS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

struct evp_md_ctx_st;

/**
 * struct vdfs_hash - SHA-256
 * @bytes: As the standard prints them.
 */
struct vdfs_hash {
	uint8_t bytes[32];
};

#define VDFS_HASH_TEXT 65

int vdfs_hash_parse(const char *text, struct vdfs_hash *out);
void vdfs_hash_print(const struct vdfs_hash *hash, char text[VDFS_HASH_TEXT]);

/**
 * struct vdfs_hashing - bytes to be hashed
 * @job: That it is.
 * @ctx: Hash to go on with, for one job at a time; NULL = they are all.
 * @data: Bytes, left alone until it is done.
 * @len: How many.
 * @out: Their hash, without @ctx.
 */
struct vdfs_hashing {
	struct vdfs_job job;
	struct evp_md_ctx_st *ctx;
	const void *data;
	size_t len;
	struct vdfs_hash *out;
};

int vdfs_hash_bytes(const void *data, size_t len, struct vdfs_hash *out);
bool vdfs_hash_equal(const struct vdfs_hash *a, const struct vdfs_hash *b);
struct evp_md_ctx_st *vdfs_hash_new(void);
int vdfs_hash_more(struct evp_md_ctx_st *ctx, const void *data, size_t len);
int vdfs_hash_end(struct evp_md_ctx_st *ctx, struct vdfs_hash *out);
void vdfs_hash_free(struct evp_md_ctx_st *ctx);
int vdfs_hash_job(struct vdfs_job *job);

#endif /* VDFS_HASH_H */
