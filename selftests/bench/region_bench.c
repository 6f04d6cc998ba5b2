// SPDX-License-Identifier: GPL-2.0-only

/*
 * What sharing memory costs by regions and by memfd: make, hand over, map,
 * touch, unmap; and what it costs to take it back, which a memfd cannot do:
 * there each holder has to unmap it himself.
 *
 * Prints lines "name value unit ratio": nanoseconds, which are guest
 * instructions in a machine that counts them, and how many times the rival,
 * whose own line comes before, has the ratio 1.00.
 */

#include <stdlib.h>
#include <sys/socket.h>

#include "region/map.h"

#define ROUNDS 50
#define HOLDERS_MAX 256

static void fail(const char *what, int error)
{
	fprintf(stderr, "region_bench: %s: %s\n", what, strerror(error));
	exit(1);
}

static int need(const char *what, int ret)
{
	if (ret < 0)
		fail(what, ret == -1 ? errno : -ret);
	return ret;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Something to measure: ready() and undo() are outside. */
struct subject {
	void (*ready)(void);
	void (*run)(void);
	void (*undo)(void);
};

static double median(const struct subject *subject, int rounds)
{
	uint64_t times[ROUNDS];

	for (int i = -2; i < rounds; i++) {
		uint64_t start;

		if (subject->ready)
			subject->ready();
		start = monotonic_ns();
		subject->run();
		/* The first two warm up. */
		if (i >= 0)
			times[i] = monotonic_ns() - start;
		if (subject->undo)
			subject->undo();
	}
	qsort(times, rounds, sizeof(times[0]), by_value);
	return times[rounds / 2];
}

static void compare(const char *what, const struct subject *rival,
		    const struct subject *ours, int rounds)
{
	double theirs = median(rival, rounds);
	double mine = median(ours, rounds);

	printf("memfd_%s %.0f ns 1.00\n", what, theirs);
	printf("region_%s %.0f ns %.2f\n", what, mine, mine / theirs);
}

/* State of the subjects. */
static size_t bytes;
static int phi;
static uint64_t root;
static int memfd;
static char *mem;
static int holders;
static char *held[HOLDERS_MAX];
static uint64_t caps[HOLDERS_MAX];
static int wire[2];
static uint64_t endpoint;
static uint64_t came;
static int came_fd;

static void touch(char *at)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		__atomic_store_n(at + i, 1, __ATOMIC_RELAXED);
}

static char *map_region(uint64_t cap)
{
	char *at;

	need("map a region", do_map(phi, cap, bytes, RW, &at));
	return at;
}

static char *map_memfd(int fd)
{
	char *at = mmap(NULL, bytes, RW, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		fail("map a memfd", errno);
	return at;
}

static void region_create(void)
{
	need("create a region", do_region(phi, bytes, 0, &root));
}

static void region_drop(void)
{
	need("drop a region", do_drop(phi, root));
}

static void memfd_make(void)
{
	memfd = need("create a memfd", memfd_create("bench", MFD_CLOEXEC));
	need("size a memfd", ftruncate(memfd, bytes));
}

static void memfd_close(void)
{
	close(memfd);
}

/* Made, mapped, written, unmapped and gone. */
static void region_life(void)
{
	region_create();
	mem = map_region(root);
	touch(mem);
	munmap(mem, bytes);
	region_drop();
}

static void memfd_life(void)
{
	memfd_make();
	mem = map_memfd(memfd);
	touch(mem);
	munmap(mem, bytes);
	memfd_close();
}

static void region_map(void)
{
	mem = map_region(root);
	touch(mem);
}

static void memfd_map(void)
{
	mem = map_memfd(memfd);
	touch(mem);
}

static void unmap(void)
{
	munmap(mem, bytes);
}

/* Handed over, mapped, written, unmapped and let go. */
static void region_share(void)
{
	struct phi_send send = {
		.endpoint = endpoint,
		.ncaps = 1,
		.caps = { { .cap = root, .rights = PHI_RIGHT_ALL } },
	};
	struct phi_recv recv = { .endpoint = endpoint };

	need("send", PHI_DO(phi, SEND, &send));
	need("receive", PHI_DO(phi, RECV, &recv));
	came = recv.caps[0].cap;
	mem = map_region(came);
	touch(mem);
	munmap(mem, bytes);
	need("drop", do_drop(phi, came));
}

static void memfd_share(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	char byte;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &memfd, sizeof(int));
	need("send", sendmsg(wire[0], &msg, 0));
	iov.iov_base = &byte;
	need("receive", recvmsg(wire[1], &msg, MSG_CMSG_CLOEXEC));
	memcpy(&came_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	mem = map_memfd(came_fd);
	touch(mem);
	munmap(mem, bytes);
	close(came_fd);
}

/* Holders of a capability each, with the memory mapped and written. */
static void region_hold(void)
{
	for (int i = 0; i < holders; i++) {
		need("derive", do_derive(phi, root, RIGHTS, &caps[i]));
		held[i] = map_region(caps[i]);
		touch(held[i]);
	}
}

static void region_revoke(void)
{
	need("revoke", do_revoke(phi, root));
}

static void region_let_go(void)
{
	for (int i = 0; i < holders; i++) {
		munmap(held[i], bytes);
		need("drop", do_drop(phi, caps[i]));
	}
}

static void memfd_hold(void)
{
	for (int i = 0; i < holders; i++) {
		held[i] = map_memfd(memfd);
		touch(held[i]);
	}
}

static void memfd_unmap(void)
{
	for (int i = 0; i < holders; i++)
		munmap(held[i], bytes);
}

/* All but the first derive from the root: one of many is taken back. */
static void region_hold_one(void)
{
	uint64_t mid;

	need("derive", do_derive(phi, root, RIGHTS, &mid));
	region_hold();
	munmap(held[0], bytes);
	need("drop", do_drop(phi, caps[0]));
	need("derive", do_derive(phi, mid, RIGHTS, &caps[0]));
	held[0] = map_region(caps[0]);
	touch(held[0]);
	came = mid;
}

static void region_revoke_one(void)
{
	need("revoke", do_revoke(phi, came));
}

static void region_let_go_one(void)
{
	region_let_go();
	need("drop", do_drop(phi, came));
}

static void memfd_unmap_one(void)
{
	munmap(held[0], bytes);
	held[0] = NULL;
}

static void memfd_unmap_rest(void)
{
	for (int i = 1; i < holders; i++)
		munmap(held[i], bytes);
}

static const struct subject memfd_lives = { NULL, memfd_life, NULL };
static const struct subject region_lives = { NULL, region_life, NULL };
static const struct subject memfd_maps = { NULL, memfd_map, unmap };
static const struct subject region_maps = { NULL, region_map, unmap };
static const struct subject memfd_unmaps = { memfd_map, unmap, NULL };
static const struct subject region_unmaps = { region_map, unmap, NULL };
static const struct subject memfd_shares = { NULL, memfd_share, NULL };
static const struct subject region_shares = { NULL, region_share, NULL };
static const struct subject memfd_ends = { memfd_hold, memfd_unmap, NULL };
static const struct subject region_ends = { region_hold, region_revoke,
					    region_let_go };
static const struct subject memfd_one = { memfd_hold, memfd_unmap_one,
					  memfd_unmap_rest };
static const struct subject region_one = { region_hold_one, region_revoke_one,
					   region_let_go_one };

static void name(char *to, size_t room, const char *what, int n)
{
	snprintf(to, room, "%s_%s_%d", what, bytes == PAGE ? "1page" : "2mib",
		 n);
}

static void measure(size_t size)
{
	static const int crowds[] = { 1, 16, 256 };
	const char *tag = size == PAGE ? "1page" : "2mib";
	int rounds = size == PAGE ? ROUNDS : 11;
	char text[64];

	bytes = size;
	snprintf(text, sizeof(text), "life_%s", tag);
	compare(text, &memfd_lives, &region_lives, rounds);

	region_create();
	memfd_make();
	snprintf(text, sizeof(text), "map_touch_%s", tag);
	compare(text, &memfd_maps, &region_maps, rounds);
	snprintf(text, sizeof(text), "unmap_%s", tag);
	compare(text, &memfd_unmaps, &region_unmaps, rounds);
	snprintf(text, sizeof(text), "share_%s", tag);
	compare(text, &memfd_shares, &region_shares, rounds);
	for (unsigned int i = 0; i < 3; i++) {
		if (size != PAGE && i)
			break;
		holders = crowds[i];
		rounds = holders > 16 ? 7 : rounds;
		name(text, sizeof(text), "revoke_or_unmap", holders);
		compare(text, &memfd_ends, &region_ends, rounds);
	}
	if (size == PAGE) {
		name(text, sizeof(text), "revoke_or_unmap_one_of", holders);
		compare(text, &memfd_one, &region_one, rounds);
	}
	region_drop();
	memfd_close();
}

int main(void)
{
	phi = need("open /dev/phi (is phi.ko loaded?)", do_open());
	need("create an endpoint", do_endpoint(phi, &endpoint));
	need("make sockets",
	     socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire));
	measure(PAGE);
	measure(HUGE);
	return 0;
}
