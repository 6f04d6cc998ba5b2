// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"

#define DATA "../data/"
#define WORDS_MAX 32

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

uint64_t in_seconds(double s)
{
	return now() + (uint64_t)(s * SECOND);
}

static void daemon_exec(struct daemon *d, const char *options, int ready)
{
	static char words[512], fd[16];
	char *argv[WORDS_MAX] = { "batchd",
				  "--user",
				  "nobody",
				  "--ready-fd",
				  fd,
				  "--publish",
				  d->dir,
				  "--model",
				  "identity=" DATA "models/identity.onnx:16",
				  "--model",
				  "fixed=" DATA "models/fixed.onnx",
				  "--model",
				  "digits=" DATA "mnist/mnist_mlp.onnx:64" };
	char *word;
	int n = 13;

	snprintf(fd, sizeof(fd), "%d", ready);
	snprintf(words, sizeof(words), "%s", options);
	for (word = strtok(words, " "); word && n < WORDS_MAX - 1;
	     word = strtok(NULL, " "))
		argv[n++] = word;
	execvp("batchd", argv);
	perror("batchd");
	_exit(127);
}

/* Start one and wait until it is ready; 0 or a negative errno. */
int daemon_start(struct daemon *d, const char *options)
{
	int ready[2];
	char c;

	snprintf(d->dir, sizeof(d->dir), "/run/batchd-test-XXXXXX");
	if (!mkdtemp(d->dir) || chmod(d->dir, 0755) || pipe(ready))
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
		close(ready[0]);
		return -ECHILD;
	}
	close(ready[0]);
	return 0;
}

/* Tokens of one that was killed are still there. */
static void daemon_tidy(struct daemon *d)
{
	static const char *const models[] = { "identity", "fixed", "digits" };
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(models) / sizeof(*models); i++) {
		snprintf(path, sizeof(path), "%s/%s.token", d->dir, models[i]);
		unlink(path);
	}
	rmdir(d->dir);
}

static struct daemon *shared;
static pid_t sharer;

static void end_shared(void)
{
	if (getpid() != sharer || !daemon_stop(shared, SIGTERM))
		return;
	printf("# batchd failed, or its counters do not add up\n");
	fflush(stdout);
	_exit(1);
}

/* For SHARED_DAEMON(). */
void daemon_share(struct daemon *d, const char *options)
{
	if (daemon_start(d, options)) {
		printf("# cannot start batchd; is phi.ko loaded?\n");
		exit(1);
	}
	shared = d;
	sharer = getpid();
	atexit(end_shared);
}

/* End one; returns what waitpid() said of it. */
int daemon_stop(struct daemon *d, int sig)
{
	int status = -1;

	kill(d->pid, sig);
	waitpid(d->pid, &status, 0);
	daemon_tidy(d);
	return status;
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

/* A cspace with the MODEL capability in it. */
int peer_unseal(struct peer *s, const struct daemon *d, const char *model)
{
	struct phi_token token;
	char path[128];
	ssize_t got;
	int fd;

	memset(s, 0, sizeof(*s));
	s->phi = phi_open(0);
	if (s->phi < 0)
		return s->phi;
	snprintf(path, sizeof(path), "%s/%s.token", d->dir, model);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, &token, sizeof(token));
	close(fd);
	if (got != sizeof(token))
		return -EIO;
	return phi_cap_unseal(s->phi, &token, &s->model);
}

/* Call with at most one capability, with @rights; 0 or a negative errno. */
int peer_call(struct peer *s, uint64_t endpoint, const void *data, uint32_t len,
	      uint64_t cap, uint32_t rights, struct phi_msg_in *in)
{
	struct phi_msg msg = { .data = data, .len = len, .ncaps = !!cap };

	msg.caps[0].cap = cap;
	msg.caps[0].rights = cap ? rights : 0;
	return phi_call(s->phi, endpoint, &msg, in, 0, in_seconds(30));
}

int peer_attach(struct peer *s)
{
	struct phi_batch_attach req = { .head = { PHI_BATCH_ATTACH, 0, 77 },
					.version = PHI_BATCH_VERSION };
	struct phi_msg_in in;
	int ret;

	ret = phi_endpoint_create(s->phi, &s->life);
	if (!ret)
		ret = peer_call(s, s->model, &req, sizeof(req), s->life,
				PHI_RIGHT_SEND, &in);
	if (ret)
		return ret;
	if (in.len != sizeof(s->info))
		return -EPROTO;
	memcpy(&s->info, in.data, sizeof(s->info));
	if (s->info.tag != 77)
		return -EPROTO;
	if (s->info.status)
		return s->info.status;
	if (in.ncaps != 1)
		return -EPROTO;
	s->endpoint = in.caps[0].cap;
	return 0;
}

int peer_region(struct peer *s, uint64_t cap, uint32_t rights, uint32_t *slot)
{
	struct phi_batch_region req = { .head = { PHI_BATCH_REGION, 0, 78 } };
	struct phi_batch_slot a;
	struct phi_msg_in in;
	int ret;

	ret = peer_call(s, s->endpoint, &req, sizeof(req), cap, rights, &in);
	if (ret)
		return ret;
	if (in.len != sizeof(a))
		return -EPROTO;
	memcpy(&a, in.data, sizeof(a));
	*slot = a.slot;
	return a.tag == 78 ? a.status : -EPROTO;
}

int peer_forget(struct peer *s, uint32_t slot)
{
	struct phi_batch_region req = { .head = { PHI_BATCH_FORGET, 0, 79 },
					.slot = slot };
	struct phi_batch_slot a;
	struct phi_msg_in in;
	int ret;

	ret = peer_call(s, s->endpoint, &req, sizeof(req), 0, 0, &in);
	if (ret)
		return ret;
	if (in.len != sizeof(a))
		return -EPROTO;
	memcpy(&a, in.data, sizeof(a));
	return a.tag == 79 ? a.status : -EPROTO;
}

/* All of it: unseal, attach, make a region and give it. */
int peer_open(struct peer *s, const struct daemon *d, const char *model,
	      size_t bytes)
{
	int ret;

	ret = peer_unseal(s, d, model);
	if (!ret)
		ret = peer_attach(s);
	if (!ret)
		ret = phi_region_create(s->phi, bytes, 0, &s->region);
	if (!ret)
		ret = phi_region_map(s->phi, s->region, PROT_READ | PROT_WRITE,
				     &s->mem, &s->len);
	if (!ret)
		ret = peer_region(s, s->region,
				  PHI_RIGHT_READ | PHI_RIGHT_WRITE |
					  PHI_RIGHT_MAP,
				  &s->slot);
	return ret;
}

void peer_close(struct peer *s)
{
	if (s->mem)
		phi_region_unmap(s->mem, s->len);
	phi_close(s->phi);
}

/* A request that is right in every field. */
void peer_fill(const struct peer *s, struct phi_batch_request *req,
	       uint32_t rows, uint64_t in_at, uint64_t out_at)
{
	memset(req, 0, sizeof(*req));
	req->head.op = PHI_BATCH_INFER;
	req->head.tag = in_at ^ 0x55aa;
	req->priority = PHI_BATCH_PRIORITY_NORMAL;
	req->input = s->info.input;
	req->input.shape[0] = rows;
	req->input.slot = s->slot;
	req->input.offset = in_at;
	req->output = s->info.output;
	req->output.shape[0] = rows;
	req->output.slot = s->slot;
	req->output.offset = out_at;
}

/* Send a request by call; 0 when an answer came, whatever it says. */
int peer_infer(struct peer *s, const struct phi_batch_request *req,
	       struct phi_batch_answer *answer)
{
	struct phi_msg_in in;
	int ret;

	ret = peer_call(s, s->endpoint, req, sizeof(*req), 0, 0, &in);
	if (ret)
		return ret;
	if (in.len != sizeof(*answer))
		return -EPROTO;
	memcpy(answer, in.data, sizeof(*answer));
	return answer->tag == req->head.tag ? 0 : -EPROTO;
}
