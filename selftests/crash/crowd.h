/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_CROWD_H
#define CRASH_CROWD_H

#include "work.h"

/**
 * DOC: A crowd
 *
 * Threads that change a store all at once, each its own names and items.
 * What a place holds is told by a version: its content follows from that,
 * and 0 stands for nothing. Notes say "b THREAD PLACE VERSION" before a
 * change and "a THREAD PLACE VERSION" when it was acknowledged.
 */

#define CROWD_THREADS 4
#define CROWD_PLACES 12 /* of a thread; the last few are items */
#define CROWD_ITEMS 4

int crowd_change(struct work *w, int thread, int place, unsigned long version);
int crowd_holds(struct work *w, int thread, int place, unsigned long version);
int crowd_create(struct work *w);

#endif /* CRASH_CROWD_H */
