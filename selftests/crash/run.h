/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "selftests/crash/oplog.h"

/**
 * struct run - a program that runs behind the shim
 * @top: Directory for everything below, in memory where there is such a one.
 * @root: What the program works in.
 * @notes: File that it writes what it has begun and finished to.
 * @log: Log of its operations.
 * @state: Directory to write a state of the disk to.
 * @kill: CRASH_KILL, or "".
 * @fail: CRASH_FAIL, or "".
 * @kinds: CRASH_KINDS, 0 = all.
 * @record: Whether to write the log.
 * @bare: Run without the shim.
 * @keep: Whether root, notes and log go on from where they are.
 * @count: What the shim counted, after the run.
 */
struct run {
	char top[64];
	char root[96];
	char notes[96];
	char log[96];
	char state[96];
	char kill[32];
	char fail[48];
	unsigned int kinds;
	bool record;
	bool bare;
	bool keep;
	struct crash_count count;
};

bool run_deep(void);

/* Of the points of a workload, make check looks at one in so many. */
#define RUN_STRIDE 3
int run_init(struct run *run);
void run_fini(struct run *run);
void run_clear(const char *dir);
pid_t run_start(struct run *run, const char *prog, const char *how);
int run_prog(struct run *run, const char *prog, const char *how);
int run_forked(int (*fn)(void *arg), void *arg, unsigned int seconds, char *why,
	       size_t len);
bool run_same_tree(const char *a, const char *b);

#endif /* CRASH_RUN_H */
