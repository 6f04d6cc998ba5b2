/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_VIEW_H
#define VDFSD_SERVER_VIEW_H

#include <stdbool.h>

struct server;

int view_mount(struct server *s);
bool view_needs_privilege(void);
int view_start(struct server *s);
void view_stop(struct server *s);

#endif /* VDFSD_SERVER_VIEW_H */
