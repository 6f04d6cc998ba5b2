/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_VDFS_WIRE_H
#define PHI_VDFS_WIRE_H

#include <linux/types.h>

/**
 * DOC: Talking to the vector-database filesystem
 *
 * A client holds the ENDPOINT capability (SEND) that the daemon publishes and
 * gets, in this order:
 *
 *  1. a session, by a phi_call() of ATTACH. It gives an ENDPOINT (SEND) that
 *     it alone receives from: when that dies so does the session, however
 *     the client went. It gets an ENDPOINT (SEND) whose badge is the
 *     session; all further calls go there;
 *  2. a staging region, by STAGE, a MEMORY capability with MAP, READ and
 *     WRITE, through which all goes that is longer than a message: names,
 *     data, results. A second STAGE replaces it;
 *  3. answers, one a call. It may have as many calls under way as the
 *     session has credits; they may be served in any order and at once.
 *
 * Every message is a struct phi_vdfs_request and every answer a struct
 * phi_vdfs_answer. Spans of the staging region are copied before they are
 * looked at: changing them meanwhile spoils this request and nothing else,
 * and revoking the region makes it fail with EFAULT. Fields that a request
 * does not use must be 0, else EINVAL.
 */

#define PHI_VDFS_VERSION 2

/* Longest span of data or results; names and the like; staging region. */
#define PHI_VDFS_SPAN_MAX (16U << 20)
#define PHI_VDFS_TEXT_MAX 65536U
#define PHI_VDFS_STAGE_MAX (64U << 20)

/* Limits of one session. */
#define PHI_VDFS_PUTS 8
#define PHI_VDFS_BLOBS 64
#define PHI_VDFS_COLLECTIONS 64
#define PHI_VDFS_MAPS 256
#define PHI_VDFS_JOBS 4

/*
 * Operations of messages, the fields each uses, and the content of the answer.
 * The fields after a + may be 0. A blob is given by @name, or by @hash with
 * PHI_VDFS_BY_HASH. Times, modes and errors are those of stat(2) and the
 * like; names are paths without a slash at either end.
 *
 *  ATTACH       a capability; + value (PHI_VDFS_VERSION) flags
 *                                                   -> attached, capability
 *  STAGE        a capability
 *  PUT          + data name hash flags              -> hash
 *  PUT_BEGIN    + flags                             -> id
 *  PUT_DATA     id data
 *  PUT_END      id + name hash flags                -> hash
 *  PUT_ABORT    id
 *  BLOB_OPEN    name or hash, flags                 -> id bytes hash
 *  BLOB_READ    id out + offset                     -> len
 *  BLOB_CLOSE   id
 *  MAP          name or hash, flags                 -> id bytes hash, capability
 *  UNMAP        id
 *  KEEP DROP    hash
 *  BLOBS_LIST   out + hash flags                    -> len, more
 *  STAT         + name                              -> stat
 *  LIST         out + name more                     -> len, more
 *  MKDIR        name + mode
 *  LINK         name hash
 *  UNLINK RMDIR name
 *  RENAME       name more + flags
 *  CHANGE       name + mode time_ns
 *  CHOWN        name + value (the owner) mode (the group)
 *  ATTR_SET     more + name data flags
 *  ATTR_GET     more + name out                     -> bytes len
 *  ATTR_LIST    + name out                          -> bytes len
 *  QUOTA_GET    + value (the user)                  -> quota
 *  QUOTA_SET    + value offset (the bytes)
 *  STATS                                            -> stats
 *  GC           a job                               -> gc
 *  FSCK         a job; + flags                      -> fsck, lines
 *  JOB          id + out flags                      -> what the job gives
 *  COLLECTION_CREATE   name params
 *  COLLECTION_DROP     name
 *  COLLECTION_LIST     out + name (begin behind it) -> len, more
 *  COLLECTION_OPEN     a job; name                  -> id params
 *  COLLECTION_CLOSE    id
 *  COLLECTION_INSERT   id data (records) + flags    -> done (which failed)
 *  COLLECTION_UPDATE   id data (one record)
 *  COLLECTION_DELETE   id name
 *  COLLECTION_GET      id name out                  -> len
 *  COLLECTION_SEARCH   id data (vectors) out k + more (filter) ef recall flags
 *                                                   -> len; why, on EINVAL
 *  COLLECTION_WALK     id out + name flags          -> len, more
 *  COLLECTION_FIELD    id name
 *  COLLECTION_REBUILD  a job; id
 *  COLLECTION_SAVE     id
 *  COLLECTION_STATS    id                           -> items
 *  USAGE        + value (the user)                  -> usage
 *
 * When results do not fit, LIST and the like stop before the first that does
 * not and set more; EMSGSIZE says that not even one does, or that all of a
 * search do not, and bytes is the room it takes.
 *
 * When the filter of a search makes no sense its status is EINVAL, and the text
 * at out, with its NUL, says why and where; len is 0 when a number is the reason.
 *
 * A job answers at once with its number in id. JOB waits for news of it: its
 * status is EINPROGRESS, with done and total and lines of text at out, and at
 * the end the job's own. PHI_VDFS_CANCEL stops the job first. Jobs that nobody
 * asks about stop with their session.
 */
#define PHI_VDFS_ATTACH 1
#define PHI_VDFS_STAGE 2
#define PHI_VDFS_PUT 3
#define PHI_VDFS_PUT_BEGIN 4
#define PHI_VDFS_PUT_DATA 5
#define PHI_VDFS_PUT_END 6
#define PHI_VDFS_PUT_ABORT 7
#define PHI_VDFS_BLOB_OPEN 8
#define PHI_VDFS_BLOB_READ 9
#define PHI_VDFS_BLOB_CLOSE 10
#define PHI_VDFS_MAP 11
#define PHI_VDFS_UNMAP 12
#define PHI_VDFS_KEEP 13
#define PHI_VDFS_DROP 14
#define PHI_VDFS_BLOBS_LIST 15
#define PHI_VDFS_STAT 16
#define PHI_VDFS_LIST 17
#define PHI_VDFS_MKDIR 18
#define PHI_VDFS_LINK 19
#define PHI_VDFS_UNLINK 20
#define PHI_VDFS_RMDIR 21
#define PHI_VDFS_RENAME 22
#define PHI_VDFS_CHANGE 23
#define PHI_VDFS_ATTR_SET 24
#define PHI_VDFS_ATTR_GET 25
#define PHI_VDFS_ATTR_LIST 26
#define PHI_VDFS_QUOTA_GET 27
#define PHI_VDFS_QUOTA_SET 28
#define PHI_VDFS_STATS 29
#define PHI_VDFS_GC 30
#define PHI_VDFS_FSCK 31
#define PHI_VDFS_JOB 32
#define PHI_VDFS_COLLECTION_CREATE 33
#define PHI_VDFS_COLLECTION_DROP 34
#define PHI_VDFS_COLLECTION_LIST 35
#define PHI_VDFS_COLLECTION_OPEN 36
#define PHI_VDFS_COLLECTION_CLOSE 37
#define PHI_VDFS_COLLECTION_INSERT 38
#define PHI_VDFS_COLLECTION_UPDATE 39
#define PHI_VDFS_COLLECTION_DELETE 40
#define PHI_VDFS_COLLECTION_GET 41
#define PHI_VDFS_COLLECTION_SEARCH 42
#define PHI_VDFS_COLLECTION_WALK 43
#define PHI_VDFS_COLLECTION_FIELD 44
#define PHI_VDFS_COLLECTION_REBUILD 45
#define PHI_VDFS_COLLECTION_SAVE 46
#define PHI_VDFS_COLLECTION_STATS 47
#define PHI_VDFS_USAGE 48
#define PHI_VDFS_CHOWN 49
#define PHI_VDFS_OPS 50

/* Flags of requests, by what takes them. */
#define PHI_VDFS_BY_HASH 0x1U /* BLOB_OPEN, MAP: by hash, not by name */
#define PHI_VDFS_EXPECT 0x1U /* PUT, PUT_END: the content must have hash */
#define PHI_VDFS_WHOLE 0x2U /* PUT, PUT_BEGIN: share no pieces with others */
#define PHI_VDFS_AFTER 0x1U /* BLOBS_LIST: begin behind hash */
#define PHI_VDFS_NOREPLACE 0x1U /* RENAME */
#define PHI_VDFS_REMOVE 0x1U /* ATTR_SET: the attribute goes */
#define PHI_VDFS_REPAIR 0x1U /* FSCK */
#define PHI_VDFS_CANCEL 0x1U /* JOB */
#define PHI_VDFS_REPLACE 0x1U /* COLLECTION_INSERT: of a key that is taken */
#define PHI_VDFS_CHECK \
	0x2U /* COLLECTION_INSERT: store nothing, say if it can */
#define PHI_VDFS_VECTORS 0x1U /* results with vectors */
#define PHI_VDFS_METADATA 0x2U /* results with metadata */
#define PHI_VDFS_READ_ONLY 0x1U /* ATTACH */

/**
 * struct phi_vdfs_hash - SHA-256 of a blob
 * @bytes: As the standard prints them.
 */
struct phi_vdfs_hash {
	__u8 bytes[32];
};

/* Bytes of a hash as text: 64 digits and a NUL. */
#define PHI_VDFS_HASH_TEXT 65

/**
 * struct phi_vdfs_span - a part of the staging region
 * @at: Bytes from its start.
 * @len: Its length; 0 = not given.
 */
struct phi_vdfs_span {
	__u32 at;
	__u32 len;
};

/**
 * struct phi_vdfs_params - what a collection is
 * @dim: Elements of a vector, 1 to 8192.
 * @metric: PHI_VDFS_L2, PHI_VDFS_IP or PHI_VDFS_COSINE.
 * @type: PHI_VDFS_F32, PHI_VDFS_I8 or PHI_VDFS_F16.
 * @codes: PHI_VDFS_CODES_*, what a search walks on before it ranks the best
 *         again by the vectors themselves.
 * @m: Edges of a vector, 4 to 64; 0 = 16.
 * @ef_build: Candidates looked at for them, at most; 0 = 200.
 * @mode: Permission bits.
 * @owner: Out only, 0 in a request.
 */
struct phi_vdfs_params {
	__u32 dim;
	__u32 metric;
	__u32 type;
	__u32 codes;
	__u32 m;
	__u32 ef_build;
	__u32 mode;
	__u32 owner;
};

/* Metrics. */
#define PHI_VDFS_L2 0 /* squared Euclidean distance */
#define PHI_VDFS_IP 1 /* minus the inner product */
#define PHI_VDFS_COSINE 2 /* 1 - cosine of the angle */

/* Types of elements. */
#define PHI_VDFS_F32 0
#define PHI_VDFS_I8 1 /* integers -128..127 */
#define PHI_VDFS_F16 2

/* Bits of a dimension to walk on. */
#define PHI_VDFS_CODES_NONE 0 /* the vectors themselves */
#define PHI_VDFS_CODES_8 1
#define PHI_VDFS_CODES_4 2
#define PHI_VDFS_CODES_1 3
#define PHI_VDFS_CODES_2 4
#define PHI_VDFS_CODES_3 5

/**
 * struct phi_vdfs_stat - what a name stands for
 * @hash: Of the blob; zeros for a directory, and for a file that the caller may
 *        not read.
 * @bytes: Its length; 0 for a directory.
 * @ino: A number that stays while the name does.
 * @mtime_ns: When it last changed, CLOCK_REALTIME.
 * @owner: User.
 * @mode: S_IFREG or S_IFDIR, and permission bits.
 * @group: Group; PHI_VDFS_NO_GROUP of names that are older than groups.
 * @pad: 0.
 */
struct phi_vdfs_stat {
	struct phi_vdfs_hash hash;
	__u64 bytes;
	__u64 ino;
	__s64 mtime_ns;
	__u32 owner;
	__u32 mode;
	__u32 group;
	__u32 pad;
};

#define PHI_VDFS_NO_GROUP ((__u32)~0U)

/**
 * struct phi_vdfs_stats - what the store holds
 * @blobs: Blobs.
 * @blob_bytes: Their lengths added up.
 * @objects: Objects that they are made of.
 * @object_bytes: The lengths of these, each counted once.
 * @disk_bytes: Bytes that these take on the disk.
 * @names: Names of blobs.
 * @mapped: Blobs in memory.
 * @mapped_bytes: Bytes that they take there.
 * @sessions: Sessions of clients.
 */
struct phi_vdfs_stats {
	__u64 blobs;
	__u64 blob_bytes;
	__u64 objects;
	__u64 object_bytes;
	__u64 disk_bytes;
	__u64 names;
	__u64 mapped;
	__u64 mapped_bytes;
	__u64 sessions;
};

/**
 * struct phi_vdfs_gc - what a collection of garbage did
 * @blobs: Blobs that nothing referred to any more.
 * @objects: Objects that no blob is made of any more.
 * @bytes: Bytes of the disk given back.
 */
struct phi_vdfs_gc {
	__u64 blobs;
	__u64 objects;
	__u64 bytes;
};

/**
 * struct phi_vdfs_fsck - what a check found
 * @blobs: Blobs read and compared with their hash.
 * @bytes: Bytes read.
 * @damaged: Blobs that are not what they were.
 * @garbage: Bytes that belong to nothing. No fault.
 * @faults: All faults, damaged blobs included.
 * @repaired: How many of these were mended.
 */
struct phi_vdfs_fsck {
	__u64 blobs;
	__u64 bytes;
	__u64 damaged;
	__u64 garbage;
	__u64 faults;
	__u64 repaired;
};

/**
 * struct phi_vdfs_quota - what a user may have and has
 * @limit: Bytes; 0 = any.
 * @used: Bytes.
 */
struct phi_vdfs_quota {
	__u64 limit;
	__u64 used;
};

/**
 * struct phi_vdfs_usage - what a user is charged for, with limits; 0 = any
 * @quota: Bytes that @used and @staged may come to.
 * @used: Bytes of blobs that it refers to, of attributes, of items, and of
 *        values of indexed fields.
 * @staged: Bytes written that belong to no blob yet, or to none any more until
 *          they are collected.
 * @names: Names, directories among them.
 * @names_max: Limit of @names.
 * @attrs: Attributes of names.
 * @attr_bytes: Bytes of these, in @used.
 * @items: Items of its collections, whoever put them there.
 * @item_bytes: Bytes of these, in @used.
 * @value_bytes: Bytes of values of indexed fields of its collections, in @used.
 * @memory: Bytes in memory of puts that have not ended.
 * @memory_max: Limit of @memory.
 * @puts: Puts that have not ended.
 * @puts_max: Limit of @puts.
 * @files: Open files of the filesystem view, and open blobs.
 * @files_max: Limit of @files.
 * @dirs: Open directories of the filesystem view.
 * @dirs_max: Limit of @dirs.
 * @sessions: Sessions.
 * @sessions_max: Limit of @sessions.
 * @jobs: Jobs that run.
 * @jobs_max: Limit of @jobs.
 * @calls: Calls under way, those that are parked among them.
 * @calls_max: Limit of @calls.
 * @collections: Collections.
 * @collections_max: Limit of @collections.
 * @locks: Ranges of files of the filesystem view, locked or waited for.
 * @locks_max: Limit of @locks.
 * @inodes: Inodes of the filesystem view that the kernel knows.
 * @inodes_max: Limit of @inodes.
 */
struct phi_vdfs_usage {
	__u64 quota;
	__u64 used;
	__u64 staged;
	__u64 names;
	__u64 names_max;
	__u64 attrs;
	__u64 attr_bytes;
	__u64 items;
	__u64 item_bytes;
	__u64 value_bytes;
	__u64 memory;
	__u64 memory_max;
	__u32 puts;
	__u32 puts_max;
	__u32 files;
	__u32 files_max;
	__u32 dirs;
	__u32 dirs_max;
	__u32 sessions;
	__u32 sessions_max;
	__u32 jobs;
	__u32 jobs_max;
	__u32 calls;
	__u32 calls_max;
	__u32 collections;
	__u32 collections_max;
	__u32 locks;
	__u32 locks_max;
	__u32 inodes;
	__u32 inodes_max;
};

/**
 * struct phi_vdfs_collection_stats - what a collection holds
 * @items: Items.
 * @deleted: Vectors deleted and not yet repaired away.
 * @index_bytes: Memory of its index.
 * @generation: Grows with every change.
 * @saved: Generation of the index on the disk; 0 = none.
 */
struct phi_vdfs_collection_stats {
	__u64 items;
	__u64 deleted;
	__u64 index_bytes;
	__u64 generation;
	__u64 saved;
};

/**
 * struct phi_vdfs_attached - a session's limits
 * @version: PHI_VDFS_VERSION.
 * @credits: Calls it may have under way.
 * @read_only: Calls that would change something fail with EROFS.
 * @admin: The caller's user administers the store.
 */
struct phi_vdfs_attached {
	__u32 version;
	__u32 credits;
	__u32 read_only;
	__u32 admin;
};

/**
 * struct phi_vdfs_request - every message
 * @op: PHI_VDFS_*, the operation.
 * @flags: How.
 * @tag: Comes back with the answer.
 * @id: A put, blob, map, job or collection of this session.
 * @offset: Of bytes in a blob; or a number.
 * @value: A number.
 * @time_ns: CLOCK_REALTIME, INT64_MIN = leave, INT64_MAX = now.
 * @name: Text without NUL.
 * @more: Text without NUL.
 * @data: Bytes that come.
 * @out: Room for the bytes that go back.
 * @hash: Of a blob.
 * @mode: Permission bits, or a group; ~0U = leave.
 * @k: Answers wanted.
 * @ef: Candidates.
 * @recall: f32 as bits.
 * @params: Of a collection.
 */
struct phi_vdfs_request {
	__u32 op;
	__u32 flags;
	__u64 tag;
	__u64 id;
	__u64 offset;
	__u64 value;
	__s64 time_ns;
	struct phi_vdfs_span name;
	struct phi_vdfs_span more;
	struct phi_vdfs_span data;
	struct phi_vdfs_span out;
	struct phi_vdfs_hash hash;
	__u32 mode;
	__u32 k;
	__u32 ef;
	__u32 recall;
	struct phi_vdfs_params params;
};

/**
 * struct phi_vdfs_answer - every answer
 * @status: 0 or a negative errno. Beside what the store says:
 *          EFAULT       the staging region was revoked
 *          ERANGE       a span reaches past it
 *          EAGAIN       no credit
 *          EROFS        the session, or the store, is read-only
 *          EBADF        there is nothing with this id
 *          EBUSY        another call uses it
 * @len: Bytes written to out.
 * @tag: The request's.
 * @id: Put, blob, map, job or collection that was made.
 * @bytes: A length.
 * @done: How far a job is; or which item failed.
 * @total: Of how much; 0 = nobody knows.
 * @more: There is more to list.
 * @pad: 0.
 * @hash: Of a blob.
 * @attached: After ATTACH.
 * @stat: After STAT.
 * @stats: After STATS.
 * @gc: At the end of GC.
 * @fsck: At the end of FSCK.
 * @quota: After QUOTA_GET.
 * @usage: After USAGE.
 * @items: After COLLECTION_STATS.
 * @params: At the end of COLLECTION_OPEN.
 */
struct phi_vdfs_answer {
	__s32 status;
	__u32 len;
	__u64 tag;
	__u64 id;
	__u64 bytes;
	__u64 done;
	__u64 total;
	__u32 more;
	__u32 pad;
	struct phi_vdfs_hash hash;
	union {
		struct phi_vdfs_attached attached;
		struct phi_vdfs_stat stat;
		struct phi_vdfs_stats stats;
		struct phi_vdfs_gc gc;
		struct phi_vdfs_fsck fsck;
		struct phi_vdfs_quota quota;
		struct phi_vdfs_usage usage;
		struct phi_vdfs_collection_stats items;
		struct phi_vdfs_params params;
	};
};

/**
 * struct phi_vdfs_entry - one entry of LIST, BLOBS_LIST or COLLECTION_LIST
 * @bytes: Of all of it: this, the name with its NUL, and padding to 8.
 * @name_len: Length of the name, without its NUL.
 * @items: COLLECTION_LIST: items it holds.
 * @stat: LIST: what it is; BLOBS_LIST: hash and bytes.
 * @params: COLLECTION_LIST: what it is.
 */
struct phi_vdfs_entry {
	__u32 bytes;
	__u32 name_len;
	__u64 items;
	struct phi_vdfs_stat stat;
	struct phi_vdfs_params params;
};

/**
 * struct phi_vdfs_record - one item
 * @bytes: Of all of it: this, the vector, the key with its NUL, the metadata
 *         with its NUL, and padding to 8.
 * @query: Which vector of a search it answers.
 * @dist: f32 as bits.
 * @dim: Elements of the vector; 0 = not given.
 * @key_len: Length of the key, without its NUL.
 * @metadata_len: Length of the metadata, without its NUL; 0 = not given.
 */
struct phi_vdfs_record {
	__u32 bytes;
	__u32 query;
	__u32 dist;
	__u32 dim;
	__u32 key_len;
	__u32 metadata_len;
};

#endif /* PHI_VDFS_WIRE_H */
