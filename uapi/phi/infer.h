/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_INFER_H
#define _PHI_INFER_H

#include <phi/base.h>
#include <phi/unit.h>

/**
 * DOC: Models and inferences
 *
 * A MODEL capability is a service object of the daemon that loaded the
 * model: clients call its endpoint through it. The daemon brackets each
 * batch with INFER_BEGIN, which asks the policies, chooses the unit and
 * charges it, and INFER_END, which releases it and keeps the averages.
 *
 * The built-in choice gives each healthy unit open to the caller a score in
 * nanoseconds; the lowest wins, of equals the one with the lower id. With
 * RUN = the average of this model there times the batch, it is the sum of
 *
 *  RUN
 *  RUN * (in_flight + 1 - capacity) / capacity  once capacity is in flight
 *  RUN * (min(load, 10000) - 1000) / 1000       when load is above 1000
 *  RUN * (min(temperature, 125000) - 85000) / 40000
 *                                               when it is above 85000
 *  RUN * 10   when now plus the four above is later than the deadline
 *  RUN / 10   when unit and caller are on different, known NUMA nodes
 *  RUN / 10   when a kind is wanted and it is another
 *
 * each rounded down, and held at 2^64 - 1. in_flight is what the caller's user
 * has in flight there, plus, of each other user, what it has but no more than
 * capacity: batches that are begun and never ended cost the others one turn of
 * the unit, however many they are. A figure that is
 * PHI_UNIT_UNKNOWN adds nothing. Of a
 * unit that the last PASSED > 16 batches of the model begun were not given to,
 * though it was open to them, and that has less than capacity in flight, only
 * 16 / PASSED of the sum counts: one that looks K times slower is tried again
 * after 16 * K batches, so that trying costs about a sixteenth of the time at
 * most.
 *
 * For a model on a unit the mean run time, at most 2^50 ns, and the mean
 * inputs, in 1/1024, are kept. Both are the first batch's; each later batch
 * moves them by an eighth of the difference, rounded down. A batch that tries
 * a unit again, PASSED being above 16, counts as the first. Batches that
 * failed do not count, nor do those of other users than the model's owner,
 * here and in PASSED: a client cannot spoil what the daemon measured. The
 * average is the mean run time over the mean inputs, rounded down, at least
 * 1 ns.
 *
 * The time of a small batch for each input says little about larger ones. MEAN
 * is the mean of the averages of the candidates whose mean inputs are half
 * the batch or more; when there is none, of all that have run the model; when
 * none has, 1 ms. A unit that has not run the model yet counts MEAN as its
 * average. So does one with mean inputs below half the batch, while another
 * candidate has not: when its own average is higher than MEAN, but not less
 * than its mean run time over the batch.
 */

/**
 * struct phi_model_register - ioctl(PHI_IOC_MODEL_REGISTER)
 * @size: sizeof(struct phi_model_register).
 * @flags: Must be 0.
 * @endpoint: ENDPOINT handle with SEND, ADMIN and GRANT, else EPERM.
 * @badge: Badge of its messages. When @endpoint has a badge it
 *         must be that one, else EPERM.
 * @max_batch: Most inputs in one batch, 1 to 65536.
 * @pad: Must be 0.
 * @id: Out, the model's number, never used again until the module is loaded
 *      again.
 * @name: For people and policies; NUL-terminated, not empty, rest zero.
 * @cap: Out, MODEL handle with EXEC, SEND, ADMIN and GRANT.
 *
 * MODEL_QUERY lists the model until its last live capability ends, or its
 * endpoint dies.
 */
struct phi_model_register {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__aligned_u64 badge;
	__u32 max_batch;
	__u32 pad;
	__aligned_u64 id;
	__u8 name[PHI_NAME_MAX];
	__aligned_u64 cap;
};

#define PHI_IOC_MODEL_REGISTER _IO(PHI_IOC_MAGIC, 0x73)

/* struct phi_infer_begin @wanted: no preference. */
#define PHI_UNIT_ANY 0

/* struct phi_infer_begin @why: who chose the unit. */
#define PHI_CHOSEN_BUILTIN 1
#define PHI_CHOSEN_POLICY 2

/**
 * struct phi_infer_begin - ioctl(PHI_IOC_INFER_BEGIN)
 * @size: sizeof(struct phi_infer_begin).
 * @flags: Must be 0.
 * @model: MODEL handle with EXEC.
 * @batch: In, inputs at hand, 1 to the model's max_batch; Out, how many of
 *         them may run now: a policy may have capped it.
 * @wanted: PHI_UNIT_ANY or the kind of unit liked best.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 * @queued_ns: How long the oldest input has waited, for the policies.
 * @unit: Out, id of the chosen unit.
 * @why: Out, PHI_CHOSEN_*.
 * @score_ns: Out, the built-in score of the chosen unit.
 * @ticket: Out, for INFER_END, on the same /dev/phi file.
 *
 * Fails with ENOENT when no healthy unit is open to the caller, EDQUOT when
 * its tickets or the PHI_BUDGET_UNIT of its agent are spent, or the errno of a
 * policy.
 */
struct phi_infer_begin {
	__u32 size;
	__u32 flags;
	__aligned_u64 model;
	__u32 batch;
	__u32 wanted;
	__aligned_u64 deadline_ns;
	__aligned_u64 queued_ns;
	__u32 unit;
	__u32 why;
	__aligned_u64 score_ns;
	__aligned_u64 ticket;
};

#define PHI_IOC_INFER_BEGIN _IO(PHI_IOC_MAGIC, 0x74)

/**
 * struct phi_infer_end - ioctl(PHI_IOC_INFER_END)
 * @size: sizeof(struct phi_infer_end).
 * @flags: Must be 0.
 * @ticket: From INFER_BEGIN; good once.
 * @result: 0, or the negative errno the batch failed with: its time is not
 *          averaged then.
 * @pad: Must be 0.
 * @run_ns: Out, time since INFER_BEGIN.
 *
 * ENOENT when the ticket is not one of this file. Batches of a process
 * that dies end with its file, as failed.
 */
struct phi_infer_end {
	__u32 size;
	__u32 flags;
	__aligned_u64 ticket;
	__s32 result;
	__u32 pad;
	__aligned_u64 run_ns;
};

#define PHI_IOC_INFER_END _IO(PHI_IOC_MAGIC, 0x75)

/**
 * struct phi_infer_select - ioctl(PHI_IOC_INFER_SELECT)
 * @size: sizeof(struct phi_infer_select).
 * @flags: Must be 0.
 * @model: MODEL handle with EXEC.
 * @batch: As for INFER_BEGIN.
 * @wanted: As for INFER_BEGIN.
 * @deadline_ns: As for INFER_BEGIN.
 * @unit: Out.
 * @why: Out.
 * @score_ns: Out.
 *
 * Reports the choice of INFER_BEGIN; charges nothing, asks infer_pre
 * nothing.
 */
struct phi_infer_select {
	__u32 size;
	__u32 flags;
	__aligned_u64 model;
	__u32 batch;
	__u32 wanted;
	__aligned_u64 deadline_ns;
	__u32 unit;
	__u32 why;
	__aligned_u64 score_ns;
};

#define PHI_IOC_INFER_SELECT _IO(PHI_IOC_MAGIC, 0x76)

/**
 * struct phi_model_query - ioctl(PHI_IOC_MODEL_QUERY)
 * @size: sizeof(struct phi_model_query).
 * @flags: Must be 0.
 * @id: In, the first id to look at; Out, the model found, that one or the
 *      next higher. ENOENT when there is none.
 * @max_batch: Out.
 * @in_flight: Out, batches begun and not ended.
 * @uid: Out, the owner, in the caller's user namespace.
 * @pad: Must be 0.
 * @batches: Out, batches ended well.
 * @items: Out, inputs in them.
 * @failed: Out, batches that ended with an error.
 * @run_ns: Out, time in batches that ended well.
 * @name: Out.
 */
struct phi_model_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__u32 max_batch;
	__u32 in_flight;
	__u32 uid;
	__u32 pad;
	__aligned_u64 batches;
	__aligned_u64 items;
	__aligned_u64 failed;
	__aligned_u64 run_ns;
	__u8 name[PHI_NAME_MAX];
};

#define PHI_IOC_MODEL_QUERY _IO(PHI_IOC_MAGIC, 0x77)

#endif /* _PHI_INFER_H */
