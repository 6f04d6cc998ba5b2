/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_SEAL_H
#define _PHI_SEAL_H

struct phi_cap;

/**
 * DOC: Sealed tokens
 *
 * A token names a node by its id; the table of sealed nodes finds it again.
 * The id is that of a node in one slot: when the node leaves the slot, it
 * leaves the table, and no token finds it under that id any more, wherever it
 * is put next. A move is therefore exclusive. The link in the table is part of
 * the node: sealing costs no memory that nobody pays for.
 *
 * The key is random and never leaves the kernel. A rotation keeps the key
 * before, so that tokens on their way still arrive.
 *
 * A token has one of two encodings, which differ in the MAC alone. Each has a
 * key and a domain of its own, so that none can be made out of the other.
 */

void phi_seal_forget(struct phi_cap *cap);

#endif /* _PHI_SEAL_H */
