/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_LOAD_H
#define BATCHD_LOAD_H

#include <stdint.h>

#define LOAD_ZONES_MAX 8

/**
 * struct load - figures of one processor
 * @cpu: Which.
 * @stat_fd: /proc/schedstat, or -1.
 * @zone_fd: Thermal zones of processors.
 * @nzones: How many.
 * @busy_ns: Time that tasks ran or waited, at the last sample.
 * @at_ns: When it was taken; 0 = never.
 */
struct load {
	int cpu;
	int stat_fd;
	int zone_fd[LOAD_ZONES_MAX];
	int nzones;
	uint64_t busy_ns;
	uint64_t at_ns;
};

void load_init(struct load *load, int cpu);
void load_fini(struct load *load);
uint32_t load_sample(struct load *load, uint64_t now_ns);
uint32_t load_temperature(const struct load *load);

int load_parse(const char *schedstat, int cpu, uint64_t *busy_ns);
uint32_t load_permille(uint64_t busy_ns, uint64_t passed_ns);

#endif /* BATCHD_LOAD_H */
