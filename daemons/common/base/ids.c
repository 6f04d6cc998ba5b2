// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users and groups of a thread. Neither FUSE nor an endpoint of phi.ko hands
 * supplementary groups over, so /proc is read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

static bool four(const char *line, uint32_t out[VDFS_IDS])
{
	return sscanf(line, "%u %u %u %u", &out[0], &out[1], &out[2],
		      &out[3]) == VDFS_IDS;
}

static int take_groups(const char *line, struct vdfs_ids *out)
{
	size_t room = strlen(line) / 2 + 1;
	char *end;

	out->groups = malloc(room * sizeof(*out->groups));
	if (!out->groups)
		return -ENOMEM;
	for (; out->n < room && out->n < GROUPS_MAX; line = end) {
		unsigned long gid = strtoul(line, &end, 10);

		if (end == line)
			break;
		out->groups[out->n++] = (uint32_t)gid;
	}
	return 0;
}

static int parse(FILE *status, struct vdfs_ids *out)
{
	bool uids = false, gids = false;
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, status) > 0) {
		if (!strncmp(line, "Uid:", 4))
			uids = four(line + 4, out->uid);
		else if (!strncmp(line, "Gid:", 4))
			gids = four(line + 4, out->gid);
		else if (!strncmp(line, "Groups:", 7) && !out->groups)
			err = take_groups(line + 7, out);
	}
	free(line);
	return err ?: uids && gids && out->groups ? 0 : -ESRCH;
}

/**
 * vdfs_ids_read() - read the users and groups of a thread
 * @tid: The thread, in the pid namespace of this process.
 * @out: Out; vdfs_ids_fini() it.
 *
 * Another thread may have this number by now: compare the users.
 *
 * Context: Any thread. Allocates.
 * Return: 0, -ESRCH when there is no such thread, or another negative errno;
 * then there is nothing to free.
 */
int vdfs_ids_read(pid_t tid, struct vdfs_ids *out)
{
	char path[32];
	FILE *status;
	int err;

	memset(out, 0, sizeof(*out));
	if (tid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	status = fopen(path, "re");
	if (!status)
		return errno == ENOENT ? -ESRCH : -errno;
	err = parse(status, out);
	fclose(status);
	if (err)
		vdfs_ids_fini(out);
	return err;
}

/**
 * vdfs_ids_have() - look for a supplementary group
 * @ids: Of a thread.
 * @gid: The group.
 *
 * Context: Any.
 * Return: Whether the thread is in it.
 */
bool vdfs_ids_have(const struct vdfs_ids *ids, uint32_t gid)
{
	size_t i;

	for (i = 0; i < ids->n; i++) {
		if (ids->groups[i] == gid)
			return true;
	}
	return false;
}

/**
 * vdfs_ids_fini() - free what vdfs_ids_read() gave
 * @ids: Zeros, or what it gave.
 *
 * Context: Any.
 */
void vdfs_ids_fini(struct vdfs_ids *ids)
{
	free(ids->groups);
	memset(ids, 0, sizeof(*ids));
}
