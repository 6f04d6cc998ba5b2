/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that calls of 0x06 make, move and remove. */
#ifndef MATHISD_CALLS_FS_PLACE_H
#define MATHISD_CALLS_FS_PLACE_H

#include <limits.h>

#include "core/path.h"

/* A name that need not exist, in a folder that does. */
struct place {
	int folder; /* O_PATH */
	char name[NAME_MAX + 1];
};

/* Find the place that a path to be written names: 0, or MD_FAILED, reported. */
int place_find(struct md_call *c, const char *path, struct place *p);
void place_close(struct place *p);
/* The same of an argument. */
int place_of(struct md_call *c, unsigned int arg, struct place *p);
/* Open a new file with a random name in a folder: the file, or -1 and errno. */
int place_temp(int folder, const char *prefix, char name[NAME_MAX + 1]);

#endif
