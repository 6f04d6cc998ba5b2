// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes: see uapi/phi/process.h; how they start is in spawn.c. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <phi/spawn.h>

#include "internal.h"

int phi_process_endow(int phi, int pidfd, const struct phi_endowment *caps,
		      uint32_t ncaps, unsigned int flags)
{
	struct phi_process_endow arg = {
		.size = sizeof(arg),
		.flags = flags,
		.pidfd = pidfd,
		.ncaps = ncaps,
		.caps = (uintptr_t)caps,
	};
	int ret = phi_ioctl(phi, PHI_IOC_PROCESS_ENDOW, &arg);

	return ret ? ret : arg.fd;
}

int phi_process_wait(int pidfd, uint64_t deadline_ns, int *status)
{
	struct pollfd poll = { .fd = pidfd, .events = POLLIN };
	struct timespec left;
	siginfo_t info = { 0 };
	int ret;

	ret = ppoll(&poll, 1, phi_time_left(deadline_ns, &left), NULL);
	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	if (poll.revents & POLLNVAL)
		return -EBADF;
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED))
		return -errno;
	if (status)
		*status = info.si_code == CLD_EXITED ? info.si_status :
						       128 + info.si_status;
	return 0;
}

/* Which of the names between colons is it? */
static int place_of(const char *names, const char *name)
{
	size_t len = strlen(name);
	int place = 0;

	while (names) {
		size_t here = strcspn(names, ":");

		if (len && here == len && !memcmp(names, name, len))
			return place;
		names = names[here] ? names + here + 1 : NULL;
		place++;
	}
	return -ENOENT;
}

int phi_endowment(const char *name, uint64_t *cap)
{
	const char *text = getenv("PHI_FD");
	char *end;
	long phi;
	int place;

	if (!text || *text < '0' || *text > '9')
		return -ENOENT;
	errno = 0;
	phi = strtol(text, &end, 10);
	if (errno || *end || phi > INT32_MAX || fcntl((int)phi, F_GETFD) < 0)
		return -ENOENT;
	if (!name)
		return (int)phi;
	place = place_of(getenv("PHI_CAPS"), name);
	if (place < 0)
		return place;
	*cap = PHI_ENDOWED((uint64_t)place);
	return (int)phi;
}
