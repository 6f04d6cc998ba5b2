/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_COMPAT_H
#define _PHI_COMPAT_H

/**
 * DOC: Differences between kernels
 *
 * From 6.12 to 7.2 one source serves all; what differs is absorbed here and
 * nowhere else.
 */

#include <linux/version.h>

#endif /* _PHI_COMPAT_H */
