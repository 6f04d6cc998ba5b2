// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that serve a view, users in turn. One waits for the next request
 * while others serve. A request of a user who has none served never waits for
 * those of other users: there are as many threads as that takes.
 */
#include "view_impl.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/pace.h"

/* Requests that together take less time than this are turns of one length. */
#define TURN_NS 50000000ULL

#define THREADS_MAX 256

/* Before a request is asked for again for which there was no memory. */
#define PAUSE_US 10000

/**
 * struct request - what the kernel sent and no thread has taken
 * @link: In its user's line.
 * @buf: The bytes.
 */
struct request {
	TAILQ_ENTRY(request) link;
	struct fuse_buf buf;
};

TAILQ_HEAD(request_list, request);

/**
 * struct turn - a user with requests
 * @link: In turns.users.
 * @uid: Its number.
 * @waiting: Requests that no thread has taken.
 * @running: How many are served.
 * @used: Nanoseconds that they took, at least turns.used when it came back.
 */
struct turn {
	TAILQ_ENTRY(turn) link;
	uint32_t uid;
	struct request_list waiting;
	unsigned int running;
	uint64_t used;
};

TAILQ_HEAD(turn_list, turn);

/**
 * struct vdfs_turns - the threads of a view
 * @fuse: The view.
 * @stop_fd: Readable when they shall end.
 * @lock: Guards all that follows; innermost.
 * @work: A request can be taken, or nobody waits for the next, or it ends.
 * @over: The last thread has ended.
 * @users: Those with requests, in the order in which they came or had one
 *         taken.
 * @used: turn.used of the user whose request was taken last.
 * @keep: Requests that are served beside each other when fewer users have any.
 * @busy: Requests that are served.
 * @threads: Threads that have not ended, at most THREADS_MAX.
 * @receiving: One of them waits for a request.
 * @stopped: They end, or the kernel has unmounted the view.
 */
struct vdfs_turns {
	struct vdfs_fuse *fuse;
	int stop_fd;
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t over;
	struct turn_list users;
	uint64_t used;
	unsigned int keep;
	unsigned int busy;
	unsigned int threads;
	bool receiving;
	bool stopped;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Wait for a request. Return: its length; 0 or a negative errno at the end. */
static int receive(struct vdfs_turns *t, struct fuse_buf *buf)
{
	struct fuse_session *session = t->fuse->session;
	struct pollfd fds[2] = {
		{ .fd = fuse_session_fd(session), .events = POLLIN },
		{ .fd = t->stop_fd, .events = POLLIN },
	};
	int n = -EINTR;

	while (n == -EINTR || n == -EAGAIN) {
		if (fuse_session_exited(session))
			n = 0;
		else if (poll(fds, 2, -1) < 0)
			n = -errno;
		else if (fds[1].revents)
			n = 0;
		else
			n = fuse_session_receive_buf(session, buf);
		/* Others give some back as they end. */
		if (n == -ENOMEM && !usleep(PAUSE_US))
			n = -EAGAIN;
	}
	return n;
}

/* Requests that take no time and that nobody's turn must delay. */
static bool at_once(const struct fuse_in_header *in)
{
	return in->opcode == FUSE_INTERRUPT || in->opcode == FUSE_FORGET ||
	       in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INIT;
}

/*
 * Find the user whose turn a request takes. The kernel sends requests that
 * nobody waits for as root's: they are those of the user who opened the file.
 */
static uint32_t user_of(const struct fuse_buf *buf)
{
	const struct fuse_in_header *in = buf->mem;
	const void *arg = in + 1;
	const struct fuse_write_in *write = arg;
	const struct fuse_release_in *release = arg;
	const struct vdfs_listing *listing;
	const struct vdfs_file *file = NULL;

	if (in->opcode == FUSE_RELEASEDIR) {
		listing = (void *)(uintptr_t)release->fh;
		return listing->uid;
	}
	if (in->opcode == FUSE_RELEASE)
		file = (void *)(uintptr_t)release->fh;
	else if (in->opcode == FUSE_WRITE &&
		 write->write_flags & FUSE_WRITE_CACHE)
		file = (void *)(uintptr_t)write->fh;
	return file ? file->who.uid : in->uid;
}

static struct turn *turn_get(struct vdfs_turns *t, uint32_t uid)
{
	struct turn *turn;

	TAILQ_FOREACH(turn, &t->users, link)
	{
		if (turn->uid == uid)
			return turn;
	}
	turn = calloc(1, sizeof(*turn));
	if (!turn)
		return NULL;
	turn->uid = uid;
	turn->used = t->used;
	TAILQ_INIT(&turn->waiting);
	TAILQ_INSERT_TAIL(&t->users, turn, link);
	return turn;
}

static void turn_put(struct vdfs_turns *t, struct turn *turn)
{
	if (turn->running || !TAILQ_EMPTY(&turn->waiting))
		return;
	TAILQ_REMOVE(&t->users, turn, link);
	free(turn);
}

/* May a request of a user be taken now? */
static bool has_turn(const struct vdfs_turns *t, const struct turn *turn)
{
	return !TAILQ_EMPTY(&turn->waiting) &&
	       (!turn->running || t->busy < t->keep);
}

/* Whose turn is it? The one's who used least, of those who waited longest. */
static struct turn *next_turn(struct vdfs_turns *t)
{
	struct turn *turn, *best = NULL;

	TAILQ_FOREACH(turn, &t->users, link)
	{
		if (has_turn(t, turn) &&
		    (!best || turn->used / TURN_NS < best->used / TURN_NS))
			best = turn;
	}
	return best;
}

static void *serve(void *arg);

/*
 * Have somebody wait for the next request. Without a thread for it, those that
 * serve look when they are done.
 */
static void spare(struct vdfs_turns *t)
{
	/* One that waits for the kernel takes no request that is here. */
	unsigned int enough = t->busy + (t->receiving && next_turn(t));
	pthread_t thread;

	if (t->threads > enough || t->stopped) {
		pthread_cond_signal(&t->work);
		return;
	}
	if (t->threads == THREADS_MAX ||
	    pthread_create(&thread, NULL, serve, t))
		return;
	pthread_detach(thread);
	t->threads++;
}

static void request_free(struct request *request)
{
	free(request->buf.mem);
	free(request);
}

/* Serve a request of a user, without the lock. */
static void run(struct vdfs_turns *t, struct turn *turn)
{
	struct request *request = TAILQ_FIRST(&turn->waiting);
	uint64_t since = now_ns();

	TAILQ_REMOVE(&turn->waiting, request, link);
	TAILQ_REMOVE(&t->users, turn, link);
	TAILQ_INSERT_TAIL(&t->users, turn, link);
	if (t->used < turn->used)
		t->used = turn->used;
	turn->running++;
	t->busy++;
	spare(t);
	pthread_mutex_unlock(&t->lock);
	pace_enter(turn->uid);
	fuse_session_process_buf(t->fuse->session, &request->buf);
	pace_leave();
	request_free(request);
	pthread_mutex_lock(&t->lock);
	t->busy--;
	turn->running--;
	turn->used += now_ns() - since;
	turn_put(t, turn);
}

/* Put a request in line; without memory it is served at once. */
static bool queue(struct vdfs_turns *t, const struct fuse_buf *buf)
{
	const struct fuse_in_header *in = buf->mem;
	struct request *request;
	struct turn *turn;
	void *mem;

	if (buf->flags & FUSE_BUF_IS_FD || buf->size < sizeof(*in) ||
	    at_once(in))
		return false;
	turn = turn_get(t, user_of(buf));
	request = malloc(sizeof(*request));
	if (!turn || !request) {
		free(request);
		if (turn)
			turn_put(t, turn);
		return false;
	}
	request->buf = *buf;
	/* It has room for the longest request. */
	mem = realloc(buf->mem, buf->size);
	if (mem)
		request->buf.mem = mem;
	TAILQ_INSERT_TAIL(&turn->waiting, request, link);
	return true;
}

/* Wait for the next request, and put it in line. */
static void take_in(struct vdfs_turns *t, struct fuse_buf *buf)
{
	int n;

	t->receiving = true;
	pthread_mutex_unlock(&t->lock);
	n = receive(t, buf);
	pthread_mutex_lock(&t->lock);
	t->receiving = false;
	if (n <= 0) {
		t->stopped = true;
		pthread_cond_broadcast(&t->work);
	} else if (queue(t, buf)) {
		*buf = (struct fuse_buf){};
	} else {
		pthread_mutex_unlock(&t->lock);
		fuse_session_process_buf(t->fuse->session, buf);
		pthread_mutex_lock(&t->lock);
	}
}

/* The last thread tells whoever waits that the view is served no more. */
static void leave(struct vdfs_turns *t)
{
	struct vdfs_fuse *fuse = t->fuse;
	uint64_t stopped;
	bool ended;

	if (t->threads > 1) {
		t->threads--;
		pthread_mutex_unlock(&t->lock);
		return;
	}
	ended = fuse->ended && read(t->stop_fd, &stopped, sizeof(stopped)) < 0;
	pthread_mutex_unlock(&t->lock);
	if (ended)
		fuse->ended(fuse->arg);
	pthread_mutex_lock(&t->lock);
	t->threads = 0;
	pthread_cond_signal(&t->over);
	pthread_mutex_unlock(&t->lock);
}

static void *serve(void *arg)
{
	struct vdfs_turns *t = arg;
	struct fuse_buf buf = {};
	struct turn *turn;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		turn = next_turn(t);
		if (turn)
			run(t, turn);
		else if (!t->stopped && !t->receiving)
			take_in(t, &buf);
		else if (!t->stopped && t->threads <= t->keep + 1)
			pthread_cond_wait(&t->work, &t->lock);
		else
			break;
	}
	free(buf.mem);
	leave(t);
	return NULL;
}

/**
 * vdfs_turns_start() - serve a view
 * @fuse: The view; its session is mounted.
 * @threads: Requests that are served beside each other. More are when more
 *           users have any.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_turns_start(struct vdfs_fuse *fuse, unsigned int threads)
{
	struct vdfs_turns *t = calloc(1, sizeof(*t));
	sigset_t all, old;

	if (!t)
		return -ENOMEM;
	t->fuse = fuse;
	t->keep = threads;
	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	pthread_cond_init(&t->over, NULL);
	TAILQ_INIT(&t->users);
	fuse->turns = t;
	if (t->stop_fd < 0)
		return -errno;
	/* Threads inherit it, also from each other. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&t->lock);
	spare(t);
	pthread_mutex_unlock(&t->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return t->threads ? 0 : -EAGAIN;
}

/**
 * vdfs_turns_stop() - end the threads, when they have served what they took
 * @fuse: The view.
 */
void vdfs_turns_stop(struct vdfs_fuse *fuse)
{
	struct vdfs_turns *t = fuse->turns;
	uint64_t one = 1;

	if (!t)
		return;
	pace_rush(true);
	pthread_mutex_lock(&t->lock);
	if (t->stop_fd >= 0 && write(t->stop_fd, &one, sizeof(one)) < 0)
		t->stopped = true;
	while (t->threads)
		pthread_cond_wait(&t->over, &t->lock);
	pthread_mutex_unlock(&t->lock);
	pace_rush(false);
	if (t->stop_fd >= 0)
		close(t->stop_fd);
	pthread_cond_destroy(&t->over);
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	free(t);
	fuse->turns = NULL;
}
