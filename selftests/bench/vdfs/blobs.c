// SPDX-License-Identifier: GPL-2.0-only
/*
 * blobs put|get vdfs|fsync DIR SIZE COUNT THREADS - COUNT blobs of SIZE bytes
 * into the store in DIR, or out of it, by THREADS threads.
 * blobs tree DIR ZSTD FOLDER... - all files of the folders into the store in
 * DIR, compressed at level ZSTD or not (0).
 *
 * "fsync" is the plain way, which knows no hashes and shares nothing: a file
 * a blob, written, synced, renamed, the directory synced. Blobs are made of
 * numbers that nothing compresses. Prints the seconds it took, and for a tree
 * what the store holds.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "daemons/vdfsd/names/names.h"
#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/store/store.h"

#define PIECE (1 << 20)

static const struct vdfs_who who = { .uid = 0, .admin = true };

/**
 * struct task - what the threads share
 * @store: NULL for plain files.
 * @dir: Where those are.
 * @size: Of a blob.
 * @count: Blobs.
 * @next: The first that no thread has taken.
 */
struct task {
	struct vdfs_store *store;
	int dir;
	size_t size;
	size_t count;
	atomic_size_t next;
};

static void need(int ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror(-ret));
}

static void name_of(size_t number, char name[32])
{
	snprintf(name, 32, "blob-%zu", number);
}

/* The piece at @offset of blob @number. */
static void make(uint64_t *words, size_t number, size_t offset, size_t len)
{
	uint64_t state = number << 32 ^ offset;
	size_t i;

	for (i = 0; i < (len + 7) / 8; i++)
		words[i] = bench_random(&state);
}

static void put_store(struct task *t, size_t number, uint64_t *words)
{
	struct vdfs_put *put;
	struct vdfs_hash hash;
	char name[32];
	size_t at, len;

	name_of(number, name);
	need(vdfs_put_begin(t->store, &who, 0, &put), "vdfs_put_begin");
	for (at = 0; at < t->size; at += len) {
		len = t->size - at < PIECE ? t->size - at : PIECE;
		make(words, number, at, len);
		need(vdfs_put_write(put, words, len), "vdfs_put_write");
	}
	need(vdfs_put_commit(put, NULL, name, &hash), "vdfs_put_commit");
}

static void get_store(struct task *t, size_t number, uint64_t *words)
{
	struct vdfs_stat st;
	struct vdfs_blob *blob;
	char name[32];
	size_t at;
	ssize_t got;

	name_of(number, name);
	need(vdfs_name_stat(t->store, &who, name, &st), "vdfs_name_stat");
	need(vdfs_blob_open(t->store, &who, &st.hash, &blob), "vdfs_blob_open");
	for (at = 0; at < t->size; at += (size_t)got) {
		got = vdfs_blob_read(blob, words, PIECE, at);
		need((int)got, "vdfs_blob_read");
		if (!got)
			errx(1, "%s ends after %zu bytes", name, at);
	}
	vdfs_blob_close(blob);
}

static void put_file(struct task *t, size_t number, uint64_t *words)
{
	char name[32], part[40];
	size_t at, len;
	int fd;

	name_of(number, name);
	snprintf(part, sizeof(part), "%s.part", name);
	fd = openat(t->dir, part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		err(1, "%s", part);
	for (at = 0; at < t->size; at += len) {
		len = t->size - at < PIECE ? t->size - at : PIECE;
		make(words, number, at, len);
		if (write(fd, words, len) != (ssize_t)len)
			err(1, "%s", part);
	}
	if (fsync(fd) || close(fd) || renameat(t->dir, part, t->dir, name) ||
	    fsync(t->dir))
		err(1, "%s", name);
}

static void get_file(struct task *t, size_t number, uint64_t *words)
{
	char name[32];
	size_t at;
	ssize_t got;
	int fd;

	name_of(number, name);
	fd = openat(t->dir, name, O_RDONLY);
	for (at = 0; fd >= 0 && at < t->size; at += (size_t)got) {
		got = read(fd, words, PIECE);
		if (got <= 0)
			err(1, "%s", name);
	}
	if (fd < 0 || close(fd))
		err(1, "%s", name);
}

static void *put_thread(void *arg)
{
	uint64_t *words = bench_alloc(1, PIECE);
	struct task *t = arg;
	size_t i;

	while ((i = atomic_fetch_add(&t->next, 1)) < t->count) {
		if (t->store)
			put_store(t, i, words);
		else
			put_file(t, i, words);
	}
	free(words);
	return NULL;
}

static void *get_thread(void *arg)
{
	uint64_t *words = bench_alloc(1, PIECE);
	struct task *t = arg;
	size_t i;

	while ((i = atomic_fetch_add(&t->next, 1)) < t->count) {
		if (t->store)
			get_store(t, i, words);
		else
			get_file(t, i, words);
	}
	free(words);
	return NULL;
}

static void run(struct task *t, bool put, unsigned int threads)
{
	pthread_t thread[BENCH_THREADS_MAX];
	double start = bench_now(false);
	unsigned int i;

	if (!threads || threads > BENCH_THREADS_MAX)
		errx(2, "threads: 1 to %d", BENCH_THREADS_MAX);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL,
				   put ? put_thread : get_thread, t))
			errx(1, "cannot start a thread");
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("%.6f\n", bench_now(false) - start);
}

static void many(char **argv)
{
	struct vdfs_store_options options = { 0 };
	struct task t = {
		.dir = -1,
		.size = strtoul(argv[4], NULL, 10),
		.count = strtoul(argv[5], NULL, 10),
	};

	if (mkdir(argv[3], 0700) && errno != EEXIST)
		err(1, "%s", argv[3]);
	if (!strcmp(argv[2], "vdfs")) {
		need(vdfs_store_open(argv[3], &options, &t.store), argv[3]);
	} else {
		t.dir = open(argv[3], O_RDONLY | O_DIRECTORY);
		if (t.dir < 0)
			err(1, "%s", argv[3]);
	}
	run(&t, !strcmp(argv[1], "put"),
	    (unsigned int)strtoul(argv[6], NULL, 10));
	if (t.store)
		vdfs_store_close(t.store);
}

static void put_path(struct vdfs_store *store, const char *path, char *buf)
{
	int fd = open(path, O_RDONLY);
	struct vdfs_hash hash;
	struct vdfs_put *put;
	ssize_t got = -1;

	if (fd < 0)
		err(1, "%s", path);
	need(vdfs_put_begin(store, &who, 0, &put), path);
	while ((got = read(fd, buf, PIECE)) > 0)
		need(vdfs_put_write(put, buf, (size_t)got), path);
	if (got < 0)
		err(1, "%s", path);
	close(fd);
	while (*path == '/')
		path++;
	need(vdfs_put_commit(put, NULL, path, &hash), path);
}

static void tree(char **argv)
{
	struct vdfs_store_options options = { .zstd = atoi(argv[3]) };
	char *buf = bench_alloc(1, PIECE);
	double start = bench_now(false);
	struct vdfs_store_stats stats;
	struct vdfs_store *store;
	FTSENT *entry;
	FTS *fts;

	if (mkdir(argv[2], 0700) && errno != EEXIST)
		err(1, "%s", argv[2]);
	need(vdfs_store_open(argv[2], &options, &store), argv[2]);
	fts = fts_open(argv + 4, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!fts)
		err(1, "%s", argv[4]);
	while ((entry = fts_read(fts)))
		if (entry->fts_info == FTS_F)
			put_path(store, entry->fts_path, buf);
	fts_close(fts);
	need(vdfs_store_stats(store, &stats), "vdfs_store_stats");
	vdfs_store_close(store);
	free(buf);
	printf("%.6f %lu blobs %lu bytes, %lu objects %lu bytes, disk %lu\n",
	       bench_now(false) - start, stats.blobs, stats.blob_bytes,
	       stats.objects, stats.object_bytes, stats.disk_bytes);
}

int main(int argc, char **argv)
{
	if (argc == 7 && (!strcmp(argv[1], "put") || !strcmp(argv[1], "get"))) {
		many(argv);
	} else if (argc >= 5 && !strcmp(argv[1], "tree")) {
		tree(argv);
	} else {
		fputs("usage: blobs put|get vdfs|fsync DIR SIZE COUNT THREADS\n"
		      "       blobs tree DIR ZSTD FOLDER...\n",
		      stderr);
		return 2;
	}
	return 0;
}
