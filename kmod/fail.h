/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_FAIL_H
#define _PHI_FAIL_H

/**
 * DOC: The build that fails
 *
 * "make kmod-fail" puts this header before every file of the module. Requests
 * to the kernel that can be refused, memory, copies from and to user space,
 * descriptors, then fail for one task at one place, which the parameter
 * fail_nth names by counting. No other build knows of it.
 */

#include <crypto/hash.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

bool phi_fail(const char *file, int line);

#define PHI_FAIL phi_fail(__FILE__, __LINE__)
/* An allocation that phi_fail() may refuse. */
#define PHI_FAIL_ALLOC(_fn, ...) \
	(PHI_FAIL ? NULL : alloc_hooks(_fn(__VA_ARGS__)))
/* A function that phi_fail() may refuse with another value. */
#define PHI_FAIL_WITH(_value, _fn, ...) \
	(PHI_FAIL ? (_value) : (_fn)(__VA_ARGS__))

#undef kmalloc
#define kmalloc(...) PHI_FAIL_ALLOC(kmalloc_noprof, __VA_ARGS__)
#undef kzalloc
#define kzalloc(...) PHI_FAIL_ALLOC(kzalloc_noprof, __VA_ARGS__)
/* kcalloc() is made of it. */
#undef kmalloc_array
#define kmalloc_array(...) PHI_FAIL_ALLOC(kmalloc_array_noprof, __VA_ARGS__)
#undef kmemdup
#define kmemdup(...) PHI_FAIL_ALLOC(kmemdup_noprof, __VA_ARGS__)
/* kvmalloc() and kvzalloc() are made of it. */
#undef kvmalloc_node
#define kvmalloc_node(...) PHI_FAIL_ALLOC(kvmalloc_node_noprof, __VA_ARGS__)
#undef kvcalloc
#define kvcalloc(...) PHI_FAIL_ALLOC(kvcalloc_noprof, __VA_ARGS__)
#undef kmem_cache_alloc
#define kmem_cache_alloc(...) \
	PHI_FAIL_ALLOC(kmem_cache_alloc_noprof, __VA_ARGS__)
/* alloc_page() is made of it. */
#undef alloc_pages
#define alloc_pages(...) PHI_FAIL_ALLOC(alloc_pages_noprof, __VA_ARGS__)

#define xa_insert(...) PHI_FAIL_WITH(-ENOMEM, xa_insert, __VA_ARGS__)
#define xa_reserve(...) PHI_FAIL_WITH(-ENOMEM, xa_reserve, __VA_ARGS__)
#define xa_alloc(...) PHI_FAIL_WITH(-ENOMEM, xa_alloc, __VA_ARGS__)
#define anon_inode_getfile(...)                                            \
	PHI_FAIL_WITH((struct file *)ERR_PTR(-ENOMEM), anon_inode_getfile, \
		      __VA_ARGS__)
#define anon_inode_create_getfile(...)                 \
	PHI_FAIL_WITH((struct file *)ERR_PTR(-ENOMEM), \
		      anon_inode_create_getfile, __VA_ARGS__)
#define get_unused_fd_flags(...) \
	PHI_FAIL_WITH(-EMFILE, get_unused_fd_flags, __VA_ARGS__)
#define crypto_alloc_shash(...)                                \
	PHI_FAIL_WITH((struct crypto_shash *)ERR_PTR(-ENOMEM), \
		      crypto_alloc_shash, __VA_ARGS__)

/* One byte was not copied. */
#define copy_from_user(...) PHI_FAIL_WITH(1UL, copy_from_user, __VA_ARGS__)
#define copy_to_user(...) PHI_FAIL_WITH(1UL, copy_to_user, __VA_ARGS__)
#define clear_user(...) PHI_FAIL_WITH(1UL, clear_user, __VA_ARGS__)
#define copy_struct_from_user(...) \
	PHI_FAIL_WITH(-EFAULT, copy_struct_from_user, __VA_ARGS__)
#undef get_user
#define get_user(_x, _ptr) \
	(PHI_FAIL || (copy_from_user)(&(_x), _ptr, sizeof(_x)) ? -EFAULT : 0)
#undef put_user
#define put_user(_x, _ptr)                                     \
	({                                                     \
		__auto_type _fail_to = (_ptr);                 \
		__typeof__(*_fail_to) _fail_x = (_x);          \
		PHI_FAIL || (copy_to_user)(_fail_to, &_fail_x, \
					   sizeof(_fail_x)) ?  \
			-EFAULT :                              \
			0;                                     \
	})

#endif /* _PHI_FAIL_H */
