// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of a policy's maps, read and written by the types that the map
 * carries: a number, or the fields of a struct with commas between, each
 * "name=value" or just the value, in order.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/btf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "out_tree.h"
#include "policy.h"

#define FIELDS_MAX 128
/* The ENOTSUPP of the kernel: a map that has no keys, a ring buffer. */
#define NO_WALK 524

/* One scalar of a key or a value. */
struct field {
	const char *name; /* "" for a key or value that is one scalar */
	uint32_t offset;
	uint32_t size;
	bool text; /* a string that fills size bytes */
	bool sign;
};

struct fields {
	unsigned int n;
	struct field at[FIELDS_MAX];
};

static void add(struct fields *fields, const char *name, uint32_t offset,
		uint32_t size, bool text, bool sign)
{
	if (fields->n < FIELDS_MAX)
		fields->at[fields->n++] =
			(struct field){ name, offset, size, text, sign };
}

static bool is_char(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t =
		btf__type_by_id(btf, btf__resolve_type(btf, id));

	return t && btf_is_int(t) && t->size == 1 &&
	       !strcmp(btf__name_by_offset(btf, t->name_off), "char");
}

/* List the scalars of a type, those of structs and arrays inside it too. */
static void flatten(const struct btf *btf, uint32_t id, const char *name,
		    uint32_t offset, struct fields *fields)
{
	const struct btf_type *t;
	const struct btf_member *member;
	const struct btf_array *array;
	uint32_t size;
	uint32_t i;

	id = (uint32_t)btf__resolve_type(btf, id);
	t = btf__type_by_id(btf, id);
	if (!t)
		return;
	if (btf_is_composite(t)) {
		member = btf_members(t);
		for (i = 0; i < btf_vlen(t); i++, member++)
			flatten(btf, member->type,
				btf__name_by_offset(btf, member->name_off),
				offset + member->offset / 8, fields);
	} else if (btf_is_array(t)) {
		array = btf_array(t);
		size = (uint32_t)btf__resolve_size(btf, array->type);
		if (is_char(btf, array->type)) {
			add(fields, name, offset, size * array->nelems, true,
			    false);
			return;
		}
		for (i = 0; i < array->nelems; i++)
			flatten(btf, array->type, name, offset + i * size,
				fields);
	} else if (btf_is_int(t)) {
		add(fields, name, offset, t->size, false,
		    btf_int_encoding(t) & BTF_INT_SIGNED);
	} else if (btf_is_any_enum(t)) {
		add(fields, name, offset, t->size, false, false);
	}
}

/* Description of a map and of the fields of its keys and values. */
struct layout {
	struct bpf_map_info info;
	struct btf *btf;
	struct fields key;
	struct fields value;
};

static int layout_get(int map, struct layout *layout)
{
	uint32_t len = sizeof(layout->info);
	int ret;

	memset(layout, 0, sizeof(*layout));
	ret = bpf_map_get_info_by_fd(map, &layout->info, &len);
	if (ret)
		return ret;
	if (layout->info.btf_id)
		layout->btf = btf__load_from_kernel_by_id(layout->info.btf_id);
	if (layout->btf) {
		if (layout->info.btf_key_type_id)
			flatten(layout->btf, layout->info.btf_key_type_id, "",
				0, &layout->key);
		if (layout->info.btf_value_type_id)
			flatten(layout->btf, layout->info.btf_value_type_id, "",
				0, &layout->value);
	}
	/* A map that does not say: one number if it can be one. */
	if (!layout->key.n && layout->info.key_size <= 8)
		add(&layout->key, "", 0, layout->info.key_size, false, false);
	if (!layout->value.n && layout->info.value_size <= 8)
		add(&layout->value, "", 0, layout->info.value_size, false,
		    false);
	return 0;
}

static bool put_number(const struct field *field, const char *text, void *data)
{
	uint64_t value;
	char *end;

	if (!strcmp(text, "any")) {
		memset((char *)data + field->offset, 0xff, field->size);
		return true;
	}
	errno = 0;
	value = *text == '-' ? (uint64_t)strtoll(text, &end, 0) :
			       strtoull(text, &end, 0);
	if (errno || end == text || *end)
		return false;
	if (field->size < 8) {
		uint64_t high = value >> (8 * field->size);
		bool negative = *text == '-';

		if (negative ? ~value >> (8 * field->size - 1) : high)
			return false;
	}
	memcpy((char *)data + field->offset, &value, field->size);
	return true;
}

static bool put_field(const struct field *field, const char *text, void *data)
{
	if (!field->text)
		return put_number(field, text, data);
	if (strlen(text) >= field->size)
		return false;
	memcpy((char *)data + field->offset, text, strlen(text));
	return true;
}

/* "give nr,uid,agent" */
static void names(const struct fields *fields, char *list, size_t room)
{
	size_t used = (size_t)snprintf(list, room, "give");
	unsigned int i;

	for (i = 0; i < fields->n && used < room; i++)
		used += (size_t)snprintf(
			list + used, room - used, "%c%s", i ? ',' : ' ',
			*fields->at[i].name ? fields->at[i].name : "a number");
}

/* Read "1,burst=5,..." into data; says what is wrong. */
static int parse(const struct fields *fields, char *text, void *data)
{
	unsigned int given = 0;
	unsigned int next = 0;
	char *save = NULL;
	char list[256];
	char *value;
	char *word;
	unsigned int i;

	for (word = strtok_r(text, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		value = strchr(word, '=');
		i = next;
		if (value) {
			*value++ = '\0';
			for (i = 0; i < fields->n; i++) {
				if (!strcmp(fields->at[i].name, word))
					break;
			}
		}
		if (i >= fields->n)
			return fail_because(
				NULL,
				value ? "there is no such field" :
					"there are more values than fields",
				"set '%s'", word);
		if (!put_field(&fields->at[i], value ? value : word, data))
			return fail_because(
				"give a number that fits, or a short text",
				"it does not fit the field", "set '%s'",
				value ? value : word);
		next = i + 1;
		given++;
	}
	if (given == fields->n)
		return EXIT_OK;
	names(fields, list, sizeof(list));
	return fail_because(list, "fields are missing", "set an entry");
}

static bool per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static size_t value_room(const struct bpf_map_info *info)
{
	size_t size = (info->value_size + 7) / 8 * 8;
	int cpus = libbpf_num_possible_cpus();

	if (!per_cpu(info->type) || cpus < 1)
		return size;
	return size * (size_t)cpus;
}

int entry_set(int map, const char *name, const char *entry)
{
	struct layout layout;
	char *copy = must(strdup(entry));
	char *colon = strchr(copy, ':');
	void *value = NULL;
	void *key = NULL;
	int ret = EXIT_FAILED;

	if (!colon) {
		fail_because("write it as MAP=KEY:VALUE", "there is no colon",
			     "set '%s' in map %s", entry, name);
		goto out_copy;
	}
	*colon = '\0';
	ret = layout_get(map, &layout);
	if (ret) {
		ret = fail(ret, "look at the map %s", name);
		goto out_copy;
	}
	key = must(calloc(1, layout.info.key_size + 8));
	value = must(calloc(1, value_room(&layout.info) + 8));
	ret = EXIT_FAILED;
	if (parse(&layout.key, copy, key) ||
	    parse(&layout.value, colon + 1, value))
		goto out_layout;
	ret = bpf_map_update_elem(map, key, value, BPF_ANY);
	if (ret == -E2BIG)
		ret = fail_because("remove entries, or use another key",
				   "the map is full, or has no such index",
				   "set '%s' in map %s", entry, name);
	else if (ret)
		ret = fail_because(NULL, strerror(-ret), "set '%s' in map %s",
				   entry, name);
out_layout:
	btf__free(layout.btf);
	free(value);
	free(key);
out_copy:
	free(copy);
	return ret;
}

/* Sum over processors of what fields are numbers; others: the first's. */
static uint64_t number(const struct field *field, const char *data,
		       size_t stride, size_t copies)
{
	uint64_t sum = 0;
	uint64_t one;
	size_t i;

	for (i = 0; i < copies; i++) {
		one = 0;
		memcpy(&one, data + i * stride + field->offset,
		       field->size > 8 ? 8 : field->size);
		if (field->sign && field->size < 8 &&
		    one >> (8 * field->size - 1))
			one |= ~0ULL << (8 * field->size);
		sum += one;
	}
	return sum;
}

static void out_fields(const char *key, const struct fields *fields,
		       const char *data, size_t stride, size_t copies)
{
	json_t *object = must(json_object());
	size_t room = 4096;
	char *text = must(calloc(1, room));
	const struct field *field;
	size_t used = 0;
	char word[PHI_NAME_MAX + 1];
	json_t *old;
	json_t *json;
	unsigned int i;
	uint64_t n;

	for (i = 0; i < fields->n; i++) {
		field = &fields->at[i];
		if (field->text) {
			snprintf(word, sizeof(word), "%.*s", (int)field->size,
				 data + field->offset);
			out_clean(word);
			json = json_string(word);
		} else {
			n = number(field, data, stride, copies);
			snprintf(word, sizeof(word),
				 field->sign ? "%lld" : "%llu", (long long)n);
			json = json_integer((json_int_t)n);
		}
		/* A name that comes again is an array. */
		old = json_object_get(object, field->name);
		if (json_is_array(old)) {
			json_array_append_new(old, json);
		} else if (old) {
			json = json_pack("[O,o]", old, json);
			json_object_set_new(object, field->name, json);
		} else {
			json_object_set_new(object, field->name, json);
		}
		if (used + sizeof(word) + strlen(field->name) + 4 > room)
			continue;
		if (old)
			used += (size_t)sprintf(text + used, ",%s", word);
		else
			used += (size_t)sprintf(text + used, "%s%s%s%s",
						used ? " " : "", field->name,
						*field->name ? "=" : "", word);
	}
	if (fields->n == 1 && !*fields->at[0].name) {
		json = json_incref(json_object_get(object, ""));
		json_decref(object);
		object = json;
	}
	out_value(key, object, text);
	free(text);
}

static bool all_zero(const char *data, size_t len)
{
	while (len) {
		if (data[--len])
			return false;
	}
	return true;
}

int map_rows(int map, const char *name)
{
	struct layout layout;
	size_t stride;
	size_t room;
	char *value;
	char *next;
	char *key;
	int ret;

	ret = layout_get(map, &layout);
	if (ret)
		return ret;
	/* .rodata and its like, which bpftool pins too. */
	if (strchr(layout.info.name, '.')) {
		btf__free(layout.btf);
		return 0;
	}
	room = value_room(&layout.info);
	stride = (layout.info.value_size + 7) / 8 * 8;
	value = must(calloc(1, room + 8));
	key = must(calloc(2, layout.info.key_size + 8));
	next = key + layout.info.key_size + 8;

	ret = bpf_map_get_next_key(map, NULL, next);
	while (!ret) {
		memcpy(key, next, layout.info.key_size);
		ret = bpf_map_lookup_elem(map, key, value);
		/* Untouched slots of an array say nothing. */
		if (!ret && !all_zero(value, room)) {
			out_row();
			out_str("map", name);
			out_fields("key", &layout.key, key, 0, 1);
			out_fields("value", &layout.value, value, stride,
				   room / stride);
			out_close();
		}
		ret = bpf_map_get_next_key(map, key, next);
	}
	btf__free(layout.btf);
	free(value);
	free(key);
	return ret == -ENOENT || ret == -NO_WALK ? 0 : ret;
}
