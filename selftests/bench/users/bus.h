/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_USERS_BUS_H
#define BENCH_USERS_BUS_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemons/vdfsd/serve/serve_impl.h"

/**
 * DOC: A vdfsd and its users in one process
 *
 * The daemon's own dispatch, workers, store, collections and view run here. A
 * queue stands for phi.ko: clients put messages into it, a thread takes them out
 * as the daemon's main thread does, and a worker answers the client. So what is
 * measured is the daemon, natively, and no kernel module is needed.
 */

/* Where things lie in the region of each client. */
#define BUS_NAME 0U
#define BUS_MORE 4096U
#define BUS_DATA (64U << 10)
#define BUS_OUT (2U << 20)
#define BUS_REGION (4U << 20)

struct bus_client;

/**
 * struct bus_call - a message on its way, and its answer
 * @next: Behind it in the queue.
 * @in: The message.
 * @client: Sender.
 * @answered: Called by the thread that answers.
 * @arg: For @answered.
 * @answer: The answer.
 * @cap: Capability that came with it.
 * @done: Posted for who waits in bus_ask().
 */
struct bus_call {
	struct bus_call *next;
	struct phi_msg_in in;
	struct bus_client *client;
	void (*answered)(struct bus_call *call);
	void *arg;
	struct phi_vdfs_answer answer;
	uint64_t cap;
	sem_t done;
};

/**
 * struct bus_client - a session
 * @uid: Its user.
 * @badge: Of the session.
 * @mem: Staging region, BUS_REGION bytes.
 * @cap: Handle of that.
 * @call: The one that bus_ask() uses.
 */
struct bus_client {
	uint32_t uid;
	uint64_t badge;
	char *mem;
	uint64_t cap;
	struct bus_call call;
};

/**
 * struct bus_server - a daemon
 * @s: The daemon.
 * @dir: Its store.
 */
struct bus_server {
	struct vdfsd s;
	char dir[128];
};

int bus_start(struct bus_server *b, const char *parent, uint32_t threads);
void bus_stop(struct bus_server *b);
int bus_attach(struct bus_client *c, uint32_t uid);
int bus_stage(struct bus_client *c);
void bus_gone(struct bus_client *c);
void bus_post(struct bus_call *call, const struct phi_vdfs_request *req);
int bus_ask(struct bus_client *c, const struct phi_vdfs_request *req);
int bus_open(struct bus_client *c, const char *name, uint64_t *id);
struct phi_vdfs_span bus_text(struct bus_client *c, uint32_t at,
			      const char *text);
size_t bus_record(char *to, const char *key, const float *vector, uint32_t dim,
		  const char *metadata);

#endif /* BENCH_USERS_BUS_H */
