/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server in this process, without a module: its loop runs in a thread, and
 * sessions have rings in memfds.
 */
#ifndef RIG_H
#define RIG_H

#include <mathis/client.h>
#include <pthread.h>
#include <stdbool.h>

#include "serve/serve_impl.h"

/**
 * struct rig_client - a client
 * @client: Its side.
 * @ring: The ring of its side, for tests that write nonsense into it.
 * @mem: The memory of both sides.
 * @len: Its length.
 * @wait_fd: The server's bell adds to it.
 * @life: Closed: the client is dead; -1: it lives as long as the server.
 * @peer: Hangs up when the server has ended the session.
 * @session: The server's side.
 */
struct rig_client {
	struct mathis_client *client;
	struct phi_ring *ring;
	void *mem;
	size_t len;
	int wait_fd;
	int life;
	int peer;
	struct client *session;
};

struct rig {
	struct server server;
	pthread_t thread;
	struct phi_source *work;
	pthread_mutex_t lock; /* guards the next two */
	pthread_cond_t done;
	int (*todo)(void *arg);
	void *arg;
	int result;
};

/* Begin: a manifest for all users, as text. */
bool rig_init(struct rig *rig, const char *manifest);
/* End as the daemon does: whether nothing is left. */
bool rig_fini(struct rig *rig);
/* Run a function in the thread of the loop, and return what it does. */
int rig_run(struct rig *rig, int (*fn)(void *arg), void *arg);
/* Begin a session of a user: 0 or -errno. */
int rig_open(struct rig *rig, uint32_t uid, uint32_t entries, uint32_t bytes,
	     struct rig_client *c);
/*
 * The same with the smallest ring, and one file: clients of one thread share the
 * bell, and the session lives until rig_fini().
 */
int rig_open_small(struct rig *rig, uint32_t uid, int wait_fd,
		   struct rig_client *c);
/* Its client dies, and gives all back. */
void rig_close(struct rig_client *c);

/* The number of a call. */
uint16_t rig_id(const char *name);
/* Submit a call; its ticket, or 0 without room. */
uint64_t rig_submit(struct mathis_client *c, const char *name,
		    const struct mathis_item *args, unsigned int argc,
		    uint32_t ms);
/* The next end of a call: its code, or a negative errno. */
int rig_done(struct mathis_client *c, struct mathis_reply *reply);
/* The next reply of a kind: 0 or -errno; others are passed over. */
int rig_next(struct mathis_client *c, int kind, struct mathis_reply *r);

#endif
