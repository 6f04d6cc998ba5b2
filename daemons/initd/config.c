// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a service: sections in brackets, a key and a value a line, as
 * systemd.service(5) has them. A line that ends in a backslash goes on.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define SECOND 1000000000ULL

/* One file while it is read. */
struct reader {
	const char *path;
	const char *at;
	int line; /* of the logical line */
	int next; /* of what follows it */
	char section[32];
	char *text; /* the logical line */
	struct init_fault *fault;
};

static bool refuse(struct reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(struct reader *r, const char *format, ...)
{
	size_t room = sizeof(r->fault->text);
	va_list args;
	int n;

	n = snprintf(r->fault->text, room, "%s:%d: ", r->path, r->line);
	if (n < 0 || (size_t)n >= room)
		return false;
	va_start(args, format);
	vsnprintf(r->fault->text + n, room - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* Take a line, and those that it goes on in; false at the end. */
static bool next_line(struct reader *r)
{
	size_t n = 0;

	if (!*r->at)
		return false;
	r->line = r->next;
	for (;;) {
		size_t len = strcspn(r->at, "\n");
		bool more = len && r->at[len - 1] == '\\';

		memcpy(r->text + n, r->at, len);
		n += len;
		r->at += len;
		r->at += *r->at == '\n';
		r->next++;
		if (!more || !*r->at)
			break;
		r->text[n - 1] = ' ';
	}
	r->text[n] = '\0';
	return true;
}

/* Without white space at both ends. */
static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static bool take_section(struct reader *r, char *text)
{
	size_t len = strlen(text);

	if (text[len - 1] != ']')
		return refuse(r, "'%.32s' does not end in ']'", text);
	text[len - 1] = '\0';
	text++;
	if (strcmp(text, "Unit") && strcmp(text, "Service") &&
	    strcmp(text, "Agent"))
		return refuse(
			r,
			"unknown section [%.32s]; there are [Unit], [Service] and [Agent]",
			text);
	snprintf(r->section, sizeof(r->section), "%s", text);
	return true;
}

static bool take_key(struct reader *r, struct init_config *c, char *text)
{
	char *value = strchr(text, '=');
	const char *why;

	if (!value)
		return refuse(r, "'%.64s' is not KEY=VALUE", text);
	if (!*r->section)
		return refuse(r, "'%.64s' stands before the first section",
			      text);
	*value++ = '\0';
	why = init_key_set(c, r->section, trim(text), trim(value));
	return why ? refuse(r, "%s", why) : true;
}

static bool take_line(struct reader *r, struct init_config *c)
{
	char *text = trim(r->text);

	if (!*text || *text == '#' || *text == ';')
		return true;
	return *text == '[' ? take_section(r, text) : take_key(r, c, text);
}

/* Checks of the file as a whole. */
static bool complete(struct reader *r, const struct init_config *c)
{
	uint32_t i;

	if (!c->argc)
		return refuse(r, "no ExecStart= in [Service]");
	if (c->all && !*c->group)
		return refuse(r,
			      "Strategy=one_for_all needs Group= in [Agent]");
	if (c->delay_ns > c->delay_max_ns)
		return refuse(r,
			      "RestartSec= is more than RestartMaxDelaySec=");
	if (c->type == INIT_ONESHOT && c->restart == INIT_ALWAYS)
		return refuse(
			r,
			"Restart=always repeats a Type=oneshot for ever; use on-failure or no");
	for (i = 0; i < c->nafter; i++) {
		if (!strcmp(c->after[i].name, c->name))
			return refuse(r, "%s comes after itself", c->name);
	}
	return true;
}

/* The name of the service, from that of its file. */
static bool take_name(struct reader *r, struct init_config *c)
{
	const char *base = strrchr(r->path, '/');
	char name[256];
	size_t len;

	base = base ? base + 1 : r->path;
	len = strlen(base);
	if (len >= sizeof(name) || len <= strlen(INIT_SUFFIX) ||
	    strcmp(base + len - strlen(INIT_SUFFIX), INIT_SUFFIX))
		return refuse(r,
			      "the file's name does not end in " INIT_SUFFIX);
	snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(INIT_SUFFIX)),
		 base);
	if (init_value_name(name, c->name))
		return refuse(
			r,
			"the name has to be 1 to %d letters, digits, '-', '_' and '.', no '.' first",
			PHI_INIT_NAME_MAX - 1);
	return true;
}

static struct init_config *with_defaults(void)
{
	struct init_config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->restart = INIT_ON_FAILURE;
	c->delay_ns = SECOND / 10;
	c->delay_max_ns = 30 * SECOND;
	c->interval_ns = 10 * SECOND;
	c->start_ns = 90 * SECOND;
	c->stop_ns = 10 * SECOND;
	c->signal = SIGTERM;
	c->tasks_max = 512;
	return c;
}

/**
 * init_config_parse() - read the text of a service's file
 * @path: Its path, for the name of the service and for messages.
 * @text: NUL-terminated.
 * @fault: Out, when it is refused.
 *
 * Context: Any thread.
 * Return: The service, or NULL.
 */
struct init_config *init_config_parse(const char *path, const char *text,
				      struct init_fault *fault)
{
	struct init_config *c = with_defaults();
	struct reader r = {
		.path = path, .at = text, .line = 1, .next = 1, .fault = fault
	};
	bool good;

	r.text = malloc(strlen(text) + 1);
	good = c && r.text;
	if (!good)
		refuse(&r, "out of memory");
	good = good && take_name(&r, c);
	while (good && next_line(&r))
		good = take_line(&r, c);
	good = good && complete(&r, c);
	free(r.text);
	if (good)
		return c;
	init_config_free(c);
	return NULL;
}

/* All of a file that is no longer than it may be, with a NUL. */
static char *read_text(int fd)
{
	char *text = malloc(INIT_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 0;

	while (text && len <= INIT_FILE_MAX &&
	       (n = read(fd, text + len, INIT_FILE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (!text)
		return NULL;
	if (n < 0 || len > INIT_FILE_MAX || memchr(text, '\0', len)) {
		errno = n < 0 ? errno : len > INIT_FILE_MAX ? EFBIG : EILSEQ;
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

/**
 * init_config_read() - read a service's file
 * @dir: Its directory.
 * @file: Its name there.
 * @fault: Out, when it is refused.
 *
 * Context: Any thread.
 * Return: The service, or NULL.
 */
struct init_config *init_config_read(int dir, const char *file,
				     struct init_fault *fault)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct init_config *c = NULL;
	char *text = fd < 0 ? NULL : read_text(fd);

	if (text)
		c = init_config_parse(file, text, fault);
	else
		snprintf(fault->text, sizeof(fault->text),
			 "%s: cannot read it: %s", file, strerror(errno));
	free(text);
	if (fd >= 0)
		close(fd);
	return c;
}

/**
 * init_config_free() - free a service's settings
 * @c: From init_config_parse(), or NULL.
 *
 * Context: Any thread.
 */
void init_config_free(struct init_config *c)
{
	uint32_t i;

	if (!c)
		return;
	free(c->description);
	while (c->argc)
		free(c->argv[--c->argc]);
	while (c->envc)
		free(c->envp[--c->envc]);
	for (i = 0; i < c->ncaps; i++) {
		free(c->caps[i].name);
		free(c->caps[i].object);
	}
	free(c);
}
