/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * DOC: Processor time between users
 *
 * Threads of a daemon compute for its users, and the kernel gives each thread as
 * much as any other. So a user whose calls compute without an end would have
 * more than those whose calls are short. A thread that serves a user says so by
 * pace_enter(), and a call that may take long has steps, pace_step(), where it
 * holds no lock: when the user has had more than its part of the process' time
 * since the last step, the thread sleeps. Its part is one of as many as there
 * were users with calls meanwhile, or with one a moment before. So one who is
 * alone never sleeps, nor does anyone while no thread waits for a processor.
 *
 * A thread that computes with a lock or a transaction says so by pace_hold(): its
 * steps count, and the first one behind pace_release() sleeps for all of them.
 */

void pace_enter(uint32_t uid);
void pace_leave(void);
void pace_step(void);
void pace_hold(void);
void pace_release(void);
void pace_rush(bool rush);

/* For threads that help: whom this one serves, and what was done for that one. */
int64_t pace_user(void);
uint64_t pace_time(void);
void pace_helped(int64_t uid, uint64_t ns);

#endif /* BASE_PACE_H */
