/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FUSE_QUERY_H
#define VDFS_FUSE_QUERY_H

#include "collection/collection.h"
#include "names/names.h"

#define VDFS_EF_MAX 1000000
/* Enough for an option that is as long as a name can be, and its rule. */
#define VDFS_QUERY_WHY_MAX 1280

/**
 * struct vdfs_ask - a search as the name of a directory
 * @k: Answers wanted; 10 if not said.
 * @ef: See struct vdfs_search.
 * @recall: See there.
 * @key: Look for what is near this item, which is not among the answers
 *       itself; "" = not so.
 * @from: Look for what is near the f32 numbers in this file below /names;
 *        "" = not so.
 * @vector: Look for what is near this; NULL = not so.
 * @dim: Its length.
 * @filter: JSON text, NULL = none.
 * @bad: The option that is wrong, in the name; NULL = none, or one is missing.
 * @bad_len: Its length.
 * @twice: It is wrong because of one before it.
 *
 *   QUERY  = option *( "," option )
 *   option = "k=" N | "ef=" N | "recall=" X
 *          | "key=" TEXT | "vector=" X *( ";" X ) | "from=" TEXT
 *          | "filter=" JSON
 *
 * One of key, vector and from is there, and nothing twice. A filter is the
 * last option and has the rest of the name, commas and all. In TEXT and JSON
 * %XX stands for a byte: %2F for a slash, %25 for a percent sign, %2C for a
 * comma in TEXT.
 */
struct vdfs_ask {
	uint32_t k;
	uint32_t ef;
	float recall;
	char key[VDFS_KEY_MAX + 1];
	char from[VDFS_PATH_MAX + 1];
	float *vector;
	uint32_t dim;
	char *filter;
	const char *bad;
	size_t bad_len;
	bool twice;
};

int vdfs_key_encode(const char *key, char *name, size_t room);
int vdfs_key_decode(const char *name, size_t len, char *key, size_t room);
int vdfs_ask_parse(const char *query, struct vdfs_ask *ask);
void vdfs_ask_fini(struct vdfs_ask *ask);

/* why.c */
int vdfs_query_why(const char *query, char *why, size_t room);

#endif /* VDFS_FUSE_QUERY_H */
