/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_USERS_HOSTILE_H
#define BENCH_USERS_HOSTILE_H

#include "bus.h"
#include "selftests/vdfsd/kernel.h"

#define DIM 64U

/* hostile.c: what all users do; the first one ends the program on an error. */
void must(int ret, const char *what);
int create(struct bus_client *c, const char *name, uint32_t dim);
int fill(struct bus_client *c, uint64_t id, int n, uint32_t dim,
	 const char *metadata);
int mkdir_of(struct bus_client *c, const char *name);

/* worst.c: it begins, or ends with all of its sessions. */
void worst_set_up(void);
void worst_start(struct asker kernel);
void worst_let(bool run);
unsigned long worst_calls(void);

#endif /* BENCH_USERS_HOSTILE_H */
