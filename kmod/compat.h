/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_COMPAT_H
#define _PHI_COMPAT_H

/**
 * DOC: Differences between kernels
 *
 * From 6.12 to 7.2 one source serves all; what differs is absorbed here and
 * nowhere else.
 */

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/io_uring/cmd.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/version.h>

#ifndef CONFIG_TRANSPARENT_HUGEPAGE
#error "phi.ko needs a kernel with CONFIG_TRANSPARENT_HUGEPAGE"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#endif

/**
 * phi_insert_huge() - map a huge page at a fault
 * @vmf: The fault, in a VM_PFNMAP area.
 * @pfn: The first of its pages.
 * @write: Make the entry writable, also one that is there already. Nobody else
 *         may put a page table or another page there meanwhile. Else it is as
 *         the area's protection says, which is read-only in an area with
 *         ->pfn_mkwrite().
 *
 * Context: In ->huge_fault().
 * Return: VM_FAULT_*.
 */
static inline vm_fault_t phi_insert_huge(struct vm_fault *vmf,
					 unsigned long pfn, bool write)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write);
#else
	return vmf_insert_pfn_pmd(vmf, pfn, write);
#endif
}

/**
 * phi_pidfd_pid() - the process or thread that a file names
 * @file: Any file.
 *
 * No function that does this is exported: a pidfd is a file of a filesystem of
 * its own, whose inodes have the pid.
 *
 * Context: Any.
 * Return: The pid, which @file keeps; NULL when it is no pidfd.
 */
static inline struct pid *phi_pidfd_pid(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == PID_FS_MAGIC ? inode->i_private : NULL;
}

/* The state of a BLAKE2s hash: renamed in 6.19. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define phi_blake2s blake2s_state
#else
#define phi_blake2s blake2s_ctx
#endif

/* The command in an SQE: a function until 6.17, then a macro with a type. */
#ifdef io_uring_sqe_cmd
#define phi_sqe_cmd(_sqe, _type) io_uring_sqe_cmd(_sqe, _type)
#else
#define phi_sqe_cmd(_sqe, _type) ((const _type *)io_uring_sqe_cmd(_sqe))
#endif

/* Until 6.18 a command could have two results. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define phi_uring_done(_cmd, _ret, _flags) \
	io_uring_cmd_done(_cmd, _ret, 0, _flags)
#else
#define phi_uring_done io_uring_cmd_done
#endif

/* Arguments of the tracepoint sched_process_exit: one more since 6.16. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define PHI_EXIT_ARGS struct task_struct *task
#else
#define PHI_EXIT_ARGS struct task_struct *task, bool group_dead
#endif

/* Since 6.13 the function of a timer is given when it is set up. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void
phi_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*fn)(struct hrtimer *), clockid_t clock,
		  enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#else
#define phi_hrtimer_setup hrtimer_setup
#endif

#endif /* _PHI_COMPAT_H */
