// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "core/session.h"
#include "log.h"
#include "manifest.h"

#define SUFFIX ".json"
#define CALL_MS_MAX INT32_MAX

/* A file that is being read. */
struct source {
	const char *path;
	struct manifest *m;
};

static int wrong(const struct source *in, const char *what, const char *name)
{
	say("%s: %s%s%s", in->path, what, *name ? ": " : "", name);
	return -EINVAL;
}

static int add_rule(const struct source *in, bool deny, const char *rule)
{
	const char *params = strchr(rule, '=');
	char *name =
		strndup(rule, params ? (size_t)(params - rule) : strlen(rule));
	int ret;

	if (!name)
		return -ENOMEM;
	ret = md_rights_add(&in->m->rights, deny, name,
			    params ? params + 1 : NULL);
	free(name);
	if (ret)
		say("%s: %s: %s", in->path, rule,
		    ret == -EINVAL	      ? "it takes no such parameter" :
		    ret == -ENOENT && !params ? "there is no such right" :
						strerror(-ret));
	return ret;
}

static int add_rules(const struct source *in, bool deny, yyjson_val *list)
{
	size_t i, n;
	yyjson_val *rule;
	int ret = 0;

	if (!yyjson_is_arr(list))
		return wrong(in, "no list", deny ? "deny" : "allow");
	yyjson_arr_foreach(list, i, n, rule)
	{
		if (!yyjson_is_str(rule))
			return wrong(in, "no text is in the list",
				     deny ? "deny" : "allow");
		ret = ret ?: add_rule(in, deny, yyjson_get_str(rule));
	}
	return ret;
}

static int set(const struct source *in, const char *key, yyjson_val *value)
{
	struct manifest *m = in->m;

	if (!strcmp(key, "allow") || !strcmp(key, "deny"))
		return add_rules(in, *key == 'd', value);
	if (!strcmp(key, "base")) {
		const char *base = yyjson_get_str(value);

		if (!base || *base != '/' || m->base)
			return wrong(in, "no absolute path", key);
		m->base = strdup(base);
		return m->base ? 0 : -ENOMEM;
	}
	if (!strcmp(key, "call_ms")) {
		if (!yyjson_is_uint(value) ||
		    yyjson_get_uint(value) > CALL_MS_MAX)
			return wrong(in, "no number of milliseconds", key);
		m->call_ms = yyjson_get_uint(value);
		return 0;
	}
	return wrong(in, "no manifest has such a key", key);
}

static int read_file(const struct source *in)
{
	yyjson_read_err err;
	yyjson_doc *doc =
		yyjson_read_file(in->path, YYJSON_READ_NOFLAG, NULL, &err);
	yyjson_val *root = yyjson_doc_get_root(doc), *key, *value;
	size_t i, n;
	int ret = 0;

	if (!doc) {
		say("%s: byte %zu: %s", in->path, err.pos, err.msg);
		return -EINVAL;
	}
	if (!yyjson_is_obj(root))
		ret = wrong(in, "no object", "");
	yyjson_obj_foreach(root, i, n, key, value)
		ret = ret ?: set(in, yyjson_get_str(key), value);
	yyjson_doc_free(doc);
	return ret;
}

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
	md_rights_fini(&m->rights);
	free(m->base);
	free(m);
}

static int load(struct manifests *all, const char *dir, const char *name)
{
	size_t n = strlen(name) - strlen(SUFFIX);
	struct manifest *m = calloc(1, sizeof(*m));
	char path[PATH_MAX];
	struct source in = { path, m };
	int ret;

	if (!m)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = find_user(name, n, &m->uid);
	if (ret)
		say("%s: there is no such user", path);
	else
		ret = read_file(&in);
	if (!ret && !m->base)
		m->base = strdup("/");
	if (!ret && !m->base)
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
	base = strdup(found ? found->base : "/");
	if (!base)
		return -ENOMEM;
	free(s->base);
	s->base = base;
	if (!found)
		return 0;
	s->call_ms = found->call_ms;
	return md_rights_copy(&s->rights, &found->rights);
}
