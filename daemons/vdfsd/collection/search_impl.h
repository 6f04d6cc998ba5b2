/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_COLLECTION_SEARCH_H
#define VDFS_COLLECTION_SEARCH_H

#include "collection_impl.h"

/**
 * struct vdfs_hit - something that was found
 * @id: Of the item.
 * @dist: How far it is.
 * @key: Of the item.
 */
struct vdfs_hit {
	uint64_t id;
	float dist;
	char *key;
};

/**
 * struct vdfs_finding - a search on its way
 * @core: Where.
 * @how: The search, as it was asked for.
 * @filter: It, read; NULL = none.
 * @own: @filter was read for this search alone.
 * @row: Room for a vector, when they are wanted.
 * @fn: Is given the answers.
 * @arg: For @fn.
 * @graph: The index.
 * @query: The question to the index.
 * @exact: Look at all.
 * @quiet: No change was on its way to the index when it began,
 * @started: and so many had begun.
 * @kept: The subset when it is kept for others, else it is this search's.
 * @ids: Found, nearest first, shape [n].
 * @dist: Of these.
 * @n: How many; more than asked for when the last ones are equally near.
 * @tied: More are as near as the last one than the index can tell.
 * @gone: An item that was found has been deleted meanwhile.
 * @again: Nothing was given, start again.
 * @tries: How often it was tried.
 * @hit: Answers, nearest first, shape [hits].
 * @hits: How many.
 */
struct vdfs_finding {
	struct vdfs_core *core;
	const struct vdfs_search *how;
	const struct vdfs_filter *filter;
	struct vdfs_filter *own;
	float *row;
	vdfs_item_fn *fn;
	void *arg;
	struct vdfs_graph *graph;
	struct vdfs_query query;
	bool exact;
	bool quiet;
	unsigned long started;
	struct vdfs_kept *kept;
	uint64_t *ids;
	float *dist;
	uint32_t n;
	bool tied;
	bool gone;
	bool again;
	unsigned int tries;
	struct vdfs_hit *hit;
	uint32_t hits;
};

/* subset.c */
void vdfs_finding_watch(struct vdfs_finding *f, struct sqlite3 *db);
int vdfs_finding_filter(struct vdfs_finding *f, struct sqlite3 *db,
			const struct vdfs_core_state *state);
void vdfs_finding_unfilter(struct vdfs_finding *f);
int vdfs_finding_ties(struct vdfs_finding *f, struct sqlite3 *db);

#endif /* VDFS_COLLECTION_SEARCH_H */
