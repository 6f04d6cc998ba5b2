// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs against the rules of proc.exec.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "calls/calls.h"
#include "core/path.h"
#include "program.h"

/* A program that is judged. */
struct program {
	char clean[PATH_MAX]; /* as it was named, without "." and ".." */
	const char *real;
	struct stat st; /* all zero: there is none */
};

/* Whether a path is the pattern, or begins with it before its star. */
static bool fits(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return !strncmp(pattern, path, n - 1);
	return !strcmp(pattern, path);
}

/* The pattern of a rule without links in it, or as it is. */
static const char *resolve(const char *param, char out[2 * PATH_MAX])
{
	size_t n = strlen(param);
	char folder[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(param, '/');

	if (!slash || n >= PATH_MAX)
		return param;
	if (param[n - 1] != '*')
		return realpath(param, out) ?: param;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - param) + 1,
		 param);
	if (!realpath(folder, real))
		return param;
	snprintf(out, 2 * PATH_MAX, "%s%s", strcmp(real, "/") ? real : "",
		 slash);
	return out;
}

static bool same_file(const struct program *p, const char *path)
{
	struct stat st;

	return p->st.st_ino && !stat(path, &st) && st.st_ino == p->st.st_ino &&
	       st.st_dev == p->st.st_dev;
}

static bool rule_fits(const struct md_rule *rule, const struct program *p)
{
	char buf[2 * PATH_MAX];
	const char *pattern;

	if (!rule->param)
		return true;
	pattern = resolve(rule->param, buf);
	if (fits(pattern, p->real))
		return true;
	return rule->deny &&
	       (fits(rule->param, p->clean) || same_file(p, pattern));
}

static bool may_run(const struct md_rights *rights, const struct program *p)
{
	bool allowed = false;

	for (size_t i = 0; i < rights->n; i++) {
		const struct md_rule *rule = &rights->rules[i];

		if (strcmp(rule->right->name, "proc.exec") ||
		    (allowed && !rule->deny) || !rule_fits(rule, p))
			continue;
		if (rule->deny)
			return false;
		allowed = true;
	}
	return allowed;
}

int program_find(struct md_call *c, const char *path, char real[PATH_MAX])
{
	struct program p = { .real = real };

	if (*path != '/')
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the path of a program is absolute");
	if (md_path_clean(c, path, p.clean))
		return MD_FAILED;
	/* A missing one is judged by its name: who may not run it learns nothing. */
	if (!realpath(path, real) || stat(real, &p.st)) {
		memset(&p.st, 0, sizeof(p.st));
		memcpy(real, p.clean, strlen(p.clean) + 1);
	}
	if (!may_run(&c->session->rights, &p))
		return md_deny(c, "proc.exec", path);
	return MD_DONE;
}
