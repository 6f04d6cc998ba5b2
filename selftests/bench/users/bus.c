// SPDX-License-Identifier: GPL-2.0-only
/* The queue between clients and the daemon, and what it needs of libphi. */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "selftests/vdfsd/files.h"
#include "serve/open.h"
#include "worker.h"

/* The low bits of a handle say of what it is; the others are a pointer. */
#define TAG 7ULL
#define REGION 1
#define REPLY 2
#define SESSION 3
#define OTHER 4

/**
 * struct region_cap - memory that capabilities stand for
 * @refs: Handles and maps.
 * @addr: Where it is.
 * @len: Its length.
 */
struct region_cap {
	atomic_uint refs;
	char *addr;
	size_t len;
};

static struct daemon *daemon_here;
static pthread_t loop_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all below */
static pthread_cond_t come = PTHREAD_COND_INITIALIZER;
static struct bus_call *first, **last = &first;
static bool stop;

static void *pointer(uint64_t handle)
{
	return (void *)(uintptr_t)(handle & ~TAG);
}

static uint64_t handle_of(const void *pointer, uint64_t tag)
{
	return (uintptr_t)pointer | tag;
}

static uint64_t region_new(size_t len)
{
	struct region_cap *region = calloc(1, sizeof(*region));

	if (!region)
		abort();
	region->refs = 1;
	region->len = len;
	region->addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region->addr == MAP_FAILED)
		abort();
	return handle_of(region, REGION);
}

static void region_put(struct region_cap *region)
{
	if (atomic_fetch_sub(&region->refs, 1) > 1)
		return;
	munmap(region->addr, region->len);
	free(region);
}

int phi_cap_drop(int phi, uint64_t handle)
{
	(void)phi;
	if ((handle & TAG) == REGION)
		region_put(pointer(handle));
	return 0;
}

int phi_cap_revoke(int phi, uint64_t handle)
{
	(void)phi;
	(void)handle;
	return 0;
}

int phi_cap_derive(int phi, uint64_t handle, uint32_t rights,
		   uint64_t expires_ns, uint64_t badge, uint64_t *out)
{
	(void)phi;
	(void)rights;
	(void)expires_ns;
	*out = handle;
	if ((handle & TAG) == REGION)
		atomic_fetch_add(&((struct region_cap *)pointer(handle))->refs,
				 1);
	else
		*out = badge << 3 | SESSION;
	return 0;
}

int phi_region_create(int phi, uint64_t bytes, unsigned int flags,
		      uint64_t *cap)
{
	(void)phi;
	(void)flags;
	*cap = region_new(bytes);
	return 0;
}

int phi_region_map(int phi, uint64_t handle, int prot, void **addr, size_t *len)
{
	struct region_cap *region = pointer(handle);

	(void)phi;
	(void)prot;
	if ((handle & TAG) != REGION)
		return -EINVAL;
	*addr = region->addr;
	if (len)
		*len = region->len;
	return 0;
}

/* The memory goes with the last handle. */
int phi_region_unmap(void *addr, size_t len)
{
	(void)addr;
	(void)len;
	return 0;
}

int phi_endpoint_create(int phi, uint64_t *cap)
{
	(void)phi;
	*cap = OTHER;
	return 0;
}

int phi_endpoint_fd(int phi, uint64_t endpoint)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)phi;
	(void)endpoint;
	return fd < 0 ? -errno : fd;
}

int phi_reply(int phi, uint64_t reply, const struct phi_msg *msg)
{
	struct bus_call *call = pointer(reply);

	(void)phi;
	memcpy(&call->answer, msg->data, sizeof(call->answer));
	call->cap = msg->ncaps ? msg->caps[0].cap : 0;
	call->answered(call);
	return 0;
}

int phi_service_fd(struct phi_service *s, int fd, uint32_t events,
		   int (*fn)(void *arg, uint32_t events), void *arg,
		   struct phi_source **out)
{
	(void)s;
	(void)fd;
	(void)events;
	(void)fn;
	(void)arg;
	*out = NULL;
	return 0;
}

void phi_source_free(struct phi_source *src)
{
	(void)src;
}

/* Handle a message; one without a reply handle closes the session. */
static void take(struct bus_call *call)
{
	struct session *session;

	if (call->in.reply) {
		dispatch(daemon_here, &call->in);
		return;
	}
	session = session_find(daemon_here, call->in.badge);
	if (session)
		session_close(session, NULL);
	call->answered(call);
}

static void *loop(void *arg)
{
	struct bus_call *call;

	(void)arg;
	pthread_mutex_lock(&lock);
	while (first || !stop) {
		call = first;
		if (!call) {
			pthread_cond_wait(&come, &lock);
			continue;
		}
		first = call->next;
		if (!first)
			last = &first;
		pthread_mutex_unlock(&lock);
		take(call);
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void enqueue(struct bus_call *call)
{
	call->next = NULL;
	pthread_mutex_lock(&lock);
	*last = call;
	last = &call->next;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
}

/* Send a message without waiting for the answer. */
void bus_post(struct bus_call *call, const struct phi_vdfs_request *req)
{
	call->in.len = sizeof(*req);
	memcpy(call->in.data, req, sizeof(*req));
	call->in.badge = call->client->badge;
	call->in.uid = call->client->uid;
	call->in.pid = 1;
	call->in.reply = handle_of(call, REPLY);
	enqueue(call);
}

static void wake(struct bus_call *call)
{
	sem_post(&call->done);
}

static void wait_for(struct bus_call *call)
{
	while (sem_wait(&call->done))
		continue;
}

/* Send a message. Return: the status of the answer, c->call.answer. */
int bus_ask(struct bus_client *c, const struct phi_vdfs_request *req)
{
	struct bus_call *call = &c->call;

	bus_post(call, req);
	wait_for(call);
	call->in.ncaps = 0;
	return call->answer.status;
}

/* Give a session its region once more. */
int bus_stage(struct bus_client *c)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAGE };
	struct region_cap *region = pointer(c->cap);

	atomic_fetch_add(&region->refs, 1);
	c->call.in.ncaps = 1;
	c->call.in.caps[0] = (struct phi_xferred){
		.cap = c->cap,
		.type = PHI_TYPE_MEMORY,
		.rights = PHI_RIGHT_ALL,
	};
	return bus_ask(c, &req);
}

/* Begin a session. */
int bus_attach(struct bus_client *c, uint32_t uid)
{
	struct phi_vdfs_request req = {
		.op = PHI_VDFS_ATTACH,
		.value = PHI_VDFS_VERSION,
	};
	int ret;

	memset(c, 0, sizeof(*c));
	sem_init(&c->call.done, 0, 0);
	c->call.client = c;
	c->call.answered = wake;
	c->uid = uid;
	c->badge = BADGE_FULL;
	c->call.in.ncaps = 1;
	c->call.in.caps[0] = (struct phi_xferred){
		.cap = OTHER,
		.type = PHI_TYPE_ENDPOINT,
		.rights = PHI_RIGHT_SEND,
	};
	ret = bus_ask(c, &req);
	if (ret)
		return ret;
	c->badge = c->call.cap >> 3;
	c->cap = region_new(BUS_REGION);
	c->mem = ((struct region_cap *)pointer(c->cap))->addr;
	return bus_stage(c);
}

/* End a session. */
void bus_gone(struct bus_client *c)
{
	if (!c->badge)
		return;
	c->call.in.badge = c->badge;
	c->call.in.reply = 0;
	enqueue(&c->call);
	wait_for(&c->call);
	phi_cap_drop(-1, c->cap);
	c->badge = 0;
}

struct phi_vdfs_span bus_text(struct bus_client *c, uint32_t at,
			      const char *text)
{
	size_t len = strlen(text);

	memcpy(c->mem + at, text, len);
	return (struct phi_vdfs_span){ at, (uint32_t)len };
}

/* Write an item. Return: its length. */
size_t bus_record(char *to, const char *key, const float *vector, uint32_t dim,
		  const char *metadata)
{
	struct phi_vdfs_record r = { .dim = dim };
	char *p = to + sizeof(r);

	r.key_len = (uint32_t)strlen(key);
	r.metadata_len = metadata ? (uint32_t)strlen(metadata) : 0;
	r.bytes = (uint32_t)((sizeof(r) + dim * sizeof(float) + r.key_len +
			      r.metadata_len + 2 + 7) &
			     ~7UL);
	memset(to, 0, r.bytes);
	memcpy(to, &r, sizeof(r));
	memcpy(p, vector, dim * sizeof(float));
	p += dim * sizeof(float);
	memcpy(p, key, r.key_len);
	if (metadata)
		memcpy(p + r.key_len + 1, metadata, r.metadata_len);
	return r.bytes;
}

/* Start a daemon on an empty store below a directory. */
int bus_start(struct bus_server *b, const char *parent, uint32_t threads)
{
	struct vdfsd *s = &b->s;
	char graph[160];
	int ret;

	memset(b, 0, sizeof(*b));
	snprintf(b->dir, sizeof(b->dir), "%s/vdfsd-XXXXXX", parent);
	if (!mkdtemp(b->dir))
		return -errno;
	snprintf(graph, sizeof(graph), "%s/graph", b->dir);
	s->options.map_budget = 1ULL << 30;
	s->options.threads = threads;
	vdfsd_init(s);
	s->daemon.endpoint = OTHER;
	ret = vdfs_store_open(b->dir, &s->options.store_options, &s->store);
	if (!ret)
		ret = vdfs_db_open(vdfs_store_meta(s->store), graph, 0, &s->db);
	if (!ret)
		ret = vdfs_store_sweep(s->store);
	if (!ret)
		ret = workers_start(&s->daemon, threads);
	if (ret)
		return ret;
	daemon_here = &s->daemon;
	stop = false;
	return -pthread_create(&loop_thread, NULL, loop, NULL);
}

/* End it and remove its store. */
void bus_stop(struct bus_server *b)
{
	pthread_mutex_lock(&lock);
	stop = true;
	pthread_cond_signal(&come);
	pthread_mutex_unlock(&lock);
	pthread_join(loop_thread, NULL);
	vdfsd_stop(&b->s);
	vdfs_db_close(b->s.db);
	vdfs_store_close(b->s.store);
	remove_tree(b->dir);
}

/* Open a collection, and wait for it. */
int bus_open(struct bus_client *c, const char *name, uint64_t *id)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_OPEN };
	int ret;

	req.name = bus_text(c, BUS_NAME, name);
	ret = bus_ask(c, &req);
	if (ret)
		return ret;
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_JOB,
					 .id = c->call.answer.id };
	do {
		ret = bus_ask(c, &req);
	} while (ret == -EINPROGRESS);
	*id = c->call.answer.id;
	return ret;
}
