// SPDX-License-Identifier: GPL-2.0-only
/* Clocks, processors, memory, threads. */
#include <err.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Seconds, of the wall's clock or of this thread's processor time. */
double bench_now(bool cpu_clock)
{
	struct timespec ts;

	clock_gettime(cpu_clock ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC,
		      &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1000000000;
}

/* This thread, and those it starts, run on @n processors from @cpu on. */
void bench_pin(unsigned int cpu, unsigned int n)
{
	unsigned int have = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	unsigned int i;

	CPU_ZERO(&set);
	for (i = 0; i < n; i++)
		CPU_SET((cpu + i) % have, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Bytes of memory that are really there. */
size_t bench_rss(void)
{
	unsigned long total = 0;
	unsigned long rss = 0;
	FILE *f;

	malloc_trim(0);
	f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%lu %lu", &total, &rss) != 2)
		err(1, "/proc/self/statm");
	fclose(f);
	return rss * (size_t)sysconf(_SC_PAGESIZE);
}

/* Never NULL. */
void *bench_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		err(1, "no memory for %zu x %zu bytes", n, size);
	return p;
}

/* splitmix64: any start will do. */
uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

struct job {
	size_t n;
	size_t chunk;
	atomic_size_t next;
	atomic_uint cpu;
	void (*fn)(void *arg, size_t from, size_t to);
	void *arg;
};

static void *work(void *arg)
{
	struct job *job = arg;
	size_t from;

	bench_pin(atomic_fetch_add(&job->cpu, 1), 1);
	while ((from = atomic_fetch_add(&job->next, job->chunk)) < job->n) {
		size_t to = from + job->chunk;

		job->fn(job->arg, from, to < job->n ? to : job->n);
	}
	return NULL;
}

/* Call @fn on pieces of 0 .. @n in @threads threads, each on a processor. */
void bench_parallel(unsigned int threads, size_t n, size_t chunk,
		    void (*fn)(void *arg, size_t from, size_t to), void *arg)
{
	struct job job = { .n = n, .chunk = chunk, .fn = fn, .arg = arg };
	pthread_t thread[BENCH_THREADS_MAX];
	unsigned int i;

	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, &job))
			errx(1, "cannot start a thread");
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

/* Every query once, in this thread; answers that lack are UINT32_MAX. */
int bench_search_all(const struct bench_index *index,
		     const struct bench_set *set, const struct bench_ask *ask,
		     uint32_t *ids)
{
	struct bench_ask one = *ask;
	size_t i;
	int got;

	for (i = 0; i < set->queries; i++) {
		one.query = set->query + i * set->dim;
		got = index->engine->search(index->ix, &one, ids + i * ask->k);
		if (got < 0)
			return got;
		for (; got < (int)ask->k; got++)
			ids[i * ask->k + (size_t)got] = UINT32_MAX;
	}
	return 0;
}
