// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debian's build of ONNX Runtime prints more than a thousand lines, about
 * schemas that are registered twice, when the first model is loaded (others
 * do so when the environment is made). Standard error is off meanwhile; what
 * goes wrong is told by a status.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "quiet.h"

/**
 * quiet_begin() - point standard error at /dev/null
 *
 * Context: While no other thread writes there.
 * Return: Descriptor for quiet_end(), or -1 on failure.
 */
int quiet_begin(void)
{
	int null, saved;

	fflush(stderr);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (saved < 0)
		return -1;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) {
		close(saved);
		return -1;
	}
	dup2(null, STDERR_FILENO);
	close(null);
	return saved;
}

/**
 * quiet_end() - undo quiet_begin()
 * @saved: Its return value.
 *
 * Context: As quiet_begin().
 */
void quiet_end(int saved)
{
	if (saved < 0)
		return;
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}
