// SPDX-License-Identifier: LGPL-2.1-or-later
/* Agents: see uapi/phi/agent.h. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <phi/agents.h>

#include "internal.h"

int phi_agent_register(int phi, int cgroup, const char *name, uint64_t parent,
		       uint64_t *id, uint64_t *cap)
{
	struct phi_agent_register arg = {
		.size = sizeof(arg),
		.cgroup = cgroup,
		.parent = parent,
	};
	int ret;

	ret = phi_name_copy(arg.name, name);
	if (ret)
		return ret;
	ret = phi_ioctl(phi, PHI_IOC_AGENT_REGISTER, &arg);
	if (ret)
		return ret;
	if (id)
		*id = arg.id;
	*cap = arg.cap;
	return 0;
}

/* The error of a cgroup's file; one that was removed has no process left. */
static int cgroup_error(void)
{
	return errno == ENODEV || errno == ENOENT ? 0 : -errno;
}

/* Kill the processes of a cgroup. */
static int cgroup_kill(int cgroup)
{
	int fd = openat(cgroup, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return cgroup_error();
	if (write(fd, "1", 1) != 1)
		ret = cgroup_error();
	close(fd);
	return ret;
}

/* Is a process left in a cgroup or below it? Return: 0 or 1, or an errno. */
static int cgroup_populated(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof(text) - 1, 0);

	if (n < 0)
		return cgroup_error();
	text[n] = '\0';
	return !strstr(text, "populated 0");
}

static int cgroup_await(int cgroup, uint64_t deadline_ns)
{
	struct pollfd poll = { .events = POLLPRI };
	struct timespec left;
	int ret;

	poll.fd = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (poll.fd < 0)
		return cgroup_error();
	while ((ret = cgroup_populated(poll.fd)) > 0) {
		ret = ppoll(&poll, 1, phi_time_left(deadline_ns, &left), NULL);
		if (!ret)
			ret = -ETIMEDOUT;
		else if (ret < 0 && errno != EINTR)
			ret = -errno;
		else
			continue;
		break;
	}
	close(poll.fd);
	return ret;
}

int phi_agent_kill(int phi, uint64_t agent, int cgroup, uint64_t deadline_ns,
		   struct phi_agent_kill *receipt)
{
	struct phi_agent_kill arg = { .size = sizeof(arg), .agent = agent };
	int ret = phi_ioctl(phi, PHI_IOC_AGENT_KILL, &arg);

	if (ret)
		return ret;
	if (receipt)
		*receipt = arg;
	if (cgroup < 0)
		return 0;
	ret = cgroup_kill(cgroup);
	return ret ? ret : cgroup_await(cgroup, deadline_ns);
}

int phi_agent_query(int phi, uint64_t id, unsigned int flags, char *path,
		    size_t room, struct phi_agent_query *out)
{
	struct phi_agent_query arg = {
		.size = sizeof(arg),
		.flags = flags,
		.id = id,
		.path = (uintptr_t)path,
		.room = !path		  ? 0 :
			room > UINT32_MAX ? UINT32_MAX :
					    (uint32_t)room,
	};
	int ret;

	if (arg.room)
		*path = '\0';
	ret = phi_ioctl(phi, PHI_IOC_AGENT_QUERY, &arg);
	if (!ret)
		*out = arg;
	return ret;
}

int phi_agent_watch(int phi, uint64_t agent, uint64_t notify, uint64_t bits,
		    uint32_t runs)
{
	struct phi_agent_watch arg = {
		.size = sizeof(arg),
		.agent = agent,
		.notify = notify,
		.bits = bits,
		.runs = runs,
	};

	return phi_ioctl(phi, PHI_IOC_AGENT_WATCH, &arg);
}

int phi_agent_open(int phi, int cgroup, uint64_t *id, uint64_t *cap)
{
	struct phi_agent_open arg = { .size = sizeof(arg), .cgroup = cgroup };
	int ret = phi_ioctl(phi, PHI_IOC_AGENT_OPEN, &arg);

	if (ret)
		return ret;
	if (id)
		*id = arg.id;
	*cap = arg.cap;
	return 0;
}

int phi_agent_charge(int phi, uint64_t agent, uint64_t budget)
{
	struct phi_agent_charge arg = {
		.size = sizeof(arg),
		.agent = agent,
		.budget = budget,
	};

	return phi_ioctl(phi, PHI_IOC_AGENT_CHARGE, &arg);
}

int phi_agent_evict(int phi, uint64_t agent)
{
	struct phi_agent_evict arg = { .size = sizeof(arg), .agent = agent };

	return phi_ioctl(phi, PHI_IOC_AGENT_EVICT, &arg);
}
