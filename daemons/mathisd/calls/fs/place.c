// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places for names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "calls/calls.h"
#include "place.h"

int place_find(struct md_call *c, const char *path, struct place *p)
{
	p->folder = md_path_parent(c, "fs.write", path, p->name);
	if (p->folder < 0)
		return MD_FAILED;
	if (!md_path_plain(c, p->folder))
		return MD_DONE;
	place_close(p);
	return MD_FAILED;
}

void place_close(struct place *p)
{
	close(p->folder);
}

int place_of(struct md_call *c, unsigned int arg, struct place *p)
{
	const char *path = md_cstr(c, arg);

	return path ? place_find(c, path, p) : MD_FAILED;
}

int place_temp(int folder, const char *prefix, char name[NAME_MAX + 1])
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(name, NAME_MAX + 1, "%s%016llx%016llx", prefix,
		 (unsigned long long)random[0], (unsigned long long)random[1]);
	return openat(folder, name,
		      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}
