// SPDX-License-Identifier: GPL-2.0-only
/* The daemon's part in sharing a bucket: its command line and its filter. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/names/names.h"
#include "daemons/vdfsd/remote/remote.h"
#include "daemons/vdfsd/serve/open.h"
#include "daemons/vdfsd/serve/serve.h"
#include "vdfsd/s3.h"
#include "vdfsd/way.h"

#define NOBODY 65534

FIXTURE(daemon)
{
	struct bucket b;
	char dir[64];
};

FIXTURE_SETUP(daemon)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, bucket_make(&self->b));
	snprintf(self->dir, sizeof(self->dir), "/tmp/vdfs-s3d-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
}

FIXTURE_TEARDOWN(daemon)
{
	char line[128];

	bucket_remove(&self->b);
	snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));
}

/* What a host does after it has given up the other system calls. */
static int work(struct bucket *b, const char *dir, bool network, bool puts)
{
	struct vdfs_remote_options remote = {
		.s3 = { .credentials = b->credentials,
			.http = true,
			.tries = 1 },
	};
	struct vdfs_store_options options = {};
	struct vdfs_who who = { .uid = 7 };
	struct vdfs_stat st = {};
	struct vdfs_store *store;
	struct vdfs_blob *blob;
	struct vdfs_put *put;
	char text[6] = "";
	int ret;

	ret = vdfs_store_open(dir, &options, &store);
	if (!ret)
		ret = vdfs_remote_attach(store, b->url, &remote);
	if (!ret)
		ret = vdfsd_confine(network);
	if (ret)
		return ret;
	if (puts) {
		ret = vdfs_put_begin(store, &who, 0, &put)    ?:
			      vdfs_put_write(put, "hello", 5) ?:
			      vdfs_put_commit(put, NULL, "a/name", NULL);
	} else {
		ret = vdfs_name_stat(store, &who, "a/name", &st) ?:
			      vdfs_blob_open(store, &who, &st.hash, &blob);
		if (!ret && (vdfs_blob_read(blob, text, 5, 0) != 5 ||
			     strcmp(text, "hello")))
			ret = -EBADMSG;
		if (!ret)
			vdfs_blob_close(blob);
	}
	vdfs_store_close(store);
	return ret;
}

/* A filter is for good, so each host is a process. */
static int host(struct bucket *b, const char *dir, const char *name,
		bool network, bool puts)
{
	char path[128];
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	pid = fork();
	if (!pid)
		_exit(-work(b, path, network, puts));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

TEST_F_TIMEOUT(daemon, shares_under_its_filter, 300)
{
	EXPECT_EQ(0, host(&self->b, self->dir, "here", true, true));
	EXPECT_EQ(0, host(&self->b, self->dir, "there", true, false));
}

TEST_F_TIMEOUT(daemon, has_no_connection_without_a_bucket, 300)
{
	EXPECT_NE(0, host(&self->b, self->dir, "here", false, true));
}

/* Run vdfsd, and expect of it a status and some words. */
static int run_daemon(struct bucket *b, const char *dir, const char *more,
		      const char *words)
{
	char line[1024];
	const char *build = getenv("PHI_BUILD");

	snprintf(line, sizeof(line),
		 "%s/daemons/vdfsd --store %s/here $([ $(id -u) != 0 ] ||\n"
		 "echo --user nobody) %s >%s/out 2>&1;\n"
		 "echo \"status $?\" >>%s/out; grep -q '%s' %s/out ||\n"
		 "{ sed 's/^/# /' %s/out; exit 1; }\n",
		 build ? build : "build", dir, more, dir, dir, words, dir, dir);
	(void)b;
	return system(line);
}

/* Lines of a file that have this in them. */
static int count_words(const char *path, const char *words)
{
	FILE *file = fopen(path, "r");
	char line[1024];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += !!strstr(line, words);
	return file && !fclose(file) ? n : -EIO;
}

TEST_F_TIMEOUT(daemon, takes_a_bucket_from_the_command_line, 300)
{
	char line[512], path[128];

	/* Root becomes nobody, who has to be able to read them. */
	snprintf(line, sizeof(line),
		 "[ $(id -u) != 0 ] || { chmod 711 %s %s &&\n"
		 "chown nobody %s %s; }\n",
		 self->dir, self->b.dir, self->dir, self->b.credentials);
	ASSERT_EQ(0, system(line));
	snprintf(line, sizeof(line),
		 "--remote %s --remote-credentials %s --remote-http\n"
		 "--remote-budget 1M --remote-gc",
		 self->b.url, self->b.credentials);
	while (strchr(line, '\n'))
		*strchr(line, '\n') = ' ';
	EXPECT_EQ(0,
		  run_daemon(&self->b, self->dir, line, "^0 names, 0 blobs"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir, line, "^status 0"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir, "--remote-gc",
				"without --remote means nothing"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir,
				"--remote s3://key:secret@127.0.0.1/b",
				"takes no keys"));
	snprintf(path, sizeof(path), "%s/out", self->dir);
	EXPECT_EQ(0, count_words(path, "secret"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir,
				"--remote-proxy http://127.0.0.1:1",
				"without --remote means nothing"));
	strcat(line, " --remote-proxy http://127.0.0.1:1");
	EXPECT_EQ(0, run_daemon(&self->b, self->dir, line, "server up"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir, "--remote http://x --gc",
				"not s3://HOST"));
	EXPECT_EQ(0, run_daemon(&self->b, self->dir,
				"--remote s3://127.0.0.1:1/b --gc",
				"credentials"));
}

/* Start vdfsd as nobody, who has no privilege, in the background. */
static pid_t start_daemon(struct bucket *b, const char *dir, const char *url)
{
	const char *build = getenv("PHI_BUILD");
	char program[128], store[128], out[128];
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(program, sizeof(program), "%s/daemons/vdfsd",
		 build ?: "build");
	snprintf(store, sizeof(store), "%s/here", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(126);
	execl(program, "vdfsd", "--store", store, "--remote", url,
	      "--remote-credentials", b->credentials, "--remote-http",
	      "--remote-gc", NULL);
	_exit(127);
}

/* A list of blobs that goes on and on. */
#define PAGE                                                              \
	"HTTP/1.1 200 OK\r\nDate: %D\r\nConnection: close\r\n\r\n"        \
	"<ListBucketResult><Name>bucket</Name><Prefix>some/prefix/blob/"  \
	"</Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>" \
	"%N</NextContinuationToken><CommonPrefixes><Prefix>"              \
	"some/prefix/blob/%N</Prefix></CommonPrefixes></ListBucketResult>"
/* An answer that drips. */
#define DRIP "HTTP/1.1 200 OK\r\nX-Long: "

static void wait_asked(struct way *way, int often)
{
	struct timespec tenth = { .tv_nsec = 100000000 };

	while (atomic_load(&way->state->disturbed) < often)
		nanosleep(&tenth, NULL);
}

TEST_F_TIMEOUT(daemon, ends_by_a_signal_whatever_the_bucket_does, 120)
{
	struct way ways[] = { { .reply = PAGE, .bad = INT_MAX },
			      { .reply = DRIP, .drip = 1, .bad = INT_MAX } };
	char line[512], url[128], path[64];
	struct stat st;
	int i, status;
	pid_t pid;

	snprintf(line, sizeof(line),
		 "chmod 711 %s %s && { [ $(id -u) != 0 ] ||\n"
		 "chown %d %s %s; }\n",
		 self->dir, self->b.dir, NOBODY, self->dir,
		 self->b.credentials);
	ASSERT_EQ(0, system(line));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, way_open(&ways[i], &self->b));
		snprintf(url, sizeof(url),
			 "s3://127.0.0.1:%u/bucket/some/prefix", ways[i].port);
		pid = start_daemon(&self->b, self->dir, url);
		wait_asked(&ways[i], 1);
		/* Its keys go into no core: nobody else may read its memory. */
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		EXPECT_EQ(0, stat(path, &st));
		EXPECT_EQ(0, st.st_uid);
		ASSERT_EQ(0, kill(pid, SIGTERM));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(1, WEXITSTATUS(status));
		snprintf(line, sizeof(line),
			 "grep 'a signal ended it' %s/out ||\n"
			 "{ sed 's/^/# /' %s/out; false; }\n",
			 self->dir, self->dir);
		EXPECT_EQ(0, system(line));
		way_close(&ways[i]);
	}
}

TEST_HARNESS_MAIN
