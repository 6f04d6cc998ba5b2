// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of the daemon's dispatch, in its own process: the main thread sends
 * what they ask for, workers answer, and of that the rest can be made.
 */
#include "clients.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT 16 /* room for each, by number, from the start of a region */
#define WAIT_SECONDS 20

/* What names and the like may be, by number. */
static const char *const texts[] = {
	"",	     "secret", "f",    "d",
	"d/f",	     "c",      "key",  "user.a",
	"{\"a\":1}", "k2",     "a",    "new",
	"x/y",	     "../f",   "d//f", "{\"a\":{\"$gt\":0}}",
};

#define TEXTS (sizeof(texts) / sizeof(*texts))

uint64_t fake_ids[FAKE_KEPT];
struct phi_vdfs_hash fake_hashes[FAKE_KEPT];
static unsigned int n_ids, n_hashes;

static struct daemon *server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static unsigned int pending;
static bool broken;
static struct phi_vdfs_answer last;
static uint64_t last_cap;

/**
 * fake_fail() - say what is wrong, and abort
 * @what: That.
 * @number: Which, or how many.
 *
 * Context: Any thread.
 */
void fake_fail(const char *what, long number)
{
	fprintf(stderr, "%s (%ld)\n", what, number);
	abort();
}

/* The daemon answers. */
static int on_reply(uint64_t reply, const struct phi_msg *msg)
{
	const struct phi_vdfs_answer *a = msg->data;
	int ret = 0;

	(void)reply;
	if (msg->len != sizeof(*a))
		fake_fail("an answer of a strange length", msg->len);
	if (a->status > 0 || a->status < -4095)
		fake_fail("a strange status", a->status);
	pthread_mutex_lock(&lock);
	last = *a;
	last_cap = msg->ncaps ? msg->caps[0].cap : 0;
	if (!a->status && a->id)
		fake_ids[n_ids++ % FAKE_KEPT] = a->id;
	if (!a->status)
		fake_hashes[n_hashes++ % FAKE_KEPT] = a->hash;
	if (!pending--)
		fake_fail("an answer that nobody waits for", a->status);
	if (broken)
		ret = a->tag % 2 ? -EPIPE : -EBADF;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&lock);
	return ret;
}

/**
 * fake_serve() - let a daemon have clients
 * @d: The daemon.
 *
 * Context: Main thread.
 */
void fake_serve(struct daemon *d)
{
	server = d;
	fake.reply = on_reply;
}

/**
 * fake_forget() - forget what answers have given
 *
 * Context: Main thread, when none is to come.
 */
void fake_forget(void)
{
	n_ids = 0;
	n_hashes = 0;
}

/**
 * fake_break() - say whether answers can be delivered from now on
 * @now: They cannot.
 *
 * Context: Main thread.
 */
void fake_break(bool now)
{
	if (now || broken)
		fake_wait_for(0);
	broken = now;
}

/**
 * fake_wait_for() - wait for answers
 * @most: Until no more calls than this wait for theirs.
 *
 * Context: Main thread.
 */
void fake_wait_for(unsigned int most)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&lock);
	while (pending > most) {
		if (pthread_cond_timedwait(&change, &lock, &end))
			fake_fail("calls that are never answered", pending);
	}
	pthread_mutex_unlock(&lock);
}

/**
 * fake_send() - let a message arrive
 * @from: Who sends it.
 * @badge: Through which capability.
 * @cap: Capability that comes with it; 0 = none.
 * @type: Its type.
 * @req: The message.
 * @silent: Nobody waits for an answer.
 *
 * Context: Main thread.
 */
void fake_send(struct fake_client *from, uint64_t badge, uint64_t cap,
	       uint32_t type, const struct phi_vdfs_request *req, bool silent)
{
	struct phi_msg_in in = {
		.len = sizeof(*req), .badge = badge, .pid = 1, .uid = from->uid
	};

	memcpy(in.data, req, sizeof(*req));
	if (cap) {
		in.ncaps = 1;
		in.caps[0].cap = cap;
		in.caps[0].type = type;
		in.caps[0].rights = PHI_RIGHT_ALL;
	}
	if (!silent) {
		in.reply = fake_cap(0, 0, 0, NULL);
		pthread_mutex_lock(&lock);
		pending++;
		pthread_mutex_unlock(&lock);
	}
	dispatch(server, &in);
}

/**
 * fake_ask() - make a call and wait for its answer
 * @c: Who.
 * @req: The call.
 *
 * Context: Main thread.
 * Return: The answer's status.
 */
int fake_ask(struct fake_client *c, const struct phi_vdfs_request *req)
{
	fake_send(c, c->badge, 0, 0, req, false);
	fake_wait_for(0);
	return last.status;
}

/**
 * fake_must() - make a call that has to succeed
 * @c: Who.
 * @req: The call.
 *
 * Context: Main thread.
 */
void fake_must(struct fake_client *c, const struct phi_vdfs_request *req)
{
	int status = fake_ask(c, req);

	if (status)
		fake_fail("what has to succeed does not", status);
}

static size_t put_record(char *at, const char *key, float x)
{
	struct phi_vdfs_record r = { .dim = 4 };
	static const char metadata[] = "{\"a\":1}";
	float v[4] = { x, 1, 0, -x };
	char *p = at + sizeof(r);

	r.key_len = strlen(key);
	r.metadata_len = sizeof(metadata) - 1;
	r.bytes = (sizeof(r) + sizeof(v) + r.key_len + r.metadata_len + 2 + 7) &
		  ~7U;
	memcpy(at, &r, sizeof(r));
	memcpy(p, v, sizeof(v));
	memcpy(p + sizeof(v), key, r.key_len + 1);
	memcpy(p + sizeof(v) + r.key_len + 1, metadata, sizeof(metadata));
	return r.bytes;
}

/**
 * fake_text() - where a text lies in a region
 * @number: Which text, modulo their number; 0 is none.
 *
 * Context: Any thread.
 * Return: Its span.
 */
struct phi_vdfs_span fake_text(unsigned int number)
{
	unsigned int n = number % TEXTS;

	return (struct phi_vdfs_span){ n * TEXT, strlen(texts[n]) };
}

/**
 * fake_stage() - give a client a new region, with what calls may want
 * @c: The client.
 *
 * Context: Main thread.
 */
void fake_stage(struct fake_client *c)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAGE };
	float v[8] = { 1, 1, 0, -1, 0, 1, 0, 1 };
	unsigned int i;
	uint64_t cap;
	size_t len;

	fake_break(false);
	if (c->region)
		fake_region_put(c->region);
	c->region = fake_region_new(FAKE_REGION);
	for (i = 0; i < TEXTS; i++)
		memcpy(c->region->addr + i * TEXT, texts[i], strlen(texts[i]));
	len = put_record(c->region->addr + FAKE_RECORDS, "key", 1);
	put_record(c->region->addr + FAKE_RECORDS + len, "k2", 2);
	memcpy(c->region->addr + FAKE_VECTORS, v, sizeof(v));
	cap = fake_cap(PHI_TYPE_MEMORY, PHI_RIGHT_ALL, 0, c->region);
	fake_send(c, c->badge, cap, PHI_TYPE_MEMORY, &req, false);
	fake_wait_for(0);
}

/**
 * fake_attach() - begin a session
 * @c: For whom; without a session when there is none to be had.
 * @badge: BADGE_FULL or BADGE_READ.
 * @flags: Of the request.
 *
 * Context: Main thread.
 */
void fake_attach(struct fake_client *c, uint64_t badge, uint32_t flags)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_ATTACH,
					.flags = flags,
					.value = PHI_VDFS_VERSION };
	uint64_t life = fake_cap(PHI_TYPE_ENDPOINT, PHI_RIGHT_SEND, 0, NULL);

	fake_break(false);
	fake_wait_for(0);
	last_cap = 0;
	fake_send(c, badge, life, PHI_TYPE_ENDPOINT, &req, false);
	/* By now: the main thread answers these itself. */
	c->badge = last_cap ? fake_badge(last_cap) : 0;
}

/**
 * fake_gone() - let a client die
 * @c: The client.
 *
 * Context: Main thread.
 */
void fake_gone(struct fake_client *c)
{
	struct session *session = session_find(server, c->badge);

	if (session)
		session_close(session, NULL);
}
