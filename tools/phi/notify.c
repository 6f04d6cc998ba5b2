// SPDX-License-Identifier: GPL-2.0-only
/* Notifications: words of 64 bits to signal and wait on. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static int notify_create(struct args *args)
{
	uint64_t cap;
	int ret = phi_notify_create(args->phi, &cap);

	if (ret)
		return fail(ret, "make a notify");
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int notify_signal(struct args *args)
{
	uint64_t bits;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    args_u64(args, "bits", args->operand[1], UINT64_MAX, &bits))
		return EXIT_USAGE;
	ret = phi_notify_signal(args->phi, cap, bits);
	if (ret)
		return fail(ret, "signal %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("signalled", bits);
	return out_end();
}

static int notify_wait(struct args *args)
{
	unsigned int flags = args_option(args, "nonblock") ? PHI_NONBLOCK : 0;
	uint64_t mask = UINT64_MAX;
	uint64_t deadline;
	uint64_t bits;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_u64(args, "mask", UINT64_MAX, &mask) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	wait_begin("a signal");
	ret = phi_notify_wait(args->phi, cap, mask, flags, deadline, &bits);
	wait_end();
	if (ret)
		return fail(ret, "wait for %s", args->operand[0]);
	out_handle("bits", bits);
	out_only();
	return out_end();
}

/* Wait for an eventfd and print what was added to it. */
static int wait_eventfd(int event, uint64_t span)
{
	struct pollfd file = { .fd = event, .events = POLLIN };
	uint64_t count = 0;
	int ret;

	wait_begin("a signal");
	ret = poll(&file, 1, span == UINT64_MAX ? -1 : (int)(span / 1000000));
	wait_end();
	if (!ret)
		return fail(-ETIMEDOUT, "wait for the eventfd");
	if (ret < 0 || read(event, &count, sizeof(count)) < 0)
		return fail(-errno, "wait for the eventfd");
	out_u64("signals", count);
	return out_end();
}

static int notify_bind(struct args *args)
{
	const char *given = args_option(args, "eventfd");
	uint64_t span = UINT64_MAX;
	uint32_t number = 0;
	uint64_t cap;
	int event;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_u32(args, "eventfd", 1 << 20, &number) ||
	    option_duration(args, "timeout", &span))
		return EXIT_USAGE;
	if (args_option(args, "unbind"))
		event = -1;
	else if (given)
		event = (int)number;
	else
		event = eventfd(0, EFD_CLOEXEC);
	if (event < 0 && !args_option(args, "unbind"))
		return fail(-errno, "make an eventfd");

	ret = phi_notify_bind(args->phi, cap, event);
	if (ret)
		return fail(ret, "bind %s", args->operand[0]);
	if (event >= 0 && !given) {
		ret = wait_eventfd(event, span);
		phi_notify_bind(args->phi, cap, -1);
		return ret;
	}
	if (!out_json)
		return EXIT_OK;
	out_i64("eventfd", event);
	return out_end();
}

static const struct verb verbs[] = {
	{ "create", notify_create, "", "make a word of 64 bits", HANDLES },
	{ "signal", notify_signal, "CAP BITS", "set bits", HANDLES },
	{ "wait", notify_wait,
	  "CAP [--mask BITS] [--nonblock] [--timeout TIME]",
	  "wait for bits and take them", HANDLES },
	{ "bind", notify_bind, "CAP [--eventfd FD] [--unbind] [--timeout TIME]",
	  "let signals add to an open eventfd; without one, to an own one, and wait for it",
	  HANDLES },
	{ 0 },
};

const struct noun notify_noun = {
	.name = "notify",
	.help = "bits to signal and to wait for",
	.verbs = verbs,
};
