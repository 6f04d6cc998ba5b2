// SPDX-License-Identifier: GPL-2.0-only
/* An item a line, as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_impl.h"

#define LINE "line %" PRIu64 ": "

/* The next line, without its end: 1, or 0 when there is none. */
static int next_line(struct vdfs_import *im, size_t *len)
{
	char *end = NULL;
	size_t have = 0;
	int ret;

	while (!end) {
		ret = vdfs_import_need(im, have + 1);
		if (ret < 0)
			return ret;
		if (!ret) {
			*len = have;
			return have > 0;
		}
		end = memchr(im->buf + im->start + have, '\n',
			     im->end - im->start - have);
		have = im->end - im->start;
		if ((end ? (size_t)(end - im->buf) - im->start : have) >
		    IMPORT_LINE)
			return vdfs_import_fail(im, -E2BIG,
						LINE "longer than %zu MiB",
						im->row + 1, IMPORT_LINE >> 20);
	}
	*len = (size_t)(end - im->buf) - im->start;
	return 1;
}

static bool is_blank(const char *line, size_t len)
{
	while (len && strchr(" \t\r", line[len - 1]))
		len--;
	return !len;
}

static int take_vector(struct vdfs_import *im, size_t i, json_t *vector)
{
	float *out;
	size_t d;
	int ret;

	if (!json_is_array(vector))
		return vdfs_import_fail(im, -EINVAL,
					LINE
					"\"vector\" is missing, or no list",
					im->row);
	if (!im->dim) {
		ret = vdfs_import_set_dim(im, json_array_size(vector));
		if (ret)
			return ret;
	}
	if (json_array_size(vector) != im->dim)
		return vdfs_import_fail(
			im, -EMSGSIZE,
			LINE "%zu elements, those before have %" PRIu32,
			im->row, json_array_size(vector), im->dim);
	out = im->vectors + i * im->dim;
	for (d = 0; d < im->dim; d++) {
		json_t *x = json_array_get(vector, d);

		out[d] = (float)json_number_value(x) + im->options.shift;
		if (!json_is_number(x) || !isfinite(out[d]))
			return vdfs_import_fail(
				im, -EDOM,
				LINE "element %zu is no finite f32 number",
				im->row, d + 1);
	}
	im->items[i] = (struct vdfs_item){ .vector = out, .dim = im->dim };
	return 0;
}

static int take_key(struct vdfs_import *im, size_t i, json_t *json)
{
	json_t *key = json_object_get(json, "key");
	json_t *id = json_object_get(json, "id");
	int ret;

	if (key && id)
		return vdfs_import_fail(
			im, -EINVAL, LINE "both \"id\" and \"key\"", im->row);
	key = key ? key : id;
	if (!key) {
		/* Lines count from 1, rows from 0. */
		im->row--;
		ret = vdfs_import_number(im, i);
		im->row++;
		return ret;
	}
	if (json_is_string(key))
		im->texts[2 * i] = strdup(json_string_value(key));
	else if (!json_is_integer(key))
		return vdfs_import_fail(
			im, -EINVAL,
			LINE "the key is neither a string nor an integer",
			im->row);
	else if (asprintf(&im->texts[2 * i], "%" JSON_INTEGER_FORMAT,
			  json_integer_value(key)) < 0)
		im->texts[2 * i] = NULL;
	im->items[i].key = im->texts[2 * i];
	if (!im->items[i].key)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	if (!*im->items[i].key)
		return vdfs_import_fail(im, -EINVAL, LINE "an empty key",
					im->row);
	if (strlen(im->items[i].key) > VDFS_KEY_MAX)
		return vdfs_import_fail(im, -E2BIG,
					LINE "a key of more than %d bytes",
					im->row, VDFS_KEY_MAX);
	return 0;
}

/*
 * The value behind "metadata": as it is written, so that numbers keep their
 * digits. The line is JSON, that is known.
 */
static char *raw_metadata(const char *line, size_t len)
{
	const char *name = NULL;
	const char *begin = NULL;
	int depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (line[i] == '"') {
			name = line + i;
			while (line[++i] != '"')
				i += line[i] == '\\';
			if (depth != 1 || strncmp(name, "\"metadata\"", 10))
				name = NULL;
		} else if (line[i] == '{' || line[i] == '[') {
			if (++depth == 2 && name)
				begin = line + i;
		} else if (line[i] == '}' || line[i] == ']') {
			if (--depth == 1 && begin)
				return strndup(begin,
					       (size_t)(line + i + 1 - begin));
		} else if (line[i] == ',') {
			name = NULL;
		}
	}
	return NULL;
}

static int take_metadata(struct vdfs_import *im, size_t i, json_t *json,
			 const char *line, size_t len)
{
	json_t *metadata = json_object_get(json, "metadata");

	if (!metadata)
		return 0;
	if (!json_is_object(metadata))
		return vdfs_import_fail(
			im, -EINVAL, LINE "\"metadata\" is no object", im->row);
	im->texts[2 * i + 1] = raw_metadata(line, len);
	/* Its name may be written with escapes. */
	if (!im->texts[2 * i + 1])
		im->texts[2 * i + 1] = json_dumps(metadata, JSON_COMPACT);
	im->items[i].metadata = im->texts[2 * i + 1];
	if (!im->items[i].metadata)
		return vdfs_import_fail(im, -ENOMEM, "no memory");
	if (strlen(im->items[i].metadata) > VDFS_METADATA_MAX)
		return vdfs_import_fail(im, -E2BIG,
					LINE "metadata of more than %d bytes",
					im->row, VDFS_METADATA_MAX);
	return 0;
}

static int check_fields(struct vdfs_import *im, json_t *json)
{
	static const char *const known[] = { "id", "key", "vector",
					     "metadata" };
	const char *field;
	json_t *value;
	size_t i;

	json_object_foreach(json, field, value) {
		for (i = 0; i < 4 && strcmp(field, known[i]); i++)
			continue;
		if (i == 4)
			return vdfs_import_fail(
				im, -EINVAL,
				LINE
				"\"%.64s\" is none of id, key, vector, metadata",
				im->row, field);
	}
	return 0;
}

static int take_line(struct vdfs_import *im, size_t i, const char *line,
		     size_t len)
{
	json_error_t error;
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	int ret = 0;

	if (!json)
		return vdfs_import_fail(im, -EINVAL, LINE "column %d: %.100s",
					im->row, error.column, error.text);
	if (!json_is_object(json))
		ret = vdfs_import_fail(im, -EINVAL, LINE "this is no object",
				       im->row);
	if (!ret)
		ret = check_fields(im, json);
	if (!ret)
		ret = take_vector(im, i, json_object_get(json, "vector"));
	if (!ret)
		ret = take_key(im, i, json);
	if (!ret)
		ret = vdfs_import_key(im, im->items[i].key);
	if (!ret)
		ret = take_metadata(im, i, json, line, len);
	json_decref(json);
	if (ret)
		return ret;
	im->places[i] = im->row;
	return 1;
}

/**
 * vdfs_import_line() - read an item from the next line that is not blank
 * @im: The file.
 * @i: Its place in the batch.
 *
 * Return: 1, 0 when there are no more, or a negative errno.
 */
int vdfs_import_line(struct vdfs_import *im, size_t i)
{
	const char *line;
	size_t len = 0;
	int ret;

	do {
		ret = next_line(im, &len);
		if (ret <= 0)
			return ret;
		im->row++;
		line = im->buf + im->start;
		im->start += len;
		im->start += im->start < im->end;
	} while (is_blank(line, len));
	return take_line(im, i, line, len);
}
