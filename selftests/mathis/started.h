/* SPDX-License-Identifier: GPL-2.0-only */
/* Machines of a test: self has host, module and m. */
#ifndef STARTED_H
#define STARTED_H

#include <kselftest_harness.h>

#include "machine.h"
#include "sample.h"

/* Make a machine for main of a source. */
#define START_LIMITED(_source, _limits)                                  \
	do {                                                             \
		ASSERT_EQ(0, sample_load(_source, &self->module));       \
		ASSERT_EQ(0, mathis_machine_new(self->module, _limits,   \
						&self->host, &self->m)); \
		ASSERT_EQ(0, mathis_start(self->m, "main", NULL, 0));    \
	} while (0)
#define START(_source) START_LIMITED(_source, NULL)

/* The result of main, as text. */
#define EXPECT_RESULT(_text)                                               \
	do {                                                               \
		char shown[256];                                           \
		mathis_show(mathis_result(self->m), shown, sizeof(shown)); \
		EXPECT_STREQ(_text, shown);                                \
	} while (0)

#endif
