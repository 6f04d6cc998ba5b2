/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KNOTIFY_H
#define _PHI_KNOTIFY_H

#include "object.h"

void phi_notify_set(struct phi_object *obj, u64 bits);

#endif /* _PHI_KNOTIFY_H */
