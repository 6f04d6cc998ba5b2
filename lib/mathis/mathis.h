/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libmathis: modules of MATHIS bytecode, assembled, loaded, verified and run
 * inside one process. It needs neither phi.ko nor a daemon.
 *
 * Functions return 0 or -errno. A struct mathis_error that is passed as NULL
 * is not filled in.
 */
#ifndef MATHIS_MATHIS_H
#define MATHIS_MATHIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reasons of errors; the numbers never change. */
enum mathis_code {
	MATHIS_OK = 0,
	MATHIS_BAD_SYSCALL = 2,
	MATHIS_DENIED = 3,
	MATHIS_MEMORY_LIMIT = 5,
	MATHIS_LIMIT = 8,
	MATHIS_OUT_OF_MEMORY = 14,
	MATHIS_BAD_POINTER = 15,
	MATHIS_BAD_ADDRESS = 16,
	MATHIS_BAD_OPERATION = 17,
	MATHIS_BAD_HANDLE = 18,
	MATHIS_NOT_READY = 19,
	MATHIS_ARG_TYPE = 20,
	MATHIS_ARG_RANGE = 21,
	MATHIS_ARITY = 22,
	MATHIS_ENCODING = 23,
	MATHIS_FORMAT = 24,
	MATHIS_NOT_FOUND = 25,
	MATHIS_CANCELLED = 28,
	MATHIS_CLOSED = 29,
	MATHIS_IO = 31,
	MATHIS_VERIFY = 37,
	MATHIS_UNSUPPORTED = 42,
	MATHIS_CRASH = 43,
	MATHIS_STACK = 45,
	MATHIS_FUEL = 46,
	MATHIS_THROWN = 1000, /* a value that is no error map */
};

/**
 * struct mathis_error - a reason for a failure
 * @code: Of enum mathis_code; MATHIS_FORMAT for a file or source.
 * @masm: Number of an assembler's message: 1 instruction or syntax, 2 operand
 *	of the wrong type, 3 name without a definition, 100 and 101 warnings.
 *	0 for an error of anything else.
 * @line: Line of the source, from 1; 0 where it is unknown.
 * @offset: Offset of the instruction in the module's code.
 * @file: Name of the source; empty where it is unknown.
 * @function: Name of the function; empty where it is unknown.
 * @text: The reason, one line.
 */
struct mathis_error {
	int code;
	int masm;
	uint32_t line;
	uint32_t offset;
	char file[128];
	char function[64];
	char text[256];
};

struct mathis_module;

/**
 * mathis_code_name() - the name of a reason
 * @code: Of enum mathis_code.
 *
 * Return: A constant text, such as "Denied"; "Error" for an unknown number.
 */
const char *mathis_code_name(int code);

enum mathis_asm_flags {
	MATHIS_ASM_STRIP = 1, /* neither lines nor names of functions */
	MATHIS_ASM_WARN = 2, /* warnings 100 and 101 too */
};

/**
 * mathis_assemble() - turn a source into a module's file
 * @source: The text of a .masm file, UTF-8.
 * @size: Its bytes.
 * @name: Name of the source for errors and lines, or NULL.
 * @flags: Of enum mathis_asm_flags.
 * @tell: Called for each error and warning, in the order of lines, or NULL.
 * @arg: First argument of @tell.
 * @file: Out, the bytes of a .mbc file, from malloc(); NULL on failure.
 * @file_size: Out, their count.
 *
 * The same source yields the same bytes.
 *
 * Return: 0; -EBADMSG when @tell was called with an error; -ENOMEM.
 */
int mathis_assemble(const char *source, size_t size, const char *name,
		    unsigned int flags,
		    void (*tell)(void *arg, const struct mathis_error *error),
		    void *arg, void **file, size_t *file_size);

/**
 * mathis_disassemble() - turn a module into a source
 * @module: A module, verified or not.
 * @source: Out, the text, zero-terminated, from malloc(); NULL on failure.
 *
 * The text assembles to the file that @module was loaded from, byte by byte,
 * if mathis_assemble() wrote that.
 *
 * Return: 0; -ENOMEM; -EBADMSG when a function holds bytes that are no
 * instruction: they become comments.
 */
int mathis_disassemble(const struct mathis_module *module, char **source);

/**
 * mathis_load() - load a module's file
 * @file: Its bytes, which nobody needs to have checked; they are copied.
 * @size: Their count, at most 64 MiB.
 * @module: Out, the module, which the caller frees; NULL on failure.
 * @error: Out, the reason of a failure.
 *
 * Header, checksums, sections, constants, types, globals, functions and
 * debugging information are checked; the code is checked by mathis_verify().
 *
 * Return: 0; -EBADMSG for a file that breaks a rule of the format;
 * -EOPNOTSUPP for a later version, or a compressed or encrypted section;
 * -ENOMEM.
 */
int mathis_load(const void *file, size_t size, struct mathis_module **module,
		struct mathis_error *error);

/**
 * mathis_unload() - free a module
 * @module: A module that no machine uses, or NULL.
 */
void mathis_unload(struct mathis_module *module);

/* Calls that an embedder offers; docs of the machine say when they run. */
struct mathis_host {
	void *arg;
	/*
	 * Values that call @id takes by a plain SYSCALL, or a negative number
	 * for a call that it does not know. NULL: those of calls.def.
	 */
	int (*arity)(void *arg, uint16_t id);
};

/**
 * mathis_verify() - check the code of a module
 * @module: A loaded module.
 * @host: The calls that are known besides those of calls.def, or NULL. A
 *	machine that runs the module must offer the same.
 * @error: Out, the reason of a refusal: function, offset, line.
 *
 * Proves for each function: instructions are whole, jumps lead to
 * instructions, indices name existing things, the depth of the stack
 * at an instruction is the same on all paths and never below 0, TRY blocks
 * nest, and control never falls off the end.
 *
 * Return: 0; -ENOEXEC for code that breaks a rule; -ENOMEM.
 */
int mathis_verify(struct mathis_module *module, const struct mathis_host *host,
		  struct mathis_error *error);

#endif
