// SPDX-License-Identifier: GPL-2.0-only
/* Users and groups of other threads, as /proc shows them. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/common/base/ids.h"

/* A process that waits, as another user in @n groups. */
static pid_t other(const gid_t *groups, size_t n, int *end)
{
	int to[2], from[2];
	char byte;
	pid_t pid;

	if (pipe(to) || pipe(from))
		return -1;
	pid = fork();
	if (pid) {
		close(to[0]);
		close(from[1]);
		*end = to[1];
		if (read(from[0], &byte, 1) != 1)
			pid = -1;
		close(from[0]);
		return pid;
	}
	close(to[1]);
	if (setgroups(n, groups) || setresgid(11, 12, 13) ||
	    setresuid(21, 22, 23) || write(from[1], "x", 1) != 1)
		_exit(1);
	_exit(read(to[0], &byte, 1) != 0);
}

TEST(of_another_process)
{
	static const gid_t groups[] = { 7, 4000000000U };
	struct vdfs_ids ids;
	pid_t pid;
	int end;

	ASSERT_EQ(0, geteuid());
	pid = other(groups, 2, &end);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, vdfs_ids_read(pid, &ids));
	EXPECT_EQ(21, ids.uid[VDFS_ID_REAL]);
	EXPECT_EQ(22, ids.uid[VDFS_ID_EFFECTIVE]);
	EXPECT_EQ(23, ids.uid[VDFS_ID_SAVED]);
	EXPECT_EQ(22, ids.uid[VDFS_ID_FS]);
	EXPECT_EQ(11, ids.gid[VDFS_ID_REAL]);
	EXPECT_EQ(12, ids.gid[VDFS_ID_FS]);
	EXPECT_EQ(2, ids.n);
	EXPECT_TRUE(vdfs_ids_have(&ids, 7));
	EXPECT_TRUE(vdfs_ids_have(&ids, 4000000000U));
	EXPECT_FALSE(vdfs_ids_have(&ids, 11));
	EXPECT_FALSE(vdfs_ids_have(&ids, 0));
	vdfs_ids_fini(&ids);
	EXPECT_FALSE(vdfs_ids_have(&ids, 7));
	close(end);
	waitpid(pid, NULL, 0);
}

TEST(as_many_as_the_kernel_allows)
{
	static gid_t groups[65536];
	struct vdfs_ids ids;
	pid_t pid;
	size_t i;
	int end;

	ASSERT_EQ(0, geteuid());
	for (i = 0; i < 65536; i++)
		groups[i] = i;
	pid = other(groups, 65536, &end);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, vdfs_ids_read(pid, &ids));
	EXPECT_EQ(65536, ids.n);
	EXPECT_TRUE(vdfs_ids_have(&ids, 0));
	EXPECT_TRUE(vdfs_ids_have(&ids, 65535));
	vdfs_ids_fini(&ids);
	close(end);
	waitpid(pid, NULL, 0);
	pid = other(NULL, 0, &end);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, vdfs_ids_read(pid, &ids));
	EXPECT_EQ(0, ids.n);
	vdfs_ids_fini(&ids);
	close(end);
	waitpid(pid, NULL, 0);
}

TEST(of_a_process_that_is_gone)
{
	struct vdfs_ids ids;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ESRCH, vdfs_ids_read(pid, &ids));
	EXPECT_EQ(0, ids.n);
	EXPECT_EQ(-ESRCH, vdfs_ids_read(0, &ids));
	EXPECT_EQ(-ESRCH, vdfs_ids_read(-1, &ids));
}

TEST_HARNESS_MAIN
