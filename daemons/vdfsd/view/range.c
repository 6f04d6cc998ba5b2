// SPDX-License-Identifier: GPL-2.0-only
/* Sets of ranges of bytes, which may overlap: a tree by where they begin. */
#include <stddef.h>

#include "range_impl.h"

/* Ranges of one start are in the order of their addresses. */
static bool before(const struct vdfs_range *a, const struct vdfs_range *b)
{
	return a->start < b->start ||
	       (a->start == b->start && (uintptr_t)a < (uintptr_t)b);
}

static void update(struct vdfs_range *range)
{
	range->most = range->end;
	if (range->left && range->left->most > range->most)
		range->most = range->left->most;
	if (range->right && range->right->most > range->most)
		range->most = range->right->most;
}

/* Divide a set into what is before a range, and the rest. */
static void split(struct vdfs_range *set, const struct vdfs_range *at,
		  struct vdfs_range **low, struct vdfs_range **high)
{
	if (!set) {
		*low = NULL;
		*high = NULL;
		return;
	}
	if (before(set, at)) {
		split(set->right, at, &set->right, high);
		*low = set;
	} else {
		split(set->left, at, low, &set->left);
		*high = set;
	}
	update(set);
}

/* One set of two, the first of which is before the second. */
static struct vdfs_range *join(struct vdfs_range *low, struct vdfs_range *high)
{
	if (!low || !high)
		return low ? low : high;
	if (low->rank > high->rank) {
		low->right = join(low->right, high);
		update(low);
		return low;
	}
	high->left = join(low, high->left);
	update(high);
	return high;
}

/**
 * vdfs_range_add() - add a range to a set
 * @set: The set.
 * @range: The range, its rank drawn by chance. It is in no set.
 */
void vdfs_range_add(struct vdfs_range **set, struct vdfs_range *range)
{
	struct vdfs_range *low, *high;

	range->left = NULL;
	range->right = NULL;
	update(range);
	split(*set, range, &low, &high);
	*set = join(join(low, range), high);
}

/**
 * vdfs_range_remove() - take a range out of a set
 * @set: The set.
 * @range: One that is in it, as it was when it was added.
 */
void vdfs_range_remove(struct vdfs_range **set, struct vdfs_range *range)
{
	if (*set == range) {
		*set = join(range->left, range->right);
		return;
	}
	vdfs_range_remove(before(range, *set) ? &(*set)->left : &(*set)->right,
			  range);
	update(*set);
}

/**
 * vdfs_range_find() - find a range that has bytes in common with another
 * @set: The set.
 * @start: First byte of the other.
 * @end: Its last byte.
 * @fn: Is it one that is looked for? Called until it says so, and only for
 *      ranges that have such bytes.
 * @arg: Second argument of @fn.
 *
 * Return: The first by where they begin, or NULL.
 */
struct vdfs_range *vdfs_range_find(struct vdfs_range *set, uint64_t start,
				   uint64_t end, vdfs_range_fn *fn,
				   const void *arg)
{
	struct vdfs_range *found;

	if (!set || set->most < start)
		return NULL;
	found = vdfs_range_find(set->left, start, end, fn, arg);
	if (found)
		return found;
	if (set->start > end)
		return NULL;
	if (set->end >= start && fn(set, arg))
		return set;
	return vdfs_range_find(set->right, start, end, fn, arg);
}
