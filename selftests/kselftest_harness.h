/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_HARNESS_H
#define SELFTESTS_HARNESS_H

/*
 * The kernel's harness, which ends a test after 30 seconds of wall time: too
 * few on a machine that has other work. tools/check/one ends a program that
 * makes no progress, by the processor time that the machine can give; so the
 * harness waits ten times as long as a test says, and only ends what hangs
 * where nothing else would.
 */
#include_next "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 3600
#undef TEST_F_TIMEOUT
#define TEST_F_TIMEOUT(fixture_name, test_name, timeout) \
	__TEST_F_IMPL(fixture_name, test_name, -1, 10 * (timeout))

#endif /* SELFTESTS_HARNESS_H */
