// SPDX-License-Identifier: GPL-2.0-only
/*
 * /collections/NAME/why/QUERY: the reason why search/QUERY cannot be opened, as
 * text, for an error number has no room for the fault of a filter.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_impl.h"
#include "query_impl.h"

#define STRING(x) #x
#define TEXT(x) STRING(x)

/* The rule of each option; the last one is for all others. */
static const struct rule {
	const char *name;
	const char *rule;
} rules[] = {
	{ "k=", "k is a whole number from 1 to " TEXT(VDFS_K_MAX) },
	{ "ef=", "ef is a whole number from 1 to " TEXT(VDFS_EF_MAX) },
	{ "recall=", "recall is a number above 0 and up to 1" },
	{ "vector=",
	  "a vector is finite numbers with semicolons between, " TEXT(
		  VDFS_DIM_MAX) " at most" },
	{ "key=", "a key has 1 to 255 bytes, and %XX stands for a byte" },
	{ "from=", "a path has 1 to 1023 bytes, and %XX stands for a byte" },
	{ "filter=",
	  "a filter is JSON, the last option, and %XX in it stands for a byte" },
	{ "", "the options are key, vector, from, k, ef, recall and filter" },
};

static int bad_option(const struct vdfs_ask *ask, char *why, size_t room)
{
	const struct rule *rule = rules;

	if (!ask->bad)
		return snprintf(why, room,
				"one of key, vector and from is missing");
	if (ask->twice)
		return snprintf(
			why, room,
			"'%.*s': each option comes once, and one of key, vector and from",
			(int)ask->bad_len, ask->bad);
	while (strncmp(ask->bad, rule->name, strlen(rule->name)))
		rule++;
	return snprintf(why, room, "'%.*s': %s", (int)ask->bad_len, ask->bad,
			rule->rule);
}

/**
 * vdfs_query_why() - what is wrong with the name of a search
 * @query: The name.
 * @why: Out: the reason, for people; "" when nothing is wrong.
 * @room: Of @why; VDFS_QUERY_WHY_MAX is enough.
 *
 * Return: 0 also when something is wrong; or -ENOMEM.
 */
int vdfs_query_why(const char *query, char *why, size_t room)
{
	char fault[VDFS_WHY_MAX] = "";
	struct vdfs_ask ask;
	int err = vdfs_ask_parse(query, &ask);

	*why = '\0';
	if (err == -ENOMEM)
		return err;
	if (err) {
		bad_option(&ask, why, room);
		return 0;
	}
	if (ask.filter)
		err = vdfs_filter_check(ask.filter, fault, sizeof(fault));
	if (err && err != -ENOMEM)
		snprintf(why, room, "the filter: %s", fault);
	vdfs_ask_fini(&ask);
	return err == -ENOMEM ? err : 0;
}

/* Why a search whose name is right found nothing. */
static const char *failed(int err)
{
	switch (err) {
	case -ENOENT:
		return "there is no item of that key, or no file of that name";
	case -EISDIR:
		return "that name is a directory's";
	case -EMSGSIZE:
		return "the vector has another length than those of the collection";
	case -EDOM:
		return "the vector has no direction, or elements that do not fit";
	default:
		return strerror(-err);
	}
}

/**
 * vdfs_why_text() - the content of why/QUERY
 * @call: For whom.
 * @inode: The file.
 * @text: Out, to be freed.
 * @len: Out: bytes of it.
 *
 * Return: 0, -ENOENT without the collection, -EACCES for one that the user may
 * not search, -ENOMEM, or what else opening the collection returns.
 */
int vdfs_why_text(struct vdfs_call *call, struct vdfs_inode *inode, char **text,
		  size_t *len)
{
	char why[VDFS_QUERY_WHY_MAX];
	int n, fault, err = vdfs_query_why(inode->name, why, sizeof(why));

	if (err)
		return err;
	if (!*why) {
		err = vdfs_search_try(call, inode, inode->name, &fault);
		if (err)
			return err;
		if (fault == -EACCES || fault == -ENOMEM)
			return fault;
		snprintf(why, sizeof(why), "%s",
			 fault ? failed(fault) : "nothing is wrong");
	}
	n = asprintf(text, "%s\n", why);
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -ENOMEM : 0;
}

int vdfs_whys_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		     const char *name, struct vdfs_inode **out)
{
	return vdfs_inode_find(call, dir, name, VDFS_WHY, NULL, out);
}
