// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which function serves which call.
 */
#include "calls/calls.h"

static const struct md_serve serve[] = {
#define MD_INLINE(_id, _name) { _id, md_##_name },
#define MD_WORKER(_id, _name) { _id, md_##_name },
#define MD_MACHINE(...)
#define CALL(_mode, _id, _name, ...) MD_##_mode(_id, _name)
#define MATHIS_CALL(...)
#include <mathis/calls.def>
};

int md_calls_core(struct md_core **core, struct md_misfit *error)
{
	return md_core_new(serve, sizeof(serve) / sizeof(*serve), core, error);
}
