// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Start a program with what is named and nothing else.
 *
 * Parent and child speak over a socket. The child waits there for the file of
 * its cspace, so that it does not run before it has that, and ends when the
 * parent does. Then it executes the image, which closes the socket; or it sends
 * what went wrong. Between clone3() and execveat() it makes system calls only:
 * other threads of the parent may hold the locks of the C library.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phi/spawn.h>

#include "internal.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* Descriptors of the child until it executes, behind those that stay. */
#define CHILD_SOCKET (PHI_SPAWN_FD + 1)
#define CHILD_IMAGE (PHI_SPAWN_FD + 2)
#define CHILD_FDS (PHI_SPAWN_FD + 3)

/* The child sends it when it fails. */
struct failure {
	int32_t step;
	int32_t error;
};

/* All that the child needs; made before it is. */
struct plan {
	const struct phi_spawn *how;
	int image;
	int null;
	int parent; /* end of the socket */
	int child;
	char **envp;
	char *caps;
};

static int image_open(const struct phi_spawn *how)
{
	int fd;

	if (!how->path)
		return fcntl(how->image, F_DUPFD_CLOEXEC, CHILD_FDS);
	/* A FIFO is refused later, and keeps nobody waiting. */
	fd = open(how->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd;
}

/* Copy all bytes of a regular file. */
static int image_copy(int to, int from)
{
	struct stat st;
	off_t at = 0;
	ssize_t n;

	if (fstat(from, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	if (!(st.st_mode & 0111))
		return -EACCES;
	do {
		n = sendfile(to, from, &at, 1 << 20);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int image_hash(int fd, uint8_t hash[PHI_SHA256_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct stat st;
	void *mem = NULL;
	int ret = -ENOMEM;

	if (fstat(fd, &st))
		ret = -errno;
	else if (ctx && st.st_size)
		mem = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
			   0);
	if (mem == MAP_FAILED)
		ret = -errno;
	else if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
		 (!mem || EVP_DigestUpdate(ctx, mem, (size_t)st.st_size)) &&
		 EVP_DigestFinal_ex(ctx, hash, NULL))
		ret = 0;
	if (mem && mem != MAP_FAILED)
		munmap(mem, (size_t)st.st_size);
	EVP_MD_CTX_free(ctx);
	return ret;
}

/* A copy of the image that nobody can change, if its hash is the right one. */
static int image_seal(int from, const uint8_t *sha256)
{
	uint8_t hash[PHI_SHA256_LEN];
	int fd = memfd_create("image",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = image_copy(fd, from);
	if (!ret && fcntl(fd, F_ADD_SEALS,
			  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
				  F_SEAL_WRITE | F_SEAL_EXEC))
		ret = -errno;
	if (!ret)
		ret = image_hash(fd, hash);
	if (!ret && memcmp(hash, sha256, sizeof(hash)))
		ret = -EBADMSG;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int image_make(const struct phi_spawn *how)
{
	int from = image_open(how);
	int fd;

	if (from < 0)
		return -errno;
	if (!how->sha256)
		return from;
	fd = image_seal(from, how->sha256);
	close(from);
	return fd;
}

static bool name_valid(const char *name)
{
	if (!name || !*name)
		return false;
	for (; *name; name++) {
		if (!(*name >= 'a' && *name <= 'z') &&
		    !(*name >= 'A' && *name <= 'Z') &&
		    !(*name >= '0' && *name <= '9') && !strchr("-_.", *name))
			return false;
	}
	return true;
}

/* "PHI_CAPS=input:output" */
static char *names_join(const struct phi_spawn *how)
{
	size_t len = sizeof("PHI_CAPS=");
	uint32_t i;
	char *text;
	char *at;

	for (i = 0; how->names && i < how->ncaps; i++)
		len += strlen(how->names[i]) + 1;
	text = malloc(len);
	if (!text)
		return NULL;
	at = stpcpy(text, "PHI_CAPS=");
	for (i = 0; how->names && i < how->ncaps; i++)
		at = stpcpy(stpcpy(at, i ? ":" : ""), how->names[i]);
	return text;
}

static int env_make(struct plan *plan)
{
	static char number[] = { 'P', 'H', 'I', '_',
				 'F', 'D', '=', '0' + PHI_SPAWN_FD,
				 '\0' };
	char *const *envp = plan->how->envp;
	size_t n = 0;
	size_t i;

	while (envp && envp[n])
		n++;
	plan->envp = calloc(n + 3, sizeof(*plan->envp));
	plan->caps = names_join(plan->how);
	if (!plan->envp || !plan->caps)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		plan->envp[i] = envp[i];
	plan->envp[n] = number;
	plan->envp[n + 1] = plan->caps;
	return 0;
}

static int how_check(const struct phi_spawn *how)
{
	uint32_t i;

	if (!how->argv || !how->argv[0] || how->ncaps > PHI_ENDOW_MAX ||
	    (!how->path && how->image < 0) || (how->ncaps && !how->caps))
		return -EINVAL;
	if (how->flags & ~PHI_SPAWN_SHARED)
		return -EOPNOTSUPP;
	for (i = 0; how->names && i < how->ncaps; i++) {
		if (!name_valid(how->names[i]))
			return -EINVAL;
	}
	return 0;
}

static void plan_end(struct plan *plan)
{
	int *fds[] = { &plan->image, &plan->null, &plan->parent, &plan->child };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
	}
	free(plan->envp);
	free(plan->caps);
}

static int plan_make(struct plan *plan, enum phi_spawn_step *step)
{
	int pair[2];
	int ret;

	*step = PHI_SPAWN_ARGS;
	ret = how_check(plan->how);
	if (ret)
		return ret;
	ret = env_make(plan);
	if (ret)
		return ret;
	*step = PHI_SPAWN_IMAGE;
	plan->image = image_make(plan->how);
	if (plan->image < 0)
		return plan->image;
	*step = PHI_SPAWN_CLONE;
	plan->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (plan->null < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	plan->parent = pair[0];
	plan->child = pair[1];
	return 0;
}

/* One descriptor travels with one byte. */
union passage {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int fd_send(int sock, int fd)
{
	union passage passage = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = passage.room,
		.msg_controllen = sizeof(passage.room),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* In the child. A parent that ends before it sends makes the child end. */
static int fd_recv(int sock)
{
	union passage passage = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = passage.room,
		.msg_controllen = sizeof(passage.room),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) <= 0)
		_exit(127);
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		_exit(127);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static void child_check(int sock, enum phi_spawn_step step, int ret)
{
	struct failure failure = { .step = (int32_t)step, .error = -errno };

	if (ret >= 0)
		return;
	send(sock, &failure, sizeof(failure), MSG_NOSIGNAL);
	_exit(127);
}

/* Above all numbers that the child is going to use. */
static int child_raise(int sock, int fd)
{
	int raised = fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FDS);

	child_check(sock, PHI_SPAWN_SETUP, raised);
	return raised;
}

/* Signals as a program expects them: none blocked, ignored or handled. */
static void child_signals(void)
{
	struct sigaction deflt = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	for (sig = 1; sig < _NSIG; sig++)
		sigaction(sig, &deflt, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_files(const struct plan *plan, int *sock, int phi)
{
	int from[CHILD_FDS];
	int i;

	*sock = child_raise(*sock, *sock);
	for (i = 0; i < 3; i++) {
		int fd = plan->how->stdio[i];

		from[i] = child_raise(*sock, fd < 0 ? plan->null : fd);
	}
	from[PHI_SPAWN_FD] = child_raise(*sock, phi);
	from[CHILD_IMAGE] = child_raise(*sock, plan->image);
	from[CHILD_SOCKET] = *sock;
	for (i = 0; i < CHILD_FDS; i++) {
		int flags = i > PHI_SPAWN_FD ? O_CLOEXEC : 0;

		child_check(*sock, PHI_SPAWN_SETUP, dup3(from[i], i, flags));
	}
	*sock = CHILD_SOCKET;
	child_check(*sock, PHI_SPAWN_SETUP,
		    (int)syscall(SYS_close_range, CHILD_FDS, ~0U, 0));
}

/* In the child: become the program. */
static void child_run(const struct plan *plan)
{
	int sock = plan->child;
	int phi;

	close(plan->parent);
	phi = fd_recv(sock);
	child_files(plan, &sock, phi);
	child_signals();
	child_check(sock, PHI_SPAWN_SETUP,
		    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	syscall(SYS_execveat, CHILD_IMAGE, "", plan->how->argv, plan->envp,
		AT_EMPTY_PATH);
	child_check(sock, PHI_SPAWN_EXEC, -1);
}

/* No handler of the parent runs in the child. */
static int child_clone(const struct plan *plan, struct phi_spawned *out)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&out->pidfd,
		.exit_signal = SIGCHLD,
	};
	sigset_t all;
	sigset_t before;
	long pid;

	if (plan->how->cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)plan->how->cgroup;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		child_run(plan);
		_exit(127);
	}
	pid = pid < 0 ? -errno : pid;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return (int)pid;
	out->pid = (int32_t)pid;
	return 0;
}

static int child_endow(int phi, const struct plan *plan,
		       struct phi_spawned *out)
{
	const struct phi_spawn *how = plan->how;
	unsigned int flags = how->flags & PHI_SPAWN_SHARED ? PHI_ENDOW_SHARED :
							     0;
	int fd;
	int ret;

	out->step = PHI_SPAWN_ENDOW;
	fd = phi_process_endow(phi, out->pidfd, how->caps, how->ncaps, flags);
	if (fd < 0)
		return fd;
	ret = fd_send(plan->parent, fd);
	close(fd);
	return ret;
}

/* Wait until the child executes the image, or says why it does not. */
static int child_await(const struct plan *plan, struct phi_spawned *out)
{
	struct failure failure;
	ssize_t n;

	do {
		n = recv(plan->parent, &failure, sizeof(failure), 0);
	} while (n < 0 && errno == EINTR);
	out->step = PHI_SPAWN_EXEC;
	if (n < 0)
		return -errno;
	if (!n)
		return 0;
	out->step = (enum phi_spawn_step)failure.step;
	return failure.error;
}

static void child_end(const struct phi_spawned *out)
{
	int ret;

	syscall(SYS_pidfd_send_signal, out->pidfd, SIGKILL, NULL, 0);
	do {
		ret = waitid(P_PIDFD, (id_t)out->pidfd, NULL, WEXITED);
	} while (ret && errno == EINTR);
	close(out->pidfd);
}

int phi_spawn(int phi, const struct phi_spawn *how, struct phi_spawned *out)
{
	struct plan plan = {
		.how = how, .image = -1, .null = -1, .parent = -1, .child = -1
	};
	int ret = plan_make(&plan, &out->step);

	if (ret)
		goto end_plan;
	ret = child_clone(&plan, out);
	if (ret)
		goto end_plan;
	close(plan.child);
	plan.child = -1;
	ret = child_endow(phi, &plan, out);
	if (!ret)
		ret = child_await(&plan, out);
	if (ret)
		child_end(out);
end_plan:
	plan_end(&plan);
	return ret;
}
