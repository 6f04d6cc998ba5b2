/* SPDX-License-Identifier: GPL-2.0-only */
/* Files through which a test speaks to the kernel: of cgroups and of tracing. */
#ifndef SELFTESTS_LIB_FILE_H
#define SELFTESTS_LIB_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * Write text to a file that exists, and truncate it where it is a log. Returns
 * 0 or a negative errno.
 */
static inline int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

#endif /* SELFTESTS_LIB_FILE_H */
