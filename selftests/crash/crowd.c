// SPDX-License-Identifier: GPL-2.0-only
/* What a crowd changes, and how the result is read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

#define DIM 8
#define NAME "crowd"

static size_t size_of(unsigned long version)
{
	static const size_t sizes[] = { 0,     10,    500,     4096,  9000,
					65536, 70000, 1200000, 20000, 3000 };

	return sizes[version * 7 % 10] + version % 10;
}

static void vector_of(float v[DIM], unsigned long version)
{
	int i;

	for (i = 0; i < DIM; i++)
		v[i] = (float)(version >> (i * 4) & 15) + 1;
}

/**
 * crowd_create() - make what a crowd needs
 * @w: An open store.
 *
 * Return: 0 or -errno.
 */
int crowd_create(struct work *w)
{
	const struct vdfs_collection_params params = {
		.dim = DIM, .mode = VDFS_COLLECTION_MODE
	};

	return vdfs_collection_create(w->db, &work_who, NAME, &params);
}

static int change_item(struct work *w, const char *key, unsigned long version)
{
	struct vdfs_item item = { .key = key, .dim = DIM };
	struct vdfs_collection *c;
	float v[DIM];
	int ret;

	ret = vdfs_collection_open(w->db, &work_who, NAME, NULL, NULL, &c);
	if (ret)
		return ret;
	vector_of(v, version);
	item.vector = v;
	if (version)
		ret = vdfs_collection_insert(c, &item, 1, VDFS_INSERT_REPLACE,
					     NULL);
	else
		ret = vdfs_collection_delete(c, key);
	vdfs_collection_put(c);
	return ret;
}

/**
 * crowd_change() - change what a place holds
 * @w: An open store.
 * @thread: Whose place.
 * @place: Which.
 * @version: Of the new content.
 *
 * Return: 0 or -errno.
 */
int crowd_change(struct work *w, int thread, int place, unsigned long version)
{
	char name[64];
	struct step put = { .a = name,
			    .size = size_of(version),
			    .seed = (unsigned int)version,
			    .flags = version & 1 ? VDFS_PUT_WHOLE : 0 };
	int ret;

	snprintf(name, sizeof(name), "t%d/p%d", thread, place);
	if (place >= CROWD_PLACES - CROWD_ITEMS)
		return change_item(w, name, version);
	if (version)
		return work_put(w, &put);
	ret = vdfs_name_unlink(w->store, &work_who, name);
	return ret == -ENOENT ? 0 : ret;
}

/**
 * struct found - an item that was looked up
 * @want: What its vector is to be.
 * @same: It is.
 */
struct found {
	float want[DIM];
	bool same;
};

static int look(void *arg, const struct vdfs_item *item, float dist)
{
	struct found *found = arg;

	(void)dist;
	found->same = item->dim == DIM &&
		      !memcmp(item->vector, found->want, sizeof(found->want));
	return 0;
}

static int item_holds(struct work *w, const char *key, unsigned long version)
{
	struct found found = {};
	struct vdfs_collection *c;
	int ret;

	ret = vdfs_collection_open(w->db, &work_who, NAME, NULL, NULL, &c);
	if (ret)
		return ret == -ENOENT ? !version : ret;
	vector_of(found.want, version);
	ret = vdfs_collection_get(c, key, look, &found);
	vdfs_collection_put(c);
	if (ret == -ENOENT)
		return !version;
	return ret ? ret : version && found.same;
}

/**
 * crowd_holds() - whether a place holds a version, whole
 * @w: An open store.
 * @thread: Whose place.
 * @place: Which.
 * @version: Version.
 *
 * Return: 1 if so, 0 if not, or -errno.
 */
int crowd_holds(struct work *w, int thread, int place, unsigned long version)
{
	size_t size = size_of(version);
	struct vdfs_blob *blob;
	struct vdfs_stat st;
	char name[64], *data;
	ssize_t n;
	int ret;

	snprintf(name, sizeof(name), "t%d/p%d", thread, place);
	if (place >= CROWD_PLACES - CROWD_ITEMS)
		return item_holds(w, name, version);
	ret = vdfs_name_stat(w->store, &work_who, name, &st);
	if (ret == -ENOENT)
		return !version;
	if (ret || !version || st.size != size)
		return ret;
	ret = vdfs_blob_open(w->store, &work_who, &st.hash, &blob);
	if (ret)
		return ret;
	data = malloc(2 * size + 1);
	if (!data)
		abort();
	work_fill(data, size, (unsigned int)version);
	n = vdfs_blob_read(blob, data + size, size, 0);
	ret = n < 0 ? (int)n :
		      (size_t)n == size && !memcmp(data, data + size, size);
	free(data);
	vdfs_blob_close(blob);
	return ret;
}
