// SPDX-License-Identifier: GPL-2.0-only
/* Read manifests: JSON whose keys are all known. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "manifest.h"

#define CALL_MS_MAX INT32_MAX

/* A file that is being read. */
struct source {
	struct md_manifest *m;
	char *why;
};

static int wrong(const struct source *in, const char *what, const char *name)
{
	snprintf(in->why, MD_MANIFEST_WHY, "%s%s%s", what, *name ? ": " : "",
		 name);
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
		snprintf(in->why, MD_MANIFEST_WHY, "%s: %s", rule,
			 ret == -EINVAL ? "it takes no such parameter" :
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
	struct md_manifest *m = in->m;

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

int md_manifest_read(struct md_manifest *m, const char *path,
		     char why[MD_MANIFEST_WHY])
{
	const struct source in = { m, why };
	yyjson_read_err err;
	yyjson_doc *doc =
		yyjson_read_file(path, YYJSON_READ_NOFLAG, NULL, &err);
	yyjson_val *root = yyjson_doc_get_root(doc), *key, *value;
	size_t i, n;
	int ret = 0;

	snprintf(why, MD_MANIFEST_WHY, "no memory");
	if (!doc) {
		snprintf(why, MD_MANIFEST_WHY, "byte %zu: %s", err.pos,
			 err.msg);
		return -EINVAL;
	}
	if (!yyjson_is_obj(root))
		ret = wrong(&in, "no object", "");
	yyjson_obj_foreach(root, i, n, key, value)
		ret = ret ?: set(&in, yyjson_get_str(key), value);
	yyjson_doc_free(doc);
	return ret;
}

void md_manifest_fini(struct md_manifest *m)
{
	md_rights_fini(&m->rights);
	free(m->base);
}
