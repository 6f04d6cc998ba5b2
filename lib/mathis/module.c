// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file of a module: header, table of sections, sections, checksums.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "module.h"

#define HEADER 32
#define SECTION_HEADER 16
#define TRAILER 5
#define SECTIONS_MAX 16
#define TRAILER_CRC32 1

/* In the order in which they are read: a section uses those above it. */
static const struct {
	enum mathis_section nr;
	const char *name;
	int (*load)(struct mathis_module *m, struct mathis_part part);
} sections[] = {
	{ SECTION_CONST, "constants", mathis_load_consts },
	{ SECTION_TYPES, "types", mathis_load_types },
	{ SECTION_GLOBALS, "globals", mathis_load_globals },
	{ SECTION_CODE, "code", mathis_load_code },
	{ SECTION_META, "ai_meta", mathis_load_meta },
	{ SECTION_FUNCS, "functions", mathis_load_funcs },
	{ SECTION_DEBUG, "debug", mathis_load_debug },
	{ SECTION_SYMBOLS, "symbols", mathis_load_symbols },
	{ SECTION_IMPORTS, "imports", mathis_load_imports },
	{ SECTION_EXPORTS, "exports", mathis_load_exports },
	{ SECTION_CUSTOM, "custom", mathis_load_custom },
};

#define N_SECTIONS (sizeof(sections) / sizeof(*sections))

/*
 * Read a count and allocate that many elements of @size bytes; an element
 * takes at least @entry bytes of the file, which bounds the allocation.
 */
void *mathis_array(struct mathis_module *m, struct mathis_reader *r,
		   uint32_t *count, size_t entry, size_t size, int *err)
{
	uint32_t n = mathis_get(r, 4);
	void *array;

	*err = 0;
	if (r->bad || n > mathis_left(r) / entry) {
		*err = mathis_bad(m, "a count of %u is past the section", n);
		return NULL;
	}
	if (!n)
		return NULL;
	array = calloc(n, size);
	if (!array) {
		*err = mathis_fail(m->error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
		return NULL;
	}
	*count = n;
	return array;
}

static int find_section(unsigned int nr)
{
	for (size_t i = 0; i < N_SECTIONS; i++) {
		if (sections[i].nr == nr)
			return i;
	}
	return -ENOENT;
}

/* Read one row of the table into parts[]. */
static int read_row(struct mathis_module *m, struct mathis_reader *r,
		    struct mathis_part *parts, size_t least)
{
	unsigned int nr = mathis_get(r, 1);
	unsigned int flags = mathis_get(r, 1);
	unsigned int reserved = mathis_get(r, 2);
	uint32_t offset = mathis_get(r, 4);
	uint32_t size = mathis_get(r, 4);
	uint32_t crc = mathis_get(r, 4);
	int i = find_section(nr);

	if (i < 0)
		return mathis_bad(m, "section type %u is unknown", nr);
	if (flags)
		return mathis_fail(m->error, -EOPNOTSUPP, MATHIS_UNSUPPORTED,
				   "section %s has flags %#x", sections[i].name,
				   flags);
	if (reserved)
		return mathis_bad(m, "section %s has a reserved field %#x",
				  sections[i].name, reserved);
	if (parts[i].data)
		return mathis_bad(m, "section %s stands there twice",
				  sections[i].name);
	if (offset < least || offset > m->size - TRAILER ||
	    size > m->size - TRAILER - offset)
		return mathis_bad(m, "section %s is outside the file",
				  sections[i].name);
	if (mathis_crc32(m->data + offset, size) != crc)
		return mathis_bad(m, "section %s has a wrong checksum",
				  sections[i].name);
	parts[i].data = m->data + offset;
	parts[i].size = size;
	return 0;
}

static int check_overlaps(struct mathis_module *m,
			  const struct mathis_part *parts)
{
	for (size_t i = 0; i < N_SECTIONS; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!parts[i].size || !parts[j].size ||
			    parts[i].data >= parts[j].data + parts[j].size ||
			    parts[j].data >= parts[i].data + parts[i].size)
				continue;
			return mathis_bad(m, "sections %s and %s overlap",
					  sections[j].name, sections[i].name);
		}
	}
	return 0;
}

/* The name is the offset of its text in the section of constants. */
static int find_name(struct mathis_module *m, const struct mathis_part *consts,
		     uint32_t offset)
{
	m->name = MATHIS_NONE_IDX;
	if (!offset)
		return 0;
	for (uint32_t i = 0; i < m->n_consts; i++) {
		if (m->consts[i].kind == KIND_STR &&
		    m->consts[i].s.data ==
			    (const char *)consts->data + offset + 4) {
			m->name = i;
			return 0;
		}
	}
	return mathis_bad(m, "the name of the module is no constant");
}

static int read_file(struct mathis_module *m)
{
	struct mathis_reader r = { m->data, m->data + m->size, false };
	struct mathis_part parts[N_SECTIONS] = { 0 };
	unsigned int major, minor, count;
	uint32_t name;
	int ret = 0;

	if (m->size < HEADER + TRAILER || memcmp(mathis_take(&r, 4), "MASM", 4))
		return mathis_bad(m, "no MATHIS module");
	major = mathis_get(&r, 2);
	minor = mathis_get(&r, 2);
	if (major != 1 || minor)
		return mathis_fail(m->error, -EOPNOTSUPP, MATHIS_UNSUPPORTED,
				   "version %u.%u is unknown", major, minor);
	m->flags = mathis_get(&r, 4);
	count = mathis_get(&r, 2);
	m->entry = mathis_get(&r, 4);
	name = mathis_get(&r, 4);
	m->time = mathis_get(&r, 8);
	if (m->flags & ~FILE_ALL || mathis_get(&r, 2))
		return mathis_bad(m, "unknown flags, or a reserved field");
	if (m->data[m->size - TRAILER] != TRAILER_CRC32)
		return mathis_bad(m, "unknown kind of checksum");
	r.p = m->data + m->size - 4;
	if (mathis_crc32(m->data, m->size - 4) != mathis_get(&r, 4))
		return mathis_bad(m, "wrong checksum of the file");
	if (count > SECTIONS_MAX ||
	    HEADER + TRAILER + count * SECTION_HEADER > m->size)
		return mathis_bad(m, "%u sections do not fit", count);

	r.p = m->data + HEADER;
	for (unsigned int i = 0; i < count && !ret; i++)
		ret = read_row(m, &r, parts, HEADER + count * SECTION_HEADER);
	if (!ret)
		ret = check_overlaps(m, parts);
	for (size_t i = 0; i < N_SECTIONS && !ret; i++) {
		if (parts[i].data)
			ret = sections[i].load(m, parts[i]);
	}
	if (!ret)
		ret = mathis_load_externs(m);
	if (!ret)
		ret = find_name(m, &parts[0], name);
	if (!ret && m->entry && m->entry >= m->n_funcs)
		return mathis_bad(m, "the entry is no function");
	return ret;
}

int mathis_load(const void *file, size_t size, struct mathis_module **module,
		struct mathis_error *error)
{
	struct mathis_module *m;
	int ret;

	*module = NULL;
	if (size > MATHIS_MODULE_MAX)
		return mathis_fail(error, -EBADMSG, MATHIS_FORMAT,
				   "longer than %u bytes", MATHIS_MODULE_MAX);
	m = calloc(1, sizeof(*m));
	if (!m)
		return mathis_fail(error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
	m->error = error;
	m->data = malloc(size ?: 1);
	if (!m->data) {
		mathis_unload(m);
		return mathis_fail(error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
	}
	memcpy(m->data, file, size);
	m->size = size;
	ret = read_file(m);
	if (ret) {
		mathis_unload(m);
		return ret;
	}
	m->error = NULL;
	*module = m;
	return 0;
}

void mathis_unload(struct mathis_module *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->n_types; i++)
		free(m->types[i].fields);
	for (uint32_t i = 0; i < m->n_metas; i++)
		free(m->metas[i].depends);
	free(m->consts);
	free(m->types);
	free(m->globals);
	free(m->funcs);
	free(m->metas);
	free(m->files);
	free(m->lines);
	free(m->imports);
	free(m->exports);
	free(m->props);
	free(m->fast);
	free(m->data);
	free(m);
}
