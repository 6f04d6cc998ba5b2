// SPDX-License-Identifier: GPL-2.0-only
/* Read the files of all services. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initd.h"
#include "log.h"

static int by_name(const void *a, const void *b)
{
	const struct init_service *s = a, *t = b;

	return strcmp(s->config->name, t->config->name);
}

/* A file that is no service's has another ending, or is hidden. */
static bool is_service(const char *name)
{
	size_t len = strlen(name);
	size_t end = strlen(INIT_SUFFIX);

	return *name != '.' && len > end &&
	       !strcmp(name + len - end, INIT_SUFFIX);
}

/* Read all files, also after a fault, so that all faults are said. */
static int read_all(struct init_engine *e, DIR *dir)
{
	struct init_fault fault;
	struct dirent *entry;
	int ret = 0;

	while ((entry = readdir(dir))) {
		if (!is_service(entry->d_name))
			continue;
		if (e->n == INIT_SERVICES_MAX) {
			say("more than %d services", INIT_SERVICES_MAX);
			return -E2BIG;
		}
		e->services[e->n].config =
			init_config_read(dirfd(dir), entry->d_name, &fault);
		if (e->services[e->n].config) {
			e->n++;
			continue;
		}
		say("%s", fault.text);
		ret = -EINVAL;
	}
	return ret;
}

/**
 * init_load() - read the services of a directory
 * @e: Engine without services.
 * @path: Directory.
 *
 * Context: Main thread.
 * Return: 0, or a negative errno; the reasons were logged.
 */
int init_load(struct init_engine *e, const char *path)
{
	struct init_fault fault;
	DIR *dir = opendir(path);
	int ret;

	if (!dir) {
		ret = -errno;
		say("cannot read %s: %s", path, strerror(-ret));
		return ret;
	}
	ret = read_all(e, dir);
	closedir(dir);
	qsort(e->services, e->n, sizeof(*e->services), by_name);
	if (ret)
		return ret;
	ret = init_order(e, &fault);
	if (ret)
		say("%s", fault.text);
	return ret;
}

/**
 * init_unload() - free the services
 * @e: Engine.
 *
 * Context: Main thread.
 */
void init_unload(struct init_engine *e)
{
	while (e->n)
		init_config_free(e->services[--e->n].config);
}
