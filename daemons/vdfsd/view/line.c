// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of those who wait, the first of whom came first. Two lines become one
 * in a step, however many wait in them, and one leaves a line in a number of
 * steps that is, over many, about the logarithm of their number.
 */
#include <stddef.h>

#include "line_impl.h"

/* One line of two, each NULL or the first of its line. */
static struct vdfs_waiter *meld(struct vdfs_waiter *a, struct vdfs_waiter *b)
{
	struct vdfs_waiter *first = a, *second = b;

	if (!a || !b)
		return a ? a : b;
	if (b->came < a->came) {
		first = b;
		second = a;
	}
	second->next = first->behind;
	if (second->next)
		second->next->back = second;
	second->back = first;
	first->behind = second;
	return first;
}

/* The first of @list, cut off from what it hung from; @list: the rest. */
static struct vdfs_waiter *take(struct vdfs_waiter **list)
{
	struct vdfs_waiter *one = *list;

	if (!one)
		return NULL;
	*list = one->next;
	one->next = NULL;
	one->back = NULL;
	return one;
}

/*
 * One line of all that hung from the same place: two by two, then from the last
 * pair to the first. Melded one after the other they would stay a long list.
 */
static struct vdfs_waiter *meld_all(struct vdfs_waiter *list)
{
	struct vdfs_waiter *pairs = NULL, *line = NULL, *pair;

	while (list) {
		struct vdfs_waiter *one = take(&list);

		pair = meld(one, take(&list));
		pair->next = pairs;
		pairs = pair;
	}
	while ((pair = take(&pairs)))
		line = meld(line, pair);
	return line;
}

/**
 * vdfs_line_add() - line up
 * @line: The line.
 * @waiter: One that is in no line, behind those that came before it.
 */
void vdfs_line_add(struct vdfs_waiter **line, struct vdfs_waiter *waiter)
{
	waiter->behind = NULL;
	waiter->next = NULL;
	waiter->back = NULL;
	*line = meld(*line, waiter);
}

/**
 * vdfs_line_join() - move all of a line to another one
 * @line: The line that they move to.
 * @other: The line that they leave: nobody is in it afterwards.
 */
void vdfs_line_join(struct vdfs_waiter **line, struct vdfs_waiter **other)
{
	*line = meld(*line, *other);
	*other = NULL;
}

/**
 * vdfs_line_remove() - take one out of a line
 * @line: The line.
 * @waiter: One that is in it, the first or any other.
 */
void vdfs_line_remove(struct vdfs_waiter **line, struct vdfs_waiter *waiter)
{
	struct vdfs_waiter *rest = meld_all(waiter->behind);

	waiter->behind = NULL;
	if (!waiter->back) {
		*line = rest;
		return;
	}
	if (waiter->back->behind == waiter)
		waiter->back->behind = waiter->next;
	else
		waiter->back->next = waiter->next;
	if (waiter->next)
		waiter->next->back = waiter->back;
	*line = meld(*line, rest);
}
