// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0013, 0x0014: lines of the console of a program.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "calls/calls.h"
#include "print.h"

#define LINE_BYTES 65536

/* Bytes of the input that the program has not read yet. */
struct input {
	pthread_mutex_t lock; /* over a prompt and its line */
	bool ended;
	size_t begin;
	size_t end;
	char data[LINE_BYTES + 1];
};

static void init(void *state)
{
	struct input *in = state;

	pthread_mutex_init(&in->lock, NULL);
}

static void fini(void *state)
{
	struct input *in = state;

	pthread_mutex_destroy(&in->lock);
}

static const struct md_own_kind kind = {
	.size = sizeof(struct input),
	.init = init,
	.fini = fini,
};

/* Read more; at the end of the input set @ended. */
static int fill(struct md_call *c, struct input *in)
{
	int fd = c->session->console[0];
	ssize_t n;

	memmove(in->data, in->data + in->begin, in->end - in->begin);
	in->end -= in->begin;
	in->begin = 0;
	do {
		if (md_wait(c, fd, POLLIN, -1))
			return MD_FAILED;
		n = read(fd, in->data + in->end, sizeof(in->data) - in->end);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return md_fail(c, MATHIS_CLOSED, "%s", strerror(errno));
	in->ended = !n;
	in->end += (size_t)n;
	return MD_DONE;
}

static int read_line(struct md_call *c, struct input *in)
{
	const char *line, *end;
	size_t n;

	for (;;) {
		line = in->data + in->begin;
		n = in->end - in->begin;
		end = memchr(line, '\n', n);
		if (end || in->ended || n > LINE_BYTES)
			break;
		if (fill(c, in))
			return MD_FAILED;
	}
	if (!end && n > LINE_BYTES)
		return md_fail(c, MATHIS_LIMIT, "a line of more than %d bytes",
			       LINE_BYTES);
	if (!end && !n)
		return md_fail(c, MATHIS_CLOSED, "the input has ended");
	if (end)
		n = (size_t)(end - line);
	in->begin += n + !!end;
	return md_return_str(c, line, n);
}

static int input(struct md_call *c, bool prompt)
{
	struct input *in = md_session_own(c->session, &kind);
	int ret = MD_DONE;

	if (!in)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	pthread_mutex_lock(&in->lock);
	if (prompt)
		ret = print_prompt(c);
	if (!ret)
		ret = read_line(c, in);
	pthread_mutex_unlock(&in->lock);
	return ret;
}

int md_io_input(struct md_call *c)
{
	return input(c, false);
}

int md_io_input_prompt(struct md_call *c)
{
	return input(c, true);
}
