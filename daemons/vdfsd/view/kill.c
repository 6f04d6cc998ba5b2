// SPDX-License-Identifier: GPL-2.0-only
/* Requests whose thread is being killed: nobody will use the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_impl.h"

#define SIGKILL_BIT (1ULL << (9 - 1))

/* Signals of a thread, by how its line in /proc begins; 0 where it has none. */
static unsigned long long signals(const struct vdfs_call *call,
				  const char *line_of)
{
	unsigned long long set = 0;
	char path[32], line[128];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", call->tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, line_of, strlen(line_of)))
			set = strtoull(line + strlen(line_of), NULL, 16);
	}
	if (status)
		fclose(status);
	return set;
}

/**
 * vdfs_call_killed() - does a thread that is being killed wait for the answer?
 * @call: The request, a struct vdfs_call.
 *
 * The kernel interrupts a request for any signal, also for one with a handler
 * that goes on afterwards: its stat() must not fail. Of a thread that dies of a
 * signal the kernel makes one with SIGKILL pending.
 *
 * Return: True when it is; false also where /proc does not show the thread.
 */
bool vdfs_call_killed(void *call)
{
	const struct vdfs_call *c = call;

	return fuse_req_interrupted(c->req) &&
	       signals(c, "SigPnd:") & SIGKILL_BIT;
}

/**
 * vdfs_call_dying() - does a process that was killed close a file at its end?
 * @call: The request.
 *
 * No signal interrupts a request by then, and SIGKILL has gone from the thread;
 * it is pending for the process until that is gone.
 *
 * Return: True when it does; false also where /proc does not show the thread.
 */
bool vdfs_call_dying(const struct vdfs_call *call)
{
	return signals(call, "ShdPnd:") & SIGKILL_BIT;
}
