// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

/* Serve what rig_run() was given. */
static int work(void *arg)
{
	struct rig *rig = arg;

	pthread_mutex_lock(&rig->lock);
	if (rig->todo) {
		rig->result = rig->todo(rig->arg);
		rig->todo = NULL;
		pthread_cond_signal(&rig->done);
	}
	pthread_mutex_unlock(&rig->lock);
	return 0;
}

static void *loop(void *arg)
{
	struct rig *rig = arg;

	phi_service_run(rig->server.daemon.service);
	return NULL;
}

static int load(struct rig *rig, const char *manifest)
{
	char dir[] = "/tmp/mathisd-rig-XXXXXX", path[64];
	FILE *f;
	int ret = -EIO;

	if (!mkdtemp(dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/default.json", dir);
	f = fopen(path, "w");
	if (f) {
		fputs(manifest, f);
		fclose(f);
		ret = mathisd_manifests_load(&rig->server.manifests, dir);
	}
	unlink(path);
	rmdir(dir);
	return ret;
}

bool rig_init(struct rig *rig, const char *manifest)
{
	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->done, NULL);
	return !mathisd_init(&rig->server) && !load(rig, manifest) &&
	       !phi_service_job(rig->server.daemon.service, work, rig,
				&rig->work) &&
	       !pthread_create(&rig->thread, NULL, loop, rig);
}

int rig_run(struct rig *rig, int (*fn)(void *arg), void *arg)
{
	int result;

	pthread_mutex_lock(&rig->lock);
	rig->todo = fn;
	rig->arg = arg;
	phi_source_wake(rig->work);
	while (rig->todo)
		pthread_cond_wait(&rig->done, &rig->lock);
	result = rig->result;
	pthread_mutex_unlock(&rig->lock);
	return result;
}

static int stop(void *arg)
{
	phi_service_exit(((struct server *)arg)->daemon.service, 0);
	return 0;
}

bool rig_fini(struct rig *rig)
{
	struct daemon *d = &rig->server.daemon;
	bool clean;

	rig_run(rig, stop, &rig->server);
	pthread_join(rig->thread, NULL);
	mathisd_fini(&rig->server);
	clean = !d->nsessions && LIST_EMPTY(&d->users) &&
		TAILQ_EMPTY(&d->reap) && TAILQ_EMPTY(&rig->server.turns) &&
		TAILQ_EMPTY(&rig->server.news);
	pthread_mutex_destroy(&rig->lock);
	pthread_cond_destroy(&rig->done);
	return clean;
}

/* The client is dead: session_died() of the floor. */
static int died(void *arg, uint32_t events)
{
	if (events & (POLLHUP | POLLERR))
		session_close(arg, NULL);
	return 0;
}

/* What rig_open() has done in the loop's thread. */
struct seat {
	struct server *server;
	uint32_t uid;
	uint32_t entries;
	uint32_t bytes;
	int life;
	int wait_fd;
	void *mem;
	size_t len;
	struct client *session;
};

static int make_ring(struct seat *seat, struct client *client)
{
	struct phi_bell bell = { .phi = -1, .fd = seat->wait_fd };
	int ret;

	client->ring_mem = seat->mem;
	client->ring_len = seat->len;
	client->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = phi_ring_create(client->ring_mem, client->ring_len, seat->entries,
			      seat->bytes, &bell, client->ring_fd,
			      &client->ring);
	return ret ? ret : mathisd_channel_serve(client, seat->bytes);
}

/* Seat a session as ATTACH and RING do, which takes a kernel's phi. */
static int seat_client(void *arg)
{
	struct seat *seat = arg;
	struct daemon *d = &seat->server->daemon;
	struct client *client = calloc(1, sizeof(*client));
	struct session *base = &client->base;
	int ret = 0;

	if (!client)
		return -ENOMEM;
	base->daemon = d;
	base->refs = 1;
	base->uid = seat->uid;
	base->life_fd = seat->life;
	while (d->sessions[base->index])
		base->index++;
	base->badge = ++d->next_badge * DAEMON_SESSIONS_MAX + base->index;
	base->user = user_get(d, seat->uid);
	d->sessions[base->index] = base;
	d->nsessions++;
	if (base->life_fd >= 0)
		ret = phi_service_fd(d->service, base->life_fd, 0, died, base,
				     &base->life_source);
	if (!ret)
		ret = mathisd_client_init(client);
	if (!ret)
		ret = make_ring(seat, client);
	seat->session = client;
	return ret;
}

static int map_twice(size_t len, void **a, void **b)
{
	int fd = memfd_create("rig", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)len))
		return -errno;
	*a = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return *a == MAP_FAILED || *b == MAP_FAILED ? -ENOMEM : 0;
}

/* Make a session whose client's files are in @c. */
static int open_client(struct rig *rig, uint32_t uid, uint32_t entries,
		       uint32_t bytes, int life, struct rig_client *c)
{
	struct seat seat = { .server = &rig->server,
			     .uid = uid,
			     .entries = entries,
			     .bytes = bytes,
			     .life = life,
			     .wait_fd = c->wait_fd };
	struct phi_bell bell = { .phi = -1 };
	int ret;

	c->len = phi_ring_size(entries, bytes);
	seat.len = c->len;
	ret = map_twice(c->len, &seat.mem, &c->mem);
	if (!ret)
		ret = rig_run(rig, seat_client, &seat);
	if (ret)
		return ret;
	c->session = seat.session;
	bell.fd = seat.session->ring_fd;
	ret = phi_ring_attach(c->mem, c->len, &bell, c->wait_fd, &c->ring);
	return ret ? ret :
		     mathis_client_over(c->ring, bytes, c->life, &c->client);
}

int rig_open(struct rig *rig, uint32_t uid, uint32_t entries, uint32_t bytes,
	     struct rig_client *c)
{
	int life[2];

	memset(c, 0, sizeof(*c));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life))
		return -errno;
	c->life = life[1];
	c->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return open_client(rig, uid, entries, bytes, life[0], c);
}

int rig_open_small(struct rig *rig, uint32_t uid, int wait_fd,
		   struct rig_client *c)
{
	memset(c, 0, sizeof(*c));
	c->life = -1;
	c->wait_fd = wait_fd;
	return open_client(rig, uid, 8, 4096, -1, c);
}

void rig_close(struct rig_client *c)
{
	mathis_client_close(c->client);
	phi_ring_free(c->ring);
	munmap(c->mem, c->len);
	if (c->life < 0)
		return;
	close(c->wait_fd);
	close(c->life);
}

uint16_t rig_id(const char *name)
{
	return (uint16_t)mathis_call_number(name, strlen(name));
}

uint64_t rig_submit(struct mathis_client *c, const char *name,
		    const struct mathis_item *args, unsigned int argc,
		    uint32_t ms)
{
	uint64_t ticket;

	return mathis_client_submit(c, rig_id(name), args, argc, ms, 0,
				    &ticket) ?
		       0 :
		       ticket;
}

int rig_done(struct mathis_client *c, struct mathis_reply *reply)
{
	int ret = -EAGAIN;

	while (ret == -EAGAIN)
		ret = mathis_client_wait(c, reply, 0);
	if (ret)
		return ret;
	return reply->kind == MATHIS_REPLY_DONE ? reply->code : -EPROTO;
}

int rig_next(struct mathis_client *c, int kind, struct mathis_reply *r)
{
	int ret;

	do {
		ret = mathis_client_wait(c, r, 0);
	} while (ret == -EAGAIN || (!ret && r->kind != kind));
	return ret;
}
