/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_QUIET_H
#define BATCHD_QUIET_H

int quiet_begin(void);
void quiet_end(int saved);

#endif /* BATCHD_QUIET_H */
