/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_OFFLINE_H
#define VDFSD_SERVER_OFFLINE_H

#include <stdbool.h>

struct vdfsd;

bool vdfsd_offline_wanted(const struct vdfsd *s);
bool vdfsd_offline_signalled(void);
int vdfsd_offline_run(struct vdfsd *s);

#endif /* VDFSD_SERVER_OFFLINE_H */
