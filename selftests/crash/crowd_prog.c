// SPDX-License-Identifier: GPL-2.0-only
/*
 * crowd_prog DIR NOTES ROUND - let a crowd work on the store in DIR/store
 * until it is killed. An error ends it.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"

static struct work work;
static unsigned long round_nr;
static int notes;

static void note(char what, int thread, int place, unsigned long version)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%c %d %d %lu\n", what, thread,
			 place, version);

	if (write(notes, line, (size_t)n) != n)
		err(1, "notes");
}

static void *member(void *arg)
{
	int thread = (int)(long)arg, place, ret;
	unsigned int seed = (unsigned int)round_nr * 16 + (unsigned int)thread;
	struct vdfs_gc_result result;
	unsigned long version, i;

	for (i = 1;; i++) {
		place = rand_r(&seed) % CROWD_PLACES;
		version = round_nr * 100000 + (unsigned long)thread * 20000 + i;
		if (rand_r(&seed) % 3 == 0)
			version = 0;
		note('b', thread, place, version);
		ret = crowd_change(&work, thread, place, version);
		if (ret)
			errx(1, "thread %d, place %d, version %lu: %s", thread,
			     place, version, strerror(-ret));
		note('a', thread, place, version);
		if (thread || i % 16)
			continue;
		ret = vdfs_gc(work.store, NULL, NULL, &result);
		if (ret)
			errx(1, "gc: %s", strerror(-ret));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[CROWD_THREADS];
	char dir[512];
	int ret;
	long i;

	if (argc != 4)
		errx(2, "usage: crowd_prog DIR NOTES ROUND");
	notes = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (notes < 0)
		err(2, "%s", argv[2]);
	round_nr = strtoul(argv[3], NULL, 10);
	snprintf(dir, sizeof(dir), "%s/store", argv[1]);
	work.dir = dir;
	ret = work_open(&work, NULL);
	if (!ret)
		ret = crowd_create(&work);
	if (ret)
		errx(1, "%s: %s", dir, strerror(-ret));
	for (i = 0; i < CROWD_THREADS; i++) {
		if (pthread_create(&threads[i], NULL, member, (void *)i))
			errx(1, "no thread");
	}
	pthread_join(threads[0], NULL);
	return 0;
}
