// SPDX-License-Identifier: GPL-2.0-only
/* Directories that tests leave behind. */
#include <ftw.h>
#include <stdio.h>

#include "files.h"

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/**
 * remove_tree() - remove a directory with all that is in it
 * @dir: Its path; links in it are not followed.
 *
 * Context: Any.
 */
void remove_tree(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
