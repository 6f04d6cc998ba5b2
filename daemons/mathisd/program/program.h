/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program in this process: a machine whose calls a session serves.
 */
#ifndef MATHISD_PROGRAM_PROGRAM_H
#define MATHISD_PROGRAM_PROGRAM_H

#include <mathis/mathis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct md_run;
struct md_session;

TAILQ_HEAD(md_run_list, md_run);

struct md_program {
	struct md_session *session;
	struct mathis_machine *machine;
	struct md_run_list runs; /* upcalls whose tasks run */
	atomic_bool has_news;
	pthread_cond_t news; /* with core->lock: a call ended */
};

/* Prepare a program for its machine: what mathis_machine_new() is given. */
void md_program_init(struct md_program *p, struct md_session *session,
		     struct mathis_host *host);
/* Run it until it ends or has no fuel: as mathis_run(). */
int md_program_run(struct md_program *p);
/* After this its machine may be freed; the session lives on. */
void md_program_fini(struct md_program *p);

#endif
