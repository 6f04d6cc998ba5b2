/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_H
#define VDFSD_SERVER_H

#include <phi/phi.h>
#include <phi/service.h>
#include <phi/vdfs_wire.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "collection/collection.h"
#include "names/names.h"
#include "log.h"
#include "publish.h"
#include "remote/remote.h"
#include "stage.h"
#include "remote/remote.h"
#include "store/store.h"

/**
 * DOC: Who does what
 *
 * The main thread takes messages: it begins and ends sessions, and puts all
 * other calls in line (dispatch.c). Workers take them out of it, users in
 * turn, run them and answer (worker.c, dispatch_*.c). What may take minutes
 * runs in a thread of its own, a job (worker_job.c).
 *
 * All that they share is under one lock, server.lock, which nobody holds over
 * a call into the kernel's phi, the store or a copy. It may be taken with
 * nothing else held. struct job has a lock of its own, taken last.
 */

#define SERVER_SESSIONS_MAX 1024
#define SERVER_THREADS_MAX 256

/* Badges of what is published; sessions have higher ones. */
#define BADGE_FULL 1
#define BADGE_READ 2

struct server;
struct session;

/**
 * struct options - the command line
 * @store: Directory of the store.
 * @user: Whom to become, or NULL.
 * @publish: Where tokens go; its directory may be NULL.
 * @mount: Where to mount the filesystem view, or NULL.
 * @store_options: For the store.
 * @remote: URL of a bucket that the store is a cache of, or NULL.
 * @remote_options: How it is used.
 * @remote_gc: Collect garbage there and end.
 * @map_budget: Bytes of blobs to have in memory at most.
 * @index_budget: Bytes of indexes of collections to have in memory.
 * @threads: Workers.
 * @build_threads: For indexes; 0 = all processors.
 * @ready_fd: Where to tell that it is ready, or -1.
 * @check: Check the store and end.
 * @repair: ... and mend what can be.
 * @gc: Collect garbage and end.
 * @no_phi: Serve the filesystem view only.
 * @verbose: Log each session.
 */
struct options {
	const char *store;
	const char *user;
	struct publish publish;
	const char *mount;
	struct vdfs_store_options store_options;
	const char *remote;
	struct vdfs_remote_options remote_options;
	bool remote_gc;
	uint64_t map_budget;
	uint64_t index_budget;
	uint32_t threads;
	uint32_t build_threads;
	int ready_fd;
	bool check;
	bool repair;
	bool gc;
	bool no_phi;
	bool verbose;
};

int options_parse(int argc, char **argv, struct options *o);

struct call;
TAILQ_HEAD(call_list, call);

/**
 * struct user - one uid with sessions
 * @link: In server.users.
 * @turn: In server.turns, while calls of it wait.
 * @uid: Which.
 * @refs: Sessions of it.
 * @waiting: Calls in line.
 * @running: Calls that workers run for it.
 * @jobs: Jobs of it that run.
 * @pinned: Bytes of blobs that its sessions have mapped.
 */
struct user {
	LIST_ENTRY(user) link;
	TAILQ_ENTRY(user) turn;
	uint32_t uid;
	uint32_t refs;
	struct call_list waiting;
	uint32_t running;
	uint32_t jobs;
	uint64_t pinned;
};

LIST_HEAD(user_list, user);
TAILQ_HEAD(user_queue, user);

/* What a session may have, by kind. */
enum kind { KIND_PUT, KIND_BLOB, KIND_COLLECTION, KIND_MAP, KIND_JOB, KINDS };

/**
 * struct slot - something a session has
 * @id: Number the client knows it by; 0 = the slot is free.
 * @ptr: It.
 * @uses: Calls that use it.
 */
struct slot {
	uint64_t id;
	void *ptr;
	uint32_t uses;
};

/**
 * struct region - the staging region of a session
 * @refs: The session, and calls.
 * @cap: MEMORY handle.
 * @addr: Where it is mapped. Only the kernel touches it, see stage.h.
 * @len: Its length.
 */
struct region {
	uint32_t refs;
	uint64_t cap;
	void *addr;
	size_t len;
};

/**
 * struct session - one client
 * @server: The daemon.
 * @reap: In server.reap, when nobody refers to it any more.
 * @refs: Its place in server.sessions, and each call and job.
 * @index: That place.
 * @dead: It ended; only what is under way keeps it.
 * @read_only: Nothing may change.
 * @badge: What its messages carry; never used again.
 * @pid: Who opened it, for the log.
 * @who: Its user, for the store.
 * @user: Its user, for fairness.
 * @life: Its own ENDPOINT; when that dies so does the session.
 * @life_fd: To poll for that.
 * @life_source: Serves @life_fd.
 * @cap: Our node of the ENDPOINT it was given.
 * @calls: Calls under way.
 * @region: Its staging region, or NULL.
 * @serial: Makes ids.
 * @slots: What it has, by kind.
 */
struct session {
	TAILQ_ENTRY(session) reap;
	struct server *server;
	uint32_t refs;
	uint32_t index;
	bool dead;
	bool read_only;
	uint64_t badge;
	uint32_t pid;
	struct vdfs_who who;
	struct user *user;
	uint64_t life;
	int life_fd;
	struct phi_source *life_source;
	uint64_t cap;
	uint32_t calls;
	struct region *region;
	uint64_t serial;
	struct slot *slots[KINDS];
};

TAILQ_HEAD(session_list, session);

/**
 * struct call - one request under way
 * @link: In user.waiting, or where it is parked.
 * @session: Whose; holds a reference.
 * @region: Its staging region as it was, or NULL; holds a reference.
 * @op: What it asks for.
 * @req: The request, private.
 * @answer: What it will get.
 * @reply: REPLY handle.
 * @cap: The capability that came with it, 0 = none.
 * @type: Its type.
 * @rights: Its rights.
 * @name: Text of req.name, NULL when not given.
 * @more: Text of req.more, NULL when not given.
 * @data: Bytes of req.data.
 * @out: Where results go; answer.len of them are given back.
 * @room: Room there.
 * @give: Capability that goes with the answer, 0 = none.
 */
struct call {
	TAILQ_ENTRY(call) link;
	struct session *session;
	struct region *region;
	const struct op *op;
	struct phi_vdfs_request req;
	struct phi_vdfs_answer answer;
	uint64_t reply;
	uint64_t cap;
	uint32_t type;
	uint32_t rights;
	char *name;
	char *more;
	char *data;
	char *out;
	size_t room;
	uint64_t give;
};

/* What op.run returns when somebody else goes on with the call. */
#define CALL_PARKED 1

/**
 * struct op - how a request is served
 * @run: Does it and returns the status, or CALL_PARKED; NULL = there is no
 *       such request.
 * @need: FIELD_*, what must be given.
 * @may: FIELD_*, what may be.
 * @flags: Flags that it knows.
 * @writes: It changes something.
 * @takes: A capability comes with it.
 */
struct op {
	int (*run)(struct call *c);
	uint32_t need;
	uint32_t may;
	uint32_t flags;
	bool writes;
	bool takes;
};

#define FIELD_ID (1U << 0)
#define FIELD_OFFSET (1U << 1)
#define FIELD_VALUE (1U << 2)
#define FIELD_TIME (1U << 3)
#define FIELD_NAME (1U << 4)
#define FIELD_MORE (1U << 5)
#define FIELD_DATA (1U << 6)
#define FIELD_OUT (1U << 7)
#define FIELD_HASH (1U << 8)
#define FIELD_MODE (1U << 9)
#define FIELD_K (1U << 10)
#define FIELD_EF (1U << 11)
#define FIELD_RECALL (1U << 12)
#define FIELD_PARAMS (1U << 13)

/**
 * struct worker - a thread that runs calls
 * @server: The daemon.
 * @thread: It.
 * @stage: Its private copies of what clients gave, and results.
 */
struct worker {
	struct server *server;
	pthread_t thread;
	struct stage stage;
};

struct mapping;
LIST_HEAD(mapping_list, mapping);
TAILQ_HEAD(mapping_queue, mapping);

/**
 * struct server - the daemon
 * @options: The command line.
 * @store: The blobs.
 * @db: The collections.
 * @phi: Its cspace, -1 without one.
 * @endpoint: Where all messages arrive.
 * @published: What is published, full and read-only.
 * @service: What the main thread waits for.
 * @uid: Our own user.
 * @lock: See "Who does what"; all below.
 * @work: There is something for workers.
 * @stop: Workers end.
 * @stopping: No new calls.
 * @sessions: NULL where none is.
 * @nsessions: How many there are.
 * @next_badge: For the next one.
 * @users: Who has sessions.
 * @turns: Whose calls wait, the next first.
 * @reap: Sessions to be freed.
 * @workers: Threads.
 * @nworkers: How many.
 * @jobs: Jobs that run.
 * @jobs_done: One ended.
 * @maps: Blobs in memory.
 * @lru: Those that nobody has mapped, the longest unused first.
 * @nmaps: Blobs in memory.
 * @map_bytes: What they take.
 */
struct server {
	struct options options;
	struct vdfs_store *store;
	struct vdfs_db *db;
	int phi;
	uint64_t endpoint;
	uint64_t published[2];
	struct phi_service *service;
	uint32_t uid;
	pthread_mutex_t lock; /* see "Who does what" */
	pthread_cond_t work;
	bool stop;
	bool stopping;
	struct session *sessions[SERVER_SESSIONS_MAX];
	uint32_t nsessions;
	uint64_t next_badge;
	struct user_list users;
	struct user_queue turns;
	struct session_list reap;
	struct worker *workers;
	uint32_t nworkers;
	uint32_t jobs;
	pthread_cond_t jobs_done;
	struct mapping_list maps;
	struct mapping_queue lru;
	uint64_t nmaps;
	uint64_t map_bytes;
};

/* server.c */
void server_init(struct server *s);
void server_stop(struct server *s);

/* session.c */
int session_open(struct server *s, const struct phi_msg_in *in, bool read_only,
		 struct session **out);
struct session *session_find(struct server *s, uint64_t badge);
void session_close(struct session *session);
void session_put(struct session *session);
void session_free(struct session *session);
void user_done(struct user *user);
void region_put(struct server *s, struct region *region);

/* session_slot.c */
int slots_init(struct session *session);
void slots_fini(struct session *session);
int slot_add(struct session *session, enum kind kind, void *ptr, __u64 *id);
int slot_get(struct session *session, enum kind kind, uint64_t id, void **out);
int slot_get_alone(struct session *session, enum kind kind, uint64_t id,
		   void **out);
void slot_put(struct session *session, enum kind kind, uint64_t id);
void slot_remove(struct session *session, enum kind kind, uint64_t id);

/* dispatch.c */
void dispatch(struct server *s, const struct phi_msg_in *in);
extern const struct op ops[PHI_VDFS_OPS];

/* worker.c */
int stage_open(struct stage *stage);
int workers_start(struct server *s);
void workers_stop(struct server *s);
int call_queue(struct call *c, uint32_t credits);
void call_requeue(struct call *c);
void call_unqueue(struct call *c);
char *call_out(struct stage *stage);
void call_answer(struct call *c, struct stage *stage);
void call_cancel(struct call *c, int status);
void call_free(struct call *c);

/* worker_job.c */
int job_news(struct call *c);
void job_cancel(void *job);
void job_free(void *job);
void jobs_wait(struct server *s);
int job_gc(struct call *c);
int job_fsck(struct call *c);
int job_collection_open(struct call *c);
int job_collection_rebuild(struct call *c);

/* dispatch_blob.c */
int do_put(struct call *c);
int do_put_begin(struct call *c);
int do_put_data(struct call *c);
int do_put_end(struct call *c);
int do_put_abort(struct call *c);
int do_blob_open(struct call *c);
int do_blob_read(struct call *c);
int do_blob_close(struct call *c);
int do_keep(struct call *c);
int do_drop(struct call *c);
int do_blobs(struct call *c);
int call_hash(struct call *c, struct vdfs_hash *hash);

/* dispatch_name.c */
int do_stat(struct call *c);
int do_list(struct call *c);
int do_mkdir(struct call *c);
int do_link(struct call *c);
int do_unlink(struct call *c);
int do_rmdir(struct call *c);
int do_rename(struct call *c);
int do_change(struct call *c);
int do_attr_set(struct call *c);
int do_attr_get(struct call *c);
int do_attr_list(struct call *c);
int do_quota_get(struct call *c);
int do_quota_set(struct call *c);
int do_stats(struct call *c);
/* What entry_add() says when there is room for no more. */
#define LIST_FULL 1

int entry_add(struct call *c, struct phi_vdfs_entry *entry, const char *name);
int entries_end(struct call *c, int ret);

/* dispatch_collection.c */
int collection_use(struct call *c, bool change, struct vdfs_collection **out);
void collection_params(struct vdfs_collection *collection,
		       struct phi_vdfs_params *out);
int do_collection_create(struct call *c);
int do_collection_drop(struct call *c);
int do_collection_list(struct call *c);
int do_collection_close(struct call *c);
int do_collection_insert(struct call *c);
int do_collection_update(struct call *c);
int do_collection_delete(struct call *c);
int do_collection_get(struct call *c);
int do_collection_search(struct call *c);
int do_collection_walk(struct call *c);
int do_collection_field(struct call *c);
int do_collection_save(struct call *c);
int do_collection_stats(struct call *c);

/* map.c */
int do_map(struct call *c);
int do_unmap(struct call *c);
void map_release(struct session *session, void *hold);
void map_free_all(struct server *s);

#endif /* VDFSD_SERVER_H */
