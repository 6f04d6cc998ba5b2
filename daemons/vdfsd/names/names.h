/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_NAME_H
#define VDFS_NAME_H

#include "sql/meta.h"
#include "store/store.h"

/**
 * DOC: Names
 *
 * A name is a path, "models/digits.onnx": components of 1 to 255 bytes other
 * than "." and "..", with single slashes between them and none at the ends,
 * at most VDFS_PATH_MAX bytes; any byte but NUL and slash. The empty path is
 * the root directory. Any other path is -EINVAL, or -ENAMETOOLONG when it is
 * too long.
 *
 * A name stands for a blob or is a directory. It has an owner and mode bits,
 * which mean what they mean in POSIX: r to read a file or list a directory, w
 * to change it, x to come to what is in a directory; sticky directories too.
 * It has a group, that of the user who made it, or of the directory where that
 * has S_ISGID, which directories made in it have as well. Directories on the way
 * to a new name are made, like it, for the user who asks. The root belongs to
 * nobody, and is sticky, and anyone may make names in it. A user who replaces
 * the blob of another's name, as w allows, leaves it the other's, and is charged
 * for the blob, while the owner is for the name. So a file of another that the
 * user may not write does not go to another directory, -EXDEV, nor does a
 * directory, -EACCES.
 *
 * Beside the errors of store.h: -EISDIR, -ENOTDIR, -ENOTEMPTY, -EEXIST, and
 * -EBUSY for what cannot be done to the root.
 */

#define VDFS_PATH_MAX 1023
#define VDFS_MODE_FILE 0644U
#define VDFS_MODE_DIR 0755U
#define VDFS_MTIME_NOW INT64_MAX
/* The user with the highest number; the two above are nobody. */
#define VDFS_UID_MAX (UINT32_MAX - 2)
#define VDFS_ATTR_NAME_MAX 255
#define VDFS_ATTR_VALUE_MAX 65536

/**
 * struct vdfs_stat - what a name stands for
 * @hash: Of the blob; zeros for a directory.
 * @size: Bytes; 0 for a directory.
 * @ino: A number that stays while the name does.
 * @mtime_ns: When its content last changed, CLOCK_REALTIME, or as it was set.
 * @ctime_ns: When anything of it last changed.
 * @owner: User.
 * @gid: Group; VDFS_GID_NONE of names that were made before there were groups.
 * @mode: S_IFREG or S_IFDIR, and permission bits.
 */
struct vdfs_stat {
	struct vdfs_hash hash;
	uint64_t size;
	uint64_t ino;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t owner;
	uint32_t gid;
	uint32_t mode;
};

/**
 * typedef vdfs_name_fn - one entry of a directory
 * @arg: The caller's.
 * @name: Its last component.
 * @st: Its attributes.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int vdfs_name_fn(void *arg, const char *name,
			 const struct vdfs_stat *st);

/**
 * struct vdfs_place - what a put is to become the content of
 * @ino: Of the name, wherever that is by now; 0 = a new one:
 * @dir: Number of the directory that @path begins in; 0 = the root.
 * @path: Its path, where nothing is, in a directory that is there.
 * @mode: Its permission bits.
 * @mtime_ns: INT64_MIN = now.
 * @granted: Of one with a number: that the user may write it was found when it
 *           was opened.
 */
struct vdfs_place {
	uint64_t ino;
	uint64_t dir;
	const char *path;
	uint32_t mode;
	int64_t mtime_ns;
	bool granted;
};

/**
 * struct vdfs_name_change - a change of names that is checked and ready
 * @fn: Does it, in a transaction.
 * @arg: Its argument.
 * @at: Number of the name that @path begins at; 0 = the root. A remote hears
 *      paths from the root.
 * @path: The name that is changed.
 * @to_at: As @at, for @to.
 * @to: Where it goes, or NULL.
 * @leaves: It will not be at @path any more. Without @to that gives room.
 */
struct vdfs_name_change {
	vdfs_meta_fn *fn;
	void *arg;
	uint64_t at;
	const char *path;
	uint64_t to_at;
	const char *to;
	bool leaves;
};

/**
 * struct vdfs_name_ops - what the remote of a store does with names
 * @commit: Does a vdfs_put_commit() with a name.
 * @commit_at: Does a vdfs_put_commit_at().
 * @change: Does what a vdfs_name_change says, there and here.
 * @look: Learns what a path stands for, and with @list what is in it.
 */
struct vdfs_name_ops {
	int (*commit)(struct vdfs_store *store, struct vdfs_put *put,
		      const struct vdfs_hash *expect, const char *name,
		      struct vdfs_hash *out);
	int (*commit_at)(struct vdfs_store *store, struct vdfs_put *put,
			 const struct vdfs_place *place, struct vdfs_stat *out);
	int (*change)(struct vdfs_store *store,
		      const struct vdfs_name_change *change);
	int (*look)(struct vdfs_store *store, const char *path, bool list);
};

/* The tables of names; statements that may be run again. */
extern const char vdfs_schema_name[];
extern const char vdfs_schema_name_sums[]; /* before it */
extern const char vdfs_schema_name_groups[]; /* between them */
extern const char vdfs_schema_name_changed[];
extern const char vdfs_schema_name_read_only[];
extern const char vdfs_schema_name_groups_read_only[]; /* before it */
/* For struct vdfs_store_above. */
int vdfs_name_each(struct sqlite3 *db, const struct vdfs_who *who,
		   unsigned int *rows, vdfs_shown_fn *fn, void *arg);
int vdfs_name_some(struct sqlite3 *db, uint64_t number, int64_t *object);
int vdfs_name_shows(struct sqlite3 *db, const struct vdfs_who *who,
		    int64_t object);

/*
 * As vdfs_put_commit_fn(); points @name at the blob, replacing what the name
 * stood for, in the same instant as the blob appears. NULL: the user keeps
 * the blob without a name.
 */
int vdfs_put_commit(struct vdfs_put *put, const struct vdfs_hash *expect,
		    const char *name, struct vdfs_hash *out);
/* As vdfs_put_commit(). -EEXIST: not new; -ESTALE: the number is no more. */
int vdfs_put_commit_at(struct vdfs_put *put, const struct vdfs_place *place,
		       struct vdfs_stat *out);

int vdfs_name_check(const char *path);
bool vdfs_name_may(const struct vdfs_who *who, uint32_t owner, uint32_t gid,
		   uint32_t mode, int mask);
int vdfs_name_stat(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, struct vdfs_stat *out);
/* In the order of bytes, from behind @after on; NULL or "" = all. */
int vdfs_name_list(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, const char *after, vdfs_name_fn *fn,
		   void *arg);
int vdfs_name_mkdir(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path, uint32_t mode);
/* Point a name at a blob the user may see; it is made or replaced. */
int vdfs_name_link(struct vdfs_store *store, const struct vdfs_who *who,
		   const char *path, const struct vdfs_hash *hash);
/* Of a blob's name; of an empty directory. */
int vdfs_name_unlink(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path);
int vdfs_name_rmdir(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path);
/* As rename(2), directories with all that is in them. */
int vdfs_name_rename(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *from, const char *to, bool no_replace);
/* The same; @to begins in the directory of number @to_at, 0 = the root. */
int vdfs_name_rename_to(struct vdfs_store *store, const struct vdfs_who *who,
			const char *from, uint64_t to_at, const char *to,
			bool no_replace);
/* @mode: ~0U = leave; @mtime_ns: INT64_MIN = leave. */
int vdfs_name_change(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path, uint32_t mode, int64_t mtime_ns);
/* @owner, @gid: ~0U = leave. */
int vdfs_name_chown(struct vdfs_store *store, const struct vdfs_who *who,
		    const char *path, uint32_t owner, uint32_t gid);

/* Attributes, as setxattr(2) and the like; @value NULL removes. */
int vdfs_attr_set(struct vdfs_store *store, const struct vdfs_who *who,
		  const char *path, const char *attr, const void *value,
		  size_t len);
/* The same, by the flags of setxattr(2). */
int vdfs_attr_set_if(struct vdfs_store *store, const struct vdfs_who *who,
		     const char *path, const char *attr, const void *value,
		     size_t len, int flags);
/* Returns the length, -ENODATA, or -ERANGE when @len is too short, not 0. */
ssize_t vdfs_attr_get(struct vdfs_store *store, const struct vdfs_who *who,
		      const char *path, const char *attr, void *value,
		      size_t len);
/* Names one behind the other, each with its NUL. */
ssize_t vdfs_attr_list(struct vdfs_store *store, const struct vdfs_who *who,
		       const char *path, char *list, size_t len);

/* Open a blob to read; it is fetched first where only a remote has it. */
int vdfs_blob_open(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash, struct vdfs_blob **out);
/* Keep a blob without naming it. */
int vdfs_blob_keep(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash);

#endif /* VDFS_NAME_H */
