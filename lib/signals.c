// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a service starts and stops: signals and readiness. */
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"
#include "service_impl.h"

static int on_grace(void *arg)
{
	phi_service_exit(arg, 0);
	return 0;
}

void phi_service_on_stop(struct phi_service *s, void (*fn)(void *arg),
			 void *arg, uint64_t grace_ns)
{
	s->on_stop = fn;
	s->stop_arg = arg;
	s->grace_ns = grace_ns;
}

void phi_service_stop(struct phi_service *s)
{
	struct phi_source *timer;

	if (s->stopping) {
		/* Asked twice: someone is in a hurry. */
		phi_service_exit(s, 0);
		return;
	}
	s->stopping = true;
	phi_service_tell("STOPPING=1");
	if (!s->on_stop || phi_service_timer(s, on_grace, s, &timer)) {
		phi_service_exit(s, 0);
		return;
	}
	phi_source_set(timer, phi_service_now() + s->grace_ns);
	s->on_stop(s->stop_arg);
}

static int on_signal(void *arg, uint32_t events)
{
	struct phi_service *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			phi_service_stop(s);
		else if (s->reload)
			s->reload(s->reload_arg);
	}
	return 0;
}

int phi_service_signals(struct phi_service *s, void (*reload)(void *arg),
			void *arg)
{
	sigset_t set;
	int ret;

	if (s->signal_fd >= 0)
		return -EEXIST;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	ret = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (ret)
		return -ret;
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return -errno;
	s->reload = reload;
	s->reload_arg = arg;
	ret = phi_service_fd(s, s->signal_fd, POLLIN, on_signal, s, NULL);
	if (ret) {
		close(s->signal_fd);
		s->signal_fd = -1;
	}
	return ret;
}

int phi_service_tell(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int ret = 1;
	int fd;

	if (!len)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(addr.sun_path))
		return -EINVAL;
	memcpy(addr.sun_path, path, len);
	/* An abstract name begins with a NUL instead. */
	if (path[0] == '@')
		addr.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
	    0)
		ret = -errno;
	close(fd);
	return ret;
}

int phi_service_ready(int ready_fd)
{
	static const char line[] = "READY=1\n";
	int told = phi_service_tell("READY=1");
	int ret = told < 0 ? told : 0;
	ssize_t n;

	if (ready_fd < 0)
		return ret;
	do {
		n = write(ready_fd, line, sizeof(line) - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		ret = -errno;
	close(ready_fd);
	return ret;
}
