/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_SCAN_H
#define VDFS_SCAN_H

#include "object.h"

/**
 * typedef vdfs_scan_fn - a record that was found in a segment
 * @arg: The caller's.
 * @object: Object that its head describes; its body may be damaged.
 *
 * Return: 0 to go on; anything else ends the scan and is returned.
 */
typedef int vdfs_scan_fn(void *arg, const struct vdfs_object *object);

/**
 * typedef vdfs_scan_file_fn - a file of an object that was found
 * @arg: The caller's.
 * @dir: Directory it is in.
 * @name: Its name there.
 * @object: Hash and user that its name says.
 * @beside: It was to take the place of another one, or had it.
 *
 * Return: 0 to go on; anything else ends the scan and is returned.
 */
typedef int vdfs_scan_file_fn(void *arg, int dir, const char *name,
			      const struct vdfs_object *object, bool beside);

int vdfs_scan_segment(struct vdfs_store *store, uint32_t number, uint64_t from,
		      vdfs_scan_fn *fn, void *arg);
int vdfs_scan_files(struct vdfs_store *store, vdfs_scan_file_fn *fn, void *arg);
/* Whether something is stored that the database does not know: 1 or 0. */
int vdfs_scan_unknown(struct vdfs_store *store);
/* Whether the last records that the database knows are there: 1 or 0. */
int vdfs_scan_fits(struct vdfs_store *store);
bool vdfs_scan_newer(struct vdfs_store *store);

#endif /* VDFS_SCAN_H */
