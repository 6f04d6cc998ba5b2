/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MATHISD_PROGRAM_UPCALL_IMPL_H
#define MATHISD_PROGRAM_UPCALL_IMPL_H

#include <mathis/mathis.h>

struct mathis_item;
struct md_program;

void md_program_drop_funcs(struct mathis_machine *m, struct mathis_item *item);

/* Begin the upcalls of the inbox, and drop functions. */
void md_program_upcalls(struct md_program *p);
/* A task of an upcall ended: struct mathis_host. */
void md_program_task_ended(void *arg, uint64_t task, struct mathis_value value,
			   bool failed);
/* End those whose tasks run, for the program ends. */
void md_program_end_upcalls(struct md_program *p);

#endif
