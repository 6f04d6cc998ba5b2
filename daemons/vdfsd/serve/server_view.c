// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filesystem view beside a daemon that gives up its privileges: it is
 * mounted before, and unmounted by a process that keeps them and does no more
 * than that, however the daemon ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "view/view.h"
#include "serve_impl.h"
#include "view_impl.h"

static struct vdfs_fuse *view;
static int view_fd = -1;
static pid_t keeper;
static int keeper_pipe = -1;

static struct vdfs_fuse_options view_options(const struct vdfsd *s)
{
	return (struct vdfs_fuse_options){
		.stage_dir = s->options.store,
		.allow_other = !geteuid() || view_fd >= 0,
		.read_only = s->options.store_options.read_only,
	};
}

/* The process that unmounts: it waits until the daemon is gone. */
static void keep(const char *dir, int daemon_fd)
{
	char c;

	/* Signals to the group are the daemon's to follow. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "vdfsd-unmount");
	while (read(daemon_fd, &c, 1) < 0 && errno == EINTR)
		;
	if (!geteuid())
		_exit(umount2(dir, MNT_DETACH) ? 1 : 0);
	execlp("fusermount3", "fusermount3", "-u", "-z", "-q", dir, NULL);
	_exit(127);
}

static int keeper_start(const char *dir)
{
	int ends[2];

	if (pipe(ends))
		return -errno;
	keeper = fork();
	if (keeper < 0) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (!keeper) {
		close(ends[1]);
		if (view_fd >= 0)
			close(view_fd);
		keep(dir, ends[0]);
	}
	close(ends[0]);
	keeper_pipe = ends[1];
	return 0;
}

/**
 * vdfsd_view_mount() - mount the filesystem view, to be served later
 * @s: Daemon.
 *
 * Context: Main thread, before privileges are given up.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int vdfsd_view_mount(struct vdfsd *s)
{
	struct vdfs_fuse_options options = view_options(s);
	int ret;

	if (!geteuid()) {
		view_fd = vdfs_fuse_mount(s->options.mount, &options);
		if (view_fd < 0) {
			ret = view_fd;
			say("cannot mount at %s: %s", s->options.mount,
			    strerror(-ret));
			return ret;
		}
	}
	ret = keeper_start(s->options.mount);
	if (ret)
		say("cannot start what unmounts: %s", strerror(-ret));
	return ret;
}

/**
 * vdfsd_view_needs_privilege() - is it yet to be mounted by another program?
 *
 * Context: Main thread, after vdfsd_view_mount() or without.
 * Return: Whether fusermount3 will be asked.
 */
bool vdfsd_view_needs_privilege(void)
{
	return keeper_pipe >= 0 && view_fd < 0;
}

/* Somebody unmounted it: go on without, unless that is all there is to do. */
static void view_ended(void *arg)
{
	struct vdfsd *s = arg;

	say("%s was unmounted", s->options.mount);
	if (s->options.no_phi)
		tgkill(getpid(), getpid(), SIGTERM);
}

/**
 * vdfsd_view_start() - serve the filesystem view
 * @s: Daemon with an open store.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; what is wrong was said.
 */
int vdfsd_view_start(struct vdfsd *s)
{
	struct vdfs_fuse_options options = view_options(s);
	char path[32];
	int ret;

	options.ended = view_ended;
	options.arg = s;
	snprintf(path, sizeof(path), "/dev/fd/%d", view_fd);
	ret = vdfs_fuse_start(s->store, s->db,
			      view_fd >= 0 ? path : s->options.mount, &options,
			      &view);
	if (ret)
		say("cannot show the store at %s: %s", s->options.mount,
		    strerror(-ret));
	return ret;
}

/**
 * vdfsd_view_stop() - end the filesystem view and unmount it
 * @s: Daemon.
 *
 * Context: Main thread.
 */
void vdfsd_view_stop(struct vdfsd *s)
{
	int status;

	if (view)
		vdfs_fuse_stop(view);
	view = NULL;
	if (keeper_pipe < 0)
		return;
	close(keeper_pipe);
	keeper_pipe = -1;
	while (waitpid(keeper, &status, 0) < 0 && errno == EINTR)
		;
	if (status && s->options.common.verbose)
		say("%s may still be mounted", s->options.mount);
}
