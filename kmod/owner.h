/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_OWNER_H
#define _PHI_OWNER_H

#include "cspace.h"

void phi_owner_watch(struct phi_cspace *cs);
void phi_owner_unwatch(struct phi_cspace *cs);
void phi_owner_flush(struct phi_cspace *cs);

#endif /* _PHI_OWNER_H */
