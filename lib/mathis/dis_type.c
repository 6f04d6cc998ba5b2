// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Types and globals, as the assembler reads them.
 */
#include "dis.h"

static const char *const names[] = {
	[KIND_NONE] = "none",
	[KIND_BOOL] = "bool",
	[KIND_I8] = "i8",
	[KIND_I16] = "i16",
	[KIND_I32] = "i32",
	[KIND_I64] = "i64",
	[KIND_U8] = "u8",
	[KIND_U16] = "u16",
	[KIND_U32] = "u32",
	[KIND_U64] = "u64",
	[KIND_F32] = "f32",
	[KIND_F64] = "f64",
	[KIND_CHAR] = "char",
	[KIND_STR] = "str",
	[KIND_BYTES] = "bytes",
	[KIND_LIST] = "List",
	[KIND_MAP] = "Map",
	[KIND_SET] = "Set",
	[KIND_OPTION] = "Option",
	[KIND_RESULT] = "Result",
	[KIND_PTR] = "ptr",
	[KIND_HANDLE] = "handle",
	[KIND_TASK] = "task",
	[KIND_CHANNEL] = "channel",
	[KIND_ITERATOR] = "iterator",
	[KIND_ANY] = "any",
};

static void sig_list(struct mathis_buf *b, const struct mathis_module *m,
		     struct mathis_reader *r)
{
	unsigned int n = mathis_get(r, 1);

	for (unsigned int i = 0; i < n; i++) {
		mathis_buf_print(b, i ? ", " : "");
		dis_sig(b, m, r);
	}
}

/* A signature, which the loader has checked. */
void dis_sig(struct mathis_buf *b, const struct mathis_module *m,
	     struct mathis_reader *r)
{
	unsigned int kind = mathis_get(r, 1);
	const struct mathis_type *t;
	struct mathis_span name;

	switch (kind) {
	case KIND_STRUCT:
		t = mathis_find_type(m, mathis_get(r, 4));
		name = mathis_const_str(m, t ? t->name : MATHIS_NONE_IDX);
		dis_name(b, name);
		return;
	case KIND_TUPLE:
		mathis_buf_print(b, "Tuple<");
		sig_list(b, m, r);
		mathis_buf_print(b, ">");
		return;
	case KIND_FUNC:
		mathis_buf_print(b, "Func<(");
		sig_list(b, m, r);
		mathis_buf_print(b, ") -> ");
		dis_sig(b, m, r);
		mathis_buf_print(b, ">");
		return;
	}
	mathis_buf_print(b, "%s", names[kind]);
	if (kind != KIND_LIST && kind != KIND_SET && kind != KIND_OPTION &&
	    kind != KIND_MAP && kind != KIND_RESULT)
		return;
	mathis_buf_print(b, "<");
	dis_sig(b, m, r);
	if (kind == KIND_MAP || kind == KIND_RESULT) {
		mathis_buf_print(b, ", ");
		dis_sig(b, m, r);
	}
	mathis_buf_print(b, ">");
}

static void put_sig(struct mathis_buf *b, const struct mathis_module *m,
		    struct mathis_sig sig)
{
	struct mathis_reader r = { sig.data, sig.data + sig.len, false };

	dis_sig(b, m, &r);
}

static void put_init(struct mathis_buf *b, const struct mathis_module *m,
		     uint32_t init)
{
	if (init == MATHIS_NONE_IDX)
		return;
	mathis_buf_print(b, " = ");
	dis_const(b, &m->consts[init]);
}

static void put_name(struct mathis_buf *b, const struct mathis_module *m,
		     uint32_t name)
{
	dis_name(b, mathis_const_str(m, name));
}

static void put_field(struct mathis_buf *b, const struct mathis_module *m,
		      const struct mathis_type *t, unsigned int i)
{
	const struct mathis_field *f = &t->fields[i];

	mathis_buf_print(b, "        ");
	put_name(b, m, f->name);
	if (t->kind == TYPE_STRUCT) {
		mathis_buf_print(b, ": ");
		put_sig(b, m, f->sig);
		put_init(b, m, f->init);
	} else {
		if (f->sig.len) {
			mathis_buf_print(b, "(value: ");
			put_sig(b, m, f->sig);
			mathis_buf_print(b, ")");
		}
		mathis_buf_print(b, " = %lld", (long long)f->number);
	}
	mathis_buf_print(b, "\n");
}

void dis_types(const struct mathis_module *m, struct mathis_buf *b)
{
	if (m->n_types)
		mathis_buf_print(b, "\n.types:\n");
	for (uint32_t i = 0; i < m->n_types; i++) {
		const struct mathis_type *t = &m->types[i];

		mathis_buf_print(b, "    %s ",
				 t->kind == TYPE_STRUCT ? ".struct" :
				 t->kind == TYPE_ENUM	? ".enum" :
							  ".alias");
		put_name(b, m, t->name);
		if (t->kind == TYPE_ALIAS) {
			mathis_buf_print(b, " = ");
			put_sig(b, m, t->sig);
			mathis_buf_print(b, "\n");
			continue;
		}
		mathis_buf_print(b, "\n");
		for (unsigned int f = 0; f < t->n_fields; f++)
			put_field(b, m, t, f);
		mathis_buf_print(b, "    .end\n");
	}
	if (m->n_globals)
		mathis_buf_print(b, "\n.globals:\n");
	for (uint32_t i = 0; i < m->n_globals; i++) {
		const struct mathis_global *g = &m->globals[i];

		mathis_buf_print(b, "    %s", g->fixed ? ".const " : "");
		put_name(b, m, g->name);
		mathis_buf_print(b, ": ");
		put_sig(b, m, g->sig);
		put_init(b, m, g->init);
		mathis_buf_print(b, "\n");
	}
}
