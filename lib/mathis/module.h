/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module in memory: the sections of a .mbc file, each of whose offsets,
 * counts and indices the loader has checked. Code is checked by verify.c.
 */
#ifndef MATHIS_MODULE_H
#define MATHIS_MODULE_H

#include <mathis/mathis.h>

#include "read.h"

#define MATHIS_NONE_IDX 0xffffffffU /* an index that names nothing */
#define MATHIS_TYPE_FIRST 0x100 /* the lowest number of a module's own type */
#define MATHIS_MODULE_MAX (64U << 20) /* bytes of a file */

enum mathis_section {
	SECTION_CONST = 1,
	SECTION_TYPES,
	SECTION_GLOBALS,
	SECTION_FUNCS,
	SECTION_CODE,
	SECTION_META,
	SECTION_DEBUG,
	SECTION_SYMBOLS,
	SECTION_IMPORTS,
	SECTION_EXPORTS,
	SECTION_CUSTOM = 0xff,
};

enum mathis_symbol { SYMBOL_FUNC = 1, SYMBOL_TYPE, SYMBOL_GLOBAL };

/* How the custom section of properties begins. */
#define MATHIS_PROPS "PHI1"

enum mathis_file_flags {
	FILE_DEBUG = 1,
	FILE_META = 2,
	FILE_SYMBOLS = 4,
	FILE_ALL = 0xff,
};

/* Kinds of constants, of values and of types share their numbers. */
enum mathis_kind {
	KIND_NONE = 0x00,
	KIND_BOOL = 0x01,
	KIND_I8 = 0x02,
	KIND_I16,
	KIND_I32,
	KIND_I64,
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_F32,
	KIND_F64,
	KIND_CHAR,
	KIND_STR = 0x10,
	KIND_BYTES = 0x11,
	KIND_LIST = 0x20,
	KIND_MAP,
	KIND_SET,
	KIND_TUPLE,
	KIND_STRUCT = 0x30,
	KIND_ENUM = 0x31,
	KIND_OPTION = 0x40,
	KIND_RESULT,
	KIND_FUNC,
	KIND_PTR,
	KIND_HANDLE,
	KIND_TASK,
	KIND_CHANNEL,
	KIND_ITERATOR,
	KIND_ANY = 0xfe,
};

enum mathis_func_flags {
	FUNC_PUBLIC = 1,
	FUNC_ASYNC = 4,
	FUNC_PURE = 8,
	FUNC_THROWS = 0x100,
	FUNC_EXTERN = 0x200, /* of another module, or native: no code */
};

/* Text that does not end in a zero; it stands in the file's bytes. */
struct mathis_span {
	const char *data;
	uint32_t len;
};

struct mathis_const {
	uint8_t kind;
	union {
		int64_t i;
		double f;
		struct mathis_span s;
	};
};

/* Bytes of a type signature. */
struct mathis_sig {
	const uint8_t *data;
	uint32_t len;
};

/* A field of a struct, or a variant of an enum. */
struct mathis_field {
	uint32_t name;
	uint32_t init; /* constant, or MATHIS_NONE_IDX */
	int64_t number; /* of a variant */
	struct mathis_sig sig; /* length 0: a variant without a value */
	uint8_t flags;
};

#define SIG_DEPTH 16 /* types inside of types, in a signature */

enum mathis_type_kind { TYPE_STRUCT = 1, TYPE_ENUM, TYPE_ALIAS };

struct mathis_type {
	uint32_t id; /* MATHIS_TYPE_FIRST to 0xffff */
	uint32_t name;
	uint8_t kind;
	uint8_t flags;
	uint16_t n_fields;
	uint16_t needs; /* fields up to the last one without a default */
	struct mathis_field *fields;
	struct mathis_sig sig; /* of an alias */
};

struct mathis_global {
	uint32_t name;
	uint32_t init; /* constant, or MATHIS_NONE_IDX */
	struct mathis_sig sig;
	bool fixed;
};

struct mathis_func {
	struct mathis_span name; /* length 0: unknown */
	struct mathis_sig ret;
	struct mathis_sig params; /* one after the other */
	uint32_t code; /* offset of its first instruction */
	uint32_t size;
	uint32_t meta;
	uint32_t depth; /* set by the verifier: values on the stack, at most */
	uint16_t flags;
	uint16_t captured; /* set by the verifier: captured values */
	uint32_t import; /* index, of FUNC_EXTERN */
	uint8_t arity;
	uint8_t locals;
	uint8_t n_params;
};

struct mathis_meta {
	struct mathis_span block;
	struct mathis_span intent;
	struct mathis_span complexity;
	struct mathis_span *depends; /* n_depends, then n_effects */
	uint32_t target;
	uint16_t n_depends;
	uint16_t n_effects;
	uint8_t target_kind;
	bool pure;
};

struct mathis_line {
	uint32_t code;
	uint32_t line;
	uint16_t file;
	uint16_t column;
};

struct mathis_import {
	uint32_t module;
	uint32_t symbol;
	uint32_t alias;
	uint8_t kind;
};

struct mathis_export {
	uint32_t inner;
	uint32_t outer;
	uint32_t target;
	uint8_t kind;
};

struct mathis_module {
	uint8_t *data; /* the file */
	size_t size;
	uint32_t flags;
	uint32_t entry;
	uint32_t name; /* constant, or MATHIS_NONE_IDX */
	uint64_t time;
	bool verified;
	int (*arity)(void *arg, uint16_t id); /* that the verifier asked */

	struct mathis_const *consts;
	struct mathis_type *types;
	struct mathis_global *globals;
	struct mathis_func *funcs;
	struct mathis_meta *metas;
	uint32_t *files; /* constants */
	struct mathis_line *lines; /* sorted by code */
	struct mathis_import *imports;
	struct mathis_export *exports;
	uint32_t *props; /* pairs of constants: property, value */
	uint32_t n_consts;
	uint32_t n_types;
	uint32_t n_globals;
	uint32_t n_funcs;
	uint32_t n_metas;
	uint32_t n_files;
	uint32_t n_lines;
	uint32_t n_imports;
	uint32_t n_exports;
	uint32_t n_props;
	const uint8_t *code;
	uint32_t code_size;
	uint8_t *fast; /* code that was verified, with fused instructions */
	struct mathis_error *error; /* while it loads */
};

/* A section of the file, and the function that reads it. */
struct mathis_part {
	const uint8_t *data;
	uint32_t size;
};

int mathis_fail(struct mathis_error *error, int err, int code, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
int mathis_bad(struct mathis_module *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *mathis_array(struct mathis_module *m, struct mathis_reader *r,
		   uint32_t *count, size_t entry, size_t size, int *err);
bool mathis_is_str(const struct mathis_module *m, uint32_t idx);
struct mathis_span mathis_const_str(const struct mathis_module *m,
				    uint32_t idx);
int mathis_read_sig(struct mathis_reader *r, struct mathis_sig *sig);
const struct mathis_type *mathis_find_type(const struct mathis_module *m,
					   uint32_t id);
bool mathis_is_variant(const struct mathis_module *m, uint32_t id,
		       int64_t number, bool has);
const struct mathis_line *mathis_find_line(const struct mathis_module *m,
					   uint32_t code);
const struct mathis_func *mathis_func_at(const struct mathis_module *m,
					 uint32_t code);

/* fuse.c */
int mathis_fuse(struct mathis_module *m);

int mathis_load_consts(struct mathis_module *m, struct mathis_part part);
int mathis_load_types(struct mathis_module *m, struct mathis_part part);
int mathis_load_globals(struct mathis_module *m, struct mathis_part part);
int mathis_load_funcs(struct mathis_module *m, struct mathis_part part);
int mathis_load_code(struct mathis_module *m, struct mathis_part part);
int mathis_load_meta(struct mathis_module *m, struct mathis_part part);
int mathis_load_debug(struct mathis_module *m, struct mathis_part part);
int mathis_load_symbols(struct mathis_module *m, struct mathis_part part);
int mathis_load_imports(struct mathis_module *m, struct mathis_part part);
int mathis_load_externs(struct mathis_module *m);
int mathis_load_exports(struct mathis_module *m, struct mathis_part part);
int mathis_load_custom(struct mathis_module *m, struct mathis_part part);

#endif
