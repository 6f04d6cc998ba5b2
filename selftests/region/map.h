/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_REGION_MAP_H
#define _SELFTESTS_REGION_MAP_H

/* Regions as the tests use them: map by handle, touch and see what happens. */

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "phi_ioctl.h"

#define PAGE 4096UL
#define HUGE (512 * PAGE)

#define RIGHTS                                                               \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC | PHI_RIGHT_MAP | \
	 PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define RW (PROT_READ | PROT_WRITE)

static __thread sigjmp_buf touch_env;
static __thread int touch_armed;

static inline void touch_handler(int signal_)
{
	if (!__atomic_load_n(&touch_armed, __ATOMIC_SEQ_CST)) {
		signal(signal_, SIG_DFL);
		return;
	}
	siglongjmp(touch_env, signal_);
}

static inline void touch_arm(int armed)
{
	__atomic_store_n(&touch_armed, armed, __ATOMIC_SEQ_CST);
}

/* Call once before the others. */
static inline void touch_init(void)
{
	struct sigaction action = { .sa_handler = touch_handler };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* Read a byte: what it holds, or -SIGBUS or -SIGSEGV. */
static inline int peek(const void *at)
{
	int ret = sigsetjmp(touch_env, 1);

	if (ret) {
		ret = -ret;
	} else {
		touch_arm(1);
		ret = __atomic_load_n((const unsigned char *)at,
				      __ATOMIC_SEQ_CST);
	}
	touch_arm(0);
	return ret;
}

/* Write a byte: 0, or -SIGBUS or -SIGSEGV. */
static inline int poke(void *at, unsigned char value)
{
	int ret = sigsetjmp(touch_env, 1);

	if (ret) {
		ret = -ret;
	} else {
		touch_arm(1);
		__atomic_store_n((unsigned char *)at, value, __ATOMIC_SEQ_CST);
	}
	touch_arm(0);
	return ret;
}

static inline int do_info(int phi, uint64_t cap, struct phi_region_info *arg)
{
	*arg = (struct phi_region_info){ .cap = cap };
	return PHI_DO(phi, REGION_INFO, arg);
}

/* The offset of a handle; also of one that is dead by now. */
static inline off_t offset_of(uint64_t cap)
{
	return (off_t)((cap >> 32 << 16 | (cap & 0xffff)) * PAGE);
}

/* Map by handle: 0 or a negative errno. */
static inline int do_map(int phi, uint64_t cap, size_t bytes, int prot,
			 void *at)
{
	void *mem = mmap(NULL, bytes, prot, MAP_SHARED, phi, offset_of(cap));

	*(void **)at = mem;
	return mem == MAP_FAILED ? -errno : 0;
}

/* Faults that this thread had so far. */
static inline long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/* Live mappings of a region, or a negative errno. */
static inline int mappings(int phi, uint64_t cap)
{
	struct phi_region_info info;
	int ret = do_info(phi, cap, &info);

	return ret ?: (int)info.mappings;
}

#endif /* _SELFTESTS_REGION_MAP_H */
