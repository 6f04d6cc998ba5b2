/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_INBOX_H
#define _PHI_INBOX_H

struct phi_cspace;

void phi_inbox_close(struct phi_cspace *cs);

#endif /* _PHI_INBOX_H */
