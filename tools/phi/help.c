// SPDX-License-Identifier: GPL-2.0-only
/* Help, and the words for completion, out of the tables of the nouns. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

int help_all(FILE *file)
{
	int i;

	fputs("usage: phi NOUN VERB [OPERAND]... [OPTION]...\n\n", file);
	for (i = 0; nouns[i]; i++)
		fprintf(file, "  %-12s%s\n", nouns[i]->name, nouns[i]->help);
	fputs("\nphi NOUN --help lists its verbs, phi NOUN VERB --help explains one;\n"
	      "--json gives any result as JSON. phi(1) has examples.\n",
	      file);
	return fflush(file) ? EXIT_FAILED : EXIT_OK;
}

static void print_usage(FILE *file, const struct noun *noun,
			const struct verb *verb)
{
	fprintf(file, "phi %s%s%s%s%s\n", noun->name, *verb->name ? " " : "",
		verb->name, *verb->usage ? " " : "", verb->usage);
}

int help_noun_verbs(const struct noun *noun, FILE *file)
{
	const struct verb *verb;

	fprintf(file, "%s: %s\n\n", noun->name, noun->help);
	for (verb = noun->verbs; verb->name; verb++) {
		fputs("  ", file);
		print_usage(file, noun, verb);
		fprintf(file, "      %s\n", verb->help);
	}
	return fflush(file) ? EXIT_FAILED : EXIT_OK;
}

/* Meanings of the capitals in a usage line, where they are not plain. */
static const struct {
	const char *word;
	const char *meaning;
} words[] = {
	{ "LIST",
	  "rights with commas between: read,write,exec,map,send,recv,admin,grant; all; none" },
	{ "TIME",
	  "a time span: 20s, 300ms, 1.5h; seconds when it has no unit" },
	{ "SIZE", "bytes; K, M and G are powers of 1024" },
	{ "BITS", "a number: decimal, or hexadecimal after 0x" },
	{ "HANDLE", "a handle as phi prints it: 0x and 16 digits" },
	{ "CAP", "a handle as phi prints it: 0x and 16 digits" },
	{ "DATA", "text of the message, 256 bytes at most" },
	{ "KIND", "cpu, gpu or tpu" },
	{ "CMD", "a program and its arguments" },
	{ "BLOB", "a name, or sha256: and 64 digits" },
	{ "VECTOR",
	  "numbers with commas between; @FILE reads them, binary f32 too" },
	{ "METRIC", "l2, ip or cosine" },
	{ "ELEMENT", "f32, f16 or i8" },
	{ "FORMAT",
	  "fvecs, bvecs, ivecs, npy, idx or jsonl; else by the file's name" },
	{ "CODES", "bits of a dimension to search on: none, 8, 4, 3, 2 or 1" },
	{ "MAP=KEY:VALUE",
	  "an entry of a map; numbers, or fields of a struct with commas between" },
};

int help_verb(const struct noun *noun, const struct verb *verb)
{
	size_t i;

	fputs("usage: ", stdout);
	print_usage(stdout, noun, verb);
	printf("  %s\n\n", verb->help);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strstr(verb->usage, words[i].word))
			printf("  %-8s %s\n", words[i].word, words[i].meaning);
	}
	printf("  %-8s give the result as one JSON object\n", "--json");
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static void put_word(const char *option, const char *word)
{
	if (option)
		printf("--%s%s%s\n", option, word ? "=" : "", word ? word : "");
	else
		puts(word);
}

/* Do the verbs of the noun @name follow that word after @noun? */
static bool is_noun_of(const char *noun, const char *name)
{
	const struct verb *verb;
	int i;

	for (i = 0; nouns[i]; i++) {
		if (strcmp(nouns[i]->name, noun))
			continue;
		for (verb = nouns[i]->verbs; verb->name; verb++) {
			if (!strcmp(verb->name, name))
				return verb->flags & VERB_NOUN;
		}
	}
	return false;
}

/*
 * Words that may follow on a command line, one a line: nouns, the verbs of a
 * noun, or of a verb its operands in capitals and its options, with = and the
 * word for the value where they take one.
 */
static int print_words(const struct args *args)
{
	char **given = args->operand;
	const struct verb *verb;
	const char *want;
	int i, n = args->n;

	/* The verbs of one noun may be reached through another. */
	if (n > 1 && is_noun_of(given[0], given[1])) {
		given++;
		n--;
	}
	want = n > 1 ? given[1] : "";
	for (i = 0; nouns[i]; i++) {
		if (!n) {
			puts(nouns[i]->name);
			continue;
		}
		if (strcmp(nouns[i]->name, given[0]))
			continue;
		for (verb = nouns[i]->verbs; verb->name; verb++) {
			if (n == 1 && *verb->name)
				puts(verb->name);
			else if (!strcmp(verb->name, want))
				usage_words(verb->usage, put_word);
		}
	}
	if (args->n)
		puts("--help\n--json");
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int help(struct args *args)
{
	const struct verb *verb;
	int i;

	if (args_option(args, "words"))
		return print_words(args);
	if (!args->n)
		return help_all(stdout);
	for (i = 0; nouns[i]; i++) {
		if (strcmp(nouns[i]->name, args->operand[0]))
			continue;
		if (args->n == 1)
			return help_noun_verbs(nouns[i], stdout);
		for (verb = nouns[i]->verbs; verb->name; verb++) {
			if (!strcmp(verb->name, args->operand[1]))
				return help_verb(nouns[i], verb);
		}
		return usage_error(args, "%s has no verb '%s'",
				   args->operand[0], args->operand[1]);
	}
	return usage_error(args, "there is no noun '%s'", args->operand[0]);
}

static const struct verb verbs[] = {
	{ "", help, "[NOUN [VERB]] [--words]",
	  "explain; with --words, print what may follow, for completion", 0 },
	{ 0 },
};

const struct noun help_noun = {
	.name = "help",
	.help = "explain nouns and verbs",
	.verbs = verbs,
};
