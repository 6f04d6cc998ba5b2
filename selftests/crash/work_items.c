// SPDX-License-Identifier: GPL-2.0-only
/* Steps on collections. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

#define DIM 8
#define ITEMS_MAX 8
#define THINGS "things"

/**
 * struct dump - a collection being written as text
 * @c: It.
 * @out: Where to.
 * @hit: Key of the nearest to the vector that was searched for.
 */
struct dump {
	struct vdfs_collection *c;
	FILE *out;
	char hit[VDFS_KEY_MAX + 1];
};

static void vector(float v[DIM], unsigned int seed, size_t i)
{
	unsigned char bytes[DIM];
	int j;

	work_fill((char *)bytes, DIM, seed * 100 + (unsigned int)i);
	for (j = 0; j < DIM; j++)
		v[j] = bytes[j];
}

static int get(struct work *w, const char *name, struct vdfs_collection **out)
{
	return vdfs_collection_open(w->db, &work_who, name, NULL, NULL, out);
}

/**
 * work_create() - make a collection
 * @w: Work.
 * @s: Step: name a.
 *
 * Return: 0 or -errno.
 */
int work_create(struct work *w, const struct step *s)
{
	struct vdfs_collection_params params = { .dim = DIM,
						 .mode = VDFS_COLLECTION_MODE };

	return vdfs_collection_create(w->db, &work_who, s->a, &params);
}

/**
 * work_insert() - insert some items, all or none
 * @w: Work.
 * @s: Step: their keys begin with a; how many, seed of vectors, flags of
 *     vdfs_collection_insert().
 *
 * Return: 0 or -errno.
 */
int work_insert(struct work *w, const struct step *s)
{
	struct vdfs_item list[ITEMS_MAX] = {};
	float vectors[ITEMS_MAX][DIM];
	char keys[ITEMS_MAX][16], metadata[64];
	struct vdfs_collection *c;
	size_t i;
	int ret = get(w, THINGS, &c);

	if (ret)
		return ret;
	snprintf(metadata, sizeof(metadata), "{\"seed\":%u}", s->seed);
	for (i = 0; i < s->size && i < ITEMS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%s%zu", s->a, i);
		vector(vectors[i], s->seed, i);
		list[i].key = keys[i];
		list[i].vector = vectors[i];
		list[i].dim = DIM;
		list[i].metadata = metadata;
	}
	ret = vdfs_collection_insert(c, list, i, s->flags, NULL);
	vdfs_collection_put(c);
	return ret;
}

/**
 * work_update() - give an item another vector
 * @w: Work.
 * @s: Step: key a, seed.
 *
 * Return: 0 or -errno.
 */
int work_update(struct work *w, const struct step *s)
{
	struct vdfs_item item = { .key = s->a, .dim = DIM };
	struct vdfs_collection *c;
	float v[DIM];
	int ret = get(w, THINGS, &c);

	if (ret)
		return ret;
	vector(v, s->seed, 0);
	item.vector = v;
	ret = vdfs_collection_update(c, &item);
	vdfs_collection_put(c);
	return ret;
}

/**
 * work_delete() - delete an item
 * @w: Work.
 * @s: Step: key a.
 *
 * Return: 0 or -errno.
 */
int work_delete(struct work *w, const struct step *s)
{
	struct vdfs_collection *c;
	int ret = get(w, THINGS, &c);

	if (ret)
		return ret;
	ret = vdfs_collection_delete(c, s->a);
	vdfs_collection_put(c);
	return ret;
}

/**
 * work_save() - save the index
 * @w: Work.
 * @s: Step.
 *
 * Return: 0 or -errno.
 */
int work_save(struct work *w, const struct step *s)
{
	struct vdfs_collection *c;
	int ret = get(w, THINGS, &c);

	(void)s;
	if (ret)
		return ret;
	ret = vdfs_collection_save(c);
	vdfs_collection_put(c);
	return ret;
}

/**
 * work_drop() - drop a collection
 * @w: Work.
 * @s: Step: name a.
 *
 * Return: 0 or -errno.
 */
int work_drop(struct work *w, const struct step *s)
{
	return vdfs_collection_drop(w->db, &work_who, s->a);
}

static int first_hit(void *arg, const struct vdfs_item *item, float dist)
{
	struct dump *d = arg;

	if (dist == 0)
		snprintf(d->hit, sizeof(d->hit), "%s", item->key);
	return 0;
}

static int find(struct vdfs_collection *c, struct dump *d, const float *v)
{
	struct vdfs_search search = { .vector = v, .dim = DIM, .k = 1 };

	d->hit[0] = 0;
	return vdfs_collection_search(c, &search, first_hit, d);
}

static int dump_item(void *arg, const struct vdfs_item *item, float dist)
{
	struct dump *d = arg;
	unsigned int i;
	int ret;

	(void)dist;
	fprintf(d->out, "item %s", item->key);
	for (i = 0; i < item->dim; i++)
		fprintf(d->out, " %g", item->vector[i]);
	fprintf(d->out, " %s", item->metadata);
	ret = find(d->c, d, item->vector);
	if (!ret && strcmp(d->hit, item->key))
		fprintf(d->out, " IS NOT FOUND");
	fprintf(d->out, "\n");
	return ret;
}

static int dump_one(struct work *w, const char *name, FILE *out)
{
	struct vdfs_collection_stats stats;
	struct dump d = { .out = out };
	int ret = get(w, name, &d.c);

	if (ret)
		return ret;
	ret = vdfs_collection_walk(d.c, NULL, dump_item, &d);
	if (!ret)
		ret = vdfs_collection_stats(d.c, &stats);
	if (!ret)
		fprintf(out, "items %llu\n", (unsigned long long)stats.items);
	vdfs_collection_put(d.c);
	return ret;
}

static int dump_name(void *arg, const char *name,
		     const struct vdfs_collection_params *params,
		     uint64_t items)
{
	struct dump *d = arg;

	fprintf(d->out, "collection %s %u %llu\n", name, params->dim,
		(unsigned long long)items);
	return 0;
}

/**
 * work_dump_items() - write what is in the collections; search for each item
 * @w: Work.
 * @out: Where to.
 *
 * Return: 0 or -errno.
 */
int work_dump_items(struct work *w, FILE *out)
{
	struct dump d = { .out = out };
	int ret;

	ret = vdfs_collection_list(w->db, &work_who, dump_name, &d);
	if (!ret)
		ret = dump_one(w, THINGS, out);
	return ret == -ENOENT ? 0 : ret;
}

/**
 * work_use_items() - see whether the collection goes on working
 * @w: Work.
 *
 * Return: 0 or -errno; a store without the collection is as good.
 */
int work_use_items(struct work *w)
{
	const struct step s = { .a = "zz", .size = 1, .seed = 999 };
	struct vdfs_collection *c;
	struct dump d = {};
	float v[DIM];
	int ret = get(w, THINGS, &c);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = work_insert(w, &s);
	vector(v, s.seed, 0);
	if (!ret)
		ret = find(c, &d, v);
	if (!ret && strcmp(d.hit, "zz0"))
		ret = -ENODATA;
	if (!ret)
		ret = vdfs_collection_delete(c, "zz0");
	vdfs_collection_put(c);
	return ret;
}
