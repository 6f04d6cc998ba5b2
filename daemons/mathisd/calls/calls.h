/* SPDX-License-Identifier: GPL-2.0-only */
/* Headers for the functions that serve calls, and their declarations. */
#ifndef MATHISD_CALLS_CALLS_H
#define MATHISD_CALLS_CALLS_H

#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "core/call.h"
#include "core/core.h"
#include "core/session.h"

/* md_NAME() of each call of calls.def, but those of the machine. */
#define CALLS_FUNCTIONS
#include <mathis/calls.def>

/* A dispatcher of all calls: as md_core_new(). */
int md_calls_core(struct md_core **core, struct md_misfit *error);

#endif
