// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that are written: whole, or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int write_failed(const char *name)
{
	fprintf(stderr, "mathis: %s: %s\n", name, strerror(errno));
	return EXIT_BAD;
}

/* Write to an open file and close it: 0, or -1 and errno. */
static int write_all(int fd, const uint8_t *data, size_t size)
{
	int saved;

	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		data += n;
		size -= n;
	}
	saved = errno;
	if (close(fd))
		return -1;
	errno = saved;
	return size ? -1 : 0;
}

/* A new file that takes the place of @name once it is whole. */
static int replace(const char *name, mode_t mode, const void *data, size_t size)
{
	char *part;
	int ret;
	int fd;

	if (asprintf(&part, "%s.XXXXXX", name) < 0)
		return -1;
	fd = mkstemp(part);
	if (fd < 0) {
		free(part);
		return -1;
	}
	ret = fchmod(fd, mode);
	if (write_all(fd, data, size) || ret || rename(part, name)) {
		int saved = errno;

		unlink(part);
		errno = saved;
		ret = -1;
	}
	free(part);
	return ret;
}

/* Write a file whole, or not at all; a device or pipe is written to. */
int write_output(const char *name, const void *data, size_t size)
{
	mode_t mask = umask(0);
	char *target = NULL;
	struct stat st;
	int ret = -1;
	int fd;

	umask(mask);
	if (stat(name, &st)) {
		ret = replace(name, 0666 & ~mask, data, size);
	} else if (!S_ISREG(st.st_mode)) {
		fd = open(name, O_WRONLY | O_CLOEXEC);
		ret = fd < 0 ? -1 : write_all(fd, data, size);
	} else {
		target = realpath(name, NULL); /* a link stays */
		if (target)
			ret = replace(target, st.st_mode & 0777, data, size);
	}
	if (ret)
		ret = write_failed(name);
	free(target);
	return ret;
}
