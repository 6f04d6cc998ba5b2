/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_WORDS_H
#define _PHI_WORDS_H

#include <linux/types.h>
#include <linux/uaccess.h>

/**
 * DOC: Short copies from and to the caller
 *
 * The structs of calls and the bytes of messages are a few words. These loops
 * move them word by word, which costs less than a call of copy_from_user() and
 * what it checks: each caller here knows how long its memory is.
 */

/**
 * phi_words_get() - copy a few bytes from the caller
 * @to: Where to; has room for @len.
 * @from: In the memory of the current process.
 * @len: Bytes, at most a page.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -EFAULT, with some of @to written.
 */
static inline int phi_words_get(void *to, const void __user *from, size_t len)
{
	size_t i = 0;

	if (!len)
		return 0;
	if (!user_access_begin(from, len))
		return -EFAULT;
	for (; i + sizeof(u64) <= len; i += sizeof(u64))
		unsafe_get_user(*(u64 *)(to + i),
				(const u64 __user *)(from + i), fault);
	for (; i < len; i++)
		unsafe_get_user(*(u8 *)(to + i), (const u8 __user *)(from + i),
				fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/**
 * phi_words_put() - copy a few bytes to the caller
 * @to: In the memory of the current process.
 * @from: Where from; has @len bytes.
 * @len: Bytes, at most a page.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -EFAULT, with some of @to written.
 */
static inline int phi_words_put(void __user *to, const void *from, size_t len)
{
	size_t i = 0;

	if (!len)
		return 0;
	if (!user_access_begin(to, len))
		return -EFAULT;
	for (; i + sizeof(u64) <= len; i += sizeof(u64))
		unsafe_put_user(*(const u64 *)(from + i),
				(u64 __user *)(to + i), fault);
	for (; i < len; i++)
		unsafe_put_user(*(const u8 *)(from + i), (u8 __user *)(to + i),
				fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/**
 * phi_words_zero() - are a few words all 0?
 * @from: The words.
 * @len: Bytes, a multiple of 8.
 *
 * Context: Any.
 * Return: True when they are.
 */
static inline bool phi_words_zero(const void *from, size_t len)
{
	u64 any = 0;

	for (size_t i = 0; i < len; i += sizeof(u64))
		any |= *(const u64 *)(from + i);
	return !any;
}

/* The build of fail.h refuses these too. */
#ifdef PHI_FAIL
#define phi_words_get(...) PHI_FAIL_WITH(-EFAULT, phi_words_get, __VA_ARGS__)
#define phi_words_put(...) PHI_FAIL_WITH(-EFAULT, phi_words_put, __VA_ARGS__)
#endif

#endif /* _PHI_WORDS_H */
