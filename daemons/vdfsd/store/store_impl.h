/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_STORE_IMPL_H
#define VDFS_STORE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include <sqlite3.h>

#include "base/crc.h"
#include "base/hash.h"
#include "base/pool.h"
#include "away.h"
#include "charge.h"
#include "chunk.h"
#include "gc.h"
#include "identity.h"
#include "object.h"
#include "pack.h"
#include "pin.h"
#include "put.h"
#include "quota.h"
#include "record.h"
#include "sql/meta.h"
#include "store.h"
#include "usage.h"
#include "visible.h"

/**
 * DOC: Inside the store
 *
 *	DIR/lock	flock()ed while it is open; see log.c
 *	DIR/meta.db	the database
 *	DIR/pack/N	segments: records one behind the other
 *	DIR/pack/identity, DIR/object/identity	see identity.h
 *	DIR/object/ab/...	objects that are files; see object_file.c
 *	DIR/graph/	indexes saved by collections
 *	DIR/reserve	room to drop something in when the disk is full
 *
 * Bytes are on the disk before the commit that refers to them; that they are
 * not referred to any more is, before they are given back. In between they
 * belong to nothing, and that is all a crash can leave behind.
 *
 * A thread that relies on an object which the database may drop pins its hash
 * first and looks it up then; gc claims a hash, which a pin prevents, before it
 * drops an object, and until its bytes are gone. Locks, outermost first: a
 * claim, pins.lock, packs.lock, segment.lock.
 */

#define VDFS_CHARGE_BUCKETS 64

struct vdfs_charged;

/**
 * struct vdfs_charges - what users hold of a running daemon
 * @lock: Guards @users.
 * @users: By uid; those who hold something.
 * @litter: Bytes that wait for a collection of garbage, of all users.
 * @limit: By kind, for each user; 0 = none.
 */
struct vdfs_charges {
	pthread_mutex_t lock; /* innermost */
	struct vdfs_charged *users[VDFS_CHARGE_BUCKETS];
	uint64_t litter;
	uint64_t limit[VDFS_CHARGES];
};

/**
 * struct vdfs_sweep - a thread that collects garbage without being asked
 * @runs: There is one, and
 * @stop: it shall end.
 * @lock: Guards all but these; innermost.
 * @work: There is something to do, or it shall end.
 * @done: A collection has ended.
 * @wanted: There shall be one.
 * @busy: There is one.
 * @rounds: How many have ended.
 * @held: So many checks hold collections up, or wait to do so.
 * @thread: The thread.
 */
struct vdfs_sweep {
	atomic_bool runs;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t done;
	bool wanted;
	bool busy;
	uint64_t rounds;
	int held;
	pthread_t thread;
};

/**
 * struct vdfs_store - an open store
 * @dir: Its path.
 * @fd: That directory.
 * @lock_fd: The file that is locked.
 * @object_fd: The directory of files.
 * @object_dirs: Which of the directories in it are known to last.
 * @object_settled: Those in which that is known of the files, too.
 * @options: As it was opened.
 * @failed: The disk could not sync twice: nothing is written any more.
 * @mended: How often a put took the place of what was damaged.
 * @meta: The database.
 * @identity: Identity of the store, and its generations.
 * @pins: Hashes in use.
 * @packs: Segments.
 * @helpers: Threads that help with large blobs.
 * @lock: Of @puts and the lists these make.
 * @puts: Puts in progress.
 * @gc: Held by the one collection of garbage or check there may be.
 * @charges: Held by users of this daemon, and not kept.
 * @sweep: The thread that collects garbage.
 * @own_staged: Staged bytes that the put being committed turns into a blob,
 * @own_uid: and their user; of the thread that runs all writes.
 * @above: Schemas and hook of the rooms above.
 * @away: Of the remote it is a cache of, or NULL.
 * @remote: That.
 */
struct vdfs_store {
	char *dir;
	int fd;
	int lock_fd;
	int object_fd;
	atomic_bool object_dirs[256];
	atomic_bool object_settled[256];
	struct vdfs_store_options options;
	atomic_bool failed;
	atomic_ulong mended;
	struct vdfs_meta *meta;
	struct vdfs_identity identity;
	struct vdfs_pins pins;
	struct vdfs_packs packs;
	struct vdfs_helpers helpers;
	pthread_mutex_t lock; /* innermost */
	struct vdfs_put *puts;
	pthread_mutex_t gc; /* outermost */
	struct vdfs_charges charges;
	struct vdfs_sweep sweep;
	uint64_t own_staged;
	uint32_t own_uid;
	struct vdfs_store_above above;
	const struct vdfs_away_ops *away;
	struct vdfs_remote *remote;
};

/* quota.c */
int vdfs_quota_charge(struct sqlite3 *db, struct vdfs_store *store,
		      uint32_t uid, int64_t bytes);

/* store.c, gc.c, put.c, charge.c */
void vdfs_charges_init(struct vdfs_charges *charges);
void vdfs_charges_fini(struct vdfs_charges *charges);
void vdfs_litter(struct vdfs_store *store, uint32_t uid, uint64_t n,
		 bool charged);
uint64_t vdfs_littered(struct vdfs_store *store, uint32_t uid);
uint64_t vdfs_staged(struct vdfs_store *store, uint32_t uid);
void vdfs_litter_keep(struct vdfs_charges *charges, uint32_t uid, uint64_t n);
void vdfs_litter_sweep(struct vdfs_charges *charges);
void vdfs_litter_swept(struct vdfs_charges *charges);

/* sweep.c */
void vdfs_sweep_init(struct vdfs_sweep *sweep);
void vdfs_sweep_stop(struct vdfs_store *store);
bool vdfs_sweeps(const struct vdfs_store *store);
void vdfs_sweep_soon(struct vdfs_store *store);
void vdfs_sweep_hold(struct vdfs_sweep *sweep, int n);
bool vdfs_sweep_for(struct vdfs_store *store, uint32_t uid);

const char *vdfs_disk_shared(uint32_t magic);
int vdfs_disk_check(struct vdfs_store *store);
int vdfs_store_check_log(struct vdfs_store *store);
int vdfs_store_expect_log(struct vdfs_store *store);
void vdfs_store_settle(struct vdfs_store *store);
bool vdfs_put_makes(struct vdfs_store *store, int64_t list);
int vdfs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);

#endif /* VDFS_STORE_IMPL_H */
