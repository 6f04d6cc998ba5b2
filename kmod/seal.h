/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_SEAL_H
#define _PHI_SEAL_H

struct phi_cap;

/**
 * DOC: Sealed tokens
 *
 * A token names a node by its id; the table of sealed nodes finds it again.
 * The table holds no references: a node leaves it when it is freed, and a
 * token only works while a slot holds its node.
 *
 * The key is random and never leaves the kernel. A rotation keeps the key
 * before, so that tokens on their way still arrive.
 */

void phi_seal_forget(struct phi_cap *cap);

#endif /* _PHI_SEAL_H */
