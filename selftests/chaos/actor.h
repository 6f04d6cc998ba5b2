/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_CHAOS_ACTOR_H
#define _SELFTESTS_CHAOS_ACTOR_H

#include "phi_message.h"

#define ACTORS 64

/* What an actor of each kind of step did, all lives together. */
enum deed {
	DEED_SEND,
	DEED_RECV,
	DEED_CALL,
	DEED_REPLY,
	DEED_GIVEN, /* capabilities received */
	DEED_DERIVE,
	DEED_REVOKE,
	DEED_REGION,
	DEED_TOUCH,
	DEED_DROP,
	DEEDS
};

/* Shared by all processes; an actor that is killed leaves a stale token. */
struct stage {
	struct phi_token door[ACTORS]; /* to the endpoint of each */
	unsigned int open[ACTORS]; /* the token is whole */
	unsigned long done[DEEDS];
	unsigned long rounds;
};

struct actor {
	struct stage *stage;
	unsigned int number;
	uint64_t seed;
	uid_t uid;
	unsigned int rounds;
};

/* The life of an actor. Return: 0, or the errno that it may not see. */
int actor_live(const struct actor *actor);

#endif /* _SELFTESTS_CHAOS_ACTOR_H */
