/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_OFFLINE_H
#define VDFSD_SERVER_OFFLINE_H

#include <stdbool.h>

struct server;

bool offline_wanted(const struct server *s);
int offline_run(struct server *s);

#endif /* VDFSD_SERVER_OFFLINE_H */
