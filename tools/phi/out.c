// SPDX-License-Identifier: GPL-2.0-only
/* The fields of a result; see out.h. Text is laid out by out_text.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "out_tree.h"

bool out_json;

static bool lines;

static struct node root = { .kind = NODE_SECTION };
static struct node *open_node = &root;
static struct node *last;

void *must(void *p)
{
	if (!p) {
		fputs("phi: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	return p;
}

static struct node *node_new(enum node_kind kind, const char *key)
{
	struct node *node = must(calloc(1, sizeof(*node)));

	node->kind = kind;
	node->key = key ? must(strdup(key)) : NULL;
	/* In text a time span shows its unit. */
	if (key && !out_json && strlen(key) > 3 &&
	    !strcmp(key + strlen(key) - 3, "_ns"))
		node->key[strlen(key) - 3] = '\0';
	node->parent = open_node;
	if (open_node->tail)
		open_node->tail->next = node;
	else
		open_node->child = node;
	open_node->tail = node;
	last = node;
	return node;
}

static void node_value(const char *key, json_t *json, const char *text,
		       bool right)
{
	struct node *node = node_new(NODE_VALUE, key);

	node->json = must(json);
	node->text = must(strdup(text));
	node->right = right;
}

void out_value(const char *key, json_t *json, const char *text)
{
	node_value(key, json, text, false);
}

void out_u64(const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (value > INT64_MAX)
		node_value(key, json_string(text), text, true);
	else
		node_value(key, json_integer((json_int_t)value), text, true);
}

void out_i64(const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	node_value(key, json_integer(value), text, true);
}

void out_real(const char *key, double value, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", digits, value);
	node_value(key, json_real(value), text, true);
}

void out_unknown(const char *key)
{
	node_value(key, json_null(), "-", true);
}

void out_handle(const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%016" PRIx64, value);
	node_value(key, json_string(text), text, false);
}

/*
 * Controls of ASCII, and those of Latin-1 as UTF-8 writes them, become
 * question marks; so does every byte that is not ASCII when the whole is no
 * UTF-8.
 */
void out_clean(char *text)
{
	json_t *valid = json_string(text);
	unsigned char *c;

	for (c = (unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f || (*c >= 0x80 && !valid)) {
			*c = '?';
		} else if (*c == 0xc2 && c[1] < 0xa0) {
			*c = '?';
			c[1] = '?';
		}
	}
	json_decref(valid);
}

void out_str(const char *key, const char *value)
{
	char *text = must(strdup(value));

	out_clean(text);
	node_value(key, json_string(text), text, false);
	free(text);
}

void out_name(const char *key, const uint8_t *name)
{
	char text[PHI_NAME_MAX + 1] = "";

	memcpy(text, name, PHI_NAME_MAX);
	out_str(key, text);
}

void out_bool(const char *key, bool value)
{
	node_value(key, json_boolean(value), value ? "yes" : "no", false);
}

void out_handles(const char *key, const uint64_t *values, size_t n)
{
	json_t *list = must(json_array());
	char text[24 * PHI_DEPTH_MAX] = "-";
	char word[24];
	size_t len = 0;
	size_t i;

	for (i = 0; i < n && len + sizeof(word) < sizeof(text); i++) {
		snprintf(word, sizeof(word), "0x%016llx",
			 (unsigned long long)values[i]);
		json_array_append_new(list, values[i] ? json_string(word) :
							json_null());
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i ? "," : "",
					values[i] ? word : "elsewhere");
	}
	node_value(key, list, text, false);
}

void out_rights(const char *key, uint32_t rights)
{
	json_t *list = must(json_array());
	unsigned int bit;

	for (bit = 0; right_name(bit); bit++) {
		if (rights & (1U << bit))
			json_array_append_new(list,
					      json_string(right_name(bit)));
	}
	node_value(key, list, rights_text(rights), false);
}

void out_ns(const char *key, uint64_t ns)
{
	out_u64(key, ns);
	out_text("%s", duration_text(ns));
}

static bool printable(const unsigned char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((data[i] < 0x20 && data[i] != '\n' && data[i] != '\t') ||
		    data[i] >= 0x7f)
			return false;
	}
	return true;
}

void out_bytes(const char *key, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	char *hex = must(malloc(2 * len + 1));
	bool is_text = printable(bytes, len);
	char name[64];
	size_t i;

	hex[0] = '\0';
	for (i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);

	if (is_text) {
		node_value(key, json_stringn(data, len), "", false);
		out_text("%.*s", (int)len, (const char *)data);
	} else {
		node_value(key, json_null(), "", false);
		out_text("hex %s", hex);
	}
	if (out_json) {
		snprintf(name, sizeof(name), "%s_hex", key);
		node_value(name, json_string(hex), hex, false);
	}
	free(hex);
}

void out_text(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	free(last->text);
	last->text = must(text);
}

void out_only(void)
{
	last->only = true;
}

void out_section(const char *key)
{
	open_node = node_new(NODE_SECTION, key);
}

void out_table(const char *key, const char *none)
{
	struct node *node = node_new(NODE_TABLE, key);

	node->text = must(strdup(none));
	open_node = node;
}

void out_row(void)
{
	open_node = node_new(NODE_ROW, NULL);
}

void out_close(void)
{
	last = open_node;
	open_node = open_node->parent;
}

static json_t *to_json(const struct node *node)
{
	const struct node *child;
	json_t *json;

	if (node->kind == NODE_VALUE)
		return json_incref(node->json);
	if (node->kind == NODE_TABLE) {
		json = must(json_array());
		for (child = node->child; child; child = child->next)
			json_array_append_new(json, to_json(child));
		return json;
	}
	json = must(json_object());
	for (child = node->child; child; child = child->next)
		json_object_set_new(json, child->key, to_json(child));
	return json;
}

static void forget(struct node *node)
{
	struct node *child = node->child;
	struct node *next;

	for (; child; child = next) {
		next = child->next;
		forget(child);
		free(child);
	}
	json_decref(node->json);
	free(node->text);
	free(node->key);
	memset(node, 0, sizeof(*node));
}

void out_lines(void)
{
	lines = true;
}

int out_end(void)
{
	json_t *json;

	if (out_json) {
		json = to_json(&root);
		json_dumpf(json, stdout,
			   (lines ? JSON_COMPACT : JSON_INDENT(2)) |
				   JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(json);
	} else {
		out_print(&root);
	}
	forget(&root);
	root.kind = NODE_SECTION;
	open_node = &root;

	if (fflush(stdout) || ferror(stdout))
		return fail_because(NULL, strerror(errno),
				    "write the result to stdout");
	return EXIT_OK;
}
