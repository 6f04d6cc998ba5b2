/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FUZZ_FAKE_PHI_H
#define FUZZ_FAKE_PHI_H

#include <phi/phi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: libphi without a kernel
 *
 * Capabilities are numbers that are used once; regions are memory of the
 * exact length, so that ASan sees who leaves it. Dropping what is not held
 * aborts, and so does fake_end() when anything still is.
 */

#define FAKE_CAPS 4096

/**
 * struct fake_region - memory that may be mapped
 * @refs: Capabilities, maps, and whoever made it.
 * @revoked: Nobody can touch it any more.
 * @addr: Where it is.
 * @len: Its length.
 */
struct fake_region {
	unsigned int refs;
	bool revoked;
	char *addr;
	size_t len;
};

/**
 * struct fake - what the fuzzer says the kernel does
 * @reply: Called with each answer; returns what phi_reply() does.
 * @call: Called for each phi_call().
 * @seen: All that was read is added to it, so that it is.
 * @deny: This many of the calls that make something succeed, then none; negative = all.
 */
struct fake {
	int (*reply)(uint64_t reply, const struct phi_msg *msg);
	int (*call)(const struct phi_msg *msg, struct phi_msg_in *answer);
	uint64_t seen;
	atomic_int deny;
};

extern struct fake fake;

struct fake_region *fake_region_new(size_t len);
void fake_region_put(struct fake_region *region);
struct fake_region *fake_region_at(const void *addr);
uint64_t fake_cap(uint32_t type, uint32_t rights, uint64_t badge,
		  struct fake_region *region);
uint64_t fake_badge(uint64_t cap);
struct fake_region *fake_region_of(uint64_t cap);
void fake_end(void);

#endif /* FUZZ_FAKE_PHI_H */
