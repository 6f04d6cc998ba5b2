/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values that an embedder keeps, and functions among them that it runs in tasks
 * of their own.
 */
#ifndef MATHIS_UPCALL_H
#define MATHIS_UPCALL_H

#include <mathis/mathis.h>

/**
 * mathis_hold() - keep a value
 * @machine: The machine of the value.
 * @value: The value. While a program's values are held it does not fail
 *	because all of its tasks wait.
 * @slot: Out, the number that it is held by.
 *
 * Return: 0; -ENOMEM.
 */
int mathis_hold(struct mathis_machine *machine, struct mathis_value value,
		uint32_t *slot);

/**
 * mathis_drop() - keep a value no longer
 * @machine: The machine.
 * @slot: Of mathis_hold().
 */
void mathis_drop(struct mathis_machine *machine, uint32_t slot);

/**
 * mathis_handle() - run a function that is held, in a task of its own
 * @machine: A machine that does not run, or polls.
 * @slot: Of the function.
 * @args: Its values.
 * @argc: Their count.
 * @task: Out, the number of the task, for the embedder's function @ended.
 * @task_slot: Out, a slot that holds the task.
 *
 * Return: 0; -EINVAL when it is no function or takes another count; -ENOMEM.
 */
int mathis_handle(struct mathis_machine *machine, uint32_t slot,
		  const struct mathis_value *args, unsigned int argc,
		  uint64_t *task, uint32_t *task_slot);

#endif
