/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_VDFS_IMPL_H
#define LIB_VDFS_IMPL_H

#include <phi/phi.h>
#include <phi/vdfs.h>
#include <pthread.h>

/**
 * struct phi_vdfs - a session
 * @phi: Cspace.
 * @life: Endpoint whose death ends the session.
 * @session: Endpoint that calls go to.
 * @info: Answer of the daemon when it began.
 * @lock: Held from before a call until its results are used.
 * @over: It cannot go on: nobody knows what the staging region is used for.
 * @cap: Staging region.
 * @mem: Where it is mapped.
 * @len: Its length.
 * @tag: Of the last call.
 */
struct phi_vdfs {
	int phi;
	uint64_t life;
	uint64_t session;
	struct phi_vdfs_attached info;
	pthread_mutex_t lock;
	bool over;
	uint64_t cap;
	char *mem;
	size_t len;
	uint64_t tag;
};

/**
 * struct vdfs_ask - one call
 * @req: The request; spans and tag are filled in.
 * @answer: Out.
 * @name: Text for req.name, or NULL.
 * @more: Text for req.more, or NULL.
 * @data: Bytes for req.data, or NULL to have @fill write them.
 * @data_len: How many.
 * @room: Room wanted for results.
 * @out: Out, the results; answer.len bytes.
 * @why: NULL, or room for the reason that came with EINVAL.
 * @cap: Out, capability that came, 0 = none; the caller's.
 * @fill: Writes @data_len bytes; for what is made in place. Called with the
 *        lock, so @fill waits for nothing.
 * @arg: For @fill.
 */
struct vdfs_ask {
	struct phi_vdfs_request req;
	struct phi_vdfs_answer answer;
	const char *name;
	const char *more;
	const void *data;
	size_t data_len;
	size_t room;
	char *out;
	char *why;
	uint64_t cap;
	void (*fill)(void *arg, char *to);
	const void *arg;
};

/**
 * vdfs_ask() - make a call
 * @v: Session.
 * @a: Call. Its results lie in shared memory until the lock is dropped.
 *
 * Lays out what the call takes, and makes room for what it gives.
 *
 * Context: With the lock of the session.
 * Return: 0 or a negative errno, the answer's status among them.
 */
int vdfs_ask(struct phi_vdfs *v, struct vdfs_ask *a);

/**
 * vdfs_ask_blob() - make a call about a blob
 * @v: Session.
 * @a: Call.
 * @blob: Name, or "sha256:" and digits.
 *
 * Context: With the lock of the session.
 * Return: As vdfs_ask(); -EINVAL for no hash.
 */
int vdfs_ask_blob(struct phi_vdfs *v, struct vdfs_ask *a, const char *blob);

/**
 * vdfs_do() - make a call whose results are all in its answer
 * @v: Session.
 * @a: Call.
 *
 * Context: Any thread.
 * Return: As vdfs_ask().
 */
int vdfs_do(struct phi_vdfs *v, struct vdfs_ask *a);

/**
 * vdfs_job() - start a job and see it through
 * @v: Session.
 * @a: Call that starts it; its answer becomes the job's last word.
 * @line: Called with each line of its report; may be NULL.
 * @progress: Called now and then; may be NULL.
 * @arg: For both.
 *
 * Context: Any thread. Others get their turn meanwhile.
 * Return: Result of the job, -ECANCELED when @progress stopped it.
 */
int vdfs_job(struct phi_vdfs *v, struct vdfs_ask *a, phi_vdfs_line_fn *line,
	     phi_vdfs_progress *progress, void *arg);

/**
 * vdfs_entries() - go through a list page by page
 * @v: Session.
 * @a: Call for the first page.
 * @each: Called with each entry, without the lock.
 * @next: Makes of @a the call for the page after an entry.
 * @arg: For @each.
 *
 * Context: Any thread.
 * Return: 0, what @each returned, or a negative errno.
 */
int vdfs_entries(struct phi_vdfs *v, struct vdfs_ask *a,
		 int (*each)(void *arg, const struct phi_vdfs_entry *entry,
			     const char *name),
		 void (*next)(struct vdfs_ask *a,
			      const struct phi_vdfs_entry *entry,
			      const char *name),
		 void *arg);

#endif /* LIB_VDFS_IMPL_H */
