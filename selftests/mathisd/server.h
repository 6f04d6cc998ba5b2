/* SPDX-License-Identifier: GPL-2.0-only */
/* A mathisd to test against. */
#ifndef SERVER_H
#define SERVER_H

#include <mathis/client.h>
#include <stdbool.h>
#include <sys/types.h>

#define SECOND 1000000000ULL

/* A mathisd with a folder of its own, for its manifests, tokens, and files. */
struct daemon_run {
	pid_t pid;
	char dir[64];
};

uint64_t now(void);
uint64_t in_seconds(double s);

/* Make the folder; start with a manifest for all users; 0 or -errno. */
int server_new(struct daemon_run *d);
int server_manifest(struct daemon_run *d, const char *user, const char *text);
int server_start(struct daemon_run *d);
/* End it; what waitpid() said of it. */
int server_stop(struct daemon_run *d, int sig);
void server_free(struct daemon_run *d);

/* Begin a session, in a cspace of its own: *phi. */
int server_client(const struct daemon_run *d,
		  const struct mathis_client_size *size, int *phi,
		  struct mathis_client **client);

#endif
