/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* COMMON_LOG_H */
