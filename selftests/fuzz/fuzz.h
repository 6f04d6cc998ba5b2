/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_FUZZ_H
#define _SELFTESTS_FUZZ_H

#include "phi_calls.h"
#include "phi_ioctl.h"

#define POOL 16
#define PAGES 16

/* What the threads of one process share. */
struct world {
	int phi[2]; /* two cspaces */
	int files[5]; /* for fields that want one */
	int self; /* pidfd of the process */
	int child; /* pidfd of a child that has executed nothing */
	/* By cspace and type; of type 0: tickets and reservations. */
	uint64_t pool[2][PHI_TYPE_SESSION + 1][POOL];
	uint8_t *memory; /* PAGES pages, every fourth not accessible */
	union {
		struct phi_token token;
		struct phi_aios_token aios;
	};
};

/* One thread. */
struct fuzzer {
	struct world *world;
	uint64_t state;
	struct phi_endowment give; /* to the child */
	int which; /* of the two cspaces, for the call at hand */
	uint32_t type; /* of the handle that the call at hand is about */
	int wrong; /* an errno that is not in the interface */
	unsigned int wrong_cmd;
};

uint32_t any(struct fuzzer *f);
bool one_in(struct fuzzer *f, uint32_t n);
uint64_t a_handle(struct fuzzer *f, uint32_t type);
uint64_t any_pointer(struct fuzzer *f);
void fill(struct fuzzer *f, const struct call *call, uint64_t *arg);

#endif /* _SELFTESTS_FUZZ_H */
