/* SPDX-License-Identifier: GPL-2.0-only */
/* Sources and modules for the tests of libmathis. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <mathis/mathis.h>

/* A file that was assembled, and what the assembler said. */
struct sample {
	void *file;
	size_t size;
	int ret;
	unsigned int n_errors;
	struct mathis_error errors[32];
};

extern const char *const sample_all; /* every section, operand and type */

void sample_assemble(struct sample *s, const char *source, unsigned int flags);
void sample_fini(struct sample *s);
int sample_run(const struct mathis_module *module);
int sample_load(const char *source, struct mathis_module **module);
const char *sample_path(const char *name);
char *sample_read(const char *name);
void sample_repair(uint8_t *file, size_t size);

/* Requests for memory until one fails; 0: none does. */
extern unsigned long sample_fail_at;
extern unsigned long sample_requests;
extern size_t sample_largest; /* bytes of a request */

#endif
