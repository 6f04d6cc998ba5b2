/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_H
#define VDFSD_SERVER_H

#include <phi/phi.h>
#include <phi/service.h>
#include <phi/vdfs_wire.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/ids.h"
#include "call.h"
#include "collection/collection.h"
#include "daemon.h"
#include "handle.h"
#include "log.h"
#include "names/names.h"
#include "remote/remote.h"
#include "session.h"
#include "stage.h"
#include "store/store.h"
#include "user.h"

/**
 * DOC: The parts of vdfsd
 *
 * common/daemon.h says how messages become calls and which thread runs them.
 * calls.def is the call table. The structs here add vdfsd's fields to those of
 * a call and a session. call.c copies arguments and results between a call and
 * the staging region; dispatch_*.c serve calls, map.c serves those that map
 * blobs, and job.c those that take minutes.
 */

/* Badges of what is published; sessions have higher ones. */
#define BADGE_FULL 1
#define BADGE_READ 2

/**
 * struct vdfsd_options - the command line
 * @common: Options that all daemons have.
 * @store: Directory of the store.
 * @mount: Where to mount the filesystem view, or NULL.
 * @store_options: For the store.
 * @remote: URL of a bucket that the store is a cache of, or NULL.
 * @remote_options: How it is used.
 * @remote_gc: Collect garbage there and end.
 * @map_budget: Bytes of blobs to have in memory at most.
 * @index_budget: Bytes of indexes of collections to have in memory.
 * @threads: Workers.
 * @build_threads: For indexes; 0 = all processors.
 * @check: Check the store and end.
 * @repair: ... and mend what can be.
 * @gc: Collect garbage and end.
 * @no_phi: Serve the filesystem view only.
 */
struct vdfsd_options {
	struct daemon_options common;
	const char *store;
	const char *mount;
	struct vdfs_store_options store_options;
	const char *remote;
	struct vdfs_remote_options remote_options;
	bool remote_gc;
	uint64_t map_budget;
	uint64_t index_budget;
	uint32_t threads;
	uint32_t build_threads;
	bool check;
	bool repair;
	bool gc;
	bool no_phi;
};

int vdfsd_options_read(int argc, char **argv, struct vdfsd_options *o);

/**
 * struct vdfsd_user - one uid with sessions
 * @base: As in every daemon.
 * @pinned: Bytes of blobs that its sessions have mapped.
 */
struct vdfsd_user {
	struct user base;
	uint64_t pinned;
};

/* Kinds of handles. */
enum kind { KIND_PUT, KIND_BLOB, KIND_COLLECTION, KIND_MAP, KIND_JOB, KINDS };

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
 * struct vdfsd_session - one client
 * @base: As in every daemon.
 * @who: Its user, for the store.
 * @ids: The groups that its process had when it came.
 * @region: Its staging region, or NULL.
 */
struct vdfsd_session {
	struct session base;
	struct vdfs_who who;
	struct vdfs_ids ids;
	struct region *region;
};

/**
 * struct vdfsd_call - one request under way
 * @base: As in every daemon.
 * @region: The session's staging region when it came, or NULL; holds a
 *          reference.
 * @req: The request, private.
 * @answer: Its answer.
 * @name: Text of req.name, NULL when not given.
 * @more: Text of req.more, NULL when not given.
 * @data: Bytes of req.data; NULL when the function takes them itself.
 * @stage: Of the worker, while it runs.
 * @out: Room for results; answer.len of them are given back.
 * @room: Length of @out.
 * @give: Capability that goes with the answer, 0 = none.
 * @parked: JOB: a worker parked it with the job, and may not have put the job
 *          yet when the call runs again.
 */
struct vdfsd_call {
	struct call base;
	struct region *region;
	struct phi_vdfs_request req;
	struct phi_vdfs_answer answer;
	char *name;
	char *more;
	char *data;
	struct stage *stage;
	char *out;
	size_t room;
	uint64_t give;
	bool parked;
};

/**
 * struct vdfsd_op - one row of the call table
 * @base: As in every daemon.
 * @run: Serves it and returns its status, or CALL_PARKED; NULL where the main
 *       thread does.
 * @need: FIELD_*, what must be given.
 * @may: FIELD_*, what may be given.
 * @flags: Flags that it knows.
 */
struct vdfsd_op {
	struct op base;
	int (*run)(struct vdfsd_call *c);
	uint32_t need;
	uint32_t may;
	uint32_t flags;
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
/* In what may be given: the function takes req.data, see vdfsd_call_data(). */
#define FIELD_LATE (1U << 31)

struct mapping;
LIST_HEAD(mapping_list, mapping);
TAILQ_HEAD(mapping_queue, mapping);

/**
 * struct vdfsd - the daemon
 * @daemon: As every daemon; its lock guards all below @published.
 * @options: The command line.
 * @store: The blobs.
 * @db: The collections.
 * @published: Capabilities that are published, full and read-only.
 * @maps: Blobs in memory.
 * @lru: Those that nobody has mapped, the longest unused first.
 * @nmaps: How many there are in @maps.
 * @map_bytes: Their bytes.
 * @stopping: Nothing waits for the network any more.
 */
struct vdfsd {
	struct daemon daemon;
	struct vdfsd_options options;
	struct vdfs_store *store;
	struct vdfs_db *db;
	uint64_t published[2];
	struct mapping_list maps;
	struct mapping_queue lru;
	uint64_t nmaps;
	uint64_t map_bytes;
	atomic_bool stopping;
};

static inline struct vdfsd *server_of(const struct vdfsd_call *c)
{
	return (struct vdfsd *)c->base.session->daemon;
}

static inline struct vdfsd_session *session_of(const struct vdfsd_call *c)
{
	return (struct vdfsd_session *)c->base.session;
}

static inline const struct vdfs_who *who_of(const struct vdfsd_call *c)
{
	return &session_of(c)->who;
}

/* server.c */
void vdfsd_init(struct vdfsd *s);
void vdfsd_stop(struct vdfsd *s);

/* dispatch.c */
extern const struct daemon_kind vdfsd_kind;

/* The functions that serve calls in workers. */
#define DECLARE_CALLS
#include "calls.def"
#undef DECLARE_CALLS

/* call.c */
#define VDFSD_TEXT_ROOM (PHI_VDFS_TEXT_MAX + 4096)
#define VDFSD_STAGE_LEN (2 * VDFSD_TEXT_ROOM + 2 * PHI_VDFS_SPAN_MAX)

void vdfsd_call_begin(struct call *base, const struct phi_msg_in *in);
int vdfsd_call_run(struct call *base, struct stage *stage);
int vdfsd_call_data(struct vdfsd_call *c);
int vdfsd_call_data_to(struct vdfsd_call *c, size_t from, size_t len,
		       struct stage *to, size_t at);
void vdfsd_call_answer(struct call *base, int status, struct stage *stage);
void vdfsd_call_fini(struct call *base);
void vdfsd_region_put(struct vdfsd *s, struct region *region);

/* job.c */
void vdfsd_job_free(struct session *session, void *job);
void vdfsd_job_cancel(void *job);

/* dispatch_blob.c */
int vdfsd_call_hash(struct vdfsd_call *c, struct vdfs_hash *hash);
void vdfsd_blob_release(struct session *session, void *blob);

/* dispatch_name.c */

/* vdfsd_entry_add() returns it when there is room for no more. */
#define LIST_FULL 1

int vdfsd_entry_add(struct vdfsd_call *c, struct phi_vdfs_entry *entry,
		    const char *name);
int vdfsd_entries_end(struct vdfsd_call *c, int ret);

/* dispatch_usage.c */
int vdfsd_usage_of(struct vdfsd *s, uint32_t uid, struct phi_vdfs_usage *out);

/* dispatch_collection.c */
int vdfsd_collection_use(struct vdfsd_call *c, bool change,
			 struct vdfs_collection **out);
void vdfsd_collection_params(struct vdfs_collection *collection,
			     struct phi_vdfs_params *out);

/* map.c */
void vdfsd_map_release(struct session *session, void *hold);
void vdfsd_map_free_all(struct vdfsd *s);

#endif /* VDFSD_SERVER_H */
