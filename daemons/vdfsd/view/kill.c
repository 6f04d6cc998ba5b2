// SPDX-License-Identifier: GPL-2.0-only
/* Requests whose thread is being killed: nobody will use the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_impl.h"

#define SIGKILL_BIT (1ULL << (9 - 1))

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
	unsigned long long pending = 0;
	char path[32], line[128];
	FILE *status;

	if (!fuse_req_interrupted(c->req))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", c->tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "SigPnd:", 7))
			pending = strtoull(line + 7, NULL, 16);
	}
	if (status)
		fclose(status);
	return pending & SIGKILL_BIT;
}
