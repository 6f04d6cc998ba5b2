/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FUSE_IMPL_H
#define VDFS_FUSE_IMPL_H

#define FUSE_USE_VERSION 317

#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "stage_impl.h"
#include "view.h"
#include "names/names.h"
#include "store/charge.h"

/**
 * DOC: Inodes of the view
 *
 * An inode of the kernel is one struct vdfs_inode, and of a file below /names
 * it is one *content* of a name: when the name is given another blob, the next
 * lookup gives another inode (of the same st_ino). So the pages that the kernel
 * caches of an inode never change behind its back, and a reader that has a file
 * open goes on reading what it opened.
 *
 * A writer needs an inode of its own for the same reason. Where others read
 * the one that its lookup gave, opening fails with -ESTALE; the kernel looks
 * the name up again, and the thread that is waiting (struct vdfs_hint) finds
 * an inode made for it. All writers of a name share one inode and one stage.
 *
 * It does so once, and since 7.2 has reasons of its own: the name was taken
 * away while it walked, of which it tells nobody. So a thread that looked,
 * did nothing with what it saw, and sees another file when it looks again, is
 * given an inode of its own at once: no opening of that is told -ESTALE.
 *
 * Names are looked up in the store each time: others may change them. The view
 * finds by its number, from then on, what was looked up once: its path may be
 * another's.
 *
 * A shell that is told to write to a file truncates it, and closes a copy of
 * its descriptor before anything is written. That is not taken for the end:
 * what is only truncated is committed when the last descriptor is closed, of
 * which the server hears a moment after close() returned. Lookups wait for
 * it that long, see vdfs_inode_settle().
 *
 * Locks: fuse->lock, then nothing; stage->committing, then stage->lock.
 */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum vdfs_view_kind {
	VDFS_VIEW_ROOT,
	VDFS_README,
	VDFS_NAMES, /* /names and every directory below */
	VDFS_NAME,
	VDFS_HASHES,
	VDFS_HASH,
	VDFS_COLLECTIONS,
	VDFS_COLLECTION,
	VDFS_INFO,
	VDFS_ITEMS,
	VDFS_ITEM,
	VDFS_SEARCHES,
	VDFS_SEARCH,
	VDFS_RESULT,
	VDFS_WHYS,
	VDFS_WHY,
	VDFS_KINDS
};

/**
 * struct vdfs_inode - what the kernel knows by a number
 * @all: In the list of all of them.
 * @cached: With others of @uid.
 * @staged: With a @stage: in the list of those by their number.
 * @parent: Directory; NULL for the root of the view.
 * @next: In its bucket.
 * @name: In @parent.
 * @kind: Of which view.
 * @uid: The user whose lookup made it, who is charged.
 * @linked: In the table: a path leads here.
 * @own: Shown to nobody but the thread that holds it in a hint.
 * @refs: One for all lookups; children, open files, hints.
 * @lookups: That the kernel has not forgotten.
 * @readers: Open files that read the blob of @st.
 * @stage: The stage of its writers, NULL without any.
 * @serial: No other inode of the view ever has it, wherever it is in memory.
 * @st: VDFS_NAMES, VDFS_NAME, VDFS_HASH: as last seen. VDFS_COLLECTION: @ino is
 *      its number, by which it is told from another of its name.
 */
struct vdfs_inode {
	LIST_ENTRY(vdfs_inode) all;
	TAILQ_ENTRY(vdfs_inode) cached;
	LIST_ENTRY(vdfs_inode) staged;
	struct vdfs_inode *parent;
	struct vdfs_inode *next;
	char *name;
	enum vdfs_view_kind kind;
	uint32_t uid;
	bool linked;
	bool own;
	unsigned int refs;
	uint64_t lookups;
	unsigned int readers;
	struct vdfs_stage *stage;
	uint64_t serial;
	struct vdfs_stat st;
};

/**
 * struct vdfs_hint - what a thread will find when it looks again
 * @tid: Thread.
 * @uid: And whose.
 * @inode: Made for it to read or write; NULL = the entry is free.
 * @stage: A place among those who write, held for it.
 * @blob: The blob that it will read.
 * @reads: And that it is counted among those who read @inode.
 */
struct vdfs_hint {
	pid_t tid;
	uint32_t uid;
	struct vdfs_inode *inode;
	struct vdfs_stage *stage;
	struct vdfs_blob *blob;
	bool reads;
};

/**
 * struct vdfs_seen - the last name that a thread looked up
 * @tid: Thread; 0 = it did something since.
 * @path: Which name, see vdfs_inode_hash().
 * @ino: Number of the file there, 0 = none.
 */
struct vdfs_seen {
	pid_t tid;
	uint64_t path;
	uint64_t ino;
};

/* Shown where there is no user, or no group. */
#define VDFS_NOBODY 65534

#define VDFS_HINTS 64
#define VDFS_SEEN 256
#define VDFS_STAGED 256
#define VDFS_SEARCHES_KEPT 64

/**
 * struct vdfs_fuse - one mounted view
 * @store: The blobs and names that it shows.
 * @db: NULL = without collections.
 * @dir: Where it mounted itself, NULL if somebody else did.
 * @mounted: libfuse did its part.
 * @stage_dir: See struct vdfs_fuse_options.
 * @read_only: See there.
 * @ended: See there.
 * @arg: See there.
 * @session: Of libfuse.
 * @started: When; the time of what has none.
 * @turns: Threads that serve, see turn.c.
 * @lock: Guards all that follows and the inodes.
 * @settled: A file that was being closed is not any more.
 * @root: Of the view.
 * @table: Linked inodes by parent and name.
 * @buckets: A power of two.
 * @inodes: In @table.
 * @serial: Of the inode made last.
 * @all: Inodes but the root, linked or not.
 * @cached: The same by user.
 * @staged: Inodes with a stage, by their number.
 * @files: Open files.
 * @listings: Open directories.
 * @hints: See struct vdfs_hint; a thread has one.
 * @next_hint: To be used next when none is free.
 * @seen: By the thread's number; threads may share one.
 * @locks: That users have on files; they have a lock of their own.
 * @searches: Answers kept, NULL where free.
 * @next_search: To be used next.
 */
struct vdfs_fuse {
	struct vdfs_store *store;
	struct vdfs_db *db;
	char *dir;
	bool mounted;
	char *stage_dir;
	bool read_only;
	void (*ended)(void *arg);
	void *arg;
	struct fuse_session *session;
	struct timespec started;
	struct vdfs_turns *turns;
	pthread_mutex_t lock;
	pthread_cond_t settled;
	struct vdfs_inode *root;
	struct vdfs_inode **table;
	size_t buckets;
	size_t inodes;
	uint64_t serial;
	LIST_HEAD(, vdfs_inode) all;
	struct vdfs_cached *cached;
	LIST_HEAD(, vdfs_inode) staged[VDFS_STAGED];
	LIST_HEAD(, vdfs_file) files;
	LIST_HEAD(, vdfs_listing) listings;
	struct vdfs_hint hints[VDFS_HINTS];
	unsigned int next_hint;
	struct vdfs_seen seen[VDFS_SEEN];
	struct vdfs_locks *locks;
	struct vdfs_results *searches[VDFS_SEARCHES_KEPT];
	unsigned int next_search;
};

/**
 * struct vdfs_call - one request
 * @fuse: Of which view.
 * @req: libfuse's.
 * @who: The user.
 * @tid: Thread of the user, for hints.
 */
struct vdfs_call {
	struct vdfs_fuse *fuse;
	fuse_req_t req;
	struct vdfs_who who;
	pid_t tid;
};

/**
 * struct vdfs_file - an open file
 * @all: In the list of all of them.
 * @inode: Which.
 * @who: The user that opened it, who is charged for what is written. Its
 *       threads, and so its groups, are not known any more.
 * @writes: It was opened for writing.
 * @closes: It is counted in @closers of its stage.
 * @blob: To read from, when there is no @stage.
 * @stage: Of a file below /names.
 * @lock: Guards all that follows.
 * @text: Content of anything else.
 * @len: Bytes of it.
 * @dirty: It was written and not handed over.
 */
struct vdfs_file {
	LIST_ENTRY(vdfs_file) all;
	struct vdfs_inode *inode;
	struct vdfs_who who;
	bool writes;
	bool closes;
	struct vdfs_blob *blob;
	struct vdfs_stage *stage;
	pthread_mutex_t lock;
	char *text;
	size_t len;
	bool dirty;
};

/**
 * struct vdfs_listed - an entry of an open directory
 * @name: Its name.
 * @ino: Its number.
 * @mode: Its type.
 */
struct vdfs_listed {
	char *name;
	uint64_t ino;
	mode_t mode;
};

/**
 * struct vdfs_listing - an open directory
 * @all: In the list of all of them.
 * @inode: Which.
 * @uid: The user who opened it.
 * @lock: Guards all that follows.
 * @entry: Entries read so far; their index is the offset, so that one can
 *         always go back.
 * @count: How many.
 * @room: For so many.
 * @done: There are no more.
 */
struct vdfs_listing {
	LIST_ENTRY(vdfs_listing) all;
	struct vdfs_inode *inode;
	uint32_t uid;
	pthread_mutex_t lock;
	struct vdfs_listed *entry;
	size_t count;
	size_t room;
	bool done;
};

#define VDFS_LIST_BATCH 256

/**
 * struct vdfs_view - what differs between kinds
 * @mode: Type and permission bits shown, where no name has others.
 * @lookup: Of a directory: the inode called so, with a reference.
 * @stat: Of what changes, @st is filled in otherwise.
 * @list: Of a directory: add the next entries, or set @done.
 * @text: Of a small file: its content, to be freed.
 * @no_size: Of one whose content is made when it is opened: its size is 0.
 * @save: Of a small file that may be written.
 * @unlink: Of a directory.
 */
struct vdfs_view {
	mode_t mode;
	int (*lookup)(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name, struct vdfs_inode **out);
	int (*stat)(struct vdfs_call *call, struct vdfs_inode *inode,
		    struct stat *st);
	int (*list)(struct vdfs_call *call, struct vdfs_listing *listing);
	int (*text)(struct vdfs_call *call, struct vdfs_inode *inode,
		    char **text, size_t *len);
	bool no_size;
	int (*save)(struct vdfs_call *call, struct vdfs_inode *inode,
		    const char *text, size_t len);
	int (*unlink)(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name);
};

/* Seconds for which the kernel caches the attributes of a file. */
#define VDFS_ATTR_TIMEOUT 1.0

extern const struct vdfs_view vdfs_views[VDFS_KINDS];

/* inode.c */
int vdfs_inodes_init(struct vdfs_fuse *fuse);
void vdfs_inodes_fini(struct vdfs_fuse *fuse);
struct vdfs_inode *vdfs_inode_of(struct vdfs_fuse *fuse, fuse_ino_t ino);
uint64_t vdfs_inode_hash(const struct vdfs_inode *dir, const char *name);
bool vdfs_inode_called(const struct vdfs_inode *inode,
		       const struct vdfs_inode *dir, const char *name);
bool vdfs_inode_is(const struct vdfs_inode *inode, const struct vdfs_stat *st);
int vdfs_inode_find(struct vdfs_call *call, struct vdfs_inode *dir,
		    const char *name, enum vdfs_view_kind kind,
		    const struct vdfs_stat *st, struct vdfs_inode **out);
int vdfs_inode_new(struct vdfs_call *call, struct vdfs_inode *dir,
		   const char *name, enum vdfs_view_kind kind,
		   const struct vdfs_stat *st, struct vdfs_inode **out);
struct vdfs_inode *vdfs_inode_new_locked(struct vdfs_call *call,
					 struct vdfs_inode *dir,
					 const char *name,
					 enum vdfs_view_kind kind,
					 const struct vdfs_stat *st);
struct vdfs_inode *vdfs_inode_fresh_locked(struct vdfs_fuse *fuse,
					   const struct vdfs_inode *dir,
					   const char *name,
					   const struct vdfs_stat *st);
void vdfs_inode_unlink_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode);
void vdfs_inode_put(struct vdfs_fuse *fuse, struct vdfs_inode *inode);
void vdfs_inode_put_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode);
void vdfs_inode_forget(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
		       uint64_t lookups);
void vdfs_inode_unlink(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name);
void vdfs_inode_move(struct vdfs_fuse *fuse, struct vdfs_inode *from,
		     const char *name, struct vdfs_inode *to,
		     const char *new_name);
void vdfs_inode_follow(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name, uint64_t ino);
struct vdfs_inode *vdfs_inode_writer(struct vdfs_fuse *fuse,
				     struct vdfs_inode *inode);
void vdfs_inode_settle(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name);

/* attr.c */
int vdfs_stat_inode(struct vdfs_call *call, struct vdfs_inode *inode,
		    struct stat *st);
bool vdfs_may(struct vdfs_call *call, struct vdfs_inode *inode,
	      const struct stat *st, int mask);
int vdfs_inode_may(struct vdfs_call *call, struct vdfs_inode *inode, int mask);
uint64_t vdfs_virtual_ino(const struct vdfs_inode *dir, const char *name,
			  uint64_t id);
uint64_t vdfs_inode_ino(const struct vdfs_inode *inode);
void vdfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		     int to_set, struct fuse_file_info *fi);
void vdfs_op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void vdfs_op_statfs(fuse_req_t req, fuse_ino_t ino);

/* hint.c */
void vdfs_hints_fini(struct vdfs_fuse *fuse);
void vdfs_hint_drop(struct vdfs_fuse *fuse, struct vdfs_hint *hint);
bool vdfs_hint_take(struct vdfs_call *call, const struct vdfs_inode *inode,
		    struct vdfs_hint *hint);
void vdfs_hint_set_locked(struct vdfs_call *call, struct vdfs_inode *inode,
			  struct vdfs_stage *stage, struct vdfs_blob *blob,
			  struct vdfs_hint *old);
struct vdfs_inode *vdfs_hint_find_locked(struct vdfs_call *call,
					 const struct vdfs_inode *dir,
					 const char *name);
bool vdfs_hint_look(struct vdfs_call *call, const struct vdfs_inode *dir,
		    const char *name, const struct vdfs_stat *st);
void vdfs_hint_done(struct vdfs_call *call);
int vdfs_hint_own(struct vdfs_call *call, struct vdfs_inode *dir,
		  const char *name, const struct vdfs_stat *st,
		  struct vdfs_inode **out);

/* open.c */
void vdfs_files_fini(struct vdfs_fuse *fuse);
int vdfs_file_begin(struct vdfs_call *call, struct vdfs_inode *inode,
		    bool empty, struct vdfs_stage **out);
void vdfs_file_put_stage(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
			 struct vdfs_stage *stage, bool writes);
void vdfs_file_free(struct vdfs_fuse *fuse, struct vdfs_file *file);
void vdfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdfs_op_create(fuse_req_t req, fuse_ino_t dir, const char *name,
		    mode_t mode, struct fuse_file_info *fi);

/* file.c */
int vdfs_file_commit(struct vdfs_call *call, struct vdfs_inode *inode,
		     const struct vdfs_who *who);
int vdfs_file_truncate(struct vdfs_call *call, struct vdfs_inode *inode,
		       uint64_t size);
void vdfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		  struct fuse_file_info *fi);
void vdfs_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		   off_t off, struct fuse_file_info *fi);
void vdfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		       off_t len, struct fuse_file_info *fi);
void vdfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		   struct fuse_file_info *fi);
void vdfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* text.c */
int vdfs_text_open(struct vdfs_call *call, struct vdfs_file *file, int flags);
size_t vdfs_text_read(struct vdfs_file *file, char *buf, size_t size,
		      uint64_t offset);
int vdfs_text_write(struct vdfs_file *file, const char *buf, size_t size,
		    uint64_t offset);
int vdfs_text_truncate(struct vdfs_file *file, uint64_t size);
int vdfs_text_save(struct vdfs_call *call, struct vdfs_file *file);

/* dir.c */
void vdfs_listings_fini(struct vdfs_fuse *fuse);
int vdfs_listing_add(struct vdfs_listing *listing, const char *name,
		     uint64_t ino, mode_t mode);
const char *vdfs_listing_last(const struct vdfs_listing *listing);
void vdfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void vdfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi);
void vdfs_op_releasedir(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi);
void vdfs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		      struct fuse_file_info *fi);

/* lookup.c */
void vdfs_inode_looked_up(struct vdfs_fuse *fuse, struct vdfs_inode *inode);
int vdfs_inode_entry(struct vdfs_call *call, struct vdfs_inode *inode,
		     struct fuse_entry_param *entry);
void vdfs_reply_inode(struct vdfs_call *call, struct vdfs_inode *inode);
void vdfs_op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void vdfs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups);
void vdfs_op_forget_multi(fuse_req_t req, size_t count,
			  struct fuse_forget_data *forgets);
void vdfs_op_readlink(fuse_req_t req, fuse_ino_t ino);

/* name.c */
struct vdfs_who vdfs_inode_at(struct vdfs_call *call,
			      const struct vdfs_inode *inode);
void vdfs_inode_place(struct vdfs_call *call, const struct vdfs_inode *inode,
		      struct vdfs_who *who, char name[VDFS_PATH_MAX + 1]);
int vdfs_names_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name, struct vdfs_inode **out);
int vdfs_names_list(struct vdfs_call *call, struct vdfs_listing *listing);
int vdfs_names_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name);
void vdfs_op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name,
		   mode_t mode);
void vdfs_op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void vdfs_op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void vdfs_op_rename(fuse_req_t req, fuse_ino_t dir, const char *name,
		    fuse_ino_t new_dir, const char *new_name,
		    unsigned int flags);
void vdfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir,
		  const char *name);
void vdfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir,
		     const char *name);
void vdfs_op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name,
		   mode_t mode, dev_t dev);

/* hash.c */
int vdfs_hashes_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode **out);
int vdfs_hashes_list(struct vdfs_call *call, struct vdfs_listing *listing);
int vdfs_hashes_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name);

/* xattr.c */
void vdfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		      const char *value, size_t size, int flags);
void vdfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		      size_t size);
void vdfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void vdfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* item.c */
int vdfs_inode_collection_open(struct vdfs_call *call,
			       const struct vdfs_inode *inode,
			       struct vdfs_collection **out);
int vdfs_collections_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
			    const char *name, struct vdfs_inode **out);
int vdfs_collections_list(struct vdfs_call *call, struct vdfs_listing *listing);
int vdfs_view_collection_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
				const char *name, struct vdfs_inode **out);
int vdfs_view_collection_list(struct vdfs_call *call,
			      struct vdfs_listing *listing);
int vdfs_view_collection_stat(struct vdfs_call *call, struct vdfs_inode *inode,
			      struct stat *st);
int vdfs_info_text(struct vdfs_call *call, struct vdfs_inode *inode,
		   char **text, size_t *len);
int vdfs_items_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name, struct vdfs_inode **out);
int vdfs_items_list(struct vdfs_call *call, struct vdfs_listing *listing);
int vdfs_items_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name);
int vdfs_item_text(struct vdfs_call *call, struct vdfs_inode *inode,
		   char **text, size_t *len);
int vdfs_item_save(struct vdfs_call *call, struct vdfs_inode *inode,
		   const char *text, size_t len);
int vdfs_item_get_attr(struct vdfs_call *call, struct vdfs_inode *inode,
		       const char *attr, char **value, size_t *len);
int vdfs_item_set_attr(struct vdfs_call *call, struct vdfs_inode *inode,
		       const char *attr, const char *value, size_t len);

/* why.c */
int vdfs_whys_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		     const char *name, struct vdfs_inode **out);
int vdfs_why_text(struct vdfs_call *call, struct vdfs_inode *inode, char **text,
		  size_t *len);

/* search.c */
int vdfs_searches_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
			 const char *name, struct vdfs_inode **out);
int vdfs_search_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode **out);
int vdfs_search_list(struct vdfs_call *call, struct vdfs_listing *listing);
int vdfs_result_target(struct vdfs_call *call, struct vdfs_inode *inode,
		       char **target);
int vdfs_search_distances(struct vdfs_call *call, struct vdfs_inode *dir,
			  char **text, size_t *len);
int vdfs_search_try(struct vdfs_call *call, const struct vdfs_inode *inode,
		    const char *query, int *fault);
void vdfs_searches_drop(struct vdfs_fuse *fuse);

/* readme.c */
int vdfs_readme_text(struct vdfs_call *call, struct vdfs_inode *inode,
		     char **text, size_t *len);

/* group.c */
int vdfs_call_in_group(const struct vdfs_who *who, uint32_t gid);

static inline struct vdfs_call vdfs_call_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct vdfs_call){
		.fuse = fuse_req_userdata(req),
		.req = req,
		.who = { .uid = ctx->uid,
			 .gid = ctx->gid,
			 .in_group = vdfs_call_in_group,
			 .groups = (uintptr_t)ctx->pid,
			 .admin = ctx->uid == 0 },
		.tid = ctx->pid,
	};
}

static inline struct vdfs_file *vdfs_file_of(const struct fuse_file_info *fi)
{
	return (struct vdfs_file *)(uintptr_t)fi->fh;
}

/* kill.c */
bool vdfs_call_killed(void *call);
bool vdfs_call_dying(const struct vdfs_call *call);

/* turn.c */
int vdfs_turns_start(struct vdfs_fuse *fuse, unsigned int threads);
void vdfs_turns_stop(struct vdfs_fuse *fuse);

#endif /* VDFS_FUSE_IMPL_H */
