// SPDX-License-Identifier: GPL-2.0-only
/*
 * tiny_prog DIR NOTES HOW - replace the content of DIR/file, "old" by "new",
 * in a good way or in one of several bad ones. Says in NOTES when the first
 * and when the second content is meant to be safe.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEN 3000

static int notes;
static int dir;
static const char *how;

static void put(const char *name, int c, int flags)
{
	char buf[LEN], path[64];
	int fd = openat(dir, flags & O_DIRECTORY ? "." : name, flags | O_RDWR,
			0600);

	memset(buf, c, sizeof(buf));
	if (fd < 0 || pwrite(fd, buf, 1000, 0) != 1000 ||
	    pwrite(fd, buf, LEN - 1000, 1000) != LEN - 1000)
		err(1, "%s", name);
	if (strcmp(how, "no-sync") && fsync(fd))
		err(1, "fsync");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (flags & O_DIRECTORY &&
	    linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW))
		err(1, "linkat");
	close(fd);
}

static void sync_dir(void)
{
	if (strcmp(how, "no-dir-sync") && fsync(dir))
		err(1, "fsync of directory");
}

static void note(const char *line)
{
	if (write(notes, line, strlen(line)) < 0)
		err(1, "notes");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: tiny_prog DIR NOTES HOW");
	dir = open(argv[1], O_RDONLY | O_DIRECTORY);
	notes = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
	how = argv[3];
	if (dir < 0 || notes < 0)
		err(1, "open");
	put("file", 'o', !strcmp(how, "tmpfile") ? O_TMPFILE : O_CREAT);
	sync_dir();
	note("old\n");
	if (!strcmp(how, "in-place")) {
		put("file", 'n', 0);
	} else {
		put("new", 'n', O_CREAT);
		if (renameat(dir, "new", dir, "file"))
			err(1, "rename");
		sync_dir();
	}
	note("new\n");
	return 0;
}
