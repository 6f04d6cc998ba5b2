// SPDX-License-Identifier: GPL-2.0-only
/* Bytes in and out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int read_all(int fd, size_t max, char **data, size_t *len)
{
	size_t room = 4096;
	char *grown;
	ssize_t n;

	*len = 0;
	*data = malloc(room);
	while (*data) {
		n = read(fd, *data + *len, room - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return *len > max ? -EFBIG : 0;
		*len += (size_t)n;
		if (*len > max)
			return -EFBIG;
		if (*len < room)
			continue;
		room *= 2;
		grown = realloc(*data, room);
		if (!grown)
			return -ENOMEM;
		*data = grown;
	}
	return -ENOMEM;
}

int read_file(const char *path, size_t max, void **data, size_t *len)
{
	bool std = !strcmp(path, "-");
	char *bytes = NULL;
	int fd = STDIN_FILENO;
	int ret;

	if (!std) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	ret = read_all(fd, max, &bytes, len);
	if (!std)
		close(fd);
	if (ret) {
		free(bytes);
		return ret;
	}
	*data = bytes;
	return 0;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *bytes = data;
	ssize_t n;

	while (len) {
		n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}
