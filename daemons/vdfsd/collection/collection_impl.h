/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_COLLECTION_IMPL_H
#define VDFS_COLLECTION_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "collection.h"
#include "filter_impl.h"
#include "sql/meta.h"
#include "store/usage.h"

/**
 * DOC: Inside a collection
 *
 * A change is committed to the database first, then made to the index, and
 * then acknowledged. Two changes of one key hold one lock over both steps,
 * so that the index sees them in the order of the database. When the index
 * cannot follow (no memory, no room), the generation it is sure of is noted
 * in @behind, and whoever comes next brings it up to date from the database
 * before going on.
 *
 * Each write transaction raises the collection's generation by one, and
 * every item says in which its vector last changed; deleted ones leave
 * their id and the generation in a log. That is enough to bring an index of
 * any generation since the log begins up to date.
 *
 * Locks, outermost first:
 *   vdfs_core.care		one build, repair, or save at a time
 *     vdfs_core.gate		writers share it; who needs them to be gone
 *				takes it alone
 *       vdfs_core.keys[]	in the order of the array
 *         the database		a write waits for its thread
 *           vdfs_core.graph_lock, vdfs_core.tune, vdfs_graph.lock
 *   vdfs_db.trimming		outside of all of these
 *   vdfs_db.lock		the list of collections, references, work
 */

/* 40 bytes each in every collection; there are fewer workers than these. */
#define KEY_LOCKS 64
#define KEPT 8
#define CURVES 3
#define CURVE_POINTS 24
/* Bytes of vectors that are taken from the database at a time. */
#define BATCH_BYTES ((size_t)64 << 20)
#define BATCH_MAX 65536
#define NOT_BEHIND (~0UL)
/* Numbers that a collection has for its items, from 1 on; see schema.c. */
#define VDFS_SPAN ((int64_t)1 << 39)
#define VDFS_SPAN_SQL "549755813888"

/* The index has those that others than the owner may read or write, alone. */
#define VDFS_COLLECTION_SHOWN "name IS NOT NULL AND (mode & 6) != 0"

/* The checksum of its row, by its name in SQL. */
#define VDFS_COLLECTION_SUM(name)                            \
	"vdfs_sum(id, " name ", owner, mode, dim, metric,\n" \
	" type, codes, m, ef_build, seed, base)"

/* The checksum of its stamps and of their generations. */
#define VDFS_STAMP_SUM                            \
	"vdfs_sum(id, stamp, stamp_generation,\n" \
	" old_stamp, old_generation)"

enum vdfs_core_sql {
	SQL_ADD,
	SQL_FIND,
	SQL_SET,
	SQL_SET_VECTOR,
	SQL_SET_METADATA,
	SQL_DELETE,
	SQL_GONE,
	SQL_GET,
	SQL_WALK,
	SQL_KEY,
	SQL_METADATA,
	SQL_CONTENT,
	SQL_ROWS,
	SQL_SINCE,
	SQL_NEXT,
	SQL_GONE_SINCE,
	SQL_GONE_TRIM,
	SQL_COUNT
};

/* Statements about items; core.c says what their parameters are. */
extern const char *const vdfs_item_sql[SQL_COUNT];

/* Work of the background thread for a collection. */
#define WORK_REPAIR 0x1U
#define WORK_TUNE 0x2U /* shifted by the number of the curve */

/**
 * struct vdfs_kept - the ids of a filter, kept for the next search
 * @filter: Its text.
 * @generation: That it was evaluated in.
 * @subset: The outcome.
 * @refs: Searches that use it.
 * @used: When, by @clock of the graph.
 * @gone: Freed by the last user.
 */
struct vdfs_kept {
	char *filter;
	uint64_t generation;
	struct vdfs_subset *subset;
	unsigned int refs;
	uint64_t used;
	bool gone;
};

/**
 * struct vdfs_graph - an index and what depends on it
 * @ix: The index.
 * @refs: Users, and the collection while it is its index.
 * @lock: Guards what follows, and @refs.
 * @kept: Subsets of the last filters.
 * @clock: Counts uses.
 */
struct vdfs_graph {
	struct vdfs_index *ix;
	unsigned int refs;
	pthread_mutex_t lock; /* @refs, @kept, @clock */
	struct vdfs_kept *kept[KEPT];
	uint64_t clock;
};

/**
 * struct vdfs_curve - the recall that an effort comes to
 * @items: Vectors there were when it was measured; 0 = not yet.
 * @n: Points.
 * @ef: Rising.
 * @rerank: Candidates that were ranked again by the originals, 0 = ef.
 * @recall: Lower bound of what that reaches for any sample, not its mean.
 */
struct vdfs_curve {
	uint64_t items;
	uint32_t n;
	uint32_t ef[CURVE_POINTS];
	uint32_t rerank[CURVE_POINTS];
	float recall[CURVE_POINTS];
};

/**
 * struct vdfs_core - a collection in use
 * @db: Its database.
 * @id: Number of its row.
 * @base: Its items have the numbers behind this one.
 * @params: As it was made.
 * @seed: Of its index, random: an index of another has another, and so has the
 *        collection after a repair has changed it.
 * @refs: Handles, the list, the background thread; guarded by the db's lock.
 * @work: WORK_*; guarded by the db's lock.
 * @late: WORK_* that failed, for a later time; guarded by the db's lock.
 * @state: 0 once it can be used, 1 while it is loaded, or why it cannot be;
 *         guarded by the db's lock.
 * @next: In the list of the db.
 * @used: When it was opened last, by @clock of the db.
 * @dropped: It is gone from the database.
 * @stale: A repair has changed it there: the saved index is that of its successor.
 * @care: See above.
 * @gate: See above.
 * @keys: See above.
 * @graph_lock: Guards @graph.
 * @graph: Its index.
 * @behind: Changes after this generation may be missing in @graph.
 * @started: Changes that have begun, ever.
 * @ended: Of which so many are in the index, or failed.
 * @changes: Vectors changed since @saved.
 * @stamp: Of the file; 0 = there is none.
 * @saved: Generation of the file.
 * @tune: Guards @curve.
 * @curve: For k up to 10, 100, and above.
 */
struct vdfs_core {
	struct vdfs_db *db;
	int64_t id;
	int64_t base;
	struct vdfs_collection_params params;
	uint32_t seed;
	unsigned int refs;
	unsigned int work;
	unsigned int late;
	int state;
	struct vdfs_core *next;
	uint64_t used;
	atomic_bool dropped;
	atomic_bool stale;
	pthread_mutex_t care; /* see above */
	pthread_rwlock_t gate;
	pthread_mutex_t keys[KEY_LOCKS]; /* see above */
	pthread_mutex_t graph_lock; /* @graph */
	struct vdfs_graph *graph;
	atomic_ulong behind;
	atomic_ulong started;
	atomic_ulong ended;
	atomic_ulong changes;
	atomic_ulong stamp;
	atomic_ulong saved;
	pthread_mutex_t tune; /* @curve */
	struct vdfs_curve curve[CURVES];
};

/**
 * struct vdfs_db - all collections of a database
 * @meta: The database.
 * @store: Its quotas hold; NULL = there are none.
 * @dir: Where graphs are saved.
 * @threads: For builds.
 * @room: Vectors that an index is made larger for than it has to be.
 * @trimming: One thread at a time lets indexes go.
 * @lock: Guards what follows.
 * @changed: A core was loaded, work came, or @stop was set.
 * @cores: Those in use.
 * @worker: Does what can wait.
 * @stop: It shall end.
 * @purge: Something was dropped, its items are still there.
 * @trim: A collection was opened or closed: look at the budget.
 * @budget: Bytes of memory for indexes.
 * @clock: Counts opens.
 */
struct vdfs_db {
	struct vdfs_meta *meta;
	struct vdfs_store *store;
	char *dir;
	unsigned int threads;
	uint32_t room;
	pthread_mutex_t trimming; /* see above */
	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	struct vdfs_core *cores;
	pthread_t worker;
	atomic_bool stop;
	bool purge;
	bool trim;
	uint64_t budget;
	uint64_t clock;
};

/**
 * struct vdfs_collection - see collection.h
 * @core: The collection, shared by all that have it open.
 * @may_read: It may be searched.
 * @may_write: It may be changed.
 */
struct vdfs_collection {
	struct vdfs_core *core;
	bool may_read;
	bool may_write;
};

/**
 * struct vdfs_core_state - the row of a collection
 * @generation: Write transactions so far.
 * @next_id: Id of the next item.
 * @items: How many there are.
 * @log_from: Deletions after this generation are in the log.
 * @stamp: Of the last index saved, and of the one before.
 * @stamp_generation: Of these.
 * @fields: Indexed fields.
 */
struct vdfs_core_state {
	uint64_t generation;
	uint64_t next_id;
	uint64_t items;
	uint64_t log_from;
	uint64_t stamp[2];
	uint64_t stamp_generation[2];
	uint64_t fields;
};

/* The id that an item has in the database, and behind the last of these. */
static inline int64_t vdfs_row(const struct vdfs_core *core, uint64_t number)
{
	return core->base + (int64_t)number;
}

static inline int64_t vdfs_row_end(const struct vdfs_core *core)
{
	return core->base + (VDFS_SPAN - 1);
}

static inline uint64_t vdfs_number(const struct vdfs_core *core, int64_t row)
{
	return (uint64_t)(row - core->base);
}

/**
 * struct vdfs_owned - a question about a user's collections, and its answer
 * @uid: The user.
 * @n: How many it has.
 */
struct vdfs_owned {
	uint32_t uid;
	uint32_t n;
};

/* Bytes that an item is charged for, from columns, or beside key and content. */
#define VDFS_ITEM_BESIDE 64
#define VDFS_ITEM_COST \
	"64 + octet_length(key) + octet_length(metadata) + length(vector)"

/* Bytes that a value of an indexed field is charged for. */
#define VDFS_VALUE_COST "64 + octet_length(value)"

/* stats.c; a vdfs_meta_fn that reads */
int vdfs_collection_owned(struct sqlite3 *db, void *owned);

/**
 * struct vdfs_core_row - a collection as the database has it
 * @who: On whose behalf.
 * @name: Which.
 * @id: Number.
 * @params: As it was made.
 * @seed: Of its index; one that does not fit in 32 bits is damaged.
 * @items: How many there are.
 * @base: Its items have the numbers behind this one; -1 = it is no integer.
 * @summed: The row has the checksum of what it says.
 */
struct vdfs_core_row {
	const struct vdfs_who *who;
	const char *name;
	int64_t id;
	struct vdfs_collection_params params;
	int64_t seed;
	uint64_t items;
	int64_t base;
	bool summed;
};

/* load.c */
int vdfs_core_get(struct vdfs_db *db, const struct vdfs_core_row *row,
		  vdfs_progress_fn *progress, void *arg,
		  struct vdfs_core **out);
void vdfs_core_drop(struct vdfs_db *db, int64_t id);
void vdfs_core_forget(struct vdfs_core *core);

/* core.c */
int vdfs_core_new(struct vdfs_db *db, int64_t id, struct vdfs_core **out);
void vdfs_core_free(struct vdfs_core *core);
void vdfs_core_put(struct vdfs_core *core);
int vdfs_core_state(const struct vdfs_core *core, struct sqlite3 *db,
		    struct vdfs_core_state *out);

/**
 * struct vdfs_turn - the locks that a write holds
 * @locks: A bit for each of the collection's key locks.
 * @alone: The gate is held alone, and no key locks.
 */
struct vdfs_turn {
	uint64_t locks[KEY_LOCKS / 64];
	bool alone;
};

/* turn.c */
void vdfs_turn_begin(struct vdfs_turn *turn, struct vdfs_core *core,
		     const struct vdfs_item *items, size_t n);
void vdfs_turn_end(struct vdfs_turn *turn, struct vdfs_core *core);

/* row.c */
int vdfs_row_add(struct sqlite3 *db, const char *name,
		 const struct vdfs_collection_params *p, uint32_t seed);

/* field.c */
int vdfs_fields_store(struct sqlite3 *db, int64_t collection, int64_t from,
		      int64_t to, struct vdfs_usage *more);
int vdfs_fields_forget(struct sqlite3 *db, int64_t collection, int64_t from,
		       int64_t to, struct vdfs_usage *more);
int vdfs_field_store(struct sqlite3 *db, int64_t field, int64_t from,
		     int64_t to, struct vdfs_usage *more);
int vdfs_field_drop(struct sqlite3 *db, int64_t field, int64_t most,
		    struct vdfs_usage *more);
int vdfs_fields_load(struct sqlite3 *db, int64_t collection,
		     struct vdfs_fields *out);
void vdfs_fields_free(struct vdfs_fields *fields);

/* field_make.c */
int vdfs_field_make(struct sqlite3 *db, const struct vdfs_core *core,
		    const char *name);

/* care.c */
int vdfs_care_start(struct vdfs_db *db);
void vdfs_care_stop(struct vdfs_db *db);
void vdfs_care_ask(struct vdfs_core *core, unsigned int work);
void vdfs_care_purge(struct vdfs_db *db);
void vdfs_care_trim(struct vdfs_db *db);

/* collection_budget.c */
uint64_t vdfs_budget_default(void);

/* cache.c */
struct vdfs_graph *vdfs_graph_get(struct vdfs_core *core);
void vdfs_graph_put(struct vdfs_graph *graph);
void vdfs_graph_swap(struct vdfs_core *core, struct vdfs_graph *graph);
struct vdfs_graph *vdfs_graph_new(struct vdfs_index *ix);
int vdfs_graph_load(struct vdfs_core *core, vdfs_progress_fn *progress,
		    void *arg);
int vdfs_graph_save(struct vdfs_core *core);
void vdfs_graph_path(const struct vdfs_core *core, const char *suffix,
		     char *path, size_t len);
bool vdfs_graph_worth_saving(struct vdfs_core *core);

/* cache_build.c */
int vdfs_graph_build(struct vdfs_core *core, uint64_t *generation,
		     vdfs_progress_fn *progress, void *arg,
		     struct vdfs_index **out);
int vdfs_graph_follow(struct vdfs_core *core, struct vdfs_index **ix,
		      uint64_t from);
int vdfs_graph_recover(struct vdfs_core *core);
int vdfs_graph_rebuild(struct vdfs_core *core, vdfs_progress_fn *progress,
		       void *arg);
int vdfs_graph_recover_locked(struct vdfs_core *core);
int vdfs_graph_apply(struct vdfs_core *core, struct vdfs_index *ix,
		     const uint64_t *ids, const float *rows, size_t n,
		     bool alone);
bool vdfs_graph_untrained(const struct vdfs_core *core, struct vdfs_index *ix);

/* item.c */
size_t vdfs_vector_bytes(const struct vdfs_collection_params *params);
int vdfs_vector_check(const struct vdfs_collection_params *params,
		      const float *vector, uint32_t dim);
void vdfs_vector_store(const struct vdfs_collection_params *params,
		       const float *vector, void *out);
int vdfs_vector_load(const struct vdfs_collection_params *params,
		     const void *stored, size_t bytes, float *out);
int vdfs_key_check(const char *key);
int vdfs_metadata_check(const char *metadata);

/* tune.c */
int vdfs_tune(struct vdfs_core *core, unsigned int curve);
int vdfs_tune_choose(struct vdfs_core *core, struct vdfs_graph *graph,
		     const struct vdfs_search *search, struct vdfs_query *query,
		     bool *exact);

#endif /* VDFS_COLLECTION_IMPL_H */
