// SPDX-License-Identifier: GPL-2.0-only

#include "dispatch.h"
#include "quota.h"

/**
 * phi_system_info() - PHI_IOC_SYSTEM_INFO
 * @cs: The caller's cspace.
 * @arg: struct phi_system_info.
 *
 * Context: Any.
 * Return: 0 or -EOPNOTSUPP.
 */
int phi_system_info(struct phi_cspace *cs, void *arg)
{
	struct phi_system_info *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	cmd->abi = PHI_ABI_VERSION;
	cmd->calls = phi_dispatch_count();
	cmd->features = 0;
	if (IS_ENABLED(CONFIG_IO_URING))
		cmd->features |= PHI_FEATURE_URING;
	if (IS_ENABLED(CONFIG_DEBUG_INFO_BTF_MODULES))
		cmd->features |= PHI_FEATURE_KFUNC;
	if (IS_ENABLED(CONFIG_SCHED_CLASS_EXT))
		cmd->features |= PHI_FEATURE_SCHED_EXT;
	return 0;
}

/**
 * phi_system_stats() - PHI_IOC_SYSTEM_STATS
 * @cs: The caller's cspace.
 * @arg: struct phi_system_stats.
 *
 * Context: Any.
 * Return: 0 or -EOPNOTSUPP.
 */
int phi_system_stats(struct phi_cspace *cs, void *arg)
{
	struct phi_system_stats *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	for (u32 type = 0; type < ARRAY_SIZE(cmd->objects); type++)
		cmd->objects[type] = phi_object_count(type);
	cmd->cspaces = phi_cspace_count();
	for (u32 what = 0; what < PHI_QUOTAS; what++) {
		cmd->used[what] = atomic64_read(&cs->user->used[what]);
		cmd->limit[what] = phi_quota_limit(cs->user, what);
		cmd->quota[what] = phi_quota_of_user(what);
		cmd->host_used[what] = phi_quota_granted(what);
		cmd->host_limit[what] = phi_quota_total(what);
	}
	return 0;
}
