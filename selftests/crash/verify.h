/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_VERIFY_H
#define CRASH_VERIFY_H

#include "disk.h"
#include "run.h"
#include "work.h"

/**
 * struct golden - what a store holds after each step of a workload
 * @load: Workload.
 * @text: For each of its steps.
 */
struct golden {
	const struct workload *load;
	char **text;
};

/**
 * struct progress - how far a workload had come
 * @begun: Steps begun.
 * @acked: Steps acknowledged.
 */
struct progress {
	size_t begun;
	size_t acked;
};

int golden_make(struct run *run, const char *name, struct golden *out);
void golden_free(struct golden *golden);
void progress_note(struct progress *progress, const char *text, size_t len);
int progress_read(struct progress *progress, const char *path);
int verify(const struct golden *golden, const char *root,
	   const struct progress *progress, char *why, size_t len);
bool golden_is(const struct golden *golden, size_t step, long hash);
bool golden_is_before(const struct golden *golden, size_t step, long hash);

/**
 * struct power - power cuts to try
 * @golden: What the store must hold.
 * @log: Of the workload.
 * @rules: NULL, or what is played wrong: then the first thing found ends it.
 * @some: Random cuts at each point.
 * @singles: At points where something was promised or synced, operations
 *           that are the only one kept, or the only one lost, up to these.
 * @acks: Only look where a step was acknowledged.
 * @from: Points of the log before this one are left out.
 * @most: So many points are looked at; 0 = all.
 * @seed: Of the random ones.
 * @every: Look at one in so many points, and at each that comes right after a
 *         step was acknowledged; 0 = 1.
 * @points: Out, points looked at.
 * @tried: Out, power cuts.
 * @verified: Out, different outcomes verified.
 * @bad: Out, how many of them break a promise.
 */
struct power {
	const struct golden *golden;
	const struct disk_log *log;
	const struct disk_rules *rules;
	unsigned int some;
	unsigned int singles;
	bool acks;
	size_t from;
	size_t most;
	uint64_t seed;
	size_t every;
	size_t points;
	size_t tried;
	size_t verified;
	size_t bad;
};

int power_cuts(struct run *run, struct power *power, FILE *report);

#endif /* CRASH_VERIFY_H */
