/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_REMOTE_H
#define VDFSD_SERVER_REMOTE_H

struct vdfsd;

int vdfsd_remote_attach(struct vdfsd *s);
int vdfsd_remote_collect(struct vdfsd *s);

#endif /* VDFSD_SERVER_REMOTE_H */
