/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_UNIT_H
#define _PHI_UNIT_H

#include <phi/base.h>

/**
 * DOC: Execution units
 *
 * A unit is something that runs inferences: CPU cores, a GPU, a TPU. The
 * daemon that drives it registers it and reports its figures; the kernel
 * keeps what is in flight on it and chooses among units, since several
 * processes share them.
 */

#define PHI_UNIT_CPU 1
#define PHI_UNIT_GPU 2
#define PHI_UNIT_TPU 3

/*
 * Units of one host at most; ids are 0 to PHI_UNITS_MAX - 1. The last of them
 * are for callers with CAP_SYS_ADMIN.
 */
#define PHI_UNITS_MAX 64
#define PHI_UNITS_RESERVED 16

/* struct phi_unit_register flag: serves every user's inferences. */
#define PHI_UNIT_SHARED (1U << 0)

/* A figure that no sensor gives. */
#define PHI_UNIT_UNKNOWN 0xffffffffU

/**
 * struct phi_unit_register - ioctl(PHI_IOC_UNIT_REGISTER)
 * @size: sizeof(struct phi_unit_register).
 * @flags: 0 or PHI_UNIT_SHARED, which needs CAP_SYS_ADMIN, else EPERM.
 *         Without it the unit serves only inferences of the same user.
 * @kind: PHI_UNIT_CPU, PHI_UNIT_GPU or PHI_UNIT_TPU.
 * @node: NUMA node, or PHI_UNIT_UNKNOWN.
 * @capacity: Batches it runs at once, 1 to 4096.
 * @id: Out, the unit's number, the lowest free one.
 * @name: For people; NUL-terminated, not empty, the rest zero.
 * @cap: Out, DEVICE handle with READ, WRITE, ADMIN and GRANT.
 *
 * The unit is gone when the last live handle to it is dropped or revoked.
 * A caller without CAP_SYS_ADMIN gets EDQUOT when its user has as many units as
 * the module parameter quota_units says, and ENOSPC when only the
 * PHI_UNITS_RESERVED last are free; with it, when none is.
 */
struct phi_unit_register {
	__u32 size;
	__u32 flags;
	__u32 kind;
	__u32 node;
	__u32 capacity;
	__u32 id;
	__u8 name[PHI_NAME_MAX];
	__aligned_u64 cap;
};

#define PHI_IOC_UNIT_REGISTER _IO(PHI_IOC_MAGIC, 0x70)

/**
 * struct phi_unit_update - ioctl(PHI_IOC_UNIT_UPDATE)
 * @size: sizeof(struct phi_unit_update).
 * @flags: Must be 0.
 * @cap: DEVICE handle with WRITE.
 * @load: Work waiting, in 1/1000 of what keeps it busy (1000 = full, more =
 *        queueing), or PHI_UNIT_UNKNOWN.
 * @temperature: Millidegrees Celsius, or PHI_UNIT_UNKNOWN.
 * @power: Milliwatts, or PHI_UNIT_UNKNOWN.
 * @healthy: 1, or 0 to take no new batch.
 */
struct phi_unit_update {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__u32 load;
	__u32 temperature;
	__u32 power;
	__u32 healthy;
};

#define PHI_IOC_UNIT_UPDATE _IO(PHI_IOC_MAGIC, 0x71)

/**
 * struct phi_unit_query - ioctl(PHI_IOC_UNIT_QUERY)
 * @size: sizeof(struct phi_unit_query).
 * @flags: Must be 0.
 * @id: In, the first id to look at; Out, the unit found, that one or the
 *      next higher. ENOENT when there is none.
 * @kind: Out.
 * @node: Out.
 * @capacity: Out.
 * @in_flight: Out, batches begun and not ended, of all users. infer.h says
 *             which of them count for a choice.
 * @load: Out.
 * @temperature: Out.
 * @power: Out.
 * @healthy: Out.
 * @unit_flags: Out, PHI_UNIT_SHARED.
 * @uid: Out, the owner, in the caller's user namespace.
 * @pad: Must be 0.
 * @batches: Out, batches ended well since it was registered.
 * @items: Out, inputs in them.
 * @run_ns: Out, time in them, from INFER_BEGIN to INFER_END. Every user
 *          that may run batches on the unit adds to these three; no choice goes by them.
 * @name: Out.
 */
struct phi_unit_query {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 kind;
	__u32 node;
	__u32 capacity;
	__u32 in_flight;
	__u32 load;
	__u32 temperature;
	__u32 power;
	__u32 healthy;
	__u32 unit_flags;
	__u32 uid;
	__u32 pad;
	__aligned_u64 batches;
	__aligned_u64 items;
	__aligned_u64 run_ns;
	__u8 name[PHI_NAME_MAX];
};

#define PHI_IOC_UNIT_QUERY _IO(PHI_IOC_MAGIC, 0x72)

#endif /* _PHI_UNIT_H */
