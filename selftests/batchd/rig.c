// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

#define ROW_BYTES (RIG_WIDTH * sizeof(float))

/* Stands for a capability; no call that takes it succeeds. */
#define SOME_CAP 4711

/* Map a new memfd once for the client and once for the daemon. */
static int map_twice(size_t len, void **client, void **daemon)
{
	int fd = memfd_create("rig", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, len))
		return -errno;
	*client = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*daemon = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*client == MAP_FAILED || *daemon == MAP_FAILED)
		return -ENOMEM;
	return fd;
}

/* A ring as channel_open() makes one, with eventfds for the NOTIFYs. */
static int make_ring(struct rig *rig, int i)
{
	struct client *client = rig->client[i];
	uint32_t bytes = RIG_ENTRIES * 256;
	struct phi_bell bell = { .phi = -1 };
	int fd, ret;

	client->ring_len = phi_ring_size(RIG_ENTRIES, bytes);
	fd = map_twice(client->ring_len, &rig->far_mem[i], &client->ring_mem);
	if (fd < 0)
		return fd;
	close(fd);
	client->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->far_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bell.fd = rig->far_fd[i];
	ret = phi_ring_create(client->ring_mem, client->ring_len, RIG_ENTRIES,
			      bytes, &bell, client->ring_fd, &client->ring);
	bell.fd = client->ring_fd;
	return ret ? ret :
		     phi_ring_attach(rig->far_mem[i], client->ring_len, &bell,
				     rig->far_fd[i], &rig->far[i]);
}

/* Seat a session as ATTACH does, which takes a kernel's phi. */
static int seat(struct rig *rig, int i, uint32_t uid)
{
	struct client *client = calloc(1, sizeof(*client));
	struct daemon *d = &rig->b.daemon;

	if (!client)
		return -ENOMEM;
	client->base.daemon = d;
	client->base.refs = 1;
	client->base.uid = uid;
	client->base.index = i;
	client->base.life_fd = -1;
	client->base.badge = ++d->next_badge * DAEMON_SESSIONS_MAX + i;
	client->base.user = user_get(d, uid);
	client->model = &rig->models[0];
	client->credit.limit = RIG_CREDITS;
	pthread_mutex_init(&client->ring_lock, NULL);
	user_of(client)->share.limit = RIG_ROWS / 2;
	d->sessions[i] = &client->base;
	d->nsessions++;
	rig->client[i] = client;
	return make_ring(rig, i);
}

static int load(struct rig *rig)
{
	static const char *const files[RIG_MODELS] = {
		"../data/models/identity.onnx",
		"../data/models/fixed.onnx",
	};
	static const uint32_t max_batch[RIG_MODELS] = { RIG_BATCH, RIG_FAILS };
	char why[256];
	int ret, i;

	ret = engine_new(&rig->engine, NULL, why, sizeof(why));
	for (i = 0; !ret && i < RIG_MODELS; i++) {
		struct model *m = &rig->models[i];

		ret = engine_load(rig->engine, files[i], &m->engine, why,
				  sizeof(why));
		if (ret)
			break;
		m->info = engine_model_info(m->engine);
		m->max_batch = max_batch[i];
		memcpy(m->name, "rig", 4);
		queue_init(&m->queue, RIG_ROWS);
		rig->b.models[rig->b.nmodels++] = m;
	}
	if (ret)
		say("%s", why);
	return ret;
}

/**
 * rig_init() - make a batchd
 * @rig: Rig.
 *
 * Return: 0 or a negative errno.
 */
int rig_init(struct rig *rig)
{
	struct batchd *b = &rig->b;
	int ret, i;

	memset(rig, 0, sizeof(*rig));
	daemon_init(&b->daemon, &batchd_kind);
	b->options.queue_rows = RIG_ROWS;
	b->options.credits = RIG_CREDITS;
	ret = phi_service_new(0, &b->daemon.service);
	if (!ret)
		ret = phi_service_job(b->daemon.service, channel_reap, b,
				      &b->broken);
	if (!ret)
		ret = load(rig);
	if (!ret)
		ret = runner_new(b, sched_getcpu(), &b->runners[0]);
	b->nrunners = 1;
	for (i = 0; !ret && i < RIG_CLIENTS; i++) {
		ret = seat(rig, i, 100 + i % 2);
		if (!ret)
			ret = rig_region(rig, i, RIG_BATCH, PHI_RIGHT_READ,
					 &rig->in[i]);
		if (!ret)
			ret = rig_region(rig, i, RIG_BATCH,
					 PHI_RIGHT_READ | PHI_RIGHT_WRITE,
					 &rig->out[i]);
	}
	return ret;
}

/* Nothing is in use by requests that are no more. */
static bool idle(struct rig *rig)
{
	struct batchd *b = &rig->b;
	bool good = true;
	uint32_t i;

	for (i = 0; i < b->nmodels; i++) {
		const struct model *m = b->models[i];

		good = good && !m->promised && !m->queue.rows &&
		       !m->queue.stats.waiting && !m->queue.stats.running &&
		       queue_balanced(&m->queue);
	}
	for (i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		const struct client *c = (struct client *)b->daemon.sessions[i];
		uint32_t s;

		if (!c)
			continue;
		good = good && c->base.refs == 1 && !c->credit.used &&
		       !user_of(c)->share.used;
		for (s = 0; s < PHI_BATCH_SLOTS; s++)
			good = good && !c->slots[s].uses;
	}
	return good && !b->runners[0]->free_ns;
}

/**
 * rig_fini() - end a batchd as main() does
 * @rig: Rig; its runner was joined.
 *
 * Return: true when its books balance and nothing is left.
 */
bool rig_fini(struct rig *rig)
{
	struct daemon *d = &rig->b.daemon;
	bool good;
	int i;

	daemon_refuse_new(d);
	request_cancel_all(&rig->b, NULL);
	good = idle(rig);
	runner_put(rig->b.runners[0]);
	daemon_end_sessions(d);
	good = good && !d->nsessions && LIST_EMPTY(&d->users) &&
	       TAILQ_EMPTY(&d->reap);
	for (i = 0; i < RIG_CLIENTS; i++) {
		phi_ring_free(rig->far[i]);
		close(rig->far_fd[i]);
		munmap(rig->far_mem[i],
		       phi_ring_size(RIG_ENTRIES, RIG_ENTRIES * 256));
		rig_region_fini(&rig->in[i]);
		rig_region_fini(&rig->out[i]);
	}
	for (i = 0; i < RIG_MODELS; i++)
		engine_unload(rig->models[i].engine);
	engine_put(rig->engine);
	phi_service_free(d->service);
	return good;
}

/**
 * rig_region() - give a client a region, in its next free slot
 * @rig: Rig.
 * @i: Which client.
 * @rows: Its length.
 * @rights: PHI_RIGHT_READ, PHI_RIGHT_WRITE.
 * @out: Out, the region.
 *
 * Return: 0 or a negative errno.
 */
int rig_region(struct rig *rig, int i, uint32_t rows, uint32_t rights,
	       struct rig_region *out)
{
	struct slot *slot = rig->client[i]->slots;

	out->slot = 0;
	while (slot[out->slot].cap)
		out->slot++;
	slot += out->slot;
	out->len = rows * ROW_BYTES;
	slot->cap = SOME_CAP;
	slot->len = out->len;
	slot->rights = rights;
	out->fd = map_twice(out->len, (void **)&out->mem, &slot->addr);
	return out->fd < 0 ? out->fd : 0;
}

/**
 * rig_region_fini() - undo the client's part of rig_region()
 * @region: Region.
 */
void rig_region_fini(struct rig_region *region)
{
	munmap(region->mem, region->len);
	close(region->fd);
}

/**
 * rig_fill() - write a request that makes sense, for the starts of regions
 * @wire: Out, the request.
 * @tag: Its tag.
 * @rows: Its rows.
 * @in: Region of its input.
 * @out: Region of its output.
 */
void rig_fill(struct phi_batch_request *wire, uint64_t tag, uint32_t rows,
	      const struct rig_region *in, const struct rig_region *out)
{
	struct phi_batch_tensor t = { .dtype = PHI_DTYPE_F32,
				      .ndim = 2,
				      .shape = { rows, RIG_WIDTH } };

	memset(wire, 0, sizeof(*wire));
	wire->head.op = PHI_BATCH_INFER;
	wire->head.tag = tag;
	wire->priority = PHI_BATCH_PRIORITY_NORMAL;
	t.slot = in->slot;
	wire->input = t;
	t.slot = out->slot;
	wire->output = t;
}

/**
 * rig_answer() - take an answer from a client's ring
 * @rig: Rig.
 * @i: Which client.
 * @a: Out, the answer.
 *
 * Return: 0, or -EAGAIN when there is none.
 */
int rig_answer(struct rig *rig, int i, struct phi_batch_answer *a)
{
	int len = phi_ring_recv(rig->far[i], a, sizeof(*a));

	return len < 0 ? len : len == sizeof(*a) ? 0 : -EMSGSIZE;
}

/**
 * rig_ticket() - give the runner leave for a batch, as another runner does
 * @rig: Rig.
 * @model: Of what.
 * @rows: How many rows.
 */
void rig_ticket(struct rig *rig, struct model *model, uint32_t rows)
{
	struct ticket *t = calloc(1, sizeof(*t));

	t->model = model;
	t->rows = rows;
	t->promised = rows;
	t->unit = RIG_UNIT;
	t->why = PHI_CHOSEN_POLICY;
	model->promised += rows;
	STAILQ_INSERT_TAIL(&rig->b.runners[0]->tickets, t, link);
}

/**
 * rig_run() - let the runner use up its tickets, to the end of its thread
 * @rig: Rig.
 *
 * Return: 0 or a negative errno.
 */
int rig_run(struct rig *rig)
{
	int ret;

	rig->b.daemon.stop = true;
	ret = runner_start(rig->b.runners[0]);
	if (!ret)
		runner_join(rig->b.runners[0]);
	rig->b.daemon.stop = false;
	return ret;
}
