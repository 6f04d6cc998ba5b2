/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_VIEW_H
#define VDFSD_SERVER_VIEW_H

#include <stdbool.h>

struct vdfsd;

int vdfsd_view_mount(struct vdfsd *s);
bool vdfsd_view_needs_privilege(void);
int vdfsd_view_start(struct vdfsd *s);
void vdfsd_view_stop(struct vdfsd *s);

#endif /* VDFSD_SERVER_VIEW_H */
