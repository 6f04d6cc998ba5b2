// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities: a reader that loses its pages, and tokens that stop working.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demo.h"

#define SECRET "the quick brown fox"

static sigjmp_buf back;
static int caught_code;

static void caught(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught_code = info->si_code;
	siglongjmp(back, 1);
}

/* Report of the reader to its owner. */
struct news {
	char read[32];
	int error;
	int lost;
	int code;
};

/* Start parameters of the reader: its mailbox comes as a token. */
struct reader {
	struct phi_token mailbox;
	int to_owner;
	int from_owner;
};

/* Receive a region, read it, wait, and read it again. */
static void read_twice(struct reader *r, int phi, struct news *news)
{
	struct sigaction action = { .sa_sigaction = caught,
				    .sa_flags = SA_SIGINFO };
	struct phi_msg msg = {};
	struct phi_msg_in in;
	uint64_t mailbox;
	char *mem;
	void *addr;
	char c;

	news->error = phi_cap_unseal(phi, &r->mailbox, &mailbox);
	if (!news->error)
		news->error = phi_call(phi, mailbox, &msg, &in, 0,
				       now() + 10 * SECOND);
	if (!news->error)
		news->error = phi_region_map(phi, in.caps[0].cap, PROT_READ,
					     &addr, NULL);
	if (news->error)
		return;
	mem = addr;
	memcpy(news->read, addr, sizeof(SECRET));
	if (write(r->to_owner, news, sizeof(*news)) != sizeof(*news) ||
	    read(r->from_owner, &c, 1) != 1)
		return;
	sigaction(SIGBUS, &action, NULL);
	if (!sigsetjmp(back, 1))
		news->read[0] = __atomic_load_n(mem, __ATOMIC_RELAXED);
	else
		news->lost = 1;
	news->code = caught_code;
}

static int reader_main(void *arg)
{
	struct news news = {};
	struct reader *r = arg;
	int phi = phi_open(0);

	if (phi < 0)
		return 1;
	read_twice(r, phi, &news);
	return write(r->to_owner, &news, sizeof(news)) != sizeof(news);
}

/* Answer the reader's call with a capability to read, and map, the region. */
static int give(int phi, uint64_t mailbox, uint64_t region)
{
	struct phi_msg msg = { .ncaps = 1 };
	struct phi_msg_in in;
	int ret;

	msg.caps[0].cap = region;
	msg.caps[0].rights = PHI_RIGHT_READ | PHI_RIGHT_MAP;
	ret = phi_recv(phi, mailbox, &in, 0, now() + 10 * SECOND);
	if (!ret)
		ret = phi_reply(phi, in.reply, &msg);
	return ret;
}

/* A region with SECRET in it and an endpoint to ask for it, sealed. */
static int owner_setup(int phi, uint64_t *region, uint64_t *mailbox,
		       struct phi_token *token)
{
	void *mem = NULL;
	int ret;

	ret = phi_region_create(phi, 4096, 0, region);
	if (!ret)
		ret = phi_region_map(phi, *region, PROT_READ | PROT_WRITE, &mem,
				     NULL);
	if (!ret)
		ret = phi_endpoint_create(phi, mailbox);
	if (!ret)
		ret = phi_cap_seal(phi, *mailbox, PHI_RIGHT_SEND, 0, 0, token);
	if (!ret)
		memcpy(mem, SECRET, sizeof(SECRET));
	return ret;
}

/* The owner shows a region to another process and takes it back. */
void caps_reader(void)
{
	struct news before = {}, after = {};
	int to_owner[2], to_reader[2];
	uint64_t region, mailbox, start, took;
	int phi = phi_open(0), ret;
	struct reader r;
	pid_t pid;

	heading("An owner takes pages back from a reader that has them mapped");
	ret = owner_setup(phi, &region, &mailbox, &r.mailbox);
	if (ret || pipe(to_owner) || pipe(to_reader)) {
		expect("a region can be made and shown", false, "%s",
		       err_name(ret));
		return;
	}
	r.to_owner = to_owner[1];
	r.from_owner = to_reader[0];
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(reader_main(&r));
	ret = give(phi, mailbox, region);
	if (ret ||
	    read(to_owner[0], &before, sizeof(before)) != sizeof(before)) {
		expect("the reader gets the region", false, "%s",
		       err_name(ret));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return;
	}
	line("the reader reads \"%s\" in place", before.read);
	start = now();
	ret = phi_cap_revoke(phi, region);
	took = now() - start;
	line("the owner revokes: %.0f us", took / 1e3);
	if (write(to_reader[1], "x", 1) != 1 ||
	    read(to_owner[0], &after, sizeof(after)) != sizeof(after))
		after.error = -EIO;
	waitpid(pid, NULL, 0);
	expect("a reader sees the owner's bytes, uncopied",
	       !before.error && !strcmp(before.read, SECRET), "\"%s\"",
	       before.read);
	expect("a revoked reader loses its pages",
	       !ret && !after.error && after.lost && after.code == BUS_ADRERR,
	       "SIGBUS %s, code %d", after.lost ? "caught" : "did not come",
	       after.code);
	phi_close(phi);
}

/* In another process: what unsealing a token comes to, as a positive errno. */
static int unseal_error(void *arg)
{
	int phi = phi_open(0);
	uint64_t cap;

	return phi < 0 ? -phi : -phi_cap_unseal(phi, arg, &cap);
}

/* Tokens in other hands: a good one, forged ones, one that was revoked. */
void caps_tokens(void)
{
	int good, forged = 0, dead, i, phi = phi_open(0), ret;
	struct phi_token token, bad;
	uint64_t region, child;

	heading("Sealed tokens");
	ret = phi_region_create(phi, 4096, 0, &region);
	if (!ret)
		ret = phi_cap_derive(phi, region,
				     PHI_RIGHT_READ | PHI_RIGHT_GRANT, 0, 0,
				     &child);
	if (!ret)
		ret = phi_cap_seal(phi, child, PHI_RIGHT_READ, 0, 0, &token);
	if (ret) {
		expect("a capability can be sealed", false, "%s",
		       err_name(ret));
		return;
	}
	good = in_child(unseal_error, &token, 0);
	/* One bit in the rights, one in the number, one in the MAC. */
	for (i = 0; i < 3; i++) {
		bad = token;
		((uint8_t *)&bad)[i == 0 ? 13 : i == 1 ? 0 : 63] ^= 2;
		forged += in_child(unseal_error, &bad, 0) == EKEYREJECTED;
	}
	ret = phi_cap_revoke(phi, region);
	dead = in_child(unseal_error, &token, 0);
	expect("a sealed token works in another process", !good, "unseal: %s",
	       err_name(-good));
	expect("a forged token is refused", forged == 3,
	       "%d of 3 got EKEYREJECTED", forged);
	expect("a token is dead after a revoke", !ret && dead == EKEYREVOKED,
	       "unseal: %s", err_name(-dead));
	phi_close(phi);
}
