/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_CLI_H
#define PHI_CLI_H

#include <phi/phi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * DOC: The phi command
 *
 * phi NOUN VERB [OPERAND]... [OPTION]... - one file a noun, tools/phi/NOUN.c,
 * which holds the table of its verbs. The usage line of a verb is also the
 * grammar its arguments are parsed by, the text of its help and the source
 * of the completion, so these cannot disagree:
 *
 *  CAP            an operand that must be there
 *  [CAP]          one that may
 *  CAP...         one or more, [CAP]... none or more
 *  [--shared]     an option
 *  [--badge N]    an option with a value; with ... it may be repeated
 *  --kind KIND    one that must be given
 *  CMD            from here on everything is an operand, options too
 *
 * --json and --help belong to every verb.
 */

/* Exit statuses of phi. */
#define EXIT_OK 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

#define GIVEN_MAX 32

#define ARRAY_SIZE(_array) (sizeof(_array) / sizeof((_array)[0]))

struct args;

/* struct verb flags. */
#define VERB_PHI (1U << 0) /* opens a cspace, the session's if there is one */
#define VERB_SESSION (1U << 1) /* works on handles: is no use without one */
#define VERB_NOUN (1U << 2) /* verbs of the noun of this name follow */
#define HANDLES (VERB_PHI | VERB_SESSION)

/**
 * struct verb - one thing to do with a noun
 * @name: As typed; "" when the noun alone is the command.
 * @run: Does it and returns the exit status.
 * @usage: Its operands and options.
 * @help: A line on its effect.
 * @flags: VERB_*.
 */
struct verb {
	const char *name;
	int (*run)(struct args *args);
	const char *usage;
	const char *help;
	unsigned int flags;
};

/**
 * struct noun - one thing that phi knows
 * @name: As typed.
 * @help: A line on it.
 * @verbs: Its verbs, up to one whose name is NULL.
 */
struct noun {
	const char *name;
	const char *help;
	const struct verb *verbs;
};

extern const struct noun agent_noun;
extern const struct noun budget_noun;
extern const struct noun cap_noun;
extern const struct noun check_noun;
extern const struct noun collection_noun;
extern const struct noun cspace_noun;
extern const struct noun endpoint_noun;
extern const struct noun help_noun;
extern const struct noun infer_noun;
extern const struct noun init_noun;
extern const struct noun model_noun;
extern const struct noun notify_noun;
extern const struct noun policy_noun;
extern const struct noun region_noun;
extern const struct noun session_noun;
extern const struct noun status_noun;
extern const struct noun system_noun;
extern const struct noun thread_noun;
extern const struct noun top_noun;
extern const struct noun unit_noun;
extern const struct noun vdfs_noun;
extern const struct noun why_noun;

/* All of them, in the order of the help, up to NULL; main.c. */
extern const struct noun *const nouns[];

/**
 * struct args - one command line, parsed
 * @noun: Noun.
 * @verb: Verb.
 * @phi: Cspace of a verb with VERB_PHI, else -1.
 * @n: Operands.
 * @operand: Them, then NULL.
 * @help: --help was given.
 * @ngiven: Options given.
 * @given: Them, without the dashes; value is NULL for one that has none.
 */
struct args {
	const struct noun *noun;
	const struct verb *verb;
	int phi;
	int n;
	char **operand;
	bool help;
	int ngiven;
	struct {
		const char *name;
		const char *value;
	} given[GIVEN_MAX];
};

/* args.c: the command line. Each says what is wrong before it returns. */

/**
 * args_parse() - match a command line with the usage of its verb
 * @args: noun and verb are set; the rest is filled in.
 * @argc: Arguments after the verb.
 * @argv: Them; operands are moved to its front.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int args_parse(struct args *args, int argc, char **argv);

/**
 * args_name() - "phi NOUN VERB"
 * @args: Arguments.
 *
 * Return: The name of the command, in a buffer that the next call reuses.
 */
const char *args_name(const struct args *args);

/**
 * usage_words() - the options and operands in a usage line
 * @usage: Usage line.
 * @each: Called for each, with the name of an option or NULL, and the word
 *        its value or the operand has in the usage, NULL for an option
 *        without value.
 */
void usage_words(const char *usage,
		 void (*each)(const char *option, const char *word));

/**
 * bad_usage() - report a command line that makes no sense
 * @command: Beginning of the command line, "phi NOUN VERB".
 * @why: The fault.
 * @hint: A correct command line.
 *
 * As text, or as an object with --json.
 *
 * Return: EXIT_USAGE.
 */
int bad_usage(const char *command, const char *why, const char *hint);

/* Errors are JSON objects: --json stands somewhere on the command line. */
extern bool errors_json;

/**
 * usage_error() - say what is wrong with the command line
 * @args: Arguments.
 * @fmt: The fault.
 *
 * Return: EXIT_USAGE.
 */
int usage_error(const struct args *args, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * args_option() - the value of an option
 * @args: Arguments.
 * @name: Without the dashes.
 *
 * Return: The last one given, "" for an option that has no value, or NULL.
 */
const char *args_option(const struct args *args, const char *name);

/**
 * args_u64() - read a number: decimal, 0x hexadecimal, or with K, M, G
 * @args: Arguments.
 * @what: Name of the number, for the message.
 * @text: The argument.
 * @max: The highest that makes sense.
 * @out: Out.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int args_u64(const struct args *args, const char *what, const char *text,
	     uint64_t max, uint64_t *out);

/**
 * args_handle() - read the handle that an operand is
 * @args: Arguments.
 * @i: Which operand.
 * @out: Out.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int args_handle(const struct args *args, int i, uint64_t *out);

/**
 * option_u64() - read the number that an option is
 * @args: Arguments.
 * @name: Option.
 * @max: The highest that makes sense.
 * @out: In, what it is when not given; Out.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_u64(const struct args *args, const char *name, uint64_t max,
	       uint64_t *out);

/**
 * option_u32() - the same for 32 bits
 * @args: Arguments.
 * @name: Option.
 * @max: The highest that makes sense.
 * @out: In, what it is when not given; Out.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_u32(const struct args *args, const char *name, uint32_t max,
	       uint32_t *out);

/**
 * option_duration() - read a time span: 20, 1.5s, 300ms, 2h
 * @args: Arguments.
 * @name: Option.
 * @ns: In, what it is when not given; Out, nanoseconds.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_duration(const struct args *args, const char *name, uint64_t *ns);

/**
 * option_when() - read a time span from now on
 * @args: Arguments.
 * @name: Option.
 * @clock: CLOCK_MONOTONIC for deadlines, CLOCK_BOOTTIME for expiries.
 * @ns: Out, the time it ends, or 0 when not given.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_when(const struct args *args, const char *name, int clock,
		uint64_t *ns);

/**
 * option_rights() - read --rights
 * @args: Arguments.
 * @rights: In, what it is when not given; Out, PHI_RIGHT_*.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_rights(const struct args *args, uint32_t *rights);

/**
 * option_rights_of() - read --rights of a new child
 * @args: Arguments.
 * @cap: The parent, whose rights they are by default.
 * @rights: Out, PHI_RIGHT_*.
 *
 * Return: EXIT_OK, EXIT_USAGE, or EXIT_FAILED when @cap cannot be queried.
 */
int option_rights_of(const struct args *args, uint64_t cap, uint32_t *rights);

/**
 * option_kind() - read a kind of unit
 * @args: Arguments.
 * @name: Option.
 * @kind: In, what it is when not given; Out, PHI_UNIT_*.
 *
 * Return: EXIT_OK or EXIT_USAGE.
 */
int option_kind(const struct args *args, const char *name, uint32_t *kind);

/* cap.c */

/**
 * caps_all() - the handles of a cspace
 * @phi: Cspace.
 * @handles: Out, to be freed, also after an error.
 *
 * Return: How many, or a negative errno.
 */
int caps_all(int phi, uint64_t **handles);

/* text.c: words for numbers. */

/**
 * rights_parse() - read rights
 * @text: Words with commas between, "all", "none" or a number.
 * @rights: Out, PHI_RIGHT_*.
 *
 * Return: Whether it makes sense.
 */
bool rights_parse(const char *text, uint32_t *rights);

/**
 * rights_text() - "read,write"
 * @rights: PHI_RIGHT_*.
 *
 * Return: Words, in a buffer that the next call reuses.
 */
const char *rights_text(uint32_t rights);

/**
 * right_name() - the word for a right
 * @bit: Number of its bit.
 *
 * Return: A word, or NULL when there is no such right.
 */
const char *right_name(unsigned int bit);

/**
 * type_name() - the word for a type of capability
 * @type: PHI_TYPE_*.
 *
 * Return: A word.
 */
const char *type_name(uint32_t type);

/**
 * type_parse() - the type that a word stands for
 * @text: Word.
 *
 * Return: PHI_TYPE_*, 0 for none.
 */
uint32_t type_parse(const char *text);

/**
 * kind_name() - the word for a kind of unit
 * @kind: PHI_UNIT_*.
 *
 * Return: A word.
 */
const char *kind_name(uint32_t kind);

/**
 * quota_name() - the word for what is counted
 * @quota: PHI_QUOTA_*.
 *
 * Return: A word.
 */
const char *quota_name(unsigned int quota);

/**
 * budget_name() - the word for a kind of amount
 * @kind: PHI_BUDGET_*.
 *
 * Return: A word.
 */
const char *budget_name(unsigned int kind);

/**
 * error_name() - the name of an error; why.c
 * @error: A negative errno.
 *
 * Return: Such as "EPERM".
 */
const char *error_name(int32_t error);

/**
 * foreign_name() - the name of a call of MATHIS; check.c
 * @call: Its number.
 *
 * Return: Such as "io_open", NULL when there is none.
 */
const char *foreign_name(uint32_t call);

/**
 * quota_parameter() - the module's parameters for what is counted
 * @quota: PHI_QUOTA_*.
 *
 * Return: Their name, after quota_ for one user and total_ for all.
 */
const char *quota_parameter(unsigned int quota);

/**
 * quota_asks() - name the cspace whose quotas quota_hint() looks at
 * @phi: Cspace, or -1 while one is opened.
 */
void quota_asks(int phi);

/**
 * quota_needs() - say what the next call takes of a quota
 * @quota: PHI_QUOTA_*.
 * @n: How much; unless this is called, 1.
 */
void quota_needs(unsigned int quota, uint64_t n);

/**
 * quota_hides() - say what else may refuse the next call
 * @hint: Advice, for where it has room in each of the quotas.
 */
void quota_hides(const char *hint);

/**
 * quota_hint() - name the quota that a call was refused for
 *
 * Return: Text with the figures and the module parameter, or NULL when the
 * module cannot be asked. Valid until the next call.
 */
const char *quota_hint(void);

/**
 * duration_text() - "1.5 ms"
 * @ns: Nanoseconds.
 *
 * Return: Text, in one of four buffers that take turns.
 */
const char *duration_text(uint64_t ns);

/**
 * now_ns() - read a clock
 * @clock: CLOCK_*.
 *
 * Return: Nanoseconds.
 */
uint64_t now_ns(int clock);

/* error.c: what went wrong, in words. */

/**
 * fail() - say what failed, why, and what to do
 * @err: Negative errno.
 * @fmt: The action that failed: "read the region".
 *
 * Return: EXIT_FAILED.
 */
int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * fail_because() - the same where the errno does not tell why
 * @hint: Advice to the user; may be NULL.
 * @why: Why it failed.
 * @fmt: The action that failed.
 *
 * Return: EXIT_FAILED.
 */
int fail_because(const char *hint, const char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* cspace.c: where handles live. */

/**
 * cspace_open() - the cspace of the session, or a new one
 * @args: Arguments; phi is set.
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int cspace_open(struct args *args);

/* wait.c: patience. */

/**
 * wait_begin() - say on a terminal, from the next second on, what we wait for
 * @what: "a message".
 */
void wait_begin(const char *what);

/**
 * wait_end() - stop saying so and clear the line
 */
void wait_end(void);

/* file.c: bytes in and out. */

/**
 * read_file() - read a whole file or stdin
 * @path: Path, "-" for stdin.
 * @max: Longest that makes sense; more is -EFBIG.
 * @data: Out, to be freed.
 * @len: Out.
 *
 * Return: 0 or a negative errno.
 */
int read_file(const char *path, size_t max, void **data, size_t *len);

/**
 * write_all() - write all of a buffer
 * @fd: File.
 * @data: Buffer.
 * @len: Its length.
 *
 * Return: 0 or a negative errno.
 */
int write_all(int fd, const void *data, size_t len);

/* help.c: help out of the tables; each returns an exit status. */
int help_all(FILE *file);
int help_noun_verbs(const struct noun *noun, FILE *file);
int help_verb(const struct noun *noun, const struct verb *verb);

/* cap.c: `phi endpoint mint` is `phi cap mint`. */
int cap_mint(struct args *args);

/* token.c: sealed tokens in files, 64 or 96 bytes, or twice as many digits. */

/**
 * token_unseal() - turn a file with a token into a capability
 * @phi: Cspace.
 * @path: File, "-" for stdin.
 * @cap: Out.
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said.
 */
int token_unseal(int phi, const char *path, uint64_t *cap);

/**
 * token_print() - write a token to stdout
 * @token: Token, in any encoding.
 * @len: Its length in bytes.
 * @hex: As digits even when stdout is no terminal.
 *
 * Return: Exit status.
 */
int token_print(const void *token, size_t len, bool hex);

/* agent_run.c */
int agent_run(struct args *args);

/* init.c: of the service that a request names; also `phi agent logs`. */
struct phi_init_request;
int init_logs_of(struct args *args, struct phi_init_request *request);

/* infer_run.c */
int infer_run(struct args *args);

/* invoke.c */
int cap_invoke(struct args *args);

/* region.c, unit.c, model.c: what a query says of one. */
void region_fields(const struct phi_region_info *info);
void unit_fields(const struct phi_unit_query *unit);
void model_fields(const struct phi_model_query *model);

/* unit.c, model.c: for status and top. */
int unit_table(int phi);
int model_table(int phi);

/* system.c: for status. */
void system_info_fields(const struct phi_system_info *info);
void system_stats_fields(const struct phi_system_stats *stats);

#endif /* PHI_CLI_H */
