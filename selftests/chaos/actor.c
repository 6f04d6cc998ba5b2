// SPDX-License-Identifier: GPL-2.0-only
/* A process that exchanges capabilities with others until it is killed. */

#include "actor.h"

#include <sys/mman.h>

#define POOL 24
#define PAGE 4096UL
/* Nobody waits longer for room, or an answer, of a peer that may be dead. */
#define ROOM_NS (2 * MS)
#define ANSWER_NS (50 * MS)

struct self {
	const struct actor *actor;
	struct stage *stage;
	uint64_t state;
	int phi;
	int sink; /* a file that pages are written to */
	uint64_t endpoint;
	uint64_t pool[POOL];
	int wrong;
};

static uint32_t any(struct self *self)
{
	self->state ^= self->state >> 12;
	self->state ^= self->state << 25;
	self->state ^= self->state >> 27;
	return (self->state * 0x2545f4914f6cdd1dULL) >> 32;
}

static void did(struct self *self, enum deed deed, int ret)
{
	switch (ret) {
	case 0:
		__atomic_add_fetch(&self->stage->done[deed], 1,
				   __ATOMIC_RELAXED);
		break;
	/* What the deeds of others, their deaths and the quotas make. */
	case -EBADF:
	case -EKEYREVOKED:
	case -EKEYREJECTED:
	case -EPERM:
	case -EPIPE:
	case -EAGAIN:
	case -ETIMEDOUT:
	case -EDQUOT:
	case -ELOOP:
	case -EINVAL: /* of another type */
		break;
	default:
		self->wrong = ret;
	}
}

static void keep(struct self *self, uint64_t handle)
{
	uint64_t *place = &self->pool[any(self) % POOL];

	if (!handle)
		return;
	if (*place)
		did(self, DEED_DROP, do_drop(self->phi, *place));
	*place = handle;
}

static uint64_t pick(struct self *self)
{
	return self->pool[any(self) % POOL];
}

/* A way to some other actor, if that one is there. */
static uint64_t knock(struct self *self)
{
	unsigned int who = any(self) % ACTORS;
	struct phi_token token;
	uint64_t out = 0;

	if (!__atomic_load_n(&self->stage->open[who], __ATOMIC_ACQUIRE))
		return 0;
	token = self->stage->door[who];
	did(self, DEED_DERIVE, do_unseal(self->phi, &token, &out));
	return out;
}

static uint32_t pack(struct self *self, struct phi_xfer *caps)
{
	uint32_t n = any(self) % (PHI_MSG_CAPS_MAX + 1);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t *place = &self->pool[any(self) % POOL];
		bool move = any(self) % 2;

		caps[i] = (struct phi_xfer){
			.cap = *place,
			.flags = move ? PHI_XFER_MOVE : 0,
			.rights = any(self) % 2 ?
					  PHI_RIGHT_ALL :
					  ~PHI_RIGHT_ADMIN & PHI_RIGHT_ALL,
		};
	}
	return n;
}

static void unpack(struct self *self, const struct phi_xferred *caps,
		   uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		keep(self, caps[i].cap);
		did(self, DEED_GIVEN, 0);
	}
}

static void act_send(struct self *self)
{
	uint64_t to = knock(self);
	struct phi_send send = {
		.endpoint = to,
		.flags = any(self) % 2 ? PHI_NONBLOCK : 0,
		.deadline_ns = monotonic_ns() + ROOM_NS,
	};

	send.ncaps = pack(self, send.caps);
	did(self, DEED_SEND, PHI_DO(self->phi, SEND, &send));
	keep(self, to);
}

static void act_call(struct self *self)
{
	char data[PHI_MSG_MAX];
	uint64_t to = knock(self);
	struct phi_call call = {
		.endpoint = to,
		.data = (uintptr_t)data,
		.len = 8,
		.deadline_ns = monotonic_ns() + ANSWER_NS,
		.reply_data = (uintptr_t)data,
		.reply_len = sizeof(data),
	};
	int ret;

	memset(data, 0, 8);
	call.ncaps = pack(self, call.caps);
	ret = PHI_DO(self->phi, CALL, &call);
	did(self, DEED_CALL, ret);
	if (!ret)
		unpack(self, call.reply_caps, call.reply_ncaps);
	keep(self, to);
}

static void act_recv(struct self *self)
{
	char data[PHI_MSG_MAX];
	struct phi_recv recv;
	struct phi_reply reply = { .data = (uintptr_t)data };
	int ret = do_recv(self->phi, self->endpoint, data, sizeof(data), &recv);

	did(self, DEED_RECV, ret);
	if (ret)
		return;
	unpack(self, recv.caps, recv.ncaps);
	if (!recv.reply)
		return;
	if (any(self) % 4 == 0) {
		/* Somebody else may answer, or nobody. */
		keep(self, recv.reply);
		return;
	}
	reply.reply = recv.reply;
	reply.ncaps = pack(self, reply.caps);
	ret = PHI_DO(self->phi, REPLY, &reply);
	did(self, DEED_REPLY, ret);
	if (ret)
		do_drop(self->phi, recv.reply);
}

/* Through the kernel, so that a page that is gone is an error, no signal. */
static void touch(struct self *self, uint64_t region)
{
	struct phi_region_info info = { .cap = region };
	void *map;
	int ret = PHI_DO(self->phi, REGION_INFO, &info);

	did(self, DEED_REGION, ret);
	if (ret)
		return;
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->phi, info.offset);
	if (map == MAP_FAILED) {
		did(self, DEED_TOUCH,
		    errno == EACCES || errno == EPERM ? -EPERM : -errno);
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (pwrite(self->sink, map, PAGE, 0) == (ssize_t)PAGE)
			did(self, DEED_TOUCH, 0);
		else if (errno != EFAULT)
			self->wrong = -errno;
	}
	munmap(map, PAGE);
}

static void act_region(struct self *self)
{
	uint64_t region = 0;
	int ret = do_region(self->phi, (1 + any(self) % 4) * PAGE, 0, &region);

	did(self, DEED_REGION, ret);
	if (ret)
		return;
	touch(self, region);
	keep(self, region);
}

static void act_derive(struct self *self)
{
	uint64_t from = pick(self);
	struct phi_cap_query query;
	uint64_t out = 0;

	if (do_query(self->phi, from, &query))
		return;
	did(self, DEED_DERIVE, do_derive(self->phi, from, query.rights, &out));
	keep(self, out);
}

/* A revoked child works no more once the revoke has returned. */
static void act_revoke(struct self *self)
{
	uint64_t from = pick(self);
	struct phi_cap_query query;
	uint64_t child;
	int ret;

	if (do_query(self->phi, from, &query) ||
	    do_derive(self->phi, from, query.rights, &child))
		return;
	ret = do_revoke(self->phi, from);
	did(self, DEED_REVOKE, ret);
	if (!ret && do_probe(self->phi, child) != -EKEYREVOKED)
		self->wrong = -ENOTRECOVERABLE;
	do_drop(self->phi, child);
}

static void act(struct self *self)
{
	switch (any(self) % 8) {
	case 0:
		act_send(self);
		break;
	case 1:
		act_call(self);
		break;
	case 2:
	case 3:
	case 4:
		act_recv(self);
		break;
	case 5:
		if (any(self) % 2)
			act_region(self);
		else
			touch(self, pick(self));
		break;
	case 6:
		act_derive(self);
		break;
	default:
		act_revoke(self);
	}
}

static int enter(struct self *self)
{
	struct stage *stage = self->stage;
	unsigned int number = self->actor->number;
	struct phi_token token;
	int ret = self->actor->uid ? become(self->actor->uid) : 0;

	if (ret)
		return ret;
	self->phi = do_open();
	if (self->phi < 0)
		return self->phi;
	self->sink = memfd_create("sink", MFD_CLOEXEC);
	if (self->sink < 0)
		return -errno;
	ret = do_endpoint(self->phi, &self->endpoint) ?:
		      do_seal(self->phi, self->endpoint,
			      PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0, 0, &token);
	if (ret)
		return ret;
	/* Whoever reads it meanwhile finds a forged one. */
	stage->door[number] = token;
	__atomic_store_n(&stage->open[number], 1, __ATOMIC_RELEASE);
	return 0;
}

int actor_live(const struct actor *actor)
{
	struct self self = {
		.actor = actor,
		.stage = actor->stage,
		.state = actor->seed * 0x9e3779b97f4a7c15ULL | 1,
	};
	int ret = enter(&self);

	for (unsigned int i = 0; !ret && i < actor->rounds; i++) {
		act(&self);
		__atomic_add_fetch(&actor->stage->rounds, 1, __ATOMIC_RELAXED);
		ret = self.wrong;
	}
	return ret;
}
