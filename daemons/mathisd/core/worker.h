/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that run calls which may block; owners of sessions take turns. */
#ifndef MATHISD_CORE_WORKER_H
#define MATHISD_CORE_WORKER_H

struct md_call;
struct md_core;

/* Put a call in line: 0, or -EAGAIN when no thread can start. With the lock. */
int md_worker_queue(struct md_core *core, struct md_call *c);
/* Take a call out of the line again. With the lock. */
void md_worker_unqueue(struct md_core *core, struct md_call *c);
void md_workers_stop(struct md_core *core);

#endif
