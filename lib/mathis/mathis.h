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
	MATHIS_BAD_CAPABILITY,
	MATHIS_BAD_SYSCALL,
	MATHIS_DENIED,
	MATHIS_TOO_LARGE,
	MATHIS_MEMORY_LIMIT,
	MATHIS_TIMEOUT,
	MATHIS_NO_AGENT,
	MATHIS_LIMIT,
	MATHIS_BAD_SPEC,
	MATHIS_REGISTERED,
	MATHIS_BAD_SUPERVISOR,
	MATHIS_SMALL_BUFFER,
	MATHIS_NO_MESSAGE,
	MATHIS_OUT_OF_MEMORY,
	MATHIS_BAD_POINTER,
	MATHIS_BAD_ADDRESS,
	MATHIS_BAD_OPERATION,
	MATHIS_BAD_HANDLE,
	MATHIS_NOT_READY,
	MATHIS_ARG_TYPE,
	MATHIS_ARG_RANGE,
	MATHIS_ARITY,
	MATHIS_ENCODING,
	MATHIS_FORMAT,
	MATHIS_NOT_FOUND,
	MATHIS_EXISTS,
	MATHIS_BUSY,
	MATHIS_CANCELLED,
	MATHIS_CLOSED,
	MATHIS_POLICY,
	MATHIS_IO,
	MATHIS_DNS,
	MATHIS_CONNECT,
	MATHIS_TLS,
	MATHIS_PROTO,
	MATHIS_AUTH,
	MATHIS_VERIFY,
	MATHIS_DB,
	MATHIS_CONFLICT,
	MATHIS_UPSTREAM,
	MATHIS_RATE_LIMIT,
	MATHIS_UNSUPPORTED,
	MATHIS_CRASH,
	MATHIS_HANDLER,
	MATHIS_STACK_UNDERFLOW,
	MATHIS_FUEL,
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

/**
 * mathis_link() - make one module of several
 * @modules: Verified modules; the first one is the program.
 * @n: Their count, at least 1.
 * @file: Out, the bytes of a .mbc file, from malloc(); NULL on failure.
 * @size: Out, their count.
 * @error: Out, the reason of a failure.
 *
 * A function that the program or another module imports is replaced by the
 * export of that name, if the module of that name is among @modules; its arity
 * and its types have to be those that the import declares. Other imported
 * functions stay as they are. Types that have one name and one definition
 * become one type. Functions of all modules but the first get the names
 * MODULE:NAME.
 *
 * Return: 0; -EINVAL for a module that is not verified; -ENOENT for a module
 * that lacks an export; -EBADMSG for an arity or types that differ, or two
 * modules of one name; -E2BIG for more than 65536 constants, globals,
 * functions or types; -ENOMEM.
 */
int mathis_link(const struct mathis_module *const *modules, size_t n,
		void **file, size_t *size, struct mathis_error *error);

/* Kinds of values; types of values and constants share the numbers. */
enum mathis_value_kind {
	MATHIS_NONE = 0x00,
	MATHIS_BOOL = 0x01,
	MATHIS_INT = 0x05,
	MATHIS_FLOAT = 0x0b,
	MATHIS_CHAR = 0x0c,
	MATHIS_STR = 0x10,
	MATHIS_BYTES = 0x11,
	MATHIS_LIST = 0x20,
	MATHIS_MAP = 0x21,
	MATHIS_SET = 0x22,
	MATHIS_TUPLE = 0x23,
	MATHIS_STRUCT = 0x30,
	MATHIS_ENUM = 0x31,
	MATHIS_FUNC = 0x42,
	MATHIS_PTR = 0x43,
	MATHIS_HANDLE = 0x44,
	MATHIS_TASK = 0x45,
	MATHIS_CHANNEL = 0x46,
	MATHIS_ITERATOR = 0x47,
};

struct mathis_object;
struct mathis_machine;

/**
 * struct mathis_value - a value of a program, 16 bytes
 * @kind: Of enum mathis_value_kind.
 * @aux: Offset of a ptr, function of a func, generation of a handle; else 0.
 * @i: An int; 0 or 1 of a bool; the code point of a char; the embedder's
 *	number of a handle.
 * @f: A float.
 * @o: All else: an object of the machine, valid until it collects one that
 *	nothing refers to. NULL for a func that captures nothing.
 */
struct mathis_value {
	uint32_t kind;
	uint32_t aux;
	union {
		int64_t i;
		double f;
		struct mathis_object *o;
	};
};

/**
 * struct mathis_call - a call that a program makes
 * @machine: The machine that runs it.
 * @id: Number of the call, without the bits that say how it returns.
 * @argc: Values in @args.
 * @args: The values; they live until the call returns.
 * @ticket: Names the call to mathis_complete().
 * @task: The task that makes it.
 * @tell: Out: tell by @ended of struct mathis_host when that task ends.
 * @native: "MODULE:SYMBOL" of a NATIVE_CALL, valid until @native of the host
 *	returns; NULL for a call by number.
 * @result: Out, the result; none by default.
 */
struct mathis_call {
	struct mathis_machine *machine;
	uint16_t id;
	unsigned int argc;
	const struct mathis_value *args;
	uint64_t ticket;
	uint64_t task;
	bool tell;
	const char *native;
	struct mathis_value result;
};

/* Things that a program reports and that change nothing. */
enum mathis_event {
	MATHIS_EVENT_CALL, /* a function begins; only with @trace */
	MATHIS_EVENT_RETURN,
	MATHIS_EVENT_TRACE, /* TRACE: a value */
	MATHIS_EVENT_BREAKPOINT,
	MATHIS_EVENT_EXPLAIN, /* AI_EXPLAIN_START: its label; END: empty */
	MATHIS_EVENT_PROFILE, /* PROFILE_START, PROFILE_END: the label */
	MATHIS_EVENT_HINT, /* AI_OPTIMIZE, AI_CONTRACT, AI_LEARN: the text */
	MATHIS_EVENT_LOST, /* a task failed while no other awaited it */
};

/**
 * struct mathis_host - the embedder of a machine
 * @arg: First argument of its functions.
 * @trace: Report calls and returns of functions.
 * @arity: Values that call @id takes by a plain SYSCALL, or a negative number
 *	for a call that it does not know. NULL: those of calls.def.
 * @call: Make a call: 0; -EINPROGRESS, when mathis_complete() will follow;
 *	any other negative number after mathis_call_fail(). NULL: every call is
 *	refused with Denied.
 * @native: Make a NATIVE_CALL, as @call does. NULL: every one is refused with
 *	Denied.
 * @handle: Give a handle of a snapshot its authority again: @handle is what it
 *	was, which nobody has checked, and what it shall be. NULL, or any
 *	result but 0: the handle is dead, number 0 of generation 0.
 * @event: Hear of an event. NULL: none is reported.
 * @poll: Called between two tasks; it may make values, call
 *	mathis_complete() and mathis_handle(). NULL: nothing is.
 * @cancel: A program wants the call with a ticket to end soon; or NULL.
 * @ended: A task of mathis_handle(), or one that a call asked for, ended with
 *	this value or error; it may call mathis_drop(). Or NULL.
 * @moved: Such a task goes on as another, which has all of it now; or NULL.
 */
struct mathis_host {
	void *arg;
	bool trace;
	int (*arity)(void *arg, uint16_t id);
	int (*call)(void *arg, struct mathis_call *call);
	int (*native)(void *arg, struct mathis_call *call);
	int (*handle)(void *arg, struct mathis_value *handle);
	void (*event)(void *arg, enum mathis_event event, const char *text);
	void (*poll)(void *arg);
	void (*cancel)(void *arg, uint64_t ticket);
	void (*ended)(void *arg, uint64_t task, struct mathis_value value,
		      bool failed);
	void (*moved)(void *arg, uint64_t from, uint64_t to);
};

/**
 * mathis_verify() - check the code of a module
 * @module: A loaded module.
 * @host: The calls that are known besides those of calls.def, or NULL. A
 *	machine that runs the module has the same function @arity.
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

/**
 * struct mathis_limits - the most that a program may use
 * @stack: Values on the stack of a task; 0: 65536.
 * @heap: Bytes of objects, stacks of tasks among them; 0: 256 MiB.
 * @fuel: Instructions, and units of 64 bytes that instructions copy, compare
 *	or hash; 0: no limit. mathis_fuel_add() adds more.
 */
struct mathis_limits {
	uint32_t stack;
	uint64_t heap;
	uint64_t fuel;
};

/**
 * mathis_machine_new() - make a machine for one program
 * @module: A verified module, which outlives the machine.
 * @limits: The limits, or NULL for the default of each.
 * @host: The embedder, or NULL; it is copied.
 * @machine: Out, the machine, which the caller frees; NULL on failure.
 *
 * Return: 0; -EINVAL for a module that was not verified, or was with another
 * function @arity; -ENOMEM.
 */
int mathis_machine_new(const struct mathis_module *module,
		       const struct mathis_limits *limits,
		       const struct mathis_host *host,
		       struct mathis_machine **machine);

/**
 * mathis_machine_free() - free a machine and all its values
 * @machine: A machine that does not run, or NULL.
 */
void mathis_machine_free(struct mathis_machine *machine);

/**
 * mathis_start() - choose the function that a machine runs
 * @machine: A machine on which nothing was started.
 * @function: Name of the function; NULL for the entry of the module.
 * @args: Its values.
 * @argc: Their count.
 *
 * Return: 0; -ENOENT without such a function; -EINVAL when it takes another
 * number of values; -EBUSY after an earlier start; -ENOMEM.
 */
int mathis_start(struct mathis_machine *machine, const char *function,
		 const struct mathis_value *args, unsigned int argc);

/* How a run ended. */
enum mathis_state {
	MATHIS_DONE, /* mathis_result() has the result */
	MATHIS_FAILED, /* mathis_error() has the reason */
	MATHIS_NO_FUEL, /* run again after mathis_fuel_add() */
	MATHIS_WAITS, /* run again after mathis_complete() */
	MATHIS_READY, /* it has not run */
};

/**
 * mathis_run() - run a program until it ends or cannot go on
 * @machine: A machine on which a function was started.
 *
 * A program ends when the started function returns, at HALT, or when no TRY
 * block of the first task catches an error. Its end ends all other tasks.
 *
 * Return: Of enum mathis_state, never MATHIS_READY; the same again once the
 * program has ended; -EINVAL before mathis_start().
 */
int mathis_run(struct mathis_machine *machine);

/**
 * mathis_fuel_add() - let a program run on
 * @machine: A machine with a limit of fuel.
 * @fuel: Units to add.
 */
void mathis_fuel_add(struct mathis_machine *machine, uint64_t fuel);

/**
 * mathis_fuel() - what is left of the fuel
 * @machine: A machine.
 *
 * Return: Units; negative when one instruction took more than was left.
 */
int64_t mathis_fuel(const struct mathis_machine *machine);

/**
 * mathis_heap() - the memory of a program
 * @machine: A machine.
 *
 * Return: Bytes of its objects and stacks.
 */
uint64_t mathis_heap(const struct mathis_machine *machine);

/**
 * mathis_result() - the value that the started function returned
 * @machine: A machine whose run ended with MATHIS_DONE.
 *
 * Return: The value, none after HALT. It lives as long as the machine.
 */
struct mathis_value mathis_result(const struct mathis_machine *machine);

/**
 * mathis_error() - the reason why a program failed
 * @machine: A machine whose run ended with MATHIS_FAILED.
 *
 * Return: The reason, which lives as long as the machine.
 */
const struct mathis_error *mathis_error(const struct mathis_machine *machine);

/**
 * mathis_complete() - end a call that was in progress
 * @machine: A machine that does not run.
 * @ticket: Of the call.
 * @code: MATHIS_OK, or the reason of a failure.
 * @value: The result; with MATHIS_THROWN the error.
 * @text: The failure, one line; NULL with MATHIS_OK and MATHIS_THROWN.
 *
 * Return: 0; -ENOENT without that call; -ENOMEM: it is in progress still, but with
 * MATHIS_MEMORY_LIMIT as @code the program has failed.
 */
int mathis_complete(struct mathis_machine *machine, uint64_t ticket, int code,
		    struct mathis_value value, const char *text);

/**
 * mathis_snapshot() - write down a whole program
 * @machine: A machine that does not run, whose program was started and has not
 *	ended.
 * @data: Out, the bytes, from malloc(); NULL on failure.
 * @size: Out, their count.
 *
 * They hold globals, tasks, channels, all objects that these reach, and the
 * fuel that is left; neither the module nor the limits, nor what the embedder
 * made. The machine is as it was before.
 *
 * Return: 0; -EINVAL before mathis_start() and after the end; -ENOMEM.
 */
int mathis_snapshot(struct mathis_machine *machine, void **data, size_t *size);

/**
 * mathis_restore() - make a machine of a snapshot
 * @module: The verified module of the machine that was written down.
 * @limits: As for mathis_machine_new(); the fuel is what the snapshot has, and
 *	no more than the limit.
 * @host: As for mathis_machine_new(); its @handle is asked for each handle.
 * @data: The snapshot, which nobody needs to have checked.
 * @size: Its bytes.
 * @machine: Out, the machine, which the caller frees; NULL on failure.
 * @error: Out, the reason of a failure.
 *
 * The program goes on where it was: mathis_run() is next. Calls that were in
 * progress fail with Cancelled.
 *
 * Return: 0; -EBADMSG for bytes that are no snapshot, or not one that a
 * machine could have written; -ESTALE for one of another module; -EOPNOTSUPP
 * for a later version; -E2BIG for more than the limits allow; -EINVAL as
 * mathis_machine_new(); -ENOMEM.
 */
int mathis_restore(const struct mathis_module *module,
		   const struct mathis_limits *limits,
		   const struct mathis_host *host, const void *data,
		   size_t size, struct mathis_machine **machine,
		   struct mathis_error *error);

/**
 * mathis_call_fail() - say why a call fails
 * @call: The call.
 * @code: Of enum mathis_code.
 * @fmt: The failure, one line, as printf() takes it.
 *
 * Return: -ECANCELED, for the function that makes calls to return.
 */
int mathis_call_fail(struct mathis_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * mathis_call_throw() - fail with an error of one's own making
 * @call: The call.
 * @error: The error: a map with at least code and message.
 *
 * Return: -ECANCELED, for the function that makes calls to return.
 */
int mathis_call_throw(struct mathis_call *call, struct mathis_value error);

/**
 * mathis_call_name() - the name of a call
 * @id: Its number.
 *
 * Return: A constant text, such as "io_println", or NULL.
 */
const char *mathis_call_name(uint16_t id);

/**
 * mathis_new_str() - make a text
 * @machine: A machine. Values that an embedder makes live until the call that
 *	it makes them in returns, or, outside of a call, until the next run.
 * @data: Its bytes.
 * @size: Their count.
 * @value: Out, the text.
 *
 * Return: 0; -EILSEQ when the bytes are no UTF-8; -ENOMEM.
 */
int mathis_new_str(struct mathis_machine *machine, const char *data,
		   size_t size, struct mathis_value *value);

/**
 * mathis_new_list() - make an empty list
 * @machine: A machine.
 * @value: Out, the list; it lives as one of mathis_new_str().
 *
 * Return: 0; -ENOMEM.
 */
int mathis_new_list(struct mathis_machine *machine, struct mathis_value *value);

/**
 * mathis_list_add() - append to a list
 * @machine: The machine of both values.
 * @list: A list.
 * @value: The new element.
 *
 * Return: 0; -EINVAL for a value that is no list; -ENOMEM.
 */
int mathis_list_add(struct mathis_machine *machine, struct mathis_value list,
		    struct mathis_value value);

/**
 * mathis_list_at() - an element of a list or tuple
 * @list: A list or tuple.
 * @i: Its index, from 0.
 * @value: Out, the element.
 *
 * Return: 0; -EINVAL for another value; -ERANGE past the end.
 */
int mathis_list_at(struct mathis_value list, size_t i,
		   struct mathis_value *value);

/**
 * mathis_text() - the bytes of a text or of bytes
 * @value: A str or bytes.
 * @size: Out, their count.
 *
 * Return: The bytes, a zero behind them, valid as long as the value; NULL for
 * another value.
 */
const char *mathis_text(struct mathis_value value, size_t *size);

/**
 * mathis_show() - print any value for a reader
 * @value: The value.
 * @out: Out, the text; it ends with "..." where it does not fit.
 * @size: Bytes of @out, at least 4.
 */
void mathis_show(struct mathis_value value, char *out, size_t size);

/**
 * mathis_encode() - write a value as CBOR
 * @value: The value.
 * @data: Out, one item of CBOR, from malloc(); NULL on failure.
 * @size: Out, its bytes, at most 16 MiB.
 *
 * Equal values have equal bytes: mathis(5) lists the encodings.
 *
 * Return: 0; -EINVAL for a func, ptr, task, channel or iterator, alone or
 * inside; -E2BIG for more than 16 MiB, or containers more than 64 deep;
 * -ENOMEM.
 */
int mathis_encode(struct mathis_value value, void **data, size_t *size);

/**
 * mathis_decode() - read a value from CBOR
 * @machine: The machine that gets the value.
 * @data: One item, which nobody needs to have checked.
 * @size: Its bytes.
 * @value: Out, the value; it lives as one of mathis_new_str().
 *
 * Return: 0; -EBADMSG for bytes that are no item, or no value that
 * mathis_encode() writes, but for floats of 16 and 32 bits; -E2BIG for more
 * than 16 MiB; -ENOMEM, also past the machine's limit.
 */
int mathis_decode(struct mathis_machine *machine, const void *data, size_t size,
		  struct mathis_value *value);

#endif
