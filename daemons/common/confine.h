/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_CONFINE_H
#define COMMON_CONFINE_H

#include <stddef.h>

int confine_user(const char *name, const char *const *dirs, size_t n);
int confine_privileges(void);
int confine_calls(const int *also, size_t n);

#endif /* COMMON_CONFINE_H */
