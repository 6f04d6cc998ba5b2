/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_OPLOG_H
#define CRASH_OPLOG_H

#include <stdint.h>

/**
 * DOC: The log of operations
 *
 * What the shim writes and the simulated disk reads: one record for each
 * call that changed something below a directory, in the order in which they
 * happened, with the bytes that were written. A record is a struct crash_op,
 * then two paths relative to that directory, then data.
 */

enum crash_kind {
	CRASH_NOTE, /* data was written to the file of notes */
	CRASH_CREATE, /* a file @ino, at path; with CRASH_UNNAMED without one */
	CRASH_MKDIR,
	CRASH_WRITE,
	CRASH_TRUNCATE, /* to @offset bytes */
	CRASH_ZERO, /* @len bytes at @offset */
	CRASH_SYNC, /* a file's data or a directory's entries */
	CRASH_SYNC_ALL,
	CRASH_LINK, /* @ino at path */
	CRASH_UNLINK,
	CRASH_RMDIR,
	CRASH_RENAME, /* path to path2 */
	CRASH_EXCHANGE,
	CRASH_KINDS,
};

#define CRASH_UNNAMED 0x1U

/**
 * struct crash_op - one operation
 * @kind: enum crash_kind.
 * @error: errno it was made to fail with; 0 = it was done.
 * @ino: Number of the file, as stat(2) says.
 * @offset: In bytes.
 * @len: In bytes.
 * @flags: CRASH_UNNAMED.
 * @path: Length of the first path.
 * @path2: Length of the second.
 * @data: Length of the data.
 */
struct crash_op {
	uint32_t kind;
	int32_t error;
	uint64_t ino;
	uint64_t offset;
	uint64_t len;
	uint32_t flags;
	uint32_t path;
	uint32_t path2;
	uint32_t data;
};

/**
 * struct crash_count - what a shim tells while it runs, in a shared file
 * @ops: Operations begun.
 * @faults: Faults injected.
 * @kinds: Operations begun, by kind.
 */
struct crash_count {
	uint64_t ops;
	uint64_t faults;
	uint64_t kinds[CRASH_KINDS];
};

/*
 * The environment of the shim; nothing happens without CRASH_ROOT.
 *   CRASH_ROOT   directory below which calls are operations
 *   CRASH_NOTES  file whose writes are notes, not operations
 *   CRASH_LOG    where the log goes
 *   CRASH_COUNT  struct crash_count
 *   CRASH_KILL   N: kill the process before operation N, from 0;
 *                Nt: in the middle of it, when it writes;
 *                Ns: before sync N
 *   CRASH_FAIL   N:ERRNO[:TIMES]: let operation N fail, and those after it
 *                up to TIMES; without ERRNO let it write only half
 *   CRASH_KINDS  mask of kinds that CRASH_FAIL counts
 */

#endif /* CRASH_OPLOG_H */
