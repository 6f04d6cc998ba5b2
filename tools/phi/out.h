/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_CLI_OUT_H
#define PHI_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: Output
 *
 * A command describes its result once, as fields, sections and tables, and
 * out_end() prints it: as aligned text, or as one JSON object. In text, a
 * result that out_only() marked is all that is printed, so that a script can
 * take it with $(...).
 *
 * Strings may come from other processes: control characters in them are
 * replaced, lest they drive the reader's terminal.
 */

/* --json was given. */
extern bool out_json;

/**
 * out_u64() - a number
 * @key: Its name.
 * @value: It.
 */
void out_u64(const char *key, uint64_t value);

/**
 * out_i64() - a number that may be negative
 * @key: Its name.
 * @value: It.
 */
void out_i64(const char *key, int64_t value);

/**
 * out_real() - a number with a fraction
 * @key: Its name.
 * @value: It.
 * @digits: After the point, in text.
 */
void out_real(const char *key, double value, int digits);

/**
 * out_unknown() - a number that nobody knows: "-", null
 * @key: Its name.
 */
void out_unknown(const char *key);

/**
 * out_handle() - a handle or a word of bits: 0x and 16 digits, a string in
 * JSON, whose numbers do not reach 64 bits everywhere
 * @key: Its name.
 * @value: It.
 */
void out_handle(const char *key, uint64_t value);

/**
 * out_handles() - report a list of handles
 * @key: Name.
 * @values: The handles; 0 for one of another session.
 * @n: Of @values.
 */
void out_handles(const char *key, const uint64_t *values, size_t n);

/**
 * out_str() - a string
 * @key: Its name.
 * @value: It.
 */
void out_str(const char *key, const char *value);

/**
 * out_name() - the name field of a unit or a model
 * @key: Its name.
 * @name: PHI_NAME_MAX bytes.
 */
void out_name(const char *key, const uint8_t *name);

/**
 * out_bool() - yes or no
 * @key: Its name.
 * @value: It.
 */
void out_bool(const char *key, bool value);

/**
 * out_rights() - rights: words in text, a list of them in JSON
 * @key: Its name.
 * @rights: PHI_RIGHT_*.
 */
void out_rights(const char *key, uint32_t rights);

/**
 * out_ns() - a time span: rounded in text, nanoseconds in JSON
 * @key: Its name.
 * @ns: Nanoseconds.
 */
void out_ns(const char *key, uint64_t ns);

/**
 * out_bytes() - what a message holds: text if it is, else hexadecimal
 * @key: Its name; in JSON, @key_hex is always there too.
 * @data: Bytes.
 * @len: How many.
 */
void out_bytes(const char *key, const void *data, size_t len);

/**
 * out_text() - show the field just given otherwise in text
 * @fmt: How.
 */
void out_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * out_only() - in text, print the field just given and nothing else
 */
void out_only(void);

/**
 * out_section() - begin a group of fields
 * @key: Its name.
 */
void out_section(const char *key);

/**
 * out_table() - begin a table
 * @key: Its name.
 * @none: Text to print when it stays empty.
 */
void out_table(const char *key, const char *none);

/**
 * out_row() - begin a row of the table
 */
void out_row(void);

/**
 * out_close() - end the row, the table or the section begun last
 */
void out_close(void);

/**
 * out_lines() - several results follow: give each as one line of JSON
 */
void out_lines(void);

/**
 * out_end() - print everything and forget it
 *
 * Return: EXIT_OK, or EXIT_FAILED with the reason said when stdout takes no
 * more.
 */
int out_end(void);

/**
 * out_clean() - make a string safe to print
 * @text: Changed in place.
 */
void out_clean(char *text);

#endif /* PHI_CLI_OUT_H */
