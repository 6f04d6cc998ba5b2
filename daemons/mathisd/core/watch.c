// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watches by the numbers of their files, and the thread that fires them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core.h"
#include "watch.h"

/* Take a watch out of the table, or NULL. With the lock. */
static struct md_watch *take(struct md_watches *w, int fd)
{
	struct md_watch *watch = NULL;

	if (fd >= 0 && (size_t)fd < w->room)
		watch = w->by_fd[fd];
	if (!watch)
		return NULL;
	w->by_fd[fd] = NULL;
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
	return watch;
}

static void *run(void *arg)
{
	struct md_core *core = arg;
	struct md_watches *w = &core->watches;
	struct epoll_event event;

	for (;;) {
		struct md_watch *watch;
		int n = epoll_wait(w->epoll, &event, 1, -1);

		if (n == 1 && event.data.fd == w->stop_fd)
			return NULL;
		if (n != 1)
			continue;
		/* It may be gone, or be another one of the same number. */
		pthread_mutex_lock(&core->lock);
		watch = take(w, event.data.fd);
		pthread_mutex_unlock(&core->lock);
		if (watch)
			watch->fire(watch);
	}
}

static int add(const struct md_watches *w, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Start the thread. With the lock. */
static int start(struct md_core *core)
{
	struct md_watches *w = &core->watches;
	int ret;

	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return -errno;
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	ret = w->stop_fd < 0 ? -errno : add(w, w->stop_fd, EPOLLIN);
	if (!ret)
		ret = -pthread_create(&w->thread, NULL, run, core);
	if (!ret) {
		w->started = true;
		return 0;
	}
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	close(w->epoll);
	return ret;
}

/* With the lock. */
static int prepare(struct md_core *core, size_t fd)
{
	struct md_watches *w = &core->watches;
	struct md_watch **more;
	size_t room = w->room ? w->room : 64;
	int ret = w->started ? 0 : start(core);

	if (ret || fd < w->room)
		return ret;
	while (room <= fd)
		room *= 2;
	more = realloc(w->by_fd, room * sizeof(struct md_watch *));
	if (!more)
		return -ENOMEM;
	memset(more + w->room, 0, (room - w->room) * sizeof(struct md_watch *));
	w->by_fd = more;
	w->room = room;
	return 0;
}

int md_watch_add(struct md_core *core, struct md_watch *watch)
{
	struct md_watches *w = &core->watches;
	int ret;

	pthread_mutex_lock(&core->lock);
	ret = prepare(core, (size_t)watch->fd);
	if (!ret)
		ret = add(w, watch->fd, watch->events);
	if (!ret)
		w->by_fd[watch->fd] = watch;
	pthread_mutex_unlock(&core->lock);
	return ret;
}

bool md_watch_remove(struct md_core *core, struct md_watch *watch)
{
	struct md_watches *w = &core->watches;
	bool waits;

	pthread_mutex_lock(&core->lock);
	waits = (size_t)watch->fd < w->room && w->by_fd[watch->fd] == watch &&
		take(w, watch->fd);
	pthread_mutex_unlock(&core->lock);
	return waits;
}

void md_watches_stop(struct md_core *core)
{
	struct md_watches *w = &core->watches;

	if (w->started) {
		eventfd_write(w->stop_fd, 1);
		pthread_join(w->thread, NULL);
		close(w->stop_fd);
		close(w->epoll);
	}
	free(w->by_fd);
}
