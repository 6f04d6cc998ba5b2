// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much a processor has to do, and how warm it is. The files stay open:
 * once the daemon has shut itself in it can open none.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <phi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

/* 4096 processors have shorter lines than this. */
#define SCHEDSTAT_MAX (1 << 20)

static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t len = 0;

	while (len < room - 1) {
		ssize_t got = pread(fd, text + len, room - 1 - len, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += got;
	}
	text[len] = '\0';
	return len;
}

/**
 * load_parse() - find a processor's busy time in /proc/schedstat
 * @schedstat: The file's text, version 15 or newer.
 * @cpu: Which.
 * @busy_ns: Out, time that tasks ran on it, plus time that tasks waited to.
 *
 * Context: Any thread.
 * Return: 0, or -ENOENT when the text does not tell.
 */
int load_parse(const char *schedstat, int cpu, uint64_t *busy_ns)
{
	const char *line;
	char name[16];
	size_t len;

	len = snprintf(name, sizeof(name), "cpu%d ", cpu);
	for (line = schedstat; line; line = strchr(line, '\n')) {
		uint64_t run, wait;

		line += *line == '\n';
		if (strncmp(line, name, len))
			continue;
		/* Six counters of events, then nanoseconds run and waited. */
		if (sscanf(line + len,
			   "%*u %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &run,
			   &wait) != 2)
			return -ENOENT;
		*busy_ns = run + wait;
		return 0;
	}
	return -ENOENT;
}

/**
 * load_permille() - turn busy time into a load
 * @busy_ns: Time run and time waited, of all tasks.
 * @passed_ns: Over this time.
 *
 * Context: Any thread.
 * Return: 1000 for a processor that is just busy, more when tasks queue; or
 * PHI_UNIT_UNKNOWN when no time passed.
 */
uint32_t load_permille(uint64_t busy_ns, uint64_t passed_ns)
{
	double load;

	if (!passed_ns)
		return PHI_UNIT_UNKNOWN;
	load = 1000.0 * (double)busy_ns / (double)passed_ns;
	return load < 1000000 ? (uint32_t)load : 1000000;
}

/* Zones that are about processors, by what drivers call them. */
static bool zone_is_cpu(const char *type)
{
	static const char *const words[] = { "x86_pkg", "cpu", "CPU",
					     "k10temp", "soc", "TCPU" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strstr(type, words[i]))
			return true;
	}
	return false;
}

static void find_zones(struct load *load)
{
	char path[256], type[64];
	glob_t zones;
	size_t i;
	int fd;

	if (glob("/sys/class/thermal/thermal_zone*", 0, NULL, &zones))
		return;
	for (i = 0; i < zones.gl_pathc && load->nzones < LOAD_ZONES_MAX; i++) {
		snprintf(path, sizeof(path), "%s/type", zones.gl_pathv[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		read_all(fd, type, sizeof(type));
		close(fd);
		if (!zone_is_cpu(type))
			continue;
		snprintf(path, sizeof(path), "%s/temp", zones.gl_pathv[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			load->zone_fd[load->nzones++] = fd;
	}
	globfree(&zones);
}

/**
 * load_init() - open a processor's sensors
 * @load: Sensors, set up.
 * @cpu: Which processor.
 *
 * Context: Before the daemon shuts itself in.
 */
void load_init(struct load *load, int cpu)
{
	memset(load, 0, sizeof(*load));
	load->cpu = cpu;
	load->stat_fd = open("/proc/schedstat", O_RDONLY | O_CLOEXEC);
	find_zones(load);
}

/**
 * load_fini() - undo load_init()
 * @load: Sensors, closed.
 *
 * Context: Any thread.
 */
void load_fini(struct load *load)
{
	if (load->stat_fd >= 0)
		close(load->stat_fd);
	while (load->nzones)
		close(load->zone_fd[--load->nzones]);
}

/**
 * load_sample() - how busy was the processor since the last sample?
 * @load: From load_init().
 * @now_ns: The time.
 *
 * Context: One thread.
 * Return: 1/1000 of what keeps it busy, or PHI_UNIT_UNKNOWN: the first time,
 * and where the kernel does not count.
 */
uint32_t load_sample(struct load *load, uint64_t now_ns)
{
	uint32_t permille = PHI_UNIT_UNKNOWN;
	uint64_t busy_ns;
	char *text;

	if (load->stat_fd < 0)
		return PHI_UNIT_UNKNOWN;
	text = malloc(SCHEDSTAT_MAX);
	if (!text)
		return PHI_UNIT_UNKNOWN;
	read_all(load->stat_fd, text, SCHEDSTAT_MAX);
	if (!load_parse(text, load->cpu, &busy_ns)) {
		if (load->at_ns && busy_ns >= load->busy_ns)
			permille = load_permille(busy_ns - load->busy_ns,
						 now_ns - load->at_ns);
		load->busy_ns = busy_ns;
		load->at_ns = now_ns;
	}
	free(text);
	return permille;
}

/**
 * load_temperature() - how warm is the processor?
 * @load: From load_init().
 *
 * Context: One thread.
 * Return: Millidegrees Celsius of its warmest zone, or PHI_UNIT_UNKNOWN.
 */
uint32_t load_temperature(const struct load *load)
{
	uint32_t warmest = PHI_UNIT_UNKNOWN;
	char text[32];
	int i;

	for (i = 0; i < load->nzones; i++) {
		long value;

		if (read_all(load->zone_fd[i], text, sizeof(text)) <= 0)
			continue;
		value = strtol(text, NULL, 10);
		if (value > 0 && value < 200000 &&
		    (warmest == PHI_UNIT_UNKNOWN || value > (long)warmest))
			warmest = value;
	}
	return warmest;
}
