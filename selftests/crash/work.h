/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_WORK_H
#define CRASH_WORK_H

#include <stdio.h>

#include "daemons/vdfsd/collection/collection.h"
#include "daemons/vdfsd/names/names.h"
#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/store/store.h"

/**
 * DOC: Workloads
 *
 * A workload is a list of steps on a store, each of which is acknowledged or
 * not. What the store holds after each step, as text, is known from a run
 * that nothing disturbs. Whatever happens to the store, it holds afterwards
 * what it held after the last step that was acknowledged, or after the one
 * that was begun then: nothing else.
 */

/**
 * struct work - a store at work
 * @dir: Directory it is in.
 * @store: The store, NULL before the first step.
 * @db: Its collections.
 */
struct work {
	const char *dir;
	struct vdfs_store *store;
	struct vdfs_db *db;
};

/**
 * struct step - one step
 * @fn: Does it; returns 0 or -errno.
 * @a: A name, key or the like.
 * @b: Another one.
 * @size: Of a blob, or how many items.
 * @seed: Of its content.
 * @flags: Of the call.
 */
struct step {
	int (*fn)(struct work *w, const struct step *s);
	const char *a;
	const char *b;
	size_t size;
	unsigned int seed;
	uint32_t flags;
};

/**
 * struct workload - a list of steps
 * @name: What it is called.
 * @steps: The first opens the store; one without a function is the end.
 * @n: How many.
 */
struct workload {
	const char *name;
	const struct step *steps;
	size_t n;
};

/* In a dump, what is said of a blob that is not what was put. */
#define WORK_DAMAGED "CANNOT BE READ"

extern const struct vdfs_who work_who;

const struct workload *workload_find(const char *name);
int work_open(struct work *w, const struct step *s);
int work_reopen(struct work *w, const struct step *s);
void work_close(struct work *w);
void work_fill(char *buf, size_t len, unsigned int seed);
int work_put(struct work *w, const struct step *s);
bool work_damages(const struct step *s);

/* A collection: work_items.c */
int work_create(struct work *w, const struct step *s);
int work_insert(struct work *w, const struct step *s);
int work_update(struct work *w, const struct step *s);
int work_delete(struct work *w, const struct step *s);
int work_save(struct work *w, const struct step *s);
int work_drop(struct work *w, const struct step *s);
int work_dump_items(struct work *w, FILE *out);
int work_use_items(struct work *w);

int work_dump(struct work *w, FILE *out);

#endif /* CRASH_WORK_H */
