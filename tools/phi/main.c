// SPDX-License-Identifier: GPL-2.0-only
/* phi: find the noun and the verb, parse the rest by its usage, run it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

const struct noun *const nouns[] = {
	&status_noun,	  &top_noun,	&session_noun,	&cap_noun,
	&cspace_noun,	  &region_noun, &endpoint_noun, &notify_noun,
	&unit_noun,	  &model_noun,	&infer_noun,	&vdfs_noun,
	&collection_noun, &agent_noun,	&init_noun,	&thread_noun,
	&budget_noun,	  &policy_noun, &check_noun,	&why_noun,
	&system_noun,	  &help_noun,	NULL,
};

static const struct noun *find_noun(const char *name)
{
	int i;

	for (i = 0; nouns[i]; i++) {
		if (!strcmp(nouns[i]->name, name))
			return nouns[i];
	}
	return NULL;
}

static const struct verb *find_verb(const struct noun *noun, const char *name)
{
	const struct verb *verb;

	for (verb = noun->verbs; verb->name; verb++) {
		if (!strcmp(verb->name, name))
			return verb;
	}
	return NULL;
}

static int run(struct args *args, int argc, char **argv)
{
	int ret = args_parse(args, argc, argv);

	if (ret)
		return ret;
	if (args->help)
		return help_verb(args->noun, args->verb);
	if (args->verb->flags & VERB_PHI) {
		ret = cspace_open(args);
		if (ret)
			return ret;
	}
	return args->verb->run(args);
}

static int unknown(const char *command, const char *what, const char *word,
		   const char *hint)
{
	char why[256];

	snprintf(why, sizeof(why), "there is no %s '%.200s'", what, word);
	return bad_usage(command, why, hint);
}

/* Options that stand before the noun. */
static int leading(int argc, char **argv, int *i, bool *help)
{
	bool version = false;

	for (; *i < argc && argv[*i][0] == '-'; (*i)++) {
		if (!strcmp(argv[*i], "--json")) {
			out_json = true;
		} else if (!strcmp(argv[*i], "--help") ||
			   !strcmp(argv[*i], "-h")) {
			*help = true;
		} else if (!strcmp(argv[*i], "--version")) {
			version = true;
		} else {
			return unknown(
				"phi", "option", argv[*i],
				"usage: phi NOUN VERB ...; phi help lists them");
		}
	}
	if (!version)
		return -1;
	out_str("version", PHI_CLI_VERSION);
	out_u64("abi", PHI_ABI_VERSION);
	return out_end();
}

/* The verbs of a noun: as help, or because there was none. */
static int list_verbs(const struct noun *noun, bool missing)
{
	char command[32];
	char hint[64];

	if (!missing)
		return help_noun_verbs(noun, stdout);
	if (!errors_json) {
		help_noun_verbs(noun, stderr);
		return EXIT_USAGE;
	}
	snprintf(command, sizeof(command), "phi %s", noun->name);
	snprintf(hint, sizeof(hint), "%s --help lists them", command);
	return bad_usage(command, "the verb is missing", hint);
}

static int no_verb(const struct noun *noun, const char *word)
{
	char command[32];
	char hint[64];

	snprintf(command, sizeof(command), "phi %s", noun->name);
	snprintf(hint, sizeof(hint), "%s --help lists them", command);
	return unknown(command, "verb", word, hint);
}

/* Before the verb is known, --json counts wherever it stands. */
static bool has_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			return true;
	}
	return false;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* Go on with the noun that a verb named; -1 when its own verb was found. */
static int go_below(struct args *args, int argc, char **argv, int *i)
{
	const char *above = args->noun->name;

	args->noun = find_noun(argv[(*i)++]);
	if (*i < argc && is_help(argv[*i]))
		printf("usage: phi %s %s VERB ...\n", above, args->noun->name);
	if (*i == argc || is_help(argv[*i]))
		return list_verbs(args->noun, *i == argc);
	args->verb = find_verb(args->noun, argv[*i]);
	return -1;
}

int main(int argc, char **argv)
{
	struct args args = { .phi = -1 };
	bool help = false;
	int ret;
	int i = 1;

	/* A reader that has seen enough ends us quietly. */
	signal(SIGPIPE, SIG_DFL);
	errors_json = has_json(argc, argv);
	ret = leading(argc, argv, &i, &help);
	if (ret >= 0)
		return ret;
	if (i == argc) {
		if (help)
			return help_all(stdout);
		if (errors_json)
			return bad_usage("phi", "the noun is missing",
					 "phi help lists them");
		help_all(stderr);
		return EXIT_USAGE;
	}
	args.noun = find_noun(argv[i]);
	if (!args.noun)
		return unknown("phi", "noun", argv[i], "phi help lists them");
	i++;
	if (help)
		return help_noun_verbs(args.noun, stdout);

	args.verb = find_verb(args.noun, "");
	if (args.verb)
		return run(&args, argc - i, argv + i);
	if (i == argc || is_help(argv[i]))
		return list_verbs(args.noun, i == argc);
	args.verb = find_verb(args.noun, argv[i]);
	if (args.verb && args.verb->flags & VERB_NOUN) {
		ret = go_below(&args, argc, argv, &i);
		if (ret >= 0)
			return ret;
	}
	if (!args.verb)
		return no_verb(args.noun, argv[i]);
	return run(&args, argc - i - 1, argv + i + 1);
}
