/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of calls.def.
 *
 * Types of arguments and results are written as
 *	any none bool i64 f64 char str bytes list map set tuple func task channel
 *	handle handle<KIND>
 *	list<T>, set<T>, tuple<T, T>	of these elements
 *	map{NAME T, NAME T?}		with these keys and no others; ? may be missing
 *	i64[MIN..MAX]			in this range; either end may be missing
 *	str[MIN..MAX]			of so many bytes; bytes and list too
 *	T|T				one of these
 *	T?				or none
 * An argument is NAME T; with T? or T = LITERAL it may be missing, as may all
 * behind it.
 */
#ifndef MATHIS_CALLS_H
#define MATHIS_CALLS_H

#include <stddef.h>
#include <stdint.h>

enum mathis_call_mode {
	MATHIS_MODE_LATER, /* no one serves it */
	MATHIS_MODE_INLINE,
	MATHIS_MODE_WORKER,
	MATHIS_MODE_MACHINE,
};

/**
 * struct mathis_call_info - a row of calls.def
 * @id: Number.
 * @mode: Of enum mathis_call_mode; the texts but @name are NULL for LATER.
 * @arity: Values that a plain SYSCALL takes, for LATER.
 * @name: Such as "io_open".
 * @args: Types of the arguments.
 * @result: Type of the result.
 * @right: Names of rights, of which one is needed; "": none.
 * @errors: Names of errors.
 * @doc: Sentences.
 */
struct mathis_call_info {
	uint16_t id;
	uint8_t mode;
	uint8_t arity;
	const char *name;
	const char *args;
	const char *result;
	const char *right;
	const char *errors;
	const char *doc;
};

/**
 * mathis_calls() - all calls, in the order of calls.def
 * @n: Out, their count.
 *
 * Return: The rows, which are constant.
 */
const struct mathis_call_info *mathis_calls(size_t *n);

/**
 * mathis_call_find() - the row of a call
 * @id: Its number, with or without the bits that say how it returns.
 *
 * Return: The row, or NULL.
 */
const struct mathis_call_info *mathis_call_find(uint16_t id);

/**
 * mathis_call_number() - the number of a call
 * @name: Its name, not terminated.
 * @size: Bytes of @name.
 *
 * Return: The number; -ENOENT.
 */
int mathis_call_number(const char *name, size_t size);

/**
 * mathis_args_min() - the arguments that cannot be missing
 * @args: Types of arguments.
 *
 * Return: Their count.
 */
unsigned int mathis_args_min(const char *args);

#endif
