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
#define MD_INLINE(_name) md_function md_##_name
#define MD_WORKER(_name) md_function md_##_name
#define MD_MACHINE(...) struct md_call
#define CALL(_mode, _id, _name, ...) MD_##_mode(_name);
#define MATHIS_CALL(...)
#include <mathis/calls.def>
#undef CALL
#undef MATHIS_CALL
#undef MD_INLINE
#undef MD_WORKER
#undef MD_MACHINE

/* A dispatcher of all calls: as md_core_new(). */
int md_calls_core(struct md_core **core, struct md_misfit *error);

#endif
