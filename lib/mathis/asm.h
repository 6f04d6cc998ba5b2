/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The assembler while it works: the source, the line that it reads, and the
 * tables that asm_write.c makes a file of.
 */
#ifndef MATHIS_ASM_H
#define MATHIS_ASM_H

#include "buf.h"
#include "module.h"

#define ASM_ERRORS 20 /* messages before it gives up */
#define ASM_SYNTAX 1
#define ASM_TYPE 2
#define ASM_NAME 3
#define ASM_UNUSED_LOCAL 100
#define ASM_NO_INTENT 101

/* Which lines may come. */
enum asm_mode {
	IN_MODULE = 1,
	IN_CONSTS = 2,
	IN_TYPES = 4,
	IN_STRUCT = 8,
	IN_ENUM = 16,
	IN_GLOBALS = 32,
	IN_FUNC = 64,
	IN_ANY = 127,
};

/* Decoded texts, freed together. */
struct asm_chunk {
	struct asm_chunk *next;
	char data[];
};

struct asm_const {
	uint8_t kind;
	bool set; /* false: an index that was left out */
	struct mathis_span data; /* as it stands in the file */
};

struct asm_type {
	struct mathis_span name;
	uint8_t kind;
	uint16_t n_fields;
	uint32_t data; /* where its bytes begin in type_data */
	uint32_t fields; /* index of its first name in field_names */
};

struct asm_global {
	struct mathis_span name;
	uint32_t sig; /* where it begins in sigs */
	uint32_t sig_len;
	uint32_t init;
	bool fixed;
};

struct asm_func {
	struct mathis_span name;
	uint16_t flags;
	uint8_t arity;
	uint8_t locals;
	uint8_t n_params;
	uint32_t line;
	uint32_t ret; /* where they begin in sigs */
	uint32_t ret_len;
	uint32_t params;
	uint32_t params_len;
	uint32_t code;
	uint32_t size;
	uint32_t meta;
	int used; /* the highest local that is used, or -1 */
	struct mathis_span module; /* that it is imported from */
	struct mathis_span symbol;
};

/* A place of the code that waits for a label or a function. */
struct asm_fix {
	struct mathis_span name;
	uint32_t at;
	uint32_t next; /* where the next instruction begins */
	uint32_t line;
	int argc; /* of a call, or -1 */
	bool label;
};

struct asm_label {
	struct mathis_span name;
	uint32_t at;
};

struct asm_export {
	struct mathis_span name;
	uint32_t line;
};

struct asm_import {
	struct mathis_span module;
	struct mathis_span alias;
};

struct asm_meta {
	bool used;
	bool pure;
	struct mathis_span block;
	struct mathis_span intent;
	struct mathis_span complexity;
	struct mathis_buf depends; /* encoded texts */
	struct mathis_buf effects;
	uint16_t n_depends;
	uint16_t n_effects;
};

struct mathis_asm {
	const char *p; /* the line: what is left of it */
	const char *end; /* of the line */
	uint32_t line;
	enum asm_mode mode;
	unsigned int flags;
	void (*tell)(void *arg, const struct mathis_error *error);
	void *arg;
	const char *source;
	unsigned int errors;
	bool no_memory;

	struct asm_chunk *chunks;
	struct mathis_span name;
	struct mathis_buf consts; /* of struct asm_const */
	struct mathis_buf types; /* of struct asm_type */
	struct mathis_buf type_data;
	struct mathis_buf field_names; /* of struct mathis_span */
	struct mathis_buf sigs;
	struct mathis_buf globals; /* of struct asm_global */
	struct mathis_buf funcs; /* of struct asm_func */
	struct mathis_buf code;
	struct mathis_buf fixes; /* of struct asm_fix */
	struct mathis_buf labels; /* of struct asm_label, of one function */
	struct mathis_buf metas; /* the section but its count */
	uint32_t n_metas;
	struct mathis_buf files; /* of struct mathis_span */
	struct mathis_buf lines; /* of struct mathis_line */
	struct mathis_buf imports; /* of struct asm_import */
	struct mathis_buf exports; /* of struct asm_export */
	struct mathis_buf props; /* of struct mathis_span, in pairs */

	uint32_t entry; /* of a linked module, plus 1; 0: main */
	struct asm_func func; /* the one that is read */
	struct asm_meta meta;
	bool own_lines; /* .line says them */
	uint32_t file; /* that the lines belong to */
	uint32_t own_line;
	uint16_t own_column;
	uint32_t last_line;
};

#define ASM_N(_buf, _type) ((_buf).size / sizeof(struct _type))
/* A pointer to one of the things that a buffer holds. */
#define ASM_AT(_buf, _type, _i) (ASM_PTR(_type)(_buf).data + (_i))
#define ASM_PTR(_type) (typeof(&(struct _type){ 0 }))

void asm_error(struct mathis_asm *a, int masm, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void asm_error_at(struct mathis_asm *a, uint32_t line, int masm,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* asm_token.c: they skip blanks first, and report what is wrong. */
bool asm_at_end(struct mathis_asm *a);
bool asm_accept(struct mathis_asm *a, char c);
bool asm_expect(struct mathis_asm *a, char c);
bool asm_word(struct mathis_asm *a, struct mathis_span *word);
bool asm_name(struct mathis_asm *a, struct mathis_span *name);
bool asm_bytes(struct mathis_asm *a, struct mathis_span *text);
bool asm_string(struct mathis_asm *a, struct mathis_span *text);
bool asm_char(struct mathis_asm *a, uint32_t *c);
bool asm_int(struct mathis_asm *a, int64_t min, uint64_t max, int64_t *value);
bool asm_call(struct mathis_asm *a, int64_t *value);
bool asm_float(struct mathis_asm *a, double *value);
bool asm_bool(struct mathis_asm *a, bool *value);
bool asm_peek(struct mathis_asm *a, char c);
bool asm_is(struct mathis_span text, const char *word);
bool asm_same(struct mathis_span a, struct mathis_span b);
struct mathis_span asm_keep(struct mathis_asm *a, const void *data, size_t n);

/* asm_const.c */
uint32_t asm_add_const(struct mathis_asm *a, uint8_t kind, const void *data,
		       size_t n);
uint32_t asm_add_str(struct mathis_asm *a, struct mathis_span text);
bool asm_literal(struct mathis_asm *a, uint8_t kind, uint8_t *found,
		 struct mathis_span *data);
void asm_const_line(struct mathis_asm *a);
int asm_kind_of(struct mathis_span word);

/* asm_type.c */
bool asm_sig(struct mathis_asm *a, struct mathis_buf *out);
void asm_struct_line(struct mathis_asm *a);
void asm_enum_line(struct mathis_asm *a);
void asm_global_line(struct mathis_asm *a, bool fixed);
int asm_composite_of(struct mathis_span word);
void asm_begin_type(struct mathis_asm *a, uint8_t kind);
int asm_find_type(struct mathis_asm *a, struct mathis_span name);
int asm_find_field(struct mathis_asm *a, struct mathis_span name);
int asm_find_global(struct mathis_asm *a, struct mathis_span name);

/* asm_func.c */
void asm_begin_func(struct mathis_asm *a);
void asm_end_func(struct mathis_asm *a);
void asm_func_line(struct mathis_asm *a);
void asm_label(struct mathis_asm *a, struct mathis_span name);
bool asm_func_directive(struct mathis_asm *a, struct mathis_span word);
void asm_link(struct mathis_asm *a);

/* asm.c */
bool asm_no_memory(const struct mathis_asm *a);
void asm_fini(struct mathis_asm *a);

/* asm_write.c */
void asm_write(struct mathis_asm *a, struct mathis_buf *file);

#endif
