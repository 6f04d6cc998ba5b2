/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_BATCHD_HELPER_H
#define _SELFTESTS_BATCHD_HELPER_H

/*
 * A batchd to test against, and a client of it that speaks the wire format
 * by hand, so that it can also speak it wrongly.
 */

#include <phi/batch.h>
#include <phi/phi.h>
#include <stdbool.h>
#include <sys/types.h>

#define SECOND 1000000000ULL

/* Software emulation on a busy machine takes its time. */
#define SLOW_TEST(_fixture, _name) TEST_F_TIMEOUT(_fixture, _name, 240)

/* A batchd of our own, with a directory for its tokens. */
struct daemon {
	pid_t pid;
	char dir[64];
};

/* A session, and one region of it, mapped, in a slot. */
struct peer {
	int phi;
	uint64_t model;
	uint64_t life;
	uint64_t endpoint;
	struct phi_batch_attached info;
	uint64_t region;
	size_t len;
	void *mem;
	uint32_t slot;
};

/*
 * Start one, d, before the tests, for all of them, and stop it after them: then
 * its exit status says whether its counters add up, and becomes the test's.
 */
#define SHARED_DAEMON(_options)                              \
	static struct daemon d;                              \
	__attribute__((constructor)) static void begin(void) \
	{                                                    \
		daemon_share(&d, _options);                  \
	}

uint64_t now(void);
uint64_t in_seconds(double s);

void daemon_share(struct daemon *d, const char *options);
int daemon_start(struct daemon *d, const char *options);
int daemon_stop(struct daemon *d, int sig);
bool daemon_status(const struct daemon *d, const char *field, char *out,
		   size_t room);

int peer_unseal(struct peer *s, const struct daemon *d, const char *model);
int peer_attach(struct peer *s);
int peer_open(struct peer *s, const struct daemon *d, const char *model,
	      size_t bytes);
void peer_close(struct peer *s);
int peer_call(struct peer *s, uint64_t endpoint, const void *data, uint32_t len,
	      uint64_t cap, uint32_t rights, struct phi_msg_in *in);
int peer_region(struct peer *s, uint64_t cap, uint32_t rights, uint32_t *slot);
int peer_forget(struct peer *s, uint32_t slot);
void peer_fill(const struct peer *s, struct phi_batch_request *req,
	       uint32_t rows, uint64_t in_at, uint64_t out_at);
int peer_infer(struct peer *s, const struct phi_batch_request *req,
	       struct phi_batch_answer *answer);

#endif /* _SELFTESTS_BATCHD_HELPER_H */
