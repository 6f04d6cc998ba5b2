/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rights of a session: rules that allow or deny a right of rights.def, for a
 * parameter or for all. A rule that denies wins over all that allow.
 */
#ifndef MATHISD_CORE_RIGHTS_H
#define MATHISD_CORE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

struct md_call;

enum md_param {
	MD_PARAM_NONE,
	MD_PARAM_PATH,
	MD_PARAM_NAME,
};

struct md_right {
	const char *name;
	enum md_param param;
	const char *doc;
};

/**
 * struct md_rule - allows or denies a right
 * @deny: It denies.
 * @right: The right.
 * @param: Its parameter: a name, or an absolute path without links; NULL: all.
 * @fd: Folder that @param is, or that it is in when it is no folder; -1 where it
 *	denies.
 * @leaf: Then its name in that folder; else NULL.
 */
struct md_rule {
	bool deny;
	const struct md_right *right;
	char *param;
	int fd;
	const char *leaf;
};

struct md_rights {
	struct md_rule *rules;
	size_t n;
};

/* All rights, and their count. */
const struct md_right *md_rights_all(size_t *n);
const struct md_right *md_right_find(const char *name, size_t size);

/**
 * md_rights_add() - add a rule
 * @rights: Rights.
 * @deny: Whether it denies.
 * @name: Name of the right; "all" for each.
 * @params: Parameters with commas between them, or NULL for all. A backslash
 *	before a comma or a backslash takes its meaning.
 *
 * Return: 0; -ENOENT for an unknown right; -EINVAL for an empty parameter, or
 * when the right takes no parameters; the -errno of opening a path; -ENOMEM.
 * When it fails no rule was added.
 */
int md_rights_add(struct md_rights *rights, bool deny, const char *name,
		  const char *params);
/**
 * md_rights_narrow() - deny what the session of a call gives up
 * @c: The call; no other of its session is under way.
 * @max: Rules that the session may have.
 * @text: RIGHT or RIGHT=PARAMETER,...; is changed. Relative paths begin at the
 *	base of the session; whether a path exists makes no difference.
 *
 * Return: 0; -ENOENT for an unknown right; -EINVAL for a parameter that it does
 * not take; -EDQUOT; -ENAMETOOLONG; -ENOMEM. When it fails no rule was added.
 */
int md_rights_narrow(struct md_call *c, size_t max, char *text);
/* Add the rules of others: 0; -ENOMEM; -EMFILE. */
int md_rights_copy(struct md_rights *rights, const struct md_rights *from);
void md_rights_fini(struct md_rights *rights);

/* Whether one of some rights, with blanks between them, is held at all. */
bool md_rights_any(const struct md_rights *rights, const char *names);

/**
 * md_may() - ask whether the caller of a call has a right
 * @c: The call.
 * @right: Name of a right without paths.
 * @param: Its parameter, or NULL.
 *
 * Return: MD_DONE; MD_FAILED after it failed the call with Denied, whose
 * detail.right names what would allow it.
 */
int md_may(struct md_call *c, const char *right, const char *param);
/* The same without a failure. */
bool md_has(struct md_call *c, const char *right, const char *param);
/* Fail with Denied: the right, and the parameter that it lacks, or NULL. */
int md_deny(struct md_call *c, const char *right, const char *param);

#endif
