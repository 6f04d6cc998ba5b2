/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Manifests of users: a folder has one for each, NAME.json or UID.json, and
 * default.json for all others.
 */
#ifndef MATHISD_SERVE_MANIFEST_H
#define MATHISD_SERVE_MANIFEST_H

#include <stdint.h>
#include <sys/queue.h>

#include "core/manifest.h"

struct md_session;

/**
 * struct manifest - what the sessions of a user may do
 * @uid: The user; MANIFEST_ALL: all others.
 * @what: Its manifest; paths begin somewhere.
 */
struct manifest {
	SLIST_ENTRY(manifest) link;
	uint32_t uid;
	struct md_manifest what;
};

#define MANIFEST_ALL UINT32_MAX

SLIST_HEAD(manifests, manifest);

/**
 * mathisd_manifests_load() - read all manifests of a folder
 * @all: Empty.
 * @dir: The folder; one that is missing has none.
 *
 * Return: 0; -EEXIST when a user has two; a negative errno, of which the reason
 * was logged.
 */
int mathisd_manifests_load(struct manifests *all, const char *dir);
void mathisd_manifests_free(struct manifests *all);
/* Give a session what its user has: 0 or a negative errno. */
int mathisd_manifest_apply(const struct manifests *all, uint32_t uid,
			   struct md_session *s);

#endif
