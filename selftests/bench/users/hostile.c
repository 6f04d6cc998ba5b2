// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nine honest users of one vdfsd, beside a tenth one like them, and beside one
 * that does its worst. Each honest user puts 4 KiB, gets them, looks their name
 * up and searches a thousand vectors, in a closed loop. The hostile one, in all
 * the sessions that it may have, keeps as many calls under way as it may:
 *
 *   - searches with filters of 16 KB over 500 items with metadata of 64 KB
 *   - exact searches for 64 vectors among 20 000
 *   - lists of a directory with 10 000 names, from its start
 *   - puts of 1 MiB, each of other bytes
 *   - news of a collection that is opened again and again: calls that park
 *   - sessions that come and go
 *
 * and in the view it makes files of 256 MiB by truncate(2) and syncs them. The two
 * kinds of company take turns, ROUNDS times, so that what else the machine does
 * meets both. Prints for each the calls a second of the nine, how long 99 of 100
 * took at most, and the ratios; and the loss by processor time: how many calls the
 * nine made for each second of it that the whole process took, which other load on
 * the machine does not change as much; BENCH_HOSTILE_SECONDS is the length of a turn (5).
 * BENCH_HOSTILE_DIR is where the store is made (/tmp), BENCH_HOSTILE_WAYS a
 * pattern of the ways above: filters searches lists puts parked sessions syncs.
 */
#include "hostile.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HONEST 9
#define ROUNDS 3
#define FIRST_UID 1000U
#define LATENCIES (1 << 20)

enum deed { PUT, GET, STAT, SEARCH, OPS };

static const char *const op_names[OPS] = { "put", "get", "stat", "search" };

/**
 * struct sample - how long calls of one kind took
 * @ns: Of each.
 * @n: How many.
 */
struct sample {
	uint64_t *ns;
	size_t n;
};

/**
 * struct honest - an honest user
 * @thread: Its loop.
 * @client: Its session.
 * @collection: Number of its collection there.
 * @serial: Makes contents differ.
 * @sample: By company and operation.
 */
struct honest {
	pthread_t thread;
	struct bus_client client;
	uint64_t collection;
	uint64_t serial;
	struct sample sample[2][OPS];
};

static struct bus_server server;
static struct honest user[HONEST + 1];
static atomic_int company = -1;
static atomic_bool tenth_runs;
/* Processor time of the process, by company. */
static double cpu[2];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

void must(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(-ret));
	exit(1);
}

int create(struct bus_client *c, const char *name, uint32_t dim)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_CREATE };

	req.name = bus_text(c, BUS_NAME, name);
	req.params.dim = dim;
	return bus_ask(c, &req);
}

/* Items with random vectors, as many at a time as there is room for. */
int fill(struct bus_client *c, uint64_t id, int n, uint32_t dim,
	 const char *metadata)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_INSERT,
					.id = id };
	unsigned int seed = 1;
	float vector[DIM];
	char key[16];
	int ret = 0;

	for (int i = 0; i < n && !ret;) {
		char *at = c->mem + BUS_DATA;

		for (; i < n && at < c->mem + (1 << 20); i++) {
			for (uint32_t d = 0; d < dim; d++)
				vector[d] = (float)(rand_r(&seed) % 1000);
			snprintf(key, sizeof(key), "k%d", i);
			at += bus_record(at, key, vector, dim, metadata);
		}
		req.data.at = BUS_DATA;
		req.data.len = (uint32_t)(at - c->mem) - BUS_DATA;
		ret = bus_ask(c, &req);
	}
	return ret;
}

int mkdir_of(struct bus_client *c, const char *name)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_MKDIR, .mode = 0755 };

	req.name = bus_text(c, BUS_NAME, name);
	return bus_ask(c, &req);
}

static int put(struct honest *u)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT };
	char name[32];

	snprintf(name, sizeof(name), "u%u/%llu", u->client.uid,
		 (unsigned long long)u->serial++ % 1000);
	memcpy(u->client.mem + BUS_DATA, &u->serial, sizeof(u->serial));
	memcpy(u->client.mem + BUS_DATA + 8, &u->client.uid, 4);
	req.name = bus_text(&u->client, BUS_NAME, name);
	req.data = (struct phi_vdfs_span){ BUS_DATA, 4096 };
	return bus_ask(&u->client, &req);
}

/* The name that was put last. */
static struct phi_vdfs_span last_name(struct honest *u)
{
	char name[32];

	snprintf(name, sizeof(name), "u%u/%llu", u->client.uid,
		 (unsigned long long)(u->serial - 1) % 1000);
	return bus_text(&u->client, BUS_NAME, name);
}

static int get(struct honest *u)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_BLOB_OPEN };
	int ret;

	req.name = last_name(u);
	ret = bus_ask(&u->client, &req);
	if (ret)
		return ret;
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_BLOB_READ,
					 .id = u->client.call.answer.id };
	req.out = (struct phi_vdfs_span){ BUS_OUT, 4096 };
	ret = bus_ask(&u->client, &req);
	req.op = PHI_VDFS_BLOB_CLOSE;
	req.out = (struct phi_vdfs_span){ 0 };
	return bus_ask(&u->client, &req) ?: ret;
}

static int stat_it(struct honest *u)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAT };

	req.name = last_name(u);
	return bus_ask(&u->client, &req);
}

static int search(struct honest *u)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_SEARCH,
					.id = u->collection,
					.k = 10 };
	unsigned int seed = (unsigned int)u->serial;
	float vector[DIM];

	for (uint32_t d = 0; d < DIM; d++)
		vector[d] = (float)(rand_r(&seed) % 1000);
	memcpy(u->client.mem + BUS_DATA, vector, sizeof(vector));
	req.data = (struct phi_vdfs_span){ BUS_DATA, sizeof(vector) };
	req.out = (struct phi_vdfs_span){ BUS_OUT, 65536 };
	return bus_ask(&u->client, &req);
}

static int (*const run_op[OPS])(struct honest *u) = { put, get, stat_it,
						      search };

static void count(struct honest *u, enum deed op, uint64_t ns)
{
	int now = atomic_load(&company);
	struct sample *s;

	if (now < 0 || u == &user[HONEST])
		return;
	s = &u->sample[now][op];
	if (s->n < LATENCIES)
		s->ns[s->n++] = ns;
}

static void *honest(void *arg)
{
	struct honest *u = arg;
	uint64_t since;

	for (;;) {
		if (u == &user[HONEST] && !atomic_load(&tenth_runs)) {
			usleep(1000);
			continue;
		}
		for (int op = 0; op < OPS; op++) {
			since = now_ns();
			must(run_op[op](u), op_names[op]);
			count(u, op, now_ns() - since);
		}
	}
	return NULL;
}

static void set_up_honest(struct honest *u, int i)
{
	char name[32];

	must(bus_attach(&u->client, FIRST_UID + (uint32_t)i), "attach");
	snprintf(name, sizeof(name), "u%u", u->client.uid);
	must(mkdir_of(&u->client, name), "mkdir");
	must(create(&u->client, name, DIM), "create");
	must(bus_open(&u->client, name, &u->collection), "open");
	must(fill(&u->client, u->collection, 1000, DIM, NULL), "fill");
	for (int c = 0; c < 2; c++) {
		for (int op = 0; op < OPS; op++)
			u->sample[c][op].ns =
				malloc(LATENCIES * sizeof(uint64_t));
	}
	must(-pthread_create(&u->thread, NULL, honest, u), "thread");
}

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void play(int which, unsigned int seconds)
{
	if (which)
		worst_let(true);
	else
		atomic_store(&tenth_runs, true);
	/* The first moments are nobody's. */
	usleep(300000);
	cpu[which] -= cpu_time();
	atomic_store(&company, which);
	sleep(seconds);
	atomic_store(&company, -1);
	cpu[which] += cpu_time();
	atomic_store(&tenth_runs, false);
	worst_let(false);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Calls of the nine beside one kind of company, and their 99th percentile. */
static size_t summary(int which, int op, double *p99_us)
{
	struct sample all = {};
	size_t n = 0;

	for (int i = 0; i < HONEST; i++)
		n += user[i].sample[which][op].n;
	all.ns = malloc((n + 1) * sizeof(*all.ns));
	for (int i = 0; i < HONEST; i++) {
		const struct sample *s = &user[i].sample[which][op];

		memcpy(all.ns + all.n, s->ns, s->n * sizeof(*s->ns));
		all.n += s->n;
	}
	qsort(all.ns, n, sizeof(*all.ns), by_value);
	*p99_us = n ? (double)all.ns[n * 99 / 100] / 1000 : 0;
	free(all.ns);
	return n;
}

static void report(unsigned int seconds)
{
	double p99[2], total[2] = { 0 };
	size_t n[2];

	printf("| call | beside an honest one, calls/s | p99 us |");
	printf(" beside the hostile one, calls/s | p99 us |");
	printf(" throughput | p99 |\n");
	printf("|---|---:|---:|---:|---:|---:|---:|\n");
	for (int op = 0; op < OPS; op++) {
		for (int c = 0; c < 2; c++) {
			n[c] = summary(c, op, &p99[c]);
			total[c] += (double)n[c];
		}
		printf("| `%s` | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f |\n",
		       op_names[op], (double)n[0] / seconds, p99[0],
		       (double)n[1] / seconds, p99[1],
		       (double)n[1] / (double)n[0], p99[1] / p99[0]);
	}
	printf("\nThe hostile user costs the nine %.1f %% of their calls; it made %lu itself.\n",
	       100 * (1 - total[1] / total[0]), worst_calls());
	printf("By processor time that is %.1f %%: %.0f calls a second of it, and %.0f.\n",
	       100 * (1 - total[1] / cpu[1] / (total[0] / cpu[0])),
	       total[0] / cpu[0], total[1] / cpu[1]);
}

int main(void)
{
	const char *dir = getenv("BENCH_HOSTILE_DIR");
	const char *length = getenv("BENCH_HOSTILE_SECONDS");
	unsigned int seconds = length ? (unsigned int)atoi(length) : 5;
	struct vdfs_fuse *fuse;
	struct asker kernel;

	must(bus_start(&server, dir ? dir : "/tmp", 16), "start");
	must(kernel_start(server.s.store, server.s.db, server.dir, &fuse,
			  &kernel),
	     "view");
	worst_set_up();
	for (int i = 0; i <= HONEST; i++)
		set_up_honest(&user[i], i);
	worst_start(kernel);
	for (int i = 0; i < 2 * ROUNDS; i++)
		play(i % 2, seconds);
	report(ROUNDS * seconds);
	fflush(stdout);
	/* The store is in memory, and a sync may not be over. */
	_exit(0);
}
