/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_NAME_H
#define _PHI_NAME_H

#include <linux/string.h>
#include <phi/base.h>

/**
 * phi_name_valid() - check a name that came from user space
 * @name: PHI_NAME_MAX bytes.
 *
 * Context: Any.
 * Return: True when it is not empty, ends in a NUL and has only NULs after.
 */
static inline bool phi_name_valid(const u8 *name)
{
	size_t len = strnlen((const char *)name, PHI_NAME_MAX);

	return len && len < PHI_NAME_MAX &&
	       !memchr_inv(name + len, 0, PHI_NAME_MAX - len);
}

#endif /* _PHI_NAME_H */
