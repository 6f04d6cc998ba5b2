// SPDX-License-Identifier: GPL-2.0-only
/* Items of a collection as JSON files and their attributes. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "view_impl.h"
#include "query_impl.h"

static int inode_key(const struct vdfs_inode *inode, char *key)
{
	return vdfs_key_decode(inode->name, strlen(inode->name), key,
			       VDFS_KEY_MAX + 1);
}

/* As short as it can be and still be the same number when it is read. */
static void print_float(FILE *out, float x)
{
	char text[32];
	int digits;

	for (digits = 6; digits < 10; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtof(text, NULL) == x)
			break;
	}
	fputs(text, out);
}

static void print_vector(FILE *out, const struct vdfs_item *item)
{
	uint32_t i;

	fputc('[', out);
	for (i = 0; i < item->dim; i++) {
		if (i)
			fputs(", ", out);
		print_float(out, item->vector[i]);
	}
	fputc(']', out);
}

/* A key that is no UTF-8 is left out; it is the file's name anyway. */
static void print_key(FILE *out, const char *key)
{
	json_t *value = json_string(key);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	if (text)
		fprintf(out, "\"key\": %s, ", text);
	free(text);
	json_decref(value);
}

static int print_item(void *arg, const struct vdfs_item *item, float dist)
{
	FILE *out = arg;

	(void)dist;
	fputc('{', out);
	print_key(out, item->key);
	fputs("\"vector\": ", out);
	print_vector(out, item);
	fprintf(out, ", \"metadata\": %s}\n", item->metadata);
	return 0;
}

static int print_vector_only(void *arg, const struct vdfs_item *item,
			     float dist)
{
	(void)dist;
	print_vector(arg, item);
	return 0;
}

static int print_f32(void *arg, const struct vdfs_item *item, float dist)
{
	(void)dist;
	fwrite(item->vector, sizeof(float), item->dim, arg);
	return 0;
}

static int print_metadata(void *arg, const struct vdfs_item *item, float dist)
{
	(void)dist;
	fputs(item->metadata, arg);
	return 0;
}

static int item_print(struct vdfs_call *call, struct vdfs_inode *inode,
		      vdfs_item_fn *fn, char **text, size_t *len)
{
	struct vdfs_collection *c;
	char key[VDFS_KEY_MAX + 1];
	int err = inode_key(inode, key);
	FILE *out;

	if (!err)
		err = vdfs_inode_collection_open(call, inode, &c);
	if (err)
		return err;
	*text = NULL;
	out = open_memstream(text, len);
	err = out ? vdfs_collection_get(c, key, fn, out) : -ENOMEM;
	if (out && fclose(out) && !err)
		err = -ENOMEM;
	vdfs_collection_put(c);
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

int vdfs_item_text(struct vdfs_call *call, struct vdfs_inode *inode,
		   char **text, size_t *len)
{
	return item_print(call, inode, print_item, text, len);
}

int vdfs_item_get_attr(struct vdfs_call *call, struct vdfs_inode *inode,
		       const char *attr, char **value, size_t *len)
{
	if (!strcmp(attr, "vector"))
		return item_print(call, inode, print_vector_only, value, len);
	if (!strcmp(attr, "vector.f32"))
		return item_print(call, inode, print_f32, value, len);
	if (!strcmp(attr, "metadata"))
		return item_print(call, inode, print_metadata, value, len);
	return -ENODATA;
}

/* Take the numbers of a JSON array. */
static int get_vector(const json_t *array, float **vector, uint32_t *dim)
{
	size_t n = json_array_size(array), i;

	if (!json_is_array(array) || !n)
		return -EINVAL;
	if (n > VDFS_DIM_MAX)
		return -EMSGSIZE;
	*vector = malloc(n * sizeof(float));
	if (!*vector)
		return -ENOMEM;
	*dim = (uint32_t)n;
	for (i = 0; i < n; i++) {
		const json_t *x = json_array_get(array, i);

		if (!json_is_number(x))
			return -EINVAL;
		(*vector)[i] = (float)json_number_value(x);
	}
	return 0;
}

/* With a vector it is the whole item, without one it is an update. */
static int save_item(struct vdfs_call *call, struct vdfs_inode *inode,
		     const struct vdfs_item *item)
{
	struct vdfs_collection *c;
	int err = vdfs_inode_collection_open(call, inode, &c);

	if (err)
		return err;
	if (item->vector && item->metadata)
		err = vdfs_collection_insert(c, item, 1, VDFS_INSERT_REPLACE,
					     NULL);
	else
		err = vdfs_collection_update(c, item);
	vdfs_collection_put(c);
	return err;
}

static int save_json(struct vdfs_call *call, struct vdfs_inode *inode,
		     const json_t *root)
{
	const json_t *metadata = json_object_get(root, "metadata");
	const json_t *vector = json_object_get(root, "vector");
	const char *named = json_string_value(json_object_get(root, "key"));
	char key[VDFS_KEY_MAX + 1], *text = NULL;
	struct vdfs_item item = { .key = key };
	float *numbers = NULL;
	int err = inode_key(inode, key);

	if (!err && named && strcmp(named, key))
		err = -EINVAL;
	if (!err && vector)
		err = get_vector(vector, &numbers, &item.dim);
	if (!err && metadata) {
		text = json_dumps(metadata, JSON_ENCODE_ANY | JSON_COMPACT);
		err = text ? 0 : -ENOMEM;
	}
	if (!err && !vector && !metadata)
		err = -EINVAL;
	item.vector = numbers;
	item.metadata = text || !vector ? text : "{}";
	if (!err)
		err = save_item(call, inode, &item);
	/* Without a vector there can be no new item. */
	if (err == -ENOENT && !vector)
		err = -EINVAL;
	free(numbers);
	free(text);
	return err;
}

int vdfs_item_save(struct vdfs_call *call, struct vdfs_inode *inode,
		   const char *text, size_t len)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	int err = json_is_object(root) ? save_json(call, inode, root) : -EINVAL;

	json_decref(root);
	return err;
}

static int set_vector(struct vdfs_item *item, const char *value, size_t len)
{
	json_t *array = json_loadb(value, len, 0, NULL);
	float *numbers = NULL;
	int err = get_vector(array, &numbers, &item->dim);

	item->vector = numbers;
	json_decref(array);
	return err;
}

static int set_f32(struct vdfs_item *item, const char *value, size_t len)
{
	float *numbers;

	if (!len || len % sizeof(float))
		return -EINVAL;
	numbers = malloc(len);
	if (!numbers)
		return -ENOMEM;
	memcpy(numbers, value, len);
	item->vector = numbers;
	item->dim = (uint32_t)(len / sizeof(float));
	return 0;
}

int vdfs_item_set_attr(struct vdfs_call *call, struct vdfs_inode *inode,
		       const char *attr, const char *value, size_t len)
{
	char key[VDFS_KEY_MAX + 1], *text = NULL;
	struct vdfs_item item = { .key = key };
	int err = inode_key(inode, key);

	if (!err && !strcmp(attr, "vector")) {
		err = set_vector(&item, value, len);
	} else if (!err && !strcmp(attr, "vector.f32")) {
		err = set_f32(&item, value, len);
	} else if (!err && !strcmp(attr, "metadata")) {
		text = strndup(value, len);
		item.metadata = text;
		err = text ? 0 : -ENOMEM;
	} else if (!err) {
		err = -EPERM;
	}
	if (!err)
		err = save_item(call, inode, &item);
	free((void *)item.vector);
	free(text);
	return err;
}

/* Stops at the first: it is there. */
static int found(void *arg, const struct vdfs_item *item, float dist)
{
	(void)arg;
	(void)item;
	(void)dist;
	return 0;
}

int vdfs_items_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name, struct vdfs_inode **out)
{
	struct vdfs_collection *c;
	char key[VDFS_KEY_MAX + 1], again[3 * VDFS_KEY_MAX + 1];
	int err = vdfs_key_decode(name, strlen(name), key, sizeof(key));

	/* One item has one name. */
	if (err || vdfs_key_encode(key, again, sizeof(again)) ||
	    strcmp(again, name))
		return -ENOENT;
	err = vdfs_inode_collection_open(call, dir, &c);
	if (err)
		return err;
	err = vdfs_collection_get(c, key, found, NULL);
	vdfs_collection_put(c);
	return err ? err :
		     vdfs_inode_find(call, dir, name, VDFS_ITEM, NULL, out);
}

/**
 * struct batch - entries still to be read
 * @listing: Where to.
 * @left: How many more.
 */
struct batch {
	struct vdfs_listing *listing;
	unsigned int left;
};

static int add_item(void *arg, const struct vdfs_item *item, float dist)
{
	struct batch *batch = arg;
	char name[3 * VDFS_KEY_MAX + 1];
	int err;

	(void)dist;
	err = vdfs_key_encode(item->key, name, sizeof(name));
	if (!err)
		err = vdfs_listing_add(batch->listing, name,
				       vdfs_virtual_ino(batch->listing->inode,
							name, 0),
				       S_IFREG);
	if (err)
		return err;
	return --batch->left ? 0 : 1;
}

int vdfs_items_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	struct batch batch = { listing, VDFS_LIST_BATCH };
	const char *last = vdfs_listing_last(listing);
	struct vdfs_collection *c;
	char key[VDFS_KEY_MAX + 1];
	int err = last ? vdfs_key_decode(last, strlen(last), key, sizeof(key)) :
			 0;

	if (!err)
		err = vdfs_inode_collection_open(call, listing->inode, &c);
	if (err)
		return err;
	err = vdfs_collection_walk(c, last ? key : NULL, add_item, &batch);
	vdfs_collection_put(c);
	if (!err)
		listing->done = true;
	return err < 0 ? err : 0;
}

int vdfs_items_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name)
{
	struct vdfs_collection *c;
	char key[VDFS_KEY_MAX + 1];
	int err = vdfs_key_decode(name, strlen(name), key, sizeof(key));

	if (!err)
		err = vdfs_inode_collection_open(call, dir, &c);
	if (err)
		return err;
	err = vdfs_collection_delete(c, key);
	vdfs_collection_put(c);
	return err;
}
