// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0010 to 0x0012: texts to the console. A text that does not fit into a pipe
 * or terminal waits in the line of its stream, and its call with it, while the
 * other tasks of the program go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "print.h"

#define WRITE_BYTES 65536 /* at once, by the thread of the watches */
#define LINE_BYTES (256U << 10) /* of lines that wait without a call */

TAILQ_HEAD(text_list, text);

/* A text that waits; who takes it off the list ends it. */
struct text {
	TAILQ_ENTRY(text) link;
	struct output *output;
	struct md_call *call; /* NULL: a line, which is freed when it ends */
	const char *data;
	size_t n;
	size_t size; /* of a line */
	int done_fd; /* of a prompt: an event says that it was printed; else -1 */
	int error;
	bool listed;
};

struct output {
	struct md_session *session;
	pthread_mutex_t lock; /* guards the rest; taken before core->lock */
	bool open;
	bool is_socket;
	int flags; /* of pwritev2() */
	bool watched; /* with a reference to the session */
	struct text_list texts;
	size_t line_bytes; /* of these, without a call */
	struct md_watch watch; /* of a file that does not block */
};

struct outputs {
	struct output of[2]; /* 1 and 2 of the console */
};

static void fire(struct md_watch *watch);

static void init(void *state)
{
	struct outputs *all = state;

	for (int i = 0; i < 2; i++) {
		pthread_mutex_init(&all->of[i].lock, NULL);
		TAILQ_INIT(&all->of[i].texts);
		all->of[i].watch.events = EPOLLOUT;
		all->of[i].watch.fire = fire;
	}
}

static void fini(void *state)
{
	struct outputs *all = state;

	for (int i = 0; i < 2; i++) {
		if (all->of[i].open)
			close(all->of[i].watch.fd);
		pthread_mutex_destroy(&all->of[i].lock);
	}
}

static const struct md_own_kind kind = {
	.size = sizeof(struct outputs),
	.init = init,
	.fini = fini,
};

/*
 * Open a file of the console again, so that it does not block here and still
 * does where others have it. A pipe of another user cannot be opened, but be
 * asked each time not to block.
 */
static int open_output(struct output *o, int fd)
{
	char path[32];
	struct stat st;
	int own = -1;

	if (fd < 0 || fstat(fd, &st))
		return -EBADF;
	o->is_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (own < 0) {
		own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		o->flags = S_ISFIFO(st.st_mode) ? RWF_NOWAIT : 0;
	}
	if (own < 0)
		return -errno;
	o->watch.fd = own;
	o->open = true;
	return 0;
}

/* Bytes that were written, fewer where it would block, or -errno. */
static ssize_t write_some(struct output *o, struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	int fd = o->watch.fd;
	ssize_t done;

	for (;;) {
		done = o->is_socket ?
			       sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) :
			       pwritev2(fd, iov, n, -1, o->flags);
		if (done >= 0)
			return done;
		if (errno == EAGAIN)
			return 0;
		if (errno == EOPNOTSUPP && o->flags)
			o->flags = 0;
		else if (errno != EINTR)
			return -errno;
	}
}

/* Write more of a text; true: it has ended. With the lock. */
static bool go_on(struct output *o, struct text *t)
{
	struct iovec iov = { (void *)t->data,
			     t->n < WRITE_BYTES ? t->n : WRITE_BYTES };
	ssize_t done = write_some(o, &iov, 1);

	if (done < 0) {
		t->error = (int)-done;
		return true;
	}
	t->data += done;
	t->n -= (size_t)done;
	return !t->n;
}

static int result(const struct text *t)
{
	return t->error ? md_fail(t->call, MATHIS_CLOSED, "%s",
				  strerror(t->error)) :
			  MD_DONE;
}

/* A text has ended: its call is to be finished without the lock. */
static void end(struct text *t, struct text_list *ends)
{
	TAILQ_REMOVE(&t->output->texts, t, link);
	t->listed = false;
	if (!t->call) {
		t->output->line_bytes -= t->size;
		free(t);
		return;
	}
	if (t->done_fd >= 0)
		eventfd_write(t->done_fd, 1);
	else
		TAILQ_INSERT_TAIL(ends, t, link);
}

/* There may be room. */
static void fire(struct md_watch *watch)
{
	struct output *o = (struct output *)((char *)watch -
					     offsetof(struct output, watch));
	struct text_list ends = TAILQ_HEAD_INITIALIZER(ends);
	struct md_session *s = o->session;
	bool watched;
	struct text *t;

	pthread_mutex_lock(&o->lock);
	t = TAILQ_FIRST(&o->texts);
	if (t && go_on(o, t))
		end(t, &ends);
	watched = !TAILQ_EMPTY(&o->texts) && !md_watch_add(s->core, watch);
	o->watched = watched;
	/* Without a watch none of the others would end. */
	while (!watched && (t = TAILQ_FIRST(&o->texts))) {
		t->error = ENOMEM;
		end(t, &ends);
	}
	pthread_mutex_unlock(&o->lock);
	while ((t = TAILQ_FIRST(&ends))) {
		TAILQ_REMOVE(&ends, t, link);
		md_finish(t->call, result(t));
	}
	if (!watched)
		md_session_put(s);
}

/* Take a text whose call was stopped off the list: false: it has ended. */
static bool leave(struct text *t)
{
	struct output *o = t->output;
	bool listed;

	pthread_mutex_lock(&o->lock);
	listed = t->listed;
	if (listed)
		TAILQ_REMOVE(&o->texts, t, link);
	t->listed = false;
	/* The call has a reference to the session too. */
	if (o->watched && TAILQ_EMPTY(&o->texts) &&
	    md_watch_remove(o->session->core, &o->watch)) {
		o->watched = false;
		md_session_put(o->session);
	}
	pthread_mutex_unlock(&o->lock);
	return listed;
}

static void cancel(struct md_call *c)
{
	if (leave(c->own))
		md_finish(c, MD_FAILED);
}

static int watch(struct output *o)
{
	int ret;

	if (o->watched)
		return 0;
	ret = md_watch_add(o->session->core, &o->watch);
	if (ret)
		return ret;
	o->watched = true;
	atomic_fetch_add(&o->session->refs, 1);
	return 0;
}

/* Let the rest of a text wait, from a byte on. With the lock. */
static int wait(struct md_call *c, struct output *o, const struct iovec *iov,
		size_t done, int done_fd)
{
	size_t n = iov[0].iov_len + iov[1].iov_len;
	struct text *t = md_alloc(c, sizeof(*t));
	char *copy = md_alloc(c, n);
	int ret;

	if (!t || !copy)
		return MD_FAILED;
	/* The machine may free its text when this function returns. */
	memcpy(mempcpy(copy, iov[0].iov_base, iov[0].iov_len), iov[1].iov_base,
	       iov[1].iov_len);
	c->args[0].text = copy;
	*t = (struct text){ .output = o, .call = c, .done_fd = done_fd };
	t->data = copy + done;
	t->n = n - done;
	if (TAILQ_EMPTY(&o->texts) && go_on(o, t))
		return result(t);
	t->error = -watch(o);
	if (t->error)
		return result(t);
	c->own = t;
	ret = done_fd < 0 ? md_later(c, cancel, t) : MD_LATER;
	if (ret == MD_LATER) {
		TAILQ_INSERT_TAIL(&o->texts, t, link);
		t->listed = true;
	}
	return ret;
}

static int print(struct md_call *c, int stream, const char *end, int done_fd)
{
	struct outputs *all = md_session_own(c->session, &kind);
	struct iovec iov[2] = {
		{ (void *)c->args[0].text, c->args[0].n },
		{ (void *)end, strlen(end) },
	};
	struct output *o;
	ssize_t done = 0;
	int ret = MD_DONE;

	if (!all)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	o = &all->of[stream - 1];
	pthread_mutex_lock(&o->lock);
	o->session = c->session;
	if (!o->open)
		done = open_output(o, c->session->console[stream]);
	if (!done && TAILQ_EMPTY(&o->texts))
		done = write_some(o, iov, 2);
	if (done < 0)
		ret = md_fail(c, MATHIS_CLOSED, "%s", strerror((int)-done));
	else if ((size_t)done < iov[0].iov_len + iov[1].iov_len)
		ret = wait(c, o, iov, (size_t)done, done_fd);
	pthread_mutex_unlock(&o->lock);
	return ret;
}

/* Let the rest of a line wait. With the lock. */
static bool add_line(struct output *o, const char *line, size_t n, size_t done)
{
	struct text *t;

	if (o->line_bytes + n > LINE_BYTES)
		return false;
	t = malloc(sizeof(*t) + n);
	if (!t || watch(o)) {
		free(t);
		return false;
	}
	*t = (struct text){ .output = o, .size = n, .n = n - done };
	t->data = memcpy((char *)(t + 1), line + done, n - done);
	t->done_fd = -1;
	t->listed = true;
	o->line_bytes += n;
	TAILQ_INSERT_TAIL(&o->texts, t, link);
	return true;
}

bool print_line(struct md_call *c, const char *line, size_t n)
{
	struct outputs *all = md_session_own(c->session, &kind);
	struct iovec iov = { (void *)line, n };
	struct output *o;
	ssize_t done = 0;
	bool taken;

	if (!all)
		return false;
	o = &all->of[1];
	pthread_mutex_lock(&o->lock);
	o->session = c->session;
	if (!o->open)
		done = open_output(o, c->session->console[2]);
	if (!done && TAILQ_EMPTY(&o->texts))
		done = write_some(o, &iov, 1);
	taken = (size_t)done == n ||
		(done >= 0 && add_line(o, line, n, (size_t)done));
	pthread_mutex_unlock(&o->lock);
	return taken;
}

int md_io_print(struct md_call *c)
{
	return print(c, 1, "", -1);
}

int md_io_println(struct md_call *c)
{
	return print(c, 1, "\n", -1);
}

int md_io_eprint(struct md_call *c)
{
	return print(c, 2, "", -1);
}

int print_prompt(struct md_call *c)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	int ret;

	if (fd < 0)
		return md_fail_errno(c, errno, "the prompt");
	ret = print(c, 1, "", fd);
	if (ret == MD_LATER) {
		ret = md_wait(c, fd, POLLIN, -1);
		if (leave(c->own))
			ret = MD_FAILED;
		else if (!ret)
			ret = result(c->own);
	}
	close(fd);
	return ret;
}
