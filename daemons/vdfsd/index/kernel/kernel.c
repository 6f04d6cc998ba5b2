// SPDX-License-Identifier: GPL-2.0-only
/* Which distance kernels this processor runs. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

/* Names of kernels that are not to run, as on a processor that cannot. */
static const char *masked = "";

/* Once, since kernels are asked for often. */
static __attribute__((constructor)) void read_mask(void)
{
	masked = getenv("VDFSD_NO_KERNELS") ?: "";
}

static bool runs(const struct vdfs_kernel *kernel)
{
	if (kernel != &vdfs_kernel_scalar && strstr(masked, kernel->name))
		return false;
	__builtin_cpu_init();
	if (kernel == &vdfs_kernel_avx512)
		return __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512dq") &&
		       __builtin_cpu_supports("avx512vnni");
	if (kernel == &vdfs_kernel_avx2)
		return __builtin_cpu_supports("avx2") &&
		       __builtin_cpu_supports("fma") &&
		       __builtin_cpu_supports("f16c");
	return true;
}

static const struct vdfs_kernel *const kernels[] = {
	&vdfs_kernel_avx512,
	&vdfs_kernel_avx2,
	&vdfs_kernel_scalar,
	NULL,
};

/**
 * vdfs_kernel_best() - the fastest kernels that run here
 *
 * Return: Never NULL.
 */
const struct vdfs_kernel *vdfs_kernel_best(void)
{
	size_t i = 0;

	while (!runs(kernels[i]))
		i++;
	return kernels[i];
}

/**
 * vdfs_kernel_named() - the kernels of one name
 * @name: "avx512", "avx2" or "scalar".
 *
 * Return: NULL when there is no such name or this processor cannot run it.
 */
const struct vdfs_kernel *vdfs_kernel_named(const char *name)
{
	const struct vdfs_kernel *const *k = kernels;

	for (; *k; k++)
		if (!strcmp((*k)->name, name) && runs(*k))
			return *k;
	return NULL;
}
