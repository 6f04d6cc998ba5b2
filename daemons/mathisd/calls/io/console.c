// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0010 to 0x0014: the console of a program.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "calls/calls.h"

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

/* Print texts one behind the other. */
static int print(struct md_call *c, int fd, struct iovec *iov, int n)
{
	while (n) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN) {
			if (md_wait(c, fd, POLLOUT, -1))
				return MD_FAILED;
			continue;
		}
		if (done < 0)
			return md_fail(c, MATHIS_CLOSED, "%s", strerror(errno));
		while (n && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return MD_DONE;
}

static int print_text(struct md_call *c, int stream, const char *end)
{
	struct iovec iov[2] = {
		{ (void *)c->args[0].text, c->args[0].n },
		{ (void *)end, strlen(end) },
	};

	return print(c, c->session->console[stream], iov, 2);
}

int md_io_print(struct md_call *c)
{
	return print_text(c, 1, "");
}

int md_io_println(struct md_call *c)
{
	return print_text(c, 1, "\n");
}

int md_io_eprint(struct md_call *c)
{
	return print_text(c, 2, "");
}

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
		ret = print_text(c, 1, "");
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
