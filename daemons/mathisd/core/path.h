/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths that a program names, resolved beneath the folders that its rights
 * give. A relative path begins at session->base; "." and ".." are resolved
 * before links are, which must not lead out of the folder. Where a rule denies,
 * the place that links lead to counts.
 */
#ifndef MATHISD_CORE_PATH_H
#define MATHISD_CORE_PATH_H

#include <limits.h>
#include <sys/types.h>

struct md_call;

/**
 * md_path_find() - find a file
 * @c: The call.
 * @right: "fs.read" or "fs.write".
 * @path: The path.
 * @flags: O_NOFOLLOW for a link itself, or 0.
 *
 * Return: A file opened with O_PATH, which the caller closes; -1: reported.
 */
int md_path_find(struct md_call *c, const char *right, const char *path,
		 int flags);

/**
 * md_path_parent() - find the folder that a name is to be made or removed in
 * @c: The call.
 * @right: "fs.read" or "fs.write".
 * @path: The path; its last part need not exist, and is not followed.
 * @name: Out, that part.
 *
 * Return: The folder, opened with O_PATH; -1: reported.
 */
int md_path_parent(struct md_call *c, const char *right, const char *path,
		   char name[NAME_MAX + 1]);

/* A path absolute, without "." and "..": 0, or -1, which was reported. */
int md_path_clean(struct md_call *c, const char *path, char out[PATH_MAX]);

/**
 * md_path_at() - ask whether there is a right where a name is
 * @c: The call.
 * @right: "fs.read" or "fs.write".
 * @folder: The folder that it is in.
 * @name: The name.
 *
 * A path that is resolved for two rights may lead to two places, for others may
 * change it meanwhile: the second right is asked for at the place that the first
 * one led to.
 *
 * Return: MD_DONE or MD_FAILED.
 */
int md_path_at(struct md_call *c, const char *right, int folder,
	       const char *name);

/**
 * md_path_move() - ask whether a name may be moved or removed with all below it
 * @c: The call.
 * @folder: The folder that it is in.
 * @name: The name.
 *
 * A rule that denies names a place. Its files must not come to another place, so
 * nothing above it may be moved.
 *
 * Return: MD_DONE or MD_FAILED.
 */
int md_path_move(struct md_call *c, int folder, const char *name);

/* Whether a file may be changed or watched: those of the kernel need io.special. */
int md_path_plain(struct md_call *c, int place);

/**
 * md_path_open() - open a file for its content
 * @c: The call.
 * @path: The path.
 * @flags: O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT, O_TRUNC, O_APPEND. Each
 *	needs fs.read, fs.write or both.
 * @mode: Of a file that is made.
 *
 * A file that is neither regular nor a folder needs io.special, and is opened
 * with O_NONBLOCK.
 *
 * Return: The file; -1: reported.
 */
int md_path_open(struct md_call *c, const char *path, int flags, mode_t mode);

#endif
