/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_INBOX_H
#define _PHI_INBOX_H

#include <linux/types.h>

struct phi_cspace;

void phi_inbox_close(struct phi_cspace *cs);
bool phi_inbox_evict(u64 agent);

#endif /* _PHI_INBOX_H */
