/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_CONFINE_H
#define BATCHD_CONFINE_H

int confine_user(const char *name, const char *dir);
int confine_calls(void);

#endif /* BATCHD_CONFINE_H */
