// SPDX-License-Identifier: GPL-2.0-only
/* The simulated disk: plays a log, and keeps apart what was synced. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_impl.h"

static bool take(FILE *in, char **out, size_t len)
{
	*out = malloc(len + 1);
	if (!*out)
		return false;
	(*out)[len] = 0;
	return fread(*out, 1, len, in) == len;
}

/**
 * disk_log_read() - read a log of the shim's
 * @path: File. A record at its end that is not whole is left out.
 * @log: Out; disk_log_free() it.
 *
 * Return: 0 or -errno.
 */
int disk_log_read(const char *path, struct disk_log *log)
{
	struct disk_op op;
	FILE *in = fopen(path, "r");

	memset(log, 0, sizeof(*log));
	if (!in)
		return -errno;
	for (;;) {
		memset(&op, 0, sizeof(op));
		if (fread(&op.op, sizeof(op.op), 1, in) != 1)
			break;
		if (!take(in, &op.path, op.op.path) ||
		    !take(in, &op.path2, op.op.path2) ||
		    !take(in, &op.data, op.op.data)) {
			free(op.path);
			free(op.path2);
			free(op.data);
			break;
		}
		log->ops = grown(log->ops, log->n, sizeof(*log->ops));
		log->ops[log->n++] = op;
	}
	fclose(in);
	return 0;
}

/**
 * disk_log_free() - give a log back
 * @log: Log.
 */
void disk_log_free(struct disk_log *log)
{
	while (log->n) {
		log->n--;
		free(log->ops[log->n].path);
		free(log->ops[log->n].path2);
		free(log->ops[log->n].data);
	}
	free(log->ops);
	log->ops = NULL;
}

/**
 * disk_new() - an empty disk before the first operation of a log
 * @log: Log, of a directory that was empty; kept as long as the disk.
 * @rules: NULL, or what to play wrong.
 * @out: Out.
 *
 * Return: 0 or -ENOMEM.
 */
int disk_new(const struct disk_log *log, const struct disk_rules *rules,
	     struct disk **out)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		return -ENOMEM;
	disk->log = log;
	if (rules)
		disk->rules = *rules;
	disk->files = grown(NULL, 0, sizeof(*disk->files));
	disk->files[0].dir = true;
	disk->n_files = 1;
	disk->late = NOTHING;
	*out = disk;
	return 0;
}

static void drop(struct pending *p)
{
	while (p->n_names)
		free(p->names[--p->n_names].name);
	p->op = NULL;
}

/**
 * disk_free() - end a disk
 * @disk: Disk.
 */
void disk_free(struct disk *disk)
{
	size_t i;

	for (i = 0; i < disk->n_pending; i++)
		drop(&disk->pending[i]);
	for (i = 0; i < disk->n_files; i++) {
		free(disk->files[i].image.data);
		entries_free(&disk->files[i].now);
		entries_free(&disk->files[i].kept);
	}
	free(disk->files);
	free(disk->pending);
	free(disk);
}

/* Walk to the directory of a path; the last component goes to @last. */
static size_t parent_of(const struct disk *disk, const char *path,
			const char **last)
{
	size_t dir = 0;
	char part[256];
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		dir = entries_find(&disk->files[dir].now, part);
		if (dir == NOTHING)
			return NOTHING;
		path = slash + 1;
	}
	*last = path;
	return dir;
}

static size_t by_ino(const struct disk *disk, uint64_t ino)
{
	size_t i;

	for (i = disk->n_files; i-- > 1;) {
		if (disk->files[i].ino == ino)
			return i;
	}
	return NOTHING;
}

static struct pending *pend(struct disk *disk, const struct disk_op *op)
{
	struct pending *p;

	disk->pending =
		grown(disk->pending, disk->n_pending, sizeof(*disk->pending));
	p = &disk->pending[disk->n_pending++];
	p->op = op;
	p->file = NOTHING;
	return p;
}

static int change(struct disk *disk, struct pending *p, const char *path,
		  size_t file)
{
	const char *last;
	size_t dir = parent_of(disk, path, &last);
	struct name *name = &p->names[p->n_names];

	if (dir == NOTHING)
		return -ENOENT;
	name->dir = dir;
	name->name = strdup(last);
	name->file = file;
	p->n_names++;
	entries_set(&disk->files[dir].now, last, file);
	return 0;
}

static size_t lookup(const struct disk *disk, const char *path)
{
	const char *last;
	size_t dir;

	if (!*path)
		return 0;
	dir = parent_of(disk, path, &last);
	return dir == NOTHING ? NOTHING :
				entries_find(&disk->files[dir].now, last);
}

static int make(struct disk *disk, const struct disk_op *op)
{
	size_t i;

	/* The number of a file that is gone may come again. */
	for (i = 1; i < disk->n_files; i++) {
		if (disk->files[i].ino == op->op.ino)
			disk->files[i].ino = 0;
	}
	disk->files = grown(disk->files, disk->n_files, sizeof(*disk->files));
	i = disk->n_files++;
	disk->files[i].ino = op->op.ino;
	disk->files[i].dir = op->op.kind == CRASH_MKDIR;
	if (op->op.flags & CRASH_UNNAMED)
		return 0;
	return change(disk, pend(disk, op), op->path, i);
}

/* An older operation on the same name has no say any more. */
static void supersede(struct disk *disk, size_t before, const struct name *name)
{
	struct pending *p;
	size_t i;
	int j;

	for (i = 0; i < before; i++) {
		p = &disk->pending[i];
		for (j = p->n_names; j-- > 0;) {
			if (p->names[j].dir != name->dir ||
			    strcmp(p->names[j].name, name->name))
				continue;
			free(p->names[j].name);
			p->names[j] = p->names[--p->n_names];
		}
		if (p->op && p->file == NOTHING && !p->n_names)
			p->op = NULL;
	}
}

static bool touches(const struct pending *p, size_t file)
{
	int j;

	if (p->file == file)
		return true;
	for (j = 0; j < p->n_names; j++) {
		if (p->names[j].dir == file)
			return true;
	}
	return false;
}

/* What was pending on a file is on the disk now, or its bytes are lost. */
static void settle(struct disk *disk, size_t file, bool failed)
{
	struct pending *p;
	size_t i, n = 0;
	int j;

	for (i = 0; i < disk->n_pending; i++) {
		p = &disk->pending[i];
		if (!p->op || !touches(p, file) ||
		    (failed && p->file == NOTHING))
			continue;
		if (p->file != NOTHING && !failed)
			image_apply(&disk->files[file].image, p->op);
		for (j = 0; j < p->n_names; j++) {
			supersede(disk, i, &p->names[j]);
			entries_set(&disk->files[p->names[j].dir].kept,
				    p->names[j].name, p->names[j].file);
		}
		drop(p);
	}
	for (i = 0; i < disk->n_pending; i++) {
		if (disk->pending[i].op)
			disk->pending[n++] = disk->pending[i];
	}
	disk->n_pending = n;
}

static bool matches(const char *glob, const char *path)
{
	return glob && !fnmatch(glob, path, 0);
}

/**
 * disk_is_touched() - whether an operation is played wrong
 * @rules: Rules.
 * @op: Operation.
 *
 * Return: True for a sync that does nothing or comes late.
 */
bool disk_is_touched(const struct disk_rules *rules, const struct disk_op *op)
{
	return op->op.kind == CRASH_SYNC && (matches(rules->ignore, op->path) ||
					     matches(rules->late, op->path));
}

static int sync_file(struct disk *disk, const struct disk_op *op)
{
	size_t file = *op->path ? by_ino(disk, op->op.ino) : 0;
	size_t late = disk->late;

	if (file == NOTHING)
		return -ENOENT;
	if (matches(disk->rules.ignore, op->path))
		return 0;
	if (matches(disk->rules.late, op->path)) {
		disk->late = file;
		return 0;
	}
	settle(disk, file, op->op.error);
	if (late != NOTHING)
		settle(disk, late, false);
	disk->late = NOTHING;
	return 0;
}

static int write_file(struct disk *disk, const struct disk_op *op)
{
	size_t file = by_ino(disk, op->op.ino);

	if (file == NOTHING)
		return -ENOENT;
	pend(disk, op)->file = file;
	return 0;
}

static int move(struct disk *disk, const struct disk_op *op)
{
	size_t from = lookup(disk, op->path);
	size_t to = lookup(disk, op->path2);
	struct pending *p;
	int ret;

	if (from == NOTHING)
		return -ENOENT;
	p = pend(disk, op);
	ret = change(disk, p, op->path,
		     op->op.kind == CRASH_EXCHANGE ? to : NOTHING);
	return ret ? ret : change(disk, p, op->path2, from);
}

/**
 * disk_step() - play the next operation
 * @disk: Disk.
 *
 * Return: 1 when it was played, 0 at the end of the log, -ENOENT when it
 * does not fit what came before: something has escaped the shim.
 */
int disk_step(struct disk *disk)
{
	const struct disk_op *op;
	size_t i;
	int ret = 0;

	if (disk->at == disk->log->n)
		return 0;
	op = &disk->log->ops[disk->at++];
	if (op->op.error && op->op.kind != CRASH_SYNC)
		return 1;
	switch (op->op.kind) {
	case CRASH_CREATE:
	case CRASH_MKDIR:
		ret = make(disk, op);
		break;
	case CRASH_WRITE:
	case CRASH_TRUNCATE:
	case CRASH_ZERO:
		ret = write_file(disk, op);
		break;
	case CRASH_SYNC:
		ret = sync_file(disk, op);
		break;
	case CRASH_SYNC_ALL:
		for (i = 0; i < disk->n_files; i++)
			settle(disk, i, false);
		break;
	case CRASH_LINK:
		ret = change(disk, pend(disk, op), op->path,
			     by_ino(disk, op->op.ino));
		break;
	case CRASH_UNLINK:
	case CRASH_RMDIR:
		ret = change(disk, pend(disk, op), op->path, NOTHING);
		break;
	case CRASH_RENAME:
	case CRASH_EXCHANGE:
		ret = move(disk, op);
		break;
	}
	return ret ? ret : 1;
}

/**
 * disk_pending() - operations that a power cut may undo
 * @disk: Disk.
 *
 * Return: How many.
 */
size_t disk_pending(const struct disk *disk)
{
	return disk->n_pending;
}
