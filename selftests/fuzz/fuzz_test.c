// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random calls from threads and dying processes, 200 000 by default. What must
 * hold is little: nothing hangs, the kernel log stays clean (tools/check looks
 * at it), no call returns an errno the interface does not have, and all that
 * was made is gone at the end. PHI_FUZZ_CALLS and PHI_FUZZ_SEED change it;
 * the seed of a failure is printed.
 */

#include "kselftest_harness.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "lib/phi_calls.h"
#include "lib/phi_ioctl.h"

#define THREADS 3
#define POOL 256
#define PAGES 16
#define CALLS_PER_LIFE 5000

/* What the threads of one process share. */
struct world {
	int phi[2];
	int files[4]; /* for fields that want one */
	uint64_t pool[POOL]; /* handles, of whichever cspace */
	uint8_t *memory; /* PAGES pages, every fourth not accessible */
	struct phi_token token;
	bool stop;
};

struct fuzzer {
	struct world *world;
	uint64_t state;
	unsigned long calls;
	int wrong; /* an errno that is not in the interface */
	unsigned int wrong_cmd;
};

/* xorshift64*, so that a seed means the same everywhere. */
static uint32_t any(struct fuzzer *f)
{
	f->state ^= f->state >> 12;
	f->state ^= f->state << 25;
	f->state ^= f->state >> 27;
	return (f->state * 0x2545f4914f6cdd1dULL) >> 32;
}

static bool one_in(struct fuzzer *f, uint32_t n)
{
	return any(f) % n == 0;
}

static uint64_t any_handle(struct fuzzer *f)
{
	uint64_t handle = f->world->pool[any(f) % POOL];

	if (one_in(f, 16))
		return handle ^ 1ULL << any(f) % 64;
	if (one_in(f, 64))
		return (uint64_t)any(f) << 32 | any(f);
	return handle;
}

static uint64_t any_pointer(struct fuzzer *f)
{
	uint64_t at = any(f) % (PAGES * 4096);

	if (one_in(f, 32))
		return (uint64_t)any(f) << 32 | any(f);
	/* Mostly with room behind it, in a page that is accessible. */
	if (!one_in(f, 8))
		at = at & ~0x3fffULL;
	return (uintptr_t)f->world->memory + at;
}

static uint32_t small(struct fuzzer *f)
{
	static const uint32_t some[] = { 0,    1,	2,	  3,   4,
					 6,    17,	255,	  256, 257,
					 4096, 1 << 16, 1U << 31, ~0U };

	return one_in(f, 2) ? any(f) % 8 : some[any(f) % ARRAY_SIZE(some)];
}

/* One 8-byte field: a handle, a pointer, two small numbers, or noise. */
static uint64_t any_field(struct fuzzer *f)
{
	switch (any(f) % 8) {
	case 0:
	case 1:
	case 2:
		return any_handle(f);
	case 3:
		return any_pointer(f);
	case 4:
		return 0;
	case 5:
		return (uint64_t)small(f) << 32 | small(f);
	case 6:
		return 4096ULL * (any(f) % 40);
	default:
		return 1ULL << any(f) % 64;
	}
}

/* What random fields would seldom hit: make the call likely to go far. */
static void aim(struct fuzzer *f, unsigned int cmd, void *arg)
{
	struct world *w = f->world;

	if (one_in(f, 4))
		return;
	if (cmd == PHI_IOC_CAP_DERIVE) {
		struct phi_cap_derive *a = arg;

		a->cap = any_handle(f);
		a->rights = any(f) & any(f) & PHI_RIGHT_ALL;
		a->pad = 0;
		a->badge = one_in(f, 8);
		a->expires_ns =
			one_in(f, 4) ? boottime_ns() + any(f) % 1000000 : 0;
	} else if (cmd == PHI_IOC_REGION_CREATE) {
		struct phi_region_create *a = arg;

		a->flags = any(f) % 2;
		a->bytes = 4096ULL * (any(f) % 600);
	} else if (cmd == PHI_IOC_SEND || cmd == PHI_IOC_CALL) {
		/* The structs begin alike. */
		struct phi_send *a = arg;

		a->endpoint = any_handle(f);
		a->data = any_pointer(f);
		a->len = any(f) % (PHI_MSG_MAX + 2);
		a->ncaps = any(f) % (PHI_MSG_CAPS_MAX + 1);
		memset(a->caps, 0, sizeof(a->caps));
		for (uint32_t i = 0; i < a->ncaps; i++)
			a->caps[i] = (struct phi_xfer){ any_handle(f),
							any(f) % 2,
							PHI_RIGHT_ALL };
	} else if (cmd == PHI_IOC_CAP_UNSEAL) {
		struct phi_cap_unseal *a = arg;

		a->token = (uintptr_t)&w->token;
	} else if (cmd == PHI_IOC_CAP_SEAL) {
		struct phi_cap_seal *a = arg;

		*a = (struct phi_cap_seal){
			.cap = any_handle(f),
			.rights = any(f) & any(f) & PHI_RIGHT_ALL,
			.token = (uintptr_t)&w->token,
		};
	} else if (cmd == PHI_IOC_UNIT_REGISTER) {
		struct phi_unit_register *a = arg;

		*a = (struct phi_unit_register){ .kind = 1 + any(f) % 3,
						 .capacity = 1 + any(f) % 4,
						 .name = "fuzz" };
	} else if (cmd == PHI_IOC_MODEL_REGISTER) {
		struct phi_model_register *a = arg;

		*a = (struct phi_model_register){ .endpoint = any_handle(f),
						  .max_batch = 8,
						  .name = "fuzz" };
	} else if (cmd == PHI_IOC_INFER_BEGIN) {
		struct phi_infer_begin *a = arg;

		*a = (struct phi_infer_begin){ .model = any_handle(f),
					       .batch = 1 + any(f) % 8 };
	} else if (cmd == PHI_IOC_NOTIFY_BIND) {
		struct phi_notify_bind *a = arg;

		a->notify = any_handle(f);
		a->eventfd = w->files[any(f) % ARRAY_SIZE(w->files)];
		a->pad = 0;
	}
}

/* No call may wait for long, and most sizes and flags are right ones. */
static void fill(struct fuzzer *f, const struct call *call, uint64_t *arg)
{
	uint32_t head[2] = { call->size, 0 };

	for (unsigned int i = 1; i < CALL_BYTES / 8; i++)
		arg[i] = any_field(f);
	aim(f, call->cmd, arg);
	if (one_in(f, 64))
		head[0] = small(f);
	if (call->flags)
		head[1] = any(f) & call->flags;
	if (one_in(f, 64))
		head[1] = any(f);
	memcpy(arg, head, sizeof(head));
	if (call->pad && !one_in(f, 64))
		memset((uint8_t *)arg + call->pad, 0, 4);
	if (call->cmd == PHI_IOC_REPLY_RECV) {
		struct phi_reply_recv *both = (void *)arg;

		both->reply.size = sizeof(both->reply);
		both->reply.flags = 0;
		both->recv.size = sizeof(both->recv);
		both->recv.flags = any(f) & (PHI_NONBLOCK | PHI_RECV_NOCAPS);
	}
	if (call->deadline) {
		uint64_t soon = monotonic_ns() + any(f) % 300000;

		memcpy((uint8_t *)arg + call->deadline, &soon, sizeof(soon));
	}
}

static bool in_interface(int err)
{
	switch (err) {
	case EFAULT:
	case EINVAL:
	case E2BIG:
	case EOPNOTSUPP:
	case EBADF:
	case EKEYREVOKED:
	case EKEYEXPIRED:
	case EKEYREJECTED:
	case EPERM:
	case ELOOP:
	case EDQUOT:
	case EAGAIN:
	case ETIMEDOUT:
	case EPIPE:
	case EMSGSIZE:
	case ENOSPC:
	case ENOENT:
	case EEXIST:
	case ENOMEM:
	case EINTR:
		return true;
	default:
		return false;
	}
}

/* Keep what calls made, where the next ones find it. */
static void harvest(struct fuzzer *f, const struct call *call, uint64_t *arg)
{
	uint64_t *slot = &f->world->pool[any(f) % POOL];

	if (call->cmd == PHI_IOC_ENDPOINT_FD) {
		close(((struct phi_endpoint_fd *)arg)->fd);
	} else if (call->cmd == PHI_IOC_RECV) {
		struct phi_recv *recv = (void *)arg;

		*slot = recv->reply ?: recv->caps[0].cap;
	} else if (call->cmd == PHI_IOC_INFER_BEGIN) {
		struct phi_infer_begin *begin = (void *)arg;

		if (begin->ticket)
			*slot = begin->ticket;
	} else if (call->size >= 16 && call->cmd != PHI_IOC_SYSTEM_STATS &&
		   !one_in(f, 4)) {
		/* The handle of a call that makes one is its last field. */
		*slot = arg[call->size / 8 - 1];
	}
}

/* Map a region and touch it, whoever revokes it meanwhile. */
static void touch(struct fuzzer *f)
{
	struct phi_region_info info = { .cap = any_handle(f) };
	int phi = f->world->phi[any(f) % 2];
	int sink = f->world->files[3];
	void *map;

	if (PHI_DO(phi, REGION_INFO, &info))
		return;
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, phi,
		   info.offset);
	if (map == MAP_FAILED)
		return;
	/* By way of the kernel, so that a revoked page is an error, no signal. */
	for (int i = 0; i < 4; i++) {
		if (pwrite(sink, map, 4096, 0) < 0 && errno != EFAULT)
			break;
		if (pread(sink, (uint8_t *)map + 4096, 4096, 0) < 0 &&
		    errno != EFAULT)
			break;
	}
	munmap(map, 8192);
}

static void fuzz_once(struct fuzzer *f)
{
	uint64_t arg[CALL_BYTES / 8] = {};
	const struct call *call = &calls[any(f) % ARRAY_SIZE(calls)];
	int phi = f->world->phi[one_in(f, 4)];

	/* A cspace that is closed is another way for things to end. */
	if (one_in(f, 2000)) {
		int fresh = do_open(), old;

		old = __atomic_exchange_n(&f->world->phi[1], fresh,
					  __ATOMIC_RELAXED);
		close(old);
		return;
	}
	if (one_in(f, 20))
		touch(f);
	fill(f, call, arg);
	f->calls++;
	if (!ioctl(phi, call->cmd,
		   one_in(f, 64) ? (void *)(uintptr_t)any_pointer(f) : arg)) {
		harvest(f, call, arg);
	} else if (!in_interface(errno) && !f->wrong) {
		f->wrong = errno;
		f->wrong_cmd = call->cmd;
	}
}

static void *fuzz_loop(void *arg)
{
	struct fuzzer *f = arg;

	for (int i = 0; i < CALLS_PER_LIFE / THREADS; i++)
		fuzz_once(f);
	return NULL;
}

static int make_world(struct world *w)
{
	char name[] = "/tmp/phi-fuzz-XXXXXX";

	w->phi[0] = do_open();
	w->phi[1] = do_open();
	w->files[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->files[1] = -1;
	w->files[2] = open("/sys/fs/cgroup", O_RDONLY | O_CLOEXEC);
	w->files[3] = mkstemp(name);
	unlink(name);
	w->memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->phi[0] < 0 || w->phi[1] < 0 || w->memory == MAP_FAILED ||
	    w->files[0] < 0 || w->files[3] < 0)
		return -EIO;
	for (int i = 3; i < PAGES; i += 4)
		mprotect(w->memory + i * 4096, 4096, PROT_NONE);
	if (ftruncate(w->files[3], 4096))
		return -errno;
	return 0;
}

/* What a process is told, and what it tells. */
struct life {
	uint64_t seed;
	unsigned int dies_after_us; /* 0 = when it is done */
	unsigned long calls;
};

static void *killer(void *arg)
{
	usleep(*(unsigned int *)arg);
	kill(getpid(), SIGKILL);
	return NULL;
}

/* The life of one process: some threads that call at random. */
static int live(void *arg)
{
	struct life *life = arg;
	struct fuzzer f[THREADS] = {};
	static struct world world;
	pthread_t thread[THREADS], death;
	int ret = make_world(&world);

	if (ret)
		return ret;
	/* A hang is a failure, not a wait. */
	alarm(240);
	if (life->dies_after_us &&
	    pthread_create(&death, NULL, killer, &life->dies_after_us))
		return -EIO;
	for (int i = 0; i < THREADS; i++) {
		f[i].world = &world;
		f[i].state = (life->seed << 8 | i) * 0x9e3779b97f4a7c15ULL | 1;
		if (pthread_create(&thread[i], NULL, fuzz_loop, &f[i]))
			return -EIO;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		if (f[i].wrong) {
			printf("# call %#x: %s\n", f[i].wrong_cmd,
			       strerror(f[i].wrong));
			return -f[i].wrong;
		}
	}
	return 0;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

TEST(random_calls)
{
	unsigned long calls_wanted = setting("PHI_FUZZ_CALLS", 200000);
	unsigned long seed = setting("PHI_FUZZ_SEED", 1);
	struct phi_system_stats before;
	int phi = do_open();

	ASSERT_LE(0, phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(phi, &before));
	for (unsigned long made = 0; made < calls_wanted; seed++) {
		/* Every fourth process is killed before it is done. */
		struct life life = {
			.seed = seed,
			.dies_after_us = seed % 4 ? 0 : 1000 + seed % 7 * 20000,
		};
		int ret = in_child(live, &life);

		/* ECHILD: it died; only those that were to die may. */
		if (!life.dies_after_us || ret != -ECHILD) {
			ASSERT_EQ(0, ret)
			{
				TH_LOG("seed %lu", seed);
			}
			made += CALLS_PER_LIFE;
		}
	}
	EXPECT_TRUE(do_settled(phi, &before));
	close(phi);
}

TEST_HARNESS_MAIN
