/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFSD_SERVER_CALLS_H
#define VDFSD_SERVER_CALLS_H

int server_confine(void);

#endif /* VDFSD_SERVER_CALLS_H */
