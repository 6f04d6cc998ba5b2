// SPDX-License-Identifier: GPL-2.0-only
/* Every fuzzing target takes its seeds, and some thousand inputs made of them. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#define RUNS 3000
#define SECONDS 8

/* build/selftests[-san]/vdfsd/native_fuzz -> the build folder */
static void build_dir(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 64);
	char *at;

	path[n < 0 ? 0 : n] = 0;
	at = strstr(path, "/selftests");
	if (at)
		*at = 0;
}

/* @dir: Of the targets. */
static int survives(const char *dir, const char *name)
{
	char cmd[5 * PATH_MAX], seeds[2 * PATH_MAX];

	snprintf(seeds, sizeof(seeds),
		 "%s/../../../selftests/vdfsd/fuzz/seeds/%s", dir, name);
	if (access(seeds, R_OK))
		seeds[0] = 0;
	snprintf(cmd, sizeof(cmd),
		 "dir=$(mktemp -d) && cd $dir || exit\n"
		 "%s/%s -seed=1 -runs=%d -max_total_time=%d \\\n"
		 "	-max_len=4096 -timeout=100 -rss_limit_mb=4096 \\\n"
		 "	$dir %s >$dir.log 2>&1\n"
		 "ret=$?; [ $ret = 0 ] || tail -n 40 $dir.log\n"
		 "rm -r $dir $dir.log; exit $ret",
		 dir, name, RUNS, SECONDS, seeds);
	return system(cmd);
}

FIXTURE(fuzz)
{
	char build[PATH_MAX];
};

FIXTURE_SETUP(fuzz)
{
	build_dir(self->build);
}

FIXTURE_TEARDOWN(fuzz)
{
}

TEST_F_TIMEOUT(fuzz, targets_survive, 240)
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/fuzz/vdfsd", self->build);
	dir = opendir(path);
	if (!dir)
		SKIP(return, "clang has no fuzzer here");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		EXPECT_EQ(0, survives(path, entry->d_name))
		{
			TH_LOG("%s", entry->d_name);
		}
		n++;
	}
	closedir(dir);
	EXPECT_LT(0, n);
}

TEST_HARNESS_MAIN
