// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls checked by the kernel before they begin: policies see them as calls of
 * the client's process, and what they refuse is among its decisions.
 */
#include <errno.h>
#include <string.h>

#include "serve_impl.h"

static void deny(struct md_call *c, int err)
{
	md_detail(c, "errno", mathis_item_int(err));
	md_fail(c, err == EDQUOT ? MATHIS_LIMIT : MATHIS_DENIED,
		"a policy of the host refuses it: %s", strerror(err));
}

/**
 * mathisd_check() - refuse calls that the host forbids
 * @client: Session that makes them.
 * @batch: The calls; one that is refused gets a code.
 *
 * One call into the kernel asks for all of them.
 *
 * Context: Main thread.
 * Return: 0; -ESRCH when the client's process has ended or its agent was killed;
 * or another negative errno.
 */
int mathisd_check(struct client *client, struct batch *batch)
{
	struct phi_check checks[BATCH_MAX] = {};
	struct md_call *calls[BATCH_MAX];
	uint32_t n = 0;
	int ret;

	for (unsigned int i = 0; i < batch->n; i++) {
		struct md_call *c = batch->calls[i];

		/* A call that nothing serves is refused in any case. */
		if (!c->row)
			continue;
		checks[n].call = c->row->info->id;
		checks[n].bytes = c->pool.used;
		calls[n++] = c;
	}
	if (!client->check || !n)
		return 0;
	server_of(client)->stats.checks++;
	ret = phi_call_check(client->base.daemon->phi, client->check, checks,
			     n);
	for (uint32_t i = 0; i < n && ret > 0; i++) {
		if (checks[i].result)
			deny(calls[i], -checks[i].result);
	}
	return ret < 0 ? ret : 0;
}
