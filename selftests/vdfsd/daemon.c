// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "files.h"

#define WORDS_MAX 32

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* A directory for it. */
int daemon_new(struct daemon *d)
{
	d->pid = 0;
	snprintf(d->dir, sizeof(d->dir), "/run/vdfsd-test-XXXXXX");
	if (!mkdtemp(d->dir) || chmod(d->dir, 0755))
		return -errno;
	return 0;
}

static void daemon_exec(const struct daemon *d, const char *options, int ready)
{
	static char words[512], fd[16], store[96];
	char *argv[WORDS_MAX] = { "vdfsd",	  "--user",	"nobody",
				  "--store",	  store,	"--publish",
				  (char *)d->dir, "--ready-fd", fd };
	char *word;
	int n = 9;

	snprintf(store, sizeof(store), "%s/store", d->dir);
	snprintf(fd, sizeof(fd), "%d", ready);
	snprintf(words, sizeof(words), "%s", options);
	for (word = strtok(words, " "); word && n < WORDS_MAX - 1;
	     word = strtok(NULL, " "))
		argv[n++] = word;
	execvp("vdfsd", argv);
	perror("vdfsd");
	_exit(127);
}

/* Start it on its store and wait until it is ready; 0 or a negative errno. */
int daemon_start(struct daemon *d, const char *options)
{
	int ready[2];
	char c;

	if (pipe(ready))
		return -errno;
	d->pid = fork();
	if (d->pid < 0)
		return -errno;
	if (!d->pid) {
		close(ready[0]);
		daemon_exec(d, options, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(d->pid, NULL, 0);
		d->pid = 0;
		close(ready[0]);
		return -ECHILD;
	}
	close(ready[0]);
	return 0;
}

/* End it; returns what waitpid() said of it. */
int daemon_stop(struct daemon *d, int sig)
{
	int status = -1;

	if (!d->pid)
		return 0;
	kill(d->pid, sig);
	waitpid(d->pid, &status, 0);
	d->pid = 0;
	return status;
}

/* End it and remove all of it. */
void daemon_free(struct daemon *d)
{
	daemon_stop(d, SIGKILL);
	remove_tree(d->dir);
}

/* What vdfsd --check says of its store while it does not run. */
int daemon_check(const struct daemon *d)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "vdfsd --user nobody --store %s/store --check", d->dir);
	fflush(stdout);
	return system(command);
}

/* A field of /proc/PID/status. */
bool daemon_status(const struct daemon *d, const char *field, char *out,
		   size_t room)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", d->pid);
	f = fopen(path, "r");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, strlen(field)) ||
		    line[strlen(field)] != ':')
			continue;
		snprintf(out, room, "%s", line + strlen(field) + 2);
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

int session_cap(const struct daemon *d, const char *token, int *phi,
		uint64_t *cap)
{
	struct phi_token t;
	char path[128];
	ssize_t got;
	int fd;

	*phi = phi_open(0);
	if (*phi < 0)
		return *phi;
	snprintf(path, sizeof(path), "%s/%s.token", d->dir, token);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, &t, sizeof(t));
	close(fd);
	return got == sizeof(t) ? phi_cap_unseal(*phi, &t, cap) : -EIO;
}

int session_new(const struct daemon *d, const char *token, int *phi,
		struct phi_vdfs **v)
{
	uint64_t cap;
	int ret;

	ret = session_cap(d, token, phi, &cap);
	return ret ? ret : phi_vdfs_open(*phi, cap, 0, now() + 30 * SECOND, v);
}

void session_end(int phi, struct phi_vdfs *v)
{
	phi_vdfs_close(v);
	phi_close(phi);
}
