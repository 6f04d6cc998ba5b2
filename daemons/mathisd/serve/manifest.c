// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/session.h"
#include "log.h"
#include "manifest.h"

#define SUFFIX ".json"

/* The user that a file is for: its name without its ending. */
static int find_user(const char *name, size_t n, uint32_t *uid)
{
	char *user = strndup(name, n), *end;
	const struct passwd *pw;
	unsigned long number;
	int ret = 0;

	if (!user)
		return -ENOMEM;
	pw = getpwnam(user);
	errno = 0;
	number = strtoul(user, &end, 10);
	if (!strcmp(user, "default"))
		*uid = MANIFEST_ALL;
	else if (pw)
		*uid = pw->pw_uid;
	else if (*user >= '0' && *user <= '9' && !*end && !errno &&
		 number < UINT32_MAX)
		*uid = (uint32_t)number;
	else
		ret = -ENOENT;
	free(user);
	return ret;
}

static void manifest_free(struct manifest *m)
{
	md_manifest_fini(&m->what);
	free(m);
}

/* Whether a user has a manifest already: by name, or by number. */
static bool has_one(const struct manifests *all, uint32_t uid)
{
	const struct manifest *m;

	SLIST_FOREACH(m, all, link)
	{
		if (m->uid == uid)
			return true;
	}
	return false;
}

static int load(struct manifests *all, const char *dir, const char *name)
{
	size_t n = strlen(name) - strlen(SUFFIX);
	struct manifest *m = calloc(1, sizeof(*m));
	char path[PATH_MAX];
	char why[MD_MANIFEST_WHY];
	int ret;

	if (!m)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = find_user(name, n, &m->uid);
	if (ret) {
		say("%s: there is no such user", path);
	} else if (has_one(all, m->uid)) {
		ret = -EEXIST;
		say("%s: another manifest is for this user", path);
	} else {
		ret = md_manifest_read(&m->what, path, why);
		if (ret)
			say("%s: %s", path, why);
	}
	if (!ret && !m->what.base)
		m->what.base = strdup("/");
	if (!ret && !m->what.base)
		ret = -ENOMEM;
	if (ret)
		manifest_free(m);
	else
		SLIST_INSERT_HEAD(all, m, link);
	return ret;
}

int mathisd_manifests_load(struct manifests *all, const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int ret = 0;

	if (!d) {
		if (errno == ENOENT)
			return 0;
		ret = -errno;
		say("cannot read %s: %s", dir, strerror(-ret));
		return ret;
	}
	while (!ret && (entry = readdir(d))) {
		size_t n = strlen(entry->d_name);

		if (n > strlen(SUFFIX) &&
		    !strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX))
			ret = load(all, dir, entry->d_name);
	}
	closedir(d);
	return ret;
}

void mathisd_manifests_free(struct manifests *all)
{
	struct manifest *m;

	while ((m = SLIST_FIRST(all))) {
		SLIST_REMOVE_HEAD(all, link);
		manifest_free(m);
	}
}

int mathisd_manifest_apply(const struct manifests *all, uint32_t uid,
			   struct md_session *s)
{
	const struct manifest *m, *found = NULL;
	char *base;

	SLIST_FOREACH(m, all, link)
	{
		if (m->uid == uid || (m->uid == MANIFEST_ALL && !found))
			found = m;
	}
	base = strdup(found ? found->what.base : "/");
	if (!base)
		return -ENOMEM;
	free(s->base);
	s->base = base;
	if (!found)
		return 0;
	s->call_ms = found->what.call_ms;
	return md_rights_copy(&s->rights, &found->what.rights);
}
