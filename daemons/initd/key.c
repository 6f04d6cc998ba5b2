// SPDX-License-Identifier: GPL-2.0-only
/* The keys of a service's file. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "options.h"

#define ARRAY_SIZE(_array) (sizeof(_array) / sizeof((_array)[0]))

static const char bad_name[] =
	"a name is 1 to 31 letters, digits, '-', '_' and '.', no '.' first";
static const char bad_time[] =
	"a time is a number of seconds, or one with us, ms, s, min or h behind it";
static const char no_memory[] = "out of memory";

static const char *set_description(struct init_config *c, const char *value)
{
	free(c->description);
	c->description = strdup(value);
	return c->description ? NULL : no_memory;
}

static const char *add_after(struct init_config *c, const char *name,
			     bool needed)
{
	struct init_after *a = c->after;
	char word[PHI_INIT_NAME_MAX];
	uint32_t i;

	if (init_value_name(name, word))
		return bad_name;
	for (i = 0; i < c->nafter && strcmp(a[i].name, word); i++)
		;
	if (i == INIT_AFTER_MAX)
		return "more than 16 services in After= and Requires=";
	memcpy(a[i].name, word, sizeof(word));
	a[i].needed |= needed;
	c->nafter += i == c->nafter;
	return NULL;
}

static const char *add_afters(struct init_config *c, const char *value,
			      bool needed)
{
	char *names[INIT_AFTER_MAX];
	int n = init_value_words(value, names, INIT_AFTER_MAX);
	const char *why = NULL;
	int i;

	if (n < 0)
		return "the names of services, with spaces between";
	for (i = 0; i < n; i++) {
		why = why ? why : add_after(c, names[i], needed);
		free(names[i]);
	}
	return why;
}

static const char *set_after(struct init_config *c, const char *value)
{
	return add_afters(c, value, false);
}

static const char *set_requires(struct init_config *c, const char *value)
{
	return add_afters(c, value, true);
}

static const char *set_burst(struct init_config *c, const char *value)
{
	return options_number(value, 0, 1000000, &c->burst) ?
		       "a number of starts, 0 = no limit" :
		       NULL;
}

static const char *set_interval(struct init_config *c, const char *value)
{
	return init_value_time(value, &c->interval_ns) ? bad_time : NULL;
}

static const char *set_type(struct init_config *c, const char *value)
{
	if (!strcmp(value, "simple"))
		c->type = INIT_SIMPLE;
	else if (!strcmp(value, "notify"))
		c->type = INIT_NOTIFY;
	else if (!strcmp(value, "oneshot"))
		c->type = INIT_ONESHOT;
	else
		return "a type is simple, notify or oneshot";
	return NULL;
}

static const char *set_exec(struct init_config *c, const char *value)
{
	int n;

	if (c->argc)
		return "there is an ExecStart= already; a service is one program";
	n = init_value_words(value, c->argv, INIT_WORDS_MAX);
	if (n < 0)
		return n == -E2BIG ?
			       "more than 64 words" :
			       "a quote or a backslash has nothing behind it";
	c->argc = n;
	return n && *c->argv[0] == '/' ?
		       NULL :
		       "the program is a path that begins with '/'";
}

static const char *set_environment(struct init_config *c, const char *value)
{
	int n = init_value_words(value, c->envp + c->envc,
				 INIT_WORDS_MAX - c->envc);
	int i;

	if (n < 0)
		return "NAME=VALUE with spaces between, quoted where a value has one; 64 at most";
	c->envc += n;
	for (i = c->envc - n; i < c->envc; i++) {
		if (strchr(c->envp[i], '=') <= c->envp[i])
			return "a variable is NAME=VALUE";
		if (!strncmp(c->envp[i], "PHI_", 4) ||
		    !strncmp(c->envp[i], "NOTIFY_SOCKET=", 14))
			return "initd sets PHI_* and NOTIFY_SOCKET itself";
	}
	return NULL;
}

static const char *set_restart(struct init_config *c, const char *value)
{
	if (!strcmp(value, "no"))
		c->restart = INIT_NEVER;
	else if (!strcmp(value, "on-failure"))
		c->restart = INIT_ON_FAILURE;
	else if (!strcmp(value, "always"))
		c->restart = INIT_ALWAYS;
	else
		return "restart no, on-failure or always";
	return NULL;
}

/* A restart without any delay would take all of a processor. */
static const char *set_delay(struct init_config *c, const char *value)
{
	if (init_value_time(value, &c->delay_ns))
		return bad_time;
	return c->delay_ns < 1000000 ? "the least delay is 1ms" : NULL;
}

static const char *set_delay_max(struct init_config *c, const char *value)
{
	return init_value_time(value, &c->delay_max_ns) ? bad_time : NULL;
}

static const char *set_start(struct init_config *c, const char *value)
{
	if (!strcmp(value, "infinity"))
		c->start_ns = 0;
	else if (init_value_time(value, &c->start_ns))
		return bad_time;
	return NULL;
}

static const char *set_stop(struct init_config *c, const char *value)
{
	if (init_value_time(value, &c->stop_ns))
		return bad_time;
	if (c->stop_ns >= INIT_STOP_NS)
		return "initd gives all services 300 s to stop";
	return c->stop_ns ? NULL : "a service needs some time to stop";
}

static const char *set_signal(struct init_config *c, const char *value)
{
	return init_value_signal(value, &c->signal) ? "a signal like SIGTERM" :
						      NULL;
}

static const char *set_memory(struct init_config *c, const char *value)
{
	return options_size(value, &c->memory_max) || !c->memory_max ?
		       "a number of bytes, with K, M, G or T behind it" :
		       NULL;
}

static const char *set_tasks(struct init_config *c, const char *value)
{
	return options_number(value, 1, 1 << 22, &c->tasks_max) ?
		       "a number of tasks, at least 1" :
		       NULL;
}

static const char *set_cpu(struct init_config *c, const char *value)
{
	char digits[16];
	size_t len = strlen(value);

	if (!len || value[len - 1] != '%' || len > sizeof(digits))
		return "percent of one processor, like 20%";
	memcpy(digits, value, len - 1);
	digits[len - 1] = '\0';
	return options_number(digits, 1, 100000, &c->cpu_percent) ?
		       "percent of one processor, like 20%" :
		       NULL;
}

static const char *set_capability(struct init_config *c, const char *value)
{
	uint32_t i;
	const char *why;

	if (c->ncaps == PHI_ENDOW_MAX)
		return "more than 64 capabilities";
	/* Counted, so that it is freed when it is refused, too. */
	why = init_value_cap(value, &c->caps[c->ncaps++]);
	if (why)
		return why;
	for (i = 0; i + 1 < c->ncaps; i++) {
		if (!strcmp(c->caps[i].name, c->caps[c->ncaps - 1].name))
			return "there is a capability of that name already";
	}
	return NULL;
}

static const char *set_sha256(struct init_config *c, const char *value)
{
	c->hashed = true;
	return init_value_hash(value, c->sha256) ? "64 hexadecimal digits" :
						   NULL;
}

static const char *set_group(struct init_config *c, const char *value)
{
	return init_value_name(value, c->group) ? bad_name : NULL;
}

static const char *set_strategy(struct init_config *c, const char *value)
{
	c->all = !strcmp(value, "one_for_all");
	return c->all || !strcmp(value, "one_for_one") ?
		       NULL :
		       "a strategy is one_for_one or one_for_all";
}

static const char *set_manual(struct init_config *c, const char *value)
{
	c->manual = !strcmp(value, "yes");
	return c->manual || !strcmp(value, "no") ? NULL : "yes or no";
}

static const struct key {
	const char *section;
	const char *name;
	/* Returns why it does not, or NULL. */
	const char *(*set)(struct init_config *c, const char *value);
} keys[] = {
	{ "Unit", "Description", set_description },
	{ "Unit", "After", set_after },
	{ "Unit", "Requires", set_requires },
	{ "Unit", "StartLimitBurst", set_burst },
	{ "Unit", "StartLimitIntervalSec", set_interval },
	{ "Service", "Type", set_type },
	{ "Service", "ExecStart", set_exec },
	{ "Service", "Environment", set_environment },
	{ "Service", "Restart", set_restart },
	{ "Service", "RestartSec", set_delay },
	{ "Service", "RestartMaxDelaySec", set_delay_max },
	{ "Service", "TimeoutStartSec", set_start },
	{ "Service", "TimeoutStopSec", set_stop },
	{ "Service", "KillSignal", set_signal },
	{ "Service", "MemoryMax", set_memory },
	{ "Service", "TasksMax", set_tasks },
	{ "Service", "CPUQuota", set_cpu },
	{ "Agent", "Capability", set_capability },
	{ "Agent", "Sha256", set_sha256 },
	{ "Agent", "Group", set_group },
	{ "Agent", "Strategy", set_strategy },
	{ "Agent", "Manual", set_manual },
};

/* Insertions, removals and changes between two words, of at most 31 letters. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[32];
	size_t len = strlen(b);
	size_t i, j;

	if (len >= ARRAY_SIZE(row) || strlen(a) >= ARRAY_SIZE(row))
		return UINT32_MAX;
	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		unsigned int corner = row[0];

		row[0] = i + 1;
		for (j = 0; j < len; j++) {
			unsigned int least =
				corner + (tolower(a[i]) != tolower(b[j]));

			corner = row[j + 1];
			if (corner + 1 < least)
				least = corner + 1;
			if (row[j] + 1 < least)
				least = row[j] + 1;
			row[j + 1] = least;
		}
	}
	return row[len];
}

/* The key that was probably meant. */
static const struct key *nearest(const char *name)
{
	const struct key *best = NULL;
	unsigned int least = 4;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		unsigned int d = distance(name, keys[i].name);

		if (d < least) {
			least = d;
			best = &keys[i];
		}
	}
	return best;
}

static const char *no_key(const char *section, const char *name)
{
	static _Thread_local char why[160];
	const struct key *near = nearest(name);

	if (near)
		snprintf(why, sizeof(why),
			 "unknown key %.32s in [%s]; is %s in [%s] meant?",
			 name, section, near->name, near->section);
	else
		snprintf(
			why, sizeof(why),
			"unknown key %.32s in [%s]; initd.service(5) lists them",
			name, section);
	return why;
}

/**
 * init_key_set() - set a key of a service
 * @c: The service.
 * @section: Section that it stands in.
 * @name: Key.
 * @value: Its value, without white space at the ends.
 *
 * Context: Any thread.
 * Return: NULL, or why it is refused, until the next call in this thread.
 */
const char *init_key_set(struct init_config *c, const char *section,
			 const char *name, const char *value)
{
	static _Thread_local char text[320];
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!strcmp(keys[i].name, name) &&
		    !strcmp(keys[i].section, section))
			break;
	}
	if (i == ARRAY_SIZE(keys))
		return no_key(section, name);
	why = keys[i].set(c, value);
	if (!why)
		return NULL;
	snprintf(text, sizeof(text), "%s cannot be '%.64s': %s", name, value,
		 why);
	return text;
}
