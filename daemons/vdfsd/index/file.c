// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index as a file: a header, then each arena at a multiple of 2 MiB, as
 * it is in memory, then what is small. It is a cache of vectors that are kept
 * elsewhere: whoever loads it names the generation they have, and anything
 * that does not fit is refused, not mended.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "graph.h"

#define MAGIC 0x3458444953464456ULL /* "VDFSIDX4" */
#define ALIGN ((uint64_t)2 << 20)
/* Between two looks whether loading is to go on. */
#define STEP_BYTES ((uint64_t)16 << 20)
#define STEP_SLOTS 65536
#define PART_BYTES ((size_t)1 << 30)
#define CAPACITY_MAX INT32_MAX

enum section { ROWS, CODES, EDGES, UPPER, NODES, MEAN, SECTIONS };

/**
 * struct vdfs_section - where a part of the file is
 * @offset: From the start of the file.
 * @bytes: Length.
 * @crc: CRC-32 of it.
 * @pad: 0.
 */
struct vdfs_section {
	uint64_t offset;
	uint64_t bytes;
	uint32_t crc;
	uint32_t pad;
};

/**
 * struct vdfs_header - how the file begins; little-endian, as the host is
 * @magic: MAGIC.
 * @generation: Of the vectors it was made from.
 * @params: Of the index.
 * @entry: Where walks begin.
 * @slots: Slots ever used.
 * @uppers: Rows of upper edges.
 * @step: Of the codes.
 * @coded: Whether there are codes.
 * @section: By enum section.
 * @crc: CRC-32 of all before.
 * @pad: 0.
 */
struct vdfs_header {
	uint64_t magic;
	uint64_t generation;
	struct vdfs_params params;
	uint64_t entry;
	uint32_t slots;
	uint32_t uppers;
	float step;
	uint32_t coded;
	struct vdfs_section section[SECTIONS];
	uint32_t crc;
	uint32_t pad;
};

static uint32_t crc_of(const void *data, size_t bytes)
{
	const unsigned char *from = data;
	unsigned long crc = crc32(0, NULL, 0);
	size_t part;

	for (; bytes; from += part, bytes -= part) {
		part = bytes < PART_BYTES ? bytes : PART_BYTES;
		crc = crc32(crc, from, (unsigned int)part);
	}
	return (uint32_t)crc;
}

static int write_all(int fd, const void *data, size_t bytes, uint64_t offset)
{
	const char *from = data;

	while (bytes) {
		size_t part = bytes < PART_BYTES ? bytes : PART_BYTES;
		ssize_t n = pwrite(fd, from, part, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		offset += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static void lengths(const struct vdfs_index *ix, uint32_t slots,
		    uint32_t uppers, uint64_t bytes[SECTIONS])
{
	uint64_t n = slots;

	bytes[ROWS] = n * ix->row_bytes;
	bytes[CODES] = n * ix->code_stride;
	bytes[EDGES] = n * ix->m2 * sizeof(uint32_t);
	bytes[UPPER] = (uint64_t)uppers * ix->params.m * sizeof(uint32_t);
	bytes[NODES] = n * sizeof(struct vdfs_node);
	bytes[MEAN] = ix->params.dim * sizeof(float);
}

static const void *source(const struct vdfs_index *ix, enum section section)
{
	switch (section) {
	case ROWS:
		return ix->rows.base;
	case CODES:
		return ix->codes.base;
	case EDGES:
		return ix->edges.base;
	case UPPER:
		return ix->upper.base;
	case NODES:
		return ix->nodes.base;
	default:
		return ix->mean;
	}
}

static int write_index(struct vdfs_index *ix, int fd, uint64_t generation)
{
	struct vdfs_header header = {
		.magic = MAGIC,
		.generation = generation,
		.params = ix->params,
		.entry = atomic_load(&ix->entry),
		.slots = atomic_load(&ix->slots),
		.uppers = ix->uppers,
		.step = ix->step,
		.coded = atomic_load(&ix->coded),
	};
	uint64_t bytes[SECTIONS];
	uint64_t offset = ALIGN;
	int ret = 0;
	int i;

	lengths(ix, header.slots, header.uppers, bytes);
	for (i = 0; i < SECTIONS && !ret; i++) {
		header.section[i].offset = offset;
		header.section[i].bytes = bytes[i];
		header.section[i].crc = crc_of(source(ix, i), bytes[i]);
		ret = write_all(fd, source(ix, i), bytes[i], offset);
		offset += (bytes[i] + ALIGN - 1) / ALIGN * ALIGN;
	}
	if (!ret && ftruncate(fd, (off_t)offset))
		ret = -errno;
	header.crc = crc_of(&header, offsetof(struct vdfs_header, crc));
	if (!ret)
		ret = write_all(fd, &header, sizeof(header), 0);
	if (!ret && fsync(fd))
		ret = -errno;
	return ret;
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int ret = 0;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

/**
 * vdfs_index_save() - write the index to a file
 * @ix: Which; adders wait meanwhile.
 * @path: A file that is replaced in one step when all is written.
 * @generation: Any number that tells what vectors are in it.
 *
 * Return: 0, or a negative errno: the file is as it was then.
 */
int vdfs_index_save(struct vdfs_index *ix, const char *path,
		    uint64_t generation)
{
	char beside[PATH_MAX];
	int ret, fd;

	if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >=
	    sizeof(beside))
		return -ENAMETOOLONG;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	pthread_mutex_lock(&ix->repairing);
	pthread_rwlock_wrlock(&ix->writers);
	pthread_mutex_lock(&ix->grow);
	ret = write_index(ix, fd, generation);
	pthread_mutex_unlock(&ix->grow);
	pthread_rwlock_unlock(&ix->writers);
	pthread_mutex_unlock(&ix->repairing);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(beside, path))
		ret = -errno;
	if (ret)
		unlink(beside);
	else
		ret = sync_folder_of(path);
	return ret;
}

static int read_header(int fd, uint64_t generation, struct vdfs_header *header)
{
	ssize_t n = pread(fd, header, sizeof(*header), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(*header) || header->magic != MAGIC ||
	    header->crc != crc_of(header, offsetof(struct vdfs_header, crc)))
		return -EBADMSG;
	if (header->generation != generation)
		return -ESTALE;
	if (header->slots > header->params.capacity || header->coded > 1 ||
	    header->uppers > header->slots * (uint64_t)LEVELS_MAX)
		return -EBADMSG;
	return 0;
}

static int check_sections(const struct vdfs_index *ix,
			  const struct vdfs_header *header, uint64_t size)
{
	uint64_t bytes[SECTIONS];
	int i;

	lengths(ix, header->slots, header->uppers, bytes);
	for (i = 0; i < SECTIONS; i++) {
		const struct vdfs_section *s = &header->section[i];

		if (s->bytes != bytes[i] || s->offset % ALIGN ||
		    s->offset > size || s->bytes > size - s->offset)
			return -EBADMSG;
	}
	return 0;
}

/**
 * struct loading - a file that is being loaded
 * @fd: The file.
 * @progress: NULL, or asked whether to go on.
 * @arg: For @progress.
 */
struct loading {
	int fd;
	vdfs_progress_fn *progress;
	void *arg;
};

/* It takes seconds: nobody is told how far it is. */
static int go_on(const struct loading *l)
{
	return l->progress && !l->progress(l->arg, 0, 0) ? -ECANCELED : 0;
}

static int read_section(const struct loading *l, struct vdfs_arena *arena,
			const struct vdfs_section *s)
{
	uint64_t at, n;
	int ret = vdfs_arena_grow(arena, s->bytes);

	for (at = 0; !ret && at < s->bytes; at += n) {
		n = s->bytes - at < STEP_BYTES ? s->bytes - at : STEP_BYTES;
		ret = vdfs_arena_read(arena, at, l->fd, s->offset + at, n);
		if (!ret)
			ret = go_on(l);
	}
	return ret;
}

static int check_section(const struct loading *l, const unsigned char *from,
			 const struct vdfs_section *s)
{
	unsigned long crc = crc32(0, NULL, 0);
	uint64_t at, n;
	int ret = 0;

	for (at = 0; !ret && at < s->bytes; at += n) {
		n = s->bytes - at < STEP_BYTES ? s->bytes - at : STEP_BYTES;
		crc = crc32(crc, from + at, (unsigned int)n);
		ret = go_on(l);
	}
	return !ret && crc != s->crc ? -EBADMSG : ret;
}

static int read_sections(struct vdfs_index *ix, const struct loading *l,
			 const struct vdfs_header *header)
{
	struct vdfs_arena *arena[] = { &ix->rows, &ix->codes, &ix->edges,
				       &ix->upper, &ix->nodes };
	const struct vdfs_section *s = header->section;
	ssize_t n;
	int ret;
	int i;

	for (i = 0; i < MEAN; i++) {
		ret = read_section(l, arena[i], &s[i]);
		if (ret)
			return ret;
	}
	n = pread(l->fd, ix->mean, s[MEAN].bytes, (off_t)s[MEAN].offset);
	if (n < 0)
		return -errno;
	if ((uint64_t)n != s[MEAN].bytes)
		return -EBADMSG;
	ret = 0;
	for (i = 0; !ret && i < SECTIONS; i++)
		ret = check_section(l, source(ix, i), &s[i]);
	return ret;
}

static bool edges_ok(const struct vdfs_index *ix, uint32_t slots, uint32_t slot,
		     uint32_t level)
{
	uint32_t edges[2 * 64];
	uint32_t n = vdfs_edges_get(ix, slot, level, edges);

	while (n--)
		if (edges[n] >= slots ||
		    vdfs_node(ix, edges[n])->level < level ||
		    !vdfs_is_head(ix, edges[n]))
			return false;
	return true;
}

/* A file may be well formed and still lie: nothing may lead outside. */
static int check_graph(struct vdfs_index *ix, const struct loading *l,
		       uint32_t slots)
{
	uint64_t entry = atomic_load(&ix->entry);
	uint32_t slot, level;

	if (entry != ~0ULL &&
	    ((uint32_t)entry >= slots || entry >> 32 >= LEVELS_MAX ||
	     vdfs_node(ix, (uint32_t)entry)->level != entry >> 32 ||
	     !vdfs_is_head(ix, (uint32_t)entry)))
		return -EBADMSG;
	for (slot = 0; slot < slots; slot++) {
		const struct vdfs_node *node = vdfs_node(ix, slot);

		if (node->level >= LEVELS_MAX ||
		    (uint64_t)node->upper + node->level > ix->uppers ||
		    node->flags > NODE_GHOST || node->flags == NODE_TAKEN)
			return -EBADMSG;
	}
	for (slot = 0; slot < slots; slot++) {
		if (slot % STEP_SLOTS == 0 && go_on(l))
			return -ECANCELED;
		for (level = 0; level <= vdfs_node(ix, slot)->level; level++)
			if (!edges_ok(ix, slots, slot, level))
				return -EBADMSG;
	}
	return ix->coded && !vdfs_twin_check(ix, slots) ? -EBADMSG : 0;
}

/* Rebuild the parts that the file omits: counts, free slots, twins, id table. */
static int count_nodes(struct vdfs_index *ix, uint32_t slots)
{
	uint32_t slot;

	for (slot = 0; slot < slots; slot++) {
		uint8_t flags = vdfs_flags(ix, slot);

		if (flags == NODE_LIVE)
			ix->live++;
		else if (flags == NODE_DELETED)
			ix->deleted++;
		else if (!flags)
			vdfs_slot_release(ix, &slot, 1);
	}
	vdfs_twin_rehash(ix, ix->coded && ix->bits > 1);
	for (slot = 0; slot < slots && !ix->coded; slot++)
		if (vdfs_flags(ix, slot))
			vdfs_twin_note(ix, slot);
	return vdfs_slot_rehash(ix, (size_t)ix->live * 2 + 64);
}

static int load_fd(const struct loading *l, uint64_t generation, uint32_t room,
		   struct vdfs_index **out)
{
	struct vdfs_header header;
	struct vdfs_index *ix;
	uint64_t capacity;
	struct stat st;
	int ret;

	if (fstat(l->fd, &st))
		return -errno;
	ret = read_header(l->fd, generation, &header);
	if (ret)
		return ret;
	capacity = (uint64_t)header.slots + room;
	if (capacity > CAPACITY_MAX)
		capacity = CAPACITY_MAX;
	if (header.params.capacity < capacity)
		header.params.capacity = (uint32_t)capacity;
	ret = vdfs_index_new(&header.params, &ix);
	if (ret)
		return ret == -EINVAL ? -EBADMSG : ret;
	ret = check_sections(ix, &header, (uint64_t)st.st_size);
	if (!ret)
		ret = read_sections(ix, l, &header);
	ix->uppers = header.uppers;
	ix->entry = header.entry;
	ix->step = header.step;
	ix->coded = header.coded;
	if (!ret)
		ret = check_graph(ix, l, header.slots);
	if (!ret) {
		ix->slots = header.slots;
		ret = count_nodes(ix, header.slots);
	}
	if (ret) {
		vdfs_index_free(ix);
		return ret;
	}
	*out = ix;
	return 0;
}

/**
 * vdfs_index_load_room() - load an index that was saved, with room for more
 * @path: The file; it is not needed any more afterwards.
 * @generation: That it must have been saved with.
 * @room: Vectors that it must have room for beside those in it; then its
 *        capacity may be larger than it was.
 * @progress: NULL, or called now and then, with a total of 0.
 * @arg: For @progress.
 * @out: Out, to be given to vdfs_index_free().
 *
 * Return: 0; -ESTALE for another generation; -EBADMSG when anything in it
 * is damaged; -ECANCELED when @progress said so; or another negative errno, such
 * as -ENOENT.
 */
int vdfs_index_load_room(const char *path, uint64_t generation, uint32_t room,
			 vdfs_progress_fn *progress, void *arg,
			 struct vdfs_index **out)
{
	struct loading l = { .progress = progress, .arg = arg };
	int ret;

	l.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (l.fd < 0)
		return -errno;
	ret = load_fd(&l, generation, room, out);
	close(l.fd);
	return ret;
}

/**
 * vdfs_index_load() - load an index that was saved
 * @path: See vdfs_index_load_room().
 * @generation: See there.
 * @out: See there.
 *
 * Return: As vdfs_index_load_room().
 */
int vdfs_index_load(const char *path, uint64_t generation,
		    struct vdfs_index **out)
{
	return vdfs_index_load_room(path, generation, 0, NULL, NULL, out);
}
