// SPDX-License-Identifier: GPL-2.0-only
/* Collections by way of the daemon: items in, the nearest out. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/daemon.h"

#define DIM 8
#define N 1000

FIXTURE(items)
{
	struct daemon d;
	struct phi_vdfs *v;
	int phi;
	uint64_t id;
	float rows[N][DIM];
};

static const struct phi_vdfs_params params = {
	.dim = DIM,
	.metric = PHI_VDFS_L2,
	.mode = 0644,
};

/* Items "0000" to "0999" on a line, so that all distances are known. */
static int insert_all(FIXTURE_DATA(items) * self)
{
	static char keys[N][8], metadata[N][32];
	static struct phi_vdfs_item items[N];
	int i;

	for (i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%04d", i);
		snprintf(metadata[i], sizeof(metadata[i]),
			 "{\"n\":%d,\"odd\":%s}", i, i % 2 ? "true" : "false");
		memset(self->rows[i], 0, sizeof(self->rows[i]));
		self->rows[i][0] = i;
		items[i] = (struct phi_vdfs_item){ keys[i], self->rows[i], DIM,
						   metadata[i] };
	}
	return phi_vdfs_collection_insert(self->v, self->id, items, N, 0, NULL);
}

FIXTURE_SETUP(items)
{
	struct phi_vdfs_params got;

	ASSERT_EQ(0, daemon_new(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, ""));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
	ASSERT_EQ(0, phi_vdfs_collection_create(self->v, "line", &params));
	ASSERT_EQ(0, phi_vdfs_collection_open(self->v, "line", NULL, NULL,
					      &self->id, &got));
	EXPECT_EQ(DIM, got.dim);
	ASSERT_EQ(0, insert_all(self));
}

FIXTURE_TEARDOWN(items)
{
	session_end(self->phi, self->v);
	daemon_free(&self->d);
}

/* What came back. */
struct found {
	int n;
	int first;
	int last;
	uint32_t query;
	bool odd;
	bool vectors;
	bool metadata;
	float dist;
};

static int note(void *arg, const struct phi_vdfs_item *item, uint32_t query,
		float dist)
{
	struct found *f = arg;
	int key = atoi(item->key);

	if (!f->n++)
		f->first = key;
	if (f->n > 1 && query == f->query && dist < f->dist)
		return -EDOM;
	f->last = key;
	f->query = query;
	f->dist = dist;
	f->odd = f->odd || key % 2;
	f->vectors = item->vector && item->dim == DIM &&
		     item->vector[0] == (float)key;
	f->metadata = item->metadata && strstr(item->metadata, "\"odd\"");
	return 0;
}

SLOW_TEST(items, are_found_nearest_first)
{
	float wanted[2][DIM] = { { 500.2f }, { 3.1f } };
	struct phi_vdfs_search s = {
		.vectors = wanted[0], .n = 1, .dim = DIM, .k = 5, .recall = 1
	};
	char why[PHI_VDFS_WHY_MAX];
	struct found f = {};

	ASSERT_EQ(0,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(5, f.n);
	EXPECT_EQ(500, f.first);
	EXPECT_EQ(498, f.last);
	EXPECT_FALSE(f.vectors);
	EXPECT_FALSE(f.metadata);

	/* Several at once, with all there is of them. */
	f = (struct found){};
	s.n = 2;
	s.want = PHI_VDFS_VECTORS | PHI_VDFS_METADATA;
	ASSERT_EQ(0,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(10, f.n);
	EXPECT_EQ(500, f.first);
	EXPECT_EQ(1, f.query);
	EXPECT_TRUE(f.vectors);
	EXPECT_TRUE(f.metadata);

	/* Only those that a filter lets through. */
	f = (struct found){};
	s.n = 1;
	s.k = 3;
	s.filter = "{\"odd\": false, \"n\": {\"$gt\": 501}}";
	ASSERT_EQ(0,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(3, f.n);
	EXPECT_EQ(502, f.first);
	EXPECT_EQ(506, f.last);
	EXPECT_FALSE(f.odd);
	s.filter = "{\"odd\": ";
	s.why = why;
	EXPECT_EQ(-EINVAL,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(0, strncmp(why, "line 1, column ", 15));
	s.filter = "{\"n\": {\"$no\": 1}}";
	EXPECT_EQ(-EINVAL,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_STREQ("\"n\": there is no operator \"$no\"", why);
	s.filter = NULL;
	s.k = 10001;
	EXPECT_EQ(-EINVAL,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_STREQ("", why);
	s.k = 3;
	s.dim = DIM - 1;
	EXPECT_EQ(-EMSGSIZE,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
}

SLOW_TEST(items, more_answers_than_fit_get_more_room)
{
	struct phi_vdfs_item item = { .key = "big", .dim = DIM };
	float wanted[DIM] = { -1 };
	struct phi_vdfs_search s = { .vectors = wanted,
				     .n = 1,
				     .dim = DIM,
				     .k = 100,
				     .want = PHI_VDFS_METADATA };
	char *metadata = malloc(60000);
	struct found f = {};
	int i;

	memset(metadata, 'x', 50000);
	memcpy(metadata, "{\"odd\":true,\"text\":\"", 20);
	memcpy(metadata + 50000, "\"}", 3);
	item.metadata = metadata;
	for (i = 0; i < 100; i++) {
		char key[8];

		snprintf(key, sizeof(key), "%04d", i);
		item.key = key;
		ASSERT_EQ(0,
			  phi_vdfs_collection_update(self->v, self->id, &item));
	}
	free(metadata);
	/* Five megabytes. */
	ASSERT_EQ(0,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(100, f.n);
	EXPECT_TRUE(f.metadata);
	f = (struct found){};
	ASSERT_EQ(0, phi_vdfs_collection_walk(
			     self->v, self->id,
			     PHI_VDFS_METADATA | PHI_VDFS_VECTORS, note, &f));
	EXPECT_EQ(N, f.n);
	EXPECT_EQ(0, f.first);
	EXPECT_EQ(999, f.last);
}

SLOW_TEST(items, are_all_inserted_or_none)
{
	float good[DIM] = { 1 }, bad[DIM] = { NAN };
	struct phi_vdfs_item items[3] = { { "a", good, DIM, NULL },
					  { "b", bad, DIM, NULL },
					  { "0005", good, DIM, NULL } };
	struct phi_vdfs_collection_stats st;
	struct found f = {};
	size_t failed = 9;

	EXPECT_EQ(-EDOM, phi_vdfs_collection_insert(self->v, self->id, items, 3,
						    0, &failed));
	EXPECT_EQ(1, failed);
	items[1].vector = good;
	EXPECT_EQ(-EEXIST, phi_vdfs_collection_insert(self->v, self->id, items,
						      3, 0, &failed));
	EXPECT_EQ(2, failed);
	EXPECT_EQ(-ENOENT,
		  phi_vdfs_collection_get(self->v, self->id, "a", note, &f));
	EXPECT_EQ(0, phi_vdfs_collection_insert(self->v, self->id, items, 3,
						PHI_VDFS_REPLACE, NULL));
	ASSERT_EQ(0, phi_vdfs_collection_stats(self->v, self->id, &st));
	EXPECT_EQ(N + 2, st.items);
	items[0].metadata = "[]";
	EXPECT_EQ(-EINVAL,
		  phi_vdfs_collection_insert(self->v, self->id, items, 1,
					     PHI_VDFS_REPLACE, NULL));
	items[0].metadata = NULL;
	items[0].dim = 1;
	EXPECT_EQ(-EMSGSIZE,
		  phi_vdfs_collection_insert(self->v, self->id, items, 1,
					     PHI_VDFS_REPLACE, NULL));
}

SLOW_TEST(items, can_be_changed_deleted_and_rebuilt)
{
	struct phi_vdfs_item item = { .key = "0007" };
	struct phi_vdfs_collection_stats st;
	struct found f = {};

	ASSERT_EQ(0, phi_vdfs_collection_index_field(self->v, self->id, "n"));
	item.metadata = "{\"odd\":1}";
	ASSERT_EQ(0, phi_vdfs_collection_update(self->v, self->id, &item));
	ASSERT_EQ(0,
		  phi_vdfs_collection_get(self->v, self->id, "0007", note, &f));
	EXPECT_EQ(7, f.first);
	EXPECT_TRUE(f.vectors);
	item.key = "none";
	EXPECT_EQ(-ENOENT,
		  phi_vdfs_collection_update(self->v, self->id, &item));
	ASSERT_EQ(0, phi_vdfs_collection_delete(self->v, self->id, "0007"));
	ASSERT_EQ(0, phi_vdfs_collection_delete(self->v, self->id, "0007"));
	EXPECT_EQ(-ENOENT,
		  phi_vdfs_collection_get(self->v, self->id, "0007", note, &f));
	ASSERT_EQ(0,
		  phi_vdfs_collection_rebuild(self->v, self->id, NULL, NULL));
	ASSERT_EQ(0, phi_vdfs_collection_save(self->v, self->id));
	ASSERT_EQ(0, phi_vdfs_collection_stats(self->v, self->id, &st));
	EXPECT_EQ(N - 1, st.items);
	EXPECT_EQ(st.generation, st.saved);
	ASSERT_EQ(0, phi_vdfs_collection_close(self->v, self->id));
	EXPECT_EQ(-EBADF, phi_vdfs_collection_stats(self->v, self->id, &st));
	ASSERT_EQ(0, phi_vdfs_collection_drop(self->v, "line"));
	EXPECT_EQ(-ENOENT, phi_vdfs_collection_open(self->v, "line", NULL, NULL,
						    &self->id, NULL));
}

static int count(void *arg, const char *name, const struct phi_vdfs_params *p,
		 uint64_t items)
{
	(void)name;
	*(uint64_t *)arg += p->dim == DIM ? items : 0;
	return 0;
}

/* What user 1234 may do with it. */
static int be_other(const struct daemon *d)
{
	struct phi_vdfs_item item = { .key = "0001", .metadata = "{}" };
	struct found f = {};
	struct phi_vdfs *v;
	uint64_t id;
	int phi;

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234) ||
	    session_new(d, "vdfs", &phi, &v) ||
	    phi_vdfs_collection_open(v, "line", NULL, NULL, &id, NULL))
		return 1;
	if (phi_vdfs_collection_get(v, id, "0001", note, &f) || f.n != 1)
		return 2;
	if (phi_vdfs_collection_update(v, id, &item) != -EACCES ||
	    phi_vdfs_collection_delete(v, id, "0001") != -EACCES ||
	    phi_vdfs_collection_insert(v, id, &item, 1, 0, NULL) != -EACCES ||
	    phi_vdfs_collection_rebuild(v, id, NULL, NULL) != -EACCES ||
	    phi_vdfs_collection_drop(v, "line") != -EACCES)
		return 3;
	return 0;
}

SLOW_TEST(items, belong_to_their_owner_and_outlive_the_daemon)
{
	float wanted[DIM] = { 42 };
	struct phi_vdfs_search s = {
		.vectors = wanted, .n = 1, .dim = DIM, .k = 1
	};
	struct found f = {};
	uint64_t items = 0;
	int status;

	if (!fork())
		_exit(be_other(&self->d));
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, phi_vdfs_collection_list(self->v, count, &items));
	EXPECT_EQ(N, items);

	daemon_stop(&self->d, SIGKILL);
	ASSERT_EQ(0, daemon_start(&self->d, ""));
	session_end(self->phi, self->v);
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
	ASSERT_EQ(0, phi_vdfs_collection_open(self->v, "line", NULL, NULL,
					      &self->id, NULL));
	ASSERT_EQ(0,
		  phi_vdfs_collection_search(self->v, self->id, &s, note, &f));
	EXPECT_EQ(42, f.first);
}

TEST_HARNESS_MAIN
