/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_IDENTITY_H
#define VDFS_IDENTITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define VDFS_IDENTITY_BYTES 16

struct sqlite3;
struct vdfs_store;

/**
 * DOC: Whether the parts of a store belong together
 *
 * meta.db, pack/identity, object/identity and the head of each segment hold
 * the identity of their store, 16 random bytes, and a generation. Opening and
 * closing a store raise the generation, and so does each commit that makes,
 * moves or drops an object: the generation of the database is the highest
 * number that it has given to an object, or that of table store, whichever is
 * higher. It is written to the files only after the commit that raised it is
 * on the disk. So the database is never behind the files, whatever crashes;
 * a database that is behind them is an older copy.
 */

/**
 * struct vdfs_identity - the identity of an open store
 * @bytes: Identity; zeros while it is not known.
 * @known: The database has one.
 * @generation: Of the database when it was opened.
 * @opened: Generation that the files had at least when the store was last
 *          opened; 0 = the database is not bound to them yet.
 * @legacy: Highest number of a segment that was made before identities.
 * @seen: Highest generation in any of the files.
 * @fd: pack/identity, to note commits in; -1 = do not.
 * @lock: Of what is below.
 * @written: Highest generation noted.
 * @turn: Slot to write next.
 */
struct vdfs_identity {
	uint8_t bytes[VDFS_IDENTITY_BYTES];
	bool known;
	int64_t generation;
	int64_t opened;
	uint32_t legacy;
	int64_t seen;
	int fd;
	pthread_mutex_t lock; /* innermost */
	int64_t written;
	unsigned int turn;
};

void vdfs_identity_init(struct vdfs_identity *identity);
void vdfs_identity_fini(struct vdfs_identity *identity);
/* Before the database is opened, and after that. */
int vdfs_identity_miss(struct vdfs_store *store, bool empty);
int vdfs_identity_check(struct vdfs_store *store);
int vdfs_identity_load(struct vdfs_store *store);
/* Let the database and the files belong together, or no longer. */
int vdfs_identity_bind(struct vdfs_store *store);
int vdfs_identity_unbind(struct vdfs_store *store);
void vdfs_identity_close(struct vdfs_store *store);
/* A commit that raised the generation is on the disk. */
void vdfs_identity_note(struct vdfs_store *store, int64_t generation);
int64_t vdfs_identity_noted(struct vdfs_store *store);
/* generation.c, inside a transaction that writes. */
int vdfs_identity_raise(struct sqlite3 *db, int64_t *generation);
int vdfs_identity_number(struct sqlite3 *db, int64_t *id);
/* Say why a store is not opened. */
int vdfs_identity_lacks(struct vdfs_store *store, const char *what);
int vdfs_identity_later(struct vdfs_store *store, const char *what);

/* The generation of the database, in statements about table store. */
#define VDFS_GENERATION \
	"max(generation, ifnull((SELECT max(id) FROM object), 0))"

/* mark.c: the files. */
int vdfs_mark_read(int dir, uint8_t bytes[VDFS_IDENTITY_BYTES],
		   int64_t *generation, unsigned int *slot);
int vdfs_mark_write(int fd, const uint8_t bytes[VDFS_IDENTITY_BYTES],
		    int64_t generation, unsigned int slot);
int vdfs_mark_make(int dir, const uint8_t bytes[VDFS_IDENTITY_BYTES],
		   int64_t generation, int *out);
/* Whether @magic is of a later version of the format of @ours. */
bool vdfs_magic_later(uint64_t magic, uint64_t ours);

#endif /* VDFS_IDENTITY_H */
