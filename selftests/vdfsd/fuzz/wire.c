// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the daemon as hostile clients see it: the input is a list of
 * requests, which go through the daemon's own dispatch and workers to a real
 * store in a temporary directory. Whatever they are, each is answered once,
 * what another user stored is neither changed nor seen, nothing is left
 * behind, and the store is sound at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/serve/serve_impl.h"
#include "selftests/vdfsd/files.h"
#include "fake/clients.h"
#include "worker.h"

#define OWNER 1000
#define CLIENTS 3
#define STEPS 64

#define SECRET "what one user stored, no other one is shown"

/**
 * struct step - one request, as the input has it
 * @op: Which; from RAW on, all of the request follows.
 * @flags: Of the request.
 * @who: Which client; bits above: AHEAD ...
 * @id: Which of the ids that were given before, or a bad one.
 * @hash: Which of the hashes that were seen before, 0 = none.
 * @name: Which text; 0 = none.
 * @more: Which text; 0 = none.
 * @mode: Bits.
 * @k: Answers wanted.
 * @ef: Candidates.
 * @dim: Of a new collection.
 * @kind: Its metric, type and codes.
 * @offset: A number.
 * @data_at: In the region, in steps of 8.
 * @data_len: Bytes.
 * @out_len: Room for results.
 * @put_at: Where bytes that follow are put first,
 * @put_len: and how many.
 */
struct step {
	uint8_t op;
	uint8_t flags;
	uint8_t who;
	uint8_t id;
	uint8_t hash;
	uint8_t name;
	uint8_t more;
	uint8_t mode;
	uint8_t k;
	uint8_t ef;
	uint8_t dim;
	uint8_t kind;
	uint16_t offset;
	uint16_t data_at;
	uint16_t data_len;
	uint16_t out_len;
	uint16_t put_at;
	uint16_t put_len;
};

#define RAW 0x80
#define GONE 0x7f /* the client dies, and another one comes */
#define REVOKE 0x7e /* it takes its region away */
#define DENY 0x7d /* the kernel has no room for more */

/* Bits of step.who. */
#define AHEAD 0x10 /* the next one does not wait for it */
#define STRANGER 0x20 /* the message is from another user */
#define SILENT 0x40 /* nobody waits for the answer */
#define BROKEN 0x80 /* the answer cannot be delivered */

static struct vdfsd server;
static struct fake_client client[CLIENTS], owner;
static char dir[64];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void say(const char *format, ...)
{
	(void)format;
}

/* The owner's secret, which all the rest is not to touch. */
static void set_up_owner(void)
{
	struct phi_vdfs_request put = { .op = PHI_VDFS_PUT };
	struct phi_vdfs_request chmod = { .op = PHI_VDFS_CHANGE,
					  .mode = 0600,
					  .time_ns = INT64_MIN };

	owner.uid = OWNER;
	fake_attach(&owner, BADGE_FULL, 0);
	fake_stage(&owner);
	memcpy(owner.region->addr + FAKE_OUT, SECRET, sizeof(SECRET));
	put.name = fake_text(1);
	put.data = (struct phi_vdfs_span){ FAKE_OUT, sizeof(SECRET) };
	fake_must(&owner, &put);
	chmod.name = fake_text(1);
	fake_must(&owner, &chmod);
	/* Its id and hash are known to nobody. */
	fake_forget();
}

/* One thing of each kind for the first client, so that ids mean something. */
static void set_up_client(struct fake_client *c)
{
	struct phi_vdfs_request put = { .op = PHI_VDFS_PUT };
	struct phi_vdfs_request create = { .op = PHI_VDFS_COLLECTION_CREATE };
	struct phi_vdfs_request req = {};

	put.name = fake_text(2);
	put.data = (struct phi_vdfs_span){ FAKE_RECORDS, 100 };
	fake_must(c, &put);
	create.name = fake_text(5);
	create.params.dim = 4;
	create.params.mode = 0644;
	fake_must(c, &create);
	req.op = PHI_VDFS_COLLECTION_OPEN;
	req.name = fake_text(5);
	fake_must(c, &req);
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_JOB,
					 .id = fake_ids[0] };
	while (fake_ask(c, &req) == -EINPROGRESS)
		;
	req.op = PHI_VDFS_COLLECTION_INSERT;
	req.id = fake_ids[1];
	req.data = (struct phi_vdfs_span){ FAKE_RECORDS, 112 };
	fake_must(c, &req);
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_PUT_BEGIN };
	fake_must(c, &req);
	req.op = PHI_VDFS_BLOB_OPEN;
	req.name = fake_text(2);
	fake_must(c, &req);
	req.op = PHI_VDFS_MAP;
	fake_must(c, &req);
}

static void set_up(uint8_t how)
{
	static const struct vdfsd none;
	static const uint32_t uids[CLIENTS] = { 2000, 2000, 3000 };
	struct vdfsd *s = &server;
	char graph[80];
	int i;

	snprintf(dir, sizeof(dir), "/tmp/wire-XXXXXX");
	if (!mkdtemp(dir))
		fake_fail("cannot make a directory", errno);
	snprintf(graph, sizeof(graph), "%s/graph", dir);
	*s = none;
	s->options.map_budget = how & 2 ? 8192 : 1 << 20;
	s->options.threads = 2;
	s->options.store_options.quota = how & 4 ? 4096 : 0;
	s->options.store_options.zstd = how & 8 ? 1 : 0;
	vdfsd_init(s);
	s->daemon.uid = 1;
	s->daemon.endpoint =
		fake_cap(PHI_TYPE_ENDPOINT, PHI_RIGHT_ALL, 0, NULL);
	i = vdfs_store_open(dir, &s->options.store_options, &s->store);
	if (!i)
		i = vdfs_db_open(vdfs_store_meta(s->store), graph, 1, &s->db);
	if (!i)
		i = workers_start(&s->daemon, s->options.threads);
	if (i)
		fake_fail("cannot start", i);
	set_up_owner();
	for (i = 0; i < CLIENTS; i++) {
		client[i].uid = uids[i];
		fake_attach(&client[i], i == 1 ? BADGE_READ : BADGE_FULL, 0);
		fake_stage(&client[i]);
	}
	set_up_client(&client[0]);
	/* An administrator may do everything, so little is checked then. */
	if (how & 1) {
		fake_gone(&client[2]);
		client[2].uid = 0;
		fake_attach(&client[2], BADGE_FULL, 0);
		fake_stage(&client[2]);
	}
}

static void check_secret(void)
{
	const struct vdfs_who who = { .uid = OWNER };
	char buf[sizeof(SECRET)];
	struct vdfs_blob *blob = NULL;
	struct vdfs_stat st;
	int ret;

	ret = vdfs_name_stat(server.store, &who, "secret", &st);
	if (!ret)
		ret = vdfs_blob_open(server.store, &who, &st.hash, &blob);
	if (ret)
		fake_fail("what was stored is gone", ret);
	if (vdfs_blob_read(blob, buf, sizeof(buf), 0) != sizeof(buf) ||
	    memcmp(buf, SECRET, sizeof(buf)) || st.mode != (S_IFREG | 0600))
		fake_fail("what was stored has changed", 0);
	vdfs_blob_close(blob);
}

static void tell(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "fsck: %s\n", line);
}

/* As the daemon shuts down. */
static void tear_down(bool guarded)
{
	struct vdfs_fsck_result result;
	struct vdfsd *s = &server;
	int i, ret;

	vdfsd_stop(s);
	fake_wait_for(0);
	if (guarded)
		check_secret();
	ret = vdfs_fsck(s->store, 0, tell, NULL, NULL, &result);
	if (ret || result.faults)
		fake_fail("the store is damaged", ret);
	vdfs_db_close(s->db);
	vdfs_store_close(s->store);
	phi_cap_drop(-1, s->daemon.endpoint);
	fake_region_put(owner.region);
	owner.region = NULL;
	for (i = 0; i < CLIENTS; i++) {
		fake_region_put(client[i].region);
		client[i].region = NULL;
	}
	fake_end();
	remove_tree(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fake_serve(&server.daemon);
	return 0;
}

static uint64_t some_id(uint8_t which)
{
	if (which >= 0xf0)
		return which - 0xf0;
	if (which >= 0xe0)
		return fake_ids[which % FAKE_KEPT] + 1;
	return fake_ids[which % FAKE_KEPT];
}

static void compose(const struct step *step, struct phi_vdfs_request *req)
{
	*req = (struct phi_vdfs_request){
		.op = step->op % PHI_VDFS_OPS,
		.flags = step->flags,
		.offset = step->offset,
		.id = step->id ? some_id(step->id - 1) : 0,
		.name = fake_text(step->name),
		.more = fake_text(step->more),
		.data = { step->data_at * 8U, step->data_len },
		.out = { step->out_len ? FAKE_OUT : 0, step->out_len },
		.mode = step->mode == 0xff ? ~0U : step->mode,
		.k = step->k,
		.ef = step->ef,
	};
	if (step->hash)
		req->hash = fake_hashes[step->hash % FAKE_KEPT];
	if (req->op == PHI_VDFS_COLLECTION_CREATE) {
		req->params.dim = step->dim;
		req->params.metric = step->kind & 3;
		req->params.type = step->kind >> 2 & 3;
		req->params.codes = step->kind >> 4;
		req->params.mode = 0666;
	}
	switch (req->op) {
	case PHI_VDFS_QUOTA_GET:
	case PHI_VDFS_USAGE:
	case PHI_VDFS_QUOTA_SET:
	case PHI_VDFS_CHOWN:
		req->value = step->k * 1000;
		break;
	case PHI_VDFS_CHANGE:
		req->time_ns = step->k;
		break;
	default:
		break;
	}
}

static void special(struct fake_client *c, const struct step *step)
{
	switch (step->op) {
	case GONE:
		fake_wait_for(step->k);
		fake_gone(c);
		fake_attach(c, step->kind & 1 ? BADGE_READ : BADGE_FULL,
			    step->kind >> 1 & 1);
		if (c->badge)
			fake_stage(c);
		break;
	case REVOKE:
		c->region->revoked = step->kind & 1;
		break;
	default:
		atomic_store(&fake.deny, step->kind ? step->kind : -1);
		break;
	}
}

/* Returns how much of the input it took. */
static size_t run(const uint8_t *data, size_t size, bool guarded)
{
	struct phi_vdfs_request req;
	struct fake_client *c;
	struct step step;
	size_t at = sizeof(step);
	uint64_t cap = 0;

	memcpy(&step, data, sizeof(step));
	c = &client[step.who % CLIENTS];
	step.put_len %= 1024;
	step.put_at %= FAKE_REGION - 1024;
	if (step.put_len > size - at)
		step.put_len = size - at;
	memcpy(c->region->addr + step.put_at, data + at, step.put_len);
	at += step.put_len;
	if (step.op < RAW && step.op >= DENY) {
		special(c, &step);
		return at;
	}
	compose(&step, &req);
	if (step.op >= RAW && size - at >= sizeof(req)) {
		memcpy(&req, data + at, sizeof(req));
		at += sizeof(req);
	}
	fake_break(step.who & BROKEN);
	if (req.op == PHI_VDFS_STAGE)
		cap = fake_cap(PHI_TYPE_MEMORY, step.kind, 0, c->region);
	c->uid ^= !!(step.who & STRANGER);
	fake_send(c, c->badge, cap, PHI_TYPE_MEMORY, &req, step.who & SILENT);
	c->uid ^= !!(step.who & STRANGER);
	fake_wait_for(step.who & AHEAD ? 64 : 0);
	if (guarded &&
	    memmem(c->region->addr, FAKE_REGION, SECRET, sizeof(SECRET)))
		fake_fail("a secret was told", req.op);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool guarded;
	int steps;

	if (!size)
		return 0;
	guarded = !(data[0] & 1) && !memmem(data, size, SECRET, sizeof(SECRET));
	set_up(data[0]);
	data++;
	size--;
	for (steps = 0; steps < STEPS && size >= sizeof(struct step); steps++) {
		size_t n = run(data, size, guarded);

		data += n;
		size -= n;
	}
	fake_break(false);
	fake_wait_for(0);
	atomic_store(&fake.deny, -1);
	tear_down(guarded);
	return 0;
}
