// SPDX-License-Identifier: GPL-2.0-only
/*
 * vdfsd: versions that share what they have in common, a blob in memory that
 * two readers share and one loses, and images found by what they look like.
 */
#include <errno.h>
#include <phi/vdfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

#define SAMPLE 1000 /* images in the collection */
#define PROBES 200 /* others that are looked for */
#define NEAREST 3
#define COLLECTION "digits"
#define WHICH 7
#define FILTER "{\"digit\": 7}"

/**
 * struct shop - one session with vdfsd
 * @phi: Its cspace.
 * @v: Session.
 */
struct shop {
	int phi;
	struct phi_vdfs *v;
};

static const struct digits *set;
static struct phi_token token;

int store_init(const char *path)
{
	int ret = read_token(path, &token);

	set = test_set();
	if (ret)
		fprintf(stderr, "demo: cannot read %s: %s\n", path,
			strerror(-ret));
	return ret;
}

static int shop_open(struct shop *s)
{
	uint64_t cap;
	int ret;

	s->v = NULL;
	s->phi = phi_open(0);
	if (s->phi < 0)
		return s->phi;
	ret = phi_cap_unseal(s->phi, &token, &cap);
	if (!ret)
		ret = phi_vdfs_open(s->phi, cap, 0, now() + 10 * SECOND, &s->v);
	return ret;
}

static void shop_close(struct shop *s)
{
	phi_vdfs_close(s->v);
	phi_close(s->phi);
}

/* Can the first byte be read? The kernel tells without touching it. */
static bool readable(const void *addr)
{
	int ends[2];
	bool ok;

	if (pipe(ends))
		return false;
	ok = write(ends[1], addr, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return ok;
}

/* Two versions of one file, which differ in a byte at the front. */
static int put_versions(struct shop *s, uint64_t *first, uint64_t *second)
{
	size_t len = (size_t)set->n * IMAGE_BYTES;
	struct phi_vdfs_stats stats;
	uint8_t *edited = malloc(len + 1);
	int ret;

	if (!edited)
		return -ENOMEM;
	edited[0] = 1;
	memcpy(edited + 1, set->images, len);
	ret = phi_vdfs_mkdir(s->v, "demo", 0755);
	if (!ret)
		ret = phi_vdfs_stats(s->v, &stats);
	*first = stats.object_bytes;
	if (!ret)
		ret = phi_vdfs_put(s->v, set->images, len, "demo/images", NULL);
	if (!ret)
		ret = phi_vdfs_stats(s->v, &stats);
	*first = stats.object_bytes - *first;
	*second = stats.object_bytes;
	if (!ret)
		ret = phi_vdfs_put(s->v, edited, len + 1, "demo/edited", NULL);
	if (!ret)
		ret = phi_vdfs_stats(s->v, &stats);
	*second = stats.object_bytes - *second;
	free(edited);
	return ret;
}

void store_blobs(void)
{
	uint64_t first = 0, second = 0;
	struct shop s;
	int ret;

	heading("vdfsd stores a file, and a second one with a byte in front");
	ret = shop_open(&s);
	if (!ret)
		ret = put_versions(&s, &first, &second);
	expect("two versions share their chunks",
	       !ret && first && second && second < first / 4,
	       "%llu KiB stored for the first, %llu KiB more (%s)",
	       (unsigned long long)first >> 10,
	       (unsigned long long)second >> 10, err_name(ret));
	shop_close(&s);
}

/* Returns in @copies how many more blobs are in memory than before. */
static int map_two(struct shop *mine, struct phi_vdfs_map *a,
		   struct shop *other, struct phi_vdfs_map *b, uint64_t *copies)
{
	struct phi_vdfs_stats before = {}, stats = {};
	int ret = shop_open(mine);

	if (!ret)
		ret = shop_open(other);
	if (!ret)
		ret = phi_vdfs_stats(mine->v, &before);
	if (!ret)
		ret = phi_vdfs_map(mine->v, "demo/images", a);
	if (!ret)
		ret = phi_vdfs_map(other->v, "demo/images", b);
	if (!ret)
		ret = phi_vdfs_unlink(mine->v, "demo/images");
	if (!ret)
		ret = phi_vdfs_stats(mine->v, &stats);
	*copies = stats.mapped - before.mapped;
	return ret;
}

/* Two sessions map a blob, its name goes, and then one of the sessions. */
void store_map(void)
{
	size_t len = (size_t)set->n * IMAGE_BYTES;
	struct phi_vdfs_map a = {}, b = {};
	uint64_t copies;
	struct shop mine, other = { .phi = -1 };
	bool same, lost, kept;
	int ret;

	heading("Two sessions map it, and nobody copies it");
	ret = map_two(&mine, &a, &other, &b, &copies);
	if (ret) {
		expect("a blob can be mapped", false, "%s", err_name(ret));
		return;
	}
	same = a.bytes == len && b.bytes == len &&
	       !memcmp(a.addr, set->images, len) &&
	       !memcmp(b.addr, set->images, len);
	expect("a blob is in memory once, whoever maps it", same && copies == 1,
	       "%llu copy of %zu KiB, its name gone since",
	       (unsigned long long)copies, len >> 10);
	shop_close(&mine);
	lost = !readable(a.addr);
	kept = readable(b.addr);
	expect("who leaves loses the pages, the other keeps them", lost && kept,
	       "%s, %s", lost ? "lost" : "still there", kept ? "kept" : "lost");
	shop_close(&other);
}

static const float *as_vector(uint32_t image, float *out)
{
	uint32_t i;

	for (i = 0; i < IMAGE_BYTES; i++)
		out[i] = set->images[(size_t)image * IMAGE_BYTES + i];
	return out;
}

static int insert_images(struct shop *s, uint64_t id)
{
	static float vector[IMAGE_BYTES];
	struct phi_vdfs_item item = { .vector = vector, .dim = IMAGE_BYTES };
	char key[16], metadata[32];
	uint32_t i;
	int ret = 0;

	item.key = key;
	item.metadata = metadata;
	for (i = 0; i < SAMPLE && !ret; i++) {
		as_vector(i, vector);
		snprintf(key, sizeof(key), "%u", i);
		snprintf(metadata, sizeof(metadata), "{\"digit\": %u}",
			 set->labels[i]);
		ret = phi_vdfs_collection_insert(s->v, id, &item, 1, 0, NULL);
	}
	return ret;
}

/* Sum of the answers to all probes. */
struct tally {
	uint32_t votes[PROBES][DIGITS];
	uint32_t answers;
	uint32_t wrong;
};

static int take_answer(void *arg, const struct phi_vdfs_item *item,
		       uint32_t query, float dist)
{
	uint32_t digit = set->labels[strtoul(item->key, NULL, 10) % set->n];
	struct tally *t = arg;

	(void)dist;
	t->votes[query][digit]++;
	t->answers++;
	t->wrong += digit != WHICH;
	return 0;
}

static int look(struct shop *s, uint64_t id, const char *filter,
		struct tally *tally)
{
	struct phi_vdfs_search search = {
		.n = PROBES, .dim = IMAGE_BYTES, .k = NEAREST, .filter = filter
	};
	float *vectors = malloc(PROBES * IMAGE_BYTES * sizeof(*vectors));
	uint32_t i;
	int ret;

	if (!vectors)
		return -ENOMEM;
	for (i = 0; i < PROBES; i++)
		as_vector(SAMPLE + i, vectors + (size_t)i * IMAGE_BYTES);
	search.vectors = vectors;
	memset(tally, 0, sizeof(*tally));
	ret = phi_vdfs_collection_search(s->v, id, &search, take_answer, tally);
	free(vectors);
	return ret;
}

/* How many probes most of their neighbours name rightly. */
static uint32_t recognised(const struct tally *t)
{
	uint32_t i, d, best, right = 0;

	for (i = 0; i < PROBES; i++) {
		for (d = 1, best = 0; d < DIGITS; d++)
			if (t->votes[i][d] > t->votes[i][best])
				best = d;
		right += best == set->labels[SAMPLE + i];
	}
	return right;
}

static int fill(struct shop *s, uint64_t *id)
{
	struct phi_vdfs_params params = { .dim = IMAGE_BYTES,
					  .codes = PHI_VDFS_CODES_8,
					  .mode = 0600 };
	int ret = shop_open(s);

	if (!ret)
		ret = phi_vdfs_collection_create(s->v, COLLECTION, &params);
	if (!ret)
		ret = phi_vdfs_collection_open(s->v, COLLECTION, NULL, NULL, id,
					       NULL);
	return ret ? ret : insert_images(s, *id);
}

void store_search(void)
{
	static struct tally tally;
	uint64_t id = 0;
	struct shop s;
	uint32_t right;
	int ret;

	heading("A collection of %d images, and %d others looked for", SAMPLE,
		PROBES);
	ret = fill(&s, &id);
	if (!ret)
		ret = look(&s, id, NULL, &tally);
	right = ret ? 0 : recognised(&tally);
	expect("nearest images say which digit it is", right > PROBES * 8 / 10,
	       "%u of %d right (%s)", right, PROBES, err_name(ret));
	if (!ret)
		ret = look(&s, id, FILTER, &tally);
	expect("a filter lets nothing else through",
	       !ret && tally.answers == PROBES * NEAREST && !tally.wrong,
	       "%u answers, %u of another digit (%s)", tally.answers,
	       tally.wrong, err_name(ret));
	shop_close(&s);
}
