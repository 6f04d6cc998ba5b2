// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules for rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mathis/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "path.h"
#include "session.h"

static const struct md_right all[] = {
#define RIGHT(_name, _param, _doc) { _name, MD_PARAM_##_param, _doc },
#include "rights.def"
#undef RIGHT
};

#define N_RIGHTS (sizeof(all) / sizeof(*all))

const struct md_right *md_rights_all(size_t *n)
{
	*n = N_RIGHTS;
	return all;
}

const struct md_right *md_right_find(const char *name, size_t size)
{
	for (size_t i = 0; i < N_RIGHTS; i++) {
		if (strlen(all[i].name) == size &&
		    !memcmp(all[i].name, name, size))
			return &all[i];
	}
	return NULL;
}

/*
 * The path of a rule that denies: without links as far as it exists, for what
 * does not exist may come to be. 0 or -errno.
 */
static int deny_path(struct md_rule *rule, const char *path)
{
	char text[PATH_MAX], real[PATH_MAX];
	size_t n = strlen(path), k;

	if (n >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path, n + 1);
	while (!realpath(n ? text : "/", real)) {
		while (n && text[--n] != '/')
			;
		text[n] = 0;
	}
	k = strcmp(real, "/") || !path[n] ? strlen(real) : 0;
	if (k + strlen(path + n) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(real + k, path + n, strlen(path + n) + 1);
	rule->param = strdup(real);
	return rule->param ? 0 : -ENOMEM;
}

/* Open the folder of a rule for paths: 0 or -errno. */
static int open_path(struct md_rule *rule, const char *path)
{
	char real[PATH_MAX];
	struct stat st;
	char *slash;

	if (!realpath(path, real) || stat(real, &st))
		return -errno;
	rule->param = strdup(real);
	if (!rule->param)
		return -ENOMEM;
	if (!S_ISDIR(st.st_mode)) {
		slash = strrchr(real, '/');
		rule->leaf = rule->param + (slash - real) + 1;
		slash[slash == real] = 0;
	}
	if (rule->deny)
		return 0;
	rule->fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return rule->fd < 0 ? -errno : 0;
}

static int fill(struct md_rule *rule, const char *param)
{
	/* A rule that denies compares paths, and opens none. */
	if (!param && (rule->deny || rule->right->param != MD_PARAM_PATH))
		return 0;
	if (!param) {
		rule->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return rule->fd < 0 ? -errno : 0;
	}
	if (rule->right->param == MD_PARAM_NONE || !*param)
		return -EINVAL;
	if (rule->right->param == MD_PARAM_PATH)
		return open_path(rule, param);
	rule->param = strdup(param);
	return rule->param ? 0 : -ENOMEM;
}

static void fini(struct md_rule *rule)
{
	if (rule->fd >= 0)
		close(rule->fd);
	free(rule->param);
}

/* Take a rule that was filled in with this result. */
static int take(struct md_rights *rights, struct md_rule *rule, int ret)
{
	struct md_rule *more;

	more = ret ? NULL :
		     realloc(rights->rules,
			     (rights->n + 1) * sizeof(*rights->rules));
	if (!more) {
		fini(rule);
		return ret ?: -ENOMEM;
	}
	rights->rules = more;
	rights->rules[rights->n++] = *rule;
	return 0;
}

static int add(struct md_rights *rights, bool deny,
	       const struct md_right *right, const char *param)
{
	struct md_rule rule = { .deny = deny, .right = right, .fd = -1 };

	return take(rights, &rule, fill(&rule, param));
}

/* Drop the rules behind the first ones. */
static void cut(struct md_rights *rights, size_t n)
{
	while (rights->n > n)
		fini(&rights->rules[--rights->n]);
}

static int copy(struct md_rights *rights, const struct md_rule *from)
{
	struct md_rule rule = *from;
	int ret = 0;

	rule.param = from->param ? strdup(from->param) : NULL;
	if (from->leaf && rule.param)
		rule.leaf = rule.param + (from->leaf - from->param);
	rule.fd = from->fd < 0 ? -1 : fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
	if (from->param && !rule.param)
		ret = -ENOMEM;
	else if (from->fd >= 0 && rule.fd < 0)
		ret = -errno;
	return take(rights, &rule, ret);
}

int md_rights_copy(struct md_rights *rights, const struct md_rights *from)
{
	int ret = 0;

	for (size_t i = 0; i < from->n && !ret; i++)
		ret = copy(rights, &from->rules[i]);
	return ret;
}

/* The next parameter of a list, NULL behind the last: "\\," is a comma in it. */
static char *next_param(char **at)
{
	char *param = *at, *to = param, *from = param;

	if (!param)
		return NULL;
	while (*from && *from != ',') {
		if (*from == '\\' && (from[1] == ',' || from[1] == '\\'))
			from++;
		*to++ = *from++;
	}
	*at = *from ? from + 1 : NULL;
	*to = 0;
	return param;
}

static int add_all(struct md_rights *rights, bool deny)
{
	int ret = 0;

	for (size_t i = 0; i < N_RIGHTS && !ret; i++)
		ret = add(rights, deny, &all[i], NULL);
	return ret;
}

int md_rights_add(struct md_rights *rights, bool deny, const char *name,
		  const char *params)
{
	const struct md_right *right = md_right_find(name, strlen(name));
	size_t before = rights->n;
	char *copy, *at, *param;
	int ret = 0;

	if (!strcmp(name, "all") && !params) {
		ret = add_all(rights, deny);
	} else if (!right) {
		ret = -ENOENT;
	} else if (!params) {
		ret = add(rights, deny, right, NULL);
	} else {
		copy = strdup(params);
		at = copy;
		ret = copy ? 0 : -ENOMEM;
		while (!ret && (param = next_param(&at)))
			ret = add(rights, deny, right, param);
		free(copy);
	}
	if (ret)
		cut(rights, before);
	return ret;
}

/* Deny a path, absolute from the base of the call's session on. */
static int narrow_path(struct md_call *c, const struct md_right *right,
		       const char *param)
{
	struct md_rule rule = { .deny = true, .right = right, .fd = -1 };
	char path[PATH_MAX];

	if (md_path_clean(c, param, path))
		return -EINVAL;
	return take(&c->session->rights, &rule, deny_path(&rule, path));
}

static int narrow_list(struct md_call *c, size_t max,
		       const struct md_right *right, char *params)
{
	struct md_rights *rights = &c->session->rights;
	bool path = right->param == MD_PARAM_PATH;
	char *param;
	int ret = 0;

	while (!ret && (param = next_param(&params))) {
		if (rights->n >= max)
			ret = -EDQUOT;
		else if (path)
			ret = narrow_path(c, right, param);
		else
			ret = add(rights, true, right, param);
	}
	return ret;
}

int md_rights_narrow(struct md_call *c, size_t max, char *text)
{
	struct md_rights *rights = &c->session->rights;
	char *params = strchr(text, '=');
	const struct md_right *right;
	size_t before = rights->n;
	int ret = -ENOENT;

	if (params)
		*params++ = 0;
	right = md_right_find(text, strlen(text));
	if (right && params)
		ret = narrow_list(c, max, right, params);
	else if (right)
		ret = add(rights, true, right, NULL);
	else if (!params && !strcmp(text, "all"))
		ret = add_all(rights, true);
	if (!ret && rights->n > max)
		ret = -EDQUOT;
	if (ret)
		cut(rights, before);
	return ret;
}

void md_rights_fini(struct md_rights *rights)
{
	for (size_t i = 0; i < rights->n; i++)
		fini(&rights->rules[i]);
	free(rights->rules);
}

static bool matches(const struct md_rule *rule, const char *param)
{
	size_t n;

	if (!rule->param)
		return true;
	if (!param)
		return false;
	n = strlen(rule->param);
	if (rule->param[n - 1] == '*')
		return !strncmp(rule->param, param, n - 1);
	return !strcmp(rule->param, param);
}

/* Whether a right is held, for a parameter, or, for paths, at all. */
static bool holds(const struct md_rights *rights, const struct md_right *right,
		  const char *param, bool at_all)
{
	bool allowed = false;

	for (size_t i = 0; i < rights->n; i++) {
		const struct md_rule *rule = &rights->rules[i];

		if (rule->right != right)
			continue;
		if (rule->deny && matches(rule, param))
			return false;
		if (!rule->deny && (at_all || matches(rule, param)))
			allowed = true;
	}
	return allowed;
}

bool md_rights_any(const struct md_rights *rights, const char *names)
{
	while (*names) {
		size_t n = strcspn(names, " ");
		const struct md_right *right = md_right_find(names, n);

		if (right && holds(rights, right, NULL, true))
			return true;
		names += n + (names[n] == ' ');
	}
	return false;
}

bool md_has(struct md_call *c, const char *right, const char *param)
{
	const struct md_right *r = md_right_find(right, strlen(right));

	return r && holds(&c->session->rights, r, param, false);
}

int md_deny(struct md_call *c, const char *right, const char *param)
{
	char text[160];
	size_t n;

	snprintf(text, sizeof(text), "%s%s%s", right, param ? "=" : "",
		 param ?: "");
	/* It may have been cut inside a character. */
	n = strlen(text);
	while (!mathis_utf8(text, n))
		text[--n] = 0;
	md_detail(c, "right", md_text(c, text));
	return md_fail(c, MATHIS_DENIED, "needs the right %s", text);
}

int md_may(struct md_call *c, const char *right, const char *param)
{
	return md_has(c, right, param) ? MD_DONE : md_deny(c, right, param);
}
