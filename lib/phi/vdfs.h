/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_VDFS_H
#define PHI_VDFS_H

#include <phi/vdfs_wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Using the vector-database filesystem
 *
 * A blob is a string of bytes that is known by its SHA-256. A name is a
 * path that stands for one, "models/digits.onnx". A collection holds items:
 * a key, a vector and metadata.
 *
 *  - Where a function takes a blob as text, that is a name, or "sha256:" and
 *    64 hexadecimal digits.
 *  - Any thread may call any function. The calls of one session go one
 *    after the other; who wants several at once opens several sessions.
 *  - An acknowledged call is on the disk.
 *  - -EPIPE: the daemon is gone, or it ended the session; open another one.
 *    The work of the last call is done or not, never half.
 *  - -EINTR: a signal handler without SA_RESTART ran while the daemon was
 *    at work. The session is over, for nobody knows what is done.
 *  - -EPROTO: the daemon's answer makes no sense.
 *  - -EMSGSIZE: more than PHI_VDFS_SPAN_MAX bytes for one call.
 */

struct phi_vdfs;

/* phi_vdfs_open() flag: refuse whatever would change something. */
#define PHI_VDFS_OPEN_READ 0x1U

/**
 * typedef phi_vdfs_progress - how far something long is
 * @arg: The caller's.
 * @done: Bytes or vectors done.
 * @total: Of so many, 0 = nobody knows.
 *
 * Return: False to stop it: the call returns -ECANCELED.
 */
typedef bool phi_vdfs_progress(void *arg, uint64_t done, uint64_t total);

/**
 * struct phi_vdfs_blob - a blob that is open
 * @id: For the daemon.
 * @bytes: Its length.
 * @hash: Its name.
 */
struct phi_vdfs_blob {
	uint64_t id;
	uint64_t bytes;
	struct phi_vdfs_hash hash;
};

/**
 * struct phi_vdfs_map - a blob in memory
 * @addr: Its first byte; read only.
 * @bytes: Its length; zeros follow up to the end of the page.
 * @len: Length of the mapping.
 * @cap: MEMORY handle with READ and MAP.
 * @id: For the daemon.
 * @hash: Its name.
 */
struct phi_vdfs_map {
	const void *addr;
	uint64_t bytes;
	size_t len;
	uint64_t cap;
	uint64_t id;
	struct phi_vdfs_hash hash;
};

/**
 * typedef phi_vdfs_entry_fn - one entry of a directory
 * @arg: The caller's.
 * @name: Its last component.
 * @st: Its attributes.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int phi_vdfs_entry_fn(void *arg, const char *name,
			      const struct phi_vdfs_stat *st);

/**
 * typedef phi_vdfs_blob_fn - one blob of a list
 * @arg: The caller's.
 * @hash: Its name.
 * @bytes: Its length.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int phi_vdfs_blob_fn(void *arg, const struct phi_vdfs_hash *hash,
			     uint64_t bytes);

/**
 * typedef phi_vdfs_line_fn - one line of a report
 * @arg: The caller's.
 * @line: Text, without a newline.
 */
typedef void phi_vdfs_line_fn(void *arg, const char *line);

/**
 * phi_vdfs_open() - open a session with the daemon
 * @phi: Cspace; must outlive the session.
 * @cap: ENDPOINT handle with SEND, as the daemon publishes it.
 * @flags: 0 or PHI_VDFS_OPEN_READ.
 * @deadline_ns: CLOCK_MONOTONIC, for the opening; 0 = none.
 * @out: Out, the session, to be closed with phi_vdfs_close().
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_open(int phi, uint64_t cap, unsigned int flags,
		  uint64_t deadline_ns, struct phi_vdfs **out);

/**
 * phi_vdfs_close() - end a session
 * @v: Session, or NULL.
 *
 * Puts that are not ended are gone. Blobs that are still mapped are taken away:
 * touching one is SIGBUS.
 *
 * Context: Any thread; no other may use the session.
 */
void phi_vdfs_close(struct phi_vdfs *v);

/**
 * phi_vdfs_info() - what the daemon said when the session began
 * @v: Session.
 *
 * Context: Any thread.
 * Return: Version and limits; valid until the close.
 */
const struct phi_vdfs_attached *phi_vdfs_info(const struct phi_vdfs *v);

/**
 * phi_vdfs_hash_parse() - read a hash
 * @text: "sha256:" and 64 hexadecimal digits, or the digits alone.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0, or -EINVAL when it is none.
 */
int phi_vdfs_hash_parse(const char *text, struct phi_vdfs_hash *out);

/**
 * phi_vdfs_hash_print() - write a hash
 * @hash: Hash.
 * @text: Out, PHI_VDFS_HASH_TEXT bytes: 64 digits and a NUL.
 *
 * Context: Any thread.
 */
void phi_vdfs_hash_print(const struct phi_vdfs_hash *hash, char *text);

/**
 * phi_vdfs_put() - store bytes
 * @v: Session.
 * @data: Bytes.
 * @len: How many.
 * @name: Name to give them, replacing what it stood for; NULL = keep them
 *        without one.
 * @out: Out, their hash; may be NULL.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_put(struct phi_vdfs *v, const void *data, size_t len,
		 const char *name, struct phi_vdfs_hash *out);

/**
 * phi_vdfs_put_fd() - store what can be read from a file
 * @v: Session.
 * @fd: File, read from where it is to its end.
 * @name: Name to give it; NULL = keep it without one.
 * @flags: 0 or PHI_VDFS_WHOLE.
 * @expect: Hash it must have, else -EBADMSG; NULL = any.
 * @progress: Called with bytes now and then; may be NULL.
 * @arg: For @progress.
 * @out: Out, the hash; may be NULL.
 *
 * Context: Any thread. Waits for the daemon and the file.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_put_fd(struct phi_vdfs *v, int fd, const char *name,
		    unsigned int flags, const struct phi_vdfs_hash *expect,
		    phi_vdfs_progress *progress, void *arg,
		    struct phi_vdfs_hash *out);

/**
 * phi_vdfs_put_begin() - begin to store a blob piece by piece
 * @v: Session.
 * @flags: 0 or PHI_VDFS_WHOLE.
 * @id: Out, for phi_vdfs_put_data(); ended by phi_vdfs_put_end() or
 *      phi_vdfs_put_abort().
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -ENOSPC with PHI_VDFS_PUTS under way, or another negative errno.
 */
int phi_vdfs_put_begin(struct phi_vdfs *v, unsigned int flags, uint64_t *id);

/**
 * phi_vdfs_put_data() - add to a blob
 * @v: Session.
 * @id: From phi_vdfs_put_begin().
 * @data: Bytes.
 * @len: How many.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno; after one only phi_vdfs_put_abort() is left.
 */
int phi_vdfs_put_data(struct phi_vdfs *v, uint64_t id, const void *data,
		      size_t len);

/**
 * phi_vdfs_put_end() - make a blob of what was stored
 * @v: Session.
 * @id: From phi_vdfs_put_begin(); gone when this returns.
 * @name: Name to give it; NULL = keep it without one.
 * @expect: Hash it must have, else -EBADMSG; NULL = any.
 * @out: Out, the hash; may be NULL.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_put_end(struct phi_vdfs *v, uint64_t id, const char *name,
		     const struct phi_vdfs_hash *expect,
		     struct phi_vdfs_hash *out);

/**
 * phi_vdfs_put_abort() - give up what was stored
 * @v: Session.
 * @id: From phi_vdfs_put_begin(); gone when this returns.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_put_abort(struct phi_vdfs *v, uint64_t id);

/**
 * phi_vdfs_blob_open() - open a blob to read it
 * @v: Session.
 * @blob: Name, or "sha256:" and digits.
 * @out: Out, to be closed with phi_vdfs_blob_close().
 *
 * It stays as it is while it is open, whatever becomes of its name.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -ENOSPC with PHI_VDFS_BLOBS open, or another negative errno.
 */
int phi_vdfs_blob_open(struct phi_vdfs *v, const char *blob,
		       struct phi_vdfs_blob *out);

/**
 * phi_vdfs_blob_read() - read from a blob
 * @v: Session.
 * @blob: From phi_vdfs_blob_open().
 * @buf: Out.
 * @len: Room at @buf.
 * @offset: Where to begin.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: Bytes read, less than @len only at the end; -EBADMSG when the bytes
 * on the disk are not those that were stored; or another negative errno.
 */
ssize_t phi_vdfs_blob_read(struct phi_vdfs *v, const struct phi_vdfs_blob *blob,
			   void *buf, size_t len, uint64_t offset);

/**
 * phi_vdfs_blob_close() - close a blob
 * @v: Session.
 * @blob: From phi_vdfs_blob_open().
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_blob_close(struct phi_vdfs *v, const struct phi_vdfs_blob *blob);

/**
 * phi_vdfs_get_fd() - write a blob to a file
 * @v: Session.
 * @blob: Name, or "sha256:" and digits.
 * @fd: File, written from where it is on.
 * @progress: Called with bytes now and then; may be NULL.
 * @arg: For @progress.
 * @out: Out, its hash; may be NULL.
 *
 * Context: Any thread. Waits for the daemon and the file.
 * Return: 0 or a negative errno; part of the blob may have been written then.
 */
int phi_vdfs_get_fd(struct phi_vdfs *v, const char *blob, int fd,
		    phi_vdfs_progress *progress, void *arg,
		    struct phi_vdfs_hash *out);

/**
 * phi_vdfs_map() - map a blob into memory
 * @v: Session.
 * @blob: Name, or "sha256:" and digits.
 * @out: Out, to be unmapped with phi_vdfs_unmap().
 *
 * All who map a blob share its pages. They stay when the blob is deleted
 * and when the daemon dies; they go when the session ends or the daemon takes
 * them back, and touching them is SIGBUS then.
 *
 * Context: Any thread. Waits for the daemon, the first time until it has read
 * all of the blob.
 * Return: 0; -ENOMEM when the daemon's memory for that is in use; -EDQUOT
 * when this user's share of it is; -ENODATA for a blob without bytes; or
 * another negative errno.
 */
int phi_vdfs_map(struct phi_vdfs *v, const char *blob,
		 struct phi_vdfs_map *out);

/**
 * phi_vdfs_unmap() - undo phi_vdfs_map()
 * @v: Session.
 * @map: From phi_vdfs_map().
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno; it is unmapped in any case.
 */
int phi_vdfs_unmap(struct phi_vdfs *v, const struct phi_vdfs_map *map);

/**
 * phi_vdfs_keep() - keep a blob without a name
 * @v: Session.
 * @hash: Of a blob that the caller may see.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_keep(struct phi_vdfs *v, const struct phi_vdfs_hash *hash);

/**
 * phi_vdfs_drop() - no longer keep a blob without a name
 * @v: Session.
 * @hash: Its hash.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_drop(struct phi_vdfs *v, const struct phi_vdfs_hash *hash);

/**
 * phi_vdfs_blobs() - list the blobs that the caller may see
 * @v: Session.
 * @fn: Called with each, in the order of hashes; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, what @fn returned, or a negative errno.
 */
int phi_vdfs_blobs(struct phi_vdfs *v, phi_vdfs_blob_fn *fn, void *arg);

/**
 * phi_vdfs_stat() - say what a name stands for
 * @v: Session.
 * @path: Name; "" = the root directory.
 * @out: Out.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_stat(struct phi_vdfs *v, const char *path,
		  struct phi_vdfs_stat *out);

/**
 * phi_vdfs_list() - list a directory
 * @v: Session.
 * @path: Name; "" = the root directory.
 * @fn: Called with each entry, in the order of bytes; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, what @fn returned, or a negative errno.
 */
int phi_vdfs_list(struct phi_vdfs *v, const char *path, phi_vdfs_entry_fn *fn,
		  void *arg);

/**
 * phi_vdfs_mkdir() - make a directory
 * @v: Session.
 * @path: Name.
 * @mode: Permission bits, 01777 at most. The new directory inherits set-group-ID
 *        from its parent.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_mkdir(struct phi_vdfs *v, const char *path, uint32_t mode);

/**
 * phi_vdfs_link() - point a name at a blob
 * @v: Session.
 * @path: Name, made or replaced.
 * @hash: Of a blob that the caller may see.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_link(struct phi_vdfs *v, const char *path,
		  const struct phi_vdfs_hash *hash);

/**
 * phi_vdfs_unlink() - remove a name of a blob
 * @v: Session.
 * @path: Name.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_unlink(struct phi_vdfs *v, const char *path);

/**
 * phi_vdfs_rmdir() - remove an empty directory
 * @v: Session.
 * @path: Name.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_rmdir(struct phi_vdfs *v, const char *path);

/**
 * phi_vdfs_rename() - rename a name, a directory with all that is in it
 * @v: Session.
 * @from: Name.
 * @to: Name, replaced when it can be.
 * @flags: 0 or PHI_VDFS_NOREPLACE.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_rename(struct phi_vdfs *v, const char *from, const char *to,
		    unsigned int flags);

/**
 * phi_vdfs_change() - change mode or time of a name
 * @v: Session.
 * @path: Name.
 * @mode: Permission bits, 01777 at most, of a directory 03777; ~0U = leave. Its
 *        owner changes it, and set-group-ID where the owner is in its group.
 * @mtime_ns: CLOCK_REALTIME; INT64_MIN = leave; INT64_MAX = now, which is also
 *            for a user who may write and does not own it.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_change(struct phi_vdfs *v, const char *path, uint32_t mode,
		    int64_t mtime_ns);

/**
 * phi_vdfs_chown() - change owner or group of a name
 * @v: Session.
 * @path: Name; of a directory alone, without what is in it.
 * @owner: User who owns it and pays for what its owner paid for; ~0U = leave.
 *         The administrator of the store changes it.
 * @group: Group; ~0U = leave. Its owner changes it, to one that the owner is in.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -EPERM, -EDQUOT when the new owner has no room, -EBUSY for the
 * root, or another negative errno.
 */
int phi_vdfs_chown(struct phi_vdfs *v, const char *path, uint32_t owner,
		   uint32_t group);

/**
 * phi_vdfs_attr_set() - set an attribute of a name
 * @v: Session.
 * @path: Name.
 * @attr: Attribute.
 * @value: Its value; NULL removes it.
 * @len: Length of @value, at most 65536.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_attr_set(struct phi_vdfs *v, const char *path, const char *attr,
		      const void *value, size_t len);

/**
 * phi_vdfs_attr_get() - read an attribute of a name
 * @v: Session.
 * @path: Name.
 * @attr: Attribute.
 * @value: Out.
 * @len: Room at @value.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: Its length, -ENODATA, -ERANGE without the room, or another negative
 * errno.
 */
ssize_t phi_vdfs_attr_get(struct phi_vdfs *v, const char *path,
			  const char *attr, void *value, size_t len);

/**
 * phi_vdfs_attr_list() - list the attributes of a name
 * @v: Session.
 * @path: Name.
 * @list: Out, their names one behind the other, each with its NUL.
 * @len: Room at @list.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: The length, -ERANGE without the room, or another negative errno.
 */
ssize_t phi_vdfs_attr_list(struct phi_vdfs *v, const char *path, char *list,
			   size_t len);

/**
 * phi_vdfs_quota_get() - read what a user may have and has
 * @v: Session.
 * @uid: User; others than one's own only for who administers the store.
 * @quota: Out, bytes; 0 = any.
 * @used: Out, bytes.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_quota_get(struct phi_vdfs *v, uint32_t uid, uint64_t *quota,
		       uint64_t *used);

/**
 * phi_vdfs_quota_set() - set what a user may have
 * @v: Session of who administers the store.
 * @uid: User.
 * @bytes: Bytes; 0 = any.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -EACCES for anyone else, or another negative errno.
 */
int phi_vdfs_quota_set(struct phi_vdfs *v, uint32_t uid, uint64_t bytes);

/**
 * phi_vdfs_usage() - read what a user is charged for
 * @v: Session.
 * @uid: User; others than one's own only for who administers the store.
 * @out: Out, with the limits.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_usage(struct phi_vdfs *v, uint32_t uid,
		   struct phi_vdfs_usage *out);

/**
 * phi_vdfs_stats() - read what the store holds
 * @v: Session of who administers the store.
 * @out: Out.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -EACCES for anyone else, or another negative errno.
 */
int phi_vdfs_stats(struct phi_vdfs *v, struct phi_vdfs_stats *out);

/**
 * phi_vdfs_gc() - take away what nothing refers to
 * @v: Session of who administers the store.
 * @progress: Called now and then; may be NULL.
 * @arg: For @progress.
 * @out: Out; may be NULL.
 *
 * Context: Any thread. Waits until it is done.
 * Return: 0, -EACCES for anyone else, or another negative errno.
 */
int phi_vdfs_gc(struct phi_vdfs *v, phi_vdfs_progress *progress, void *arg,
		struct phi_vdfs_gc *out);

/**
 * phi_vdfs_fsck() - compare everything with what was stored
 * @v: Session of who administers the store.
 * @flags: 0 or PHI_VDFS_REPAIR.
 * @line: Called with each fault.
 * @progress: Called now and then; may be NULL.
 * @arg: For @line and @progress.
 * @out: Out.
 *
 * Context: Any thread. Waits until it is done.
 * Return: 0, faults or none; -EACCES for anyone else; or another negative
 * errno.
 */
int phi_vdfs_fsck(struct phi_vdfs *v, unsigned int flags,
		  phi_vdfs_line_fn *line, phi_vdfs_progress *progress,
		  void *arg, struct phi_vdfs_fsck *out);

#ifdef __cplusplus
}
#endif

#include <phi/vdfs_collection.h>

#endif /* PHI_VDFS_H */
