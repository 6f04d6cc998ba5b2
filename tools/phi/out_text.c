// SPDX-License-Identifier: GPL-2.0-only
/* A result as text: names in one column, tables in as many as they need. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "out_tree.h"

#define COLUMNS_MAX 24
#define GAP 2

/* Columns that a string fills: the bytes that begin a character. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void spaces(int n)
{
	for (; n > 0; n--)
		putchar(' ');
}

/* "max_batch" -> "max batch", or "MAX-BATCH" over a table. */
static void put_key(const char *key, bool header)
{
	for (; *key; key++) {
		if (*key == '_')
			putchar(header ? '-' : ' ');
		else
			putchar(header ? toupper((unsigned char)*key) : *key);
	}
}

static void put_cell(const char *text, int fill, bool right, bool end)
{
	if (right)
		spaces(fill - width(text));
	fputs(text, stdout);
	if (!right && !end)
		spaces(fill - width(text));
	if (!end)
		spaces(GAP);
}

static void print_table(const struct node *table, int indent)
{
	const struct node *row = table->child;
	int fill[COLUMNS_MAX] = { 0 };
	const struct node *cell;
	int i;

	if (!row) {
		spaces(indent);
		puts(table->text);
		return;
	}
	for (; row; row = row->next) {
		for (i = 0, cell = row->child; cell && i < COLUMNS_MAX;
		     cell = cell->next, i++) {
			if (width(cell->key) > fill[i])
				fill[i] = width(cell->key);
			if (width(cell->text) > fill[i])
				fill[i] = width(cell->text);
		}
	}

	spaces(indent);
	row = table->child;
	for (i = 0, cell = row->child; cell && i < COLUMNS_MAX;
	     cell = cell->next, i++) {
		if (cell->right)
			spaces(fill[i] - width(cell->key));
		put_key(cell->key, true);
		if (!cell->next)
			break;
		if (!cell->right)
			spaces(fill[i] - width(cell->key));
		spaces(GAP);
	}
	putchar('\n');
	for (; row; row = row->next) {
		spaces(indent);
		for (i = 0, cell = row->child; cell && i < COLUMNS_MAX;
		     cell = cell->next, i++)
			put_cell(cell->text, fill[i], cell->right, !cell->next);
		putchar('\n');
	}
}

static const struct node *find_only(const struct node *section)
{
	const struct node *child;

	for (child = section->child; child; child = child->next) {
		if (child->only)
			return child;
	}
	return NULL;
}

/* The lines of a text after its first stand below that. */
static void put_lines(const char *text, int indent)
{
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			spaces(indent);
	}
	putchar('\n');
}

static void print_section(const struct node *section, int indent)
{
	const struct node *child;
	int fill = 0;
	bool alone;

	for (child = section->child; child; child = child->next) {
		if (child->kind == NODE_VALUE && width(child->key) > fill)
			fill = width(child->key);
	}
	for (child = section->child; child; child = child->next) {
		if (child->kind == NODE_VALUE) {
			spaces(indent);
			put_key(child->key, false);
			spaces(fill - width(child->key) + GAP);
			put_lines(child->text, indent + fill + GAP);
			continue;
		}
		/* A table that is all there is needs no title. */
		alone = child == section->child && !child->next && !indent;
		if (!alone) {
			if (child != section->child)
				putchar('\n');
			spaces(indent);
			put_key(child->key, false);
			putchar('\n');
		}
		if (child->kind == NODE_TABLE)
			print_table(child, alone ? 0 : indent + GAP);
		else
			print_section(child, indent + GAP);
	}
}

void out_print(const struct node *root)
{
	const struct node *only = find_only(root);

	if (only)
		puts(only->text);
	else
		print_section(root, 0);
}
