// SPDX-License-Identifier: GPL-2.0-only
/* How long a service waits until it is started again. */
#include "engine.h"

/**
 * init_backoff_delay() - the time until a service is started again
 * @c: Its settings.
 * @quick: Quick ends in a row before this one.
 *
 * Context: Any thread.
 * Return: Nanoseconds: RestartSec=, doubled by each quick end, up to
 * RestartMaxDelaySec=.
 */
uint64_t init_backoff_delay(const struct init_config *c, uint32_t quick)
{
	uint64_t delay = c->delay_ns;

	while (quick-- && delay < c->delay_max_ns)
		delay *= 2;
	return delay < c->delay_max_ns ? delay : c->delay_max_ns;
}

/**
 * init_backoff_spent() - count a start, unless there were too many
 * @s: Service.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread.
 * Return: Whether StartLimitBurst= starts have been within
 * StartLimitIntervalSec=.
 */
bool init_backoff_spent(struct init_service *s, uint64_t now)
{
	const struct init_config *c = s->config;

	if (!s->window || now - s->window >= c->interval_ns) {
		s->window = now;
		s->starts = 0;
	}
	if (c->burst && s->starts >= c->burst)
		return true;
	s->starts++;
	return false;
}
