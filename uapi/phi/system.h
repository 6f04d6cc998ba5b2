/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_SYSTEM_H
#define _PHI_SYSTEM_H

#include <phi/base.h>

/* Features of this build and kernel. */
#define PHI_FEATURE_URING (1ULL << 0) /* calls through io_uring */
#define PHI_FEATURE_KFUNC (1ULL << 1) /* kfuncs and hooks for BPF */
#define PHI_FEATURE_SCHED_EXT (1ULL << 2) /* the kernel has sched_ext */

/**
 * struct phi_system_info - ioctl(PHI_IOC_SYSTEM_INFO)
 * @size: sizeof(struct phi_system_info).
 * @flags: Must be 0.
 * @abi: Out, PHI_ABI_VERSION of the module.
 * @calls: Out, number of calls in its table.
 * @features: Out, PHI_FEATURE_*.
 */
struct phi_system_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 calls;
	__aligned_u64 features;
};

#define PHI_IOC_SYSTEM_INFO _IO(PHI_IOC_MAGIC, 0xf0)

/*
 * Counts of each user. A capability in a message is counted for
 * whoever sent it, and from its arrival on for whoever received it. The module
 * parameters quota_* limit each user, total_* all users together; a charge
 * above either fails with EDQUOT. phi_quota(7) lists them.
 */
#define PHI_QUOTA_CAPS 0 /* capabilities, mappings, watches, files to poll */
#define PHI_QUOTA_PAGES 1 /* pages in regions, or pinned since they left one */
#define PHI_QUOTA_BYTES 2 /* message bytes in flight */
#define PHI_QUOTA_OBJECTS 3 /* objects of any type, cspaces, 256 slots each */
#define PHI_QUOTA_TICKETS 4 /* inferences in flight */
#define PHI_QUOTAS 5

/**
 * struct phi_system_stats - ioctl(PHI_IOC_SYSTEM_STATS)
 * @size: sizeof(struct phi_system_stats).
 * @flags: Must be 0.
 * @objects: Out, objects on the host, by PHI_TYPE_*; [0] is their sum.
 * @cspaces: Out, cspaces open on the host.
 * @used: Out, what the caller's user has charged, by PHI_QUOTA_*.
 * @limit: Out, the limit on each, while other users have what they have: @quota
 *         or less.
 * @quota: Out, the limit on each user, by PHI_QUOTA_*.
 * @host_used: Out, what all users have charged, rounded up for each of them.
 * @host_limit: Out, the limit on all users together. A user other than root can
 *              have at most as much of it as it leaves to others, and not the
 *              last eighth.
 */
struct phi_system_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 objects[PHI_TYPE_AGENT + 1];
	__aligned_u64 cspaces;
	__aligned_u64 used[PHI_QUOTAS];
	__aligned_u64 limit[PHI_QUOTAS];
	__aligned_u64 quota[PHI_QUOTAS];
	__aligned_u64 host_used[PHI_QUOTAS];
	__aligned_u64 host_limit[PHI_QUOTAS];
};

#define PHI_IOC_SYSTEM_STATS _IO(PHI_IOC_MAGIC, 0xf1)

#endif /* _PHI_SYSTEM_H */
