// SPDX-License-Identifier: GPL-2.0-only
/* The output of services: the last of it is kept, and waits for a reader. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initd.h"
#include "log.h"

/* Bytes that are read of one service in a turn. */
#define PIECE 4096

static void keep(struct init_run *run, const char *data, size_t len)
{
	size_t at = run->nkept % INIT_KEPT_MAX;
	size_t first = INIT_KEPT_MAX - at < len ? INIT_KEPT_MAX - at : len;

	memcpy(run->kept + at, data, first);
	memcpy(run->kept, data + first, len - first);
	run->nkept += len;
}

/* Line by line, so that the log names the service in each. */
static void log_lines(const char *name, char *data, size_t len)
{
	char *at;
	char *line;

	data[len] = '\0';
	for (line = strtok_r(data, "\n", &at); line;
	     line = strtok_r(NULL, "\n", &at))
		say("%s| %s", name, line);
}

/* Take a piece of what was written; 0 at the end, -EAGAIN for no more now. */
static ssize_t take(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	char data[PIECE + 1];
	ssize_t n = read(run->out, data, PIECE);

	if (n <= 0)
		return n ? -errno : 0;
	keep(run, data, (size_t)n);
	if (d->verbose)
		log_lines(d->engine.services[i].config->name, data, (size_t)n);
	return n;
}

static int on_output(void *arg, uint32_t events)
{
	struct init_run *run = arg;
	struct initd *d = run->owner;
	ssize_t n = take(d, (uint32_t)(run - d->runs));

	(void)events;
	if (n > 0)
		return 1;
	if (n == -EAGAIN || n == -EINTR)
		return n == -EINTR;
	/* Nobody writes any more. */
	phi_source_free(run->writes);
	run->writes = NULL;
	return 0;
}

/**
 * init_keep_open() - make the pipe that a service writes to
 * @d: Daemon.
 * @i: Service that is about to start.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int init_keep_open(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	int pipe[2];
	int ret;

	if (!run->kept)
		run->kept = malloc(INIT_KEPT_MAX);
	if (!run->kept)
		return -ENOMEM;
	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	run->out = pipe[0];
	run->in = pipe[1];
	/* The service's end stays as programs expect it. */
	if (fcntl(run->out, F_SETFL, O_NONBLOCK)) {
		ret = -errno;
		init_keep_close(d, i);
		return ret;
	}
	ret = phi_service_fd(d->loop, run->out, POLLIN, on_output, run,
			     &run->writes);
	if (ret)
		init_keep_close(d, i);
	return ret;
}

/**
 * init_keep_close() - undo init_keep_open(), but keep what was written
 * @d: Daemon.
 * @i: Service, of which nothing runs.
 *
 * Context: Main thread.
 */
void init_keep_close(struct initd *d, uint32_t i)
{
	struct init_run *run = &d->runs[i];
	int n;

	/* Its last words; a pipe holds no more pieces than that. */
	for (n = 0; run->writes && n < 256 && take(d, i) > 0; n++)
		;
	if (run->writes)
		phi_source_free(run->writes);
	run->writes = NULL;
	if (run->in >= 0)
		close(run->in);
	if (run->out >= 0)
		close(run->out);
	run->in = -1;
	run->out = -1;
}

/**
 * init_keep_last() - the last lines that a service has written
 * @run: Service.
 * @lines: Most lines; 0 = all that are kept.
 * @out: Out.
 *
 * A first line of which only the end is kept is left out.
 *
 * Context: Main thread.
 * Return: Bytes in @out.
 */
size_t init_keep_last(const struct init_run *run, uint32_t lines,
		      char out[INIT_KEPT_MAX])
{
	size_t len = run->nkept < INIT_KEPT_MAX ? run->nkept : INIT_KEPT_MAX;
	size_t at = run->nkept - len;
	size_t start = 0;
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = run->kept[(at + i) % INIT_KEPT_MAX];
	if (at) {
		const char *end = memchr(out, '\n', len);

		start = end ? (size_t)(end - out) + 1 : len;
	}
	/* The newline at the end ends the last line, and begins none. */
	for (i = len; lines && i > start; i--) {
		if (i < len && out[i - 1] == '\n' && !--lines) {
			start = i;
			break;
		}
	}
	memmove(out, out + start, len - start);
	return len - start;
}
