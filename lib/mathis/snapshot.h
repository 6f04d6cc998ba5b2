/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots: the bytes that snapshot.c writes and restore.c reads,
 * little-endian.
 *
 *	"MSNP", u32 version, u32 CRC-32 of the module's file, u64 its bytes
 *	i64 fuel, u64 last id of a task
 *	u32 count of objects, then of each: u8 kind, u32 how many it has
 *	the objects, in order
 *	the values of globals
 *	u32 main, u32 count of ready tasks, then of each: u32
 *	u32 CRC-32 of all before it
 *
 * An object is named by its index, none by SNAPSHOT_NONE.
 */
#ifndef MATHIS_SNAPSHOT_H
#define MATHIS_SNAPSHOT_H

#include "machine.h"

#define SNAPSHOT_MAGIC "MSNP"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_NONE 0xffffffffU
#define SNAPSHOT_HEAD 20 /* bytes up to the fuel */

/* Bits of a task. */
enum snapshot_flags {
	SNAPSHOT_FAILED = 1,
	SNAPSHOT_RAISE = 2,
	SNAPSHOT_AWAITED = 4,
	SNAPSHOT_YIELDED = 8,
	SNAPSHOT_DROP = 16,
	SNAPSHOT_DECIDING = 32,
	SNAPSHOT_MERGED = 64,
	SNAPSHOT_ALL = 127,
};

/* Bytes that are read. */
struct restore {
	struct mathis_machine *m;
	struct mathis_reader r;
	const uint8_t *begin;
	struct mathis_object **objects;
	uint32_t n;
	uint32_t *waits; /* of each task: lists that it is in */
	struct verify_state **states; /* of each function, once it was needed */
	uint32_t n_ready; /* tasks that are to be in the queue */
	struct mathis_error *error;
};

int restore_bad(struct restore *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int restore_no_room(struct restore *s);
int restore_value(struct restore *s, struct mathis_value *v);
struct mathis_object *restore_ref(struct restore *s, uint8_t kind, bool none);

/* restore_task.c */
int restore_task(struct restore *s, struct mathis_task *t);
int restore_waiters(struct restore *s, struct mathis_object *o);
int restore_wait_lists(struct restore *s);
int restore_check_tasks(struct restore *s);
int restore_cancel(struct restore *s);

#endif
