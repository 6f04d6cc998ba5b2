/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_REMOTE_H
#define VDFSD_SERVER_REMOTE_H

struct server;

int remote_attach(struct server *s);
int remote_collect(struct server *s);

#endif /* VDFSD_SERVER_REMOTE_H */
