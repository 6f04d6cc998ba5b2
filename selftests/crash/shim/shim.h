/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CRASH_SHIM_H
#define CRASH_SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "selftests/crash/oplog.h"

/**
 * DOC: A shim between a program and its disk
 *
 * Preloaded, it stands in for the calls of libc that change files. One lock
 * is held over each of them, so that the log has them in the order in which
 * they happened. It makes its own calls past libc, and knows a file by what
 * /proc says of the descriptor: it keeps no table that could be wrong.
 */

#define SHIM_EXPORT __attribute__((visibility("default")))

/**
 * struct shim_call - a call on its way
 * @op: Its record.
 * @abs: Absolute path.
 * @abs2: The second one.
 * @path: The same as @abs, below the root.
 * @path2: The same as @abs2.
 * @data: What it writes.
 */
struct shim_call {
	struct crash_op op;
	char abs[PATH_MAX];
	char abs2[PATH_MAX];
	const char *path;
	const char *path2;
	const void *data;
};

enum shim_act {
	SHIM_GO, /* do it */
	SHIM_HALF, /* write only half of it */
	SHIM_FAIL, /* errno is set */
};

bool shim_on(void);
bool shim_is_notes(int fd);
bool shim_fd(struct shim_call *call, int fd);
bool shim_at(char abs[PATH_MAX], const char **path, int dirfd,
	     const char *name);
enum shim_act shim_begin(struct shim_call *call);
void shim_torn(void);
long shim_end(struct shim_call *call, long ret);
void shim_note(const void *data, size_t len);
long shim_write(int fd, const struct iovec *iov, int n, off_t offset);

#endif /* CRASH_SHIM_H */
