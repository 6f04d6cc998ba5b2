/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_VDFSD_DAEMON_H
#define _SELFTESTS_VDFSD_DAEMON_H

/* A vdfsd to test against, with a store and tokens of its own. */

#include <phi/phi.h>
#include <phi/vdfs.h>
#include <stdbool.h>
#include <sys/types.h>

#define SECOND 1000000000ULL

/* Software emulation on a busy machine takes its time. */
#define SLOW_TEST(_fixture, _name) TEST_F_TIMEOUT(_fixture, _name, 240)

/**
 * struct daemon - a vdfsd
 * @pid: It; 0 = it does not run.
 * @dir: Its directory: store/ and tokens.
 */
struct daemon {
	pid_t pid;
	char dir[64];
};

uint64_t now(void);
int daemon_new(struct daemon *d);
int daemon_start(struct daemon *d, const char *options);
int daemon_stop(struct daemon *d, int sig);
void daemon_free(struct daemon *d);
int daemon_check(const struct daemon *d);
bool daemon_status(const struct daemon *d, const char *field, char *out,
		   size_t room);

/* A cspace, and a session in it with the token NAME. */
int session_cap(const struct daemon *d, const char *token, int *phi,
		uint64_t *cap);
int session_new(const struct daemon *d, const char *token, int *phi,
		struct phi_vdfs **v);
void session_end(int phi, struct phi_vdfs *v);

#endif /* _SELFTESTS_VDFSD_DAEMON_H */
