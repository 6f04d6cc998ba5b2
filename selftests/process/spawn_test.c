// SPDX-License-Identifier: GPL-2.0-only
/* Programs that start with what is named and nothing else. */

#include "kselftest_harness.h"

#include <linux/userfaultfd.h>
#include <openssl/evp.h>
#include <phi/phi.h>
#include <phi/spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "file.h"
#include "phi_message.h"

#define RW (PHI_RIGHT_READ | PHI_RIGHT_WRITE)
#define CGROUPS "/sys/fs/cgroup"
#define CGROUP CGROUPS "/phi-spawn"

FIXTURE(spawn)
{
	int phi;
	uint64_t notify, ep;
	char prog[512];
	char copy[64];
	char *args[2];
	struct phi_spawn how;
	struct phi_spawned out;
	struct phi_system_stats before;
};

/* The program beside this one. */
static int find_prog(char *path, size_t room)
{
	ssize_t len = readlink("/proc/self/exe", path, room - 1);
	char *slash;

	if (len < 0)
		return -errno;
	path[len] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash + 1, room - (size_t)(slash + 1 - path), "start_prog");
	return access(path, X_OK) ? -errno : 0;
}

/* Arguments of the program. */
#define ARGS(...) ((char *[]){ "start_prog", ##__VA_ARGS__, NULL })

FIXTURE_SETUP(spawn)
{
	ASSERT_EQ(0, do_baseline(&self->before));
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_notify(self->phi, &self->notify));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, find_prog(self->prog, sizeof(self->prog)));
	snprintf(self->copy, sizeof(self->copy), "/tmp/phi-spawn-XXXXXX");
	close(mkstemp(self->copy));
	self->how = (struct phi_spawn)PHI_SPAWN_INIT;
	self->how.path = self->prog;
	self->args[0] = "start_prog";
	self->how.argv = self->args;
}

FIXTURE_TEARDOWN(spawn)
{
	unlink(self->copy);
	/* Whatever went wrong, no child is left. */
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* Start it, and read what it says until it ends. Return: its status. */
static int run(int phi, struct phi_spawn *how, char *text, size_t room)
{
	struct phi_spawned out;
	size_t len = 0;
	int status, ret;
	int said[2];
	ssize_t n;

	if (pipe2(said, O_CLOEXEC))
		return -errno;
	how->stdio[1] = said[1];
	ret = phi_spawn(phi, how, &out);
	close(said[1]);
	how->stdio[1] = -1;
	while (!ret && (n = read(said[0], text + len, room - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(said[0]);
	if (ret)
		return ret;
	ret = phi_process_wait(out.pidfd, 0, &status);
	close(out.pidfd);
	return ret ?: status;
}

TEST_F(spawn, with_what_is_named_and_nothing_else)
{
	struct phi_endowment caps[] = {
		{ .cap = self->notify, .rights = RW },
		{ .cap = self->ep, .rights = PHI_RIGHT_SEND },
	};
	char text[4096];

	setenv("INHERITED", "no", 1);
	signal(SIGUSR1, SIG_IGN);
	ASSERT_EQ(20, dup2(1, 20)); /* not close-on-exec */
	self->how.caps = caps;
	self->how.names = (const char *[]){ "input", "output" };
	self->how.ncaps = 2;
	self->how.envp = (char *[]){ "A=b", NULL };
	ASSERT_EQ(0, run(self->phi, &self->how, text, sizeof(text)));
	signal(SIGUSR1, SIG_DFL);
	close(20);
	EXPECT_STREQ("env A=b\n"
		     "env PHI_FD=3\n"
		     "env PHI_CAPS=input:output\n"
		     "fd 0\nfd 1\nfd 2\nfd 3\n"
		     "cap input type 8 rights 0x3\n"
		     "cap output type 2 rights 0x10\n"
		     "cap absent -2\n"
		     "no_new_privs 1\n",
		     text);
}

TEST_F(spawn, without_anything)
{
	char text[4096];

	ASSERT_EQ(0, run(self->phi, &self->how, text, sizeof(text)));
	EXPECT_STREQ("env PHI_FD=3\n"
		     "env PHI_CAPS=\n"
		     "fd 0\nfd 1\nfd 2\nfd 3\n"
		     "cap input -2\ncap output -2\ncap absent -2\n"
		     "no_new_privs 1\n",
		     text);
	EXPECT_EQ(-ENOENT, phi_endowment(NULL, NULL));
}

TEST_F(spawn, tells_how_it_ended)
{
	char text[64];
	int status;

	self->how.argv = ARGS("exit", "7");
	EXPECT_EQ(7, run(self->phi, &self->how, text, sizeof(text)));
	self->how.argv = ARGS("signal", "9");
	EXPECT_EQ(137, run(self->phi, &self->how, text, sizeof(text)));
	self->how.argv = ARGS("wait");
	ASSERT_EQ(0, phi_spawn(self->phi, &self->how, &self->out));
	EXPECT_EQ(-ETIMEDOUT, phi_process_wait(self->out.pidfd, 1, &status));
	ASSERT_EQ(0, kill(self->out.pid, SIGTERM));
	EXPECT_EQ(0, phi_process_wait(self->out.pidfd, 0, &status));
	EXPECT_EQ(128 + SIGTERM, status);
	EXPECT_EQ(-ECHILD, phi_process_wait(self->out.pidfd, 0, NULL));
	close(self->out.pidfd);
	EXPECT_EQ(-EBADF, phi_process_wait(self->out.pidfd, 0, NULL));
}

static int hash_file(const char *path, uint8_t hash[PHI_SHA256_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	FILE *file = fopen(path, "re");
	char block[4096];
	size_t n;

	if (!file || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return -EIO;
	while ((n = fread(block, 1, sizeof(block), file)))
		EVP_DigestUpdate(ctx, block, n);
	fclose(file);
	EVP_DigestFinal_ex(ctx, hash, NULL);
	EVP_MD_CTX_free(ctx);
	return 0;
}

static int copy_prog(const char *from, const char *to)
{
	char command[700];

	snprintf(command, sizeof(command), "cp %s %s && chmod 755 %s", from, to,
		 to);
	return system(command);
}

/* The file changes after it was hashed: what runs is what was hashed. */
TEST_F(spawn, runs_the_bytes_that_were_hashed)
{
	uint8_t hash[PHI_SHA256_LEN];
	char link[64], exe[128];
	ssize_t len;

	ASSERT_EQ(0, copy_prog(self->prog, self->copy));
	ASSERT_EQ(0, hash_file(self->copy, hash));
	self->how.path = self->copy;
	self->how.sha256 = hash;
	self->how.argv = ARGS("wait");
	ASSERT_EQ(0, phi_spawn(self->phi, &self->how, &self->out));
	/* The file is not in use, so that anybody may write to it. */
	EXPECT_EQ(0, put_text(self->copy, "#!/bin/false\n"));
	snprintf(link, sizeof(link), "/proc/%d/exe", self->out.pid);
	len = readlink(link, exe, sizeof(exe) - 1);
	ASSERT_LT(0, len);
	exe[len] = '\0';
	EXPECT_EQ(0, strncmp(exe, "/memfd:image", 12));
	EXPECT_EQ(-1, open(link, O_RDWR));
	kill(self->out.pid, SIGKILL);
	EXPECT_EQ(0, phi_process_wait(self->out.pidfd, 0, NULL));
	close(self->out.pidfd);
	/* Now the hash is another. */
	EXPECT_EQ(-EBADMSG, phi_spawn(self->phi, &self->how, &self->out));
	EXPECT_EQ(PHI_SPAWN_IMAGE, self->out.step);
}

TEST_F(spawn, from_a_descriptor)
{
	char text[16];

	self->how.path = NULL;
	self->how.image = open(self->prog, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->how.image);
	self->how.argv = ARGS("exit", "5");
	EXPECT_EQ(5, run(self->phi, &self->how, text, sizeof(text)));
	close(self->how.image);
}

#define REFUSED(_error, _step)                                           \
	do {                                                             \
		EXPECT_EQ(_error,                                        \
			  phi_spawn(self->phi, &self->how, &self->out)); \
		EXPECT_EQ(_step, self->out.step);                        \
	} while (0)

TEST_F(spawn, refuses_bad_arguments)
{
	const char *name = "a:b";
	struct phi_endowment caps[1] = { { .cap = self->notify } };

	self->how.flags = 2;
	REFUSED(-EOPNOTSUPP, PHI_SPAWN_ARGS);
	self->how.flags = 0;
	self->how.ncaps = PHI_ENDOW_MAX + 1;
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
	self->how.ncaps = 1;
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
	self->how.caps = caps;
	self->how.names = &name;
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
	name = "";
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
	self->how.ncaps = 0;
	self->how.argv = NULL;
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
	self->how.argv = self->args;
	self->how.path = NULL;
	REFUSED(-EINVAL, PHI_SPAWN_ARGS);
}

TEST_F(spawn, says_at_what_it_failed)
{
	uint8_t hash[PHI_SHA256_LEN] = { 0 };
	struct phi_endowment caps[] = { { .cap = 1 } };

	self->how.path = "/nowhere";
	REFUSED(-ENOENT, PHI_SPAWN_IMAGE);
	self->how.path = self->copy;
	self->how.sha256 = hash;
	REFUSED(-EACCES, PHI_SPAWN_IMAGE); /* nobody may execute it */
	self->how.path = "/tmp";
	REFUSED(-EACCES, PHI_SPAWN_IMAGE);
	self->how.sha256 = NULL;
	self->how.path = self->copy;
	REFUSED(-EACCES, PHI_SPAWN_EXEC);
	ASSERT_EQ(0, chmod(self->copy, 0755));
	ASSERT_EQ(0, put_text(self->copy, "no program"));
	REFUSED(-ENOEXEC, PHI_SPAWN_EXEC);
	self->how.path = self->prog;
	self->how.cgroup = 999;
	REFUSED(-EBADF, PHI_SPAWN_CLONE);
	self->how.cgroup = -1;
	self->how.stdio[1] = 999;
	REFUSED(-EBADF, PHI_SPAWN_SETUP);
	self->how.stdio[1] = -1;
	self->how.caps = caps;
	self->how.ncaps = 1;
	REFUSED(-EBADF, PHI_SPAWN_ENDOW);
}

TEST_F(spawn, starts_in_a_cgroup_within_its_limit)
{
	char line[128] = "", path[64];
	FILE *file;

	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	put_text(CGROUPS "/cgroup.subtree_control", "+pids");
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	self->how.cgroup = open(CGROUP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	self->how.argv = ARGS("wait");
	ASSERT_EQ(0, put_text(CGROUP "/pids.max", "0"));
	REFUSED(-EAGAIN, PHI_SPAWN_CLONE);
	ASSERT_EQ(0, put_text(CGROUP "/pids.max", "1"));
	ASSERT_EQ(0, phi_spawn(self->phi, &self->how, &self->out));
	snprintf(path, sizeof(path), "/proc/%d/cgroup", self->out.pid);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	EXPECT_NE(NULL, fgets(line, sizeof(line), file));
	EXPECT_STREQ("0::/phi-spawn\n", line);
	fclose(file);
	kill(self->out.pid, SIGKILL);
	EXPECT_EQ(0, phi_process_wait(self->out.pidfd, 0, NULL));
	close(self->out.pidfd);
	close(self->how.cgroup);
	ASSERT_EQ(0, rmdir(CGROUP));
}

/* A page that stops whoever reads it, for ever. */
static void *trap_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	reg.range.start = (uintptr_t)page;
	reg.range.len = 4096;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg))
		return NULL;
	return page;
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	pid_t child = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &child) != 1)
		child = 0;
	if (file)
		fclose(file);
	return child;
}

TEST_F(spawn, the_parent_ends_meanwhile)
{
	pid_t parent, child;
	int status;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	if (!parent) {
		int phi = do_open();

		self->how.caps = trap_page();
		self->how.ncaps = 1;
		_exit(self->how.caps ? phi_spawn(phi, &self->how, &self->out) :
				       2);
	}
	while (!(child = child_of(parent)) || !process_sleeps(parent)) {
		ASSERT_EQ(0, waitpid(parent, &status, WNOHANG));
		usleep(1000);
	}
	ASSERT_EQ(0, kill(parent, SIGKILL));
	ASSERT_EQ(parent, waitpid(parent, NULL, 0));
	/* The child, which is this one's now, has not become the program. */
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(127, WEXITSTATUS(status));
}

TEST_F(spawn, the_library_says_what_the_call_does)
{
	int pidfd = syscall(SYS_pidfd_open, 1, 0);

	EXPECT_EQ(-EPERM, phi_process_endow(self->phi, pidfd, NULL, 0, 0));
	close(pidfd);
}

TEST_HARNESS_MAIN
