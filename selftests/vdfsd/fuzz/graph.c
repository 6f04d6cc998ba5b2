// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes the loader of graph files: the input is a list of changes to a good
 * file, whose checksums are made right again afterwards, so that what is
 * reached is what looks at the content. A file that is accepted is used.
 */
#include <stdlib.h>
#include <sys/mman.h>

/* Its structures, and its checksum, are its own. */
#include "daemons/vdfsd/index/file.c" /* NOLINT */

#define N 60
#define DIM 8
#define GENERATION 7

/**
 * struct change - one change to the file
 * @part: 0 the header, others a section, modulo their number.
 * @at: Which word of it, modulo their number.
 * @value: What is put there.
 */
struct change {
	uint8_t part;
	uint8_t pad[3];
	uint32_t at;
	uint32_t value;
};

static int file = -1;
static char path[64];
static struct vdfs_header good;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A small index with several levels, codes, and deleted vectors. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct vdfs_params params = { .dim = DIM,
				      .codes = VDFS_CODES_8,
				      .m = 4,
				      .ef_build = 8,
				      .capacity = 2 * N };
	struct vdfs_index *ix;
	float v[DIM];
	uint64_t i;
	int j;

	(void)argc;
	(void)argv;
	file = memfd_create("graph", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (file < 0 || vdfs_index_new(&params, &ix))
		abort();
	for (i = 0; i < N; i++) {
		for (j = 0; j < DIM; j++)
			v[j] = (float)((i * 37 + (uint64_t)j * 11) % 64);
		if (vdfs_index_add(ix, i, v))
			abort();
	}
	if (vdfs_index_delete(ix, 3) || vdfs_index_delete(ix, 4) ||
	    write_index(ix, file, GENERATION))
		abort();
	vdfs_index_free(ix);
	if (pread(file, &good, sizeof(good), 0) != sizeof(good))
		abort();
	return 0;
}

static void change(struct vdfs_header *header, char *section[SECTIONS],
		   const struct change *c)
{
	unsigned int part = c->part % (SECTIONS + 1);
	uint64_t words;
	char *at;

	if (part) {
		at = section[part - 1];
		words = good.section[part - 1].bytes / sizeof(uint32_t);
	} else {
		at = (char *)header;
		words = offsetof(struct vdfs_header, crc) / sizeof(uint32_t);
	}
	if (words)
		memcpy(at + c->at % words * sizeof(uint32_t), &c->value,
		       sizeof(c->value));
}

static void use(struct vdfs_index *ix)
{
	struct vdfs_query query = { .k = 5, .ef = 20 };
	const struct vdfs_params *params = vdfs_index_params(ix);
	float *v = calloc(params->dim, sizeof(*v));
	uint64_t ids[5];
	float dist[5];

	if (!v)
		abort();
	query.vector = v;
	vdfs_index_search(ix, &query, ids, dist);
	vdfs_index_scan(ix, &query, ids, dist);
	v[0] = 1;
	vdfs_index_add(ix, 1000, v);
	vdfs_index_delete(ix, 5);
	vdfs_index_repair(ix, NULL, NULL);
	query.k = 3;
	vdfs_index_search(ix, &query, ids, dist);
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *saved[SECTIONS] = {}, *now[SECTIONS] = {};
	struct vdfs_header header = good;
	const struct vdfs_section *s = good.section;
	struct vdfs_index *ix;
	struct change c;
	int i;

	for (i = 0; i < SECTIONS; i++) {
		saved[i] = malloc(s[i].bytes + 1);
		now[i] = malloc(s[i].bytes + 1);
		if (!saved[i] || !now[i] ||
		    pread(file, saved[i], s[i].bytes, (off_t)s[i].offset) < 0)
			abort();
		memcpy(now[i], saved[i], s[i].bytes);
	}
	for (; size >= sizeof(c); data += sizeof(c), size -= sizeof(c)) {
		memcpy(&c, data, sizeof(c));
		change(&header, now, &c);
	}
	for (i = 0; i < SECTIONS; i++) {
		if (header.section[i].crc == good.section[i].crc)
			header.section[i].crc = crc_of(now[i], s[i].bytes);
		write_all(file, now[i], s[i].bytes, s[i].offset);
	}
	header.crc = crc_of(&header, offsetof(struct vdfs_header, crc));
	write_all(file, &header, sizeof(header), 0);
	if (!vdfs_index_load(path, GENERATION, &ix)) {
		use(ix);
		vdfs_index_free(ix);
	}
	for (i = 0; i < SECTIONS; i++) {
		write_all(file, saved[i], s[i].bytes, s[i].offset);
		free(saved[i]);
		free(now[i]);
	}
	return 0;
}
