/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_SCENE_H
#define _SELFTESTS_SCENE_H

/* How scenes are written. */

#include "fail.h"

/* A scene's set: SET(name, call) { fields of arg from fields of s } */
#define SET(_name, _call)                                                   \
	static void fill_##_name(struct stage *s, struct phi_##_call *arg); \
	static int set_##_name(struct stage *s)                             \
	{                                                                   \
		s->arg[0] = sizeof(struct phi_##_call);                     \
		fill_##_name(s, (void *)s->arg);                            \
		return 0;                                                   \
	}                                                                   \
	static void fill_##_name(struct stage *s __attribute__((unused)),   \
				 struct phi_##_call *arg                    \
				 __attribute__((unused)))

/* The struct of the call as it was left. */
#define OUT(_s, _call)                      \
	({                                  \
		void *_out = (_s)->out;     \
		(struct phi_##_call *)_out; \
	})

#define SCENE(_cmd, _name, ...)  \
	{ .name = #_name,        \
	  .cmd = PHI_IOC_##_cmd, \
	  .set = set_##_name,    \
	  ##__VA_ARGS__ }
#define SEEN(_name) .seen = seen_##_name
#define WAY(_name, ...) { .name = #_name, .act = act_##_name, ##__VA_ARGS__ }

#endif /* _SELFTESTS_SCENE_H */
