// SPDX-License-Identifier: GPL-2.0-only

#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fail.h"

/* One task at a time is to fail; the others race here without harm. */
static struct task_struct *phi_fail_task;
static int phi_fail_left;
static const char *phi_fail_file;
static int phi_fail_line;

/**
 * phi_fail() - decide whether this is the request to refuse
 * @file: Where the request is made.
 * @line: And there.
 *
 * Context: Any. Only what a task does for itself is refused.
 * Return: Whether to refuse.
 */
bool phi_fail(const char *file, int line)
{
	if (!in_task() || READ_ONCE(phi_fail_task) != current)
		return false;
	if (--phi_fail_left)
		return false;
	phi_fail_file = kbasename(file);
	phi_fail_line = line;
	WRITE_ONCE(phi_fail_task, NULL);
	return true;
}

/* "N": refuse the Nth request that the writing task makes; 0 takes it back. */
static int phi_fail_set(const char *text, const struct kernel_param *param)
{
	int ret, nth;

	ret = kstrtoint(text, 0, &nth);
	if (ret)
		return ret;
	WRITE_ONCE(phi_fail_task, NULL);
	phi_fail_file = NULL;
	phi_fail_left = nth;
	WRITE_ONCE(phi_fail_task, nth > 0 ? current : NULL);
	return 0;
}

/* Where it was refused, "FILE:LINE", or "none". */
static int phi_fail_get(char *text, const struct kernel_param *param)
{
	if (!phi_fail_file)
		return scnprintf(text, PAGE_SIZE, "none\n");
	return scnprintf(text, PAGE_SIZE, "%s:%d\n", phi_fail_file,
			 phi_fail_line);
}

static const struct kernel_param_ops phi_fail_ops = {
	.set = phi_fail_set,
	.get = phi_fail_get,
};

module_param_cb(fail_nth, &phi_fail_ops, NULL, 0600);
MODULE_PARM_DESC(fail_nth, "refuse the writing task its Nth request");
