/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_FAIL_H
#define _SELFTESTS_FAIL_H

#include "infer_ioctl.h"
#include "phi_calls.h"
#include "phi_message.h"

#define STAGE_BYTES 65536

/* What a call needs around it, made from nothing for each attempt. */
struct stage {
	int phi, other; /* two cspaces */
	uint64_t ep; /* in phi */
	uint64_t badged; /* a child of it, in phi */
	uint64_t there; /* the same endpoint, in other */
	uint64_t region, notify; /* in phi */
	uint64_t unit, model, ticket;
	uint32_t unit_id;
	uint64_t model_id;
	struct phi_token token;
	int file; /* an eventfd, or what the scene opens */
	pid_t child; /* a process that the scene starts */
	char *map;
	uint64_t arg[CALL_BYTES / 8]; /* the struct of the call */
	uint64_t out[CALL_BYTES / 8]; /* and as the call left it */
	uint64_t handles[64];
	char data[PHI_MSG_MAX], answer[PHI_MSG_MAX];
	struct job job; /* a call that waits on the other side */
	struct phi_call call; /* its struct */
	pthread_t server;
	bool stop;
};

/*
 * One thing to do, each of whose requests to the kernel is refused in turn.
 * Without act it is the ioctl cmd with the arg that set filled in.
 */
struct scene {
	const char *name;
	unsigned int cmd;
	bool other; /* by the second cspace */
	int (*set)(struct stage *s);
	int (*act)(struct stage *s);
	/* When it was done: what must be seen then. */
	bool (*seen)(struct stage *s);
	/* Ends what set began. */
	void (*end)(struct stage *s);
	/* Its last step cannot be taken back: it may fail when repeated. */
	bool once;
};

/* Each ends with one that has no name. */
extern const struct scene agent_scenes[];
extern const struct scene budget_scenes[];
extern const struct scene call_scenes[];
extern const struct scene message_scenes[];
extern const struct scene thread_scenes[];
extern const struct scene way_scenes[];

int stage_make(struct stage *s);
void stage_end(struct stage *s);
bool has_bits(struct stage *s);
int scene_act(const struct scene *scene, struct stage *s);

#endif /* _SELFTESTS_FAIL_H */
