// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a call on capabilities costs beside the smallest calls of the kernel:
 * getppid(), a do-nothing ioctl (TIOCGWINSZ on a pipe, refused), dup() and
 * close() of a file, which is the kernel's own handle table.
 *
 * Prints lines "name value unit ratio": nanoseconds, which are guest
 * instructions in a machine that counts them. The ratio is to the rival named
 * on the line before whose ratio is 1.00.
 */

#include <sys/syscall.h>
#include <termios.h>

#include "phi_ioctl.h"

#define ROUNDS 200
#define CROWD 1000

static int phi;
static int pipes[2];
static uint64_t root, child, deep;
static struct phi_token token;

static void need(const char *what, int ret)
{
	if (ret < 0) {
		fprintf(stderr, "cap_bench: %s: %s\n", what, strerror(-ret));
		exit(1);
	}
}

static void run_getppid(void)
{
	syscall(SYS_getppid);
}

static void run_refused_ioctl(void)
{
	struct winsize size;

	ioctl(pipes[0], TIOCGWINSZ, &size);
}

static void run_dup_close(void)
{
	close(dup(pipes[0]));
}

static void run_query(void)
{
	need("query", do_probe(phi, root));
}

static void run_query_deep(void)
{
	need("query", do_probe(phi, deep));
}

static void run_derive_drop(void)
{
	uint64_t out;

	need("derive", do_derive(phi, root, PHI_RIGHT_READ, &out));
	need("drop", do_drop(phi, out));
}

static void run_revoke(void)
{
	need("revoke", do_revoke(phi, child));
}

static void run_seal(void)
{
	need("seal", do_seal(phi, root, PHI_RIGHT_READ, 0, 0, &token));
}

static void run_unseal_drop(void)
{
	uint64_t out;

	need("unseal", do_unseal(phi, &token, &out));
	need("drop", do_drop(phi, out));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Median of one run; the clock's own cost is taken off. */
static double median(void (*run)(void))
{
	uint64_t times[ROUNDS], idle[ROUNDS];

	for (int i = -10; i < ROUNDS; i++) {
		uint64_t start = monotonic_ns(), middle = monotonic_ns();

		run();
		/* The first ones warm up. */
		if (i < 0)
			continue;
		times[i] = monotonic_ns() - middle;
		idle[i] = middle - start;
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	qsort(idle, ROUNDS, sizeof(idle[0]), by_value);
	return times[ROUNDS / 2] - idle[ROUNDS / 2];
}

/* A revoke of many, divided by their number. */
static double sweep(void)
{
	uint64_t out, start;

	for (int i = 0; i < CROWD; i++)
		need("derive", do_derive(phi, child, 0, &out));
	start = monotonic_ns();
	run_revoke();
	return (monotonic_ns() - start) / (double)CROWD;
}

static void show(const char *name, double value, double rival)
{
	printf("%s %.0f ns %.2f\n", name, value, value / rival);
}

int main(void)
{
	double rival;
	uint64_t out;

	phi = do_open();
	need("open /dev/phi (is phi.ko loaded?)", phi);
	if (pipe(pipes))
		need("pipe", -errno);
	need("notify", do_notify(phi, &root));
	need("derive", do_derive(phi, root, 0xc3, &child));
	deep = root;
	for (int i = 1; i < PHI_DEPTH_MAX; i++)
		need("derive", do_derive(phi, deep, 0xc3, &deep));

	rival = median(run_getppid);
	show("getppid", rival, rival);
	show("ioctl_refused", median(run_refused_ioctl), rival);
	show("cap_query", median(run_query), rival);
	show("cap_query_depth8", median(run_query_deep), rival);

	rival = median(run_dup_close);
	show("dup_close", rival, rival);
	show("cap_derive_drop", median(run_derive_drop), rival);
	show("cap_seal", median(run_seal), rival);
	show("cap_unseal_drop", median(run_unseal_drop), rival);

	/* One increment kills; what was derived is swept, each node once. */
	rival = median(run_revoke);
	show("cap_revoke_0", rival, rival);
	show("cap_revoke_1000_each", sweep(), rival);
	/* What others derived costs nothing. */
	for (int i = 0; i < CROWD; i++)
		need("derive", do_derive(phi, root, 0, &out));
	show("cap_revoke_beside_1000", median(run_revoke), rival);
	return 0;
}
