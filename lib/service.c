// SPDX-License-Identifier: LGPL-2.1-or-later
/* The loop that daemons share: see phi/service.h. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "service_impl.h"

/* With a core to spare, how often an empty ring is looked at. */
#define SPIN_DEFAULT 100
/* While rings spin, the kernel is asked for other work this seldom. */
#define SPIN_TURNS 16

uint64_t phi_service_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Put a source at the end of those that have work. */
static void queue(struct phi_source *src)
{
	struct phi_service *s = src->s;

	if (src->queued || src->dead)
		return;
	src->queued = true;
	src->next = NULL;
	*s->work_end = src;
	s->work_end = &src->next;
}

static struct phi_source *dequeue(struct phi_service *s)
{
	struct phi_source *src = s->work;

	s->work = src->next;
	if (!s->work)
		s->work_end = &s->work;
	src->queued = false;
	return src;
}

void phi_source_kick(struct phi_source *src)
{
	/* A timer's link is in the list of timers. */
	if (src->kind != SOURCE_TIMER)
		queue(src);
}

void phi_source_wake(struct phi_source *src)
{
	uint64_t one = 1;

	/* Only the first since the job ran has to wake the loop. */
	if (!atomic_exchange(&src->woken, 1))
		(void)!write(src->s->wake_fd, &one, sizeof(one));
}

/* A free index of the table, which grows. */
static int table_find(struct phi_service *s, uint32_t *index)
{
	struct phi_source **table;
	uint32_t room = s->room ? 2 * s->room : 16;
	uint32_t *gens;

	/* Nothing below the hint is free. */
	while (s->hint < s->room && s->table[s->hint])
		s->hint++;
	*index = s->hint;
	if (s->hint < s->room)
		return 0;
	table = realloc(s->table, room * sizeof(struct phi_source *));
	if (!table)
		return -ENOMEM;
	s->table = table;
	gens = realloc(s->gens, room * sizeof(*gens));
	if (!gens)
		return -ENOMEM;
	s->gens = gens;
	memset(table + s->room, 0,
	       (room - s->room) * sizeof(struct phi_source *));
	memset(gens + s->room, 0, (room - s->room) * sizeof(*gens));
	s->room = room;
	return 0;
}

/* Make a source and wait on its file, if it has one. */
static int source_new(struct phi_service *s, enum source_kind kind, int fd,
		      uint32_t events, void *arg, struct phi_source **out)
{
	struct phi_source *src = calloc(1, sizeof(*src));
	uint32_t index;
	int ret;

	if (!src)
		return -ENOMEM;
	ret = table_find(s, &index);
	if (ret)
		goto out_free;
	src->s = s;
	src->kind = kind;
	src->id = (uint64_t)s->gens[index] << 32 | index;
	src->fd = fd;
	src->events = events;
	src->arg = arg;
	if (fd >= 0) {
		ret = phi_wait_add(s->wait, fd, events, src->id);
		if (ret)
			goto out_free;
	}
	s->table[index] = src;
	*out = src;
	return 0;

out_free:
	free(src);
	return ret;
}

static struct phi_source *source_by_id(struct phi_service *s, uint64_t id)
{
	uint32_t index = (uint32_t)id;
	struct phi_source *src = index < s->room ? s->table[index] : NULL;

	return src && src->id == id ? src : NULL;
}

/* Stop waiting on a source's file; what is under way is ignored by its id. */
static void source_unwait(struct phi_source *src)
{
	if (src->fd < 0)
		return;
	phi_wait_del(src->s->wait, src->fd, src->id);
	if (src->own_fd)
		close(src->fd);
	src->fd = -1;
}

static void timer_unlink(struct phi_source *t)
{
	struct phi_source **at = &t->s->timers;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	t->deadline_ns = 0;
}

void phi_source_set(struct phi_source *t, uint64_t deadline_ns)
{
	struct phi_source **at = &t->s->timers;

	if (t->deadline_ns)
		timer_unlink(t);
	if (!deadline_ns || t->dead)
		return;
	while (*at && (*at)->deadline_ns <= deadline_ns)
		at = &(*at)->next;
	t->deadline_ns = deadline_ns;
	t->next = *at;
	*at = t;
}

static void work_unlink(struct phi_source *src)
{
	struct phi_source **at = &src->s->work;

	while (*at != src)
		at = &(*at)->next;
	*at = src->next;
	if (!*at)
		src->s->work_end = at;
	src->queued = false;
}

void phi_source_free(struct phi_source *src)
{
	struct phi_service *s;
	uint32_t index;

	if (!src || src->dead)
		return;
	s = src->s;
	index = (uint32_t)src->id;
	source_unwait(src);
	if (src->deadline_ns)
		timer_unlink(src);
	if (src->queued)
		work_unlink(src);
	s->table[index] = NULL;
	s->gens[index]++;
	if (index < s->hint)
		s->hint = index;
	/* Its handler may be running: memory goes when the turn is over. */
	src->dead = true;
	src->next = s->dead;
	s->dead = src;
}

static void bury(struct phi_service *s)
{
	while (s->dead) {
		struct phi_source *src = s->dead;

		s->dead = src->next;
		free(src);
	}
}

/* Tell the handler once that nothing will come any more. */
static int source_gone(struct phi_source *src)
{
	if (src->gone)
		return 0;
	src->gone = true;
	source_unwait(src);
	return src->kind == SOURCE_RING ? src->on_ring(src->arg, NULL, 0) :
					  src->on_msg(src->arg, NULL);
}

static int run_endpoint(struct phi_source *src)
{
	struct phi_msg_in in;
	int ret;

	for (int i = 0; i < SERVICE_BUDGET && !src->dead && !src->gone; i++) {
		ret = phi_recv(src->phi, src->endpoint, &in, PHI_NONBLOCK, 0);
		/* No room for its capabilities: it must not block the rest. */
		if (ret == -EDQUOT || ret == -ENOSPC)
			ret = phi_recv(src->phi, src->endpoint, &in,
				       PHI_NONBLOCK | PHI_RECV_NOCAPS, 0);
		if (ret == -EAGAIN)
			return 0;
		if (ret == -EINTR || ret == -ENOMEM)
			return 1;
		if (ret)
			return source_gone(src);
		src->s->busy = true;
		ret = src->on_msg(src->arg, &in);
		if (ret < 0)
			return ret;
		if (!src->s->running)
			break;
	}
	return 1;
}

static int run_ring(struct phi_source *src)
{
	const void *payload;
	uint32_t len;
	int ret;

	for (int i = 0; i < SERVICE_BUDGET && !src->dead && !src->gone; i++) {
		ret = phi_ring_peek(src->ring, &payload, &len);
		if (ret == -EAGAIN) {
			if (src->looks++ < src->s->spin)
				return 1;
			src->looks = 0;
			return phi_ring_arm(src->ring, PHI_RING_IN) ? 1 : 0;
		}
		if (ret)
			return source_gone(src);
		src->looks = 0;
		src->s->busy = true;
		ret = src->on_ring(src->arg, payload, len);
		if (ret == -EAGAIN)
			return 0;
		/* The handler may have freed the source, and the ring. */
		if (src->dead)
			return ret;
		phi_ring_release(src->ring);
		if (ret < 0)
			return ret;
		if (!src->s->running)
			break;
	}
	return 1;
}

/* One turn of one source; 1 when it wants another. */
static int run_source(struct phi_source *src)
{
	uint32_t revents = src->revents;

	src->revents = 0;
	switch (src->kind) {
	case SOURCE_FD:
		src->s->busy = true;
		return src->on_fd(src->arg, revents);
	case SOURCE_ENDPOINT:
		return src->gone ? 0 : run_endpoint(src);
	case SOURCE_RING:
		if (revents)
			phi_ring_quiet(src->ring);
		return src->gone ? 0 : run_ring(src);
	case SOURCE_JOB:
		src->s->busy = true;
		atomic_store(&src->woken, 0);
		return src->on_call(src->arg);
	default:
		return 0;
	}
}

/* Give each source that has work one turn. Those that come are for later. */
static int run_work(struct phi_service *s)
{
	struct phi_source *src;
	size_t n = 0;
	int ret;

	for (src = s->work; src; src = src->next)
		n++;
	while (n-- && s->work && s->running) {
		src = dequeue(s);
		ret = run_source(src);
		if (ret < 0)
			return ret;
		if (ret)
			queue(src);
	}
	return 0;
}

static int run_timers(struct phi_service *s)
{
	uint64_t now = s->timers ? phi_service_now() : 0;
	int ret;

	while (s->timers && s->timers->deadline_ns <= now && s->running) {
		struct phi_source *t = s->timers;

		timer_unlink(t);
		s->busy = true;
		ret = t->on_call(t->arg);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static uint64_t timeout(struct phi_service *s)
{
	uint64_t now;

	if (s->work)
		return 0;
	if (!s->timers)
		return UINT64_MAX;
	now = phi_service_now();
	return s->timers->deadline_ns > now ? s->timers->deadline_ns - now : 0;
}

/* Ask what happened, unless rings keep us busy and asking costs. */
static int take_events(struct phi_service *s)
{
	struct phi_wait_event events[WAIT_EVENTS];
	uint64_t wait_ns = timeout(s);
	int n;

	if (!wait_ns && !phi_wait_polls_free(s->wait) && !s->busy &&
	    ++s->turns % SPIN_TURNS)
		return 0;
	s->busy = false;
	n = phi_wait_events(s->wait, events, wait_ns);
	for (int i = 0; i < n; i++) {
		struct phi_source *src = source_by_id(s, events[i].id);

		if (!src)
			continue;
		if (events[i].events & WAIT_ENDED && src->fd >= 0) {
			int ret = phi_wait_again(s->wait, src->fd, src->events,
						 src->id);

			if (ret)
				return ret;
		}
		src->revents |= events[i].events &
				(src->events | POLLERR | POLLHUP);
		queue(src);
	}
	return n < 0 ? n : 0;
}

int phi_service_run(struct phi_service *s)
{
	int ret = 0;

	s->running = true;
	s->result = 0;
	while (s->running && !ret) {
		ret = take_events(s);
		if (!ret)
			ret = run_timers(s);
		if (!ret)
			ret = run_work(s);
		bury(s);
	}
	s->running = false;
	return ret ? ret : s->result;
}

void phi_service_exit(struct phi_service *s, int result)
{
	s->running = false;
	s->result = result;
}

/* Jobs that other threads woke. */
static int on_wake(void *arg, uint32_t events)
{
	struct phi_service *s = arg;
	uint64_t n;

	(void)events;
	(void)!read(s->wake_fd, &n, sizeof(n));
	for (uint32_t i = 0; i < s->room; i++) {
		struct phi_source *src = s->table[i];

		if (src && src->kind == SOURCE_JOB && atomic_load(&src->woken))
			queue(src);
	}
	return 0;
}

int phi_service_new(unsigned int flags, struct phi_service **out)
{
	struct phi_service *s;
	int ret;

	if (flags & ~PHI_SERVICE_EPOLL)
		return -EOPNOTSUPP;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->work_end = &s->work;
	s->signal_fd = -1;
	s->spin = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_DEFAULT : 0;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = s->wake_fd < 0 ? -errno : 0;
	if (!ret)
		ret = phi_wait_new(flags & PHI_SERVICE_EPOLL, &s->wait);
	if (!ret)
		ret = phi_service_fd(s, s->wake_fd, POLLIN, on_wake, s, NULL);
	if (ret) {
		phi_service_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void phi_service_free(struct phi_service *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->room; i++)
		phi_source_free(s->table[i]);
	bury(s);
	free(s->table);
	free(s->gens);
	phi_wait_free(s->wait);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	free(s);
}

const char *phi_service_backend(const struct phi_service *s)
{
	return phi_wait_name(s->wait);
}

int phi_service_fd(struct phi_service *s, int fd, uint32_t events,
		   int (*fn)(void *arg, uint32_t events), void *arg,
		   struct phi_source **out)
{
	struct phi_source *src;
	int ret;

	/* io_uring would tell only later. */
	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	ret = source_new(s, SOURCE_FD, fd, events, arg, &src);
	if (ret)
		return ret;
	src->on_fd = fn;
	if (out)
		*out = src;
	return 0;
}

int phi_service_endpoint(struct phi_service *s, int phi, uint64_t endpoint,
			 int (*fn)(void *arg, struct phi_msg_in *in), void *arg,
			 struct phi_source **out)
{
	struct phi_source *src;
	int fd;
	int ret;

	fd = phi_endpoint_fd(phi, endpoint);
	if (fd < 0)
		return fd;
	ret = source_new(s, SOURCE_ENDPOINT, fd, POLLIN, arg, &src);
	if (ret) {
		close(fd);
		return ret;
	}
	src->own_fd = true;
	src->phi = phi;
	src->endpoint = endpoint;
	src->on_msg = fn;
	if (out)
		*out = src;
	return 0;
}

int phi_service_ring(struct phi_service *s, struct phi_ring *ring,
		     int (*fn)(void *arg, const void *payload, uint32_t len),
		     void *arg, struct phi_source **out)
{
	struct phi_source *src;
	int fd = phi_ring_fd(ring);
	int ret;

	if (fd < 0)
		return -EINVAL;
	ret = source_new(s, SOURCE_RING, fd, POLLIN, arg, &src);
	if (ret)
		return ret;
	src->ring = ring;
	src->on_ring = fn;
	/* Messages may be there already, and the bell is not asked for yet. */
	queue(src);
	if (out)
		*out = src;
	return 0;
}

int phi_service_timer(struct phi_service *s, int (*fn)(void *arg), void *arg,
		      struct phi_source **out)
{
	int ret = source_new(s, SOURCE_TIMER, -1, 0, arg, out);

	if (!ret)
		(*out)->on_call = fn;
	return ret;
}

int phi_service_job(struct phi_service *s, int (*fn)(void *arg), void *arg,
		    struct phi_source **out)
{
	int ret = source_new(s, SOURCE_JOB, -1, 0, arg, out);

	if (!ret)
		(*out)->on_call = fn;
	return ret;
}
