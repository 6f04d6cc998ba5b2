// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0606: changes of a file or folder, as a stream. A watch has a reference of
 * the stream until its reader closes it, and one of the dispatcher while it
 * waits for events or reads them.
 */
#include <errno.h>
#include <fcntl.h>
#include <mathis/buf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "calls/calls.h"
#include "core/path.h"
#include "core/stream.h"

#define WATCHES_MAX 32 /* of a session */
#define EVENTS_MAX 1024 /* that wait */
#define MASK                                                            \
	(IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE | \
	 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

/* Of a session, which lives while its streams are closed. */
struct watches {
	atomic_uint n;
};

struct fs_watch {
	struct md_watch watch;
	struct md_core *core;
	struct md_stream *stream;
	struct watches *all;
	atomic_uint refs;
	pthread_mutex_t lock; /* guards the next; taken before core->lock */
	bool open;
};

static const struct md_own_kind kind = { .size = sizeof(struct watches) };

static void put(struct fs_watch *w)
{
	if (atomic_fetch_sub(&w->refs, 1) != 1)
		return;
	if (w->stream)
		md_stream_put(w->stream);
	close(w->watch.fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void closed(void *arg)
{
	struct fs_watch *w = arg;
	bool waited;

	pthread_mutex_lock(&w->lock);
	w->open = false;
	waited = md_watch_remove(w->core, &w->watch);
	pthread_mutex_unlock(&w->lock);
	atomic_fetch_sub(&w->all->n, 1);
	if (waited)
		put(w);
	put(w);
}

static const char *event_name(uint32_t mask)
{
	static const struct {
		uint32_t mask;
		const char *name;
	} names[] = {
		{ IN_CREATE, "create" },
		{ IN_DELETE, "remove" },
		{ IN_MODIFY, "modify" },
		{ IN_CLOSE_WRITE, "close" },
		{ IN_MOVED_FROM, "from" },
		{ IN_MOVED_TO, "to" },
		{ IN_ATTRIB, "attr" },
		{ IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT, "gone" },
		{ IN_Q_OVERFLOW, "overflow" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (mask & names[i].mask)
			return names[i].name;
	}
	return NULL;
}

/* Give an event to the reader; false: no one reads any more. */
static bool give(struct fs_watch *w, const struct inotify_event *e)
{
	const char *name = event_name(e->mask);
	struct md_event *event = name ? md_event_new() : NULL;
	size_t n = e->len ? strlen(e->name) : 0;

	if (!event)
		return true;
	event->item = mathis_item_seq(&event->pool, MATHIS_MAP, 2);
	mathis_item_put(&event->pool, &event->item, "event",
			mathis_item_text(&event->pool, MATHIS_STR, name,
					 strlen(name)));
	if (n)
		mathis_item_put(&event->pool, &event->item, "name",
				mathis_item_text(&event->pool,
						 mathis_utf8(e->name, n) ?
							 MATHIS_STR :
							 MATHIS_BYTES,
						 e->name, n));
	return md_stream_add(w->stream, event);
}

/* Read what has happened; false: nothing more will. */
static bool read_events(struct fs_watch *w)
{
	char data[4096] __attribute__((aligned(8)));
	ssize_t n = read(w->watch.fd, data, sizeof(data));
	ssize_t at = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	while (at < n) {
		const struct inotify_event *e = (void *)(data + at);

		if (e->mask & IN_IGNORED) {
			md_stream_end(w->stream, MATHIS_CLOSED,
				      "what was watched is gone");
			return false;
		}
		if (!give(w, e))
			return false;
		at += (ssize_t)sizeof(*e) + e->len;
	}
	return true;
}

static void fire(struct md_watch *watch)
{
	struct fs_watch *w =
		(struct fs_watch *)((char *)watch -
				    offsetof(struct fs_watch, watch));
	bool goes = read_events(w);
	int ret = 0;

	pthread_mutex_lock(&w->lock);
	goes = goes && w->open;
	if (goes)
		ret = md_watch_add(w->core, watch);
	pthread_mutex_unlock(&w->lock);
	if (ret)
		md_stream_end(w->stream, MATHIS_OUT_OF_MEMORY, "no memory");
	if (!goes || ret)
		put(w);
}

/* Watch an open file: 0, or -1 and errno. */
static int begin(struct fs_watch *w, int place)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	w->watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->watch.fd < 0)
		return -1;
	return inotify_add_watch(w->watch.fd, link, MASK) < 0 ? -1 : 0;
}

static struct fs_watch *new_watch(struct md_call *c, struct watches *all)
{
	struct fs_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	atomic_init(&w->refs, 1);
	w->watch.fd = -1;
	w->watch.events = EPOLLIN;
	w->watch.fire = fire;
	w->core = c->session->core;
	w->all = all;
	w->open = true;
	w->stream = md_stream_new(EVENTS_MAX, closed, w);
	if (w->stream)
		return w;
	put(w);
	return NULL;
}

/* Return the stream, and let the events come. */
static int start(struct md_call *c, struct fs_watch *w)
{
	int ret;

	atomic_fetch_add(&w->refs, 1);
	pthread_mutex_lock(&w->lock);
	ret = md_watch_add(w->core, &w->watch);
	pthread_mutex_unlock(&w->lock);
	if (ret) {
		atomic_fetch_sub(&w->all->n, 1);
		put(w);
		put(w);
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	/* A handle that cannot be made closes the stream. */
	return md_return_stream(c, w->stream);
}

static int watch_place(struct md_call *c, int place)
{
	struct watches *all = md_session_own(c->session, &kind);
	struct fs_watch *w;

	if (!all)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (atomic_fetch_add(&all->n, 1) >= WATCHES_MAX) {
		atomic_fetch_sub(&all->n, 1);
		return md_fail(c, MATHIS_LIMIT, "more than %d watches",
			       WATCHES_MAX);
	}
	w = new_watch(c, all);
	if (w && !begin(w, place))
		return start(c, w);
	atomic_fetch_sub(&all->n, 1);
	if (!w)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_fail_errno(c, errno, "the watch");
	put(w);
	return MD_FAILED;
}

int md_fs_watch(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int place = path ? md_path_find(c, "fs.read", path, 0) : -1;
	int ret;

	if (place < 0)
		return MD_FAILED;
	ret = md_path_plain(c, place) ?: watch_place(c, place);
	close(place);
	return ret;
}
