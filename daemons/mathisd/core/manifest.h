/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A manifest: what a session may do.
 *
 *	{ "allow": ["crypto", "fs.read=/srv/data"],
 *	  "deny": ["fs.read=/srv/data/private"],
 *	  "base": "/srv/data", "call_ms": 60000 }
 *
 * A rule is RIGHT or RIGHT=PARAMETER,...; one that denies wins. "base" is where
 * relative paths begin, "call_ms" the milliseconds that a call may take.
 */
#ifndef MATHISD_CORE_MANIFEST_H
#define MATHISD_CORE_MANIFEST_H

#include <stdint.h>

#include "rights.h"

#define MD_MANIFEST_WHY 200

/**
 * struct md_manifest - what a session may do
 * @rights: Rules.
 * @base: Where relative paths begin; NULL: the manifest does not say.
 * @call_ms: Milliseconds that a call may take; 0: no limit.
 */
struct md_manifest {
	struct md_rights rights;
	char *base;
	uint64_t call_ms;
};

/**
 * md_manifest_read() - read a manifest
 * @m: Empty; to be freed in each case.
 * @path: The file.
 * @why: Out, one line, where it fails.
 *
 * Return: 0; -EINVAL for what is no manifest; -ENOENT for an unknown right; the
 * -errno of a path in a rule; -ENOMEM.
 */
int md_manifest_read(struct md_manifest *m, const char *path,
		     char why[MD_MANIFEST_WHY]);
void md_manifest_fini(struct md_manifest *m);

#endif
