/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_SELECT_H
#define _PHI_SELECT_H

#include <linux/types.h>
#include <phi/unit.h>

/**
 * DOC: The selection class
 *
 * The arithmetic of the built-in choice, as uapi/phi/infer.h documents it:
 * pure functions over a snapshot of the units. They take no lock and read no
 * clock, and compile in user space too, where they are tested.
 */

/* Run time assumed for an input when no unit has run the model yet. */
#define PHI_GUESS_NS 1000000ULL
/* Longest run time kept for one batch: about 13 days. */
#define PHI_PACE_MAX_NS 0x4000000000000ULL
/* Mean inputs are kept in parts of one in so many. */
#define PHI_PACE_PARTS 1024U
/* A batch moves the means by one part in this many. */
#define PHI_PACE_SHARE 8
/* A unit passed over more often than this ages. */
#define PHI_PASSED_FREE 16U
/* Load that keeps a unit just busy, and the most that counts. */
#define PHI_LOAD_FULL 1000U
#define PHI_LOAD_MAX 10000U
/* Millidegrees from which heat counts, and where it counts in full. */
#define PHI_HEAT_FROM 85000U
#define PHI_HEAT_MAX 125000U

/**
 * struct phi_pace - what the batches of a model on a unit were like
 * @run_ns: Mean run time.
 * @inputs: Mean inputs, in 1/PHI_PACE_PARTS; 0 = it never ran there.
 */
struct phi_pace {
	__u64 run_ns;
	__u64 inputs;
};

/**
 * struct phi_candidate - what is known of one unit open to the caller
 * @id: Its number.
 * @kind: PHI_UNIT_*.
 * @node: NUMA node, or PHI_UNIT_UNKNOWN.
 * @capacity: Batches it runs at once, at least 1.
 * @in_flight: Batches begun there and not ended.
 * @load: As reported, or PHI_UNIT_UNKNOWN.
 * @temperature: As reported, or PHI_UNIT_UNKNOWN.
 * @passed: Batches of the model since, that were given to others.
 * @average_ns: Run time of the model there, per input; 0 = never ran.
 * @pace: The means that give it.
 */
struct phi_candidate {
	__u32 id;
	__u32 kind;
	__u32 node;
	__u32 capacity;
	__u32 in_flight;
	__u32 load;
	__u32 temperature;
	__u32 passed;
	__u64 average_ns;
	struct phi_pace pace;
};

/**
 * struct phi_wish - what a batch asks for
 * @batch: Inputs in it, at least 1.
 * @wanted: Kind liked best, or PHI_UNIT_ANY.
 * @node: NUMA node of the caller, or PHI_UNIT_UNKNOWN.
 * @now_ns: CLOCK_MONOTONIC.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 */
struct phi_wish {
	__u32 batch;
	__u32 wanted;
	__u32 node;
	__u64 now_ns;
	__u64 deadline_ns;
};

void phi_select_learn(struct phi_pace *pace, __u64 run_ns, __u32 batch);
__u64 phi_select_average(const struct phi_pace *pace);
void phi_select_fill(struct phi_candidate *units, __u32 n, __u32 batch);
__u32 phi_select_passed(__u32 passed);
__u64 phi_select_score(const struct phi_candidate *unit,
		       const struct phi_wish *wish);
int phi_select_best(const struct phi_candidate *units, __u32 n,
		    const struct phi_wish *wish, __u64 *score_ns);

#endif /* _PHI_SELECT_H */
