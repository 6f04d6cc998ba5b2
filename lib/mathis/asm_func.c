// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions of the source: directives, labels, instructions.
 */
#include <string.h>

#include "asm.h"
#include "opcode.h"

static int find_func(struct mathis_asm *a, struct mathis_span name)
{
	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++) {
		if (asm_same(ASM_AT(a->funcs, asm_func, i)->name, name))
			return i;
	}
	return -1;
}

/* ".func NAME", after the directive */
void asm_begin_func(struct mathis_asm *a)
{
	struct mathis_span name;

	a->func = (struct asm_func){ .used = -1, .line = a->line };
	a->meta = (struct asm_meta){ 0 };
	a->mode = IN_FUNC;
	a->last_line = 0;
	a->func.code = a->code.size;
	a->func.ret = a->sigs.size;
	a->func.meta = MATHIS_NONE_IDX;
	a->labels.size = 0;
	if (!asm_name(a, &name))
		return;
	if (find_func(a, name) >= 0)
		asm_error(a, ASM_SYNTAX, "function %.*s is there already",
			  (int)name.len, name.data);
	a->func.name = name;
}

static void put_text(struct mathis_buf *b, struct mathis_span text)
{
	mathis_buf_put(b, text.len, 4);
	mathis_buf_add(b, text.data, text.len);
}

static void put_meta(struct mathis_asm *a)
{
	struct mathis_buf *b = &a->metas;
	size_t begin;

	a->func.meta = a->n_metas++;
	mathis_buf_put(b, 1, 1);
	mathis_buf_put(b, ASM_N(a->funcs, asm_func), 4);
	mathis_buf_put(b, 0, 4);
	mathis_buf_put(b, 0, 4); /* the size of what follows */
	begin = b->size;
	put_text(b, a->meta.block);
	put_text(b, a->meta.intent);
	mathis_buf_put(b, a->meta.pure, 1);
	put_text(b, a->meta.complexity);
	mathis_buf_put(b, a->meta.n_depends, 2);
	mathis_buf_add(b, a->meta.depends.data, a->meta.depends.size);
	mathis_buf_put(b, a->meta.n_effects, 2);
	mathis_buf_add(b, a->meta.effects.data, a->meta.effects.size);
	mathis_buf_set(b, begin - 4, b->size - begin, 4);
}

static void warn(struct mathis_asm *a)
{
	int n = a->func.arity + a->func.locals;

	if (a->func.locals && a->func.used < n - 1)
		asm_error_at(a, a->func.line, ASM_UNUSED_LOCAL,
			     "function %.*s uses %d of %d locals",
			     (int)a->func.name.len, a->func.name.data,
			     a->func.used < a->func.arity ?
				     0 :
				     a->func.used + 1 - a->func.arity,
			     a->func.locals);
	if (!a->meta.intent.len)
		asm_error_at(a, a->func.line, ASM_NO_INTENT,
			     "function %.*s has no .ai_intent",
			     (int)a->func.name.len, a->func.name.data);
}

static void set_jumps(struct mathis_asm *a)
{
	for (size_t i = 0; i < ASM_N(a->fixes, asm_fix); i++) {
		struct asm_fix *f = ASM_AT(a->fixes, asm_fix, i);
		size_t n = ASM_N(a->labels, asm_label);
		size_t l = 0;

		if (!f->label)
			continue;
		while (l < n && !asm_same(ASM_AT(a->labels, asm_label, l)->name,
					  f->name))
			l++;
		if (l == n)
			asm_error_at(a, f->line, ASM_NAME,
				     "label .%.*s is not defined",
				     (int)f->name.len, f->name.data);
		else
			mathis_buf_set(&a->code, f->at,
				       ASM_AT(a->labels, asm_label, l)->at -
					       f->next,
				       4);
		f->label = false;
		f->at = MATHIS_NONE_IDX;
	}
}

/* ".end" */
void asm_end_func(struct mathis_asm *a)
{
	struct asm_func *f = &a->func;

	f->size = a->code.size - f->code;
	set_jumps(a);
	if (!f->ret_len) {
		f->ret = a->sigs.size;
		f->ret_len = 1;
		mathis_buf_put(&a->sigs, KIND_ANY, 1);
	}
	if (f->n_params && f->n_params != f->arity)
		asm_error_at(a, f->line, ASM_TYPE,
			     "function %.*s has %u parameters and arity %u",
			     (int)a->func.name.len, a->func.name.data,
			     f->n_params, f->arity);
	if (a->meta.used)
		put_meta(a);
	if (f->flags & FUNC_EXTERN && (f->size || f->locals))
		asm_error_at(a, f->line, ASM_SYNTAX,
			     "function %.*s is imported and has code or locals",
			     (int)f->name.len, f->name.data);
	if (a->flags & MATHIS_ASM_WARN)
		warn(a);
	a->no_memory |= a->meta.depends.bad || a->meta.effects.bad;
	mathis_buf_fini(&a->meta.depends);
	mathis_buf_fini(&a->meta.effects);
	if (ASM_N(a->funcs, asm_func) > UINT16_MAX)
		asm_error(a, ASM_SYNTAX, "too many functions");
	mathis_buf_add(&a->funcs, f, sizeof(*f));
	a->mode = IN_MODULE;
}

/* ".params (A, B)", after the directive */
static void params(struct mathis_asm *a)
{
	struct asm_func *f = &a->func;

	f->params = a->sigs.size;
	if (!asm_expect(a, '('))
		return;
	while (!asm_peek(a, ')')) {
		if (f->n_params == UINT8_MAX || asm_at_end(a)) {
			asm_error(a, ASM_SYNTAX, "the types have no end");
			return;
		}
		if (!asm_sig(a, &a->sigs))
			return;
		f->n_params++;
	}
	f->params_len = a->sigs.size - f->params;
	asm_expect(a, ')');
}

/* ["A", "B"] */
static void texts(struct mathis_asm *a, struct mathis_buf *b, uint16_t *count)
{
	struct mathis_span text;

	a->meta.used = true;
	if (!asm_expect(a, '['))
		return;
	while (!asm_peek(a, ']')) {
		if (*count == UINT16_MAX || !asm_string(a, &text))
			return;
		put_text(b, text);
		++*count;
	}
	asm_expect(a, ']');
}

static void count(struct mathis_asm *a, uint8_t *out)
{
	int64_t n;

	if (asm_int(a, 0, UINT8_MAX, &n))
		*out = n;
}

static void arity(struct mathis_asm *a)
{
	count(a, &a->func.arity);
}

static void locals(struct mathis_asm *a)
{
	count(a, &a->func.locals);
}

static void returns(struct mathis_asm *a)
{
	a->func.ret = a->sigs.size;
	asm_sig(a, &a->sigs);
	a->func.ret_len = a->sigs.size - a->func.ret;
}

static void throws(struct mathis_asm *a)
{
	a->func.flags |= FUNC_THROWS;
}

static void async(struct mathis_asm *a)
{
	a->func.flags |= FUNC_ASYNC;
}

/* ".extern "MODULE" "SYMBOL"": another module, or the embedder, has it. */
static void external(struct mathis_asm *a)
{
	if (!asm_string(a, &a->func.module) || !asm_string(a, &a->func.symbol))
		return;
	a->func.flags |= FUNC_EXTERN;
}

static void ai_block(struct mathis_asm *a)
{
	a->meta.used = true;
	asm_string(a, &a->meta.block);
}

static void ai_intent(struct mathis_asm *a)
{
	a->meta.used = true;
	asm_string(a, &a->meta.intent);
}

static void ai_pure(struct mathis_asm *a)
{
	a->meta.used = true;
	asm_bool(a, &a->meta.pure);
}

static void ai_depends(struct mathis_asm *a)
{
	texts(a, &a->meta.depends, &a->meta.n_depends);
}

static void ai_effects(struct mathis_asm *a)
{
	texts(a, &a->meta.effects, &a->meta.n_effects);
}

/* ".line LINE COLUMN", for the instruction that comes */
static void own_line(struct mathis_asm *a)
{
	int64_t line, column = 0;

	if (!asm_int(a, 1, UINT32_MAX, &line))
		return;
	if (!asm_at_end(a) && !asm_int(a, 0, UINT16_MAX, &column))
		return;
	a->own_line = line;
	a->own_column = column;
}

/* "O(n)", or a text */
static void complexity(struct mathis_asm *a)
{
	a->meta.used = true;
	if (asm_peek(a, '"')) {
		asm_string(a, &a->meta.complexity);
		return;
	}
	if (asm_at_end(a))
		return;
	a->meta.complexity.data = a->p;
	while (a->p < a->end && *a->p != ';')
		a->p++;
	a->meta.complexity.len = a->p - a->meta.complexity.data;
	while (a->meta.complexity.len &&
	       strchr(" \t\r",
		      a->meta.complexity.data[a->meta.complexity.len - 1]))
		a->meta.complexity.len--;
}

static const struct {
	const char *name;
	void (*run)(struct mathis_asm *a);
} directives[] = {
	{ ".arity", arity },	       { ".locals", locals },
	{ ".params", params },	       { ".returns", returns },
	{ ".throws", throws },	       { ".async", async },
	{ ".extern", external },       { ".line", own_line },
	{ ".ai_block", ai_block },     { ".ai_intent", ai_intent },
	{ ".ai_pure", ai_pure },       { ".ai_complexity", complexity },
	{ ".ai_depends", ai_depends }, { ".ai_effects", ai_effects },
};

/* Read a directive of a function; false for one that functions lack. */
bool asm_func_directive(struct mathis_asm *a, struct mathis_span word)
{
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		if (!asm_is(word, directives[i].name))
			continue;
		directives[i].run(a);
		return true;
	}
	return false;
}

void asm_label(struct mathis_asm *a, struct mathis_span name)
{
	struct asm_label l = { name, a->code.size };

	for (size_t i = 0; i < ASM_N(a->labels, asm_label); i++) {
		if (asm_same(ASM_AT(a->labels, asm_label, i)->name, name)) {
			asm_error(a, ASM_SYNTAX, "label .%.*s is there already",
				  (int)name.len, name.data);
			return;
		}
	}
	mathis_buf_add(&a->labels, &l, sizeof(l));
}

/* Note the line of the instruction that begins here. */
static void put_line(struct mathis_asm *a, uint16_t column)
{
	struct mathis_line l = { .code = a->code.size,
				 .line = a->line,
				 .file = a->file,
				 .column = column };

	if (!a->files.size)
		return;
	if (a->own_lines) {
		l.line = a->own_line;
		l.column = a->own_column;
		a->own_line = 0;
		if (!l.line)
			return;
	} else if (l.line == a->last_line) {
		return;
	}
	a->last_line = l.line;
	mathis_buf_add(&a->lines, &l, sizeof(l));
}

/* A name in quotes, or a number, of something that @find knows. */
static bool index_of(struct mathis_asm *a, const char *what,
		     int (*find)(struct mathis_asm *a, struct mathis_span name),
		     int64_t *value)
{
	struct mathis_span name;
	int found;

	if (!asm_peek(a, '"'))
		return asm_int(a, 0, UINT16_MAX, value);
	if (!asm_string(a, &name))
		return false;
	found = find(a, name);
	if (found < 0) {
		asm_error(a, ASM_NAME,
			  found == -2 ? "%s %.*s has several indices" :
					"%s %.*s is not defined above",
			  what, (int)name.len, name.data);
		return false;
	}
	*value = found;
	return true;
}

/* The number of a type: a plain one, or one of the module. */
static int find_type(struct mathis_asm *a, struct mathis_span name)
{
	int kind = asm_kind_of(name);
	int found = asm_find_type(a, name);

	if (found >= 0)
		return MATHIS_TYPE_FIRST + found;
	return kind >= 0 ? kind : asm_composite_of(name);
}

/* Leave a place for asm_link() or set_jumps() to fill in. */
static void fix(struct mathis_asm *a, struct mathis_span name, bool label)
{
	struct asm_fix f = { .name = name,
			     .at = a->code.size,
			     .line = a->line,
			     .argc = -1,
			     .label = label };

	mathis_buf_add(&a->fixes, &f, sizeof(f));
}

static bool jump(struct mathis_asm *a, int64_t *value)
{
	struct mathis_span name;

	if (asm_at_end(a) || *a->p != '.')
		return asm_int(a, INT32_MIN, INT32_MAX, value);
	if (!asm_word(a, &name))
		return false;
	name.data++;
	name.len--;
	fix(a, name, true);
	return true;
}

/* A constant: its index, or, of a text, the text. */
static bool constant(struct mathis_asm *a, char letter, int64_t *value)
{
	struct mathis_span text;
	struct asm_const *c;

	if (asm_peek(a, '"')) {
		if (!asm_string(a, &text))
			return false;
		*value = asm_add_str(a, text);
		if (*value <= UINT16_MAX)
			return true;
		asm_error(a, ASM_SYNTAX, "too many constants");
		return false;
	}
	if (!asm_int(a, 0, UINT16_MAX, value))
		return false;
	if ((size_t)*value >= ASM_N(a->consts, asm_const)) {
		asm_error(a, ASM_NAME, "constant %d is not defined above",
			  (int)*value);
		return false;
	}
	c = ASM_AT(a->consts, asm_const, *value);
	if (letter == 's' && c->kind != KIND_STR) {
		asm_error(a, ASM_TYPE, "constant %d is no text", (int)*value);
		return false;
	}
	return true;
}

static bool operand(struct mathis_asm *a, char letter, int64_t *value)
{
	struct mathis_span name;
	double d;

	switch (letter) {
	case 'c':
	case 's':
		return constant(a, letter, value);
	case 'l':
		if (!asm_int(a, 0, UINT8_MAX, value))
			return false;
		if (*value > a->func.used)
			a->func.used = *value;
		return true;
	case 'g':
		return index_of(a, "global", asm_find_global, value);
	case 't':
		return index_of(a, "type", find_type, value);
	case 'w':
		return index_of(a, "field", asm_find_field, value);
	case 'f':
		if (!asm_peek(a, '"'))
			return asm_int(a, 0, UINT16_MAX, value);
		if (!asm_string(a, &name))
			return false;
		fix(a, name, false);
		return true;
	case 'j':
		return jump(a, value);
	case 'x':
		return asm_int(a, INT8_MIN, INT8_MAX, value);
	case 'q':
		return asm_int(a, INT64_MIN, INT64_MAX, value);
	case 'd':
		if (!asm_float(a, &d))
			return false;
		memcpy(value, &d, sizeof(d));
		return true;
	case 'L':
		return asm_int(a, 0, UINT32_MAX, value);
	case 'i':
		return asm_call(a, value);
	default:
		return asm_int(a, 0,
			       mathis_operand_size(letter) == 1 ? UINT8_MAX :
								  UINT16_MAX,
			       value);
	}
}

/* CONST_BOOL stands for two instructions; a plain type may be named. */
static int find_op(struct mathis_asm *a, struct mathis_span word)
{
	bool b;

	if (!asm_is(word, "CONST_BOOL"))
		return mathis_opcode_find(word.data, word.len);
	if (!asm_bool(a, &b))
		return -1;
	return b ? OP_CONST_TRUE : OP_CONST_FALSE;
}

/* One instruction, whose name is @word. */
static bool one_insn(struct mathis_asm *a, struct mathis_span word,
		     uint16_t column)
{
	size_t fixes = ASM_N(a->fixes, asm_fix);
	const char *operands;
	int64_t value = 0;
	int op = find_op(a, word);

	if (op < 0) {
		asm_error(a, ASM_SYNTAX, "unknown instruction %.*s",
			  (int)word.len, word.data);
		return false;
	}
	put_line(a, column);
	mathis_buf_put(&a->code, op, 1);
	operands = mathis_opcode(op)->operands;
	for (int i = 0; operands[i]; i++) {
		value = 0;
		if (!operand(a, operands[i], &value))
			return false;
		mathis_buf_put(&a->code, value,
			       mathis_operand_size(operands[i]));
	}
	for (; fixes < ASM_N(a->fixes, asm_fix); fixes++) {
		struct asm_fix *f = ASM_AT(a->fixes, asm_fix, fixes);

		f->next = a->code.size;
		if (op == OP_CALL || op == OP_TAIL_CALL)
			f->argc = value;
	}
	return true;
}

/* Instructions, as many as stand on the line. */
void asm_func_line(struct mathis_asm *a)
{
	struct mathis_span word;

	while (!asm_at_end(a)) {
		uint16_t column = a->p - a->source + 1;

		if (!asm_word(a, &word) || !one_insn(a, word, column))
			return;
	}
}

/* Fill in the functions, when all are known. */
void asm_link(struct mathis_asm *a)
{
	for (size_t i = 0; i < ASM_N(a->fixes, asm_fix); i++) {
		struct asm_fix *f = ASM_AT(a->fixes, asm_fix, i);
		int found;

		if (f->at == MATHIS_NONE_IDX)
			continue;
		found = find_func(a, f->name);
		if (found < 0) {
			asm_error_at(a, f->line, ASM_NAME,
				     "function %.*s is not defined",
				     (int)f->name.len, f->name.data);
			continue;
		}
		mathis_buf_set(&a->code, f->at, found, 2);
		if (f->argc >= 0 &&
		    f->argc != ASM_AT(a->funcs, asm_func, found)->arity)
			asm_error_at(a, f->line, ASM_TYPE,
				     "function %.*s takes %u values, not %d",
				     (int)f->name.len, f->name.data,
				     ASM_AT(a->funcs, asm_func, found)->arity,
				     f->argc);
	}
}
