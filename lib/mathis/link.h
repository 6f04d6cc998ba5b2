/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The linker while it works: the tables of the assembler, which it fills from
 * modules, and the new number of each thing of each module.
 */
#ifndef MATHIS_LINK_H
#define MATHIS_LINK_H

#include "asm.h"

/* The new numbers of a module's things. */
struct link_map {
	uint32_t *consts;
	uint32_t *types;
	uint32_t *funcs;
	uint32_t globals; /* of its first */
	uint32_t metas;
	uint32_t files;
};

struct linker {
	struct mathis_asm a;
	const struct mathis_module *const *modules;
	size_t n;
	struct link_map *maps;
	struct mathis_error *error;
};

int link_fail(struct linker *l, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* link_func.c */
int link_funcs(struct linker *l);

/* link.c: copy a signature, with the numbers of types replaced */
void link_sig(struct linker *l, size_t k, struct mathis_sig sig,
	      struct mathis_buf *out);
/* The types in a signature of a kind; a byte that counts them is read. */
unsigned int link_parts(unsigned int kind, struct mathis_reader *r);
uint32_t link_const(const struct linker *l, size_t k, uint32_t i);

#endif
