// SPDX-License-Identifier: GPL-2.0-only
/* Collections: items, and searching for them. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "out_tree.h"
#include "vdfs_cli.h"

#define VECTOR_MAX (1U << 20)
#define DIM_MAX 8192
#define SHOWN_MAX 4

static int parse_text(const struct args *args, char *text, float *vector,
		      uint32_t *dim)
{
	char *end;

	for (*dim = 0;; text = end) {
		text += strspn(text, " \t\r\n,;[]");
		if (!*text)
			break;
		if (*dim == DIM_MAX)
			return usage_error(args, "more than %d elements",
					   DIM_MAX);
		vector[*dim] = strtof(text, &end);
		if (end == text)
			return usage_error(args, "'%.20s' is no number", text);
		++*dim;
	}
	return EXIT_OK;
}

/* A file of numbers as text, or of f32 as they are. */
static int read_vector(const struct args *args, const char *path, float *vector,
		       uint32_t *dim)
{
	void *data;
	size_t len;
	char *text;
	int ret;

	ret = read_file(path, VECTOR_MAX, &data, &len);
	if (ret)
		return fail_because(NULL, strerror(-ret), "read %s", path);
	text = must(strndup(data, len));
	if (strspn(text, "0123456789+-.eE \t\r\n,;[]naifNAIF") == len) {
		ret = parse_text(args, text, vector, dim);
	} else if (len % sizeof(float) || len / sizeof(float) > DIM_MAX) {
		ret = usage_error(
			args, "%s holds neither numbers nor f32, %d at most",
			path, DIM_MAX);
	} else {
		memcpy(vector, data, len);
		*dim = (uint32_t)(len / sizeof(float));
	}
	free(text);
	free(data);
	return ret;
}

static int collection_vector(const struct args *args, const char *text,
			     float **vector, uint32_t *dim)
{
	float *v = must(malloc(DIM_MAX * sizeof(*v)));
	char *copy;
	int ret;

	if (*text == '@') {
		ret = read_vector(args, text + 1, v, dim);
	} else {
		copy = must(strdup(text));
		ret = parse_text(args, copy, v, dim);
		free(copy);
	}
	if (!ret && !*dim)
		ret = usage_error(args, "a vector has at least one element");
	if (ret)
		free(v);
	else
		*vector = v;
	return ret;
}

int collection_insert(struct args *args)
{
	unsigned int flags = args_option(args, "replace") ? PHI_VDFS_REPLACE :
							    0;
	struct phi_vdfs_item item = { .key = args->operand[1] };
	struct phi_vdfs *v;
	float *vector;
	uint64_t id;
	int ret;

	if (collection_vector(args, args->operand[2], &vector, &item.dim))
		return EXIT_FAILED;
	item.vector = vector;
	item.metadata = args_option(args, "metadata");
	ret = collection_begin(args, 0, &v, &id, NULL);
	if (!ret) {
		ret = phi_vdfs_collection_insert(v, id, &item, 1, flags, NULL);
		phi_vdfs_close(v);
		if (ret == -EEXIST)
			ret = fail_because("--replace gives it the new item",
					   "the key is taken", "insert %s",
					   item.key);
		else if (ret)
			ret = vdfs_fail_at(ret, &wrong_item,
					   "insert %s into %s", item.key,
					   args->operand[0]);
	}
	free(vector);
	return ret;
}

int collection_update(struct args *args)
{
	const char *text = args_option(args, "vector");
	struct phi_vdfs_item item = { .key = args->operand[1] };
	struct phi_vdfs *v;
	float *vector = NULL;
	uint64_t id;
	int ret;

	item.metadata = args_option(args, "metadata");
	if (!text && !item.metadata)
		return usage_error(args, "give --vector, --metadata or both");
	if (text && collection_vector(args, text, &vector, &item.dim))
		return EXIT_FAILED;
	item.vector = vector;
	ret = collection_begin(args, 0, &v, &id, NULL);
	if (!ret) {
		ret = phi_vdfs_collection_update(v, id, &item);
		phi_vdfs_close(v);
		if (ret)
			ret = vdfs_fail_at(ret, &wrong_item, "update %s in %s",
					   item.key, args->operand[0]);
	}
	free(vector);
	return ret;
}

int collection_delete(struct args *args)
{
	struct phi_vdfs *v;
	uint64_t id;
	int ret, i;

	ret = collection_begin(args, 0, &v, &id, NULL);
	if (ret)
		return ret;
	for (i = 1; i < args->n && !ret; i++) {
		ret = phi_vdfs_collection_delete(v, id, args->operand[i]);
		if (ret)
			ret = vdfs_fail_at(ret, &wrong_key, "delete %s from %s",
					   args->operand[i], args->operand[0]);
	}
	phi_vdfs_close(v);
	return ret;
}

static void out_vector(const float *vector, uint32_t dim)
{
	json_t *list = must(json_array());
	char text[SHOWN_MAX * 16 + 8];
	size_t used = 0;
	uint32_t i;

	for (i = 0; i < dim; i++) {
		json_array_append_new(list, json_real((double)vector[i]));
		if (i < SHOWN_MAX)
			used += (size_t)snprintf(text + used,
						 sizeof(text) - used, "%s%.5g",
						 i ? "," : "",
						 (double)vector[i]);
	}
	snprintf(text + used, sizeof(text) - used, "%s",
		 dim > SHOWN_MAX ? ",..." : "");
	out_value("vector", list, text);
}

static void out_metadata(const char *metadata)
{
	json_t *json = json_loads(metadata, 0, NULL);

	if (json)
		out_value("metadata", json, metadata);
	else
		out_str("metadata", metadata);
}

/* Fields of items to print. */
struct show {
	bool ranked;
	bool vectors;
	bool metadata;
};

static int print_item(void *arg, const struct phi_vdfs_item *item,
		      uint32_t query, float dist)
{
	const struct show *show = arg;

	(void)query;
	out_row();
	out_str("key", item->key);
	if (show->ranked)
		out_real("distance", (double)dist, 6);
	if (show->vectors && item->vector)
		out_vector(item->vector, item->dim);
	if (show->metadata)
		out_metadata(item->metadata ? item->metadata : "{}");
	out_close();
	return 0;
}

static int print_one(void *arg, const struct phi_vdfs_item *item,
		     uint32_t query, float dist)
{
	(void)arg;
	(void)query;
	(void)dist;
	out_str("key", item->key);
	out_vector(item->vector, item->dim);
	out_metadata(item->metadata ? item->metadata : "{}");
	return 0;
}

int collection_get(struct args *args)
{
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, PHI_VDFS_OPEN_READ, &v, &id, NULL);
	if (ret)
		return ret;
	ret = phi_vdfs_collection_get(v, id, args->operand[1], print_one, NULL);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail_at(ret, &wrong_key, "read %s of %s",
				    args->operand[1], args->operand[0]);
	return out_end();
}

static uint32_t show_options(const struct args *args, struct show *show)
{
	show->vectors = args_option(args, "vectors");
	show->metadata = args_option(args, "metadata");
	return (show->vectors ? PHI_VDFS_VECTORS : 0) |
	       (show->metadata ? PHI_VDFS_METADATA : 0);
}

int collection_items(struct args *args)
{
	struct show show = { .ranked = false };
	uint32_t want = show_options(args, &show);
	struct phi_vdfs *v;
	uint64_t id;
	int ret;

	ret = collection_begin(args, PHI_VDFS_OPEN_READ, &v, &id, NULL);
	if (ret)
		return ret;
	out_table("items", "no items");
	ret = phi_vdfs_collection_walk(v, id, want, print_item, &show);
	phi_vdfs_close(v);
	if (ret)
		return vdfs_fail(ret, "read the items of %s", args->operand[0]);
	out_close();
	return out_end();
}

/* A vector that is kept beyond the answer it came with. */
struct kept {
	float *vector;
	uint32_t dim;
};

static int keep_vector(void *arg, const struct phi_vdfs_item *item,
		       uint32_t query, float dist)
{
	struct kept *kept = arg;

	(void)query;
	(void)dist;
	if (!item->dim)
		return -EPROTO;
	kept->vector = must(malloc(item->dim * sizeof(float)));
	memcpy(kept->vector, item->vector, item->dim * sizeof(float));
	kept->dim = item->dim;
	return 0;
}

/* Find the vector of a search: the one given, or that of an item. */
static int find_vector(struct phi_vdfs *v, uint64_t id, const struct args *args,
		       struct kept *kept)
{
	const char *key = args_option(args, "key");
	int ret;

	if (!key)
		return collection_vector(args, args->operand[1], &kept->vector,
					 &kept->dim);
	ret = phi_vdfs_collection_get(v, id, key, keep_vector, kept);
	return ret ? vdfs_fail_at(ret, &wrong_key, "read %s of %s", key,
				  args->operand[0]) :
		     EXIT_OK;
}

static int find_nearest(struct phi_vdfs *v, uint64_t id,
			const struct args *args, struct phi_vdfs_search *s,
			const struct show *show)
{
	char why[PHI_VDFS_WHY_MAX];
	struct kept kept = { 0 };
	int ret;

	s->why = why;
	ret = find_vector(v, id, args, &kept);
	if (ret)
		return ret;
	s->vectors = kept.vector;
	s->dim = kept.dim;
	s->n = 1;
	out_table("items", "nothing found");
	ret = phi_vdfs_collection_search(v, id, s, print_item, (void *)show);
	free(kept.vector);
	if (ret == -EINVAL && *why)
		return fail_because(
			"a filter is JSON: {\"field\": {\"$gt\": 3}}; vdfsd(8) lists the operators",
			why, "search in %s with that --filter",
			args->operand[0]);
	if (ret == -EINVAL)
		return fail_because(
			"--k is 1 to 10000, --ef 0 to 1000000, --recall above 0 to 1",
			"a number is out of range", "search in %s",
			args->operand[0]);
	if (ret)
		return vdfs_fail(ret, "search in %s", args->operand[0]);
	out_close();
	return out_end();
}

int collection_search(struct args *args)
{
	struct phi_vdfs_search s = { .k = 10 };
	const char *recall = args_option(args, "recall");
	struct show show = { .ranked = true };
	struct phi_vdfs_params params;
	struct phi_vdfs *v;
	bool by_vector;
	uint64_t id;
	char *end;
	int ret;

	by_vector = args->n > 1;
	if (by_vector == !!args_option(args, "key"))
		return usage_error(args, "give a VECTOR or --key KEY");
	if (option_u32(args, "k", 10000, &s.k) ||
	    option_u32(args, "ef", 1000000, &s.ef))
		return EXIT_USAGE;
	if (!s.k)
		return usage_error(args,
				   "--k 0 asks for nothing; it is 1 to 10000");
	if (recall) {
		s.recall = strtof(recall, &end);
		if (end == recall || *end || !(s.recall > 0 && s.recall <= 1))
			return usage_error(args, "a recall is above 0 to 1");
	}
	s.filter = args_option(args, "filter");
	s.want = show_options(args, &show);
	ret = collection_begin(args, PHI_VDFS_OPEN_READ, &v, &id, &params);
	if (ret)
		return ret;
	ret = find_nearest(v, id, args, &s, &show);
	phi_vdfs_close(v);
	return ret;
}
