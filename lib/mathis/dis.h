/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the disassembler. */
#ifndef MATHIS_DIS_H
#define MATHIS_DIS_H

#include "buf.h"
#include "module.h"

void dis_text(struct mathis_buf *b, struct mathis_span t);
void dis_name(struct mathis_buf *b, struct mathis_span t);
void dis_float(struct mathis_buf *b, double d);
void dis_const(struct mathis_buf *b, const struct mathis_const *c);
void dis_sig(struct mathis_buf *b, const struct mathis_module *m,
	     struct mathis_reader *r);
void dis_types(const struct mathis_module *m, struct mathis_buf *b);

#endif
