/* SPDX-License-Identifier: GPL-2.0-only */
/* Letters to mathisd: see remote.c. */
#ifndef MATHIS_REMOTE_IMPL_H
#define MATHIS_REMOTE_IMPL_H

#include <calls/calls.h>
#include <mathis/client.h>

struct md_func;

enum letter_kind {
	LETTER_CALL,
	LETTER_ANSWER, /* of an upcall */
	LETTER_ENDED, /* a task */
	LETTER_MOVED,
};

/* Something to be sent. That of a call lives as long as the call. */
struct letter {
	TAILQ_ENTRY(letter) link; /* of remote->letters or ->sent */
	struct remote *remote;
	enum letter_kind kind;
	struct md_call *call;
	bool cancel; /* the call was stopped */
	bool told; /* mathisd knows of that */
	uint64_t ticket; /* of the call or upcall; where a task moves to */
	uint64_t task;
	int code;
	struct mathis_item value; /* arguments as a list, or an answer */
	struct mathis_pool pool;
};

TAILQ_HEAD(letter_list, letter);

struct remote {
	struct md_session *session;
	int phi;
	struct mathis_client *client;
	pthread_t thread;
	bool started;
	int event_fd; /* there are letters, or it is to stop */
	pthread_mutex_t lock; /* guards the next four; taken last */
	bool stop;
	struct letter_list letters;
	struct letter_list sent; /* calls under way */
	struct md_func **funcs; /* by the slot that mathisd knows */
	size_t n_funcs;
};

struct letter *letter_new(struct remote *r, enum letter_kind kind);
void letter_free(struct letter *l);
void letter_queue(struct letter *l);
/* Serves calls, for the remote that was set. */
int remote_forward(struct md_call *c);
void remote_set(struct remote *r);

#endif
