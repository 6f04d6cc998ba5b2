// SPDX-License-Identifier: LGPL-2.1-or-later
/* Long jobs of the daemon, and what a store holds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vdfs_impl.h"

/* Room for lines of a report. */
#define LINES_ROOM 65536

/* Give each line of @text, which is private. */
static void tell_lines(char *text, size_t len, phi_vdfs_line_fn *line,
		       void *arg)
{
	char *end;

	text[len] = '\0';
	for (; *text; text = end + 1) {
		end = strchrnul(text, '\n');
		if (!*end)
			break;
		*end = '\0';
		line(arg, text);
	}
}

/*
 * Ask about a job once; the lock is held for that alone, so that others get
 * their turn.
 */
static int job_ask(struct phi_vdfs *v, uint64_t id, bool cancel, char *text,
		   struct phi_vdfs_answer *answer)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_JOB };
	int ret;

	a.req.id = id;
	a.req.flags = cancel ? PHI_VDFS_CANCEL : 0;
	a.room = text ? LINES_ROOM : 0;
	a.answer.status = 0;
	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask(v, &a);
	if (text && (!ret || ret == -EINPROGRESS))
		memcpy(text, a.out, a.answer.len);
	pthread_mutex_unlock(&v->lock);
	*answer = a.answer;
	return ret;
}

int vdfs_job(struct phi_vdfs *v, struct vdfs_ask *a, phi_vdfs_line_fn *line,
	     phi_vdfs_progress *progress, void *arg)
{
	bool cancel = false;
	char *text = NULL;
	uint64_t id;
	int ret;

	if (line) {
		text = malloc(LINES_ROOM + 1);
		if (!text)
			return -ENOMEM;
	}
	ret = vdfs_do(v, a);
	id = a->answer.id;
	while (!ret) {
		ret = job_ask(v, id, cancel, text, &a->answer);
		if (ret && ret != -EINPROGRESS)
			break;
		if (text)
			tell_lines(text, a->answer.len, line, arg);
		if (!ret)
			break;
		ret = 0;
		if (progress && !cancel)
			cancel =
				!progress(arg, a->answer.done, a->answer.total);
	}
	free(text);
	return ret;
}

int phi_vdfs_gc(struct phi_vdfs *v, phi_vdfs_progress *progress, void *arg,
		struct phi_vdfs_gc *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_GC };
	int ret = vdfs_job(v, &a, NULL, progress, arg);

	if (!ret && out)
		*out = a.answer.gc;
	return ret;
}

int phi_vdfs_fsck(struct phi_vdfs *v, unsigned int flags,
		  phi_vdfs_line_fn *line, phi_vdfs_progress *progress,
		  void *arg, struct phi_vdfs_fsck *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_FSCK, .req.flags = flags };
	int ret = vdfs_job(v, &a, line, progress, arg);

	if (!ret)
		*out = a.answer.fsck;
	return ret;
}

int phi_vdfs_stats(struct phi_vdfs *v, struct phi_vdfs_stats *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_STATS };
	int ret = vdfs_do(v, &a);

	if (!ret)
		*out = a.answer.stats;
	return ret;
}

int phi_vdfs_quota_get(struct phi_vdfs *v, uint32_t uid, uint64_t *quota,
		       uint64_t *used)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_QUOTA_GET, .req.value = uid };
	int ret = vdfs_do(v, &a);

	if (ret)
		return ret;
	*quota = a.answer.quota.limit;
	*used = a.answer.quota.used;
	return 0;
}

int phi_vdfs_usage(struct phi_vdfs *v, uint32_t uid, struct phi_vdfs_usage *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_USAGE, .req.value = uid };
	int ret = vdfs_do(v, &a);

	if (!ret)
		*out = a.answer.usage;
	return ret;
}

int phi_vdfs_quota_set(struct phi_vdfs *v, uint32_t uid, uint64_t bytes)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_QUOTA_SET, .req.value = uid };

	a.req.offset = bytes;
	return vdfs_do(v, &a);
}
