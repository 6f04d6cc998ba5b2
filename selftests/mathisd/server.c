// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <phi/phi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

uint64_t in_seconds(double s)
{
	return now() + (uint64_t)(s * SECOND);
}

int server_new(struct daemon_run *d)
{
	d->pid = 0;
	snprintf(d->dir, sizeof(d->dir), "/run/mathisd-test-XXXXXX");
	if (!mkdtemp(d->dir) || chmod(d->dir, 0755))
		return -errno;
	return 0;
}

int server_manifest(struct daemon_run *d, const char *user, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.json", d->dir, user);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs(text, f);
	return fclose(f) ? -errno : 0;
}

int server_start(struct daemon_run *d)
{
	char tokens[96], fd[16];
	int ready[2];
	char c;

	snprintf(tokens, sizeof(tokens), "%s/tokens", d->dir);
	if (pipe(ready))
		return -errno;
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	d->pid = fork();
	if (d->pid < 0)
		return -errno;
	if (!d->pid) {
		close(ready[0]);
		execlp("mathisd", "mathisd", "--user", "nobody", "--manifests",
		       d->dir, "--publish", tokens, "--ready-fd", fd, NULL);
		perror("mathisd");
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(d->pid, NULL, 0);
		d->pid = 0;
	}
	close(ready[0]);
	return d->pid ? 0 : -ECHILD;
}

int server_stop(struct daemon_run *d, int sig)
{
	int status = -1;

	if (!d->pid)
		return 0;
	kill(d->pid, sig);
	waitpid(d->pid, &status, 0);
	d->pid = 0;
	return status;
}

void server_free(struct daemon_run *d)
{
	char command[96];

	server_stop(d, SIGKILL);
	snprintf(command, sizeof(command), "rm -rf %s", d->dir);
	if (system(command))
		fprintf(stderr, "# %s stays\n", d->dir);
}

int server_client(const struct daemon_run *d,
		  const struct mathis_client_size *size, int *phi,
		  struct mathis_client **client)
{
	uint64_t endpoint;
	char path[128];
	int ret;

	*phi = phi_open(0);
	if (*phi < 0)
		return *phi;
	snprintf(path, sizeof(path), "%s/tokens/mathisd.token", d->dir);
	ret = mathis_client_token(*phi, path, &endpoint);
	if (!ret)
		ret = mathis_client_open(*phi, endpoint, size, in_seconds(30),
					 client);
	return ret;
}
