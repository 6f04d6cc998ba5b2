// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blobs in memory: one copy whoever maps it, taken back from one alone, kept
 * when deleted, and no more of it than there is room for.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/daemon.h"

#define MIB (1UL << 20)
#define BIG (4 * MIB)

FIXTURE(map)
{
	struct daemon d;
	struct phi_vdfs *v;
	int phi;
	char *bytes;
};

FIXTURE_SETUP(map)
{
	size_t i;

	self->bytes = malloc(BIG);
	for (i = 0; i < BIG; i++)
		self->bytes[i] = (char)(i * 2654435761U >> 11);
	ASSERT_EQ(0, daemon_new(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, "--map-budget 10M"));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->phi, &self->v));
}

FIXTURE_TEARDOWN(map)
{
	session_end(self->phi, self->v);
	daemon_free(&self->d);
	free(self->bytes);
}

/* Can the first byte be read? The kernel tells without touching it. */
static bool readable(const void *addr)
{
	int fd = memfd_create("byte", MFD_CLOEXEC);
	bool ok = write(fd, addr, 1) == 1;

	close(fd);
	return ok;
}

/* Pages of blobs in memory. */
static uint64_t daemon_pages(struct phi_vdfs *v)
{
	struct phi_vdfs_stats st;

	return phi_vdfs_stats(v, &st) ? UINT64_MAX : st.mapped_bytes / 4096;
}

SLOW_TEST(map, holds_the_blob_and_zeros_behind_it)
{
	struct phi_cap_query query;
	struct phi_vdfs_map map;
	size_t i;

	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, 5000, "b", NULL));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "b", &map));
	EXPECT_EQ(5000, map.bytes);
	EXPECT_EQ(8192, map.len);
	EXPECT_EQ(0, memcmp(map.addr, self->bytes, 5000));
	for (i = 5000; i < map.len; i++)
		EXPECT_EQ(0, ((const char *)map.addr)[i]);
	/* To read and no more: not to write, and not to give away. */
	ASSERT_EQ(0, phi_cap_query(self->phi, map.cap, &query));
	EXPECT_EQ(PHI_RIGHT_READ | PHI_RIGHT_MAP, query.rights);
	EXPECT_EQ(-1,
		  mprotect((void *)map.addr, map.len, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map));
	EXPECT_EQ(-EBADF, phi_vdfs_unmap(self->v, &map));

	EXPECT_EQ(-ENOENT, phi_vdfs_map(self->v, "nothing", &map));
	ASSERT_EQ(0, phi_vdfs_put(self->v, "", 0, "empty", NULL));
	EXPECT_EQ(-ENODATA, phi_vdfs_map(self->v, "empty", &map));
}

/* What smaps says of the mapping at @addr: a field in KiB, or -1. */
static long smap(const void *addr, const char *field)
{
	char line[256], want[32];
	unsigned long begin;
	bool here = false;
	long value = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	snprintf(want, sizeof(want), "%s: %%ld kB", field);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%*x ", &begin) == 1 &&
		    strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			here = begin == (unsigned long)addr;
		else if (here && sscanf(line, want, &value) == 1)
			break;
	}
	if (f)
		fclose(f);
	return value;
}

/* A client that maps, tells so, and waits; what it found is its status. */
static int other_client(const struct daemon *d, const char *bytes, int told,
			int go)
{
	struct phi_vdfs_map map;
	struct phi_vdfs *v;
	int phi, ret = 0;
	char c = 0;

	if (session_new(d, "vdfs", &phi, &v) || phi_vdfs_map(v, "b", &map))
		return 1;
	if (memcmp(map.addr, bytes, BIG))
		ret = 2;
	/* Nothing of it is this process's own. */
	if (smap(map.addr, "Size") != BIG / 1024 ||
	    smap(map.addr, "Private_Dirty") || smap(map.addr, "Anonymous") ||
	    smap(map.addr, "Pss") > 0)
		ret = 3;
	if (write(told, &c, 1) != 1 || read(go, &c, 1) != 1)
		return 4;
	/* Whatever became of the others. */
	return !readable(map.addr) || memcmp(map.addr, bytes, BIG) ? 5 : ret;
}

SLOW_TEST(map, is_one_copy_however_many_map_it)
{
	int told[2], go[2], i, status;
	struct phi_region_info info;
	struct phi_vdfs_map map;
	char c;

	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "b", NULL));
	ASSERT_EQ(0, pipe(told));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < 2; i++) {
		if (!fork())
			_exit(other_client(&self->d, self->bytes, told[1],
					   go[0]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(1, read(told[0], &c, 1));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "b", &map));
	ASSERT_EQ(0, phi_region_info(self->phi, map.cap, &info));
	EXPECT_EQ(3, info.mappings);
	EXPECT_EQ(BIG / 4096, daemon_pages(self->v));
	/* One of three gives it back; the others go on. */
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map));
	ASSERT_EQ(2, write(go[1], "go", 2));
	for (i = 0; i < 2; i++) {
		ASSERT_LT(0, wait(&status));
		EXPECT_EQ(0, status);
	}
}

/* Maps, and keeps what the session took away at its end. */
SLOW_TEST(map, is_taken_back_from_one_alone)
{
	struct phi_vdfs_map mine, other;
	struct phi_vdfs *v;
	int phi;

	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "b", NULL));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "b", &mine));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &phi, &v));
	ASSERT_EQ(0, phi_vdfs_map(v, "b", &other));
	EXPECT_TRUE(readable(other.addr));
	phi_vdfs_close(v);
	/* The daemon hears of it in its own time. */
	for (int i = 0; i < 200 && readable(other.addr); i++)
		usleep(50000);
	EXPECT_FALSE(readable(other.addr));
	EXPECT_TRUE(readable(mine.addr));
	EXPECT_EQ(0, memcmp(mine.addr, self->bytes, BIG));
	phi_close(phi);
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &mine));
}

SLOW_TEST(map, stays_when_the_blob_is_deleted_and_the_daemon_dies)
{
	struct phi_vdfs_map map, again;
	struct phi_vdfs_gc gc;

	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "b", NULL));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "b", &map));
	ASSERT_EQ(0, phi_vdfs_unlink(self->v, "b"));
	ASSERT_EQ(0, phi_vdfs_gc(self->v, NULL, NULL, &gc));
	EXPECT_EQ(1, gc.blobs);
	EXPECT_EQ(0, memcmp(map.addr, self->bytes, BIG));
	/* Nobody gets it any more, though it is still in memory. */
	EXPECT_EQ(-ENOENT, phi_vdfs_map(self->v, "b", &again));
	daemon_stop(&self->d, SIGKILL);
	EXPECT_TRUE(readable(map.addr));
	EXPECT_EQ(0, memcmp(map.addr, self->bytes, BIG));
}

SLOW_TEST(map, forgets_what_was_unused_longest)
{
	struct phi_vdfs_stats st;
	struct phi_vdfs_map map[3];
	char name[2] = "a";
	int i;

	/* 10 MiB hold two of these. */
	for (i = 0; i < 3; i++, name[0]++) {
		self->bytes[0] = (char)i;
		ASSERT_EQ(0,
			  phi_vdfs_put(self->v, self->bytes, BIG, name, NULL));
	}
	ASSERT_EQ(0, phi_vdfs_map(self->v, "a", &map[0]));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "b", &map[1]));
	/* Both are in use: there is no room, and nothing is taken for it. */
	EXPECT_EQ(-ENOMEM, phi_vdfs_map(self->v, "c", &map[2]));
	EXPECT_EQ(0, *(const char *)map[0].addr);
	EXPECT_EQ(1, *(const char *)map[1].addr);
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map[0]));
	ASSERT_EQ(0, phi_vdfs_stats(self->v, &st));
	EXPECT_EQ(2, st.mapped);
	ASSERT_EQ(0, phi_vdfs_map(self->v, "c", &map[2]));
	EXPECT_EQ(2, *(const char *)map[2].addr);
	ASSERT_EQ(0, phi_vdfs_stats(self->v, &st));
	EXPECT_EQ(2, st.mapped);
	EXPECT_EQ(2 * BIG, st.mapped_bytes);
	EXPECT_EQ(1, *(const char *)map[1].addr);
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map[1]));
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map[2]));

	/* One that never fits, and one user who wants it all. */
	self->bytes[0] = 9;
	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, 1, "small", NULL));
	ASSERT_EQ(0, phi_vdfs_map(self->v, "small", &map[0]));
	ASSERT_EQ(0, phi_vdfs_unmap(self->v, &map[0]));
}

/* What user 1234 gets of 10 MiB. */
static int greedy(const struct daemon *d)
{
	struct phi_vdfs_map map;
	struct phi_vdfs *v;
	int phi;

	if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234) ||
	    session_new(d, "vdfs", &phi, &v))
		return 1;
	if (phi_vdfs_map(v, "a", &map))
		return 2;
	/* The same again costs nothing. */
	if (phi_vdfs_map(v, "a", &map))
		return 3;
	return phi_vdfs_map(v, "b", &map) == -EDQUOT ? 0 : 4;
}

SLOW_TEST(map, leaves_room_for_other_users)
{
	int status;

	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "a", NULL));
	self->bytes[0]++;
	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "b", NULL));
	if (!fork())
		_exit(greedy(&self->d));
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
}

/* One of several that map a blob at the same moment. */
struct racer {
	const struct daemon *d;
	pthread_t thread;
	int ret;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct phi_vdfs_map map;
	struct phi_vdfs *v;
	int phi;

	r->ret = session_new(r->d, "vdfs", &phi, &v);
	if (!r->ret)
		r->ret = phi_vdfs_map(v, "b", &map);
	if (!r->ret) {
		r->ret = *(const char *)map.addr == 7 ? 0 : -EBADMSG;
		phi_vdfs_unmap(v, &map);
	}
	session_end(phi, v);
	return NULL;
}

SLOW_TEST(map, is_filled_once_by_whoever_comes_first)
{
	struct racer racers[6];
	struct phi_vdfs_stats st;
	int i;

	self->bytes[0] = 7;
	ASSERT_EQ(0, phi_vdfs_put(self->v, self->bytes, BIG, "b", NULL));
	for (i = 0; i < 6; i++) {
		racers[i].d = &self->d;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, race,
					    &racers[i]));
	}
	for (i = 0; i < 6; i++) {
		pthread_join(racers[i].thread, NULL);
		EXPECT_EQ(0, racers[i].ret);
	}
	ASSERT_EQ(0, phi_vdfs_stats(self->v, &st));
	EXPECT_EQ(1, st.mapped);
	EXPECT_EQ(BIG, st.mapped_bytes);
}

TEST_HARNESS_MAIN
