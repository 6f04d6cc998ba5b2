/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MATHIS_CONSOLE_H
#define MATHIS_CONSOLE_H

#include <mathis/mathis.h>

struct console {
	bool allowed; /* to use the console */
	bool trace;
};

int console_call(void *arg, struct mathis_call *call);
void console_event(void *arg, enum mathis_event event, const char *text);

#endif
