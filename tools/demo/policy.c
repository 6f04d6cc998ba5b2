// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies on calls: one denied, one limited.
 */
#include <errno.h>
#include <unistd.h>

#include "demo.h"

/* Users that nobody is; each with a rule of its own. */
#define DENIED_UID 61001
#define LIMITED_UID 61002

#define BURST 20
#define PER_SECOND 10
#define CALLS 200

static int make_region(void *arg)
{
	int phi = phi_open(0);
	uint64_t region;

	(void)arg;
	if (phi < 0)
		return -phi;
	return -phi_region_create(phi, 4096, 0, &region);
}

/* call_filter: the same call, for one user denied. */
void policy_filter(void)
{
	int before, after, other, again;

	heading("A policy denies a call");
	before = in_child(make_region, NULL, DENIED_UID);
	/* Number 0x20, uid 61001, any agent; EACCES, to tell it from others. */
	command("bpftool map update pinned " PINS
		"/call_filter/rules key hex 20 00 00 00 49 ee 00 00 ff ff ff ff ff ff ff ff value hex 0d 00 00 00");
	after = in_child(make_region, NULL, DENIED_UID);
	other = in_child(make_region, NULL, 0);
	command("bpftool map delete pinned " PINS
		"/call_filter/rules key hex 20 00 00 00 49 ee 00 00 ff ff ff ff ff ff ff ff");
	again = in_child(make_region, NULL, DENIED_UID);
	expect("a denied call fails with the policy's errno",
	       !before && after == EACCES,
	       "uid %d: %s before, %s with the rule", DENIED_UID,
	       err_name(-before), err_name(-after));
	expect("others, and later calls, are let through", !other && !again,
	       "root: %s, without the rule: %s", err_name(-other),
	       err_name(-again));
}

struct burst {
	uint32_t passed;
	uint32_t refused;
	uint32_t later;
	int error;
	uint64_t took_ns;
};

static int call_often(void *arg)
{
	struct phi_system_info info;
	struct burst burst = {};
	int *result = arg, i, ret;
	uint64_t start;
	int phi = phi_open(0);

	if (phi < 0)
		return 1;
	start = now();
	for (i = 0; i < CALLS; i++) {
		ret = phi_system_info(phi, &info);
		burst.passed += !ret;
		burst.refused += !!ret;
		if (ret)
			burst.error = ret;
	}
	burst.took_ns = now() - start;
	/* A second refills ten; all of it the bucket would never hold more. */
	sleep_until(now() + SECOND);
	for (i = 0; i < PER_SECOND / 2; i++)
		burst.later += !phi_system_info(phi, &info);
	return write(result[1], &burst, sizeof(burst)) != sizeof(burst);
}

/* call_rate: a burst passes, the rest does not, and it refills. */
void policy_rate(void)
{
	struct burst burst = {};
	double most;
	int pipes[2];

	heading("A policy limits a user to %d calls a second, %d at once",
		PER_SECOND, BURST);
	command("bpftool map update pinned " PINS
		"/call_rate/limits key hex 01 00 00 00 00 00 00 00 4a ee 00 00 00 00 00 00 value hex 0a 00 00 00 00 00 00 00 14 00 00 00 00 00 00 00");
	if (pipe(pipes) || in_child(call_often, pipes, LIMITED_UID) ||
	    read(pipes[0], &burst, sizeof(burst)) != sizeof(burst)) {
		expect("the limited user can start", false, "it could not");
		return;
	}
	close(pipes[0]);
	close(pipes[1]);
	most = BURST + PER_SECOND * (burst.took_ns / 1e9) + 1;
	expect("a rate limit bites",
	       burst.refused && burst.passed <= most &&
		       burst.passed >= BURST / 2 && burst.error == -EBUSY,
	       "%u of %d calls in %.0f ms passed, %u got %s", burst.passed,
	       CALLS, burst.took_ns / 1e6, burst.refused,
	       err_name(burst.error));
	expect("its bucket fills up again", burst.later == PER_SECOND / 2,
	       "%u of %d calls a second later", burst.later, PER_SECOND / 2);
	command("bpftool map delete pinned " PINS
		"/call_rate/limits key hex 01 00 00 00 00 00 00 00 4a ee 00 00 00 00 00 00");
}
