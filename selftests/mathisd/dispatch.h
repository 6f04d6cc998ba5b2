/* SPDX-License-Identifier: GPL-2.0-only */
/* A dispatcher and a session of a test, and calls through them. */
#ifndef DISPATCH_H
#define DISPATCH_H

#include <calls/calls.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct dispatch {
	struct md_core *core;
	struct md_session *session;
	pthread_cond_t news;
	char folder[64]; /* of the test, and the base of relative paths */
	uint64_t tickets;
};

/* Begin, with all rights; results of wrong types end the test. */
bool dispatch_init(struct dispatch *d);
void dispatch_fini(struct dispatch *d);

/* Run a command of the shell in the folder: its status. */
int dispatch_shell(struct dispatch *d, const char *command);

/* Items for arguments. */
#define NONE MATHIS_ITEM_NONE
#define INT(_i) mathis_item_int(_i)
#define BOOL(_b) mathis_item_bool(_b)
#define FLOAT(_f) mathis_item_float(_f)
#define STR(_text) dispatch_str(_text)
#define BYTES(_data, _n) dispatch_text(MATHIS_BYTES, _data, _n)
struct mathis_item dispatch_str(const char *text);
struct mathis_item dispatch_text(uint32_t kind, const void *data, size_t n);

/* Begin a call by its name; it may have ended. The caller puts it. */
struct md_call *dispatch_begin(struct dispatch *d, const char *name,
			       const struct mathis_item *args, unsigned int n);
/* Wait until it has ended, and return its reason, MATHIS_OK for a result. */
int dispatch_wait(struct dispatch *d, struct md_call *c);

/*
 * Make a call and wait: d->last has ended with the reason that is returned.
 * It lives until the next call.
 */
#define CALL(_d, _name, ...)                                                  \
	dispatch_call(_d, _name,                                              \
		      (struct mathis_item[]){ NONE, ##__VA_ARGS__ } + 1,      \
		      sizeof((struct mathis_item[]){ NONE, ##__VA_ARGS__ }) / \
				      sizeof(struct mathis_item) -            \
			      1)
int dispatch_call(struct dispatch *d, const char *name,
		  const struct mathis_item *args, unsigned int n);
extern struct md_call *dispatch_last;
#define RESULT (dispatch_last->result)
#define MESSAGE (dispatch_last->message)

#endif
