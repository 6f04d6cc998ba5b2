/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_COVER_H
#define _SELFTESTS_COVER_H

#include <stdbool.h>
#include <stdint.h>

/* Places of the kernel, hashed; shared by all processes. */
#define COVER_BITS 65536U

/* What one thread reached, by the kernel's KCOV. */
struct cover {
	int fd;
	uint64_t *pcs;
};

/* Return: false where the kernel has no KCOV. */
bool cover_open(struct cover *cover);
void cover_start(struct cover *cover);
/* Return: how many places are new in @seen. */
unsigned int cover_stop(struct cover *cover, uint8_t *seen);
void cover_close(struct cover *cover);

#endif /* _SELFTESTS_COVER_H */
