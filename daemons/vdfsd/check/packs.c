// SPDX-License-Identifier: GPL-2.0-only
/* How segments begin, and how much of them belongs to nothing. */
#include <errno.h>
#include <sys/stat.h>

#include "check_impl.h"

/**
 * struct taken - what the database knows in a segment
 * @number: Of the segment.
 * @bytes: Out, length of its records.
 * @end: Out, where the last one ends.
 */
struct taken {
	uint32_t number;
	uint64_t bytes;
	uint64_t end;
};

static int count_taken(struct sqlite3 *db, void *arg)
{
	struct taken *t = arg;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT total(stored) FROM object WHERE segment = ?",
		       VDFS_INT(t->number));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	t->bytes = sqlite3_column_int64(st, 0);
	err = vdfs_sql(db, &st,
		       "SELECT place + stored FROM object WHERE segment = ?\n"
		       "ORDER BY place DESC LIMIT 1",
		       VDFS_INT(t->number));
	if (!err)
		err = vdfs_sql_next(st);
	t->end = err > 0 ? sqlite3_column_int64(st, 0) : 0;
	return err < 0 ? err : 0;
}

static int check_segment(struct vdfs_fsck *f, struct vdfs_segment *seg)
{
	struct taken t = { .number = seg->number };
	struct stat st;
	int err;

	err = vdfs_meta_read(vdfs_store_meta(f->store), count_taken, &t);
	if (!err && fstat(seg->fd, &st))
		err = -errno;
	if (err)
		return err;
	/* One with nothing in it is what a crash has left. */
	if (t.end && !vdfs_segment_sound(seg))
		vdfs_fsck_fault(f, 1, "pack/%08u: damaged head", seg->number);
	if ((uint64_t)st.st_size < t.end)
		vdfs_fsck_fault(f, 1, "pack/%08u: %llu bytes short",
				seg->number,
				(unsigned long long)(t.end - st.st_size));
	else if ((uint64_t)st.st_size > t.bytes)
		f->result.garbage += st.st_size - t.bytes;
	return 0;
}

/**
 * vdfs_fsck_packs() - check how segments begin and end
 * @f: The check.
 *
 * Context: The check's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_fsck_packs(struct vdfs_fsck *f)
{
	struct vdfs_segment *seg;
	uint32_t number;
	int err = 0;

	for (number = 1; !err; number++) {
		number = vdfs_packs_next(f->store, number);
		if (!number)
			break;
		seg = vdfs_segment_get(f->store, number);
		if (seg)
			err = check_segment(f, seg);
		vdfs_segment_put(f->store, seg);
	}
	return err;
}
