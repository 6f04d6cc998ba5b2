/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PHI_CLI_OUT_TREE_H
#define PHI_CLI_OUT_TREE_H

#include <jansson.h>

#include "out.h"

/* Between out.c, which builds the tree, and out_text.c, which prints it. */

enum node_kind { NODE_VALUE, NODE_SECTION, NODE_TABLE, NODE_ROW };

/**
 * struct node - a part of a result
 * @kind: Kind of the part.
 * @right: A value that belongs to the right of its column.
 * @only: A value that is all there is to print, in text.
 * @key: Its name; NULL for rows and the root.
 * @text: A value in text; of a table, what to say when it is empty.
 * @json: A value in JSON.
 * @parent: The part that contains it.
 * @next: The next part of that.
 * @child: Its own first part.
 * @tail: Its own last part.
 */
struct node {
	enum node_kind kind;
	bool right;
	bool only;
	char *key;
	char *text;
	json_t *json;
	struct node *parent;
	struct node *next;
	struct node *child;
	struct node *tail;
};

/**
 * out_print() - print a tree as text
 * @root: Tree.
 */
void out_print(const struct node *root);

/**
 * out_value() - a field given as JSON and as text
 * @key: Its name.
 * @json: It, taken over.
 * @text: It, for people.
 */
void out_value(const char *key, json_t *json, const char *text);

/**
 * must() - end the program when memory ran out
 * @p: Result of an allocation.
 *
 * Return: @p, not NULL.
 */
void *must(void *p);

#endif /* PHI_CLI_OUT_TREE_H */
