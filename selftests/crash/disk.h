/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "selftests/crash/oplog.h"

/**
 * DOC: A simulated disk
 *
 * Plays a log of operations and knows at every point what a power cut must
 * leave: what was synced. A file's bytes and length last once the file was
 * synced, an entry of a directory once the directory was. Of what was not
 * synced, any part may be there: each operation by itself, and of a write
 * any of its 512-byte sectors. A sync of a file that failed has lost what it
 * was for, no later one makes it last; entries of directories wait in a
 * journal for the next.
 */

/**
 * struct disk_op - an operation of a log, in memory
 * @op: Record; its lengths of path, path2 and data are those below.
 * @path: First path.
 * @path2: Second path.
 * @data: What was written.
 */
struct disk_op {
	struct crash_op op;
	char *path;
	char *path2;
	char *data;
};

/**
 * struct disk_log - a log in memory
 * @ops: Operations.
 * @n: How many.
 */
struct disk_log {
	struct disk_op *ops;
	size_t n;
};

int disk_log_read(const char *path, struct disk_log *log);
void disk_log_free(struct disk_log *log);

/**
 * struct disk_rules - what to play wrong, to see whether somebody notices
 * @ignore: Glob of paths whose syncs do nothing; NULL = none.
 * @late: Glob of paths whose syncs take effect only when another file has
 *        been synced after them: the wrong order. NULL = none.
 */
struct disk_rules {
	const char *ignore;
	const char *late;
};

bool disk_is_touched(const struct disk_rules *rules, const struct disk_op *op);

struct disk;

/**
 * enum disk_part - how much of what was not synced is left
 * @DISK_NONE: Nothing.
 * @DISK_ALL: Everything, as after a kill.
 * @DISK_BUT: Everything but one operation.
 * @DISK_ONLY: Nothing but one operation.
 * @DISK_SOME: Any operations.
 * @DISK_TORN: Any operations, and any sectors of writes.
 */
enum disk_part {
	DISK_NONE,
	DISK_ALL,
	DISK_BUT,
	DISK_ONLY,
	DISK_SOME,
	DISK_TORN,
};

/**
 * struct disk_cut - one way a power cut can end
 * @part: How much is left.
 * @which: Of DISK_BUT and DISK_ONLY, number of the operation from 0.
 * @seed: Of DISK_SOME and DISK_TORN.
 */
struct disk_cut {
	enum disk_part part;
	size_t which;
	uint64_t seed;
};

int disk_new(const struct disk_log *log, const struct disk_rules *rules,
	     struct disk **out);
void disk_free(struct disk *disk);
int disk_step(struct disk *disk);
size_t disk_pending(const struct disk *disk);
int disk_cut(struct disk *disk, const struct disk_cut *cut, const char *dir,
	     uint64_t *hash);

#endif /* CRASH_DISK_H */
