/* SPDX-License-Identifier: GPL-2.0-only */
/* Files by handle, for the calls that make and lock them. */
#ifndef MATHISD_CALLS_IO_FILE_H
#define MATHISD_CALLS_IO_FILE_H

#include <pthread.h>
#include <sys/types.h>

#include "core/handle.h"

/* Flags of io_open. */
enum file_flags {
	FILE_READ = 1,
	FILE_WRITE = 2,
	FILE_CREATE = 0x100,
	FILE_TRUNCATE = 0x200,
	FILE_APPEND = 0x400,
};

struct file {
	struct md_object base;
	int fd;
	bool reads;
	bool writes;
	bool appends;
	bool seeks; /* a regular file */
	/* Over a read or write and its offset, where there are any. */
	pthread_mutex_t lock;
	int64_t offset;
};

/* The file of the first argument, with a reference; NULL: reported. */
struct file *file_get(struct md_call *c);
/* Return a handle of an open file, which it takes, also on failure. */
int file_return(struct md_call *c, int fd, int64_t flags);
/* Describe the file that the first argument names; @flags of md_path_find(). */
int file_stat(struct md_call *c, int flags);
/* "file", "dir", ... for a type of a file. */
const char *file_type(mode_t mode);

#endif
