/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_CALLS_H
#define VDFSD_SERVER_CALLS_H

#include <stdbool.h>

int vdfsd_confine(bool network);

#endif /* VDFSD_SERVER_CALLS_H */
