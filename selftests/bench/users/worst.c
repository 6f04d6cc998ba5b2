// SPDX-License-Identifier: GPL-2.0-only
/* The worst that one user does; see hostile.c. */
#include "hostile.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTILE_UID 2000U
#define SESSIONS 60
#define CALLS 32
#define SYNC (256ULL << 20)

static atomic_bool hostile_runs;
static atomic_ulong hostile_calls;
static atomic_bool syncing;

/**
 * struct way - something that the hostile user does
 * @name: Of it.
 * @sessions: That do it.
 * @calls: Calls under way in each.
 * @prepare: Sets the request up.
 * @again: NULL, or changes it before it is sent once more.
 */
struct way {
	const char *name;
	int sessions;
	int calls;
	void (*prepare)(struct bus_client *c, struct phi_vdfs_request *req);
	void (*again)(struct bus_call *call, struct phi_vdfs_request *req);
};

static void prepare_filters(struct bus_client *c, struct phi_vdfs_request *req)
{
	char *at = c->mem + BUS_MORE, *end = at + VDFS_FILTER_MAX - 40;
	float one = 1;
	uint64_t id;

	must(bus_open(c, "evil-filter", &id), "open");
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_SEARCH,
					  .id = id,
					  .k = 1 };
	at = stpcpy(at, "{\"$or\":[{\"z\":1}");
	for (int i = 0; at < end; i++)
		at += sprintf(at, ",{\"z%d\":1}", i);
	at = stpcpy(at, "]}");
	req->more.at = BUS_MORE;
	req->more.len = (uint32_t)(at - c->mem) - BUS_MORE;
	memcpy(c->mem + BUS_DATA, &one, sizeof(one));
	req->data = (struct phi_vdfs_span){ BUS_DATA, sizeof(one) };
	req->out = (struct phi_vdfs_span){ BUS_OUT, 4096 };
}

static void prepare_searches(struct bus_client *c, struct phi_vdfs_request *req)
{
	float all = 1;
	uint64_t id;

	must(bus_open(c, "evil-big", &id), "open");
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_SEARCH,
					  .id = id,
					  .k = 100 };
	memcpy(&req->recall, &all, sizeof(all));
	for (size_t i = 0; i < 64UL * DIM; i++)
		memcpy(c->mem + BUS_DATA + i * sizeof(all), &all, sizeof(all));
	req->data = (struct phi_vdfs_span){ BUS_DATA, 64 * DIM * sizeof(all) };
	req->out = (struct phi_vdfs_span){ BUS_OUT, 1 << 20 };
}

static void prepare_lists(struct bus_client *c, struct phi_vdfs_request *req)
{
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_LIST };
	req->name = bus_text(c, BUS_NAME, "evil/many");
	req->out = (struct phi_vdfs_span){ BUS_OUT, 2 << 20 };
}

static void prepare_puts(struct bus_client *c, struct phi_vdfs_request *req)
{
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_PUT };
	req->name = bus_text(c, BUS_NAME, "evil/put");
	req->data = (struct phi_vdfs_span){ BUS_DATA, 1 << 20 };
}

static void other_bytes(struct bus_call *call, struct phi_vdfs_request *req)
{
	uint64_t serial = atomic_load(&hostile_calls);

	(void)req;
	for (size_t at = 0; at < 1 << 20; at += 4096)
		memcpy(call->client->mem + BUS_DATA + at, &serial, 8);
}

/* A collection is opened, and its news is waited for, in turns. */
static void prepare_parked(struct bus_client *c, struct phi_vdfs_request *req)
{
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_OPEN };
	req->name = bus_text(c, BUS_NAME, "evil-big");
}

static void next_parked(struct bus_call *call, struct phi_vdfs_request *req)
{
	const struct phi_vdfs_answer *a = &call->answer;
	uint32_t was = req->op;

	if (a->status == -EINPROGRESS)
		return;
	*req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_OPEN };
	req->name = (struct phi_vdfs_span){ BUS_NAME, strlen("evil-big") };
	if (a->status)
		return;
	if (was == PHI_VDFS_COLLECTION_OPEN)
		*req = (struct phi_vdfs_request){ .op = PHI_VDFS_JOB,
						  .id = a->id };
	else if (was == PHI_VDFS_JOB)
		*req = (struct phi_vdfs_request){
			.op = PHI_VDFS_COLLECTION_CLOSE, .id = a->id
		};
}

static const struct way ways[] = {
	{ "filters", 12, CALLS, prepare_filters, NULL },
	{ "searches", 12, CALLS, prepare_searches, NULL },
	{ "lists", 12, CALLS, prepare_lists, NULL },
	{ "puts", 8, 8, prepare_puts, other_bytes },
	{ "parked", 8, 4, prepare_parked, next_parked },
};

#define WAYS (sizeof(ways) / sizeof(*ways))

/**
 * struct flood - a call that is sent again and again
 * @call: The call.
 * @req: The request.
 * @way: What it is.
 * @rests: Its last answer came, and it was not sent again.
 */
struct flood {
	struct bus_call call;
	struct phi_vdfs_request req;
	const struct way *way;
	atomic_bool rests;
};

static struct flood flood[SESSIONS * CALLS];
static int floods;

/* In the thread that answered it. */
static void send_again(struct bus_call *call)
{
	struct flood *f = call->arg;

	atomic_fetch_add(&hostile_calls, 1);
	if (!atomic_load(&hostile_runs) || call->answer.status == -EPIPE) {
		atomic_store(&f->rests, true);
		return;
	}
	if (f->way->again)
		f->way->again(call, &f->req);
	bus_post(call, &f->req);
}

static bool wanted(const char *name)
{
	const char *pattern = getenv("BENCH_HOSTILE_WAYS");

	return !fnmatch(pattern ? pattern : "*", name, 0);
}

static void begin_way(const struct way *way, struct bus_client *c)
{
	struct phi_vdfs_request req;

	must(bus_attach(c, HOSTILE_UID), "attach");
	way->prepare(c, &req);
	for (int i = 0; i < way->calls; i++) {
		struct flood *f = &flood[floods++];

		f->req = req;
		f->way = way;
		f->rests = false;
		f->call.client = c;
		f->call.answered = send_again;
		f->call.arg = f;
	}
}

static struct bus_client hostile[SESSIONS];
static int hostiles;

/* It begins, or ends with all of its sessions. */
void worst_let(bool run)
{
	atomic_store(&hostile_runs, run);
	for (size_t i = 0; run && i < WAYS; i++) {
		int n = wanted(ways[i].name) ? ways[i].sessions : 0;

		while (n--)
			begin_way(&ways[i], &hostile[hostiles++]);
	}
	/* Once they are all there: its own calls wait for each other. */
	for (int i = 0; run && i < floods; i++)
		bus_post(&flood[i].call, &flood[i].req);
	if (run)
		return;
	while (hostiles)
		bus_gone(&hostile[--hostiles]);
	while (floods) {
		while (!atomic_load(&flood[floods - 1].rests))
			usleep(1000);
		floods--;
	}
	/* It would go on beside the honest one. */
	while (atomic_load(&syncing))
		usleep(1000);
}

/* All that it needs. */
void worst_set_up(void)
{
	struct bus_client client, *c = &client;
	char *metadata = malloc(VDFS_METADATA_MAX), *to = metadata;
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT };
	uint64_t id;
	char name[32];

	must(bus_attach(c, HOSTILE_UID), "attach");
	to = stpcpy(to, "{\"a\":0");
	for (int i = 0; to < metadata + VDFS_METADATA_MAX - 40; i++)
		to += sprintf(to, ",\"k%d\":%d", i, i);
	stpcpy(to, "}");
	must(create(c, "evil-filter", 1), "create");
	must(bus_open(c, "evil-filter", &id), "open");
	must(fill(c, id, 500, 1, metadata), "fill");
	free(metadata);
	must(create(c, "evil-big", DIM), "create");
	must(bus_open(c, "evil-big", &id), "open");
	must(fill(c, id, 20000, DIM, NULL), "fill");
	must(mkdir_of(c, "evil"), "mkdir");
	must(mkdir_of(c, "evil/many"), "mkdir");
	req.name = bus_text(c, BUS_NAME, "evil/put");
	req.data = (struct phi_vdfs_span){ BUS_DATA, 16 };
	must(bus_ask(c, &req), "put");
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_LINK,
					 .hash = c->call.answer.hash };
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "evil/many/%d", i);
		req.name = bus_text(c, BUS_NAME, name);
		must(bus_ask(c, &req), "link");
	}
	bus_gone(c);
}

/* Sessions that come and go. */
static void *come_and_go(void *arg)
{
	struct bus_client c;

	(void)arg;
	for (;;) {
		if (!atomic_load(&hostile_runs)) {
			usleep(1000);
			continue;
		}
		if (!bus_attach(&c, HOSTILE_UID))
			bus_gone(&c);
		atomic_fetch_add(&hostile_calls, 1);
	}
	return NULL;
}

static void sync_long_file(struct asker a, uint64_t dir)
{
	struct fuse_setattr_in size = { .valid = FATTR_SIZE, .size = SYNC };
	struct fuse_fsync_in sync = {};
	struct fuse_made made;

	if (create_at(a, dir, "long", 0644, &made))
		return;
	sync.fh = made.open.fh;
	set_attr(a, made.entry.nodeid, size);
	a.node = made.entry.nodeid;
	ask(a, FUSE_FSYNC, &sync, sizeof(sync), NULL, NULL, 0);
	close_at(a, made.entry.nodeid, made.open.fh, true);
	a.node = dir;
	ask(a, FUSE_UNLINK, NULL, 0, "long", NULL, 0);
	atomic_fetch_add(&hostile_calls, 1);
}

static void *sync_long_files(void *arg)
{
	struct asker a = *(struct asker *)arg;
	uint64_t dir = node_at(a, "names/evil");

	for (;;) {
		atomic_store(&syncing, true);
		if (atomic_load(&hostile_runs))
			sync_long_file(a, dir);
		atomic_store(&syncing, false);
		if (!atomic_load(&hostile_runs))
			usleep(1000);
	}
	return NULL;
}

unsigned long worst_calls(void)
{
	return atomic_load(&hostile_calls);
}

/* Threads that do what takes waiting. */
void worst_start(struct asker kernel)
{
	static struct asker a;
	pthread_t thread;

	a = by(&kernel, HOSTILE_UID);
	if (wanted("sessions"))
		must(-pthread_create(&thread, NULL, come_and_go, NULL),
		     "thread");
	if (wanted("syncs"))
		must(-pthread_create(&thread, NULL, sync_long_files, &a),
		     "thread");
}
