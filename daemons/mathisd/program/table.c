// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which function serves which call.
 */
#include "calls/calls.h"

static const struct md_serve serve[] = {
#include <mathis/calls.def>
};

int md_calls_core(struct md_core **core, struct md_misfit *error)
{
	return md_core_new(serve, sizeof(serve) / sizeof(*serve), core, error);
}
