// SPDX-License-Identifier: GPL-2.0-only
/* Values in the files of services. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "options.h"

/* Take a word off a text; quotes keep white space, backslashes what follows. */
static int next_word(const char **text, char *word)
{
	const char *p = *text;
	char quote = '\0';

	for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
		if (*p == '\\' && quote != '\'') {
			if (!*++p)
				return -EINVAL;
			*word++ = *p;
		} else if (quote ? *p == quote : *p == '"' || *p == '\'') {
			quote = quote ? '\0' : *p;
		} else {
			*word++ = *p;
		}
	}
	*word = '\0';
	*text = p;
	return quote ? -EINVAL : 0;
}

/**
 * init_value_words() - split a command or an environment
 * @text: Words, with white space between.
 * @words: Out, allocated words; what follows them is left alone.
 * @max: Room there.
 *
 * Context: Any thread.
 * Return: How many; -EINVAL for a quote that does not end; -E2BIG; -ENOMEM.
 */
int init_value_words(const char *text, char **words, int max)
{
	char *word = malloc(strlen(text) + 1);
	int ret = word ? 0 : -ENOMEM;
	int n = 0;

	while (!ret) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		ret = n == max ? -E2BIG : next_word(&text, word);
		if (ret)
			break;
		words[n] = strdup(word);
		if (words[n])
			n++;
		else
			ret = -ENOMEM;
	}
	free(word);
	while (ret && n)
		free(words[--n]);
	return ret ? ret : n;
}

/**
 * init_value_time() - read a time span
 * @text: A number of seconds, or one with ms, s, min or h behind it.
 * @ns: Out, nanoseconds.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int init_value_time(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "", 1000000000 },	   { "s", 1000000000 },
		{ "ms", 1000000 },	   { "us", 1000 },
		{ "min", 60000000000ULL }, { "h", 3600000000000ULL },
	};
	char *end;
	double v;
	size_t i;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	v = strtod(text, &end);
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].name))
			continue;
		/* A year is long enough for anything here. */
		if (!(v * units[i].ns <= 365.0 * 86400 * 1e9))
			return -EINVAL;
		*ns = (uint64_t)(v * units[i].ns);
		return 0;
	}
	return -EINVAL;
}

/**
 * init_value_signal() - read a signal
 * @text: SIGTERM, TERM or a number.
 * @signal: Out.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int init_value_signal(const char *text, int *signal)
{
	uint64_t n;
	int i;

	if (!options_number(text, 1, NSIG - 1, &n)) {
		*signal = (int)n;
		return 0;
	}
	if (!strncmp(text, "SIG", 3))
		text += 3;
	for (i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcmp(name, text)) {
			*signal = i;
			return 0;
		}
	}
	return -EINVAL;
}

/**
 * init_value_rights() - read rights
 * @text: Words with commas between.
 * @rights: Out, PHI_RIGHT_*, not 0.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int init_value_rights(const char *text, uint32_t *rights)
{
	static const struct {
		const char *name;
		uint32_t right;
	} words[] = {
		{ "read", PHI_RIGHT_READ },   { "write", PHI_RIGHT_WRITE },
		{ "exec", PHI_RIGHT_EXEC },   { "map", PHI_RIGHT_MAP },
		{ "send", PHI_RIGHT_SEND },   { "recv", PHI_RIGHT_RECV },
		{ "admin", PHI_RIGHT_ADMIN }, { "grant", PHI_RIGHT_GRANT },
	};
	size_t i;

	*rights = 0;
	for (;;) {
		size_t len = strcspn(text, ",");

		for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
			if (strlen(words[i].name) == len &&
			    !memcmp(words[i].name, text, len))
				break;
		}
		if (i == sizeof(words) / sizeof(*words))
			return -EINVAL;
		*rights |= words[i].right;
		text += len;
		if (!*text++)
			return 0;
	}
}

/**
 * init_value_hash() - read a SHA-256
 * @text: 64 hexadecimal digits.
 * @hash: Out.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int init_value_hash(const char *text, uint8_t hash[PHI_SHA256_LEN])
{
	char digits[3] = "";
	size_t i;

	if (strlen(text) != 2 * PHI_SHA256_LEN ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * PHI_SHA256_LEN)
		return -EINVAL;
	for (i = 0; i < PHI_SHA256_LEN; i++) {
		memcpy(digits, text + 2 * i, 2);
		hash[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return 0;
}

/**
 * init_value_name() - read the name of a service, a group or an object
 * @text: Letters, digits, '-', '_' and '.', which is not the first.
 * @name: Out.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int init_value_name(const char *text, char name[PHI_INIT_NAME_MAX])
{
	size_t len = strlen(text);
	size_t i;

	if (!len || len >= PHI_INIT_NAME_MAX || *text == '.')
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return -EINVAL;
	}
	memset(name, 0, PHI_INIT_NAME_MAX);
	memcpy(name, text, len);
	return 0;
}

static const char cap_form[] =
	"a capability is NAME=TYPE:OBJECT:RIGHTS[:BYTES]; initd.service(5) lists the types";

static const char bad_rights[] =
	"rights are words like read,write,send; initd.service(5) lists them";

/* "endpoint", "notify", "memory" or "token" */
static int cap_type(const char *text, uint32_t *type)
{
	static const struct {
		const char *name;
		uint32_t type;
	} types[] = {
		{ "endpoint", PHI_TYPE_ENDPOINT },
		{ "notify", PHI_TYPE_NOTIFY },
		{ "memory", PHI_TYPE_MEMORY },
		{ "token", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(types[i].name, text)) {
			*type = types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

/* The parts of the text, which is cut: NAME=TYPE:OBJECT:RIGHTS:BYTES. */
static const char *cap_parts(char *text, struct init_cap *cap)
{
	char name[PHI_INIT_NAME_MAX];
	char *type = strchr(text, '=');
	char *object = type ? strchr(type, ':') : NULL;
	char *rights = object ? strchr(object + 1, ':') : NULL;
	char *bytes = rights ? strchr(rights + 1, ':') : NULL;

	if (!object)
		return cap_form;
	*type++ = '\0';
	*object++ = '\0';
	if (rights)
		*rights++ = '\0';
	if (bytes)
		*bytes++ = '\0';
	if (init_value_name(text, name) || cap_type(type, &cap->type))
		return cap_form;
	if (cap->type ? init_value_name(object, name) : *object != '/')
		return cap->type ? cap_form : "a token's path begins with '/'";
	if (rights ? init_value_rights(rights, &cap->rights) != 0 :
		     cap->type != 0)
		return bad_rights;
	if (cap->type == PHI_TYPE_MEMORY ? !bytes : !!bytes)
		return cap_form;
	if (bytes && (options_size(bytes, &cap->bytes) || !cap->bytes ||
		      cap->bytes % 4096))
		return "memory is a multiple of 4096 bytes, not 0";
	cap->name = strdup(text);
	cap->object = strdup(object);
	return cap->name && cap->object ? NULL : "out of memory";
}

/**
 * init_value_cap() - read a capability
 * @text: NAME=TYPE:OBJECT:RIGHTS, see initd.service(5).
 * @cap: Out, zeroed; its strings are allocated, by a failure too.
 *
 * Context: Any thread.
 * Return: NULL, or why it is refused.
 */
const char *init_value_cap(const char *text, struct init_cap *cap)
{
	char *copy = strdup(text);
	const char *why = copy ? cap_parts(copy, cap) : "out of memory";

	free(copy);
	return why;
}
