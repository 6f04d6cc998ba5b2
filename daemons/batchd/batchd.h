/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_H
#define BATCHD_H

#include <phi/batch.h>
#include <phi/phi.h>
#include <phi/ring.h>
#include <phi/service.h>
#include <phi/vdfs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "call.h"
#include "clock.h"
#include "curve.h"
#include "daemon.h"
#include "engine.h"
#include "load.h"
#include "log.h"
#include "publish.h"
#include "queue.h"
#include "session.h"
#include "stage.h"
#include "user.h"

/**
 * DOC: The threads of batchd
 *
 * The main thread takes messages, as common/daemon.h says, and makes requests
 * of them (dispatch.c, client.c, request.c). One thread a unit makes batches
 * of requests, runs and answers them (runner.c). They share models with their
 * queues, clients with their slots, and the runners' tickets, all under the
 * daemon's lock, which nobody holds over a call into the kernel's phi, an
 * engine or a copy:
 *
 *  daemon.lock
 *    client.ring_lock       never while taking daemon.lock
 */

#define BATCHD_MODELS_MAX 16
#define BATCHD_UNITS_MAX 16

struct batchd;
struct client;
struct model;

/**
 * struct batchd_options - the part of the command line that serving needs
 * @units: Runners to start, each a unit; 0 = one a processor.
 * @window_ns: How long a batch may wait to fill up.
 * @slack_ns: Time kept between a batch's end and a deadline.
 * @credits: Requests one session may have in flight.
 * @queue_rows: Rows that may wait for a model.
 * @vdfs: Token of vdfsd, for models that are blobs.
 * @shared: Units serve every user.
 */
struct batchd_options {
	uint32_t units;
	uint64_t window_ns;
	uint64_t slack_ns;
	uint32_t credits;
	uint32_t queue_rows;
	const char *vdfs;
	bool shared;
};

/**
 * struct slot - a region that a client gave
 * @cap: MEMORY handle; 0 = the slot is free.
 * @addr: Where it is mapped. Only the kernel touches it, see stage.h.
 * @len: Its length.
 * @rights: PHI_RIGHT_READ, PHI_RIGHT_WRITE.
 * @uses: Requests that need it.
 * @forget: It goes when @uses is 0.
 * @reply: REPLY handle to answer then, 0 = none.
 * @tag: Tag of that answer.
 *
 * Guarded by daemon.lock, @addr and @len stay while @uses is not 0.
 */
struct slot {
	uint64_t cap;
	void *addr;
	size_t len;
	uint32_t rights;
	uint32_t uses;
	bool forget;
	uint64_t reply;
	uint64_t tag;
};

/**
 * struct batchd_user - one uid with sessions
 * @base: As in every daemon.
 * @share: Rows it has in line.
 */
struct batchd_user {
	struct user base;
	struct queue_credit share;
};

/**
 * struct client - one session
 * @base: As in every daemon; each request holds a reference, too.
 * @model: The model of all its requests.
 * @credit: Requests it has in flight.
 * @slots: Its regions.
 * @ring: Our side of its ring, or NULL.
 * @ring_lock: One thread at a time sends on @ring.
 * @ring_broken: Nothing more is sent; the main thread ends the session.
 * @ring_cap: The ring's MEMORY.
 * @ring_mem: Where it is mapped; ours, so that nobody can take it away.
 * @ring_len: Its length.
 * @ring_bell: NOTIFY that the client signals.
 * @ring_peer: NOTIFY that we signal.
 * @ring_fd: Eventfd that @ring_bell adds to.
 * @ring_source: Serves @ring.
 */
struct client {
	struct session base;
	struct model *model;
	struct queue_credit credit;
	struct slot slots[PHI_BATCH_SLOTS];
	struct phi_ring *ring;
	pthread_mutex_t ring_lock; /* last, see "The threads of batchd" */
	bool ring_broken;
	uint64_t ring_cap;
	void *ring_mem;
	size_t ring_len;
	uint64_t ring_bell;
	uint64_t ring_peer;
	int ring_fd;
	struct phi_source *ring_source;
};

/**
 * struct request - rows to run, and where the answer goes
 * @item: Its place in the line.
 * @client: The session that sent it; holds a reference.
 * @tag: Comes back with the answer.
 * @reply: REPLY handle; 0 = over the ring.
 * @in: Where the input lies; used.
 * @out: Where the output goes; used.
 * @in_at: Offset of its first row.
 * @out_at: Offset of its first row.
 * @expected_ns: When it was refused for being late: how long it would take.
 * @run_ns: Run time of its batches so far.
 * @unit: Unit of the last one.
 * @batch: Rows in the largest.
 * @why: PHI_CHOSEN_*, of the last one.
 */
struct request {
	struct queue_item item;
	struct client *client;
	uint64_t tag;
	uint64_t reply;
	struct slot *in;
	struct slot *out;
	uint64_t in_at;
	uint64_t out_at;
	uint64_t expected_ns;
	uint64_t run_ns;
	uint32_t unit;
	uint32_t batch;
	uint32_t why;
};

/**
 * struct model - a model that is loaded
 * @name: Name that clients and policies use.
 * @path: Its file, or vdfs: and a blob.
 * @map: The blob in memory; addr is NULL without.
 * @engine: Loaded.
 * @info: Rows of its input and output.
 * @max_batch: Most rows in a batch, and in a request.
 * @id: The kernel's number.
 * @cap: MODEL handle.
 * @queue: Its requests in line; under daemon.lock, as all below.
 * @promised: Rows in @queue that tickets were taken for.
 * @curve: By runner.
 * @batches: That ran.
 * @rows: In them.
 */
struct model {
	char name[PHI_NAME_MAX];
	const char *path;
	struct phi_vdfs_map map;
	struct engine_model *engine;
	const struct engine_info *info;
	uint32_t max_batch;
	uint64_t id;
	uint64_t cap;
	struct queue queue;
	uint32_t promised;
	struct curve curve[BATCHD_UNITS_MAX];
	uint64_t batches;
	uint64_t rows;
};

/**
 * struct ticket - leave to run a batch
 * @link: In runner.tickets.
 * @model: Of what.
 * @ticket: For INFER_END.
 * @rows: How many the policies allow.
 * @promised: How many were counted in model.promised.
 * @unit: Where.
 * @why: PHI_CHOSEN_*.
 */
struct ticket {
	STAILQ_ENTRY(ticket) link;
	struct model *model;
	uint64_t ticket;
	uint32_t rows;
	uint32_t promised;
	uint32_t unit;
	uint32_t why;
};

STAILQ_HEAD(ticket_list, ticket);

/**
 * struct desk - where a runner has one model's batch
 * @stage: Input rows, then output rows.
 * @out_at: Where the output begins.
 * @binding: The engine, on @stage.
 */
struct desk {
	struct stage stage;
	size_t out_at;
	struct engine_binding *binding;
};

/**
 * struct runner - one unit and its thread
 * @b: The daemon.
 * @index: In batchd.runners.
 * @thread: Runs it.
 * @cpu: Where.
 * @unit: The kernel's number.
 * @cap: DEVICE handle.
 * @load: Its figures; the main thread's.
 * @tickets: Batches that others began and the kernel gave to this unit.
 * @free_ns: When the batch that runs will be done; 0 = none runs.
 * @desks: By model.
 * @slices: Rows in the batch.
 * @iov: Where they come from or go to.
 * @bad: Which could not be copied.
 */
struct runner {
	struct batchd *b;
	uint32_t index;
	pthread_t thread;
	int cpu;
	uint32_t unit;
	uint64_t cap;
	struct load load;
	struct ticket_list tickets;
	uint64_t free_ns;
	struct desk desks[BATCHD_MODELS_MAX];
	struct queue_slice *slices;
	struct iovec *iov;
	bool *bad;
};

/**
 * struct batchd - the daemon
 * @daemon: As every daemon. Its lock guards all below @options. Runners wait for
 *          its @work and end at its @stop.
 * @publish: Where tokens go; its directory may be NULL.
 * @vdfs: Session with vdfsd, or NULL.
 * @broken: Job of the loop that ends the sessions whose ring_broken is set.
 * @options: The command line.
 * @models: Models that are loaded.
 * @nmodels: How many.
 * @turn: The model whose turn it is; see queue_turn().
 * @runners: Units.
 * @nrunners: How many.
 */
struct batchd {
	struct daemon daemon;
	const struct publish *publish;
	struct phi_vdfs *vdfs;
	struct phi_source *broken;
	struct batchd_options options;
	struct model *models[BATCHD_MODELS_MAX];
	uint32_t nmodels;
	uint32_t turn;
	struct runner *runners[BATCHD_UNITS_MAX];
	uint32_t nrunners;
};

/* model.c */
int model_load(struct batchd *b, struct engine *engine, const char *spec);
int model_warm(struct model *model, struct desk *desk, uint32_t nrunners);
int model_register(struct batchd *b, struct model *model, uint64_t badge);
int model_publish(struct batchd *b, struct model *model);
void model_unpublish(struct batchd *b, struct model *model);
void model_put(struct batchd *b, struct model *model);

/* client.c */
int client_map(struct client *client, const struct phi_xferred *cap,
	       uint32_t *index);
int client_forget(struct client *client, uint32_t index, uint64_t reply,
		  uint64_t tag);
void client_forget_all(struct client *client);
struct slot *client_slot(struct client *client, uint32_t index);
void client_slot_put(struct client *client, struct slot *slot);

static inline struct batchd *batchd_of(const struct client *client)
{
	return (struct batchd *)client->base.daemon;
}

static inline struct batchd_user *user_of(const struct client *client)
{
	return (struct batchd_user *)client->base.user;
}

/* request.c */
int request_submit(struct client *client, const struct phi_batch_request *wire,
		   uint64_t reply, uint64_t *expected_ns);
void request_end(struct queue_item *item);
void request_cancel_all(struct batchd *b, struct client *client);

/* dispatch.c */
extern const struct daemon_kind batchd_kind;
void batchd_submit(struct client *client, const void *data, size_t len,
		   uint64_t reply);

/* channel.c */
int channel_open(struct client *client, const struct phi_batch_ring *wire,
		 const struct phi_msg_in *in);
void channel_send(struct client *client, const struct phi_batch_answer *a);
int channel_reap(void *arg);
void channel_revoke(struct client *client);
void channel_close(struct client *client);

/* runner.c */
int runner_new(struct batchd *b, int cpu, struct runner **out);
int runner_start(struct runner *runner);
void runner_join(struct runner *runner);
void runner_put(struct runner *runner);

#endif /* BATCHD_H */
