// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long until a blob's bytes are there: mapped from vdfsd beside a file
 * that is opened and read, or mapped. All of them are in memory already; what
 * vdfsd maps "fresh" it has yet to read out of its store and check.
 *
 * Prints lines "name value unit ratio" as the other benchmarks do. The first
 * of each size, the file that is read, has the ratio 1.00.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vdfsd/daemon.h"

#define ROUNDS 7
#define PAGE 4096UL

static struct daemon daemon_;
static struct phi_vdfs *v;
static int phi;
static size_t bytes;
static char *buffer;

/* Blob and file of this round. */
static char name[64];
static char path[160];

static void need(const char *what, int ret)
{
	if (ret >= 0)
		return;
	daemon_free(&daemon_);
	errx(1, "blob_map_bench: %s: %s", what, strerror(-ret));
}

/* Look at each page, so that it is really there. */
static void touch(const char *at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		__asm__ __volatile__("" : : "r"(at[i]) : "memory");
}

static void file_read(size_t want)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, buffer, want) != (ssize_t)want)
		need("read", -EIO);
	close(fd);
}

static void file_map(size_t want)
{
	int fd = open(path, O_RDONLY);
	char *at = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);

	if (at == MAP_FAILED)
		need("mmap", -errno);
	touch(at, want);
	munmap(at, bytes);
	close(fd);
}

static void blob_map(size_t want)
{
	struct phi_vdfs_map map;

	need("phi_vdfs_map", phi_vdfs_map(v, name, &map));
	touch(map.addr, want);
	need("phi_vdfs_unmap", phi_vdfs_unmap(v, &map));
}

static void blob_read(size_t want)
{
	struct phi_vdfs_blob blob;
	ssize_t got;
	size_t at;

	need("phi_vdfs_blob_open", phi_vdfs_blob_open(v, name, &blob));
	for (at = 0; at < want; at += (size_t)got) {
		got = phi_vdfs_blob_read(v, &blob, buffer + at, want - at, at);
		need("phi_vdfs_blob_read", got ? (int)got : -EIO);
	}
	need("phi_vdfs_blob_close", phi_vdfs_blob_close(v, &blob));
}

static void place(size_t want, int round)
{
	snprintf(name, sizeof(name), "blob-%zu-%zu-%d", bytes, want, round);
	snprintf(path, sizeof(path), "%s/%s", daemon_.dir, name);
}

/* A blob and a file for each round, of bytes that are like no others. */
static void prepare(size_t want)
{
	uint32_t state = (uint32_t)want;
	size_t i;
	int r, fd;

	for (r = 0; r < ROUNDS; r++) {
		place(want, r);
		for (i = 0; i < bytes; i++) {
			state = state * 1664525 + 1013904223;
			buffer[i] = (char)(state >> 24);
		}
		need("phi_vdfs_put",
		     phi_vdfs_put(v, buffer, bytes, name, NULL));
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || write(fd, buffer, bytes) != (ssize_t)bytes)
			need(path, -EIO);
		close(fd);
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(void (*run)(size_t want), size_t want)
{
	uint64_t times[ROUNDS];
	int r;

	for (r = 0; r < ROUNDS; r++) {
		uint64_t start;

		place(want, r);
		start = now();
		run(want);
		times[r] = now() - start;
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	return (double)times[ROUNDS / 2];
}

static void compare(const char *size, const char *what, size_t want)
{
	double read_ns, map_ns, fresh_ns, mapped_ns, through_ns;

	prepare(want);
	read_ns = median(file_read, want);
	map_ns = median(file_map, want);
	/* Fresh but once. */
	fresh_ns = median(blob_map, want);
	mapped_ns = median(blob_map, want);
	through_ns = median(blob_read, want);
	printf("%s_%s_file_read %.0f ns 1.00\n", size, what, read_ns);
	printf("%s_%s_file_map %.0f ns %.2f\n", size, what, map_ns,
	       map_ns / read_ns);
	printf("%s_%s_blob_map_fresh %.0f ns %.2f\n", size, what, fresh_ns,
	       fresh_ns / read_ns);
	printf("%s_%s_blob_map %.0f ns %.2f\n", size, what, mapped_ns,
	       mapped_ns / read_ns);
	printf("%s_%s_blob_read %.0f ns %.2f\n", size, what, through_ns,
	       through_ns / read_ns);
	fflush(stdout);
}

/* vdfsd stands beside this program's folder: build/daemons. */
static void find_daemon(void)
{
	char self[512], all[1024];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int up;

	if (len < 0)
		err(1, "blob_map_bench: /proc/self/exe");
	self[len] = '\0';
	for (up = 0; up < 3 && strrchr(self, '/'); up++)
		*strrchr(self, '/') = '\0';
	snprintf(all, sizeof(all), "%s/daemons:%s", self, getenv("PATH"));
	setenv("PATH", all, 1);
}

int main(void)
{
	static const struct {
		const char *name;
		size_t bytes;
	} sizes[] = { { "64kib", 64 << 10 }, { "4mib", 4 << 20 } };
	size_t i;

	find_daemon();
	need("a directory for vdfsd", daemon_new(&daemon_));
	need("vdfsd", daemon_start(&daemon_, "--map-budget 256M"));
	need("a session", session_new(&daemon_, "vdfs", &phi, &v));
	for (i = 0; i < 2; i++) {
		bytes = sizes[i].bytes;
		buffer = malloc(bytes);
		if (!buffer)
			need("memory", -ENOMEM);
		/* The first page is what a reader waits for first. */
		compare(sizes[i].name, "first", PAGE);
		compare(sizes[i].name, "all", bytes);
		free(buffer);
	}
	session_end(phi, v);
	daemon_free(&daemon_);
	return 0;
}
